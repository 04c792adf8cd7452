//! What ends an event stream from outside: the gateway's drain, or the end of its token.
//!
//! 1. Either is waited for in one place, and either ends the stream between two events.
//! 2. An event that does not end within [`PATIENCE`] of its token's end is broken off: nobody keeps
//!    a stream open by never finishing an event. While the gateway drains, `drain_timeout` does that.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::open_streams::Tenure;

/// The end of one stream, to come.
pub(super) struct Ending {
    signal: Pin<Box<WaitForCancellationFutureOwned>>,
    drain: CancellationToken,
    tenure: Option<Tenure>,
    overdue: Option<Pin<Box<Sleep>>>,
}

impl Ending {
    /// By the drain, and by the end of the stream's tenure where a token opened it.
    pub(super) fn new(drain: CancellationToken, tenure: Option<Tenure>) -> Self {
        let signal = tenure.as_ref().map_or(&drain, Tenure::ended).clone();
        Self { signal: Box::pin(signal.cancelled_owned()), drain, tenure, overdue: None }
    }

    /// The stream has named its message endpoint.
    pub(super) fn enter(&mut self, endpoint: &str) {
        let Some(tenure) = &mut self.tenure else { return };
        if tenure.enter(endpoint, &self.drain) {
            self.signal = Box::pin(tenure.ended().clone().cancelled_owned());
        }
    }

    /// Whether the stream is to end.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.signal.as_mut().poll(cx)
    }

    /// Whether it should have ended long ago; for a stream that is to end and cannot.
    pub(super) fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.tenure.is_none() || self.drain.is_cancelled() {
            return Poll::Pending;
        }
        let overdue = self.overdue.get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
        overdue.as_mut().poll(cx)
    }
}

const PATIENCE: Duration = Duration::from_secs(30);
