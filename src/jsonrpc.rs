//! JSON-RPC 2.0 as far as a proxy needs it: a glance at a request, and the errors we write.
//!
//! 1. A glance serves the log and the `id` of a refusal, never a decision; what is ambiguous
//!    (duplicate keys, a batch, something that is no object) is left empty.
//! 2. The `id` is kept as the text it was written in: numbers keep their form.
//! 3. Errors are written once, here, in one member order.
//!
//! It does not judge operations: no rule may rest on a [`Glance`].

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Serialize,
    de::{self, DeserializeSeed, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// What a look at a POST body showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Glance {
    /// The request's `id` as written, when it is one string or number.
    pub id: Option<Box<str>>,
    /// `method`.
    pub method: Option<Box<str>>,
    /// `params.name`, or `params.uri`.
    pub name: Option<Box<str>>,
}

impl Glance {
    /// Looks at a whole body.
    pub fn at(body: &[u8]) -> Self {
        // Told that it is text, the parser does not ask again for every string in it.
        match std::str::from_utf8(body) {
            Ok(text) => Self::read(serde_json::Deserializer::from_str(text)),
            Err(_) => Self::read(serde_json::Deserializer::from_slice(body)),
        }
    }

    fn read<'de>(mut json: serde_json::Deserializer<impl serde_json::de::Read<'de>>) -> Self {
        let mut glance = Self::default();
        let read = Envelope(&mut glance).deserialize(&mut json).and_then(|()| json.end());
        if read.is_ok() { glance } else { Self::default() }
    }

    /// Looks at the first part of a longer body: for the log alone, so without `id`.
    pub fn at_prefix(prefix: &[u8]) -> Self {
        let mut glance = Self::default();
        let mut json = serde_json::Deserializer::from_slice(prefix);
        match Envelope(&mut glance).deserialize(&mut json) {
            Err(error) if error.is_eof() => Self { id: None, ..glance },
            _ => Self::default(),
        }
    }
}

/// Reads the envelope's members into the glance as they come.
struct Envelope<'a>(&'a mut Glance);

