//! How often a caller may come to a route.
//!
//! 1. The generic cell rate algorithm: each request moves the time at which its caller is quits by
//!    `per / requests`; who is further ahead of the clock than `burst` requests waits. It keeps one
//!    number for each caller and needs no timer.
//! 2. A caller who is quits is forgotten. When too many are not, those are who owe the least: who
//!    owes much is remembered, so that a flood of names does not wash its own debt away.
//! 3. Callers are kept as hashes keyed at random, never by name.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::tally::{Key, Seed};
use crate::config::settings::RateLimit;

/// The rate limit of one route.
#[derive(Debug)]
pub struct RateLimiter {
    settings: RateLimit,
    /// What one request costs, in nanoseconds.
    cost: u64,
    /// How far ahead of the clock a caller may be.
    most: u64,
    /// What times are counted from.
    start: Instant,
    /// When each caller is quits.
    shards: [Mutex<HashMap<Key, u64, Seed>>; SHARDS],
    seed: Seed,
    names: RandomState,
}

/// A caller has come too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more requests than the route's rate_limit")]
pub struct RateLimited {
    /// When it may come again.
    pub wait: Duration,
}

impl RateLimiter {
    /// Nobody has come yet.
    pub fn new(settings: RateLimit, start: Instant) -> Self {
        let cost = nanoseconds(settings.per).div_ceil(u64::from(settings.requests.max(1)));
        let cost = cost.max(1);
        let seed = Seed::random();
        Self {
            settings,
            cost,
            most: cost.saturating_mul(u64::from(settings.burst)),
            start,
            shards: std::array::from_fn(|_| Mutex::new(HashMap::with_hasher(seed))),
            seed,
            names: RandomState::new(),
        }
    }

    /// The same one as before, with what callers have used of it, as long as it says the same.
    pub fn after(known: Option<&Arc<Self>>, settings: RateLimit, now: Instant) -> Arc<Self> {
        match known.filter(|known| known.settings == settings) {
            Some(known) => Arc::clone(known),
            None => Arc::new(Self::new(settings, now)),
        }
    }

    /// What it was made with.
    pub fn settings(&self) -> RateLimit {
        self.settings
    }

    /// The key of a caller whose name has several parts.
    pub fn key(&self, parts: &[&str]) -> Key {
        Key::new(u128::from(self.names.hash_one(parts)))
    }

    /// Counts a request of a caller, or says how long it must wait.
    pub fn take(&self, caller: Key, now: Instant) -> Result<(), RateLimited> {
        let now = nanoseconds(now.saturating_duration_since(self.start));
        let Some(mut callers) = self.shard(caller) else { return Ok(()) };
        let quits = callers.get(&caller).copied().unwrap_or_default().max(now);
        let after = quits.saturating_add(self.cost);
        if let Some(wait) = after.checked_sub(now.saturating_add(self.most)).filter(|it| *it > 0) {
            return Err(RateLimited { wait: Duration::from_nanos(wait) });
        }
        if callers.len() >= MAX_CALLERS && !callers.contains_key(&caller) {
            forget(&mut callers, now);
        }
        callers.insert(caller, after);
        Ok(())
    }

    /// How many callers are remembered.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, caller: Key) -> Option<MutexGuard<'_, HashMap<Key, u64, Seed>>> {
        let index = usize::try_from(self.seed.hash_one(caller) >> 32).unwrap_or_default() % SHARDS;
        self.shards.get(index).map(lock)
    }
}

