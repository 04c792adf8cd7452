//! What is different between two configurations, in words: keys and names, never values.

use std::fmt;

use crate::config::settings::{Listen, Settings, Telemetry};

/// What is different.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    routes: Names,
    authorization_servers: Names,
    keys: Vec<&'static str>,
    /// Keys that are read when the process starts; nothing else depends on them.
    later: Vec<&'static str>,
    moved: Option<&'static str>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Names {
    added: Vec<String>,
    removed: Vec<String>,
    changed: Vec<String>,
}

impl Difference {
    pub(super) fn between(old: &Settings, new: &Settings) -> Self {
        if old == new {
            return Self::default();
        }
        let mut difference = Self {
            routes: Names::between(&old.routes, &new.routes, |route| &route.name),
            authorization_servers: Names::between(
                &old.authorization_servers,
                &new.authorization_servers,
                |server| &server.name,
            ),
            keys: Vec::new(),
            later: telemetry_of_the_process(&old.telemetry, &new.telemetry),
            moved: moved(old, new),
        };
        difference.keys = changed([
            ("public_url", old.public_url != new.public_url),
            ("admin.token_file", old.admin.token != new.admin.token),
            ("sessions", old.session_keys != new.session_keys),
            ("telemetry.access_log", old.telemetry.access_log != new.telemetry.access_log),
            ("telemetry.audit", old.telemetry.audit != new.telemetry.audit),
            ("telemetry.traces", old.telemetry.traces != new.telemetry.traces),
        ]);
        difference.keys.extend(listen(&old.listen, &new.listen));
        if difference.words().is_empty() && difference.moved.is_none() {
            // What has no word of its own here, such as the order of routes.
            difference.keys.push("other settings");
        }
        difference
    }

    /// Whether the configurations say the same.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The address that changed, which needs a restart.
    pub(super) fn moved(&self) -> Option<&'static str> {
        self.moved
    }

    fn words(&self) -> Vec<String> {
        let (routes, servers) = (&self.routes, &self.authorization_servers);
        let keys: Vec<_> = self.keys.iter().map(ToString::to_string).collect();
        let later: Vec<_> = self.later.iter().map(ToString::to_string).collect();
        let parts = [
            ("routes added", &routes.added),
            ("routes removed", &routes.removed),
            ("routes changed", &routes.changed),
            ("authorization servers added", &servers.added),
            ("authorization servers removed", &servers.removed),
            ("authorization servers changed", &servers.changed),
            ("changed", &keys),
            ("needs a restart", &later),
        ];
        let written = parts.into_iter().filter(|(_, names)| !names.is_empty());
        written.map(|(what, names)| format!("{what}: {}", names.join(", "))).collect()
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join("; "))
    }
}

impl Names {
    fn between<T: PartialEq>(old: &[T], new: &[T], name: impl Fn(&T) -> &str) -> Self {
        let find = |all: &[T], wanted: &str| all.iter().position(|one| name(one) == wanted);
        let mut names = Self::default();
        for one in new {
            match find(old, name(one)).and_then(|index| old.get(index)) {
                None => names.added.push(name(one).to_owned()),
                Some(known) if known != one => names.changed.push(name(one).to_owned()),
                Some(_) => {}
            }
        }
        let removed = old.iter().filter(|one| find(new, name(one)).is_none());
        names.removed = removed.map(|one| name(one).to_owned()).collect();
        names
    }
}

fn moved(old: &Settings, new: &Settings) -> Option<&'static str> {
    if old.listen.address != new.listen.address {
        Some("listen.address")
    } else if old.admin.address != new.admin.address {
        Some("admin.address")
    } else if old.listen.tls.is_some() != new.listen.tls.is_some() {
        Some("listen.tls")
    } else {
        None
    }
}

fn listen(old: &Listen, new: &Listen) -> Vec<&'static str> {
    changed([
        ("listen.tls", old.tls != new.tls),
        ("listen.trusted_proxies", old.trusted_proxies != new.trusted_proxies),
        ("listen.proxy_protocol", old.proxy_protocol != new.proxy_protocol),
        ("listen.limits", old.limits != new.limits),
        ("listen.drain_timeout", old.drain_timeout != new.drain_timeout),
        ("listen.allowed_origins", old.allowed_origins != new.allowed_origins),
        ("listen.allowed_hosts", old.allowed_hosts != new.allowed_hosts),
    ])
}

fn telemetry_of_the_process(old: &Telemetry, new: &Telemetry) -> Vec<&'static str> {
    changed([
        ("telemetry.log.format", old.log_format != new.log_format),
        ("telemetry.log.level", old.log_level != new.log_level),
    ])
}

fn changed<const N: usize>(keys: [(&'static str, bool); N]) -> Vec<&'static str> {
    keys.into_iter().filter_map(|(key, is_changed)| is_changed.then_some(key)).collect()
}

#[cfg(test)]
mod tests;
