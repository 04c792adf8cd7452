//! One authorization server: its metadata, its answers, and how it is doing.
//!
//! 1. Its metadata is looked for in the background, with backoff until it is found and now and
//!    then afterwards; serving never waits for it, and the last good document stays in force.
//! 2. A token is asked about at most once at a time; see [`token_cache`](super::token_cache).
//! 3. Three answers: known to be active, known to be inactive, unavailable.
//!
//! What a token may do is not its business.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use tokio::sync::watch;
use tracing::{info, warn};

use super::{
    background::Background,
    client_authentication::Client,
    discovery::{self, Discovered, DiscoveryError},
    introspection::{self, Introspected, IntrospectionError, Rules},
    outbound::{Outbound, OutboundError},
    token_cache::{Flight, Flights, Joined, Lookup, TokenCache},
    token_facts::TokenFacts,
};
use crate::{
    clock::Clock,
    config::settings::AuthorizationServerSettings,
    metrics::AuthorizationServerMetrics,
    oauth::{BearerToken, TokenDigest},
};

/// An authorization server whose tokens some route takes.
#[derive(Debug)]
pub struct AuthorizationServer {
    settings: Arc<AuthorizationServerSettings>,
    rules: Rules,
    outbound: Outbound,
    client: Client,
    clock: Arc<dyn Clock>,
    metrics: AuthorizationServerMetrics,
    background: Background,
    discovered: ArcSwapOption<Discovered>,
    last_failure: ArcSwapOption<DiscoveryError>,
    cache: TokenCache,
    flights: Flights<Knowledge>,
    all_inactive_so_far: AtomicU32,
}

/// What an authorization server says of a token.
#[derive(Clone, Debug)]
pub enum Knowledge {
    /// It is active.
    Active(Arc<TokenFacts>),
    /// It is not.
    Inactive,
    /// It could not be asked.
    Unavailable(Unavailable),
}

/// Why an authorization server could not be asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unavailable {
    /// Its metadata has not been found.
    #[error("its metadata has not been found yet: {0}")]
    Discovery(Arc<DiscoveryError>),
    /// Asking failed.
    #[error(transparent)]
    Introspection(Arc<IntrospectionError>),
    /// Asking came to nothing on our side.
    #[error("the question was abandoned")]
    Lost,
    /// Its metadata has not been asked for.
    #[error("its metadata has not been read yet")]
    NotYet,
    /// Too many questions are under way.
    #[error("too many introspection requests are under way")]
    TooMany,
}

impl AuthorizationServer {
    /// Prepares a server and begins to look for its metadata.
    ///
    /// `needs_whole_document` says whether its metadata is published under our own origin.
    ///
    /// # Errors
    ///
    /// When no HTTP client can be built, as with unusable `tls.ca`.
    pub fn start(
        settings: Arc<AuthorizationServerSettings>,
        needs_whole_document: bool,
        metrics: AuthorizationServerMetrics,
        clock: Arc<dyn Clock>,
        background: Background,
    ) -> Result<Arc<Self>, OutboundError> {
        let pem = settings.tls_ca_pem.as_deref();
        let client = Client::new(&settings, Arc::clone(&clock));
        let timeout = settings.introspection.timeout;
        let server = Arc::new(Self {
            rules: Rules::new(&settings),
            outbound: Outbound::new(pem, client.tls_identity(), timeout)?,
            client,
            cache: TokenCache::new(&settings.introspection),
            settings,
            clock,
            metrics,
            background,
            discovered: ArcSwapOption::empty(),
            last_failure: ArcSwapOption::empty(),
            flights: Flights::default(),
            all_inactive_so_far: AtomicU32::new(0),
        });
        match discovery::configured(&server.settings, needs_whole_document) {
            Some(Ok(discovered)) => server.discovered.store(Some(Arc::new(discovered))),
            Some(Err(error)) => server.last_failure.store(Some(Arc::new(error))),
            None => server.background.spawn(Arc::clone(&server).keep_discovering()),
        }
        Ok(server)
    }

    /// The configured settings.
    pub fn settings(&self) -> &AuthorizationServerSettings {
        &self.settings
    }

    /// What is known of it, once it is known.
    pub fn discovered(&self) -> Option<Arc<Discovered>> {
        self.discovered.load_full()
    }

    /// Why it is not ready, if it is not.
    pub fn not_ready(&self) -> Option<Unavailable> {
        if self.discovered.load().is_some() {
            return None;
        }
        Some(self.last_failure.load_full().map_or(Unavailable::NotYet, Unavailable::Discovery))
    }

    /// Brings the gauges up to date before a scrape.
    pub fn refresh_gauges(&self) {
        self.metrics.entries.set(i64::try_from(self.cache.len()).unwrap_or(i64::MAX));
    }

    /// What is known of a token without asking anybody; `None` when it must be asked about.
    pub fn recall(&self, token: &TokenDigest) -> Option<Knowledge> {
        match self.cache.look_up(token, self.clock.instant()) {
            Lookup::Active(facts) => {
                self.metrics.hit.inc();
                Some(Knowledge::Active(facts))
            }
            Lookup::Inactive => {
                self.metrics.negative_hit.inc();
                Some(Knowledge::Inactive)
            }
            Lookup::Nothing => None,
        }
    }

