//! The claims of a token whose signature verified (RFC 7519 section 4, RFC 9068 section 2.2).
//!
//! 1. One JSON object with unique members, each of the type its definition has.
//! 2. `iss` is one string, the issuer byte for byte. `exp` is required.
//! 3. What tells an access token from other tokens of the same server is kept as a fact: claims that
//!    ID tokens (OpenID Connect Core section 2), logout and other event tokens (RFC 8417) and
//!    introspection responses (RFC 9701) have and access tokens have not. An ID token need have none
//!    of them; what it always has is its own client as `aud`, so a token for its own client must say
//!    that it is an access token, by type or by having scopes.
//!
//! Audience and times are read here and judged by `judge`, on every use and for each route.

use super::{
    fault::{JwtFault, Shown},
    header::Header,
};
use crate::{
    authenticate::{
        claims::{ClaimError, Claims},
        introspection::Rules,
        token_facts::{Evidence, TokenFacts},
    },
    oauth::TokenDigest,
};

/// Reads the claims of a token.
pub(super) fn read(
    payload: &[u8],
    header: &Header,
    rules: &Rules,
    digest: &TokenDigest,
) -> Result<TokenFacts, JwtFault> {
    let claims = Claims::parse(payload).map_err(JwtFault::Claims)?;
    let issuer = claims.string("iss").map_err(JwtFault::Claims)?;
    if issuer != Some(rules.issuer.as_str()) {
        return Err(JwtFault::Issuer(issuer.map(Shown::new)));
    }
    let facts = TokenFacts::read(&claims, rules, digest).map_err(JwtFault::Claims)?;
    if facts.expires_at.is_none() {
        return Err(JwtFault::NoExpiry);
    }
    // Some servers copy `nonce` into access tokens, and say by name that they are such.
    let says_access = says_access(&claims, header).map_err(JwtFault::Claims)?;
    let other_type = match facts.other_type {
        Some(kind) => Some(kind),
        None => other_type(&claims, says_access),
    };
    let is_surely_access = says_access
        || !facts.scope.is_empty()
        || !is_for_own_client(&claims, rules).map_err(JwtFault::Claims)?;
    Ok(TokenFacts { other_type, is_surely_access, evidence: Evidence::Signature, ..facts })
}

/// Whether all that it is for are clients it was issued to, as it is with ID tokens (OpenID Connect
/// Core section 2).
fn is_for_own_client(claims: &Claims, rules: &Rules) -> Result<bool, ClaimError> {
    let audience = claims.strings("aud")?.unwrap_or_default();
    let names = rules.claims.client_id.iter().map(AsRef::as_ref).chain(["azp"]);
    let clients: Vec<&str> = names.filter_map(|name| claims.string(name).ok().flatten()).collect();
    let is_own = |aud: &_| clients.contains(aud);
    Ok(!audience.is_empty() && audience.iter().all(is_own))
}

fn says_access(claims: &Claims, header: &Header) -> Result<bool, ClaimError> {
    Ok(header.is_access_token
        || is(claims, "typ", "Bearer")?
        || is(claims, "token_use", "access")?
        || is(claims, "tokenType", "access-token")?)
}

fn other_type(claims: &Claims, says_access: bool) -> Option<Box<str>> {
    let has_any = |names: &[&str]| names.iter().any(|name| claims.has_member(name));
    if has_any(&["at_hash", "c_hash", "s_hash"]) {
        return Some("id_token (it has at_hash, c_hash or s_hash)".into());
    }
    if has_any(&["nonce"]) && !says_access {
        return Some("id_token (it has nonce)".into());
    }
    if has_any(&["events"]) {
        return Some("event token (it has events)".into());
    }
    has_any(&["token_introspection"]).then(|| "introspection response".into())
}

fn is(claims: &Claims, name: &str, value: &str) -> Result<bool, ClaimError> {
    let found = claims.string(name)?;
    Ok(found.is_some_and(|found| found.eq_ignore_ascii_case(value)))
}
