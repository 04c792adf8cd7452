//! `gatehouse check --online`: asks the authorization servers and upstreams of a configuration.
//!
//! 1. Everything is asked as the gateway would ask it: the same clients, trust, credentials and
//!    bounds; redirects are named, not followed.
//! 2. Each thing looked at is one [`Finding`]: verdict, what was seen, what to write and where.
//! 3. Only servers that a protected route uses are asked, and each route's upstream.
//!
//! It changes nothing: no token is kept, no session left open, nothing is called but `initialize`
//! and `server/discover`.

pub(in crate::cli) mod finding;

mod clock;
mod for_clients;
mod introspection;
mod key_set;
mod metadata;
mod own_token;
mod upstream;
mod userinfo;

use std::sync::Arc;

use http::{HeaderMap, header};

pub(in crate::cli) use self::finding::{Finding, Verdict};
use self::finding::{Findings, quoted};
use crate::{
    authenticate::{client_authentication::Client, discovery::Discovered, outbound::Outbound},
    clock::Clock,
    config::{
        Loaded,
        settings::{
            Access, AccessTokens, AuthorizationServerSettings, ProtectedSettings, Settings,
        },
    },
};

/// One authorization server, with what it is asked by and for.
struct Asked<'a> {
    settings: &'a AuthorizationServerSettings,
    outbound: &'a Outbound,
    client: &'a Client,
    clock: &'a Arc<dyn Clock>,
    /// The routes that take its tokens.
    routes: Vec<&'a ProtectedSettings>,
    is_one_of_several: bool,
}

/// Asks everybody that the configuration names.
pub(in crate::cli) async fn ask(loaded: &Loaded, clock: &Arc<dyn Clock>) -> Vec<Finding> {
    let mut found = Vec::new();
    let settings = &loaded.settings;
    for server in &settings.authorization_servers {
        let routes = uses(settings, server);
        if routes.is_empty() {
            continue;
        }
        let subject = format!("authorization_servers.{}", server.name);
        let mut findings = Findings::about(subject, &loaded.places);
        let client = Client::new(server, Arc::clone(clock));
        let timeout = server.introspection.timeout;
        match Outbound::new(server.tls_ca_pem.as_deref(), client.tls_identity(), timeout) {
            Ok(outbound) => {
                let is_one_of_several = settings.authorization_servers.len() > 1;
                let (settings, outbound, client) = (&**server, &outbound, &client);
                let asked = Asked { settings, outbound, client, clock, routes, is_one_of_several };
                authorization_server(&asked, &mut findings).await;
            }
            Err(error) => findings.error("tls", error.to_string(), "tls.ca", "name a PEM bundle"),
        }
        found.append(&mut findings.finish());
    }
    for route in &settings.routes {
        let mut findings = Findings::about(format!("routes.{}", route.name), &loaded.places);
        upstream::check(route, clock, &mut findings).await;
        found.append(&mut findings.finish());
    }
    found
}

async fn authorization_server(asked: &Asked<'_>, findings: &mut Findings<'_>) {
    let Some(known) = metadata::check(asked, findings).await else { return };
    service_accounts(asked, &known.discovered, findings);
    let (kind, discovered) = (asked.settings.access_tokens, &known.discovered);
    match &discovered.introspection_endpoint {
        Some(endpoint) if kind.are_introspected() => {
            introspection::check(asked, &known, endpoint, findings).await;
        }
        _ => own_token::resource_indicators(asked, known.provider, findings),
    }
    if let (true, Some(url)) = (kind.are_verified_here(), &discovered.jwks_uri) {
        key_set::check(asked, url, findings).await;
    }
    if let (AccessTokens::Userinfo, Some(endpoint)) = (kind, &discovered.userinfo_endpoint) {
        userinfo::check(asked, endpoint, findings).await;
    }
}

/// Whether their credentials can be exchanged, where routes take them from this server alone.
fn service_accounts(asked: &Asked<'_>, discovered: &Discovered, findings: &mut Findings<'_>) {
    let takes_them = |route: &&ProtectedSettings| {
        route.basic_client_credentials && route.authorization_servers.len() == 1
    };
    if !asked.routes.iter().any(takes_them) {
        return;
    }
    if let Some(url) = &discovered.token_endpoint {
        return findings.ok("service_accounts", format!("they are exchanged at {url}"));
    }
    let seen = "routes take client credentials (basic_client_credentials), and there is no \
                token_endpoint to exchange them at: each is answered 503";
    let write = "write the token endpoint here (https, or http on loopback)";
    findings.error("service_accounts", seen, "metadata.token_endpoint", write);
}

/// The protected routes that take a server's tokens.
fn uses<'a>(
    settings: &'a Settings,
    server: &AuthorizationServerSettings,
) -> Vec<&'a ProtectedSettings> {
    let protected = settings.routes.iter().filter_map(|route| match &route.access {
        Access::Protected(protected) => Some(&**protected),
        Access::Public => None,
    });
    protected.filter(|route| route.authorization_servers.contains(&server.name)).collect()
}

/// Where a redirect leads, without its query.
fn location(headers: &HeaderMap) -> String {
    let to = headers.get(header::LOCATION).and_then(|to| to.to_str().ok());
    to.map_or("nowhere".to_owned(), |to| quoted(to.split(['?', '#']).next().unwrap_or_default()))
}
