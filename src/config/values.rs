//! The leaves of the file: texts, numbers and choices, each read by its `FromStr`.
//!
//! 1. A refusal says what would be right, and does not repeat what was written.
//! 2. Each leaf also has its JSON Schema; where a variable may stand instead, the schema says so.

use std::{
    borrow::Cow,
    net::{IpAddr, SocketAddr},
    str::FromStr,
    time::Duration,
};

use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::{
    reader::{At, Read, Source},
    scalar::CoreType,
    settings::{
        AccessTokens, AllowedHost, AllowedOrigin, AssertionAudience, AudienceMatch, RateLimitBy,
        RequiredTokenType,
    },
    suggest::closest,
    web::{HostHeader, HttpUrl, Name, RoutePath, UpstreamUrl},
};
use crate::{
    logging::LogFormat,
    oauth::{Issuer, PublicOrigin, ResourceIdentifier, ScopeToken, Secret, SignatureAlgorithm},
};

/// Gives a type with `FromStr` its place in the file and in the schema.
macro_rules! text_leaf {
    ($type:ty, $wanted:literal, $schema:tt) => {
        impl Read for $type {
            fn read(at: &At<'_>, source: &mut Source<'_>) -> Option<Self> {
                let parse = |text: &str| text.parse().map_err(|why| format!("{why}"));
                at.parse($wanted, parse, source)
            }
        }
        leaf_schema!($type, titled(json!($schema), $wanted));
    };
}

macro_rules! leaf_schema {
    ($type:ty, $schema:expr) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                or_variable($schema)
            }
        }
    };
}

/// A type whose values are a few words.
macro_rules! choice {
    ($type:ty { $($word:literal => $value:expr),+ $(,)? }) => {
        impl Read for $type {
            fn read(at: &At<'_>, source: &mut Source<'_>) -> Option<Self> {
                let words = [$($word),+];
                let parse = |text: &str| match text {
                    $($word => Ok($value),)+
                    other => Err(match closest(other, words) {
                        Some(word) => format!("probably `{word}` is meant"),
                        None => "none of the known words".to_owned(),
                    }),
                };
                at.parse(&format!("one of {}", words.join(", ")), parse, source)
            }
        }
        leaf_schema!($type, json!({ "enum": [$($word),+] }));
    };
}

/// A schema that also admits `${NAME}` where the plain one would not.
fn or_variable(schema: Value) -> Schema {
    let is_any_text =
        schema.get("type") == Some(&json!("string")) && schema.get("pattern").is_none();
    if is_any_text {
        return Schema::try_from(schema).unwrap_or_default();
    }
    json_schema!({ "anyOf": [schema, { "type": "string", "pattern": "\\$\\{" }] })
}

/// Says for readers of the schema what is wanted, unless the schema has a title.
fn titled(mut schema: Value, wanted: &str) -> Value {
    if let Some(schema) = schema.as_object_mut() {
        schema.entry("title").or_insert_with(|| wanted.into());
    }
    schema
}

mod files;
mod rules;
mod traces;

pub(super) use files::{
    AuditPath, CertificateFile, Named, PrivateKeyFile, SecretFile, ServerCertificateFile,
};
pub(super) use rules::{Granted, UnlistedTools, Values};
pub(super) use traces::Ratio;

text_leaf!(PublicOrigin, "an origin such as https://mcp.example.com", { "type": "string", "format": "uri" });
text_leaf!(Issuer, "the issuer's URL exactly as its metadata has it", { "type": "string", "format": "uri" });
text_leaf!(ResourceIdentifier, "an absolute URL without query", { "type": "string", "format": "uri" });
text_leaf!(ScopeToken, "one scope", { "type": "string" });

choice!(LogFormat { "json" => Self::Json, "pretty" => Self::Pretty });
choice!(AccessTokens {
    "introspection" => Self::Introspection,
    "jwt" => Self::Jwt,
    "userinfo" => Self::Userinfo,
    "auto" => Self::Auto,
});
choice!(AudienceMatch {
    "exact" => Self::Exact,
    "prefix" => Self::Prefix,
    "client_id" => Self::ClientId,
    "off" => Self::Off,
});

