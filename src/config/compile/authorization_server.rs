//! `authorization_servers`: issuers, credentials, introspection, claims.

use std::{cell::Cell, sync::Arc, time::Duration};

use url::Url;

use super::{
    access_tokens::access_tokens,
    bounds::{DAY, MINUTE, SHORTEST, count, duration},
    client, metadata,
};
use crate::{
    config::{
        file::{self, ConfigFile},
        problem::{Place, Report},
        reader::{Field, Placed},
        settings::{
            AccessTokens, AuthorizationServerSettings, ClaimNames, IntrospectionSettings,
            JwtSettings,
        },
        values::Text,
        web::Name,
    },
    oauth::Issuer,
};

/// All entries, and which of them the routes use.
pub(super) struct Servers {
    entries: Vec<Server>,
    /// Whether the section itself could be read.
    is_readable: bool,
}

/// One entry.
pub(super) struct Server {
    pub(super) name: Box<str>,
    pub(super) place: Place,
    settings: Option<Arc<AuthorizationServerSettings>>,
    is_used: Cell<bool>,
}

impl Servers {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Server> {
        self.entries.iter()
    }

    /// Whether a name that is not here is certainly wrong.
    pub(super) fn is_complete(&self) -> bool {
        self.is_readable
    }

    pub(super) fn settings(&self) -> Option<Vec<Arc<AuthorizationServerSettings>>> {
        self.entries.iter().map(|server| server.settings.clone()).collect()
    }

    pub(super) fn report_unused(&self, report: &mut Report<'_>) {
        for server in self.entries.iter().filter(|server| !server.is_used.get()) {
            report.warning(&server.place, "no protected route uses this authorization server");
        }
    }
}

impl Server {
    pub(super) fn mark_used(&self) {
        self.is_used.set(true);
    }

    /// Its issuer, when its section is right.
    pub(super) fn issuer(&self) -> Option<&Issuer> {
        self.settings.as_ref().map(|settings| &settings.issuer)
    }

    /// Whether its tokens are shown to its userinfo endpoint.
    pub(super) fn uses_userinfo(&self) -> bool {
        let kind = self.settings.as_ref().map(|settings| settings.access_tokens);
        kind == Some(AccessTokens::Userinfo)
    }

    /// Whether scopes are looked for where introspection and JWTs have them, and nowhere else.
    pub(super) fn reads_usual_scopes(&self) -> bool {
        let names = self.settings.as_ref().map(|settings| &settings.claims.scope);
        names.is_some_and(|names| names.iter().all(|name| ["scope", "scp"].contains(&&**name)))
    }
}

pub(super) fn all(file: &ConfigFile, report: &mut Report<'_>) -> Servers {
    let Some(entries) = file.authorization_servers.value() else {
        return Servers { entries: Vec::new(), is_readable: false };
    };
    let servers = entries.0.iter().map(|(name, field)| entry(name, field, report)).collect();
    let servers = Servers { entries: servers, is_readable: true };
    for (name, field) in &entries.0 {
        report_issuers_of_others(&name.value, field, &servers, report);
    }
    servers
}

/// A token that names a configured server is that server's, and no other speaks for it.
fn report_issuers_of_others(
    name: &str,
    field: &Field<file::AuthorizationServer>,
    servers: &Servers,
    report: &mut Report<'_>,
) {
    let accepted = field.value().and_then(|server| {
        Some((server.issuer.value()?, server.introspection.value()?.accepted_issuers.value()?))
    });
    let Some((own, accepted)) = accepted else { return };
    for issuer in accepted {
        let is_named = |other: &&Server| {
            let found = other.issuer().filter(|found| *found != own);
            *other.name != *name && found.is_some_and(|found| *found.as_str() == *issuer.value.0)
        };
        if let Some(other) = servers.iter().find(is_named) {
            let message = format!(
                "is the issuer of `{0}`, whose tokens are judged by `{0}` alone; drop it, and list \
                 `{0}` on the routes that take its tokens",
                other.name
            );
            report.error(&issuer.place, message);
        }
    }
}

fn entry(
    name: &Placed<Box<str>>,
    field: &Field<file::AuthorizationServer>,
    report: &mut Report<'_>,
) -> Server {
    let is_name = name.value.parse::<Name>().map_err(|why| report.error(&name.place, why)).is_ok();
    let settings = field.value().and_then(|server| settings(&name.value, server, report));
    Server {
        name: name.value.clone(),
        place: name.place.clone(),
        settings: settings.filter(|_| is_name).map(Arc::new),
        is_used: Cell::new(false),
    }
}

