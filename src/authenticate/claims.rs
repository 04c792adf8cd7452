//! Claims as an authorization server wrote them, read strictly.
//!
//! 1. One JSON object, nothing behind it, no member twice at any depth (RFC 7519 section 4 forbids
//!    what RFC 8259 leaves open).
//! 2. JSON `null` counts as absent.
//! 3. A claim of another type than asked for is an error, never absent.
//! 4. A name that begins with `/` is a JSON pointer (RFC 6901); where it leads nowhere the claim is
//!    absent.

use std::fmt;

use serde::{
    Deserialize,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
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

impl From<Map<String, Value>> for Claims {
    fn from(members: Map<String, Value>) -> Self {
        Self(members)
    }
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
        self.find(name).is_some_and(|value| !value.is_null())
    }

    /// A claim of any type but `null`.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.find(name).filter(|value| !value.is_null())
    }

    fn find(&self, name: &str) -> Option<&Value> {
        let Some(pointer) = name.strip_prefix('/') else { return self.0.get(name) };
        let (first, rest) = match pointer.find('/') {
            Some(at) => pointer.split_at_checked(at)?,
            None => (pointer, ""),
        };
        // RFC 6901 section 4: `~1` first, so that `~01` becomes `~1`.
        self.0.get(&first.replace("~1", "/").replace("~0", "~"))?.pointer(rest)
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
        match self.find(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| ClaimError::WrongType(name.into())),
        }
    }
}

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match UniqueMembers.deserialize(deserializer)? {
            Value::Object(members) => Ok(Self(members)),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Err(de::Error::custom("not an object")),
        }
    }
}

/// Reads any JSON value and refuses a member that is there twice.
struct UniqueMembers;

impl<'de> DeserializeSeed<'de> for UniqueMembers {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for UniqueMembers {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON with unique members")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(Self)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value_seed(Self)?;
            if members.insert(name, value).is_some() {
                return Err(de::Error::custom("duplicate member"));
            }
        }
        Ok(Value::Object(members))
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
    fn name_that_begins_with_a_slash_is_a_pointer() {
        let text =
            br#"{"realm_access":{"roles":["a"]},"/x":["plain"],"x/y":"s","m~n":{"":"e"},"/":1,
            "list":[{"r":"first"}],"realm":"text"}"#;
        let claims = Claims::parse(text).unwrap();
        let strings = |name| claims.strings(name).unwrap();
        assert_eq!(strings("/realm_access/roles"), Some(vec!["a"]));
        assert_eq!(strings("/realm_access/roles/0"), Some(vec!["a"]));
        assert_eq!(strings("/~1x"), Some(vec!["plain"]));
        assert_eq!(strings("/x~1y"), Some(vec!["s"]));
        assert_eq!(strings("/m~0n/"), Some(vec!["e"]));
        assert_eq!(strings("/list/0/r"), Some(vec!["first"]));
        for nowhere in ["/x", "/realm/roles", "/realm_access/roles/1", "/realm_access/x", "/", "//"]
        {
            assert_eq!(strings(nowhere), None, "{nowhere}");
            assert!(!claims.has(nowhere), "{nowhere}");
        }
        let wrong = Err(ClaimError::WrongType("/realm_access".into()));
        assert_eq!(claims.strings("/realm_access"), wrong);
    }

    #[test]
    fn only_one_object_with_unique_members_is_read() {
        for text in [
            r#"{"active":false,"active":true}"#,
            r#"{"realm_access":{"roles":[],"roles":["admin"]}}"#,
            r#"{"a":[{"b":1,"b":2}]}"#,
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
