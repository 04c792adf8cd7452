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

/// A time as people and machines read it (RFC 3339), in UTC, to the millisecond; `None` beyond the
/// years that it can name.
pub fn rfc3339(unix_seconds: f64) -> Option<String> {
    let since = Duration::try_from_secs_f64(unix_seconds).ok()?;
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil_date(days);
    if year > 9999 {
        return None;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let millis = since.subsec_millis();
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"))
}

/// Year, month and day of a day since the Unix epoch, in the Gregorian calendar.
fn civil_date(days: u64) -> (u64, u64, u64) {
    // Counted in years that begin in March, so that a leap day is the last of its year, from one
    // that begins a cycle of 400 years: 719468 days before the epoch.
    let shifted = days + 719_468;
    let (cycle, day_of_cycle) = (shifted / 146_097, shifted % 146_097);
    let leap_days = day_of_cycle / 1460 - day_of_cycle / 36_524 + day_of_cycle / 146_096;
    let year_of_cycle = (day_of_cycle - leap_days) / 365;
    let first_day = 365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100;
    let day_of_year = day_of_cycle - first_day;
    // March to July, and August to December, are 153 days each, of the same pattern.
    let month_of_year = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_of_year + 2) / 5 + 1;
    let month = if month_of_year < 10 { month_of_year + 3 } else { month_of_year - 9 };
    (cycle * 400 + year_of_cycle + u64::from(month <= 2), month, day)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339_has_them() {
        for (seconds, text) in [
            (0.0, "1970-01-01T00:00:00.000Z"),
            (951_782_399.999_9, "2000-02-28T23:59:59.999Z"),
            (951_782_400.0, "2000-02-29T00:00:00.000Z"),
            (951_868_800.0, "2000-03-01T00:00:00.000Z"),
            (1_709_164_800.5, "2024-02-29T00:00:00.500Z"),
            (1_798_761_599.0, "2026-12-31T23:59:59.000Z"),
            (4_107_542_400.0, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(seconds).as_deref(), Some(text));
        }
        assert_eq!(rfc3339(f64::NAN), None);
        assert_eq!(rfc3339(-1.0), None);
        assert_eq!(rfc3339(1e15), None);
    }
}