choice!(RequiredTokenType { "at+jwt" => Self::AtJwt });
choice!(SignatureAlgorithm {
    "RS256" => Self::Rs256,
    "RS384" => Self::Rs384,
    "RS512" => Self::Rs512,
    "PS256" => Self::Ps256,
    "PS384" => Self::Ps384,
    "PS512" => Self::Ps512,
    "ES256" => Self::Es256,
    "ES384" => Self::Es384,
    "ES512" => Self::Es512,
    "EdDSA" => Self::EdDsa,
});

/// `telemetry.log.level`.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogLevel(pub(super) tracing::Level);

choice!(LogLevel {
    "error" => Self(tracing::Level::ERROR),
    "warn" => Self(tracing::Level::WARN),
    "info" => Self(tracing::Level::INFO),
    "debug" => Self(tracing::Level::DEBUG),
    "trace" => Self(tracing::Level::TRACE),
});

/// `access` of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AccessKind {
    Protected,
    Public,
}

choice!(AccessKind { "protected" => Self::Protected, "public" => Self::Public });

/// `client.authentication`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AuthenticationMethod {
    Bearer,
    ClientSecretBasic,
    ClientSecretJwt,
    ClientSecretPost,
    None,
    PrivateKeyJwt,
    TlsClientAuth,
}

choice!(AuthenticationMethod {
    "client_secret_basic" => Self::ClientSecretBasic,
    "client_secret_post" => Self::ClientSecretPost,
    "client_secret_jwt" => Self::ClientSecretJwt,
    "private_key_jwt" => Self::PrivateKeyJwt,
    "tls_client_auth" => Self::TlsClientAuth,
    "bearer" => Self::Bearer,
    "none" => Self::None,
});

choice!(RateLimitBy {
    "subject" => Self::Subject,
    "client_id" => Self::ClientId,
    "address" => Self::Address,
});

choice!(AssertionAudience { "issuer" => Self::Issuer, "endpoint" => Self::Endpoint });

/// `introspection.token_type_hint`: the one type that this gateway asks about.
#[derive(Clone, Copy, Debug)]
pub(super) struct TokenTypeHint;

choice!(TokenTypeHint { "access_token" => Self });

/// `stdout`.
#[derive(Clone, Copy, Debug)]
pub(super) struct StandardOutput;

impl FromStr for StandardOutput {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "stdout" { Ok(Self) } else { Err("no such output") }
    }
}

text_leaf!(StandardOutput, "`stdout`, or an object such as {file: /var/log/gatehouse/audit.jsonl}", { "enum": ["stdout"] });

/// A text that is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text(pub(super) Box<str>);

impl FromStr for Text {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() { Err("empty") } else { Ok(Self(text.into())) }
    }
}

text_leaf!(Text, "a text", { "type": "string", "minLength": 1 });

/// A secret written in the file or in a variable.
#[derive(Clone, Debug)]
pub(super) struct SecretText(pub(super) Secret);

impl FromStr for SecretText {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() { Err("empty") } else { Ok(Self(Secret::new(text))) }
    }
}

text_leaf!(SecretText, "a secret", { "type": "string", "minLength": 1 });

/// An address to listen on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Address(pub(super) SocketAddr);

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| "not an IP address with a port")
    }
}

text_leaf!(Address, "one such as 127.0.0.1:8080 or [::1]:8080", { "type": "string" });

/// A network of `listen.trusted_proxies` or `listen.proxy_protocol`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Network(pub(super) IpNet);

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let network =
            text.parse::<IpNet>().or_else(|_| text.parse().map(|address: IpAddr| address.into()));
        let network = network.map_err(|_| "not a network")?;
        if network.prefix_len() == 0 {
            return Err(
                "a network of all addresses would let everybody say where a request comes from",
            );
        }
        Ok(Self(network.trunc()))
    }
}

