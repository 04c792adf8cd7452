//! `routes`: names, paths, and what each kind of access may and must say.

use std::collections::HashMap;

use super::{authorization_server::Servers, implications, limits, protected, upstream};
use crate::{
    config::{
        file::{ConfigFile, Route},
        problem::{Place, Report},
        reader::{Field, Placed},
        settings::{Access, RouteSettings},
        values::AccessKind,
        web::Name,
    },
    oauth::{Implications, PublicOrigin},
};

pub(super) fn all(
    file: &ConfigFile,
    servers: &Servers,
    report: &mut Report<'_>,
) -> Option<Vec<RouteSettings>> {
    let implications = implications::implications(file, report);
    let routes = file.routes.placed()?;
    if routes.value.0.is_empty() {
        report.error(&routes.place, "no route: nothing would be served");
    }
    let mut seen = HashMap::new();
    let mut all = Vec::new();
    for (name, field) in &routes.value.0 {
        report_unusable_name(name, report);
        let Some(route) = field.value() else {
            // What cannot be read may use any server.
            servers.iter().for_each(super::authorization_server::Server::mark_used);
            all.push(None);
            continue;
        };
        let public_url = public_url(route, file.public_url.value());
        report_repeated_path(route, public_url, &mut seen, report);
        let subject = Subject { name, route, public_url, implications: implications.as_ref() };
        all.push(settings(&subject, servers, report));
    }
    all.into_iter().collect()
}

/// The route that is being compiled.
pub(super) struct Subject<'f> {
    pub(super) name: &'f Placed<Box<str>>,
    pub(super) route: &'f Route,
    pub(super) public_url: Option<&'f PublicOrigin>,
    pub(super) implications: Option<&'f Implications>,
}

fn settings(
    subject: &Subject<'_>,
    servers: &Servers,
    report: &mut Report<'_>,
) -> Option<RouteSettings> {
    let route = subject.route;
    let upstream = route.upstream.placed().and_then(|file| upstream::upstream(file, report));
    let subpaths = route.forward_subpaths.placed();
    if let Some(subpaths) = subpaths.filter(|subpaths| subpaths.value.0) {
        let message = "whatever the upstream has below the path is open to the route's scopes, \
                       and sessions named in paths or queries are bound to nobody";
        report.warning(&subpaths.place, message);
    }
    let rate_limit = limits::rate_limit(route, report);
    let access = match route.access.value() {
        Some(AccessKind::Protected) => {
            protected::protected(subject, servers, report).map(Box::new).map(Access::Protected)
        }
        Some(AccessKind::Public) => {
            report_protected_only(route, report);
            Some(Access::Public)
        }
        None => {
            servers.iter().for_each(super::authorization_server::Server::mark_used);
            None
        }
    };
    Some(RouteSettings {
        name: subject.name.value.clone(),
        public_url: subject.public_url?.clone(),
        has_own_public_url: route.public_url.value()?.is_some(),
        path: route.path.value()?.0.clone(),
        forward_subpaths: subpaths?.value.0,
        access: access?,
        rate_limit: rate_limit?,
        upstream: upstream?,
    })
}

fn public_url<'f>(route: &'f Route, global: Option<&'f PublicOrigin>) -> Option<&'f PublicOrigin> {
    match route.public_url.value() {
        Some(Some(own)) => Some(own),
        Some(None) => global,
        None => None,
    }
}

fn report_unusable_name(name: &Placed<Box<str>>, report: &mut Report<'_>) {
    if let Err(why) = name.value.parse::<Name>() {
        report.error(&name.place, why);
    }
    // Such a name would stand where a document of the gateway does (contract of public documents:
    // `/.well-known/<route name>/oauth-protected-resource`).
    if WELL_KNOWN_DOCUMENTS.contains(&&*name.value) {
        report
            .error(&name.place, "a route must not be named like a well-known document; rename it");
    }
}

const WELL_KNOWN_DOCUMENTS: [&str; 4] =
    ["oauth-protected-resource", "oauth-authorization-server", "openid-configuration", "jwks.json"];

fn report_repeated_path<'f>(
    route: &'f Route,
    public_url: Option<&'f PublicOrigin>,
    seen: &mut HashMap<(&'f str, &'f str), usize>,
    report: &mut Report<'_>,
) {
    let (Some(path), Some(public_url)) = (route.path.placed(), public_url) else { return };
    let key = (public_url.authority(), &*path.value.0);
    if let Some(line) = seen.get(&key) {
        let message = format!("the route of line {line} has this path and host already");
        report.error(&path.place, message);
    } else {
        seen.insert(key, path.place.line);
    }
}

fn report_protected_only(route: &Route, report: &mut Report<'_>) {
    let places = [
        written(&route.authorization_servers),
        written(&route.resource),
        written(&route.audiences),
        written(&route.audience_match),
        written(&route.basic_client_credentials),
        written(&route.required_scopes),
        written(&route.scopes_supported),
        written(&route.anonymous_methods),
        written(&route.tools),
        written(&route.prompts),
        written(&route.resources),
        written(&route.methods),
        written(&route.unlisted_tools),
        written(&route.filter_lists),
        written(&route.annotate_tools),
        written(&route.shadow),
        written(&route.tests),
        written(&route.metadata),
        written(&route.legacy_metadata),
    ];
    for place in places.into_iter().flatten() {
        report.error(place, "has no meaning with `access: public`; drop one of the two");
    }
}

/// Where a key stands, if it was written.
fn written<T>(field: &Field<T>) -> Option<&Place> {
    field.placed().filter(|placed| placed.is_written).map(|placed| &placed.place)
}
