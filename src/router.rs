//! Routing: from an admitted target to what answers it.
//!
//! In this order (the contract's steps 2 and 3):
//! 1. The host must be ours; a route with a public URL of its own is served under that host only.
//! 2. `/.well-known/` at the root and below a route belongs to public documents: exact paths,
//!    never forwarded.
//! 3. The longest route that matches whole segments wins. Below a route there are only our own
//!    sealed references, unless it forwards what is below it.
//! 4. `Origin`, when present, must be allowed.
//! 5. `OPTIONS` is answered here; other methods than GET, POST and DELETE are refused, and so is a
//!    body on GET or DELETE.
//!
//! Paths are compared byte for byte: nothing is decoded or normalised.

mod hosts;

use std::{collections::HashMap, sync::Arc};

use http::{HeaderValue, Method};

pub use self::hosts::Hosts;
use crate::{
    admission::{Authority, Target},
    authenticate::authorization_server::AuthorizationServer,
    forward::session::Sealer,
    resource::{ProtectedResource, metadata::Document},
};

/// What answers a request.
#[derive(Debug)]
pub enum Destination<'a> {
    /// A document that needs no token.
    Document(&'a PublicDocument),
    /// A route, asked by a browser what it may send.
    Preflight(&'a Arc<ProtectedResource>),
    /// A document path, asked by a browser what it may send.
    PublicPreflight,
    /// A route.
    Resource(&'a Arc<ProtectedResource>, Below),
}

/// What of a path lies below its route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Below {
    /// Nothing.
    Nothing,
    /// What may be a sealed reference.
    Reference(Box<str>),
    /// A path that the route forwards, with its slash.
    Path(Box<str>),
}

/// A document under `/.well-known/`.
#[derive(Clone, Debug)]
pub enum PublicDocument {
    /// An authorization server's own metadata, once it is known.
    AuthorizationServer(Arc<AuthorizationServer>),
    /// The public halves of our own signing keys.
    KeySet(Document),
    /// A route's metadata.
    Resource(Document),
}

/// Why nothing answers a request.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// The path belongs to public documents, and there is none.
    #[error("there is no document at this path")]
    DocumentNotFound,
    /// The method is not served at a document.
    #[error("public documents are read with GET and HEAD")]
    DocumentMethod,
    /// The host is not ours.
    #[error("Host is {0}: listen.allowed_hosts would serve it")]
    Host(Box<str>),
    /// The method is not served at a route.
    #[error("routes take GET, POST and DELETE; a message endpoint takes POST")]
    Method(Arc<ProtectedResource>, &'static str),
    /// No route has this path.
    #[error("no route has this path: compare routes.*.path, and the Host with its public_url")]
    NotFound,
    /// The web origin is not allowed.
    #[error("Origin is not allowed: listen.allowed_origins would allow it")]
    Origin(Arc<ProtectedResource>),
    /// A GET or DELETE came with a body.
    #[error("a GET or DELETE takes no body")]
    UnexpectedBody(Arc<ProtectedResource>),
}

/// Routes and documents by host.
#[derive(Debug)]
pub struct Router {
    hosts: Hosts,
    sites: Vec<Site>,
}

/// What is served under one public origin.
#[derive(Debug, Default)]
pub struct Site {
    /// Its documents, by path.
    pub documents: HashMap<Box<str>, PublicDocument>,
    /// Its routes, the longest path first.
    pub resources: Vec<Arc<ProtectedResource>>,
}

impl Router {
    /// A router over sites; `hosts` says which site a host belongs to.
    pub fn new(hosts: Hosts, mut sites: Vec<Site>) -> Self {
        for site in &mut sites {
            site.resources.sort_by_key(|resource| std::cmp::Reverse(resource.path.len()));
        }
        Self { hosts, sites }
    }

    /// The authority that most requests name.
    pub fn usual_authority(&self) -> Option<&Authority> {
        self.hosts.usual()
    }

    /// Finds what answers a request.
    pub fn route<'a>(
        &'a self,
        method: &Method,
        origin: Option<&HeaderValue>,
        target: &Target,
        has_body: bool,
    ) -> Result<Destination<'a>, RouteError> {
        let misdirected = || RouteError::Host(target.authority().to_string().into());
        let site = self.hosts.site(target.authority()).ok_or_else(misdirected)?;
        let site = self.sites.get(site).ok_or_else(misdirected)?;
        let path = target.path();
        let may_be_public = path.contains("/.well-known");
        if may_be_public && path.split('/').any(|segment| segment == ".well-known") {
            let document = site.documents.get(path).ok_or(RouteError::DocumentNotFound)?;
            return document_for(method, document);
        }
        let (resource, below) = site.resource(path).ok_or(RouteError::NotFound)?;
        if origin.is_some_and(|origin| !resource.origins.allow(origin)) {
            return Err(RouteError::Origin(Arc::clone(resource)));
        }
        let is_endpoint = matches!(below, Below::Reference(_));
        match *method {
            Method::OPTIONS => Ok(Destination::Preflight(resource)),
            Method::GET | Method::DELETE if is_endpoint => {
                Err(RouteError::Method(Arc::clone(resource), "POST, OPTIONS"))
            }
            Method::GET | Method::DELETE if has_body => {
                Err(RouteError::UnexpectedBody(Arc::clone(resource)))
            }
            Method::GET | Method::POST | Method::DELETE => {
                Ok(Destination::Resource(resource, below))
            }
            _ if is_endpoint => Err(RouteError::Method(Arc::clone(resource), "POST, OPTIONS")),
            _ => Err(RouteError::Method(Arc::clone(resource), "GET, POST, DELETE, OPTIONS")),
        }
    }
}

fn document_for<'a>(
    method: &Method,
    document: &'a PublicDocument,
) -> Result<Destination<'a>, RouteError> {
    match *method {
        Method::GET | Method::HEAD => Ok(Destination::Document(document)),
        Method::OPTIONS => Ok(Destination::PublicPreflight),
        _ => Err(RouteError::DocumentMethod),
    }
}

impl Site {
    fn resource(&self, path: &str) -> Option<(&Arc<ProtectedResource>, Below)> {
        self.resources.iter().find_map(|resource| {
            let base = resource.path.trim_end_matches('/');
            let below = below(path.strip_prefix(base)?, resource.forwards_subpaths)?;
            Some((resource, below))
        })
    }
}

/// Reads what follows a route's path; `None` when the route does not serve it.
fn below(rest: &str, forwards_subpaths: bool) -> Option<Below> {
    // The path itself, or with a lone trailing slash.
    if matches!(rest, "" | "/") {
        return Some(Below::Nothing);
    }
    let segment = rest.strip_prefix('/')?;
    if Sealer::is_plausible(segment) {
        return Some(Below::Reference(segment.into()));
    }
    forwards_subpaths.then(|| Below::Path(rest.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_references_lie_below_a_route_unless_it_forwards_subpaths() {
        let reference = "A".repeat(200);
        let below_reference = format!("/{reference}");
        assert_eq!(below("", false), Some(Below::Nothing));
        assert_eq!(below("/", false), Some(Below::Nothing));
        assert_eq!(below("-admin", true), None);
        assert_eq!(below("/x", false), None);
        assert_eq!(below("/x", true), Some(Below::Path("/x".into())));
        assert_eq!(below(&below_reference, false), Some(Below::Reference(reference.into())));
        assert_eq!(below(&format!("{below_reference}/x"), false), None);
    }
}