/// Makes room: forgets all who are quits, and of too many others an eighth, those who owe the least.
fn forget(callers: &mut HashMap<Key, u64, Seed>, now: u64) {
    callers.retain(|_, quits| *quits > now);
    if callers.len() < MAX_CALLERS - MAX_CALLERS / 8 {
        return;
    }
    let mut times: Vec<u64> = callers.values().copied().collect();
    let (_, bound, _) = times.select_nth_unstable(MAX_CALLERS / 8);
    let bound = *bound;
    let mut left = MAX_CALLERS / 8;
    callers.retain(|_, quits| {
        // Of those who owe the same only as many as it takes.
        let is_forgotten = *quits <= bound && left > 0;
        left -= usize::from(is_forgotten);
        !is_forgotten
    });
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As a number that lasts for 584 years.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

const SHARDS: usize = 16;
/// Callers remembered by one shard.
const MAX_CALLERS: usize = 100_000 / SHARDS;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::{Clock as _, ManualClock},
        config::settings::RateLimitBy,
    };

    fn limiter(requests: u32, per: Duration, burst: u32) -> (RateLimiter, ManualClock) {
        let clock = ManualClock::new();
        let settings = RateLimit { requests, per, burst, by: RateLimitBy::Subject };
        (RateLimiter::new(settings, clock.instant()), clock)
    }

    fn passed(limiter: &RateLimiter, caller: u128, now: Instant) -> usize {
        (0..1000).filter(|_| limiter.take(Key::new(caller), now).is_ok()).count()
    }

    #[test]
    fn burst_passes_at_once_and_then_as_many_as_the_rate_says() {
        let (limiter, clock) = limiter(10, Duration::from_secs(1), 5);
        assert_eq!(passed(&limiter, 1, clock.instant()), 5);
        assert_eq!(passed(&limiter, 2, clock.instant()), 5, "another caller");
        clock.advance(Duration::from_millis(99));
        assert_eq!(passed(&limiter, 1, clock.instant()), 0);
        clock.advance(Duration::from_millis(1));
        assert_eq!(passed(&limiter, 1, clock.instant()), 1);
        clock.advance(Duration::from_millis(250));
        assert_eq!(passed(&limiter, 1, clock.instant()), 2);
        clock.advance(Duration::from_hours(1));
        assert_eq!(passed(&limiter, 1, clock.instant()), 5, "no more than a burst is saved up");
    }

    #[test]
    fn refused_caller_is_told_how_long_to_wait_and_need_not_wait_longer() {
        let (limiter, clock) = limiter(1, Duration::from_mins(1), 2);
        let take = || limiter.take(Key::new(1), clock.instant());
        assert_eq!((take(), take()), (Ok(()), Ok(())));
        for seconds in [60, 25] {
            assert_eq!(take(), Err(RateLimited { wait: Duration::from_secs(seconds) }));
            clock.advance(Duration::from_secs(35));
        }
        assert_eq!(take(), Ok(()), "being refused costs nothing");
    }

    #[test]
    fn callers_are_bounded_and_who_owes_most_is_remembered() {
        let (limiter, clock) = limiter(1, Duration::from_hours(1), 3);
        let debtor = Key::new(u128::MAX);
        while limiter.take(debtor, clock.instant()).is_ok() {}
        for n in 0..300_000 {
            assert_eq!(limiter.take(Key::new(n), clock.instant()), Ok(()), "a new caller passes");
        }
        assert!(limiter.len() <= MAX_CALLERS * SHARDS, "{}", limiter.len());
        assert!(limiter.take(debtor, clock.instant()).is_err());
    }

    #[test]
    fn callers_who_are_quits_make_room_first() {
        let (limiter, clock) = limiter(1, Duration::from_secs(1), 1);
        for n in 0..90_000 {
            assert_eq!(limiter.take(Key::new(n), clock.instant()), Ok(()));
        }
        clock.advance(Duration::from_secs(1));
        for n in 200_000..290_000 {
            assert_eq!(limiter.take(Key::new(n), clock.instant()), Ok(()));
        }
        for n in 200_000..290_000 {
            assert!(limiter.take(Key::new(n), clock.instant()).is_err(), "{n} is not forgotten");
        }
    }

    #[test]
    fn names_of_several_parts_are_told_apart() {
        let (limiter, _) = limiter(1, Duration::from_secs(1), 1);
        assert_eq!(limiter.key(&["a", "bc"]), limiter.key(&["a", "bc"]));
        assert_ne!(limiter.key(&["a", "bc"]), limiter.key(&["ab", "c"]));
    }
}
