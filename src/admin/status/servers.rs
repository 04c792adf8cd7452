//! Authorization servers: what is known of them, their keys and what is remembered of tokens.

use serde::Serialize;
use url::Url;

use super::without_secrets;
use crate::{
    authenticate::{
        authorization_server::AuthorizationServer, key_set::source::KeySetReport,
        provider::Provider,
    },
    config::settings::AccessTokens,
    snapshot::Snapshot,
};

/// One authorization server.
#[derive(Debug, Serialize)]
pub(in crate::admin) struct Server {
    pub(in crate::admin) name: String,
    pub(in crate::admin) issuer: String,
    pub(in crate::admin) provider: Option<&'static str>,
    pub(in crate::admin) access_tokens: &'static str,
    pub(in crate::admin) is_ready: bool,
    /// Why not.
    pub(in crate::admin) reason: Option<String>,
    /// Nothing before its metadata was found.
    pub(in crate::admin) endpoints: Option<Endpoints>,
    /// Nothing where tokens are not verified here.
    pub(in crate::admin) key_set: Option<Keys>,
    pub(in crate::admin) token_cache: Cache,
    pub(in crate::admin) questions: Questions,
}

#[derive(Debug, Serialize)]
pub(in crate::admin) struct Endpoints {
    pub(in crate::admin) introspection: Option<String>,
    pub(in crate::admin) jwks: Option<String>,
    pub(in crate::admin) token: Option<String>,
    pub(in crate::admin) userinfo: Option<String>,
}

#[derive(Debug, Serialize)]
pub(in crate::admin) struct Keys {
    pub(in crate::admin) count: usize,
    /// The first of their names.
    pub(in crate::admin) kids: Vec<String>,
    pub(in crate::admin) age_seconds: Option<u64>,
    pub(in crate::admin) next_fetch_seconds: Option<u64>,
    pub(in crate::admin) last_failure: Option<String>,
    pub(in crate::admin) not_used: Vec<String>,
}

/// What is remembered of tokens, and what looks into it found.
#[derive(Debug, Serialize)]
pub(in crate::admin) struct Cache {
    pub(in crate::admin) entries: i64,
    pub(in crate::admin) hits: u64,
    pub(in crate::admin) negative_hits: u64,
    pub(in crate::admin) misses: u64,
    pub(in crate::admin) coalesced: u64,
    pub(in crate::admin) stale: u64,
}

/// Questions about tokens, by how they ended.
#[derive(Debug, Serialize)]
pub(in crate::admin) struct Questions {
    pub(in crate::admin) active: u64,
    pub(in crate::admin) inactive: u64,
    pub(in crate::admin) error: u64,
    pub(in crate::admin) timeout: u64,
}

pub(super) fn all(snapshot: &Snapshot) -> Vec<Server> {
    // In the file's order.
    let named = snapshot.settings.authorization_servers.iter().filter_map(|settings| {
        snapshot.authorization_servers.iter().find(|server| server.settings().name == settings.name)
    });
    named.map(|server| read(server)).collect()
}

fn read(server: &AuthorizationServer) -> Server {
    let settings = server.settings();
    let reason = server.not_ready().map(|why| without_secrets(&why.to_string()));
    let metrics = server.metrics();
    server.refresh_gauges();
    Server {
        name: settings.name.to_string(),
        issuer: settings.issuer.as_str().to_owned(),
        provider: server.provider().map(Provider::name),
        access_tokens: match settings.access_tokens {
            AccessTokens::Auto => "auto",
            AccessTokens::Introspection => "introspection",
            AccessTokens::Jwt => "jwt",
            AccessTokens::Userinfo => "userinfo",
        },
        is_ready: reason.is_none(),
        reason,
        endpoints: server.discovered().map(|found| Endpoints {
            introspection: shown(found.introspection_endpoint.as_ref()),
            jwks: shown(found.jwks_uri.as_ref()),
            token: shown(found.token_endpoint.as_ref()),
            userinfo: shown(found.userinfo_endpoint.as_ref()),
        }),
        key_set: server.key_set().map(keys),
        token_cache: Cache {
            entries: metrics.entries.get(),
            hits: metrics.hit.get(),
            negative_hits: metrics.negative_hit.get(),
            misses: metrics.miss.get(),
            coalesced: metrics.coalesced.get(),
            stale: metrics.stale.get(),
        },
        questions: Questions {
            active: metrics.active.get(),
            inactive: metrics.inactive.get(),
            error: metrics.error.get(),
            timeout: metrics.timeout.get(),
        },
    }
}

fn keys(report: KeySetReport) -> Keys {
    let cut = |text: &str| text.chars().take(MAX_CHARACTERS).collect();
    Keys {
        count: report.keys,
        kids: report.names.iter().take(MAX_NAMES).map(|name| cut(name)).collect(),
        age_seconds: report.age.map(|age| age.as_secs()),
        next_fetch_seconds: report.next_fetch.map(|wait| wait.as_secs()),
        last_failure: report.last_failure.map(|why| without_secrets(&why)),
        not_used: report.not_used.iter().map(|why| cut(why)).collect(),
    }
}

fn shown(url: Option<&Url>) -> Option<String> {
    url.map(|url| without_secrets(url.as_str()))
}

/// Of a text that an authorization server wrote.
const MAX_CHARACTERS: usize = 200;
const MAX_NAMES: usize = 20;