impl<'de> DeserializeSeed<'de> for Envelope<'_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Envelope<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON-RPC object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (mut id, mut method, mut params) = (false, false, false);
        while let Some(key) = map.next_key::<Text<'de>>()? {
            match key.0.as_ref() {
                "id" => {
                    once(&mut id)?;
                    let raw: &RawValue = map.next_value()?;
                    self.0.id = string_or_number(raw.get()).map(Into::into);
                }
                "method" => {
                    once(&mut method)?;
                    self.0.method = text(map.next_value()?);
                }
                "params" => {
                    once(&mut params)?;
                    map.next_value_seed(Params(&mut self.0.name))?;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// Reads `params.name` or `params.uri`; params of another shape are passed over.
struct Params<'a>(&'a mut Option<Box<str>>);

impl<'de> DeserializeSeed<'de> for Params<'_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Params<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON-RPC params")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut named = 0;
        while let Some(key) = map.next_key::<Text<'de>>()? {
            if matches!(key.0.as_ref(), "name" | "uri") {
                named += 1;
                *self.0 = text(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if named > 1 {
            *self.0 = None;
        }
        Ok(())
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

/// A string that borrows from the input where no escape forbids it.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The string that a JSON value is, if it is one.
fn text(value: &RawValue) -> Option<Box<str>> {
    serde_json::from_str::<Text<'_>>(value.get()).ok().map(|text| text.0.into())
}

fn once<E: de::Error>(seen: &mut bool) -> Result<(), E> {
    if std::mem::replace(seen, true) { Err(E::custom("duplicate member")) } else { Ok(()) }
}

fn string_or_number(raw: &str) -> Option<&str> {
    raw.starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit())
        .then_some(raw)
}

/// A JSON-RPC error code that this gateway writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// -32600.
    InvalidRequest,
    /// -32000: we, or somebody behind us, cannot serve now.
    Unavailable,
    /// -32001: refused for want of authorization.
    Unauthorized,
}

impl ErrorCode {
    /// The number on the wire.
    pub fn number(self) -> i32 {
        match self {
            Self::InvalidRequest => -32600,
            Self::Unavailable => -32000,
            Self::Unauthorized => -32001,
        }
    }
}

/// Writes an error response; `id` is JSON text as it came, `None` for `null`.
pub fn error_response(
    id: Option<&str>,
    code: ErrorCode,
    message: &str,
    data: &impl Serialize,
) -> Vec<u8> {
    #[derive(Serialize)]
    struct Error<'a, D> {
        code: i32,
        message: &'a str,
        data: &'a D,
    }
    let error = Error { code: code.number(), message, data };
    let error = serde_json::to_string(&error).unwrap_or_else(|_| "null".to_owned());
    let id = id.unwrap_or("null");
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glance(id: Option<&str>, method: Option<&str>, name: Option<&str>) -> Glance {
        Glance {
            id: id.map(Into::into),
            method: method.map(Into::into),
            name: name.map(Into::into),
        }
    }

    #[test]
    fn glance_reads_id_method_and_name() {
        let body = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":{"name":"y"}}}"#;
        assert_eq!(Glance::at(body), glance(Some("1"), Some("tools/call"), Some("x")));
        let body = br#"{"id":"a\"b","method":"resources\/read","params":{"uri":"n:\u002f"}}"#;
        assert_eq!(
            Glance::at(body),
            glance(Some(r#""a\"b""#), Some("resources/read"), Some("n:/"))
        );
    }

    #[test]
    fn glance_keeps_the_text_of_an_id() {
        for id in ["1e2", "-0", "123456789012345678901234567890", "1.50", r#""\u0041""#] {
            let body = format!(r#"{{"id":{id},"method":"ping"}}"#);
            assert_eq!(Glance::at(body.as_bytes()).id.as_deref(), Some(id));
        }
        for id in ["null", "true", "{}", "[1]"] {
            let body = format!(r#"{{"id":{id},"method":"ping"}}"#);
            assert_eq!(Glance::at(body.as_bytes()).id, None);
        }
    }

    #[test]
    fn glance_at_something_ambiguous_is_empty() {
        for body in [
            r#"{"id":1,"id":2,"method":"ping"}"#,
            r#"{"id":1,"method":"a","\u006dethod":"b"}"#,
            r#"[{"id":1,"method":"ping"}]"#,
            r#"["2.0","tools/call",{"name":"x"},1]"#,
            r#"{"id":1,"method":"ping"} {}"#,
            r#"{"id":1,"method":"ping""#,
            "",
            "\u{feff}{}",
        ] {
            assert_eq!(Glance::at(body.as_bytes()), Glance::default(), "{body}");
        }
    }

    #[test]
    fn odd_members_empty_only_themselves() {
        for (body, method) in [
            (r#"{"id":1,"method":"a","params":{"name":"x","name":"y"}}"#, Some("a")),
            (r#"{"id":1,"method":"a","params":{"name":"x","uri":"y"}}"#, Some("a")),
            (r#"{"id":1,"method":"a","params":{"name":5}}"#, Some("a")),
            (r#"{"id":1,"method":"a","params":"s"}"#, Some("a")),
            (r#"{"id":1,"method":"a","params":-1.5}"#, Some("a")),
            (r#"{"id":1,"method":7}"#, None),
        ] {
            assert_eq!(Glance::at(body.as_bytes()), glance(Some("1"), method, None), "{body}");
        }
    }

    #[test]
    fn glance_at_a_prefix_has_no_id() {
        let prefix =
            br#"{"id":1,"method":"tools/call","params":{"name":"x","arguments":{"a":"bbbb"#;
        assert_eq!(Glance::at_prefix(prefix), glance(None, Some("tools/call"), Some("x")));
    }

    #[test]
    fn error_echoes_the_id_as_written() {
        let body = error_response(Some("1.50"), ErrorCode::Unauthorized, "m", &[1]);
        let expected =
            r#"{"jsonrpc":"2.0","id":1.50,"error":{"code":-32001,"message":"m","data":[1]}}"#;
        assert_eq!(String::from_utf8(body).unwrap(), expected);
    }
}
