//! What a configuration file compiles to: settings that cannot be wrong.
//!
//! Every field has been checked against every other; defaults are filled in, secrets read, URLs
//! parsed. The stages are built from these types and never see the file.

mod authorization_server;
mod limits;
mod rule_tests;
mod rules;
mod traces;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue};
use ipnet::IpNet;
use serde_json::{Map, Value};
use url::Url;

pub use self::{
    authorization_server::{
        AccessTokens, AssertionAudience, AuthorizationServerSettings, ClaimNames,
        ClientAuthentication, IntrospectionSettings, JwtSettings, RequiredTokenType, TlsIdentity,
    },
    limits::{Limits, RateLimit, RateLimitBy, usual_share},
    rule_tests::{Expectation, RuleLine, RuleTest, RuleTests, TestedCall},
    rules::{Condition, Demand, FilterLists, Rule, RuleSettings, WhenDenied},
    traces::{CallerDecides, TracesSettings},
};
pub use super::server_tls::ServerTls;
use crate::{
    logging::LogFormat,
    oauth::{Implications, PublicOrigin, ResourceIdentifier, Scope, Secret},
};

/// The whole configuration in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `public_url`.
    pub public_url: PublicOrigin,
    /// `listen`.
    pub listen: Listen,
    /// `admin`.
    pub admin: Admin,
    /// `telemetry`.
    pub telemetry: Telemetry,
    /// `authorization_servers`, in the file's order.
    pub authorization_servers: Vec<Arc<AuthorizationServerSettings>>,
    /// `sessions`: secrets of at least 32 bytes in base64url, with or without padding, newest
    /// first; sealing keys are derived from them. Empty: a random key per process.
    pub session_keys: Vec<Secret>,
    /// `routes`, in the file's order.
    pub routes: Vec<RouteSettings>,
}

/// `listen`: the public listener.
#[derive(Clone, Debug, PartialEq)]
pub struct Listen {
    /// Where to listen.
    pub address: SocketAddr,
    /// TLS towards clients; plain HTTP without it.
    pub tls: Option<ServerTls>,
    /// Networks whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Networks whose connections begin with a PROXY header.
    pub proxy_protocol: Vec<IpNet>,
    /// Bounds on what one peer may cost.
    pub limits: Limits,
    /// How long `SIGTERM` waits for requests and streams.
    pub drain_timeout: Duration,
    /// Web origins whose pages may call MCP routes, besides those that follow from public URLs.
    pub allowed_origins: Vec<AllowedOrigin>,
    /// Host names served besides those that follow from public URLs and the address.
    pub allowed_hosts: Vec<AllowedHost>,
}

/// One entry of `listen.allowed_origins`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// `"*"`: all.
    Any,
    /// `scheme://host:*`: any port; the text before `:*`.
    AnyPort(Box<str>),
    /// One origin, compared byte for byte with the header (`null` and app schemes included).
    Exact(Box<str>),
}

/// One entry of `listen.allowed_hosts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedHost {
    /// `"*"`: all.
    Any,
    /// A lower-case host name or bracketed IPv6 address; without a port it matches any port.
    Name {
        /// The host without port.
        host: Box<str>,
        /// The port, when one is named.
        port: Option<u16>,
    },
}

/// `admin`: the operators' listener.
#[derive(Clone, Debug, PartialEq)]
pub struct Admin {
    /// Where to listen.
    pub address: SocketAddr,
    /// The token that allows what changes something.
    pub token: Option<Secret>,
}

/// `telemetry`.
#[derive(Clone, Debug, PartialEq)]
pub struct Telemetry {
    /// `telemetry.log.format`.
    pub log_format: LogFormat,
    /// `telemetry.log.level`.
    pub log_level: tracing::Level,
    /// Whether each request is logged.
    pub access_log: bool,
    /// Where decisions are written, if anywhere.
    pub audit: Option<AuditSettings>,
    /// `telemetry.traces`, when there is a collector.
    pub traces: Option<Box<TracesSettings>>,
}

/// `telemetry.audit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSettings {
    /// The file that lines are appended to; standard output without one.
    pub file: Option<PathBuf>,
    /// Whether lines have the client's address.
    pub client_address: bool,
}

/// One entry of `routes`.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteSettings {
    /// The key under `routes`: metrics label, log field, realm.
    pub name: Box<str>,
    /// The origin clients reach it under.
    pub public_url: PublicOrigin,
    /// Whether the route set its own `public_url`; then the Host must match it.
    pub has_own_public_url: bool,
    /// The path: `/` or `/segments` without trailing slash.
    pub path: Box<str>,
    /// Whether all below the path is forwarded too.
    pub forward_subpaths: bool,
    /// Who may use it.
    pub access: Access,
    /// How many requests each caller may make.
    pub rate_limit: Option<RateLimit>,
    /// Where requests go.
    pub upstream: UpstreamSettings,
}

impl RouteSettings {
    /// What only protected routes have.
    pub fn protected(&self) -> Option<&ProtectedSettings> {
        match &self.access {
            Access::Protected(protected) => Some(protected),
            Access::Public => None,
        }
    }
}

/// `access` of a route, with what only protected routes have.
#[derive(Clone, Debug, PartialEq)]
pub enum Access {
    /// A token is required.
    Protected(Box<ProtectedSettings>),
    /// No token is asked for.
    Public,
}

/// What a protected route asks of a token, and publishes.
#[derive(Clone, Debug, PartialEq)]
pub struct ProtectedSettings {
    /// Names of the authorization servers whose tokens are taken, in the order in which they are
    /// asked; at least one, none twice.
    pub authorization_servers: Vec<Box<str>>,
    /// The route's resource identifier (RFC 9728 section 1.2).
    pub resource: ResourceIdentifier,
    /// Accepted `aud` values.
    pub audiences: Vec<Box<str>>,
    /// How `aud` is compared.
    pub audience_match: AudienceMatch,
    /// Whether service accounts may show their client credentials by HTTP Basic.
    pub basic_client_credentials: bool,
    /// Scopes that every request needs, in the file's order.
    pub required_scopes: Scope,
    /// Which scopes stand for which others: `scope_implies` of the whole file.
    pub implications: Implications,
    /// What operations need beyond that.
    pub rules: RuleSettings,
    /// Scopes that are published.
    pub scopes_supported: Scope,
    /// Further RFC 9728 metadata fields.
    pub metadata: Map<String, Value>,
    /// Whether RFC 8414 metadata is mirrored for clients of 2025-03-26.
    pub legacy_metadata: bool,
}

/// `audience_match`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudienceMatch {
    /// `aud` is the token's own client.
    ClientId,
    /// `aud` holds one of the accepted values.
    Exact,
    /// Not compared.
    Off,
    /// `aud` is an accepted value or a whole-segment prefix of one.
    Prefix,
}

/// `upstream` of a route.
#[derive(Clone, Debug, PartialEq)]
pub struct UpstreamSettings {
    /// Its one URL: no userinfo, query or fragment.
    pub url: Url,
    /// Headers set on every request, replacing a client's.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// `Host` sent upstream, when not the URL's own authority.
    pub host: Option<HeaderValue>,
    /// For the connection to be made.
    pub connect_timeout: Duration,
    /// For the response head to arrive.
    pub response_timeout: Duration,
}
