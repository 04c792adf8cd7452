//! How a client gets its tokens: registration, login with authorization code and PKCE, revocation.
//!
//! The person at the browser is played by posting the login form as the test user.

use http::Method;
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use super::{
    TestUser, TourFailure, Walk, check,
    exchange::{Answer, Call},
    unexpected,
};
use crate::demo::{authorization_server::pkce, random::random_text};

/// A registered client and the server it is registered with.
#[derive(Debug)]
pub(super) struct Client {
    id: String,
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    revocation_endpoint: String,
    user: TestUser,
    has_logged_in: bool,
}

impl Client {
    /// Registers (RFC 7591) with the server that the metadata describe.
    pub(super) async fn register(
        walk: &mut Walk<'_>,
        metadata: &Value,
        user: TestUser,
    ) -> Result<Self, TourFailure> {
        let endpoint = |name: &str| {
            let url = metadata.get(name).and_then(Value::as_str).map(str::to_owned);
            url.ok_or_else(|| unexpected(format!("`{name}` in the metadata")))
        };
        let body = json!({
            "client_name": "Gatehouse's tour",
            "redirect_uris": [REDIRECT_URI],
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "none",
        });
        let call =
            Call::post(endpoint("registration_endpoint")?, "application/json", body.to_string());
        let answer = walk.ask(&call).await?;
        check(answer.status == 201, "the client is registered with 201")?;
        let id = answer.json().get("client_id").and_then(Value::as_str).map(str::to_owned);
        Ok(Self {
            id: id.ok_or_else(|| unexpected("a client_id"))?,
            issuer: endpoint("issuer")?,
            authorization_endpoint: endpoint("authorization_endpoint")?,
            token_endpoint: endpoint("token_endpoint")?,
            revocation_endpoint: endpoint("revocation_endpoint")?,
            user,
            has_logged_in: false,
        })
    }

    /// Logs the user in for `resource` and `scope`; returns the access token.
    pub(super) async fn log_in(
        &mut self,
        walk: &mut Walk<'_>,
        resource: &str,
        scope: &str,
    ) -> Result<String, TourFailure> {
        let random = || random_text().map_err(|error| unexpected(error.to_string()));
        let (state, code_verifier) = (random()?, random()?);
        let url = self.authorization_url(resource, scope, &state, &pkce::challenge(&code_verifier));
        let page = self.ask(walk, &Call::get(url?).note("what the browser opens")).await?;
        check(page.status == 200, "the login page comes")?;
        let form = self.filled_form(&page.body)?;
        let back = self.ask(walk, &form).await?;
        check(back.status == 303, "the login sends the browser back")?;
        let location = back.header("location").unwrap_or_default();
        let code = self.code(location, &state)?;
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", &self.id),
            ("code", &code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", &code_verifier),
            ("resource", resource),
        ];
        let answer =
            self.ask(walk, &post_form(&self.token_endpoint, &form).note("the code")).await?;
        check(answer.status == 200, "the code is exchanged")?;
        let issued = answer.json();
        let text = |name: &str| issued.get(name).and_then(Value::as_str).unwrap_or_default();
        check(text("token_type").eq_ignore_ascii_case("bearer"), "it is a Bearer token")?;
        check(text("scope") == scope, "the scope is the one asked for")?;
        check(!text("access_token").is_empty(), "a token came")?;
        self.has_logged_in = true;
        Ok(text("access_token").to_owned())
    }

    /// The first login is shown in full, the others in short.
    async fn ask(&self, walk: &mut Walk<'_>, call: &Call) -> Result<Answer, TourFailure> {
        if self.has_logged_in { walk.ask_briefly(call).await } else { walk.ask(call).await }
    }

    /// Revokes a token (RFC 7009).
    pub(super) async fn revoke(&self, walk: &mut Walk<'_>, token: &str) -> Result<(), TourFailure> {
        let form = [("token", token), ("client_id", &self.id)];
        let answer = walk.ask(&post_form(&self.revocation_endpoint, &form)).await?;
        check(answer.status == 200, "the authorization server revokes the token")
    }

    fn authorization_url(
        &self,
        resource: &str,
        scope: &str,
        state: &str,
        code_challenge: &str,
    ) -> Result<String, TourFailure> {
        let mut url = parse(&self.authorization_endpoint)?;
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &self.id),
            ("redirect_uri", REDIRECT_URI),
            ("scope", scope),
            ("resource", resource),
            ("state", state),
            ("code_challenge", code_challenge),
            ("code_challenge_method", "S256"),
        ]);
        Ok(url.into())
    }

    fn filled_form(&self, page: &str) -> Result<Call, TourFailure> {
        let no_form = || unexpected("a login form on the page");
        let action = between(page, "action=\"", "\"").ok_or_else(no_form)?;
        let handle = between(page, "name=\"login\" value=\"", "\"").ok_or_else(no_form)?;
        let url = parse(&self.authorization_endpoint)?.join(action).map_err(|_| no_form())?;
        let TestUser { name, password } = self.user;
        let form =
            [("login", handle), ("username", name), ("password", password), ("decision", "allow")];
        Ok(post_form(url.as_str(), &form).note(format!("`{name}` logs in and allows")))
    }

    fn code(&self, location: &str, state: &str) -> Result<String, TourFailure> {
        check(location.starts_with(REDIRECT_URI), "the browser returns to the client")?;
        let url = parse(location)?;
        let value = |name: &str| {
            url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        check(value("state").as_deref() == Some(state), "with the client's state")?;
        // RFC 9207 section 2.4: an answer of another issuer is a mix-up attack.
        check(value("iss") == Some(self.issuer.clone()), "from the issuer that was asked")?;
        value("code").ok_or_else(|| unexpected("a code"))
    }
}

fn post_form(url: &str, form: &[(&str, &str)]) -> Call {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let content_type = "application/x-www-form-urlencoded";
    Call { method: Method::POST, ..Call::post(url, content_type, body) }
}

fn parse(url: &str) -> Result<Url, TourFailure> {
    Url::parse(url).map_err(|_| unexpected("endpoints to be URLs"))
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}

const REDIRECT_URI: &str = "http://127.0.0.1/callback";
