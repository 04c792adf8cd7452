//! One authorization server: its metadata, its answers, and how it is doing.
//!
//! 1. Its metadata is looked for in the background, with backoff until it is found and now and
//!    then afterwards; serving never waits for it, and the last good document stays in force.
//! 2. How its tokens are judged is configured (`access_tokens`), not sniffed: they are asked about,
//!    see `asking`, or verified here, see [`jwt`](super::jwt). Of `auto` alone a token that names
//!    this server as its issuer is verified, and any other asked about; one that fails its check
//!    is not asked about.
//! 3. Three answers: known to be active, known not to be, unavailable.
//!
//! What a token may do is not its business, nor which server a token belongs to.

mod asking;
mod search;
mod silence;
mod unavailable;

use std::{
    sync::{Arc, atomic::AtomicU32},
    time::Instant,
};

use arc_swap::ArcSwapOption;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::silence::Silence;
pub use self::unavailable::Unavailable;
use super::{
    asker::Asker,
    background::Background,
    client_authentication::Client,
    discovery::{self, Discovered, DiscoveryError},
    introspection::Rules,
    jwt::{JwtFault, JwtVerifier, Verified},
    key_set::source::KeySetReport,
    outbound::{Network, Outbound, OutboundError},
    provider::Provider,
    service_account::ServiceAccounts,
    token_cache::{Flights, Lookup, TokenCache},
    token_facts::TokenFacts,
};
use crate::{
    clock::Clock,
    config::settings::{AccessTokens, AuthorizationServerSettings},
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
    service_accounts: Arc<ServiceAccounts>,
    clock: Arc<dyn Clock>,
    metrics: AuthorizationServerMetrics,
    background: Background,
    discovered: ArcSwapOption<Discovered>,
    last_failure: ArcSwapOption<DiscoveryError>,
    verifier: Option<Arc<JwtVerifier>>,
    cache: TokenCache,
    flights: Flights<Knowledge>,
    silence: Silence,
    all_inactive_so_far: AtomicU32,
    needs_whole_document: bool,
    /// Ends the search for metadata when nobody needs the server any more.
    _search: DropGuard,
}

/// What a server works with.
#[derive(Clone, Debug)]
pub struct Means {
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where its own work runs.
    pub background: Background,
    /// Whom it can call.
    pub network: Network,
}

/// What is known of a token.
#[derive(Clone, Debug)]
pub enum Knowledge {
    /// It is active.
    Active(Arc<TokenFacts>),
    /// It is not, says the server.
    Inactive,
    /// It failed a check of ours.
    Refused(JwtFault),
    /// Nobody can say.
    Unavailable(Unavailable),
}

/// Why a server is to find out about a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is a JWS with the server's own issuer in it.
    NamedByIssuer,
    /// It names the server in another way, or nobody else is asked.
    NobodyElse,
    /// It names nobody, and others are asked as well: that it is not known here says nothing.
    OneOfSeveral,
}

impl Drop for AuthorizationServer {
    fn drop(&mut self) {
        // Nobody asks for a successor's number in between: it is set whenever it is read.
        self.metrics.entries.set(0);
        self.metrics.silent.set(0);
    }
}

