//! Authorization server metadata (RFC 8414, OpenID Connect Discovery 1.0).
//!
//! 1. Where to look: `metadata_url` alone when configured; otherwise RFC 8414 section 3.1 with the
//!    path inserted, then the OpenID Connect document inserted and appended.
//! 2. `issuer` in the document must be the configured one, byte for byte (RFC 8414 section 3.3).
//! 3. Configured `metadata` fields replace discovered ones; with every endpoint that is needed among
//!    them nothing has to be fetched.
//! 4. An endpoint is https, or on this machine, or `insecure_allow_http` was written. One that is
//!    not counts as missing.
//! 5. A client that authenticates by certificate is sent to the alias for such clients
//!    (`mtls_endpoint_aliases`, RFC 8705 section 5).
//! 6. Which endpoints are needed follows from `access_tokens`; each that is missing is named.

use bytes::Bytes;
use serde_json::{Map, Value};
use url::Url;

use super::{
    outbound::{Answer, Outbound, OutboundError},
    provider::Provider,
};
use crate::{
    config::settings::{AccessTokens, AuthorizationServerSettings},
    oauth::{Issuer, is_loopback},
};

/// What is known of an authorization server: what its `access_tokens` need is there, the rest as
/// far as it is usable.
#[derive(Clone, Debug)]
pub struct Discovered {
    /// Where tokens are introspected (RFC 8414 section 2).
    pub introspection_endpoint: Option<Url>,
    /// Where its key set is (RFC 8414 section 2).
    pub jwks_uri: Option<Url>,
    /// Where tokens are issued (RFC 8414 section 2).
    pub token_endpoint: Option<Url>,
    /// Where a token tells whose it is (OpenID Connect Discovery 1.0 section 3).
    pub userinfo_endpoint: Option<Url>,
    /// Which product it is, when it is a known one.
    pub provider: Option<Provider>,
    /// The whole document, with the configured fields in it.
    pub document: Bytes,
}

/// Why no usable document was found.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// The document names another issuer.
    #[error(
        "{url} names the issuer {found:?}, but the configuration says {expected:?}: \
         they must be equal byte for byte"
    )]
    Issuer {
        /// Where it was found.
        url: Url,
        /// What it says.
        found: Box<str>,
        /// What is configured.
        expected: Box<str>,
    },
    /// It is not a JSON object of the expected form.
    #[error("{0} holds no authorization server metadata")]
    Malformed(Url),
    /// It lacks endpoints that we need, or has them where we must not send tokens.
    #[error("{}", missing(.0))]
    Missing(Box<[&'static str]>),
    /// It could not be fetched.
    #[error("{0}: {1}")]
    Outbound(Url, OutboundError),
    /// The server answered with another status.
    #[error("{0} answered HTTP {1}")]
    Status(Url, http::StatusCode),
}

/// Uses what is configured, without asking anybody, where that is enough.
pub fn configured(
    settings: &AuthorizationServerSettings,
    needs_whole_document: bool,
) -> Option<Result<Discovered, DiscoveryError>> {
    let has = |field: &str| settings.metadata.contains_key(field);
    let is_whole = has("authorization_endpoint") && has("token_endpoint");
    let is_enough = needed(settings.access_tokens).iter().all(|field| has(field));
    (is_enough && (is_whole || !needs_whole_document)).then(|| complete(Map::new(), settings))
}

/// The endpoints without which tokens cannot be judged.
fn needed(access_tokens: AccessTokens) -> &'static [&'static str] {
    match access_tokens {
        AccessTokens::Auto => &[INTROSPECTION_ENDPOINT, JWKS_URI],
        AccessTokens::Introspection => &[INTROSPECTION_ENDPOINT],
        AccessTokens::Jwt => &[JWKS_URI],
        AccessTokens::Userinfo => &[USERINFO_ENDPOINT],
    }
}

fn missing(fields: &[&str]) -> String {
    let sentences: Vec<_> = fields
        .iter()
        .map(|field| {
            format!(
                "the metadata has no {field} that is https (or http on loopback): set \
                 metadata.{field} of this authorization server, or insecure_allow_http"
            )
        })
        .collect();
    sentences.join("; ")
}

