//! Public documents: protected resource metadata (RFC 9728 sections 2 and 3) and our own key set
//! (RFC 7517 section 5), rendered once.
//!
//! 1. Everything in a document comes from the configuration, never from a request.
//! 2. Issuers stand in it byte for byte as configured (RFC 8414 section 3.3), in the route's order.
//! 3. Empty arrays are left out; no member that RFC 9728 does not register but those the operator
//!    adds.
//! 4. A key set has public members only.

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use http::HeaderValue;
use serde_json::{Map, Value, json};

use crate::{
    config::settings::{ClientAuthentication, ProtectedSettings, Settings},
    forward::headers::hex,
    oauth::{AssertionKey, Issuer, PublicOrigin, ScopeToken, key_set},
};

/// A document as it is served.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its bytes.
    pub body: Bytes,
    /// Their entity tag (RFC 9110 section 8.8.3).
    pub etag: HeaderValue,
}

impl Document {
    /// A document of these bytes.
    pub fn new(body: Bytes) -> Self {
        let digest = digest(&SHA256, &body);
        let tag = hex(digest.as_ref().first_chunk::<16>().map_or(&[][..], |start| start));
        let etag = HeaderValue::from_str(&format!("\"{tag}\""))
            .unwrap_or_else(|_| HeaderValue::from_static("\"\""));
        Self { body, etag }
    }

    /// The metadata of a protected route.
    pub fn resource(settings: &ProtectedSettings, issuers: &[&Issuer]) -> Self {
        let scopes: Vec<&str> = settings.scopes_supported.iter().map(ScopeToken::as_str).collect();
        let issuers: Vec<&str> = issuers.iter().map(|issuer| issuer.as_str()).collect();
        let mut members = Map::new();
        members.insert("resource".to_owned(), settings.resource.as_str().into());
        members.insert("authorization_servers".to_owned(), json!(issuers));
        if !scopes.is_empty() {
            members.insert("scopes_supported".to_owned(), json!(scopes));
        }
        members.insert("bearer_methods_supported".to_owned(), json!(["header"]));
        for (name, value) in &settings.metadata {
            members.insert(name.clone(), value.clone());
        }
        Self::new(Value::Object(members).to_string().into())
    }

    /// The public halves of our signing keys, when there are any.
    pub fn key_set(settings: &Settings) -> Option<Self> {
        let keys = key_set(assertion_keys(settings))?;
        Some(Self::new(keys.to_string().into()))
    }
}

/// The keys that authorization servers verify our assertions with.
fn assertion_keys(settings: &Settings) -> impl Iterator<Item = &AssertionKey> {
    settings.authorization_servers.iter().filter_map(|server| match &server.client {
        ClientAuthentication::PrivateKeyJwt { key, .. } => Some(&**key),
        ClientAuthentication::Bearer { .. }
        | ClientAuthentication::ClientSecretBasic { .. }
        | ClientAuthentication::ClientSecretJwt { .. }
        | ClientAuthentication::ClientSecretPost { .. }
        | ClientAuthentication::None { .. }
        | ClientAuthentication::TlsClientAuth { .. } => None,
    })
}

/// Where the metadata of a route is: its path inserted behind the well-known one (RFC 9728
/// section 3.1).
pub fn url(origin: &PublicOrigin, path: &str) -> String {
    format!("{origin}{WELL_KNOWN}{}", path.trim_end_matches('/'))
}

/// The well-known path of protected resource metadata (RFC 9728 section 3).
pub const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// Where our own key set is.
pub const WELL_KNOWN_KEY_SET: &str = "/.well-known/jwks.json";

/// The well-known path of authorization server metadata (RFC 8414 section 3).
pub const WELL_KNOWN_AUTHORIZATION_SERVER: &str = "/.well-known/oauth-authorization-server";
