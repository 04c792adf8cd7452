//! What the stub authorization server says of a token.

use gatehouse::clock::{Clock, SystemClock};
use serde_json::{Map, Value, json};

/// An introspection response in the making.
#[derive(Clone, Debug)]
pub(crate) struct Token(Map<String, Value>);

impl Token {
    /// Active, of `alice` through `client-1`, for an hour; without audience and scope.
    pub(crate) fn new() -> Self {
        let now = now();
        let mut claims = Map::new();
        for (name, value) in [
            ("active", json!(true)),
            ("sub", json!("alice")),
            ("client_id", json!("client-1")),
            ("token_type", json!("Bearer")),
            ("iat", json!(now)),
            ("exp", json!(now + 3600)),
        ] {
            claims.insert(name.to_owned(), value);
        }
        Self(claims)
    }

    pub(crate) fn audience(self, audience: &str) -> Self {
        self.with("aud", audience)
    }

    pub(crate) fn scope(self, scope: &str) -> Self {
        self.with("scope", scope)
    }

    pub(crate) fn subject(self, subject: &str) -> Self {
        self.with("sub", subject)
    }

    /// Sets any claim.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves a claim out.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    pub(crate) fn json(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }
}

/// Whole seconds since the Unix epoch.
#[expect(clippy::cast_possible_truncation, reason = "seconds since the epoch fit")]
pub(crate) fn now() -> i64 {
    SystemClock.unix_seconds() as i64
}
