//! How the gateway authenticates to an authorization server (RFC 6749 section 2.3, RFC 7523,
//! RFC 8705).
//!
//! 1. Basic credentials are form-encoded before they are joined (RFC 6749 section 2.3.1).
//! 2. An assertion is made for each request; see `client_assertion`.
//! 3. A client certificate is the connection's business; the form has the identifier only
//!    (RFC 8705 section 2).
//!
//! Which method is used is configured and never tried out.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use http::HeaderValue;
use url::{
    Url,
    form_urlencoded::{self, Serializer},
};

use super::client_assertion::{Assertion, NotSigned, Signer};
use crate::{
    clock::Clock,
    config::settings::{
        AssertionAudience, AuthorizationServerSettings, ClientAuthentication, TlsIdentity,
    },
    oauth::{ClientId, Issuer, Secret},
};

/// The gateway as a client of one authorization server.
#[derive(Clone, Debug)]
pub struct Client {
    authentication: ClientAuthentication,
    issuer: Issuer,
    clock: Arc<dyn Clock>,
}

impl Client {
    /// The configured client.
    pub fn new(settings: &AuthorizationServerSettings, clock: Arc<dyn Clock>) -> Self {
        let (authentication, issuer) = (settings.client.clone(), settings.issuer.clone());
        Self { authentication, issuer, clock }
    }

    /// The certificate it shows in TLS handshakes, when that is how it authenticates.
    pub fn tls_identity(&self) -> Option<&TlsIdentity> {
        match &self.authentication {
            ClientAuthentication::TlsClientAuth { identity, .. } => Some(identity),
            ClientAuthentication::Bearer { .. }
            | ClientAuthentication::ClientSecretBasic { .. }
            | ClientAuthentication::ClientSecretJwt { .. }
            | ClientAuthentication::ClientSecretPost { .. }
            | ClientAuthentication::None { .. }
            | ClientAuthentication::PrivateKeyJwt { .. } => None,
        }
    }

    /// Adds our credentials to a form for this endpoint, or returns them as an `Authorization`
    /// value.
    pub fn apply(
        &self,
        endpoint: &Url,
        form: &mut Serializer<'_, String>,
    ) -> Result<Option<HeaderValue>, NotSigned> {
        match &self.authentication {
            ClientAuthentication::Bearer { id, token } => {
                append_id(id.as_ref(), form);
                Ok(sensitive(&format!("Bearer {}", token.expose())))
            }
            ClientAuthentication::ClientSecretBasic { id, secret } => Ok(basic(id, secret)),
            ClientAuthentication::ClientSecretJwt { id, secret, audience } => {
                self.append_assertion(id, Signer::Secret(secret), (*audience, endpoint), form)
            }
            ClientAuthentication::ClientSecretPost { id, secret } => {
                append_id(Some(id), form);
                form.append_pair("client_secret", secret.expose());
                Ok(None)
            }
            ClientAuthentication::None { id } => {
                append_id(id.as_ref(), form);
                Ok(None)
            }
            ClientAuthentication::PrivateKeyJwt { id, key, audience } => {
                self.append_assertion(id, Signer::Key(key), (*audience, endpoint), form)
            }
            ClientAuthentication::TlsClientAuth { id, .. } => {
                append_id(Some(id), form);
                Ok(None)
            }
        }
    }

    /// RFC 7521 section 4.2. `client_id` is optional there; servers that choose the key by it
    /// exist, and none may mind it.
    fn append_assertion(
        &self,
        id: &ClientId,
        signer: Signer<'_>,
        (audience, endpoint): (AssertionAudience, &Url),
        form: &mut Serializer<'_, String>,
    ) -> Result<Option<HeaderValue>, NotSigned> {
        let audience = match audience {
            AssertionAudience::Endpoint => endpoint.as_str(),
            AssertionAudience::Issuer => self.issuer.as_str(),
        };
        let now = self.clock.unix_seconds();
        let assertion = Assertion { client: id, audience, now }.sign(signer)?;
        append_id(Some(id), form);
        form.append_pair("client_assertion_type", ASSERTION_TYPE);
        form.append_pair("client_assertion", &assertion);
        Ok(None)
    }
}

/// Credentials as `client_secret_basic` sends them.
pub(super) fn basic(id: &ClientId, secret: &Secret) -> Option<HeaderValue> {
    // RFC 6749 section 2.3.1: both are form-encoded before they are joined by the colon.
    let encode =
        |text: &str| -> String { form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    let pair = format!("{}:{}", encode(id.as_str()), encode(secret.expose()));
    sensitive(&format!("Basic {}", BASE64_STANDARD.encode(pair)))
}

fn append_id(id: Option<&ClientId>, form: &mut Serializer<'_, String>) {
    if let Some(id) = id {
        form.append_pair("client_id", id.as_str());
    }
}

/// Both schemes yield visible ASCII, so this is always a header value.
fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// RFC 7523 section 2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

#[cfg(test)]
mod tests;
