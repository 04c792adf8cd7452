//! An authorization server's metadata (RFC 8414), as the gateway reads it.
//!
//! 1. Where discovery looks, and what each place said; redirects are named, not followed.
//! 2. `issuer`, byte for byte.
//!
//! A document of another issuer is read no further: nothing in it may be trusted with credentials.

use http::{StatusCode, header};
use serde_json::{Map, Value};
use url::Url;

use super::{
    Asked,
    finding::{Findings, quoted},
    for_clients,
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
    let published = found.clone();
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
    for_clients::check(asked, (published.as_ref(), &document), provider, findings);
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

const NO_ENDPOINT: &str =
    "write the endpoint here (https, or http on loopback), or another access_tokens";
const NOWHERE: &str = "compare with the server's documentation: write its issuer exactly, or \
    `metadata_url`, or the fields under `metadata`";