impl AuthorizationServer {
    /// Prepares a server and begins to look for its metadata.
    ///
    /// `needs_whole_document` says whether its metadata is published under our own origin; a server
    /// of other settings, under the same name, lends what the change does not concern.
    ///
    /// # Errors
    ///
    /// When no HTTP client can be built, as with unusable `tls.ca`.
    pub fn start(
        settings: Arc<AuthorizationServerSettings>,
        needs_whole_document: bool,
        metrics: AuthorizationServerMetrics,
        Means { clock, background, network }: Means,
        previous: Option<&Self>,
    ) -> Result<Arc<Self>, OutboundError> {
        let pem = settings.tls_ca_pem.as_deref();
        let client = Client::new(&settings, Arc::clone(&clock));
        let connect = |identity| {
            let outbound = Outbound::new(pem, identity, settings.introspection.timeout)?;
            Ok::<_, OutboundError>(outbound.on(network.clone()))
        };
        let outbound = connect(client.tls_identity())?;
        let known = previous.and_then(|previous| previous.verifier_for(&settings));
        let is_verified_here = settings.access_tokens.are_verified_here();
        let started = (is_verified_here && known.is_none()).then(|| {
            let (clock, background) = (Arc::clone(&clock), background.clone());
            let metrics = metrics.key_set.clone();
            JwtVerifier::start(&settings, outbound.clone(), clock, background, metrics)
        });
        let verifier = known.or(started);
        // Service accounts show their own credentials alone.
        let plain = match client.tls_identity() {
            Some(_) => connect(None)?,
            None => outbound.clone(),
        };
        let service_accounts = ServiceAccounts::new(plain, Arc::clone(&clock), background.clone());
        let gone = CancellationToken::new();
        let server = Arc::new(Self {
            rules: Rules::new(&settings),
            outbound,
            client,
            service_accounts,
            verifier,
            cache: TokenCache::new(&settings.introspection),
            settings,
            clock,
            metrics,
            background,
            discovered: ArcSwapOption::empty(),
            last_failure: ArcSwapOption::empty(),
            flights: Flights::default(),
            silence: Silence::default(),
            all_inactive_so_far: AtomicU32::new(0),
            needs_whole_document,
            _search: gone.clone().drop_guard(),
        });
        match discovery::configured(&server.settings, needs_whole_document) {
            Some(Ok(discovered)) => drop(server.found(Arc::new(discovered))),
            Some(Err(error)) => server.last_failure.store(Some(Arc::new(error))),
            None => {
                if let Some(previous) = previous {
                    server.learn_from(previous);
                }
                let search = search::keep_discovering(Arc::downgrade(&server));
                server.background.spawn(async move {
                    // The outcome is the same: there is nothing more to find.
                    let _ = gone.run_until_cancelled(search).await;
                });
            }
        }
        Ok(server)
    }

    /// Whether it can go on with these settings as it is.
    pub fn serves(
        &self,
        settings: &AuthorizationServerSettings,
        needs_whole_document: bool,
    ) -> bool {
        *self.settings == *settings && self.needs_whole_document == needs_whole_document
    }

    /// What verifies tokens by the key set, for other settings that say the same about that.
    fn verifier_for(&self, settings: &AuthorizationServerSettings) -> Option<Arc<JwtVerifier>> {
        let ours = &*self.settings;
        // The keys are fetched as everything else is: in the same time, and with the same certificate.
        let is_fetched_alike = ours.introspection.timeout == settings.introspection.timeout
            && !ours.client.shows_certificate()
            && !settings.client.shows_certificate();
        let (client, introspection) = (settings.client.clone(), settings.introspection.clone());
        let verified = AuthorizationServerSettings { client, introspection, ..ours.clone() };
        self.verifier.clone().filter(|_| is_fetched_alike && verified == *settings)
    }

    /// Whether a token that another one verified is verified here as well, by the same keys.
    pub(super) fn verifies_like(&self, other: &Self) -> bool {
        let pair = self.verifier.as_ref().zip(other.verifier.as_ref());
        pair.is_some_and(|(ours, theirs)| Arc::ptr_eq(ours, theirs))
    }

    /// The configured settings.
    pub fn settings(&self) -> &AuthorizationServerSettings {
        &self.settings
    }

    /// The service accounts that it knows.
    pub(super) fn service_accounts(&self) -> &Arc<ServiceAccounts> {
        &self.service_accounts
    }

    /// What is known of it, once it is known.
    pub fn discovered(&self) -> Option<Arc<Discovered>> {
        self.discovered.load_full()
    }

    /// Forgets all that is remembered of tokens, so that each is asked about or verified anew;
    /// returns how many it were, roughly.
    pub fn forget_tokens(&self) -> u64 {
        let verified = self.verifier.as_ref().map_or(0, |verifier| verifier.cached());
        let count = self.cache.len().saturating_add(verified);
        self.flights.forget();
        self.cache.clear();
        if let Some(verifier) = &self.verifier {
            verifier.forget_tokens();
        }
        self.service_accounts.forget_tokens();
        count
    }

    /// What is known of its keys, when tokens are verified by them.
    pub fn key_set(&self) -> Option<KeySetReport> {
        self.verifier.as_ref().map(|verifier| verifier.key_set())
    }

