//! What is known of an active token: facts, not decisions.
//!
//! 1. Claims are read strictly once, when the answer comes; a wrong type is the server's failure.
//! 2. Whether a token is acceptable is judged anew on every use: type, binding, issuer, audience
//!    and time, in that order after activity.
//! 3. The principal is (issuer, subject, client); a token with neither subject nor client is its
//!    own principal. The issuer is the configured one: the same subject at two servers is two
//!    principals.
//! 4. A scope string is space-separated (RFC 6749 section 3.3). In an array each element is one
//!    scope; one that cannot be a scope, such as a role with a space in its name, grants nothing.

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::Value;

use super::{
    claims::{ClaimError, Claims},
    introspection::Rules,
};
use crate::{
    config::settings::ClaimNames,
    oauth::{ClientId, Scope, ScopeToken, Subject, TokenDigest},
};

/// Everything remembered of an active token; never the token itself.
#[derive(Clone, Debug)]
pub struct TokenFacts {
    /// `iss`, when the answer had one that is not accepted.
    pub foreign_issuer: Option<Box<str>>,
    /// The subject.
    pub subject: Option<Subject>,
    /// The client it was issued to.
    pub client_id: Option<ClientId>,
    /// The scopes it was granted.
    pub scope: Scope,
    /// `aud`.
    pub audience: Vec<Box<str>>,
    /// `exp`, in seconds since the epoch.
    pub expires_at: Option<f64>,
    /// `nbf`, in seconds since the epoch.
    pub not_before: Option<f64>,
    /// `iat`, in seconds since the epoch.
    pub issued_at: Option<f64>,
    /// Whether it is bound to a key (RFC 9449 section 6, RFC 8705 section 3).
    pub is_bound: bool,
    /// What it is, when it is no access token.
    pub other_type: Option<Box<str>>,
    /// Whether something says that it is an access token: the authorization server that was asked, a
    /// type, scopes, or an audience that is no client of its own.
    pub is_surely_access: bool,
    /// A digest of (issuer, subject, client).
    pub principal: Principal,
    /// How it became known that the token is good.
    pub evidence: Evidence,
    /// The claims that rules of routes name, as far as the token has them.
    pub kept: Vec<(Box<str>, Value)>,
}

/// How it became known that a token is good; its `exp` is judged accordingly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The authorization server said so, by its own clock.
    Introspection,
    /// Its signature verified.
    Signature,
    /// The authorization server's userinfo endpoint took it.
    Userinfo,
}

/// Who a request acts for, as a digest: equal when issuer, subject and client are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Principal([u8; 32]);

impl Principal {
    /// All 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The principal of requests that need no token: it is nobody's.
    pub const ANONYMOUS: Self = Self([0; 32]);
}

impl std::fmt::Debug for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Principal")
    }
}

impl TokenFacts {
    /// Reads the claims of an active token.
    pub fn read(claims: &Claims, rules: &Rules, token: &TokenDigest) -> Result<Self, ClaimError> {
        let text = |names: &[Box<str>]| claims.first(names).map_or(Ok(None), |n| claims.string(n));
        let subject = text(&rules.claims.subject)?.and_then(Subject::new);
        let client_id = text(&rules.claims.client_id)?.and_then(ClientId::new);
        let issuer = claims.string("iss")?;
        let is_accepted = |iss: &str| {
            iss == rules.issuer.as_str() || rules.accepted_issuers.iter().any(|each| **each == *iss)
        };
        let principal = principal(rules, subject.as_ref(), client_id.as_ref(), token);
        Ok(Self {
            foreign_issuer: issuer.filter(|iss| !is_accepted(iss)).map(Into::into),
            scope: read_scope(claims, &rules.claims)?,
            audience: claims
                .strings("aud")?
                .unwrap_or_default()
                .into_iter()
                .map(Into::into)
                .collect(),
            expires_at: claims.numeric_date("exp")?,
            not_before: claims.numeric_date("nbf")?,
            issued_at: claims.numeric_date("iat")?,
            is_bound: claims.has("cnf") || token_type_is(claims, &["dpop"])?,
            other_type: other_type(claims)?,
            is_surely_access: true,
            subject,
            client_id,
            principal,
            evidence: Evidence::Introspection,
            kept: rules
                .claims
                .kept
                .iter()
                .filter_map(|name| Some((name.clone(), claims.value(name)?.clone())))
                .collect(),
        })
    }
}

