//! Which public documents a site has, and where.

use std::sync::Arc;

use crate::{
    authenticate::authorization_server::AuthorizationServer,
    config::settings::{ProtectedSettings, RouteSettings, Settings},
    resource::metadata,
    router::{PublicDocument, Site},
};

/// Where the metadata of a route is found.
pub(super) fn of_route(
    site: &mut Site,
    route: &RouteSettings,
    protected: &ProtectedSettings,
    servers: &[Arc<AuthorizationServer>],
) {
    let path = route.path.trim_end_matches('/');
    let well_known = metadata::WELL_KNOWN;
    let issuers: Vec<_> = servers.iter().map(|server| &server.settings().issuer).collect();
    let document = PublicDocument::Resource(metadata::Document::resource(protected, &issuers));
    let named = format!("/.well-known/{}/oauth-protected-resource", route.name);
    for place in [format!("{well_known}{path}"), format!("{path}{well_known}"), named] {
        site.documents.insert(place.into(), document.clone());
    }
    if let ([server], true) = (servers, protected.legacy_metadata) {
        let place = format!("{}{path}", metadata::WELL_KNOWN_AUTHORIZATION_SERVER);
        let document = PublicDocument::AuthorizationServer(Arc::clone(server));
        site.documents.insert(place.into(), document);
    }
}

/// The documents at the root, where there is only one that they could mean.
pub(super) fn at_root(site: &mut Site) {
    for root in [metadata::WELL_KNOWN, metadata::WELL_KNOWN_AUTHORIZATION_SERVER] {
        let below = |path: &str| path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'));
        let mut candidates = site.documents.iter().filter(|(path, _)| below(path));
        let (only, others) = (candidates.next(), candidates.next().is_some());
        if let (Some((_, document)), false) = (only, others || site.documents.contains_key(root)) {
            let document = document.clone();
            site.documents.insert(root.into(), document);
        }
    }
}

/// Our key set, under every public origin: an authorization server may know any of them.
pub(super) fn key_set(sites: &mut [Site], settings: &Settings) {
    let Some(document) = metadata::Document::key_set(settings) else { return };
    for site in sites {
        let document = PublicDocument::KeySet(document.clone());
        site.documents.insert(metadata::WELL_KNOWN_KEY_SET.into(), document);
    }
}
