//! Message endpoints of the HTTP+SSE transport: from the URL an upstream names to the path a
//! client sees, and back.
//!
//! 1. Whatever path of its own origin the upstream names is taken; another origin is not.
//! 2. The client sees `<route path>/<sealed reference>`, exact.

use std::sync::Arc;

use http::uri::PathAndQuery;
use url::Url;

use super::session::{Kind, Place, Sealer};
use crate::authenticate::token_facts::Principal;

/// Seals and opens what belongs to one route's sessions.
#[derive(Debug)]
pub struct Endpoints {
    /// The route's name.
    pub route: Box<str>,
    /// The route's path, without trailing slash; empty for `/`.
    pub path: Box<str>,
    /// The upstream's URL.
    pub upstream: Url,
    /// The keys.
    pub sealer: Arc<Sealer>,
}

impl Endpoints {
    /// Seals a value for a principal.
    pub fn seal(&self, kind: Kind, principal: &Principal, value: &str) -> Option<String> {
        self.sealer.seal(self.place(kind, principal), value)
    }

    /// Opens a reference, if it is this principal's and of this route.
    pub fn open(&self, kind: Kind, principal: &Principal, reference: &str) -> Option<String> {
        self.sealer.open(self.place(kind, principal), reference)
    }

    /// Opens a reference to a message endpoint.
    pub fn open_path(&self, principal: &Principal, reference: &str) -> Option<PathAndQuery> {
        self.open(Kind::MessageEndpoint, principal, reference)?.parse().ok()
    }

    fn place<'a>(&'a self, kind: Kind, principal: &'a Principal) -> Place<'a> {
        Place { kind, route: &self.route, upstream: self.upstream.as_str(), principal }
    }
}

/// Seals the endpoints that one stream names.
#[derive(Debug)]
pub struct EndpointSealer {
    /// The route's keys and paths.
    pub endpoints: Arc<Endpoints>,
    /// Whose stream it is.
    pub principal: Principal,
}

impl EndpointSealer {
    /// The path and query on the upstream that the upstream named.
    pub fn path(&self, named: &str) -> Option<String> {
        let upstream = &self.endpoints.upstream;
        // The URL standard reads a backslash as a slash and drops tabs; nobody means that here.
        let is_plain = named.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        let url = upstream.join(named).ok().filter(|_| is_plain && !named.is_empty())?;
        if url.origin() != upstream.origin()
            || !url.username().is_empty()
            || url.password().is_some()
        {
            return None;
        }
        Some(match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        })
    }

    /// What the client sees in its place.
    pub fn seal(&self, path: &str) -> Option<String> {
        let reference = self.endpoints.seal(Kind::MessageEndpoint, &self.principal, path)?;
        Some(format!("{}/{reference}", self.endpoints.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer() -> EndpointSealer {
        let endpoints = Endpoints {
            route: "notes".into(),
            path: "/notes".into(),
            upstream: "http://127.0.0.1:3001/base/sse".parse().unwrap(),
            sealer: Arc::new(Sealer::new(&[]).unwrap()),
        };
        EndpointSealer { endpoints: Arc::new(endpoints), principal: Principal::ANONYMOUS }
    }

    #[test]
    fn path_of_the_same_origin_is_sealed_and_opens_again() {
        for (named, path) in [
            ("/message?sessionId=1", "/message?sessionId=1"),
            ("message", "/base/message"),
            ("?s=1", "/base/sse?s=1"),
            ("http://127.0.0.1:3001/m", "/m"),
        ] {
            let sealer = sealer();
            let seen = sealer.seal(&sealer.path(named).unwrap()).unwrap();
            let reference = seen.strip_prefix("/notes/").unwrap();
            let opened = sealer.endpoints.open_path(&Principal::ANONYMOUS, reference).unwrap();
            assert_eq!(opened.as_str(), path);
        }
    }

    #[test]
    fn another_origin_is_not_taken() {
        for named in [
            "http://evil/m",
            "//evil/m",
            "https://127.0.0.1:3001/m",
            "http://127.0.0.1:3002/m",
            "http://u:p@127.0.0.1:3001/m",
            "javascript:alert(1)",
            "\\\\evil/m",
            "/a b",
            "/\t/evil",
            "",
        ] {
            assert_eq!(sealer().path(named), None, "{named}");
        }
    }
}