text_leaf!(Network, "an IP network such as 10.1.0.0/16", { "type": "string" });

/// A duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(pub(super) Duration);

impl FromStr for Span {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits).unwrap_or_default();
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60 * 1000,
            "h" => 3600 * 1000,
            _ => return Err("not a duration"),
        };
        let number: u64 = number.parse().map_err(|_| "not a duration")?;
        let milliseconds = number.checked_mul(milliseconds).ok_or("too long a duration")?;
        Ok(Self(Duration::from_millis(milliseconds)))
    }
}

text_leaf!(Span, "a whole number with its unit, such as 500ms, 2s, 5m or 1h", {
    "type": "string", "pattern": "^[0-9]+(ms|s|m|h)$", "title": "a duration"
});

text_leaf!(HttpUrl, "a URL such as https://auth.example.com/path", { "type": "string", "format": "uri" });
text_leaf!(UpstreamUrl, "a URL such as http://127.0.0.1:3001/mcp", { "type": "string", "format": "uri" });
text_leaf!(AllowedOrigin, "one such as https://app.example.com, http://localhost:*, null or *", { "type": "string" });
text_leaf!(AllowedHost, "one such as mcp.example.com, mcp.example.com:8443 or *", { "type": "string" });
text_leaf!(HostHeader, "one such as notes.internal:3001", { "type": "string" });
text_leaf!(RoutePath, "a path such as /notes", { "type": "string", "pattern": "^/" });
text_leaf!(Name, "the name of an authorization server", { "type": "string" });

/// A whole number, zero or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count(pub(super) u64);

impl Read for Count {
    fn read(at: &At<'_>, source: &mut Source<'_>) -> Option<Self> {
        let scalar = at.scalar("a whole number", source)?;
        // `010` is eight to some readers of YAML and ten to others.
        let is_ambiguous = scalar.text.len() > 1 && scalar.text.starts_with('0');
        let value = scalar.to_json().filter(|_| !is_ambiguous).and_then(|value| value.as_u64());
        if value.is_none() {
            at.wrong_type("a plain whole number, zero or more", source);
        }
        value.map(Self)
    }
}

leaf_schema!(Count, json!({ "type": "integer", "minimum": 0 }));

/// `true` or `false`, or a variable that yields one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Switch(pub(super) bool);

impl Read for Switch {
    fn read(at: &At<'_>, source: &mut Source<'_>) -> Option<Self> {
        let scalar = at.scalar("true or false", source)?;
        if let CoreType::Boolean(value) = scalar.core_type() {
            return Some(Self(value));
        }
        at.wrong_type("true or false", source);
        None
    }
}

leaf_schema!(Switch, json!({ "type": "boolean" }));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_numbers_with_a_unit() {
        for (text, milliseconds) in [
            ("0s", Some(0)),
            ("500ms", Some(500)),
            ("2s", Some(2000)),
            ("5m", Some(300_000)),
            ("1h", Some(3_600_000)),
            ("5", None),
            ("s", None),
            ("1.5s", None),
            ("-1s", None),
            ("1 s", None),
            ("1d", None),
            ("1S", None),
            ("99999999999999999999s", None),
            ("18446744073709551615h", None),
            ("", None),
        ] {
            let expected = milliseconds.map(Duration::from_millis).map(Span);
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
    }

    #[test]
    fn networks_of_everyone_are_refused() {
        assert_eq!("10.1.2.3/8".parse::<Network>().unwrap().0.to_string(), "10.0.0.0/8");
        assert_eq!("10.1.2.3".parse::<Network>().unwrap().0.to_string(), "10.1.2.3/32");
        assert_eq!("::1".parse::<Network>().unwrap().0.to_string(), "::1/128");
        for text in ["0.0.0.0/0", "::/0", "10.0.0.0/33", "a.example", ""] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
