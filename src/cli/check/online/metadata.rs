//! An authorization server's metadata (RFC 8414), as the gateway and as MCP clients read it.
//!
//! 1. Where discovery looks, and what each place said; redirects are named, not followed.
//! 2. `issuer`, byte for byte.
//! 3. What MCP clients look for: PKCE with S256, `iss` in responses (RFC 9207), a way to become a
//!    client.
//!
//! A document of another issuer is read no further: nothing in it may be trusted with credentials.

use http::{StatusCode, header};
use serde_json::{Map, Value};
use url::Url;

use super::{
    Asked,
    finding::{Findings, listed, quoted, strings},
};
use crate::authenticate::{
    discovery::{self, Discovered, DiscoveryError},
    outbound::Answer,
    provider::{Cure, Provider, remedy},
};

/// What the rest of the checks rests on.
pub(super) struct Known {
    pub(super) discovered: Discovered,
    pub(super) document: Map<String, Value>,
    pub(super) provider: Option<Provider>,
}

/// Looks for the metadata and judges it; `None` when nothing usable is known.
pub(super) async fn check(asked: &Asked<'_>, findings: &mut Findings<'_>) -> Option<Known> {
    let settings = asked.settings;
    let found = look(asked, findings).await;
    let is_configured = discovery::configured(settings, false).is_some();
    if found.is_none() && !is_configured {
        return None;
    }
    let completed = discovery::complete(found.unwrap_or_default(), settings);
    let discovered = match completed {
        Ok(discovered) => discovered,
        Err(error) => {
            let seen = format!("{error}, for access_tokens: {}", settings.access_tokens.as_str());
            findings.error("endpoints", seen, "metadata", NO_ENDPOINT);
            return None;
        }
    };
    let document: Map<String, Value> =
        serde_json::from_slice(&discovered.document).unwrap_or_default();
    let provider = discovered.provider;
    if let Some(provider) = provider {
        findings.ok("product", format!("looks like {}", provider.name()));
    }
    for_clients(asked, &document, provider, findings);
    Some(Known { discovered, document, provider })
}

/// Asks each place in turn, as discovery does.
async fn look(asked: &Asked<'_>, findings: &mut Findings<'_>) -> Option<Map<String, Value>> {
    let settings = asked.settings;
    let is_needed = discovery::configured(settings, false).is_none();
    let mut said = Vec::new();
    for url in discovery::places(settings) {
        let answer = match asked.outbound.fetch(&url).await {
            Ok(answer) => answer,
            Err(error) => {
                said.push(format!("{url}: {error}"));
                continue;
            }
        };
        match discovery::read(&url, &answer, &settings.issuer) {
            Ok(document) => {
                findings.ok("metadata", format!("{url} answered {}", answer.status.as_u16()));
                findings.ok("issuer", format!("{:?}, byte for byte", settings.issuer.as_str()));
                super::clock::compare(asked, &answer.headers, findings);
                return Some(document);
            }
            Err(DiscoveryError::Issuer { found, expected, .. }) => {
                other_issuer(&url, (&found, &expected), findings);
                super::clock::compare(asked, &answer.headers, findings);
                return None;
            }
            Err(_) => said.push(format!("{url} {}", described(&answer))),
        }
    }
    let seen = format!("no metadata: {}", said.join("; "));
    let key = if settings.metadata_url.is_some() { "metadata_url" } else { "issuer" };
    if is_needed {
        findings.error("metadata", seen, key, NOWHERE);
    } else {
        findings.ok("metadata", format!("{seen}; the configured fields are used alone"));
    }
    None
}

fn other_issuer(url: &Url, (found, expected): (&str, &str), findings: &mut Findings<'_>) {
    let slash = if found.trim_end_matches('/') == expected.trim_end_matches('/') {
        "; they differ in the trailing slash alone"
    } else {
        ""
    };
    let seen = format!(
        "{url} says the issuer is {}, the configuration says {}{slash}",
        quoted(found),
        quoted(expected)
    );
    let provider = Provider::recognise(expected, None);
    let product = match provider {
        Some(_) => format!(" ({})", remedy(provider, Cure::Issuer)),
        None => String::new(),
    };
    let write = format!("if that is your server, write {}{product}", quoted(found));
    findings.error("issuer", seen, "issuer", write);
}

