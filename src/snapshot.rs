//! The settings in force, compiled into what a request needs.
//!
//! A snapshot is immutable: a request sees one from its start to its end. Everything that can be
//! prepared is: documents are rendered, series looked up, hosts indexed, keys derived.
//!
//! What a snapshot is built after lends it all that did not change: authorization servers with all
//! that they remember, connections to upstreams, open event streams, sealing keys.

mod annals;
mod documents;
mod in_force;
mod recording;
mod refusals;

use std::{collections::HashMap, sync::Arc};

use rustls::{ClientConfig, crypto::aws_lc_rs, pki_types::ServerName};
use rustls_platform_verifier::BuilderVerifierExt;

pub use self::{
    annals::Annals,
    in_force::{InForce, Reading},
    refusals::{Refusal, Refusals},
};
use crate::{
    authenticate::{
        Authenticator,
        authorization_server::{AuthorizationServer, Means},
        background::Background,
        outbound::{Network, OutboundError},
    },
    authorize::{AccessPolicy, Demands, rule_tests, rules::Rules},
    clock::Clock,
    config::{
        Problem,
        settings::{Access, ProtectedSettings, RouteSettings, Settings},
    },
    forward::{
        Upstream,
        endpoint::Endpoints,
        open_streams::OpenStreams,
        pool::Tls,
        session::{NoKey, Sealer},
    },
    limits::{Limits, buffer::Room, rate::RateLimiter},
    metrics::{Metrics, RouteMetrics},
    oauth::PublicOrigin,
    resource::{ChallengeParameters, Origins, ProtectedResource},
    router::{Hosts, Router, Site},
    traces::{ClientError, Tracer},
};

/// Compiled settings.
#[derive(Debug)]
pub struct Snapshot {
    /// What was compiled.
    pub settings: Settings,
    /// Routes and documents by host.
    pub router: Router,
    /// Every authorization server in use.
    pub authorization_servers: Vec<Arc<AuthorizationServer>>,
    /// Every route.
    pub resources: Vec<Arc<ProtectedResource>>,
    /// Where requests that no route takes are counted.
    pub routeless: Arc<RouteMetrics>,
    /// What is written down of its requests.
    pub annals: Annals,
    /// What peers have at this moment.
    pub limits: Arc<Limits>,
    /// For what of bodies is held in memory.
    pub room: Room,
    /// What records requests, where there is a collector.
    pub tracer: Option<Arc<Tracer>>,
    sealer: Arc<Sealer>,
}

/// What a snapshot is built with, besides the settings.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Where series are registered.
    pub metrics: Metrics,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where calls to authorization servers run.
    pub background: Background,
    /// Whether authorization servers can be called.
    pub network: Network,
    /// How many workers forward requests.
    pub workers: usize,
    /// Whether decisions are written to `telemetry.audit`; a rehearsal decides nothing.
    pub is_audited: bool,
    /// What peers have at this moment.
    pub limits: Arc<Limits>,
}

