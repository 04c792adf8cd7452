//! What a protected route asks of a token and publishes.

use url::Url;

use super::{
    authorization_server::{Server, Servers, texts},
    metadata,
    route::Subject,
    rules::{self, WrittenRules},
};
use crate::{
    config::{
        file::Route,
        problem::{Place, Report},
        reader::Placed,
        settings::{AudienceMatch, ProtectedSettings},
        suggest::closest,
        web::Name,
    },
    oauth::{Implications, ResourceIdentifier, Scope, ScopeToken},
};

pub(super) fn protected(
    subject: &Subject<'_>,
    servers: &Servers,
    report: &mut Report<'_>,
) -> Option<ProtectedSettings> {
    let route = subject.route;
    let servers = authorization_servers(subject, servers, report);
    let resource = resource(subject, report);
    let audiences = audiences(route, resource.as_ref(), report);
    report_weak_audience(route, report);
    let scopes = scopes(route, subject.implications, report);
    let written = WrittenRules::read(route, report);
    rules::report_offers(route, subject.implications, &written, report);
    let rules = rules::rules(subject, &written, report);
    let metadata = route.metadata.value().and_then(|fields| metadata::of_resource(fields, report));
    let (required_scopes, scopes_supported) = scopes?;
    if route.required_scopes.placed().is_some_and(|scopes| !scopes.is_written) {
        let message = "without it any token for this resource may do everything; write \
                       `required_scopes: []` if that is meant";
        report.warning(&subject.name.place.below("required_scopes"), message);
    }
    Some(ProtectedSettings {
        authorization_servers: servers?.iter().map(|server| server.name.clone()).collect(),
        resource: resource?,
        audiences: audiences?,
        audience_match: *route.audience_match.value()?,
        basic_client_credentials: route.basic_client_credentials.value()?.0,
        required_scopes,
        scopes_supported,
        metadata: metadata?,
        legacy_metadata: route.legacy_metadata.value()?.0,
        implications: subject.implications?.clone(),
        rules: rules?,
    })
}

fn authorization_servers<'s>(
    subject: &Subject<'_>,
    servers: &'s Servers,
    report: &mut Report<'_>,
) -> Option<Vec<&'s Server>> {
    let Some(field) = subject.route.authorization_servers.placed() else {
        servers.iter().for_each(Server::mark_used);
        return None;
    };
    let servers = match &field.value {
        Some(names) => named_servers(names, &field.place, servers, report),
        None => only_server(subject, servers, report).map(|server| vec![server]),
    }?;
    for server in &servers {
        server.mark_used();
    }
    report_compared_audience(subject, &servers, report);
    report_untold_scopes(subject, &servers, report);
    if let Some(mirror) = subject.route.legacy_metadata.placed()
        && mirror.value.0
        && servers.len() > 1
    {
        let message = "mirrors the metadata of one authorization server, and this route has \
                       several; list one, or drop this key";
        report.error(&mirror.place, message);
    }
    Some(servers)
}

fn named_servers<'s>(
    names: &[Placed<Name>],
    place: &Place,
    servers: &'s Servers,
    report: &mut Report<'_>,
) -> Option<Vec<&'s Server>> {
    let mut found: Vec<&Server> = Vec::new();
    for name in names {
        let Some(server) = servers.iter().find(|server| *server.name == *name.value.0) else {
            report_unknown_server(name, servers, report);
            continue;
        };
        server.mark_used();
        if found.iter().any(|other| other.name == server.name) {
            report.error(&name.place, "this authorization server is listed already; drop one");
        } else if let Some(other) =
            found.iter().find(|other| other.issuer().is_some() && other.issuer() == server.issuer())
        {
            let message = format!(
                "has the issuer of `{}`, so that a token could be either's; list one of them",
                other.name
            );
            report.error(&name.place, message);
        }
        found.push(server);
    }
    if names.is_empty() {
        report.error(place, "needs one authorization server (or `access: public`)");
    }
    (!found.is_empty() && found.len() == names.len()).then_some(found)
}

fn report_unknown_server(name: &Placed<Name>, servers: &Servers, report: &mut Report<'_>) {
    if !servers.is_complete() {
        return;
    }
    // Any of them may be the one that was meant.
    servers.iter().for_each(Server::mark_used);
    let known: Vec<_> = servers.iter().map(|server| &*server.name).collect();
    let remedy = match closest(&name.value.0, known.iter().copied()) {
        Some(close) => format!("; did you mean `{close}`?"),
        None if known.is_empty() => String::new(),
        None => format!("; known: {}", known.join(", ")),
    };
    report.error(&name.place, format!("no authorization server has this name{remedy}"));
}

/// Reports an audience that is to be compared where none is ever told.
fn report_compared_audience(subject: &Subject<'_>, servers: &[&Server], report: &mut Report<'_>) {
    let Some(how) = subject.route.audience_match.placed() else { return };
    let Some(server) = servers.iter().find(|server| server.uses_userinfo()) else { return };
    if how.value == AudienceMatch::Off {
        return;
    }
    let message = format!(
        "authorization server {} is asked at its userinfo endpoint, which names no audience: \
         write `audience_match: off` (any token of that server then opens this route), or have it \
         introspect or issue JWTs",
        server.name
    );
    let place =
        if how.is_written { how.place.clone() } else { subject.name.place.below("audience_match") };
    report.error(&place, message);
}