    /// Asks about a token, or waits for the answer to somebody's question about it.
    pub async fn learn(self: &Arc<Self>, token: &BearerToken, digest: TokenDigest) -> Knowledge {
        let again = || match self.cache.look_up(&digest, self.clock.instant()) {
            Lookup::Active(facts) => Some(Knowledge::Active(facts)),
            Lookup::Inactive => Some(Knowledge::Inactive),
            Lookup::Nothing => None,
        };
        let knowledge = match self.flights.join(digest, again) {
            Joined::Answered(knowledge) => {
                self.metrics.coalesced.inc();
                return knowledge;
            }
            Joined::Following(answer) => {
                self.metrics.coalesced.inc();
                await_answer(answer).await
            }
            Joined::Leading(flight, answer) => {
                self.metrics.miss.inc();
                self.background.spawn(Arc::clone(self).ask(token.clone(), flight));
                await_answer(answer).await
            }
            Joined::Full => Knowledge::Unavailable(Unavailable::TooMany),
        };
        self.or_stale(knowledge, &digest)
    }

    /// Serves an older answer while the server fails, where the configuration allows it.
    fn or_stale(&self, knowledge: Knowledge, token: &TokenDigest) -> Knowledge {
        if !matches!(knowledge, Knowledge::Unavailable(_)) {
            return knowledge;
        }
        match self.cache.stale(token, self.clock.instant()) {
            Some(facts) => {
                self.metrics.stale.inc();
                Knowledge::Active(facts)
            }
            None => knowledge,
        }
    }

    async fn ask(self: Arc<Self>, token: BearerToken, flight: Flight<Knowledge>) {
        let Some(discovered) = self.discovered.load_full() else {
            let why = self.not_ready().unwrap_or(Unavailable::NotYet);
            return flight.land(Knowledge::Unavailable(why));
        };
        let started = self.clock.instant();
        let answer = introspection::introspect(
            &self.outbound,
            &discovered.introspection_endpoint,
            &self.client,
            &token,
            &self.rules,
        )
        .await;
        let now = self.clock.instant();
        self.metrics.duration.observe(now.saturating_duration_since(started).as_secs_f64());
        flight.land(match answer {
            Ok(Introspected::Active(facts)) => {
                self.metrics.active.inc();
                self.all_inactive_so_far.store(DECIDED, Ordering::Relaxed);
                let facts = Arc::new(*facts);
                // As old as the question: the answer was true at some moment since.
                self.cache.remember_active(token.digest(), Arc::clone(&facts), started);
                Knowledge::Active(facts)
            }
            Ok(Introspected::Inactive) => {
                self.metrics.inactive.inc();
                self.suspect_our_client();
                self.cache.remember_inactive(token.digest(), started);
                Knowledge::Inactive
            }
            Err(error) => {
                self.count_failure(&error);
                Knowledge::Unavailable(Unavailable::Introspection(Arc::new(error)))
            }
        });
    }

    fn count_failure(&self, error: &IntrospectionError) {
        match error {
            IntrospectionError::Outbound(OutboundError::Timeout) => self.metrics.timeout.inc(),
            IntrospectionError::ClientRefused(_)
            | IntrospectionError::Malformed(_)
            | IntrospectionError::NotSigned(_)
            | IntrospectionError::Outbound(_)
            | IntrospectionError::Status(_) => self.metrics.error.inc(),
        }
    }

    /// A client that may not introspect is told "inactive" of every token (RFC 7662 section 2.2).
    fn suspect_our_client(&self) {
        let count = |count: u32| (count < SUSPICIOUS).then(|| count + 1);
        let before =
            self.all_inactive_so_far.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count);
        if before == Ok(SUSPICIOUS - 1) {
            warn!(
                authorization_server = &*self.settings.name,
                "the first {SUSPICIOUS} introspections were all inactive: may this client \
                 introspect these tokens at all? Check its permissions at the authorization server"
            );
        }
    }

    async fn keep_discovering(self: Arc<Self>) {
        let mut pause = FIRST_PAUSE;
        loop {
            match discovery::discover(&self.outbound, &self.settings).await {
                Ok(discovered) => {
                    if self.discovered.swap(Some(Arc::new(discovered))).is_none() {
                        let name = &*self.settings.name;
                        info!(authorization_server = name, "authorization server metadata found");
                    }
                    pause = FIRST_PAUSE;
                    tokio::time::sleep(REFRESH_PAUSE).await;
                }
                Err(error) => {
                    warn!(
                        authorization_server = &*self.settings.name,
                        error = %error,
                        retry_in_seconds = pause.as_secs_f64(),
                        "authorization server metadata cannot be read"
                    );
                    self.last_failure.store(Some(Arc::new(error)));
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }
}

async fn await_answer(mut answer: watch::Receiver<Option<Knowledge>>) -> Knowledge {
    match answer.wait_for(Option::is_some).await {
        Ok(knowledge) => knowledge.clone().unwrap_or(Knowledge::Unavailable(Unavailable::Lost)),
        Err(_) => Knowledge::Unavailable(Unavailable::Lost),
    }
}

const SUSPICIOUS: u32 = 5;
/// No longer counting: one token was active.
const DECIDED: u32 = u32::MAX;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const REFRESH_PAUSE: Duration = Duration::from_hours(1);
