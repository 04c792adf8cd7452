//! Saying a thing sparingly: a few times a second, and then how often it was not said.
//!
//! Without it a flood of connections is a flood of lines in the log, and others are dropped for them.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How often something was said.
#[derive(Debug, Default)]
pub(super) struct Sparing(Mutex<Said>);

#[derive(Debug, Default)]
struct Said {
    /// When the second began that `count` is of.
    since: Option<Instant>,
    count: u32,
    unsaid: u64,
}

impl Sparing {
    /// Whether it is to be said now, with how often it was not said since the last time.
    pub(super) fn say(&self, now: Instant) -> Option<u64> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = |since| now.saturating_duration_since(since) >= Duration::from_secs(1);
        if said.since.is_none_or(is_new) {
            said.since = Some(now);
            said.count = 0;
        }
        if said.count >= A_SECOND {
            said.unsaid += 1;
            return None;
        }
        said.count += 1;
        Some(std::mem::take(&mut said.unsaid))
    }
}

const A_SECOND: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, ManualClock};

    #[test]
    fn it_is_said_three_times_a_second_and_then_how_often_it_was_not() {
        let sparing = Sparing::default();
        let start = ManualClock::new().instant();
        let at = |milliseconds| sparing.say(start + Duration::from_millis(milliseconds));
        assert_eq!([at(0), at(0), at(900)], [Some(0); 3]);
        assert_eq!([at(901), at(999)], [None; 2]);
        assert_eq!([at(1000), at(1001), at(1999), at(1999)], [Some(2), Some(0), Some(0), None]);
        assert_eq!(at(60_000), Some(1));
    }
}