/// Warns of scopes that are required where the server may tell none.
fn report_untold_scopes(subject: &Subject<'_>, servers: &[&Server], report: &mut Report<'_>) {
    let is_silent = |server: &&&Server| server.uses_userinfo() && server.reads_usual_scopes();
    let Some(server) = servers.iter().find(is_silent) else { return };
    let required = subject.route.required_scopes.value().and_then(|scopes| scopes.first());
    if let Some(scope) = required {
        let message = format!(
            "authorization server {} is asked at its userinfo endpoint, whose answers rarely have a \
             scope: its tokens are then refused; write `required_scopes: []`, or name a claim that \
             the answers have in `claims.scope`",
            server.name
        );
        report.warning(&scope.place, message);
    }
}

fn only_server<'s>(
    subject: &Subject<'_>,
    servers: &'s Servers,
    report: &mut Report<'_>,
) -> Option<&'s Server> {
    let mut all = servers.iter();
    match (all.next(), all.next()) {
        (Some(only), None) => return Some(only),
        (None, _) if servers.is_complete() => {
            let message = "a protected route needs an authorization server: add one under \
                           `authorization_servers`";
            report.error(&subject.name.place, message);
        }
        (None, _) => {}
        (Some(_), Some(_)) => {
            servers.iter().for_each(Server::mark_used);
            let names: Vec<_> = servers.iter().map(|server| &*server.name).collect();
            let place = subject.name.place.below("authorization_servers");
            let message = format!("this key is required: name one or more of {}", names.join(", "));
            report.error(&place, message);
        }
    }
    None
}

fn resource(subject: &Subject<'_>, report: &mut Report<'_>) -> Option<ResourceIdentifier> {
    let public_url = subject.public_url?;
    let path = subject.route.path.value().map(|path| path.0.trim_end_matches('/'));
    let Some((resource, place)) = subject.route.resource.given() else {
        // A faulty `resource` is not a missing one.
        subject.route.resource.placed()?;
        return format!("{public_url}{}", path?).parse().ok();
    };
    if let Some(path) = path {
        // Compared as text, as clients and `aud` are: an upper-case host is another resource.
        let prefix = resource.as_str().strip_prefix(public_url.as_str());
        let rest = prefix.and_then(|prefix| path.strip_prefix(prefix.trim_end_matches('/')));
        if rest.is_none_or(|rest| !rest.is_empty() && !rest.starts_with('/')) {
            let message = "clients refuse a resource that is neither the URL they call nor a \
                           parent of it (RFC 9728 section 3.3)";
            report.warning(place, message);
        }
    }
    Some(resource.clone())
}

fn audiences(
    route: &Route,
    resource: Option<&ResourceIdentifier>,
    report: &mut Report<'_>,
) -> Option<Vec<Box<str>>> {
    let written = route.audiences.placed()?;
    if !written.value.is_empty() {
        let is_compared = route
            .audience_match
            .value()
            .is_none_or(|how| matches!(how, AudienceMatch::Exact | AudienceMatch::Prefix));
        if !is_compared {
            let message =
                "not compared with `audience_match: off` or `client_id`; drop one of the two";
            report.error(&written.place, message);
        }
        return Some(texts(&written.value));
    }
    let text = resource?.as_str();
    let mut audiences = vec![Box::from(text)];
    // RFC 3986 section 6.2.3: an empty path and `/` name the same resource.
    if Url::parse(text).is_ok_and(|url| url.path() == "/") {
        let other = text.strip_suffix('/').map_or_else(|| format!("{text}/"), ToOwned::to_owned);
        audiences.push(other.into());
    }
    Some(audiences)
}

fn report_weak_audience(route: &Route, report: &mut Report<'_>) {
    let Some(how) = route.audience_match.placed() else { return };
    match how.value {
        AudienceMatch::Off => {
            let message = "tokens that were issued for other resources are accepted here too";
            report.warning(&how.place, message);
        }
        AudienceMatch::ClientId => {
            let message = "tokens name their client, not this resource: a token for any other \
                           resource of the same client is accepted here too";
            report.warning(&how.place, message);
        }
        AudienceMatch::Exact | AudienceMatch::Prefix => {}
    }
}

/// Required and supported scopes.
fn scopes(
    route: &Route,
    implications: Option<&Implications>,
    report: &mut Report<'_>,
) -> Option<(Scope, Scope)> {
    let required = route.required_scopes.value();
    let supported = route.scopes_supported.value();
    for scope in required.into_iter().flatten().filter(|scope| is_offline_access(scope)) {
        let message = "`offline_access` asks for a refresh token and is no scope of a resource; \
                       drop it";
        report.error(&scope.place, message);
    }
    for scope in supported.into_iter().flatten().flatten() {
        if is_offline_access(scope) {
            let message = "`offline_access` is between client and authorization server; a \
                           resource should not publish it";
            report.warning(&scope.place, message);
        }
    }
    let required_set = set(required?);
    match supported? {
        Some(supported) => {
            let offered = set(supported);
            let is_offered = |scope: &Placed<ScopeToken>| {
                implications.is_none_or(|implied| implied.grant(&offered, &scope.value))
            };
            for scope in required?.iter().filter(|scope| !is_offered(scope)) {
                let message = "required, but not in `scopes_supported`: clients that ask for what \
                               is published never get in";
                report.warning(&scope.place, message);
            }
            Some((required_set, offered))
        }
        None => Some((required_set.clone(), required_set)),
    }
}

fn is_offline_access(scope: &Placed<ScopeToken>) -> bool {
    scope.value.as_str() == "offline_access"
}

fn set(scopes: &[Placed<ScopeToken>]) -> Scope {
    scopes.iter().map(|scope| scope.value.clone()).collect()
}
