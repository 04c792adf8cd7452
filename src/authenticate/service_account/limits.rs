//! How often one client identifier may be tried with credentials that were never good.
//!
//! 1. An attempt costs one second; five seconds may be owed. So a flood of wrong secrets reaches the
//!    authorization server five times and then once a second, and the right secret waits for a
//!    second at most once the flood is over.
//! 2. An attempt that was no refusal is given back, so that neither a good account nor a failing
//!    server uses attempts up.
//!
//! Floods with ever new identifiers are bounded by the number of questions under way, as floods
//! of tokens are.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use moka::sync::Cache;

use crate::oauth::TokenDigest;

/// What each client identifier owes.
#[derive(Debug)]
pub(super) struct Limits(Cache<TokenDigest, Arc<Mutex<Debt>>>);

/// Time owed at a moment; it is paid off as time goes by.
#[derive(Clone, Copy, Debug)]
struct Debt {
    owed: Duration,
    at: Instant,
}

impl Limits {
    /// Nobody owes anything; so many identifiers are remembered.
    pub(super) fn new(max_entries: u64) -> Self {
        Self(Cache::builder().max_capacity(max_entries).time_to_idle(2 * MOST_OWED).build())
    }

    /// Takes one attempt; `false` when too much is owed.
    pub(super) fn take(&self, id: &str, now: Instant) -> bool {
        self.change(id, now, |owed| {
            let more = owed + COST;
            if more > MOST_OWED { None } else { Some(more) }
        })
    }

    /// Gives one attempt back.
    pub(super) fn give_back(&self, id: &str, now: Instant) {
        self.change(id, now, |owed| Some(owed.saturating_sub(COST)));
    }

    fn change(
        &self,
        id: &str,
        now: Instant,
        change: impl FnOnce(Duration) -> Option<Duration>,
    ) -> bool {
        let nothing = || Arc::new(Mutex::new(Debt { owed: Duration::ZERO, at: now }));
        let debt = self.0.get_with(TokenDigest::of(id.as_bytes()), nothing);
        // A poisoned lock is treated as too much owed.
        let Ok(mut debt) = debt.lock() else { return false };
        let owed = debt.owed.saturating_sub(now.saturating_duration_since(debt.at));
        let changed = change(owed);
        *debt = Debt { owed: changed.unwrap_or(owed), at: now };
        changed.is_some()
    }
}

const COST: Duration = Duration::from_secs(1);
const MOST_OWED: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, ManualClock};

    #[test]
    fn attempts_are_five_and_then_one_a_second() {
        let (limits, clock) = (Limits::new(10), ManualClock::new());
        let take = || limits.take("a", clock.instant());
        assert_eq!((0..50).filter(|_| take()).count(), 5);
        for _ in 0..3 {
            clock.advance(Duration::from_secs(1));
            assert_eq!((0..50).filter(|_| take()).count(), 1);
        }
        assert!(limits.take("b", clock.instant()), "another identifier owes nothing");
        clock.advance(Duration::from_mins(1));
        assert_eq!((0..50).filter(|_| take()).count(), 5);
    }

    #[test]
    fn what_is_given_back_may_be_taken_again() {
        let (limits, clock) = (Limits::new(10), ManualClock::new());
        for _ in 0..50 {
            assert!(limits.take("a", clock.instant()));
            limits.give_back("a", clock.instant());
        }
    }
}
