//! The `Date` of responses, written once a second.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use crate::clock::Clock;

/// A date as RFC 9110 section 5.6.7 writes it.
pub(super) type DateText = [u8; 29];

/// What time it is, for all connections of a worker.
#[derive(Debug)]
pub struct Dates {
    clock: Arc<dyn Clock>,
    last: Mutex<Option<(Instant, DateText)>>,
}

impl Dates {
    /// By this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, last: Mutex::new(None) }
    }

    /// The date at `now`, which is the present.
    pub(super) fn at(&self, now: Instant) -> DateText {
        let Ok(mut last) = self.last.lock() else { return self.write().0 };
        match *last {
            Some((until, text)) if now < until => text,
            _ => {
                let (text, left) = self.write();
                *last = Some((now + left, text));
                text
            }
        }
    }

    /// The date, and how long it stays the same.
    fn write(&self) -> (DateText, Duration) {
        let since = Duration::try_from_secs_f64(self.clock.unix_seconds()).unwrap_or_default();
        let date = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + since);
        let mut text = [b' '; 29];
        for (place, byte) in text.iter_mut().zip(date.bytes()) {
            *place = byte;
        }
        (
            text,
            Duration::from_secs(1)
                .saturating_sub(Duration::from_nanos(since.subsec_nanos().into())),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn date_is_that_of_its_second() {
        let clock = Arc::new(ManualClock::new());
        let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let dates = Dates::new(shared);
        let start = Instant::now();
        let first = dates.at(start);
        let text = String::from_utf8(first.to_vec()).unwrap();
        assert!(httpdate::parse_http_date(&text).is_ok(), "{text}");
        clock.advance(Duration::from_secs(2));
        assert_eq!(dates.at(start), first, "not read again within its second");
        assert_ne!(dates.at(start + Duration::from_secs(2)), first);
    }
}
