//! Where the keys of one authorization server come from, and how fresh they are.
//!
//! 1. One task fetches, so there is never more than one fetch under way. Who reads the keys never
//!    waits; who needs a key that is not there waits for a fetch, within `PATIENCE`.
//! 2. Fetches happen before the set's lifetime ends (`max-age`, within bounds), and on demand: for
//!    an unknown `kid`, or when a known key does not verify. Demand has a budget of one fetch per
//!    `COOLDOWN` by time for each of the two, whatever comes of it, and of one more when that brought
//!    other keys, see `schedule`; it takes nothing from the regular fetches. A name that comes while
//!    it is spent is neither known nor unknown before the next fetch.
//! 3. The last good set stays in force through failures, for `MAX_AGE` at most. An unusable
//!    answer is a failure.
//! 4. What is left out of a set is told when that changes, key by key.
//!
//! The address is the authorization server's metadata's, never a token's.

mod fetch;
mod report;
mod schedule;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use tokio::sync::{Notify, watch};
use tracing::{info, warn};
use url::Url;

#[cfg(test)]
pub(in crate::authenticate) use self::fetch::Fetching;
pub(in crate::authenticate) use self::fetch::{Fetch, Fetched};
pub use self::report::KeySetReport;
use self::schedule::{Schedule, Wish};
use super::{KeyId, KeySet, KeySetError, Parsed, Thumbprint};
use crate::{
    authenticate::{discovery, outbound::OutboundError},
    clock::Clock,
    metrics::KeySetMetrics,
};

/// The keys of one authorization server, kept fresh.
#[derive(Debug)]
pub(in crate::authenticate) struct KeySetSource {
    server: Box<str>,
    allows_http: bool,
    fetch: Box<dyn Fetch>,
    clock: Arc<dyn Clock>,
    metrics: KeySetMetrics,
    in_force: ArcSwapOption<InForce>,
    last_failure: ArcSwapOption<KeySetError>,
    schedule: Mutex<Schedule>,
    started: Instant,
    /// When the next fetch is due, in milliseconds since the start; for readers.
    due_millis: AtomicU64,
    /// How many fetches have ended.
    ended: watch::Sender<u64>,
    wake: Notify,
}

#[derive(Debug)]
struct InForce {
    set: Arc<KeySet>,
    confirmed: Instant,
    /// What was left out of it.
    skipped: Vec<String>,
}

/// What became of a wish for newer keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::authenticate) enum Demand {
    /// A fetch has ended since.
    Ended,
    /// Nothing newer is to be had now, and what is there was fetched since the wish was first had.
    Refused,
    /// The budget is spent: nobody has looked since the wish was first had.
    Spent,
    /// It takes too long.
    Slow,
}

impl KeySetSource {
    pub(in crate::authenticate) fn new(
        (server, allows_http): (&str, bool),
        fetch: Box<dyn Fetch>,
        clock: Arc<dyn Clock>,
        metrics: KeySetMetrics,
    ) -> Self {
        let started = clock.instant();
        Self {
            server: server.into(),
            allows_http,
            schedule: Mutex::new(Schedule::new(started)),
            started,
            due_millis: AtomicU64::new(u64::MAX),
            fetch,
            clock,
            metrics,
            in_force: ArcSwapOption::empty(),
            last_failure: ArcSwapOption::empty(),
            ended: watch::Sender::new(0),
            wake: Notify::new(),
        }
    }

    /// Says where the keys are; the same address again changes nothing.
    pub(in crate::authenticate) fn set_url(&self, url: Url) {
        if !discovery::is_acceptable(&url, self.allows_http) {
            self.fail(KeySetError::Insecure(url));
            return;
        }
        if self.schedule().set_url(url, self.clock.instant()) {
            self.wake.notify_one();
        }
    }

    /// The keys in force; never waits.
    pub(in crate::authenticate) fn current(&self) -> Option<Arc<KeySet>> {
        self.with_current(self.clock.instant(), Arc::clone)
    }

    /// Whether a key is in force.
    pub(in crate::authenticate) fn has(&self, key: &Thumbprint, now: Instant) -> bool {
        self.with_current(now, |set| set.contains(key)).unwrap_or(false)
    }

    /// Whether the key set in force is without this key; not while there is none.
    pub(in crate::authenticate) fn has_dropped(&self, key: &Thumbprint, now: Instant) -> bool {
        self.with_current(now, |set| !set.contains(key)).unwrap_or(false)
    }

    fn with_current<T>(&self, now: Instant, read: impl FnOnce(&Arc<KeySet>) -> T) -> Option<T> {
        // The task sleeps by the system's clock; ours may be ahead of it.
        if self.since_start(now) >= self.due_millis.load(Ordering::Relaxed) {
            self.wake.notify_one();
        }
        let in_force = self.in_force.load();
        let in_force = in_force.as_ref()?;
        let age = now.saturating_duration_since(in_force.confirmed);
        (age < MAX_AGE).then(|| read(&in_force.set))
    }

    /// Why there are no keys in force, if there are none.
    pub(in crate::authenticate) fn not_ready(&self) -> Option<Arc<KeySetError>> {
        if self.current().is_some() {
            return None;
        }
        let failure = self.last_failure();
        if self.in_force.load().is_none() {
            return Some(failure.unwrap_or_else(|| Arc::new(KeySetError::NotYet)));
        }
        let why = failure.map_or_else(String::new, |failure| failure.to_string());
        Some(Arc::new(KeySetError::TooOld(why.into())))
    }

