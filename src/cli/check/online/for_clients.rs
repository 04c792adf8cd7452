//! What MCP clients read in an authorization server's metadata.
//!
//! 1. They read what the server publishes. What `metadata` of the configuration says instead reaches
//!    the clients of routes with `legacy_metadata` alone.
//! 2. They look for PKCE with S256, `iss` in responses (RFC 9207), a way to become a client, and the
//!    scopes that they need.
//! 3. What a document leaves open is not told, and nobody's fault: many list no scopes but those of
//!    OpenID Connect.

use serde_json::{Map, Value};

use super::{
    Asked,
    finding::{Findings, listed, strings},
};
use crate::{
    authenticate::provider::{Cure, Provider, remedy},
    oauth::ScopeToken,
};

/// A document, and whether it is the gateway's copy.
struct Read<'a> {
    document: &'a Map<String, Value>,
    is_ours: bool,
}

/// Judges the documents that clients of the routes read.
pub(super) fn check(
    asked: &Asked<'_>,
    (published, merged): (Option<&Map<String, Value>>, &Map<String, Value>),
    provider: Option<Provider>,
    findings: &mut Findings<'_>,
) {
    let mut read = Vec::new();
    if let (Some(document), true) = (published, asked.routes.iter().any(|it| !it.legacy_metadata)) {
        read.push(Read { document, is_ours: false });
    }
    if asked.routes.iter().any(|route| route.legacy_metadata) {
        read.push(Read { document: merged, is_ours: true });
    }
    pkce(&read, provider, findings);
    let Some(Read { document, .. }) = read.first() else { return };
    if document.contains_key(AUTHORIZATION_ENDPOINT) {
        response_issuer(asked, document, findings);
        registration(document, provider, findings);
    }
    scopes(asked, document, provider, findings);
}

fn response_issuer(asked: &Asked<'_>, document: &Map<String, Value>, findings: &mut Findings<'_>) {
    let said = document.get("authorization_response_iss_parameter_supported");
    if said == Some(&Value::Bool(true)) {
        findings.ok("iss", "authorization responses name the issuer (RFC 9207)");
    } else if asked.is_one_of_several {
        let seen = "authorization_response_iss_parameter_supported is not true, and there are \
                    several authorization servers";
        let write = "switch RFC 9207 on at the server: clients use it to tell servers apart";
        findings.warning("iss", seen, "issuer", write);
    } else {
        findings.ok("iss", "authorization responses do not name the issuer; one server needs not");
    }
}

fn registration(
    document: &Map<String, Value>,
    provider: Option<Provider>,
    findings: &mut Findings<'_>,
) {
    let how: Vec<_> = ["registration_endpoint", "client_id_metadata_document_supported"]
        .into_iter()
        .filter(|name| document.get(*name).is_some_and(|value| *value != Value::Bool(false)))
        .collect();
    if how.is_empty() {
        let seen = "neither registration_endpoint nor client_id_metadata_document_supported: MCP \
                    clients cannot register themselves";
        findings.warning("registration", seen, "issuer", remedy(provider, Cure::Registration));
    } else {
        findings.ok("registration", format!("MCP clients can use {}", how.join(", ")));
    }
}

/// The first document that lacks S256, or that none does.
fn pkce(read: &[Read<'_>], provider: Option<Provider>, findings: &mut Findings<'_>) {
    let mut telling =
        read.iter().filter(|it| it.document.contains_key(AUTHORIZATION_ENDPOINT)).peekable();
    if telling.peek().is_none() {
        let seen = "not told: no document for clients has authorization_endpoint";
        return findings.ok("pkce", seen);
    }
    let without = telling.find_map(|it| Some((it.is_ours, lack_of_s256(it.document)?)));
    let Some((is_ours, lack)) = without else {
        return findings.ok("pkce", "code_challenge_methods_supported has S256");
    };
    let (whose, key) = if is_ours {
        (" in the gateway's copy (legacy_metadata)", "metadata")
    } else {
        ("", "issuer")
    };
    let write = remedy(provider, Cure::Pkce);
    match (provider, lack) {
        (Some(known), Lack::Unsaid) if known.does_pkce_unsaid() => {
            let seen = format!(
                "{METHODS} is missing{whose}: {} does PKCE all the same, but MCP clients that hold \
                 to the letter refuse a server without S256",
                known.name()
            );
            findings.warning("pkce", seen, key, write);
        }
        (_, lack) => {
            let lack = match lack {
                Lack::Unsaid => "is missing".to_owned(),
                Lack::Others(methods) => format!("is {methods}"),
            };
            let seen =
                format!("{METHODS} {lack}{whose}: MCP clients must refuse a server without S256");
            findings.error("pkce", seen, key, write);
        }
    }
}

/// How a document fails to name S256.
enum Lack {
    /// It names other methods.
    Others(String),
    /// It names none.
    Unsaid,
}

fn lack_of_s256(document: &Map<String, Value>) -> Option<Lack> {
    match document.get(METHODS).and_then(Value::as_array) {
        Some(methods) if methods.iter().any(|method| method == "S256") => None,
        Some(methods) => Some(Lack::Others(listed(strings(methods)))),
        None => Some(Lack::Unsaid),
    }
}

/// Scopes that routes require and the server does not offer.
fn scopes(
    asked: &Asked<'_>,
    document: &Map<String, Value>,
    provider: Option<Provider>,
    findings: &mut Findings<'_>,
) {
    let Some(offered) = document.get("scopes_supported").and_then(Value::as_array) else {
        return findings.ok("scopes", "not told: the document has no scopes_supported");
    };
    let offered: Vec<_> = strings(offered).collect();
    let prefixes = &asked.settings.claims.scope_prefixes;
    // A token is taken with and without the prefix, whichever of both the server lists.
    let is_offered = |scope: &&str| {
        let is_same = |each: &str| {
            let is_with = |long: &str, short: &str, prefix: &str| {
                long.strip_prefix(prefix).is_some_and(|rest| rest == short)
            };
            let is_either =
                |prefix: &str| is_with(scope, each, prefix) || is_with(each, scope, prefix);
            each == *scope || prefixes.iter().any(|prefix| is_either(prefix))
        };
        offered.iter().any(|each| is_same(each))
    };
    let required = asked.routes.iter().flat_map(|route| route.required_scopes.iter());
    let mut missing: Vec<_> =
        required.map(ScopeToken::as_str).filter(|scope| !is_offered(scope)).collect();
    missing.sort_unstable();
    missing.dedup();
    if missing.is_empty() {
        return findings.ok("scopes", "scopes_supported has all scopes that the routes require");
    }
    let is_of_login_alone = offered.iter().all(|scope| OF_LOGIN.contains(scope));
    if is_of_login_alone || provider.is_some_and(|known| !known.lists_scopes_of_apis()) {
        let seen = format!(
            "not told: scopes_supported lists those of OpenID Connect alone; routes require {}",
            listed(&missing)
        );
        return findings.ok("scopes", seen);
    }
    let seen = format!("scopes_supported lacks {}, which routes require", listed(&missing));
    findings.warning("scopes", seen, "issuer", remedy(provider, Cure::Scope));
}

const AUTHORIZATION_ENDPOINT: &str = "authorization_endpoint";
const METHODS: &str = "code_challenge_methods_supported";

/// Scopes of OpenID Connect Core 1.0 sections 5.4 and 11, and `offline`, which some call the last.
const OF_LOGIN: [&str; 7] =
    ["openid", "profile", "email", "address", "phone", "offline_access", "offline"];
