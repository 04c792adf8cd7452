//! A small authorization server for demonstrations and development. **Not for production.**
//!
//! Rules:
//! 1. RFC 8414 metadata (at the OpenID Connect path as well), dynamic registration (RFC 7591),
//!    authorization code with PKCE S256 (RFC 7636), client credentials, refresh with rotation,
//!    introspection (RFC 7662), revocation (RFC 7009), resource indicators (RFC 8707), issuer
//!    identification (RFC 9207). Tokens are opaque.
//! 2. Metadata, registration, token and revocation answer browsers of every origin; the pages do
//!    not.
//! 3. Storage and login stand behind their own functions; nothing else knows how either works.
//!
//! It keeps everything in memory, shows its test users' passwords on the login page, and says so
//! in its log and on every page.

mod answer;
mod authorize;
mod bounded;
mod client;
mod login;
mod parameters;
pub(super) mod pkce;
mod registration;
mod storage;
mod token;

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use self::{
    answer::{json_response, page},
    parameters::Parameters,
    storage::Storage,
};
pub use self::{
    client::{Client, ClientAuthentication},
    login::User,
};
use super::http_server::{self, Background, Body, plain};
use crate::{
    clock::Clock,
    oauth::{Scope, ScopeToken},
};

/// What the server is told at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Clients that need not register: the gateway, service accounts.
    pub clients: Vec<Client>,
    /// Scopes that may be granted; the first is granted when none is asked for.
    pub scopes_supported: Scope,
    /// Who may log in.
    pub users: Vec<User>,
}

/// The running server.
#[derive(Debug)]
pub struct AuthorizationServer {
    settings: Running,
    storage: Storage,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
struct Running {
    issuer: String,
    scopes_supported: Scope,
    users: Vec<User>,
}

impl AuthorizationServer {
    /// Serves on `listener` until `background` ends; returns the issuer.
    pub fn start(
        listener: TcpListener,
        settings: Settings,
        clock: Arc<dyn Clock>,
        background: &Background,
    ) -> io::Result<String> {
        let issuer = format!("http://{}", listener.local_addr()?);
        let server = Self::new(issuer.clone(), settings, clock);
        http_server::serve(listener, Arc::new(server), background)?;
        tracing::warn!(
            %issuer,
            "this is a demo authorization server: NOT FOR PRODUCTION; everyone who reaches it can log in"
        );
        Ok(issuer)
    }

    fn new(issuer: String, settings: Settings, clock: Arc<dyn Clock>) -> Self {
        let Settings { clients, scopes_supported, users } = settings;
        let settings = Running { issuer, scopes_supported, users };
        Self { settings, storage: Storage::new(clients), clock }
    }

    fn now(&self) -> u64 {
        Duration::try_from_secs_f64(self.clock.unix_seconds()).map_or(0, |time| time.as_secs())
    }

    fn metadata(&self) -> Value {
        let issuer = &self.settings.issuer;
        let scopes: Vec<&str> =
            self.settings.scopes_supported.iter().map(ScopeToken::as_str).collect();
        let methods = ["client_secret_basic", "client_secret_post", "none"];
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "registration_endpoint": format!("{issuer}/register"),
            "introspection_endpoint": format!("{issuer}/introspect"),
            "revocation_endpoint": format!("{issuer}/revoke"),
            "scopes_supported": scopes,
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
            "token_endpoint_auth_methods_supported": methods,
            "introspection_endpoint_auth_methods_supported":
                ["client_secret_basic", "client_secret_post"],
            "revocation_endpoint_auth_methods_supported": methods,
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
        })
    }

    fn dispatch(&self, endpoint: Endpoint, request: &Request<Bytes>) -> Response<Body> {
        let query = || Parameters::read(request.uri().query().unwrap_or_default().as_bytes());
        let form = || Parameters::read(request.body());
        match endpoint {
            Endpoint::Authorization => self.authorize(&query()),
            Endpoint::Introspection => self.introspect(request.headers(), &form()),
            Endpoint::Login => self.log_in(&form()),
            Endpoint::Metadata => json_response(StatusCode::OK, &self.metadata()),
            Endpoint::Registration => self.register(request.body()),
            Endpoint::Revocation => self.revoke(request.headers(), &form()),
            Endpoint::Token => self.token(request.headers(), &form()),
            Endpoint::Welcome => page(StatusCode::OK, "Demo", "<h1>It runs</h1>"),
        }
    }
}

impl http_server::Service for AuthorizationServer {
    fn answer(&self, request: &Request<Bytes>) -> Response<Body> {
        let Some(endpoint) = Endpoint::at(request.uri().path()) else {
            return plain(StatusCode::NOT_FOUND);
        };
        let mut response = match request.method() {
            &Method::OPTIONS if endpoint.is_for_browsers() => preflight(),
            method if *method == endpoint.method() => self.dispatch(endpoint, request),
            _ => not_allowed(&endpoint.method()),
        };
        if endpoint.is_for_browsers() {
            let everyone = HeaderValue::from_static("*");
            response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, everyone);
        }
        response
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint {
    Authorization,
    Introspection,
    Login,
    Metadata,
    Registration,
    Revocation,
    Token,
    Welcome,
}

impl Endpoint {
    fn at(path: &str) -> Option<Self> {
        Some(match path {
            "/" => Self::Welcome,
            "/.well-known/oauth-authorization-server" | "/.well-known/openid-configuration" => {
                Self::Metadata
            }
            "/authorize" => Self::Authorization,
            "/introspect" => Self::Introspection,
            "/login" => Self::Login,
            "/register" => Self::Registration,
            "/revoke" => Self::Revocation,
            "/token" => Self::Token,
            _ => return None,
        })
    }

    fn method(self) -> Method {
        match self {
            Self::Authorization | Self::Metadata | Self::Welcome => Method::GET,
            Self::Introspection
            | Self::Login
            | Self::Registration
            | Self::Revocation
            | Self::Token => Method::POST,
        }
    }

    /// Whether web pages call it with `fetch`; people's pages and the gateway's calls are not such.
    fn is_for_browsers(self) -> bool {
        matches!(self, Self::Metadata | Self::Registration | Self::Revocation | Self::Token)
    }
}

fn preflight() -> Response<Body> {
    let mut response = plain(StatusCode::NO_CONTENT);
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type, MCP-Protocol-Version"),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn not_allowed(method: &Method) -> Response<Body> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED);
    let allow = if *method == Method::GET { "GET" } else { "POST" };
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}

#[cfg(test)]
mod tests;