    /// Why the last fetch failed, if it did.
    pub(in crate::authenticate) fn last_failure(&self) -> Option<Arc<KeySetError>> {
        self.last_failure.load_full()
    }

    /// Has the keys fetched sooner than planned, for a token that they do not verify, and waits.
    pub(in crate::authenticate) async fn demand(&self, kid: Option<&KeyId>) -> Demand {
        let now = self.clock.instant();
        let mut ended = {
            // Subscribed under the lock: the end of a fetch under way cannot be missed.
            let mut schedule = self.schedule();
            match schedule.demand(kid, now) {
                Wish::Granted => self.ended.subscribe(),
                Wish::InVain => return Demand::Refused,
                Wish::Postponed => return Demand::Spent,
            }
        };
        self.wake.notify_one();
        match tokio::time::timeout(PATIENCE, ended.changed()).await {
            Ok(Ok(())) => Demand::Ended,
            Ok(Err(_)) | Err(_) => Demand::Slow,
        }
    }

    /// Remembers that a name was looked for in vain.
    pub(in crate::authenticate) fn note_missing(&self, kid: &KeyId) {
        self.schedule().note_missing(kid, self.clock.instant());
    }

    /// Fetches whenever it is time, for ever.
    pub(in crate::authenticate) async fn keep(self: Arc<Self>) {
        loop {
            let now = self.clock.instant();
            let Some(wait) = self.schedule().until_due(now) else {
                self.wake.notified().await;
                continue;
            };
            if wait.is_zero() {
                self.refresh().await;
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.wake.notified() => {}
            }
        }
    }

    async fn refresh(&self) {
        let Some(url) = self.schedule().begin(self.clock.instant()) else { return };
        self.due_millis.store(u64::MAX, Ordering::Relaxed);
        let answer = self.fetch.fetch(&url).await;
        let now = self.clock.instant();
        match answer.map_err(KeySetError::Outbound).and_then(|answer| read(&answer)) {
            Ok((parsed, lifetime)) => {
                // Before the schedule says that the fetch is over: who waited must see its keys.
                self.adopt(parsed, now);
                self.plan(self.schedule().succeed(&url, now, lifetime));
            }
            Err(error) => {
                self.count_failure(&error);
                let retry = self.schedule().pause();
                warn!(
                    authorization_server = &*self.server,
                    error = %error,
                    retry_in_seconds = retry.as_secs_f64(),
                    "key set cannot be read"
                );
                self.fail(error);
                self.plan(self.schedule().fail(&url, now));
            }
        }
        self.ended.send_modify(|ended| *ended += 1);
    }

    fn adopt(&self, parsed: Parsed, now: Instant) {
        let Parsed { set, skipped } = parsed;
        let old = self.in_force.load_full();
        let same = old.as_ref().filter(|old| old.set.is_same_as(&set));
        if same.is_some() {
            self.metrics.unchanged.inc();
        } else {
            self.metrics.changed.inc();
            let lost = old.as_ref().map(|old| old.set.names_lost_in(&set)).unwrap_or_default();
            self.schedule().note_change(lost);
            info!(authorization_server = &*self.server, keys = set.len(), "key set changed");
        }
        if old.as_ref().is_none_or(|old| old.skipped != skipped) {
            for key in &skipped {
                warn!(authorization_server = &*self.server, "not used of the key set: {key}");
            }
        }
        let set = same.map_or_else(|| Arc::new(set), |same| Arc::clone(&same.set));
        self.in_force.store(Some(Arc::new(InForce { set, confirmed: now, skipped })));
        self.last_failure.store(None);
    }

    fn fail(&self, error: KeySetError) {
        self.last_failure.store(Some(Arc::new(error)));
    }

    fn count_failure(&self, error: &KeySetError) {
        match error {
            KeySetError::Outbound(OutboundError::Timeout) => self.metrics.timeout.inc(),
            KeySetError::Malformed | KeySetError::NoUsableKey(_) => self.metrics.unusable.inc(),
            KeySetError::Cooldown
            | KeySetError::Insecure(_)
            | KeySetError::NotYet
            | KeySetError::Outbound(_)
            | KeySetError::Slow
            | KeySetError::Status(_)
            | KeySetError::TooMany
            | KeySetError::TooOld(_) => self.metrics.error.inc(),
        }
    }

    fn plan(&self, due: Instant) {
        self.due_millis.store(self.since_start(due), Ordering::Relaxed);
    }

    fn since_start(&self, instant: Instant) -> u64 {
        let elapsed = instant.saturating_duration_since(self.started);
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(answer: &Fetched) -> Result<(Parsed, Duration), KeySetError> {
    if answer.status != http::StatusCode::OK {
        return Err(KeySetError::Status(answer.status));
    }
    let lifetime = answer.max_age.unwrap_or(DEFAULT_LIFETIME);
    let parsed = KeySet::parse(&answer.body)?;
    Ok((parsed, lifetime.clamp(SHORTEST_LIFETIME, LONGEST_LIFETIME)))
}

/// The least time between two fetches on demand.
pub(in crate::authenticate) const COOLDOWN: Duration = Duration::from_secs(30);
/// How long a request waits for a fetch.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a set that cannot be confirmed stays in force.
pub(in crate::authenticate) const MAX_AGE: Duration = Duration::from_hours(24);
const DEFAULT_LIFETIME: Duration = Duration::from_mins(5);
const SHORTEST_LIFETIME: Duration = Duration::from_mins(1);
const LONGEST_LIFETIME: Duration = Duration::from_hours(1);
