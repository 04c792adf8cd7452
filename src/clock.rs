//! Where time comes from, so that tests can set it.
//!
//! 1. Token times (`exp`, `nbf`, `iat`) are judged by the wall clock; ages and durations by the
//!    monotonic one.
//! 2. Nothing else in the crate asks the operating system for the time. Timers that bound a wait
//!    on a peer are tokio's own.

use std::{
    fmt::Debug,
    sync::Mutex,
    time::{Duration, Instant, SystemTime},
};

/// A source of wall-clock and monotonic time.
pub trait Clock: Debug + Send + Sync + 'static {
    /// Seconds since the Unix epoch, with fraction.
    fn unix_seconds(&self) -> f64;

    /// A monotonic instant, for ages and durations.
    fn instant(&self) -> Instant;
}

/// The operating system's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn unix_seconds(&self) -> f64 {
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0.0, |elapsed| elapsed.as_secs_f64())
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
    fn instant(&self) -> Instant {
        Instant::now()
    }
}

/// A clock that moves only when told to; wall and monotonic time move together, until the wall
/// clock is set.
#[derive(Debug)]
pub struct ManualClock {
    start: Instant,
    unix_start: f64,
    elapsed: Mutex<Duration>,
    /// Seconds by which the wall clock was set.
    wall_offset: Mutex<f64>,
}

impl ManualClock {
    /// Starts at the present.
    pub fn new() -> Self {
        let system = SystemClock;
        Self {
            start: system.instant(),
            unix_start: system.unix_seconds(),
            elapsed: Mutex::new(Duration::ZERO),
            wall_offset: Mutex::new(0.0),
        }
    }

    /// Moves both clocks forward.
    pub fn advance(&self, by: Duration) {
        let mut elapsed = self.elapsed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *elapsed += by;
    }

    /// Sets the wall clock alone: so many seconds later than it would be, or earlier.
    pub fn set_wall_clock(&self, offset: f64) {
        *self.wall_offset.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = offset;
    }

    fn elapsed(&self) -> Duration {
        *self.elapsed.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn unix_seconds(&self) -> f64 {
        let offset = *self.wall_offset.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.unix_start + self.elapsed().as_secs_f64() + offset
    }

    fn instant(&self) -> Instant {
        self.start + self.elapsed()
    }
}
