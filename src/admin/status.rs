//! What `/status` shows: one reading of everything that operators ask about.
//!
//! 1. It is put together when it is asked for; nothing is kept for it but the last refusals.
//! 2. Page and JSON come from the same reading, so that they cannot disagree.
//! 3. URLs are shown without what may be a secret in them, whatever they were written with.
//!
//! It reads and changes nothing.

mod routes;
mod servers;

use std::{net::SocketAddr, sync::Arc};

use serde::Serialize;

pub(super) use self::{
    routes::{Route, Upstream},
    servers::{Questions, Server},
};
use super::Admin;
use crate::{
    clock::rfc3339,
    logging::audit::AuditStream,
    snapshot::{Reading, Refusal, Snapshot},
};

/// Everything, in this order.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    pub(super) version: &'static str,
    pub(super) revision: &'static str,
    pub(super) time: Option<String>,
    pub(super) uptime_seconds: u64,
    pub(super) is_ready: bool,
    /// Why not.
    pub(super) reasons: Vec<String>,
    pub(super) configuration: Configuration,
    pub(super) listeners: Listeners,
    pub(super) routes: Vec<Route>,
    pub(super) authorization_servers: Vec<Server>,
    /// The answer to a question about one request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) asked: Option<Asked>,
    pub(super) refusals: Vec<Arc<Refusal>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Configuration {
    pub(super) file: Option<String>,
    pub(super) generation: u64,
    pub(super) in_force_since: Option<String>,
    /// What became of the file when it was last read, after the first time.
    pub(super) last_reload: Option<Reading>,
}

#[derive(Debug, Serialize)]
pub(super) struct Listeners {
    pub(super) public_url: String,
    pub(super) listen: SocketAddr,
    pub(super) tls: bool,
    /// When the listener's certificate ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) certificate_expires: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) certificate_days_left: Option<i64>,
    pub(super) connections: i64,
    /// How many are served at once: as configured, or what there are descriptors for.
    pub(super) max_connections: usize,
    pub(super) admin: SocketAddr,
    pub(super) audit: Option<String>,
    pub(super) audit_lines_dropped: u64,
}

/// A question about one request.
#[derive(Debug, Serialize)]
pub(super) struct Asked {
    pub(super) request_id: String,
    /// Nothing when it is not among the last refusals.
    pub(super) refusal: Option<Arc<Refusal>>,
}

impl Admin {
    /// Reads it all; `request_id` is looked for among the refusals.
    pub(super) fn status(&self, request_id: Option<&str>) -> Status {
        let snapshot = self.in_force.load();
        let reasons = self.reasons(&snapshot);
        let now = self.clock.unix_seconds();
        let refusals = &snapshot.annals.refusals;
        let uptime = self.clock.instant().saturating_duration_since(self.started);
        let asked = request_id.map(|id| Asked {
            request_id: id.chars().take(MAX_ID_CHARACTERS).collect(),
            refusal: refusals.find(id).map(shown),
        });
        Status {
            version: env!("CARGO_PKG_VERSION"),
            revision: self.revision,
            time: rfc3339(now),
            uptime_seconds: uptime.as_secs(),
            is_ready: reasons.is_empty(),
            reasons: reasons.iter().map(|why| without_secrets(why)).collect(),
            configuration: self.configuration(&snapshot),
            listeners: self.listeners(&snapshot, now),
            routes: routes::all(&snapshot),
            authorization_servers: servers::all(&snapshot),
            asked,
            refusals: refusals.all().into_iter().map(shown).collect(),
        }
    }

    fn configuration(&self, snapshot: &Snapshot) -> Configuration {
        Configuration {
            file: self.in_force.file().map(|file| file.display().to_string()),
            generation: snapshot.annals.generation,
            in_force_since: rfc3339(snapshot.annals.since),
            last_reload: self.in_force.last_reading(),
        }
    }

    fn listeners(&self, snapshot: &Snapshot, now: f64) -> Listeners {
        let settings = &snapshot.settings;
        let tls = settings.listen.tls.is_some();
        let expires =
            tls.then(|| self.metrics.tls_certificate_expiry.with_label_values::<&str>(&[]));
        let expires = expires.map(|gauge| gauge.get());
        let days_left = |expires: i64| {
            #[expect(clippy::cast_possible_truncation, reason = "whole seconds since the epoch")]
            let now = now as i64;
            (expires - now).div_euclid(86_400)
        };
        #[expect(clippy::cast_precision_loss, reason = "seconds since the epoch are exact")]
        let seconds = |expires: i64| expires as f64;
        let audit = settings.telemetry.audit.as_ref().map(|audit| match &audit.file {
            Some(file) => file.display().to_string(),
            None => "standard output".to_owned(),
        });
        Listeners {
            public_url: settings.public_url.as_str().to_owned(),
            listen: self.listen_address,
            tls,
            certificate_expires: expires.and_then(|expires| rfc3339(seconds(expires))),
            certificate_days_left: expires.map(days_left),
            connections: self.metrics.connections.get(),
            max_connections: self.max_connections(snapshot),
            admin: self.address,
            audit,
            audit_lines_dropped: AuditStream::dropped(&self.metrics),
        }
    }
}

/// A refusal as it may be shown.
fn shown(refusal: Arc<Refusal>) -> Arc<Refusal> {
    let detail = without_secrets(&refusal.detail);
    let rpc_name = refusal.rpc_name.as_deref().map(|name| without_secrets(name).into());
    if *detail == *refusal.detail && rpc_name == refusal.rpc_name {
        return refusal;
    }
    Arc::new(Refusal { detail: detail.into(), rpc_name, ..Refusal::clone(&refusal) })
}

/// A text without userinfo, queries and fragments of the URLs in it.
pub(super) fn without_secrets(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(scheme) = rest.find("://") {
        let (before, url) = rest.split_at(scheme + "://".len());
        out.push_str(before);
        let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>');
        let (url, after) = url.split_at(url.find(is_end).unwrap_or(url.len()));
        let (place, hidden) = url.split_at(url.find(['?', '#']).unwrap_or(url.len()));
        let authority = place.find('/').unwrap_or(place.len());
        let userinfo = place.get(..authority).and_then(|authority| authority.rfind('@'));
        out.push_str(userinfo.and_then(|at| place.get(at + 1..)).unwrap_or(place));
        // What ends a sentence is not the URL's.
        if !hidden.is_empty() && hidden.ends_with(':') {
            out.push(':');
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Ids are at most as long; what is longer is nobody's.
const MAX_ID_CHARACTERS: usize = 128;

#[cfg(test)]
mod tests {
    use super::without_secrets;

    #[test]
    fn urls_lose_what_may_be_secret() {
        for (text, shown) in [
            ("no URL", "no URL"),
            ("https://a.example/b", "https://a.example/b"),
            (
                "https://u:p@a.example/b?key=s#f: answered \"http://x@y?z\", no",
                "https://a.example/b: answered \"http://y\", no",
            ),
            ("https://a.example?k=://b@c", "https://a.example"),
            ("ftp://u@h://v@i", "ftp://h://v@i"),
            ("://", "://"),
            ("http://\u{e9}@\u{e9}?\u{e9} \u{e9}", "http://\u{e9} \u{e9}"),
        ] {
            assert_eq!(without_secrets(text), shown, "{text}");
        }
    }
}
