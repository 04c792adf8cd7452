//! What is wrong with a JWT: cause and remedy for the log, and the row of the table of refusals.
//!
//! What a token says is shown shortened and escaped, for whoever sent it wrote it.

use crate::{
    authenticate::{TokenFault, claims::ClaimError, key_set::KeyId},
    oauth::SignatureAlgorithm,
};

/// Why a JWT is not acceptable, whatever the route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwtFault {
    /// Its algorithm is unknown or not allowed.
    #[error(
        "it is signed with {0:?}, which is not allowed: see \
         authorization_servers.*.jwt.algorithms; `none` and HMAC never are"
    )]
    Algorithm(Shown),
    /// It was altered, or another key signed it.
    #[error(
        "the signature does not verify by {}: the token was altered, or is of another server",
        verifying(.0.as_ref())
    )]
    BadSignature(Option<KeyId>),
    /// A claim has a wrong type, or the claims are no object.
    #[error("its claims are malformed: {}", claims(.0))]
    Claims(ClaimError),
    /// It is no compact JWS.
    #[error("the token is no JWT that can be verified: {0}")]
    Form(&'static str),
    /// Its header is malformed, or asks for what is not supported.
    #[error("its header is not acceptable: {0}")]
    Header(&'static str),
    /// Its `iss` is not the issuer.
    #[error("{}: it must be the configured issuer, byte for byte", said("iss", .0.as_ref()))]
    Issuer(Option<Shown>),
    /// It never expires.
    #[error("it has no exp: have the authorization server issue tokens that expire")]
    NoExpiry,
    /// Its `typ` is that of something else than an access token.
    #[error(
        "{}: an access token has at+jwt, JWT or none (at+jwt alone where jwt.required_type says so); \
         the client must send the access token",
        said("typ", .0.as_ref())
    )]
    Type(Option<Shown>),
    /// The key it names is of another type than its algorithm.
    #[error("it is signed with {}, which its key in the key set is not for", .0.name())]
    UnfitKey(SignatureAlgorithm),
    /// The key set has no key for it.
    #[error(
        "the key set has no {}: the token is of another server, or older than its keys; the client \
         must get a new token",
        missing(.0.as_ref())
    )]
    UnknownKey(Option<KeyId>),
}

/// A text out of a token, shortened.
#[derive(Clone, PartialEq, Eq)]
pub struct Shown(Box<str>);

impl Shown {
    pub(super) fn new(text: &str) -> Self {
        let short: String = text.chars().take(MAX_CHARACTERS).collect();
        Self(short.into())
    }
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl JwtFault {
    /// The row of the table of refusals.
    pub fn token_fault(&self) -> TokenFault {
        match self {
            Self::Algorithm(_) => TokenFault::UnsupportedAlgorithm,
            Self::BadSignature(_) | Self::UnfitKey(_) => TokenFault::BadSignature,
            Self::Claims(_) | Self::Form(_) | Self::Header(_) | Self::NoExpiry => {
                TokenFault::Malformed
            }
            Self::Issuer(_) => TokenFault::WrongIssuer,
            Self::Type(_) => TokenFault::OtherType,
            Self::UnknownKey(_) => TokenFault::UnknownKey,
        }
    }
}

fn said(name: &str, text: Option<&Shown>) -> String {
    text.map_or_else(|| format!("it has no {name}"), |text| format!("its {name} is {text:?}"))
}

fn verifying(kid: Option<&KeyId>) -> String {
    kid.map_or_else(|| "any fit key (it names none)".to_owned(), |kid| format!("key {kid:?}"))
}

fn missing(kid: Option<&KeyId>) -> String {
    kid.map_or_else(|| "key for its algorithm".to_owned(), |kid| format!("key {kid:?}"))
}

fn claims(error: &ClaimError) -> String {
    match error {
        ClaimError::NotAnObject => "not one JSON object with unique members".to_owned(),
        ClaimError::WrongType(_) => error.to_string(),
    }
}

const MAX_CHARACTERS: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_token_says_is_quoted_and_what_it_does_not_say_is_said_to_be_missing() {
        let shown = |text| Some(Shown::new(text));
        for (fault, start) in [
            (JwtFault::Type(shown("foo+jwt")), "its typ is \"foo+jwt\": an access token has"),
            (JwtFault::Type(None), "it has no typ: an access token has"),
            (JwtFault::Issuer(shown("https://x\n")), "its iss is \"https://x\\n\": it must"),
            (JwtFault::Issuer(None), "it has no iss: it must be"),
        ] {
            assert!(fault.to_string().starts_with(start), "{fault}");
        }
    }
}