/// Looks for the document in each place in turn.
pub async fn discover(
    outbound: &Outbound,
    settings: &AuthorizationServerSettings,
) -> Result<Discovered, DiscoveryError> {
    let mut first_error = None;
    for url in places(settings) {
        match fetch(outbound, &url, &settings.issuer).await {
            Ok(document) => return complete(document, settings),
            Err(error) => drop(first_error.get_or_insert(error)),
        }
    }
    Err(first_error
        .unwrap_or_else(|| DiscoveryError::Missing(needed(settings.access_tokens).into())))
}

/// Where the document is looked for, in this order.
pub fn places(settings: &AuthorizationServerSettings) -> Vec<Url> {
    if let Some(url) = &settings.metadata_url {
        return vec![url.clone()];
    }
    let Ok(issuer) = Url::parse(settings.issuer.as_str()) else { return Vec::new() };
    // RFC 8414 section 3.1: a terminating slash is removed before the insertion.
    let path = issuer.path().trim_end_matches('/').to_owned();
    let at = |path: String| {
        let mut url = issuer.clone();
        url.set_path(&path);
        url
    };
    let mut places = vec![
        at(format!("/.well-known/oauth-authorization-server{path}")),
        at(format!("/.well-known/openid-configuration{path}")),
    ];
    if !path.is_empty() {
        places.push(at(format!("{path}/.well-known/openid-configuration")));
    }
    places
}

async fn fetch(
    outbound: &Outbound,
    url: &Url,
    issuer: &Issuer,
) -> Result<Map<String, Value>, DiscoveryError> {
    let answer =
        outbound.fetch(url).await.map_err(|error| DiscoveryError::Outbound(url.clone(), error))?;
    read(url, &answer, issuer)
}

/// Reads what one place answered.
pub fn read(
    url: &Url,
    answer: &Answer,
    issuer: &Issuer,
) -> Result<Map<String, Value>, DiscoveryError> {
    if answer.status != http::StatusCode::OK {
        return Err(DiscoveryError::Status(url.clone(), answer.status));
    }
    let malformed = || DiscoveryError::Malformed(url.clone());
    let document: Map<String, Value> =
        serde_json::from_slice(&answer.body).map_err(|_| malformed())?;
    let found = document.get("issuer").and_then(Value::as_str).ok_or_else(malformed)?;
    if found != issuer.as_str() {
        let (found, expected) = (found.into(), issuer.as_str().into());
        return Err(DiscoveryError::Issuer { url: url.clone(), found, expected });
    }
    Ok(document)
}

/// Joins a document with the configured fields and takes from it what we need.
pub fn complete(
    mut document: Map<String, Value>,
    settings: &AuthorizationServerSettings,
) -> Result<Discovered, DiscoveryError> {
    document.insert("issuer".to_owned(), settings.issuer.as_str().into());
    for (field, value) in &settings.metadata {
        document.insert(field.clone(), value.clone());
    }
    let endpoint = |field: &str| {
        let url = Url::parse(at_mtls(&document, field, settings)?.as_str()?).ok()?;
        is_acceptable(&url, settings.insecure_allow_http).then_some(url)
    };
    let lacks = |field: &&&'static str| endpoint(field).is_none();
    let missing: Box<[_]> = needed(settings.access_tokens).iter().filter(lacks).copied().collect();
    if !missing.is_empty() {
        return Err(DiscoveryError::Missing(missing));
    }
    Ok(Discovered {
        introspection_endpoint: endpoint(INTROSPECTION_ENDPOINT),
        jwks_uri: endpoint(JWKS_URI),
        token_endpoint: endpoint("token_endpoint"),
        userinfo_endpoint: endpoint(USERINFO_ENDPOINT),
        provider: Provider::recognise(settings.issuer.as_str(), Some(&document)),
        document: Value::Object(document).to_string().into(),
    })
}

