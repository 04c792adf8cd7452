//! Dynamic client registration (RFC 7591), open to all as MCP clients expect of a demo.
//!
//! 1. A registered client serves users: `authorization_code`, with `refresh_token` when asked for.
//!    Other grant types are left out of the answer, and refused when nothing else is asked.
//! 2. Redirect URIs are https, http on loopback, or an app's own scheme; never one a browser runs.
//! 3. The scope named at registration does not bind: a client that registered with its first scope
//!    may ask for wider ones later, and the user decides.

use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::{
    AuthorizationServer,
    answer::{OAuthError, json_response},
    client::{Client, ClientAuthentication},
};
use crate::{
    demo::{http_server::Body, random::random_text},
    oauth::{Secret, is_loopback},
};

/// The client metadata that matter here; RFC 7591 section 2 lets a server ignore the rest.
#[derive(Debug, Deserialize)]
struct ClientMetadata {
    #[serde(default)]
    redirect_uris: Vec<String>,
    client_name: Option<String>,
    token_endpoint_auth_method: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
}

impl AuthorizationServer {
    /// `POST /register`.
    pub(super) fn register(&self, body: &[u8]) -> Response<Body> {
        let registered = serde_json::from_slice::<ClientMetadata>(body)
            .map_err(|_| OAuthError::InvalidClientMetadata("the body is no client metadata"))
            .and_then(accept);
        match registered {
            Err(error) => error.into_response(),
            Ok(client) => {
                let answer = self.registration_response(&client);
                self.storage.register(client);
                json_response(StatusCode::CREATED, &answer)
            }
        }
    }

    fn registration_response(&self, client: &Client) -> Value {
        let mut grant_types = vec!["authorization_code"];
        grant_types.extend(client.may_refresh.then_some("refresh_token"));
        let (method, secret) = match &client.authentication {
            ClientAuthentication::Basic(secret) => ("client_secret_basic", Some(secret)),
            ClientAuthentication::None => ("none", None),
            ClientAuthentication::Post(secret) => ("client_secret_post", Some(secret)),
        };
        let mut answer = json!({
            "client_id": client.id,
            "client_id_issued_at": self.now(),
            "client_name": client.name,
            "redirect_uris": client.redirect_uris,
            "grant_types": grant_types,
            "response_types": ["code"],
            "token_endpoint_auth_method": method,
            "scope": self.settings.scopes_supported.to_string(),
        });
        if let (Some(object), Some(secret)) = (answer.as_object_mut(), secret) {
            object.insert("client_secret".into(), secret.expose().into());
            // RFC 7591 section 3.2.1: 0 means that it does not expire.
            object.insert("client_secret_expires_at".into(), 0.into());
        }
        answer
    }
}

fn accept(metadata: ClientMetadata) -> Result<Client, OAuthError> {
    let uris = metadata.redirect_uris;
    if uris.is_empty()
        || uris.len() > MAX_REDIRECT_URIS
        || !uris.iter().all(|uri| may_register(uri))
    {
        return Err(OAuthError::InvalidRedirectUri);
    }
    let grant_types = metadata.grant_types.unwrap_or_else(|| vec!["authorization_code".to_owned()]);
    if !grant_types.iter().any(|grant| grant == "authorization_code") {
        return Err(OAuthError::InvalidClientMetadata("registration is for authorization_code"));
    }
    if metadata.response_types.is_some_and(|types| !types.iter().any(|it| it == "code")) {
        return Err(OAuthError::InvalidClientMetadata("the response type is code"));
    }
    let name = metadata.client_name.unwrap_or_else(|| "a client without a name".to_owned());
    // RFC 7591 section 2: client_secret_basic when nothing is said.
    let authentication = match metadata.token_endpoint_auth_method.as_deref() {
        None | Some("client_secret_basic") => {
            ClientAuthentication::Basic(Secret::new(random_text()?))
        }
        Some("client_secret_post") => ClientAuthentication::Post(Secret::new(random_text()?)),
        Some("none") => ClientAuthentication::None,
        Some(_) => {
            return Err(OAuthError::InvalidClientMetadata(
                "token_endpoint_auth_method is none, client_secret_basic or client_secret_post",
            ));
        }
    };
    Ok(Client {
        id: random_text()?,
        name: name.chars().take(MAX_NAME_CHARACTERS).collect(),
        authentication,
        redirect_uris: uris,
        may_refresh: grant_types.iter().any(|grant| grant == "refresh_token"),
        may_use_client_credentials: false,
        may_introspect: false,
    })
}

fn may_register(uri: &str) -> bool {
    let Ok(url) = Url::parse(uri) else { return false };
    // RFC 6749 section 3.1.2: absolute, without fragment.
    let is_sound = uri.len() <= MAX_URI_BYTES && url.fragment().is_none();
    let is_allowed = match url.scheme() {
        "http" => is_loopback(&url),
        // What a browser would run or open by itself.
        "about" | "blob" | "data" | "file" | "filesystem" | "ftp" | "javascript" | "vbscript"
        | "view-source" | "ws" | "wss" => false,
        // https, or an app's own scheme.
        _ => true,
    };
    is_sound && is_allowed
}

const MAX_REDIRECT_URIS: usize = 10;
const MAX_URI_BYTES: usize = 2048;
const MAX_NAME_CHARACTERS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_uris_are_https_loopback_or_an_apps_own() {
        for good in
            ["https://app.example/cb", "http://localhost:1/cb", "http://[::1]/", "app.x:/cb"]
        {
            assert!(may_register(good), "{good}");
        }
        for bad in [
            "http://app.example/cb",
            "javascript:alert(1)",
            "data:text/html,x",
            "/relative",
            "https://app.example/#fragment",
            "",
        ] {
            assert!(!may_register(bad), "{bad}");
        }
    }
}