/// Why settings cannot be put in force.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The audit stream cannot be written.
    #[error("telemetry.audit.file cannot be opened: {0}; no request may go unaudited")]
    Audit(#[source] std::io::Error),
    /// No HTTP client for an authorization server.
    #[error("authorization_servers.{0}: {1}")]
    AuthorizationServer(Box<str>, #[source] OutboundError),
    /// A rule test fails: the first of them.
    #[error("{0}")]
    RuleTest(Problem),
    /// No sealing key.
    #[error(transparent)]
    Sealer(#[from] NoKey),
    /// No HTTP client for the collector of traces.
    #[error("telemetry.traces: {0}")]
    Traces(#[from] ClientError),
    /// No TLS towards an upstream: usually a machine without a CA bundle.
    #[error("routes.{0}.upstream: cannot prepare TLS: {1}")]
    Tls(Box<str>, Box<str>),
    /// A route names what does not exist, which compiling the configuration excludes.
    #[error("routes.{0} cannot be built")]
    Route(Box<str>),
}

impl Snapshot {
    /// Compiles settings.
    pub fn build(settings: Settings, around: &Surroundings) -> Result<Self, BuildError> {
        Self::build_after(None, settings, around)
    }

    /// Compiles settings; what they have in common with those of `previous` is taken over from it.
    pub fn build_after(
        previous: Option<&Self>,
        settings: Settings,
        around: &Surroundings,
    ) -> Result<Self, BuildError> {
        // Whoever read the file has run them; nobody who did not gets past.
        if let Some(failure) = rule_tests::run(&settings).into_iter().next() {
            return Err(BuildError::RuleTest(failure));
        }
        let servers = authorization_servers(previous, &settings, around)?;
        let sealer = sealer(previous, &settings)?;
        let max_buffered_bytes = settings.listen.limits.max_buffered_bytes;
        let room = Room::new(&around.limits.buffered, max_buffered_bytes);
        let mut resources = Vec::with_capacity(settings.routes.len());
        let origins = origins(&settings);
        let mut sites: Vec<Site> = origins.iter().map(|_| Site::default()).collect();
        for route in &settings.routes {
            let site = origins.iter().position(|origin| **origin == route.public_url);
            let site = site.and_then(|site| sites.get_mut(site));
            let site = site.ok_or_else(|| BuildError::Route(route.name.clone()))?;
            if let Access::Protected(protected) = &route.access {
                let servers = listed(&route.name, protected, &servers)?;
                documents::of_route(site, route, protected, &servers);
            }
            let before = previous.and_then(|previous| previous.before(route));
            let authenticator = authenticator(&settings, route, &servers, around)?;
            let common = Common { settings: &settings, sealer: &sealer, around, room: &room };
            let resource = Arc::new(resource(route, authenticator, before, common)?);
            site.resources.push(Arc::clone(&resource));
            resources.push(resource);
        }
        sites.iter_mut().for_each(documents::at_root);
        documents::key_set(&mut sites, &settings);
        let hosts = Hosts::new(&origins, &settings.listen.allowed_hosts, settings.listen.address);
        let router = Router::new(hosts, sites);
        let authorization_servers = servers.into_values().collect();
        let routeless = Arc::new(around.metrics.route(ROUTELESS));
        let annals = Annals::after(previous, &settings, around)?;
        let limits = Arc::clone(&around.limits);
        // Last: what it starts ends only when nobody holds it.
        let tracer = recording::tracer(previous, &settings, around)?;
        Ok(Self {
            settings,
            router,
            authorization_servers,
            resources,
            routeless,
            annals,
            limits,
            room,
            tracer,
            sealer,
        })
    }

    /// The route of this name.
    pub fn resource(&self, name: &str) -> Option<&Arc<ProtectedResource>> {
        self.resources.iter().find(|resource| *resource.name == *name)
    }

    /// What a route of other settings goes on with: the same route, at the same place.
    fn before(&self, route: &RouteSettings) -> Option<&ProtectedResource> {
        let mut known = self.settings.routes.iter();
        let known = known.find(|known| known.name == route.name)?;
        let is_newly_protected = route.protected().is_some() && known.protected().is_none();
        let is_same = known.path == route.path && known.public_url == route.public_url;
        let before = self.resource(&route.name).filter(|_| is_same && !is_newly_protected);
        before.map(|before| &**before)
    }
}

/// The sealing keys; random ones stay as long as none are configured.
fn sealer(previous: Option<&Snapshot>, settings: &Settings) -> Result<Arc<Sealer>, BuildError> {
    match previous.filter(|previous| previous.settings.session_keys == settings.session_keys) {
        Some(previous) => Ok(Arc::clone(&previous.sealer)),
        None => Ok(Arc::new(Sealer::new(&settings.session_keys)?)),
    }
}

fn authorization_servers(
    previous: Option<&Snapshot>,
    settings: &Settings,
    around: &Surroundings,
) -> Result<HashMap<Box<str>, Arc<AuthorizationServer>>, BuildError> {
    let protected = || {
        settings.routes.iter().filter_map(|route| match &route.access {
            Access::Protected(protected) => Some(protected),
            Access::Public => None,
        })
    };
    let mut servers = HashMap::new();
    for server in &settings.authorization_servers {
        let uses =
            || protected().filter(|route| route.authorization_servers.contains(&server.name));
        if uses().next().is_none() {
            continue;
        }
        let is_mirrored = uses().any(|route| route.legacy_metadata);
        let lacks_token_endpoint = uses().any(|route| route.basic_client_credentials)
            && !server.metadata.contains_key("token_endpoint");
        let needs_whole_document = is_mirrored || lacks_token_endpoint;
        let known = previous.into_iter().flat_map(|previous| &previous.authorization_servers);
        let mut known = known.filter(|known| known.settings().name == server.name);
        let known = known.next();
        if let Some(same) = known.filter(|known| known.serves(server, needs_whole_document)) {
            servers.insert(server.name.clone(), Arc::clone(same));
            continue;
        }
        let started = AuthorizationServer::start(
            Arc::clone(server),
            needs_whole_document,
            around.metrics.authorization_server(&server.name),
            Means {
                clock: Arc::clone(&around.clock),
                background: around.background.clone(),
                network: around.network.clone(),
            },
            known.map(|known| &**known),
        );
        let started =
            started.map_err(|error| BuildError::AuthorizationServer(server.name.clone(), error))?;
        servers.insert(server.name.clone(), started);
    }
    Ok(servers)
}

/// The authorization servers of a route, in its order.
fn listed(
    route: &str,
    protected: &ProtectedSettings,
    servers: &HashMap<Box<str>, Arc<AuthorizationServer>>,
) -> Result<Vec<Arc<AuthorizationServer>>, BuildError> {
    let names = protected.authorization_servers.iter();
    let listed: Option<_> = names.map(|name| servers.get(name).cloned()).collect();
    listed.ok_or_else(|| BuildError::Route(route.into()))
}

fn policy(protected: &ProtectedSettings) -> AccessPolicy {
    let rules = Rules::new(protected.rules.clone(), protected.implications.clone());
    AccessPolicy::Protected(Arc::new(Demands::new(protected.required_scopes.clone(), rules)))
}

/// The distinct public origins; the global one first.
fn origins(settings: &Settings) -> Vec<&PublicOrigin> {
    let mut origins = vec![&settings.public_url];
    for route in &settings.routes {
        if !origins.contains(&&route.public_url) {
            origins.push(&route.public_url);
        }
    }
    origins
}

/// How tokens of a route are judged, and what they may do.
fn authenticator(
    settings: &Settings,
    route: &RouteSettings,
    servers: &HashMap<Box<str>, Arc<AuthorizationServer>>,
    around: &Surroundings,
) -> Result<(Option<Arc<Authenticator>>, AccessPolicy), BuildError> {
    let Access::Protected(protected) = &route.access else {
        return Ok((None, AccessPolicy::Public));
    };
    let servers = listed(&route.name, protected, servers)?;
    let (configured, clock) = (&settings.authorization_servers, Arc::clone(&around.clock));
    let authenticator = Authenticator::new(&route.name, protected, servers, configured, clock);
    Ok((Some(Arc::new(authenticator)), policy(protected)))
}

/// What all routes have in common.
#[derive(Clone, Copy)]
struct Common<'a> {
    settings: &'a Settings,
    sealer: &'a Arc<Sealer>,
    around: &'a Surroundings,
    room: &'a Room,
}

fn resource(
    route: &RouteSettings,
    (authenticator, policy): (Option<Arc<Authenticator>>, AccessPolicy),
    before: Option<&ProtectedResource>,
    Common { settings, sealer, around, room }: Common<'_>,
) -> Result<ProtectedResource, BuildError> {
    let endpoints = Endpoints {
        route: route.name.clone(),
        path: route.path.trim_end_matches('/').into(),
        upstream: route.upstream.url.clone(),
        sealer: Arc::clone(sealer),
    };
    let open_streams = authenticator.as_ref().map(|authenticator| {
        let same_upstream =
            before.filter(|before| before.upstream.url() == route.upstream.url.as_str());
        if let Some(streams) = same_upstream.and_then(|before| before.open_streams.as_ref()) {
            return Arc::clone(streams);
        }
        let (clock, background) = (Arc::clone(&around.clock), around.background.clone());
        OpenStreams::new(&route.name, Arc::clone(authenticator), policy.clone(), clock, background)
    });
    let tls = tls(route)?;
    let upstream = Upstream::new(
        route.upstream.clone(),
        Arc::new(endpoints),
        tls.as_ref(),
        (around.workers, &around.clock),
        room.clone(),
    );
    let upstream = upstream.ok_or_else(|| BuildError::Route(route.name.clone()))?;
    Ok(ProtectedResource {
        name: route.name.clone(),
        path: route.path.clone(),
        forwards_subpaths: route.forward_subpaths,
        authenticator,
        policy,
        open_streams,
        upstream: match before {
            Some(before) => upstream.after(&before.upstream),
            None => upstream,
        },
        rate_limiter: route.rate_limit.map(|settings| {
            let known = before.and_then(|before| before.rate_limiter.as_ref());
            RateLimiter::after(known, settings, around.clock.instant())
        }),
        room: room.clone(),
        metrics: around.metrics.route(&route.name),
        challenge: ChallengeParameters::new(route),
        origins: Origins::new(route, settings.listen.allowed_origins.clone().into()),
    })
}

/// Trust and name of a route's upstream; nothing for one without TLS.
pub fn tls(route: &RouteSettings) -> Result<Option<Tls>, BuildError> {
    let url = &route.upstream.url;
    if url.scheme() != "https" {
        return Ok(None);
    }
    let failed = |error: &dyn std::fmt::Display| {
        BuildError::Tls(route.name.clone(), error.to_string().into())
    };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(host).map_err(|error| failed(&error))?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(BuilderVerifierExt::with_platform_verifier)
        .map_err(|error| failed(&error))?
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(Tls { config: Arc::new(config), name }))
}

/// The label of requests without a route: no route can be named so.
const ROUTELESS: &str = "_none";
