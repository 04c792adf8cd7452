//! A protected resource: one route as the gateway serves it.
//!
//! It joins what the stages need of a route (authenticator, access policy, upstream, series), so
//! that a request carries one reference. It decides nothing itself.

pub mod metadata;

use std::sync::Arc;

use http::HeaderValue;

use crate::{
    authenticate::Authenticator,
    authorize::AccessPolicy,
    config::settings::{Access, AllowedOrigin, RouteSettings},
    forward::{Upstream, open_streams::OpenStreams},
    limits::{buffer::Room, rate::RateLimiter},
    metrics::RouteMetrics,
    oauth::Scope,
};

/// One route, ready to serve.
#[derive(Debug)]
pub struct ProtectedResource {
    /// The route's name: metrics label, log field, realm.
    pub name: Box<str>,
    /// Its path, `/` or without trailing slash.
    pub path: Box<str>,
    /// Whether what lies below the path is forwarded too.
    pub forwards_subpaths: bool,
    /// How tokens are judged; `None` when none is asked for.
    pub authenticator: Option<Arc<Authenticator>>,
    /// Who may use it.
    pub policy: AccessPolicy,
    /// The streams that tokens keep open; `None` when none is asked for.
    pub open_streams: Option<Arc<OpenStreams>>,
    /// Where it goes.
    pub upstream: Upstream,
    /// How often callers may come; `None` when as often as they like.
    pub rate_limiter: Option<Arc<RateLimiter>>,
    /// For what of requests must be read whole.
    pub room: Room,
    /// Its series.
    pub metrics: RouteMetrics,
    /// What its challenges say.
    pub challenge: ChallengeParameters,
    /// Which web origins may call it.
    pub origins: Origins,
}

/// What a challenge of a route is made of (RFC 6750 section 3, RFC 9728 section 5.1).
#[derive(Clone, Debug)]
pub struct ChallengeParameters {
    /// `realm`: the route's name.
    pub realm: Box<str>,
    /// `resource_metadata`: where the route's document is.
    pub resource_metadata: Box<str>,
    /// The route's own scopes.
    pub required_scopes: Scope,
    /// Whether service accounts may authenticate by HTTP Basic.
    pub offers_basic: bool,
}

impl ChallengeParameters {
    /// The parameters of a configured route.
    pub fn new(route: &RouteSettings) -> Self {
        let (required_scopes, offers_basic) = match &route.access {
            Access::Protected(protected) => {
                (protected.required_scopes.clone(), protected.basic_client_credentials)
            }
            Access::Public => (Scope::default(), false),
        };
        Self {
            realm: route.name.clone(),
            resource_metadata: metadata::url(&route.public_url, &route.path).into(),
            required_scopes,
            offers_basic,
        }
    }
}

/// The web origins whose pages may call a route.
#[derive(Clone, Debug)]
pub struct Origins {
    own: Box<str>,
    allows_loopback: bool,
    configured: Arc<[AllowedOrigin]>,
}

impl Origins {
    /// The route's own origin and those that the configuration adds.
    pub fn new(route: &RouteSettings, configured: Arc<[AllowedOrigin]>) -> Self {
        Self {
            own: route.public_url.as_str().into(),
            allows_loopback: route.public_url.is_loopback(),
            configured,
        }
    }

    /// Whether pages of this origin may call the route; compared byte for byte.
    pub fn allow(&self, origin: &HeaderValue) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        *self.own == *origin
            || (self.allows_loopback && is_loopback_origin(origin))
            || self.configured.iter().any(|allowed| match allowed {
                AllowedOrigin::Any => true,
                AllowedOrigin::AnyPort(start) => has_any_port(origin, start),
                AllowedOrigin::Exact(exact) => **exact == *origin,
            })
    }
}

/// `http://localhost`, `http://127.0.0.1` or `http://[::1]`, with any port or none.
fn is_loopback_origin(origin: &str) -> bool {
    ["http://localhost", "http://127.0.0.1", "http://[::1]", "https://localhost"]
        .into_iter()
        .any(|start| has_any_port(origin, start))
}

fn has_any_port(origin: &str, start: &str) -> bool {
    match origin.strip_prefix(start) {
        Some("") => true,
        Some(rest) => rest.strip_prefix(':').is_some_and(|port| {
            port.parse::<u16>().is_ok() && port.bytes().all(|byte| byte.is_ascii_digit())
        }),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_compared_whole() {
        let origins = Origins {
            own: "http://127.0.0.1:8080".into(),
            allows_loopback: true,
            configured: [
                AllowedOrigin::Exact("https://app.example".into()),
                AllowedOrigin::Exact("null".into()),
                AllowedOrigin::AnyPort("http://dev.example".into()),
            ]
            .into(),
        };
        let allow = |origin| origins.allow(&HeaderValue::from_static(origin));
        for origin in [
            "http://127.0.0.1:8080",
            "http://localhost:6274",
            "http://localhost",
            "https://app.example",
            "null",
            "http://dev.example:3000",
        ] {
            assert!(allow(origin), "{origin}");
        }
        for origin in [
            "http://evil",
            "https://app.example.evil",
            "https://app.example:8443",
            "http://localhost.evil",
            "http://localhost:80@evil",
            "http://localhost:+80",
            "http://dev.example:evil",
            "https://APP.example",
            "http://127.0.0.1:8080/",
            "",
        ] {
            assert!(!allow(origin), "{origin}");
        }
    }
}
