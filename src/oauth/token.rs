//! Credentials: the bearer token as sent, its digest, and configured secrets.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use aws_lc_rs::digest;

/// The credential as a client sent it, checked for form only.
///
/// A client's token is dropped with its request, but for one that keeps an event stream open and
/// that its authorization server must be asked about meanwhile. What else outlives a request are the
/// tokens that were obtained for service accounts, and those of our own configuration.
#[derive(Clone, PartialEq, Eq)]
pub struct BearerToken(Box<str>);

impl BearerToken {
    /// Reads `b64token` (RFC 6750 section 2.1): `1*( ALPHA / DIGIT / "-._~+/" ) *"="`.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedToken> {
        let padding = bytes.iter().rev().take_while(|&&byte| byte == b'=').count();
        let (body, _) = bytes.split_at(bytes.len() - padding);
        if body.is_empty() || bytes.len() > Self::MAX_BYTES {
            return Err(MalformedToken);
        }
        // No way out of the loop: it is done many bytes at a time.
        let is_well_formed = body.iter().fold(true, |all, &byte| all & is_b64_byte(byte));
        if !is_well_formed {
            return Err(MalformedToken);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| MalformedToken)?;
        Ok(Self(text.into()))
    }

    /// The token itself, for the authorization server that issued it and for nobody else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What caches and logs may know of the token.
    pub fn digest(&self) -> TokenDigest {
        TokenDigest::of(self.0.as_bytes())
    }

    /// Longer tokens are refused before anything is computed from them.
    pub const MAX_BYTES: usize = 16 * 1024;
}

/// `ALPHA / DIGIT / "-._~+/"`; hyphen, dot and slash come right before the digits.
fn is_b64_byte(byte: u8) -> bool {
    matches!(byte, b'-'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'~' | b'+')
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken(redacted)")
    }
}

/// The bytes are not an RFC 6750 `b64token` of acceptable length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bearer token is malformed")]
pub struct MalformedToken;

/// The full SHA-256 of a token. Two tokens are the same when all 256 bits are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenDigest([u8; 32]);

impl Hash for TokenDigest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Half of it spreads as well as all of it.
        let half = self.0.first_chunk().copied().unwrap_or_default();
        state.write_u128(u128::from_le_bytes(half));
    }
}

impl TokenDigest {
    /// Hashes the bytes of a token.
    pub fn of(bytes: &[u8]) -> Self {
        let mut out = [0; 32];
        out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
        Self(out)
    }

    /// All 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TokenDigest {
    /// Eight hexadecimal digits: enough to correlate log lines, too few to look a token up.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A configured secret: usable, never printable.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Takes charge of a secret's text.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one place that sends or uses it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearer_token_accepts_exactly_the_rfc_6750_characters() {
        for byte in 0..=0xff_u8 {
            let allowed = byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
            assert_eq!(BearerToken::parse(&[b'a', byte, b'a']).is_ok(), allowed, "byte {byte:#x}");
        }
        assert!(BearerToken::parse(b"abc==").is_ok());
        assert_eq!(BearerToken::parse(b"="), Err(MalformedToken));
        assert_eq!(BearerToken::parse(b"a=b"), Err(MalformedToken));
        assert_eq!(BearerToken::parse(b""), Err(MalformedToken));
    }

    #[test]
    fn bearer_token_has_a_largest_length() {
        assert!(BearerToken::parse(&vec![b'a'; BearerToken::MAX_BYTES]).is_ok());
        assert!(BearerToken::parse(&vec![b'a'; BearerToken::MAX_BYTES + 1]).is_err());
    }

    #[test]
    fn credentials_do_not_show_themselves() {
        let token = BearerToken::parse(b"canary").unwrap();
        assert!(!format!("{token:?} {:?}", Secret::new("canary")).contains("canary"));
        assert_eq!(format!("{:?}", token.digest()).len(), 8);
    }
}
