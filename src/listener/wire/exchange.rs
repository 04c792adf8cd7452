//! What a connection's reader and the service above hyper tell each other.
//!
//! 1. The reader says what was wrong with the bytes; the service asks before anything else.
//! 2. The service says when a response is complete; only then does the reader let the next head
//!    pass.
//!
//! Both live in the connection's own task; the atomics are there because the types must be `Send`.

use std::{
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use http_body::{Body, Frame, SizeHint};

use super::fault::WireFault;

/// The exchange in progress on one connection, shared by its reader and its service.
#[derive(Clone, Debug, Default)]
pub struct Exchange(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    fault: OnceLock<WireFault>,
    /// How many heads the reader has let pass.
    begun: AtomicU64,
    /// How many of their responses are complete.
    finished: AtomicU64,
}

impl Exchange {
    /// What is wrong with the request, or with its body so far. The request that comes with a
    /// fault may be a stand-in: nothing in it is the client's.
    pub fn fault(&self) -> Option<WireFault> {
        self.0.fault.get().copied()
    }

    /// Whether a request has been let pass whose response is not complete.
    pub fn is_in_flight(&self) -> bool {
        self.0.begun.load(Ordering::Acquire) > self.0.finished.load(Ordering::Acquire)
    }

    /// Ties the current request to its response. The service calls it once for every request, as
    /// its first act: as long as nobody has, or the guard lives, no further request is read.
    pub fn guard(&self) -> ResponseGuard {
        ResponseGuard { exchange: self.clone(), number: self.0.begun.load(Ordering::Acquire) }
    }

    pub(super) fn begin(&self) {
        self.0.begun.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn fail(&self, fault: WireFault) {
        // The first fault is the cause of whatever follows.
        let _ = self.0.fault.set(fault);
    }
}

/// Proof that a response is not complete yet; dropped with the end of its body.
#[derive(Debug)]
pub struct ResponseGuard {
    exchange: Exchange,
    number: u64,
}

impl ResponseGuard {
    /// A body that keeps the guard until it has been produced to its end or is dropped.
    pub fn over<B>(self, body: B) -> GuardedBody<B> {
        GuardedBody { body, _guard: self }
    }
}

impl Drop for ResponseGuard {
    fn drop(&mut self) {
        self.exchange.0.finished.fetch_max(self.number, Ordering::AcqRel);
    }
}

/// A response body that ends its exchange when it ends.
#[derive(Debug)]
pub struct GuardedBody<B> {
    body: B,
    _guard: ResponseGuard,
}

impl<B: Body + Unpin> Body for GuardedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() {
            // hyper may find nothing left to write here and then go to sleep without flushing;
            // the reader needs one more turn to see that the exchange is over.
            cx.waker().wake_by_ref();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
