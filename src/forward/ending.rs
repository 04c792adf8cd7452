//! What ends an event stream from outside: the gateway's drain, the end of its token, or of its
//! route.
//!
//! 1. All are waited for in one place, and each ends the stream between two events.
//! 2. An event that does not end within [`PATIENCE`] of its stream's end is broken off: nobody keeps
//!    a stream open by never finishing an event. While the gateway drains, `drain_timeout` does that.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::{list_filter::asked::AskedLists, open_streams::Tenure};

/// The end of one stream, to come.
pub(super) struct Ending(Option<Box<Awaited>>);

/// What may end it.
struct Awaited {
    signal: Pin<Box<WaitForCancellationFutureOwned>>,
    drain: CancellationToken,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
    tenure: Option<Tenure>,
    overdue: Option<Pin<Box<Sleep>>>,
}

impl Ending {
    /// By the drain, when the upstream's streams are closed, and by the end of the stream's tenure
    /// where a token opened it.
    pub(super) fn new(
        drain: CancellationToken,
        closed: CancellationToken,
        tenure: Option<Tenure>,
    ) -> Self {
        let signal = tenure.as_ref().map_or(&drain, Tenure::ended).clone();
        let signal = Box::pin(signal.cancelled_owned());
        let closed = Box::pin(closed.cancelled_owned());
        Self(Some(Box::new(Awaited { signal, drain, closed, tenure, overdue: None })))
    }

    /// By nothing: that of an answer that ends by itself.
    pub(super) fn never() -> Self {
        Self(None)
    }

    /// The stream has named its message endpoint; whether that made a difference.
    pub(super) fn enter(&mut self, endpoint: &str) -> bool {
        let Some(awaited) = &mut self.0 else { return false };
        let Some(tenure) = &mut awaited.tenure else { return false };
        let has_moved = tenure.enter(endpoint, &awaited.drain);
        if has_moved {
            awaited.signal = Box::pin(tenure.ended().clone().cancelled_owned());
        }
        has_moved
    }

    /// What other requests of the stream's session ask for.
    pub(super) fn lists(&self) -> Option<&Arc<AskedLists>> {
        self.0.as_ref()?.tenure.as_ref().map(Tenure::lists)
    }

    /// Whether the stream is to end.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(awaited) = &mut self.0 else { return Poll::Pending };
        match awaited.signal.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => awaited.closed.as_mut().poll(cx),
        }
    }

    /// Whether it should have ended long ago; for a stream that is to end and cannot.
    pub(super) fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(awaited) = self.0.as_mut().filter(|awaited| !awaited.drain.is_cancelled()) else {
            return Poll::Pending;
        };
        let overdue = awaited.overdue.get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
        overdue.as_mut().poll(cx)
    }
}

const PATIENCE: Duration = Duration::from_secs(30);
