//! Client assertions: short-lived JWTs that show who we are (RFC 7523 section 3, OpenID Connect
//! Core 1.0 section 9).
//!
//! 1. `iss` and `sub` are our client identifier; `aud` is one string, the issuer identifier unless
//!    configured otherwise: an assertion for the issuer is of no use to another server that claims
//!    the same endpoint (RFC 7523bis section 3, CVE-2025-27370).
//! 2. `exp` is a minute away, `jti` random, and each request has an assertion of its own: servers
//!    that keep every `jti` refuse the second use of one.
//! 3. HS256 with our secret, or the algorithm of our key with its key ID as `kid`.
//! 4. `typ` is `JWT`: verifiers that know no other value refuse `client-authentication+jwt`, and
//!    none asks for it.
//!
//! An assertion is a credential: it is never logged and never kept.

use aws_lc_rs::{hmac, rand};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::json;

use crate::oauth::{AssertionKey, ClientId, Secret};

/// What an assertion says.
pub(super) struct Assertion<'a> {
    pub(super) client: &'a ClientId,
    pub(super) audience: &'a str,
    /// Seconds since the epoch.
    pub(super) now: f64,
}

/// What it is signed with.
#[derive(Clone, Copy)]
pub(super) enum Signer<'a> {
    Key(&'a AssertionKey),
    Secret(&'a Secret),
}

/// The cryptographic provider failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client assertion could not be signed")]
pub struct NotSigned;

impl Assertion<'_> {
    /// The signed assertion in compact form (RFC 7515 section 7.1).
    pub(super) fn sign(&self, signer: Signer<'_>) -> Result<String, NotSigned> {
        let header = match signer {
            Signer::Key(key) => json!({"alg": key.algorithm(), "typ": "JWT", "kid": key.id()}),
            Signer::Secret(_) => json!({"alg": "HS256", "typ": "JWT"}),
        };
        let mut nonce = [0; 16];
        rand::fill(&mut nonce).map_err(|_| NotSigned)?;
        #[expect(clippy::cast_possible_truncation, reason = "the present fits")]
        let now = self.now as i64;
        let claims = json!({
            "iss": self.client.as_str(),
            "sub": self.client.as_str(),
            "aud": self.audience,
            "jti": encode(&nonce),
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
        });
        let mut text = encode(header.to_string().as_bytes());
        text.push('.');
        text.push_str(&encode(claims.to_string().as_bytes()));
        let signature = match signer {
            Signer::Key(key) => key.sign(text.as_bytes()).ok_or(NotSigned)?,
            Signer::Secret(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
                hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
            }
        };
        text.push('.');
        text.push_str(&encode(&signature));
        Ok(text)
    }
}

fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

const LIFETIME_SECONDS: i64 = 60;
