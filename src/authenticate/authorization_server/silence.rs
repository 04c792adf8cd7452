//! Whether a server leaves questions unanswered.
//!
//! 1. After a few questions in a row that ran into their timeout it counts as silent, until one ends
//!    in time, in whatever way: one that fails at once costs nobody any time.
//! 2. A silent server is asked after the others of a route, so that their tokens do not wait for it.
//!    It is asked all the same: it may be silent about some tokens only.

use std::sync::atomic::{AtomicU32, Ordering};

/// How the last questions went.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// Timeouts since a question last ended in time.
    timeouts: AtomicU32,
}

impl Silence {
    pub(super) fn is_silent(&self) -> bool {
        self.timeouts.load(Ordering::Relaxed) >= ENOUGH
    }

    /// A question ran into its timeout; whether the server counts as silent from here on.
    pub(super) fn timed_out(&self) -> bool {
        let more = |timeouts: u32| (timeouts < ENOUGH).then(|| timeouts + 1);
        let before = self.timeouts.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        before == Ok(ENOUGH - 1)
    }

    /// A question ended in time; whether the server counted as silent until here.
    pub(super) fn ended_in_time(&self) -> bool {
        self.timeouts.swap(0, Ordering::Relaxed) >= ENOUGH
    }
}

/// More than chance, and few enough that a dead server is noticed soon.
const ENOUGH: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_timeouts_in_a_row_are_silence_and_one_answer_ends_it() {
        let silence = Silence::default();
        for n in 1..=ENOUGH {
            assert!(!silence.is_silent());
            assert_eq!(silence.timed_out(), n == ENOUGH);
        }
        assert!(!silence.timed_out(), "told once");
        assert!(silence.is_silent() && silence.ended_in_time());
        assert!(!silence.is_silent() && !silence.ended_in_time());
        assert!((1..ENOUGH).all(|_| !silence.timed_out()), "counted anew");
        assert!(!silence.is_silent());
    }
}
