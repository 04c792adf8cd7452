//! Claims as an authorization server wrote them, read strictly.
//!
//! 1. One JSON object, nothing behind it, no member twice (RFC 7519 section 4 forbids what RFC 8259
//!    leaves open).
//! 2. JSON `null` counts as absent.
//! 3. A claim of another type than asked for is an error, never absent.

use std::fmt;

use serde::{
    Deserialize,
    de::{self, MapAccess, Visitor},
};
use serde_json::{Map, Value};

/// The members of one JSON object.
#[derive(Debug)]
pub struct Claims(Map<String, Value>);

/// A claim has a type that its definition does not allow, or the text is no JSON object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// The body is not one JSON object with unique members.
    #[error("the answer is not one JSON object with unique members")]
    NotAnObject,
    /// A claim has the wrong type.
    #[error("`{0}` has the wrong type")]
    WrongType(Box<str>),
}

impl Claims {
    /// Reads a JSON object.
    pub fn parse(json: &[u8]) -> Result<Self, ClaimError> {
        serde_json::from_slice(json).map_err(|_| ClaimError::NotAnObject)
    }

    /// A boolean.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, ClaimError> {
        self.read(name, Value::as_bool)
    }

    /// A string.
    pub fn string(&self, name: &str) -> Result<Option<&str>, ClaimError> {
        self.read(name, Value::as_str)
    }

    /// A `NumericDate` (RFC 7519 section 2): seconds since the epoch, with or without fraction.
    pub fn numeric_date(&self, name: &str) -> Result<Option<f64>, ClaimError> {
        self.read(name, |value| value.as_f64().filter(|seconds| seconds.is_finite()))
    }

    /// A string, or an array of strings.
    pub fn strings(&self, name: &str) -> Result<Option<Vec<&str>>, ClaimError> {
        self.read(name, |value| match value {
            Value::String(one) => Some(vec![one.as_str()]),
            Value::Array(many) => many.iter().map(Value::as_str).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
        })
    }

    /// The first of `names` that is present.
    pub fn first<'n>(&self, names: &'n [Box<str>]) -> Option<&'n str> {
        names.iter().map(AsRef::as_ref).find(|name| self.has(name))
    }

    /// Whether a claim is present with any value but `null`.
    pub fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_null())
    }

    /// Whether a member of this name is there, `null` included.
    pub fn has_member(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn read<'a, T>(
        &'a self,
        name: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, ClaimError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| ClaimError::WrongType(name.into())),
        }
    }
}

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct UniqueMembers;

        impl<'de> Visitor<'de> for UniqueMembers {
            type Value = Claims;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Claims, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(de::Error::custom("duplicate member"));
                    }
                }
                Ok(Claims(members))
            }
        }

        deserializer.deserialize_map(UniqueMembers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_counts_as_absent_and_another_type_as_an_error() {
        let claims = Claims::parse(br#"{"a":null,"b":"x","c":[1],"d":1e400}"#);
        assert_eq!(claims.err(), Some(ClaimError::NotAnObject), "a number out of range");
        let claims = Claims::parse(br#"{"a":null,"b":"x","c":["y",1],"d":["y"],"e":1.5}"#).unwrap();
        assert_eq!(claims.boolean("a"), Ok(None));
        assert_eq!(claims.boolean("b"), Err(ClaimError::WrongType("b".into())));
        assert_eq!(claims.strings("b"), Ok(Some(vec!["x"])));
        assert_eq!(claims.strings("c"), Err(ClaimError::WrongType("c".into())));
        assert_eq!(claims.strings("d"), Ok(Some(vec!["y"])));
        assert_eq!(claims.numeric_date("e"), Ok(Some(1.5)));
        assert_eq!(claims.first(&["a".into(), "z".into(), "d".into()]), Some("d"));
    }

    #[test]
    fn only_one_object_with_unique_members_is_read() {
        for text in [
            r#"{"active":false,"active":true}"#,
            r#"{"active":true} {}"#,
            r#"["active"]"#,
            "true",
            "",
            "\u{feff}{}",
            r#"{"active":true"#,
        ] {
            assert_eq!(
                Claims::parse(text.as_bytes()).err(),
                Some(ClaimError::NotAnObject),
                "{text}"
            );
        }
        assert!(Claims::parse(b"{\"a\":\"\xff\"}").is_err());
    }
}
