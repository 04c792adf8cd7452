//! Whether a server that does not answer is asked at all.
//!
//! 1. After a few questions in a row that ran into their timeout, one is put each second, until one is
//!    answered: each would cost whoever waits the whole timeout, and the next server on the route
//!    would be asked that much later.
//! 2. Whoever is not asked for is told "unavailable", never more.
//! 3. A server that fails at once, or cannot be connected to, costs nobody any time and is asked on.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How the last questions went.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Timeouts since the last answer.
    timeouts: u32,
    /// When the last question was put in spite of them.
    probed: Option<Instant>,
}

impl Breaker {
    /// Whether a question may be put now.
    pub(super) fn admits(&self, now: Instant) -> bool {
        let mut state = self.state();
        if state.timeouts < ENOUGH {
            return true;
        }
        let is_time = |at: Instant| now.saturating_duration_since(at) >= BETWEEN_PROBES;
        let admits = state.probed.is_none_or(is_time);
        if admits {
            state.probed = Some(now);
        }
        admits
    }

    /// Whether questions are withheld.
    pub(super) fn is_open(&self) -> bool {
        self.state().timeouts >= ENOUGH
    }

    /// A question ran into its timeout; whether questions are withheld from here on.
    pub(super) fn timed_out(&self, now: Instant) -> bool {
        let mut state = self.state();
        state.timeouts = state.timeouts.saturating_add(1);
        if state.timeouts == ENOUGH {
            state.probed = Some(now);
        }
        state.timeouts == ENOUGH
    }

    /// A question was answered, in whatever way; whether questions were withheld until here.
    pub(super) fn answered(&self) -> bool {
        std::mem::take(&mut *self.state()).timeouts >= ENOUGH
    }

    /// It is whole at every moment, so a panic elsewhere has spoilt nothing.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// More than chance, and few enough that a dead server is noticed soon.
const ENOUGH: u32 = 5;
const BETWEEN_PROBES: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, ManualClock};

    #[test]
    fn j37_one_question_a_second_while_none_is_answered() {
        let (breaker, clock) = (Breaker::default(), ManualClock::new());
        for n in 1..=ENOUGH {
            assert!(breaker.admits(clock.instant()));
            assert_eq!(breaker.timed_out(clock.instant()), n == ENOUGH);
            assert_eq!(breaker.is_open(), n == ENOUGH);
        }
        for _ in 0..3 {
            assert!(!breaker.admits(clock.instant()));
            clock.advance(BETWEEN_PROBES);
            assert!(breaker.admits(clock.instant()));
            assert!(!breaker.admits(clock.instant()), "one");
            assert!(!breaker.timed_out(clock.instant()), "told once");
        }
        assert!(breaker.answered());
        assert!(!breaker.answered());
        assert!((1..ENOUGH).all(|_| !breaker.timed_out(clock.instant())));
        assert!(breaker.admits(clock.instant()), "counted anew");
    }
}
