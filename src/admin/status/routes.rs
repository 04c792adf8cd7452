//! Routes and their upstreams.

use std::collections::BTreeMap;

use serde::Serialize;

use super::without_secrets;
use crate::{
    clock::rfc3339,
    oauth::{Scope, ScopeToken},
    resource::ProtectedResource,
    snapshot::Snapshot,
};

/// One route.
#[derive(Debug, Serialize)]
pub(in crate::admin) struct Route {
    pub(in crate::admin) name: String,
    /// Where clients reach it; of a protected route its resource identifier.
    pub(in crate::admin) resource: String,
    pub(in crate::admin) is_protected: bool,
    pub(in crate::admin) authorization_servers: Vec<String>,
    pub(in crate::admin) required_scopes: Vec<String>,
    pub(in crate::admin) rules: Rules,
    /// Whether it refuses nothing for want of scopes.
    pub(in crate::admin) is_shadowed: bool,
    pub(in crate::admin) allowed: u64,
    pub(in crate::admin) denied: u64,
    pub(in crate::admin) denied_by_reason: BTreeMap<String, u64>,
    pub(in crate::admin) would_deny: u64,
    pub(in crate::admin) active_streams: i64,
    pub(in crate::admin) upstream: Upstream,
}

/// How many patterns there are.
#[derive(Debug, Serialize)]
pub(in crate::admin) struct Rules {
    pub(in crate::admin) tools: usize,
    pub(in crate::admin) prompts: usize,
    pub(in crate::admin) resources: usize,
    pub(in crate::admin) methods: usize,
}

#[derive(Debug, Serialize)]
pub(in crate::admin) struct Upstream {
    pub(in crate::admin) url: String,
    pub(in crate::admin) idle_connections: usize,
    /// Requests sent to it, by how they ended.
    pub(in crate::admin) requests: BTreeMap<&'static str, u64>,
    pub(in crate::admin) last_failure: Option<Failure>,
}

/// The last time that it did not answer as it should.
#[derive(Debug, Serialize)]
pub(in crate::admin) struct Failure {
    pub(in crate::admin) time: Option<String>,
    pub(in crate::admin) request_id: String,
    pub(in crate::admin) reason: &'static str,
    pub(in crate::admin) detail: String,
}

pub(super) fn all(snapshot: &Snapshot) -> Vec<Route> {
    snapshot.resources.iter().map(|resource| route(snapshot, resource)).collect()
}

fn route(snapshot: &Snapshot, resource: &ProtectedResource) -> Route {
    let configured = snapshot.settings.routes.iter().find(|route| route.name == resource.name);
    let protected = configured.and_then(|route| route.protected());
    let place = match (protected, configured) {
        (Some(protected), _) => protected.resource.as_str().to_owned(),
        (None, Some(route)) => format!("{}{}", route.public_url.as_str(), route.path),
        (None, None) => resource.path.to_string(),
    };
    let servers = protected.map(|protected| &protected.authorization_servers);
    let rules = resource.policy.demands().map(|demands| demands.rules().settings());
    let denied_by_reason: BTreeMap<_, _> = resource.metrics.denials().into_iter().collect();
    Route {
        name: resource.name.to_string(),
        resource: place,
        is_protected: protected.is_some(),
        authorization_servers: servers.into_iter().flatten().map(ToString::to_string).collect(),
        required_scopes: protected.map(|route| texts(&route.required_scopes)).unwrap_or_default(),
        rules: Rules {
            tools: rules.map_or(0, |rules| rules.tools.len()),
            prompts: rules.map_or(0, |rules| rules.prompts.len()),
            resources: rules.map_or(0, |rules| rules.resources.len()),
            methods: rules.map_or(0, |rules| rules.methods.len()),
        },
        is_shadowed: rules.is_some_and(|rules| rules.shadow),
        allowed: resource.metrics.allowed.get(),
        denied: denied_by_reason.values().sum(),
        denied_by_reason,
        would_deny: resource.metrics.would_deny.get(),
        active_streams: resource.metrics.active_streams.get(),
        upstream: upstream(snapshot, resource),
    }
}

fn upstream(snapshot: &Snapshot, resource: &ProtectedResource) -> Upstream {
    let last_failure = snapshot.annals.refusals.of_upstream(&resource.name);
    Upstream {
        url: without_secrets(resource.upstream.url()),
        idle_connections: resource.upstream.idle_connections(),
        requests: resource.metrics.upstream_outcomes().into_iter().collect(),
        last_failure: last_failure.map(|failure| Failure {
            time: rfc3339(failure.time),
            request_id: failure.request_id.to_string(),
            reason: failure.reason,
            detail: without_secrets(&failure.detail),
        }),
    }
}

fn texts(scope: &Scope) -> Vec<String> {
    scope.iter().map(ScopeToken::as_str).map(ToOwned::to_owned).collect()
}
