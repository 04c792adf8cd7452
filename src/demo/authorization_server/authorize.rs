//! The authorization endpoint (RFC 6749 section 4.1.1) and what the login page posts.
//!
//! 1. Until client and redirect URI are known to belong together nobody is redirected; the error
//!    is shown to the person instead (RFC 6749 section 4.1.2.1).
//! 2. PKCE with S256 is required (OAuth 2.1, RFC 7636).
//! 3. Every redirect names its issuer (RFC 9207).
//! 4. A login page takes five attempts and ten minutes.

use http::{Response, StatusCode};
use url::Url;

use super::{
    AuthorizationServer,
    answer::{OAuthError, page, redirect},
    client::Client,
    login::{authenticate_user, login_page},
    parameters::Parameters,
    pkce,
    storage::PendingLogin,
    token::resource,
};
use crate::demo::http_server::Body;

impl AuthorizationServer {
    /// `GET /authorize`.
    pub(super) fn authorize(&self, parameters: &Parameters) -> Response<Body> {
        let (client, redirect_uri) = match self.redirection(parameters) {
            Ok(found) => found,
            Err(error) => return refusal_page(error),
        };
        // A doubled `state` cannot be echoed; the rest of the request is judged without it.
        let state = parameters.one("state").ok().flatten().map(str::to_owned);
        let begun = self.pending_login(parameters, &client, &redirect_uri).and_then(|login| {
            let handle = self.storage.begin_login(login.clone(), self.now())?;
            Ok(login_page(&client, &login, &handle, &self.settings.users, None))
        });
        begun.unwrap_or_else(|error| {
            let answer = [("error", error.code()), ("error_description", error.description())];
            self.send_back(&redirect_uri, &answer, state.as_deref())
        })
    }

    /// `POST /login`: what a person answered on the page.
    pub(super) fn log_in(&self, form: &Parameters) -> Response<Body> {
        self.decide(form).unwrap_or_else(refusal_page)
    }

    fn decide(&self, form: &Parameters) -> Result<Response<Body>, OAuthError> {
        let handle = form.required("login")?;
        let attempt = self.storage.attempt_login(handle, self.now());
        let gone = OAuthError::InvalidRequest("this login is over; start again from the client");
        let login = attempt.as_ref().ok_or(gone)?.login.clone();
        let state = login.state.clone();
        if form.required("decision")? != "allow" {
            self.storage.end_login(handle);
            let denied = OAuthError::AccessDenied;
            let answer = [("error", denied.code()), ("error_description", denied.description())];
            return Ok(self.send_back(&login.redirect_uri, &answer, state.as_deref()));
        }
        let name = form.one("username")?.unwrap_or_default();
        let password = form.one("password")?.unwrap_or_default();
        let Some(user) = authenticate_user(&self.settings.users, name, password) else {
            if attempt.is_none_or(|attempt| attempt.is_last) {
                return Err(gone);
            }
            let client = self.storage.client(&login.client_id).ok_or(gone)?;
            let notice = Some("Unknown user or wrong password.");
            return Ok(login_page(&client, &login, handle, &self.settings.users, notice));
        };
        self.storage.end_login(handle);
        let redirect_uri = login.redirect_uri.clone();
        let code = self.storage.issue_code(login, user.name.clone(), self.now())?;
        Ok(self.send_back(&redirect_uri, &[("code", code.as_str())], state.as_deref()))
    }

    fn redirection(&self, parameters: &Parameters) -> Result<(Client, String), OAuthError> {
        let client_id = parameters.required("client_id")?;
        let client = self.storage.client(client_id).ok_or(OAuthError::InvalidClient)?;
        let redirect_uri = parameters.required("redirect_uri")?;
        if !client.may_redirect_to(redirect_uri) {
            return Err(OAuthError::InvalidRequest("redirect_uri is not one of the client's"));
        }
        Ok((client, redirect_uri.to_owned()))
    }

    fn pending_login(
        &self,
        parameters: &Parameters,
        client: &Client,
        redirect_uri: &str,
    ) -> Result<PendingLogin, OAuthError> {
        if parameters.required("response_type")? != "code" {
            return Err(OAuthError::UnsupportedResponseType);
        }
        // RFC 7636 section 4.3: a missing method means `plain`, which is not accepted.
        if parameters.one("code_challenge_method")? != Some("S256") {
            return Err(OAuthError::InvalidRequest("code_challenge_method must be S256"));
        }
        let code_challenge = parameters.required("code_challenge")?;
        if !pkce::is_challenge(code_challenge) {
            return Err(OAuthError::InvalidRequest("code_challenge is no S256 challenge"));
        }
        Ok(PendingLogin {
            client_id: client.id.clone(),
            redirect_uri: redirect_uri.to_owned(),
            state: parameters.one("state")?.map(str::to_owned),
            code_challenge: code_challenge.to_owned(),
            scope: self.scope(parameters)?,
            resource: resource(parameters)?,
        })
    }

    fn send_back(
        &self,
        redirect_uri: &str,
        answer: &[(&str, &str)],
        state: Option<&str>,
    ) -> Response<Body> {
        let Ok(mut location) = Url::parse(redirect_uri) else {
            return refusal_page(OAuthError::InvalidRedirectUri);
        };
        {
            let mut query = location.query_pairs_mut();
            query.extend_pairs(answer);
            query.extend_pairs(state.map(|state| ("state", state)));
            query.append_pair("iss", &self.settings.issuer);
        }
        redirect(location.as_str())
    }
}

fn refusal_page(error: OAuthError) -> Response<Body> {
    let body = format!("<h1>{}</h1><p>{}</p>", error.code(), error.description());
    page(StatusCode::BAD_REQUEST, "Refused", &body)
}