/// A field; where our certificate is to be shown at the introspection endpoint, the alias that asks
/// for one (RFC 8705 section 5). What is configured comes first.
fn at_mtls<'d>(
    document: &'d Map<String, Value>,
    field: &str,
    settings: &AuthorizationServerSettings,
) -> Option<&'d Value> {
    let is_aliased = settings.client.shows_certificate()
        && field == INTROSPECTION_ENDPOINT
        && !settings.metadata.contains_key(field);
    let alias = document.get("mtls_endpoint_aliases").and_then(|aliases| aliases.get(field));
    alias.filter(|_| is_aliased).or_else(|| document.get(field))
}

const INTROSPECTION_ENDPOINT: &str = "introspection_endpoint";
const JWKS_URI: &str = "jwks_uri";
const USERINFO_ENDPOINT: &str = "userinfo_endpoint";

/// Whether an endpoint may be called: https, on this machine, or `insecure_allow_http`.
pub(super) fn is_acceptable(url: &Url, allow_http: bool) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => allow_http || is_loopback(url),
        _ => false,
    }
}

#[cfg(test)]
mod recorded;

#[cfg(test)]
mod tests {
    use super::*;

    fn looks_at(issuer: &str) -> Vec<String> {
        let mut settings = super::super::tests::settings(issuer);
        settings.metadata_url = None;
        places(&settings).into_iter().map(String::from).collect()
    }

    #[test]
    fn path_is_inserted_then_appended() {
        assert_eq!(
            looks_at("https://as.example/tenant/a"),
            [
                "https://as.example/.well-known/oauth-authorization-server/tenant/a",
                "https://as.example/.well-known/openid-configuration/tenant/a",
                "https://as.example/tenant/a/.well-known/openid-configuration",
            ]
        );
        for issuer in ["https://as.example", "https://as.example/"] {
            assert_eq!(
                looks_at(issuer),
                [
                    "https://as.example/.well-known/oauth-authorization-server",
                    "https://as.example/.well-known/openid-configuration",
                ]
            );
        }
        assert_eq!(
            looks_at("https://as.example/a/")[0],
            "https://as.example/.well-known/oauth-authorization-server/a"
        );
    }

    #[test]
    fn configured_endpoint_needs_no_discovery() {
        let mut settings = super::super::tests::settings("https://as.example/");
        assert!(configured(&settings, false).is_none());
        let endpoint = "https://as.example/introspect";
        settings.metadata.insert("introspection_endpoint".into(), endpoint.into());
        let discovered = configured(&settings, false).unwrap().unwrap();
        assert_eq!(discovered.introspection_endpoint.unwrap().as_str(), endpoint);
        assert!(configured(&settings, true).is_none(), "a mirrored document needs more");
    }

    #[test]
    fn what_is_needed_follows_from_the_kind_of_tokens() {
        use AccessTokens::{Auto, Introspection, Jwt, Userinfo};
        for (kind, fields) in [
            (Auto, &["introspection_endpoint", "jwks_uri"][..]),
            (Introspection, &["introspection_endpoint"]),
            (Jwt, &["jwks_uri"]),
            (Userinfo, &["userinfo_endpoint"]),
        ] {
            let mut settings = super::super::tests::settings("https://as.example");
            settings.access_tokens = kind;
            let Err(DiscoveryError::Missing(missing)) = complete(Map::new(), &settings) else {
                panic!("{kind:?}")
            };
            assert_eq!(*missing, *fields, "{kind:?}");
            for field in fields {
                assert!(configured(&settings, false).is_none(), "{kind:?} {field}");
                settings.metadata.insert((*field).into(), "https://as.example/x".into());
            }
            assert!(configured(&settings, false).unwrap().is_ok(), "{kind:?}");
        }
        let text = DiscoveryError::Missing(["jwks_uri", "x"].into()).to_string();
        assert!(
            text.contains("no jwks_uri that is https") && text.contains("; the metadata has no x")
        );
    }

    #[test]
    fn endpoint_in_the_clear_is_refused() {
        let mut settings = super::super::tests::settings("https://as.example");
        for (endpoint, is_usable) in [
            ("http://as.example/introspect", false),
            ("http://127.0.0.1:9/introspect", true),
            ("file:///etc/passwd", false),
        ] {
            settings.metadata.insert("introspection_endpoint".into(), endpoint.into());
            assert_eq!(configured(&settings, false).unwrap().is_ok(), is_usable, "{endpoint}");
        }
    }
}
