//! The open streams of an HTTP/2 connection: when there has been none for too long, and when the
//! client has taken nothing of one for too long.
//!
//! hyper does not close idle connections of HTTP/2; this does. A client may also withhold
//! flow-control window for ever: then no write waits, and only the body's not being asked for shows
//! it.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use hyper::body::{Body, Frame, SizeHint};
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

/// The open streams of one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    open: AtomicUsize,
    is_closed: AtomicBool,
    changed: Notify,
    /// Since when the client should take what there is, by stream.
    waiting: Mutex<HashMap<usize, Instant>>,
    next_number: AtomicUsize,
}

/// A stream, counted until it is dropped.
#[derive(Debug)]
pub(super) struct OpenStream {
    streams: Streams,
    number: usize,
}

impl Streams {
    /// Counts a stream; none any more when the connection has been closed to new ones.
    pub(super) fn open(&self) -> Option<OpenStream> {
        if self.0.is_closed.load(Ordering::Acquire) {
            return None;
        }
        self.0.open.fetch_add(1, Ordering::AcqRel);
        self.0.changed.notify_one();
        let number = self.0.next_number.fetch_add(1, Ordering::Relaxed);
        Some(OpenStream { streams: self.clone(), number })
    }

    /// Resolves when the client has taken nothing of a stream for `patience`.
    pub(super) async fn stalled(&self, patience: Duration) {
        loop {
            sleep(patience / 4).await;
            let is_stalled = |since: &Instant| since.elapsed() >= patience;
            // A poisoned lock means a panic in this connection: end it.
            match self.0.waiting.lock() {
                Ok(waiting) if !waiting.values().any(is_stalled) => {}
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// After a farewell: takes new streams for `patience`, which were on their way, and resolves when
    /// none has been open for that long.
    ///
    /// A client could otherwise go on for ever by never acknowledging the farewell.
    pub(super) async fn finished(&self, patience: Duration) {
        sleep(patience).await;
        self.0.is_closed.store(true, Ordering::Release);
        self.idle(patience, patience).await;
    }

    /// Resolves when no stream has been open for `idle_timeout`; before the first stream, for
    /// `first_timeout`.
    pub(super) async fn idle(&self, idle_timeout: Duration, first_timeout: Duration) {
        let is_empty = || self.0.open.load(Ordering::Acquire) == 0;
        let mut patience = first_timeout;
        loop {
            if is_empty() {
                let changed = tokio::time::timeout(patience, self.0.changed.notified()).await;
                if changed.is_err() && is_empty() {
                    return;
                }
            } else {
                self.0.changed.notified().await;
            }
            patience = idle_timeout;
        }
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.is_waiting(false);
        self.streams.0.open.fetch_sub(1, Ordering::AcqRel);
        self.streams.0.changed.notify_one();
    }
}

impl OpenStream {
    /// A response body that keeps its stream counted.
    pub(super) fn over<B>(self, body: B) -> StreamBody<B> {
        self.is_waiting(true);
        StreamBody { body, open: self }
    }

    /// Whether it is the client's turn to take something.
    fn is_waiting(&self, is_waiting: bool) {
        let Ok(mut waiting) = self.streams.0.waiting.lock() else { return };
        if is_waiting {
            waiting.insert(self.number, Instant::now());
        } else {
            waiting.remove(&self.number);
        }
    }
}

/// A response body of a counted stream.
#[derive(Debug)]
pub(super) struct StreamBody<B> {
    body: B,
    open: OpenStream,
}

impl<B: Body + Unpin> Body for StreamBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        // hyper asks for more only when the client has room for it.
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.open.is_waiting(matches!(frame, Poll::Ready(Some(_))));
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stream_stalls_only_while_something_waits_for_the_client() {
        let patience = Duration::from_millis(80);
        let streams = Streams::default();
        let mut body =
            streams.open().unwrap().over(http_body_util::Full::new(bytes::Bytes::from("x")));
        streams.stalled(patience).await;
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(Pin::new(&mut body).poll_frame(&mut cx).is_ready());
        streams.stalled(patience).await;
        assert!(Pin::new(&mut body).poll_frame(&mut cx).is_ready(), "the end");
        assert!(tokio::time::timeout(patience * 3, streams.stalled(patience)).await.is_err());
    }

    #[tokio::test]
    async fn connection_is_idle_only_without_streams() {
        let (short, long) = (Duration::from_millis(20), Duration::from_mins(1));
        let streams = Streams::default();
        streams.idle(long, short).await;
        let open = streams.open().unwrap();
        assert!(tokio::time::timeout(short * 3, streams.idle(short, short)).await.is_err());
        drop(open);
        streams.idle(short, long).await;
    }

    #[tokio::test]
    async fn farewell_closes_to_new_streams_and_waits_for_the_others() {
        let patience = Duration::from_millis(20);
        let streams = Streams::default();
        let open = streams.open().unwrap();
        assert!(tokio::time::timeout(patience * 5, streams.finished(patience)).await.is_err());
        assert!(streams.open().is_none());
        drop(open);
        streams.finished(patience).await;
    }
}