fn settings(
    name: &str,
    file: &file::AuthorizationServer,
    report: &mut Report<'_>,
) -> Option<AuthorizationServerSettings> {
    let insecure = file.insecure_allow_http.placed();
    let is_http_allowed = insecure.is_none_or(|insecure| insecure.value.0);
    if let Some(insecure) = insecure.filter(|insecure| insecure.value.0) {
        report.warning(&insecure.place, "tokens and client secrets may travel unencrypted");
    }
    if let Some(issuer) = file.issuer.placed()
        && let Ok(url) = Url::parse(issuer.value.as_str())
    {
        metadata::report_insecure(&url, &issuer.place, is_http_allowed, report);
    }
    if let Some((url, place)) = file.metadata_url.given() {
        metadata::report_insecure(&url.0, place, is_http_allowed, report);
    }
    let metadata = file.metadata.value().and_then(|fields| {
        metadata::of_authorization_server(fields, file.issuer.value(), is_http_allowed, report)
    });
    let access_tokens = access_tokens(file, report);
    let clock_skew = duration(&file.clock_skew, Duration::ZERO..=10 * MINUTE, report);
    let client = client::client(&file.client, report);
    let introspection = file.introspection.value().and_then(|file| introspection(file, report));
    let jwt = file.jwt.value().and_then(|file| jwt(file, report));
    let claims = file.claims.value().and_then(|file| claims(file, report));
    Some(AuthorizationServerSettings {
        name: name.into(),
        issuer: file.issuer.value()?.clone(),
        metadata_url: file.metadata_url.value()?.as_ref().map(|url| url.0.clone()),
        metadata: metadata?,
        access_tokens: access_tokens?,
        clock_skew: clock_skew?,
        client: client?,
        introspection: introspection?,
        jwt: jwt?,
        claims: claims?,
        tls_ca_pem: file.tls.value()?.ca.value()?.as_ref().map(|ca| Arc::clone(&ca.0)),
        insecure_allow_http: is_http_allowed,
    })
}

fn introspection(
    file: &file::Introspection,
    report: &mut Report<'_>,
) -> Option<IntrospectionSettings> {
    let timeout = duration(&file.timeout, SHORTEST..=MINUTE, report);
    let cache = file.cache.value()?;
    let cache_ttl = duration(&cache.ttl, Duration::ZERO..=DAY, report);
    let cache_negative_ttl = duration(&cache.negative_ttl, Duration::ZERO..=10 * MINUTE, report);
    let cache_max_entries = count(&cache.max_entries, 1..=100_000_000, report);
    let stale_if_error = duration(&cache.stale_if_error, Duration::ZERO..=DAY, report);
    Some(IntrospectionSettings {
        timeout: timeout?,
        sends_token_type_hint: file.token_type_hint.value()?.is_some(),
        accepted_issuers: texts(file.accepted_issuers.value()?),
        cache_ttl: cache_ttl?,
        cache_negative_ttl: cache_negative_ttl?,
        cache_max_entries: cache_max_entries?,
        stale_if_error: stale_if_error?,
    })
}

fn jwt(file: &file::Jwt, report: &mut Report<'_>) -> Option<JwtSettings> {
    let algorithms = file.algorithms.placed().and_then(|placed| {
        if placed.value.is_empty() {
            report.error(&placed.place, "needs at least one algorithm, such as RS256");
            return None;
        }
        Some(placed.value.iter().map(|algorithm| algorithm.value).collect())
    });
    let cache = file.cache.value()?;
    let cache_max_entries = count(&cache.max_entries, 1..=100_000_000, report);
    Some(JwtSettings {
        algorithms: algorithms?,
        required_type: *file.required_type.value()?,
        cache_max_entries: cache_max_entries?,
    })
}

fn claims(file: &file::Claims, report: &mut Report<'_>) -> Option<ClaimNames> {
    let mut names = |field: &Field<Vec<Placed<Text>>>| {
        let placed = field.placed()?;
        if placed.value.is_empty() {
            report.error(&placed.place, "needs at least one claim name");
            return None;
        }
        for name in placed.value.iter().filter(|name| !is_claim_name(&name.value.0)) {
            let message = "begins with `/` but is no JSON pointer (RFC 6901): `~` is written `~0`, \
                           and a `/` within a name `~1`";
            report.error(&name.place, message);
        }
        Some(texts(&placed.value))
    };
    let (scope, subject, client_id) =
        (names(&file.scope), names(&file.subject), names(&file.client_id));
    let prefixes = file.scope_prefixes.value()?.iter();
    Some(ClaimNames {
        scope: scope?,
        subject: subject?,
        client_id: client_id?,
        scope_prefixes: prefixes.map(|prefix| prefix.value.as_str().into()).collect(),
        kept: Vec::new(),
    })
}

/// Whether a claim can be found by this: any name, or a well-formed JSON pointer.
fn is_claim_name(name: &str) -> bool {
    let escapes = |text: &str| text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    !name.starts_with('/') || escapes(name)
}

/// The texts of a list.
pub(super) fn texts(placed: &[Placed<Text>]) -> Vec<Box<str>> {
    placed.iter().map(|text| text.value.0.clone()).collect()
}
