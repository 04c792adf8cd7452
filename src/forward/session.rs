//! Sealed references: what a client holds in place of an upstream's session.
//!
//! 1. A reference is AES-256-GCM-SIV (RFC 8452) over kind, principal, upstream and value, with the
//!    route as associated data; nothing of it is readable or forgeable without our key.
//! 2. It opens for the same kind, route and principal only, and while the upstream is still the
//!    route's; everything else is as if it had never existed.
//! 3. The nonce is derived from the content, so the same session always has the same reference.
//! 4. Keys are tried newest first; with the same keys, any replica opens any reference.
//!
//! There is no table: nothing to exhaust, nothing lost at a restart.

use aws_lc_rs::{
    aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest::{Context, SHA256},
    rand,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::{authenticate::token_facts::Principal, oauth::Secret};

/// Seals and opens references.
#[derive(Debug)]
pub struct Sealer {
    keys: Vec<LessSafeKey>,
}

/// What a reference stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The message endpoint of an HTTP+SSE stream (revision 2024-11-05).
    MessageEndpoint,
    /// An `Mcp-Session-Id` (to revision 2025-11-25).
    Session,
}

/// Where a reference is valid.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// What it stands for.
    pub kind: Kind,
    /// The route's name.
    pub route: &'a str,
    /// The upstream's URL.
    pub upstream: &'a str,
    /// Who may use it.
    pub principal: &'a Principal,
}

/// No sealing key could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no session key could be made")]
pub struct NoKey;

impl Sealer {
    /// Keys from the configured secrets, newest first; without any, a random one.
    pub fn new(secrets: &[Secret]) -> Result<Self, NoKey> {
        let derive = |secret: &[u8]| {
            let mut context = Context::new(&SHA256);
            context.update(b"gatehouse sealed references v1");
            context.update(secret);
            let key = UnboundKey::new(&AES_256_GCM_SIV, context.finish().as_ref());
            key.map(LessSafeKey::new).map_err(|_| NoKey)
        };
        let keys = if secrets.is_empty() {
            let mut random = [0; 32];
            rand::fill(&mut random).map_err(|_| NoKey)?;
            vec![derive(&random)?]
        } else {
            secrets
                .iter()
                .map(|secret| derive(secret.expose().as_bytes()))
                .collect::<Result<_, _>>()?
        };
        Ok(Self { keys })
    }

    /// The reference to give to a client; `None` only without a key.
    pub fn seal(&self, place: Place<'_>, value: &str) -> Option<String> {
        let key = self.keys.first()?;
        let mut text = plain(place);
        text.extend_from_slice(value.as_bytes());
        let nonce = derived_nonce(place.route, &text);
        let mut sealed = vec![VERSION];
        sealed.extend_from_slice(&nonce);
        let nonce = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(nonce, Aad::from(place.route), &mut text).ok()?;
        sealed.extend_from_slice(&text);
        Some(BASE64_URL_SAFE_NO_PAD.encode(sealed))
    }

    /// The value behind a reference, if it is valid at this place.
    pub fn open(&self, place: Place<'_>, reference: &str) -> Option<String> {
        if reference.len() > MAX_REFERENCE_BYTES {
            return None;
        }
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(reference).ok()?;
        let (version, rest) = sealed.split_first()?;
        let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>()?;
        if *version != VERSION {
            return None;
        }
        self.keys.iter().find_map(|key| {
            let mut text = text.to_vec();
            let nonce = Nonce::assume_unique_for_key(*nonce);
            let text = key.open_in_place(nonce, Aad::from(place.route), &mut text).ok()?;
            let anonymous = Place { principal: &Principal::ANONYMOUS, ..place };
            // A session begun without a token belongs to nobody yet: any acceptable token of the
            // route may go on with it.
            let value = text
                .strip_prefix(plain(place).as_slice())
                .or_else(|| text.strip_prefix(plain(anonymous).as_slice()))?;
            std::str::from_utf8(value).ok().map(str::to_owned)
        })
    }

