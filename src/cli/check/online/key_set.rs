//! The key set of an authorization server (RFC 7517), key by key.
//!
//! 1. It is fetched and read as for verifying tokens.
//! 2. One key that cannot be used costs nothing but itself; without any usable key, no JWT of this
//!    server is accepted. Usable is a key for an algorithm of `jwt.algorithms`.
//! 3. A key that says it expired still verifies, and is warned about.

use http::StatusCode;
use serde_json::Value;
use url::Url;

use super::{
    Asked,
    finding::{Findings, quoted},
};
use crate::{
    authenticate::key_set::inspection::{self, Inspected, Usability},
    oauth::SignatureAlgorithm,
};

/// Fetches the key set and judges each key.
pub(super) async fn check(asked: &Asked<'_>, url: &Url, findings: &mut Findings<'_>) {
    let answer = match asked.outbound.fetch_key_set(url).await {
        Ok(answer) => answer,
        Err(error) => {
            return findings.error("key_set", format!("{url}: {error}"), KEY, WRITE);
        }
    };
    let code = answer.status.as_u16();
    if answer.status.is_redirection() {
        let to = super::location(&answer.headers);
        let seen = format!("{url} redirects ({code}) to {to}, which is not followed");
        return findings.error("key_set", seen, KEY, WRITE);
    }
    if answer.status != StatusCode::OK {
        return findings.error("key_set", format!("{url} answered {code}"), KEY, WRITE);
    }
    let keys = match inspection::inspect(&answer.body) {
        Ok(keys) => keys,
        Err(error) => return findings.error("key_set", format!("{url}: {error}"), KEY, WRITE),
    };
    let allowed = &asked.settings.jwt.algorithms;
    let expiries = expiries(&answer.body);
    let now = asked.clock.unix_seconds();
    let usable = keys.iter().filter(|key| !verified(key, allowed).is_empty()).count();
    for (index, key) in keys.iter().enumerate().take(MAX_KEYS) {
        let exp = expiries.get(index).copied().flatten().filter(|exp| *exp <= now);
        one((index, key), exp.map(|exp| now - exp), allowed, findings);
    }
    if usable == 0 {
        let seen = format!("{url} has {} keys and none that can be used", keys.len());
        let write = "have the server publish public signing keys (RSA of 2048 bits or more, EC, \
                     Ed25519) for an algorithm of jwt.algorithms, or correct the URL";
        return findings.error("key_set", seen, KEY, write);
    }
    findings.ok("key_set", format!("{url} has {} keys, {usable} of them usable", keys.len()));
}

/// When each key expires, as some servers say in a member of their own.
fn expiries(body: &[u8]) -> Vec<Option<f64>> {
    let document: Value = serde_json::from_slice(body).unwrap_or_default();
    let keys = document.get("keys").and_then(Value::as_array);
    let exp = |key: &Value| key.get("exp").and_then(Value::as_f64);
    keys.into_iter().flatten().map(exp).collect()
}

/// Which of the allowed algorithms a key verifies.
fn verified(key: &Inspected, allowed: &[SignatureAlgorithm]) -> Vec<SignatureAlgorithm> {
    match &key.use_ {
        Usability::Verifies(all) => {
            all.iter().filter(|each| allowed.contains(each)).copied().collect()
        }
        Usability::Private(_) | Usability::Unusable(_) => Vec::new(),
    }
}

fn one(
    (index, key): (usize, &Inspected),
    expired_for: Option<f64>,
    allowed: &[SignatureAlgorithm],
    findings: &mut Findings<'_>,
) {
    let names = ["kid", "kty", "alg", "use"];
    let members = names.iter().zip(&key.members).filter_map(|(name, member)| {
        member.as_ref().map(|text| format!("{name} {}", quoted(text)))
    });
    let members: Vec<_> = members.collect();
    let what = format!("key {index} ({})", members.join(", "));
    match &key.use_ {
        Usability::Private(why) => {
            let write = "replace the key at the authorization server at once";
            findings.error("key", format!("{what}: {why}"), KEY, write);
        }
        // A key for encryption beside those for signatures is usual.
        Usability::Unusable(why) if is_for_encryption(key) => {
            findings.ok("key", format!("{what}: left out, {why}"));
        }
        Usability::Unusable(why) => {
            let write = "tokens that it signed are refused; if there are any, have the server use \
                         another key";
            findings.warning("key", format!("{what}: not usable, {why}"), KEY, write);
        }
        Usability::Verifies(all) => {
            let verified: Vec<_> =
                verified(key, allowed).iter().map(|algorithm| algorithm.name()).collect();
            if verified.is_empty() {
                let names: Vec<_> = all.iter().map(|algorithm| algorithm.name()).collect();
                let seen = format!("{what}: for {} alone, which is not allowed", names.join(", "));
                findings.warning("key", seen, "jwt.algorithms", "add its algorithm");
            } else if let Some(ago) = expired_for {
                let seen = format!(
                    "{what}: verifies {}, though its exp passed {ago:.0} s ago: no RFC knows exp in \
                     a key, the gateway goes by the key set alone, and others may refuse its tokens",
                    verified.join(", ")
                );
                let write = "have the server sign with a new key and take this one out";
                findings.warning("key", seen, KEY, write);
            } else {
                findings.ok("key", format!("{what}: verifies {}", verified.join(", ")));
            }
        }
    }
}

fn is_for_encryption(key: &Inspected) -> bool {
    let [.., purpose] = &key.members;
    purpose.as_deref() == Some("enc")
}

const KEY: &str = "metadata.jwks_uri";
const WRITE: &str = "write the key set's URL here (https, or http on loopback), or mend the server";
const MAX_KEYS: usize = 100;
