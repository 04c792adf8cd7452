//! A bound on waits that hardly ever takes effect.
//!
//! 1. To set a timer and take it back costs more than much of what is done for a request. Here it is
//!    left as it is set, and serves the next wait: there it rings too early, if at all, and is then
//!    set anew.
//! 2. All waits of one kind are bounded alike, so a timer never rings too late.
//! 3. A wait that is over at once needs no timer.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// How long one worker waits for one kind of thing.
#[derive(Debug)]
pub(super) struct Patience {
    length: Duration,
    spare: Mutex<Vec<Timer>>,
}

type Timer = Pin<Box<Sleep>>;

/// It ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RanOut;

impl Patience {
    /// For waits of this length.
    pub(super) fn new(length: Duration) -> Self {
        Self { length, spare: Mutex::default() }
    }

    /// Waits for something.
    pub(super) async fn bound<T>(
        &self,
        mut something: Pin<&mut impl Future<Output = T>>,
    ) -> Result<T, RanOut> {
        let mut wait = Wait { patience: self, end: Instant::now() + self.length, timer: None };
        poll_fn(|cx| match something.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Ok(done)),
            Poll::Pending => wait.poll(cx).map(|()| Err(RanOut)),
        })
        .await
    }

    fn take(&self, end: Instant) -> Timer {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        spare.unwrap_or_else(|| Box::pin(sleep_until(end)))
    }

    fn give_back(&self, timer: Timer) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < MAX_SPARE {
            spare.push(timer);
        }
    }
}

/// One wait.
struct Wait<'a> {
    patience: &'a Patience,
    end: Instant,
    timer: Option<Timer>,
}

impl Wait<'_> {
    /// Whether it has lasted long enough.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| self.patience.take(self.end));
        loop {
            ready!(timer.as_mut().poll(cx));
            if Instant::now() >= self.end {
                return Poll::Ready(());
            }
            timer.as_mut().reset(self.end);
        }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            self.patience.give_back(timer);
        }
    }
}

/// Each may keep a task in memory that has ended, until it rings.
const MAX_SPARE: usize = 64;

#[cfg(test)]
mod tests {
    use std::{
        future::{pending, ready},
        pin::pin,
    };

    use tokio::time::sleep;

    use super::*;

    const LENGTH: Duration = Duration::from_millis(40);

    fn spares(patience: &Patience) -> usize {
        patience.spare.lock().unwrap().len()
    }

    #[tokio::test]
    async fn wait_is_never_cut_short_by_the_timer_of_another() {
        let patience = Patience::new(LENGTH);
        let first = patience.bound(pin!(sleep(LENGTH / 2))).await;
        assert_eq!((first, spares(&patience)), (Ok(()), 1));
        for _ in 0..3 {
            // The timer that it takes is set already, or has rung.
            let start = Instant::now();
            assert_eq!(patience.bound(pin!(pending::<()>())).await, Err(RanOut));
            assert!(start.elapsed() >= LENGTH);
            assert_eq!(spares(&patience), 1);
        }
    }

    #[tokio::test]
    async fn what_is_there_at_once_takes_no_timer() {
        let patience = Patience::new(Duration::ZERO);
        assert_eq!(patience.bound(pin!(ready(7))).await, Ok(7));
        assert_eq!(spares(&patience), 0);
    }

    #[tokio::test]
    async fn waits_at_the_same_time_have_timers_of_their_own() {
        let patience = Patience::new(LENGTH);
        let (short, long, never) = (sleep(LENGTH / 8), sleep(LENGTH / 4), pending::<()>());
        let (short, long, never) = (pin!(short), pin!(long), pin!(never));
        let ended =
            tokio::join!(patience.bound(short), patience.bound(long), patience.bound(never));
        assert_eq!((ended, spares(&patience)), ((Ok(()), Ok(()), Err(RanOut)), 3));
    }
}