fn read_scope(claims: &Claims, names: &ClaimNames) -> Result<Scope, ClaimError> {
    let Some(name) = claims.first(&names.scope) else { return Ok(Scope::default()) };
    let granted = if let Ok(text) = claims.string(name) {
        let malformed = |_| ClaimError::WrongType(name.into());
        Scope::parse(text.unwrap_or_default()).map_err(malformed)?
    } else {
        let values = claims.strings(name)?.unwrap_or_default();
        values.into_iter().filter_map(|value| value.parse().ok()).collect()
    };
    Ok(with_and_without(granted, &names.scope_prefixes))
}

/// Adds to each scope its form without a configured prefix, or its forms with them.
///
/// Some servers are asked for `api://notes/read` and grant `read`, others grant what they are asked
/// for: a route may be written either way, and what it publishes is what clients must ask for.
fn with_and_without(granted: Scope, prefixes: &[Box<str>]) -> Scope {
    if prefixes.is_empty() {
        return granted;
    }
    let mut all = granted.clone();
    for scope in granted.iter().map(ScopeToken::as_str) {
        let prefix = prefixes.iter().filter(|prefix| scope.starts_with(&***prefix));
        let forms: Vec<String> = match prefix.max_by_key(|prefix| prefix.len()) {
            Some(prefix) => {
                scope.strip_prefix(&**prefix).map(ToOwned::to_owned).into_iter().collect()
            }
            None => prefixes.iter().map(|prefix| format!("{prefix}{scope}")).collect(),
        };
        // What is left of a bare prefix is empty, and no scope.
        forms.iter().filter_map(|form| form.parse().ok()).for_each(|form| all.insert(form));
    }
    all
}

fn token_type_is(claims: &Claims, types: &[&str]) -> Result<bool, ClaimError> {
    let token_type = claims.string("token_type")?.unwrap_or_default();
    Ok(types.iter().any(|each| token_type.eq_ignore_ascii_case(each)))
}

/// Tells refresh, ID and other tokens from access tokens, where the answer lets us.
fn other_type(claims: &Claims) -> Result<Option<Box<str>>, ClaimError> {
    // RFC 7662 section 2.2: `token_type` is that of RFC 6749 section 5.1, mostly `Bearer`.
    if claims.has("token_type") && !token_type_is(claims, ACCESS_TOKEN_TYPES)? {
        return Ok(claims.string("token_type")?.map(Into::into));
    }
    // Not registered, but what Keycloak (`typ`), Ory Hydra (`token_use`) and Casdoor (`tokenType`)
    // tell kinds by. Casdoor's refresh tokens differ from its access tokens in nothing else.
    for name in ["typ", "token_use", "tokenType"] {
        let kind = claims.string(name)?.unwrap_or_default();
        if OTHER_KINDS.iter().any(|each| kind.eq_ignore_ascii_case(each)) {
            return Ok(Some(kind.into()));
        }
    }
    Ok(None)
}

fn principal(
    rules: &Rules,
    subject: Option<&Subject>,
    client: Option<&ClientId>,
    token: &TokenDigest,
) -> Principal {
    let mut context = Context::new(&SHA256);
    // Lengths first: no two triples run into the same bytes.
    let mut field = |tag: u8, bytes: &[u8]| {
        context.update(&[tag]);
        context.update(&(bytes.len() as u64).to_be_bytes());
        context.update(bytes);
    };
    field(b'i', rules.issuer.as_str().as_bytes());
    match (subject, client) {
        (None, None) => field(b't', token.as_bytes()),
        (subject, client) => {
            field(b's', subject.map_or("", Subject::as_str).as_bytes());
            field(b'c', client.map_or("", ClientId::as_str).as_bytes());
        }
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    Principal(digest)
}

const ACCESS_TOKEN_TYPES: &[&str] =
    &["bearer", "dpop", "access_token", "urn:ietf:params:oauth:token-type:access_token"];

const OTHER_KINDS: &[&str] = &[
    "refresh",
    "refresh_token",
    "refresh-token",
    "offline",
    "id",
    "id_token",
    "id-token",
    "logout",
    "logout+jwt",
];