    /// Whether a path segment could be a reference at all; says nothing about its validity.
    pub fn is_plausible(segment: &str) -> bool {
        let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (MIN_REFERENCE_BYTES..=MAX_REFERENCE_BYTES).contains(&segment.len())
            && segment.bytes().all(is_base64url)
    }
}

fn plain(place: Place<'_>) -> Vec<u8> {
    let mut upstream = Context::new(&SHA256);
    upstream.update(place.upstream.as_bytes());
    let kind = match place.kind {
        Kind::MessageEndpoint => b'e',
        Kind::Session => b's',
    };
    let mut text = vec![kind];
    text.extend_from_slice(place.principal.as_bytes());
    text.extend_from_slice(upstream.finish().as_ref());
    text
}

/// Different contents have different nonces, for the nonce is their digest (RFC 8452 section 9
/// bounds what a repetition would cost in any case).
fn derived_nonce(route: &str, text: &[u8]) -> [u8; NONCE_LEN] {
    let mut context = Context::new(&SHA256);
    context.update(&(route.len() as u64).to_be_bytes());
    context.update(route.as_bytes());
    context.update(text);
    let mut nonce = [0; NONCE_LEN];
    nonce.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
    nonce
}

const VERSION: u8 = 1;
/// Version, nonce, kind, principal, upstream and tag, in base64.
const MIN_REFERENCE_BYTES: usize = (1 + NONCE_LEN + 1 + 32 + 32 + 16) * 4 / 3;
const MAX_REFERENCE_BYTES: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'_> = Place {
        kind: Kind::Session,
        route: "notes",
        upstream: "http://127.0.0.1:1/mcp",
        principal: &Principal::ANONYMOUS,
    };

    fn sealer(secrets: &[&str]) -> Sealer {
        Sealer::new(&secrets.iter().map(|&secret| Secret::new(secret)).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn reference_opens_at_its_own_place_only() {
        let sealer = sealer(&["a"]);
        let reference = sealer.seal(PLACE, "abc").unwrap();
        assert_eq!(sealer.open(PLACE, &reference).as_deref(), Some("abc"));
        assert!(Sealer::is_plausible(&reference));
        assert!(!reference.contains("abc"));
        for place in [
            Place { kind: Kind::MessageEndpoint, ..PLACE },
            Place { route: "other", ..PLACE },
            Place { upstream: "http://127.0.0.1:2/mcp", ..PLACE },
        ] {
            assert_eq!(sealer.open(place, &reference), None, "{place:?}");
        }
    }

    #[test]
    fn tampered_or_truncated_reference_does_not_open() {
        let sealer = sealer(&["a"]);
        let reference = sealer.seal(PLACE, "abc").unwrap();
        for index in 0..reference.len() {
            let mut bytes = reference.clone().into_bytes();
            bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
            let tampered = String::from_utf8(bytes).unwrap();
            assert_eq!(sealer.open(PLACE, &tampered), None, "{index}");
            assert_eq!(sealer.open(PLACE, &reference[..index]), None, "{index}");
        }
    }

    #[test]
    fn older_keys_still_open_and_foreign_ones_do_not() {
        let old = sealer(&["old"]).seal(PLACE, "abc").unwrap();
        assert!(sealer(&["new", "old"]).open(PLACE, &old).is_some());
        assert!(sealer(&["new"]).open(PLACE, &old).is_none());
        assert!(sealer(&[]).open(PLACE, &old).is_none());
    }

    #[test]
    fn same_session_has_the_same_reference() {
        let sealer = sealer(&["a"]);
        assert_eq!(sealer.seal(PLACE, "abc"), sealer.seal(PLACE, "abc"));
        assert_ne!(sealer.seal(PLACE, "abc"), sealer.seal(PLACE, "abd"));
    }
}
