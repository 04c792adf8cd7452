//! A time limit that is moved far more often than it runs out.
//!
//! Moved further away, it is left as it is set: it rings too early then, once, and is set anew.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::time::{Instant, Sleep, sleep_until};

/// A time limit.
#[derive(Debug)]
pub(super) struct Timer {
    /// Set for `due` or earlier.
    sleep: Pin<Box<Sleep>>,
    due: Instant,
}

impl Timer {
    pub(super) fn new(due: Instant) -> Self {
        Self { sleep: Box::pin(sleep_until(due)), due }
    }

    pub(super) fn set(&mut self, due: Instant) {
        self.due = due;
        if due < self.sleep.deadline() {
            self.sleep.as_mut().reset(due);
        }
    }

    /// Ready when it has run out.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            if self.sleep.deadline() >= self.due {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(self.due);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn limit_is_the_last_that_was_set() {
        let start = Instant::now();
        let mut timer = Timer::new(start + SHORT);
        for times in [3, 6] {
            // Further away before it rings, and after it has rung.
            timer.set(start + SHORT * times);
            poll_fn(|cx| timer.poll(cx)).await;
            assert!(start.elapsed() >= SHORT * times);
        }
        timer.set(Instant::now() + Duration::from_mins(1));
        timer.set(Instant::now() + SHORT);
        let rung = tokio::time::timeout(SHORT * 100, poll_fn(|cx| timer.poll(cx))).await;
        assert!(rung.is_ok(), "nearer, it rings earlier");
    }
}
