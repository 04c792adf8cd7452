//! The key set of an authorization server (RFC 7517): which key may have signed a token.
//!
//! 1. Keys are read one by one; one that is unusable costs nothing but itself, see `jwk`.
//! 2. A document without any usable key is no key set; it never replaces one.
//! 3. A token is tried against few keys only: those of its `kid` that are fit for its algorithm, or
//!    without a `kid` those fit for the algorithm, `MAX_CANDIDATES` at most.
//! 4. When keys come and go is the business of [`source`].

pub mod inspection;
pub mod source;

mod error;
mod jwk;
mod missing;

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

pub use self::{
    error::KeySetError,
    jwk::{KeyId, Thumbprint, VerificationKey},
};
use crate::oauth::SignatureAlgorithm;

/// The usable keys of one authorization server, in its order.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<Arc<VerificationKey>>,
}

/// A key set as read, with what was left out of it.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) set: KeySet,
    /// Why which key is not used, one text each.
    pub(super) skipped: Vec<String>,
}

/// What a key set has for a token.
#[derive(Debug)]
pub(super) enum Candidates {
    /// These keys may have signed it.
    Keys(Vec<Arc<VerificationKey>>),
    /// The key it names is another algorithm's.
    Unfit,
    /// No key is the one it names.
    Unknown,
}

impl KeySet {
    /// Reads a JWK Set document (RFC 7517 section 5).
    pub(super) fn parse(body: &[u8]) -> Result<Parsed, KeySetError> {
        let entries = entries(body)?;
        let mut keys: Vec<Arc<VerificationKey>> = Vec::new();
        let mut skipped = Vec::new();
        for (index, json) in entries.iter().take(MAX_READ).enumerate() {
            if keys.len() == MAX_KEYS {
                skipped.push(format!("key {index} and all after it: more than {MAX_KEYS} keys"));
                break;
            }
            match VerificationKey::read(json.get().as_bytes()) {
                Ok(key) => keys.push(Arc::new(key)),
                Err(fault) if skipped.len() < MAX_REPORTED => {
                    skipped.push(format!("key {index}: {fault}"));
                }
                Err(_) => {}
            }
        }
        if keys.is_empty() {
            return Err(KeySetError::NoUsableKey(skipped.into()));
        }
        Ok(Parsed { set: Self { keys }, skipped })
    }

    /// The keys that may have signed a token with this header.
    pub(super) fn candidates(
        &self,
        kid: Option<&KeyId>,
        algorithm: SignatureAlgorithm,
    ) -> Candidates {
        let named = |key: &VerificationKey| kid.is_some() && key.kid() == kid;
        let is_named = self.keys.iter().any(|key| named(key));
        // A key without a name may be the one a token names; a key with another name is not.
        let is_eligible = |key: &VerificationKey| match kid {
            Some(_) if is_named => named(key),
            Some(_) => key.kid().is_none(),
            None => true,
        };
        let fit: Vec<_> = self
            .keys
            .iter()
            .filter(|key| is_eligible(key) && key.is_fit_for(algorithm))
            .take(MAX_CANDIDATES)
            .cloned()
            .collect();
        match fit.is_empty() {
            false => Candidates::Keys(fit),
            true if is_named => Candidates::Unfit,
            true => Candidates::Unknown,
        }
    }

    /// Whether a key is still one of these.
    pub(super) fn contains(&self, key: &Thumbprint) -> bool {
        self.keys.iter().any(|each| each.thumbprint() == key)
    }

    /// Whether both have the same keys under the same names, in any order.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        let has = |set: &Self, key: &VerificationKey| {
            set.keys
                .iter()
                .any(|each| each.thumbprint() == key.thumbprint() && each.kid() == key.kid())
        };
        self.keys.len() == other.keys.len()
            && self.keys.iter().all(|key| has(other, key))
            && other.keys.iter().all(|key| has(self, key))
    }

    /// The names of keys here that no key of another set has.
    pub(super) fn names_lost_in(&self, other: &Self) -> Vec<KeyId> {
        let names = self.keys.iter().filter_map(|key| key.kid());
        let is_lost = |name: &&KeyId| !other.keys.iter().any(|key| key.kid() == Some(name));
        names.filter(is_lost).cloned().collect()
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }
}

/// The entries of a JWK Set document, unread.
fn entries(body: &[u8]) -> Result<Vec<&RawValue>, KeySetError> {
    #[derive(Deserialize)]
    struct Document<'d> {
        #[serde(borrow)]
        keys: Vec<&'d RawValue>,
    }

    // A derived reader takes an array for an object, so its first byte is looked at.
    let is_object = body.trim_ascii_start().first() == Some(&b'{');
    let document: Option<Document<'_>> = serde_json::from_slice(body).ok();
    document.filter(|_| is_object).map(|document| document.keys).ok_or(KeySetError::Malformed)
}

/// Keys tried for one token.
const MAX_CANDIDATES: usize = 4;
/// Keys used of a set.
const MAX_KEYS: usize = 100;
/// Entries looked at.
const MAX_READ: usize = 1000;
/// Entries whose faults are told.
const MAX_REPORTED: usize = 20;

#[cfg(test)]
mod recorded;
#[cfg(test)]
mod tests;