/// What an answer that is no metadata was.
fn described(answer: &Answer) -> String {
    let status = answer.status;
    if status.is_redirection() {
        let to = super::location(&answer.headers);
        return format!("redirects ({}) to {to}, which is not followed", status.as_u16());
    }
    if status == StatusCode::OK {
        let kind = answer.headers.get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("no content type");
        return format!("answered 200 with {}, no metadata in it", quoted(kind));
    }
    format!("answered {}", status.as_u16())
}

/// What MCP clients read in the document.
fn for_clients(
    asked: &Asked<'_>,
    document: &Map<String, Value>,
    provider: Option<Provider>,
    findings: &mut Findings<'_>,
) {
    let is_true = |name: &str| document.get(name) == Some(&Value::Bool(true));
    if document.contains_key("authorization_endpoint") {
        pkce(document, provider, findings);
        if is_true("authorization_response_iss_parameter_supported") {
            findings.ok("iss", "authorization responses name the issuer (RFC 9207)");
        } else if asked.is_one_of_several {
            let seen = "authorization_response_iss_parameter_supported is not true, and there are \
                        several authorization servers";
            let write = "switch RFC 9207 on at the server: clients use it to tell servers apart";
            findings.warning("iss", seen, "issuer", write);
        } else {
            findings
                .ok("iss", "authorization responses do not name the issuer; one server needs not");
        }
        let how: Vec<_> = ["registration_endpoint", "client_id_metadata_document_supported"]
            .into_iter()
            .filter(|name| document.get(*name).is_some_and(|value| *value != Value::Bool(false)))
            .collect();
        if how.is_empty() {
            let seen = "neither registration_endpoint nor client_id_metadata_document_supported: \
                        MCP clients cannot register themselves";
            findings.warning("registration", seen, "issuer", remedy(provider, Cure::Registration));
        } else {
            findings.ok("registration", format!("MCP clients can use {}", how.join(", ")));
        }
    }
    scopes(asked, document, provider, findings);
}

fn pkce(document: &Map<String, Value>, provider: Option<Provider>, findings: &mut Findings<'_>) {
    let methods = document.get("code_challenge_methods_supported").and_then(Value::as_array);
    let seen = match methods {
        Some(methods) if methods.iter().any(|method| method == "S256") => {
            return findings.ok("pkce", "code_challenge_methods_supported has S256");
        }
        Some(methods) => {
            format!("code_challenge_methods_supported is {}", listed(strings(methods)))
        }
        None => "code_challenge_methods_supported is missing".to_owned(),
    };
    let seen = format!("{seen}: MCP clients must refuse a server without S256");
    findings.error("pkce", seen, "issuer", remedy(provider, Cure::Pkce));
}

/// Scopes that routes require and the server does not offer.
fn scopes(
    asked: &Asked<'_>,
    document: &Map<String, Value>,
    provider: Option<Provider>,
    findings: &mut Findings<'_>,
) {
    let Some(offered) = document.get("scopes_supported").and_then(Value::as_array) else { return };
    let mut missing = Vec::new();
    for route in &asked.routes {
        let required = route.required_scopes.iter().map(crate::oauth::ScopeToken::as_str);
        missing.extend(required.filter(|scope| !offered.iter().any(|each| each == scope)));
    }
    missing.sort_unstable();
    missing.dedup();
    if missing.is_empty() {
        return findings.ok("scopes", "scopes_supported has all scopes that the routes require");
    }
    let seen = format!("scopes_supported lacks {}, which routes require", listed(&missing));
    findings.warning("scopes", seen, "issuer", remedy(provider, Cure::Scope));
}

const NO_ENDPOINT: &str =
    "write the endpoint here (https, or http on loopback), or another access_tokens";
const NOWHERE: &str = "compare with the server's documentation: write its issuer exactly, or \
    `metadata_url`, or the fields under `metadata`";
