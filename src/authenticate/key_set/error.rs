//! Why there is no usable key set: causes and remedies for the log.

use http::StatusCode;
use url::Url;

use crate::authenticate::outbound::OutboundError;

/// Why the keys of an authorization server are not to be had.
#[derive(Clone, Debug, thiserror::Error)]
pub enum KeySetError {
    /// It was fetched for another unknown key a moment ago; this one's has not been looked for.
    #[error(
        "the token names a key that is not in the key set, which was fetched for another one a \
         moment ago: it is looked for with the next fetch, within half a minute"
    )]
    Cooldown,
    /// Its address is no https URL.
    #[error(
        "{0} is not https (http is for loopback): give metadata.jwks_uri of this authorization \
         server an https URL, or set insecure_allow_http"
    )]
    Insecure(Url),
    /// The document is no JWK Set.
    #[error("jwks_uri answered something that is not a JSON object with an array `keys`")]
    Malformed,
    /// No key in it can verify anything.
    #[error("the key set has no usable key{}: check jwks_uri, and which keys are published", listed(.0))]
    NoUsableKey(Box<[String]>),
    /// It has not come yet; without an address there is no metadata either.
    #[error("the key set has not been read yet: the first answer of jwks_uri is waited for")]
    NotYet,
    /// It could not be fetched.
    #[error("jwks_uri: {0}")]
    Outbound(#[from] OutboundError),
    /// Whoever waited for it has waited long enough.
    #[error("the key set did not come in time")]
    Slow,
    /// The server answered with another status.
    #[error("jwks_uri answered HTTP {0}")]
    Status(StatusCode),
    /// It could not be fetched for longer than an old one is trusted.
    #[error("the key set has not been confirmed for too long: {0}")]
    TooOld(Box<str>),
    /// More first-time verifications are under way than allowed.
    #[error("too many signatures wait to be verified")]
    TooMany,
}

fn listed(skipped: &[String]) -> String {
    if skipped.is_empty() { String::new() } else { format!(" ({})", skipped.join("; ")) }
}
