//! The token endpoint (RFC 6749 section 3.2), introspection (RFC 7662) and revocation (RFC 7009).
//!
//! 1. Every caller authenticates as its client was registered.
//! 2. Introspection answers configured resource servers only, about access tokens only.
//! 3. `aud` is the `resource` of the grant (RFC 8707); a grant without one has no `aud`.
//! 4. Client credentials are for configured clients: open registration must not hand out tokens
//!    that no user agreed to.

use http::{HeaderMap, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::{
    AuthorizationServer,
    answer::{OAuthError, json_response},
    client::{Client, authenticate_client},
    parameters::Parameters,
    storage::{AccessToken, Grant, Issued, Redemption, Refresh},
};
use crate::{
    demo::http_server::{Body, plain},
    oauth::{ResourceIdentifier, Scope},
};

impl AuthorizationServer {
    /// `POST /token`.
    pub(super) fn token(&self, headers: &HeaderMap, form: &Parameters) -> Response<Body> {
        match self.issue(headers, form) {
            Err(error) => error.into_response(),
            Ok(issued) => json_response(StatusCode::OK, &token_response(&issued)),
        }
    }

    /// `POST /introspect`.
    pub(super) fn introspect(&self, headers: &HeaderMap, form: &Parameters) -> Response<Body> {
        let answered = authenticate_client(headers, form, &self.storage).and_then(|client| {
            if !client.may_introspect {
                return Err(OAuthError::UnauthorizedClient);
            }
            let token = self.storage.introspect(form.required("token")?, self.now());
            Ok(self.introspection_response(token.as_ref()))
        });
        match answered {
            Err(error) => error.into_response(),
            Ok(body) => json_response(StatusCode::OK, &body),
        }
    }

    /// `POST /revoke`.
    pub(super) fn revoke(&self, headers: &HeaderMap, form: &Parameters) -> Response<Body> {
        let revoked = authenticate_client(headers, form, &self.storage)
            .and_then(|client| self.storage.revoke(form.required("token")?, &client.id));
        match revoked {
            Err(error) => error.into_response(),
            Ok(()) => plain(StatusCode::OK),
        }
    }

    fn issue(&self, headers: &HeaderMap, form: &Parameters) -> Result<Issued, OAuthError> {
        let client = authenticate_client(headers, form, &self.storage)?;
        match form.required("grant_type")? {
            "authorization_code" => self.redeem_code(&client, form),
            "client_credentials" => self.issue_to_client(&client, form),
            "refresh_token" => self.refresh(&client, form),
            _ => Err(OAuthError::UnsupportedGrantType),
        }
    }

    fn redeem_code(&self, client: &Client, form: &Parameters) -> Result<Issued, OAuthError> {
        let resource = resource(form)?;
        let redemption = Redemption {
            client,
            redirect_uri: form.required("redirect_uri")?,
            code_verifier: form.required("code_verifier")?,
            resource: resource.as_ref(),
        };
        self.storage.redeem_code(form.required("code")?, &redemption, self.now())
    }

    fn issue_to_client(&self, client: &Client, form: &Parameters) -> Result<Issued, OAuthError> {
        if !client.may_use_client_credentials {
            return Err(OAuthError::UnauthorizedClient);
        }
        let grant = Grant {
            client_id: client.id.clone(),
            subject: None,
            scope: self.scope(form)?,
            resource: resource(form)?,
        };
        self.storage.issue_to_client(grant, self.now())
    }

    fn refresh(&self, client: &Client, form: &Parameters) -> Result<Issued, OAuthError> {
        if !client.may_refresh {
            return Err(OAuthError::UnauthorizedClient);
        }
        let scope = form.one("scope")?.map(Scope::parse).transpose();
        let resource = resource(form)?;
        let wanted = Refresh {
            client_id: &client.id,
            scope: scope.map_err(|_| OAuthError::InvalidScope)?,
            resource: resource.as_ref(),
        };
        self.storage.refresh(form.required("refresh_token")?, wanted, self.now())
    }

    /// The scopes to grant: those asked for that exist, or the first one when none was named.
    pub(super) fn scope(&self, parameters: &Parameters) -> Result<Scope, OAuthError> {
        let supported = &self.settings.scopes_supported;
        let Some(asked) = parameters.one("scope")? else {
            return Ok(supported.iter().take(1).cloned().collect());
        };
        let asked = Scope::parse(asked).map_err(|_| OAuthError::InvalidScope)?;
        // RFC 6749 section 3.3: what is unknown may be left out; the response says what was granted.
        let granted: Scope = asked.iter().filter(|it| supported.contains(it)).cloned().collect();
        if granted.is_empty() { Err(OAuthError::InvalidScope) } else { Ok(granted) }
    }

    fn introspection_response(&self, token: Option<&AccessToken>) -> Value {
        let Some(token) = token else { return json!({"active": false}) };
        let mut body = Map::new();
        let grant = &token.grant;
        body.insert("active".into(), true.into());
        body.insert("iss".into(), self.settings.issuer.as_str().into());
        body.insert("client_id".into(), grant.client_id.as_str().into());
        body.insert("token_type".into(), "Bearer".into());
        body.insert("scope".into(), grant.scope.to_string().into());
        body.insert("iat".into(), token.issued_at.into());
        body.insert("exp".into(), token.expires_at.into());
        if let Some(subject) = &grant.subject {
            body.insert("sub".into(), subject.as_str().into());
            body.insert("username".into(), subject.as_str().into());
        }
        if let Some(resource) = &grant.resource {
            body.insert("aud".into(), resource.as_str().into());
        }
        Value::Object(body)
    }
}

/// The one `resource` asked for (RFC 8707 section 2).
pub(super) fn resource(parameters: &Parameters) -> Result<Option<ResourceIdentifier>, OAuthError> {
    let resource = parameters.one("resource")?;
    resource.map(|text| text.parse().map_err(|_| OAuthError::InvalidTarget)).transpose()
}

fn token_response(issued: &Issued) -> Value {
    let mut body = json!({
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "expires_in": issued.expires_in,
        "scope": issued.scope.to_string(),
    });
    if let (Some(object), Some(token)) = (body.as_object_mut(), &issued.refresh_token) {
        object.insert("refresh_token".into(), token.as_str().into());
    }
    body
}
