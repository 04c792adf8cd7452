//! The `WWW-Authenticate` challenge (RFC 9110 section 11.6.1, RFC 6750 section 3).
//!
//! 1. One line, parameters in a fixed order: realm, `resource_metadata` (RFC 9728 section 5.1),
//!    error, `error_description`, scope.
//! 2. Every value is a quoted string, escaped; nothing in it comes from the request.
//! 3. A route that takes service accounts names the Basic scheme too, in a line of its own.
//! 4. Without credentials in the request there is no error (RFC 6750 section 3.1).

use std::fmt::Write;

use http::HeaderValue;

use crate::{oauth::Scope, resource::ChallengeParameters};

/// What a challenge says beyond the route's own parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChallengeError {
    /// The token lacks a claim that is demanded; the code is that of scopes.
    InsufficientClaims,
    /// RFC 6750 section 3.1: the token lacks privileges.
    InsufficientScope,
    /// The request is malformed, for this reason.
    InvalidRequest(&'static str),
    /// The token is not acceptable, for this reason.
    InvalidToken(&'static str),
}

impl ChallengeError {
    /// The error code of RFC 6750 section 3.1.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::InsufficientClaims | Self::InsufficientScope => "insufficient_scope",
            Self::InvalidRequest(_) => "invalid_request",
            Self::InvalidToken(_) => "invalid_token",
        }
    }

    /// For people; from a closed set.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::InsufficientClaims => "The access token lacks a claim that this needs",
            Self::InsufficientScope => "The access token lacks a scope that this needs",
            Self::InvalidRequest(why) | Self::InvalidToken(why) => why,
        }
    }
}

/// Writes a challenge; `scope` is what the operation needs.
pub(super) fn challenge(
    parameters: &ChallengeParameters,
    error: Option<ChallengeError>,
    scope: &Scope,
) -> Option<HeaderValue> {
    let mut text = String::with_capacity(256);
    text.push_str("Bearer realm=");
    push_quoted(&mut text, &parameters.realm);
    text.push_str(", resource_metadata=");
    push_quoted(&mut text, &parameters.resource_metadata);
    if let Some(error) = error {
        text.push_str(", error=");
        push_quoted(&mut text, error.code());
        text.push_str(", error_description=");
        push_quoted(&mut text, error.description());
    }
    if !scope.is_empty() {
        text.push_str(", scope=");
        let mut scopes = String::new();
        // Writing to a string cannot fail.
        let _ = write!(scopes, "{scope}");
        push_quoted(&mut text, &scopes);
    }
    HeaderValue::from_str(&text).ok()
}

/// The challenge of service accounts (RFC 7617 sections 2 and 2.1).
pub(super) fn basic(parameters: &ChallengeParameters) -> Option<HeaderValue> {
    let mut text = String::from("Basic realm=");
    push_quoted(&mut text, &parameters.realm);
    text.push_str(", charset=\"UTF-8\"");
    HeaderValue::from_str(&text).ok()
}

/// RFC 9110 section 5.6.4.
fn push_quoted(text: &mut String, value: &str) {
    text.push('"');
    for character in value.chars() {
        if matches!(character, '"' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters() -> ChallengeParameters {
        ChallengeParameters {
            realm: "notes".into(),
            resource_metadata: "https://mcp.example/.well-known/oauth-protected-resource/notes"
                .into(),
            required_scopes: Scope::default(),
            offers_basic: false,
        }
    }

    #[test]
    fn parameters_stand_in_their_order() {
        let scope = Scope::parse("notes.read notes.write").unwrap();
        let without = challenge(&parameters(), None, &scope).unwrap();
        assert_eq!(
            without,
            "Bearer realm=\"notes\", resource_metadata=\"https://mcp.example/.well-known/\
             oauth-protected-resource/notes\", scope=\"notes.read notes.write\""
        );
        let error = Some(ChallengeError::InvalidToken("why"));
        let with = challenge(&parameters(), error, &Scope::default()).unwrap();
        assert_eq!(
            with,
            "Bearer realm=\"notes\", resource_metadata=\"https://mcp.example/.well-known/\
             oauth-protected-resource/notes\", error=\"invalid_token\", error_description=\"why\""
        );
    }

    #[test]
    fn quotes_and_backslashes_are_escaped() {
        let mut text = String::new();
        push_quoted(&mut text, r#"a"b\c"#);
        assert_eq!(text, r#""a\"b\\c""#);
    }
}