    /// What is counted of it.
    pub fn metrics(&self) -> &AuthorizationServerMetrics {
        &self.metrics
    }

    /// Which product it is, when it is a known one.
    pub fn provider(&self) -> Option<Provider> {
        let discovered = self.discovered.load();
        let by_issuer = || Provider::recognise(self.settings.issuer.as_str(), None);
        discovered.as_ref().map_or_else(by_issuer, |discovered| discovered.provider)
    }

    /// Why it is not ready, if it is not.
    pub fn not_ready(&self) -> Option<Unavailable> {
        if self.discovered.load().is_none() {
            let failure = self.last_failure.load_full();
            return Some(failure.map_or(Unavailable::NotYet, Unavailable::Discovery));
        }
        self.verifier.as_ref()?.not_ready().map(Unavailable::KeySet)
    }

    /// Brings the gauges up to date before a scrape.
    pub fn refresh_gauges(&self) {
        let verified = self.verifier.as_ref().map_or(0, |verifier| verifier.cached());
        let entries = self.cache.len().saturating_add(verified);
        self.metrics.entries.set(i64::try_from(entries).unwrap_or(i64::MAX));
        self.metrics.silent.set(self.is_silent().into());
    }

    /// What is known of a token without asking anybody; `None` when it must be found out.
    pub fn recall(&self, token: &TokenDigest) -> Option<Knowledge> {
        let knowledge = self.look_up(token)?;
        if matches!(knowledge, Knowledge::Active(_)) {
            self.metrics.hit.inc();
        } else {
            self.metrics.negative_hit.inc();
        }
        Some(knowledge)
    }

    /// The same, uncounted.
    pub fn look_up(&self, token: &TokenDigest) -> Option<Knowledge> {
        if let Some(verifier) = &self.verifier
            && let Some(facts) = verifier.recall(token)
        {
            return Some(Knowledge::Active(facts));
        }
        if !self.is_asked() {
            return None;
        }
        match self.cache.look_up(token, self.clock.instant()) {
            Lookup::Active(facts) => Some(Knowledge::Active(facts)),
            Lookup::Inactive => Some(Knowledge::Inactive),
            Lookup::Nothing => None,
        }
    }

    /// Until when, or since when no longer, its answer about an active token is fresh.
    pub(super) fn fresh_until(&self, token: &TokenDigest) -> Option<Instant> {
        self.cache.fresh_until(token)
    }

    /// Whether the key that verified a token has been taken from the key set.
    pub(super) fn has_withdrawn_key_of(&self, token: &TokenDigest) -> bool {
        self.verifier.as_ref().is_some_and(|verifier| verifier.has_lost_key_of(token))
    }

    /// Whether it leaves questions unanswered.
    pub(super) fn is_silent(&self) -> bool {
        self.silence.is_silent()
    }

    /// Whether tokens that do not say whose they are can be asked about here.
    pub fn is_asked(&self) -> bool {
        self.settings.access_tokens.are_asked_about()
    }

    /// Finds out about a token.
    pub async fn learn(
        self: &Arc<Self>,
        token: &BearerToken,
        digest: TokenDigest,
        reason: Reason,
        asker: Asker<'_>,
    ) -> Knowledge {
        let is_verified = match self.settings.access_tokens {
            AccessTokens::Auto => reason == Reason::NamedByIssuer,
            AccessTokens::Introspection | AccessTokens::Userinfo => false,
            AccessTokens::Jwt => true,
        };
        match &self.verifier {
            Some(verifier) if is_verified => self.verify(verifier, token, digest).await,
            _ => self.ask(token, digest, reason, asker).await,
        }
    }

    async fn verify(
        &self,
        verifier: &Arc<JwtVerifier>,
        token: &BearerToken,
        digest: TokenDigest,
    ) -> Knowledge {
        self.metrics.miss.inc();
        match verifier.verify(token, digest).await {
            Verified::Valid(facts) => Knowledge::Active(facts),
            Verified::Invalid(fault) => Knowledge::Refused(fault),
            Verified::Unavailable(cause) => Knowledge::Unavailable(match self.not_ready() {
                // Why there is no key set at all says more than that there is none.
                Some(why @ Unavailable::Discovery(_)) => why,
                _ => Unavailable::KeySet(cause),
            }),
        }
    }
}
