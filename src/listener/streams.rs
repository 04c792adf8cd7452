//! How many streams of an HTTP/2 connection are open, and when none has been for too long.
//!
//! hyper closes idle HTTP/1 connections only; this does it for HTTP/2.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::Notify;

/// The open streams of one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    open: AtomicUsize,
    changed: Notify,
}

/// A stream, counted until it is dropped.
#[derive(Debug)]
pub(super) struct OpenStream(Streams);

impl Streams {
    /// Counts a stream.
    pub(super) fn open(&self) -> OpenStream {
        self.0.open.fetch_add(1, Ordering::AcqRel);
        self.0.changed.notify_one();
        OpenStream(self.clone())
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
        self.0.0.open.fetch_sub(1, Ordering::AcqRel);
        self.0.0.changed.notify_one();
    }
}

impl OpenStream {
    /// A response body that keeps its stream counted.
    pub(super) fn over<B>(self, body: B) -> StreamBody<B> {
        StreamBody { body, _open: self }
    }
}

/// A response body of a counted stream.
#[derive(Debug)]
pub(super) struct StreamBody<B> {
    body: B,
    _open: OpenStream,
}

impl<B: Body + Unpin> Body for StreamBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
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
    async fn connection_is_idle_only_without_streams() {
        let (short, long) = (Duration::from_millis(20), Duration::from_mins(1));
        let streams = Streams::default();
        streams.idle(long, short).await;
        let open = streams.open();
        assert!(tokio::time::timeout(short * 3, streams.idle(short, short)).await.is_err());
        drop(open);
        streams.idle(short, long).await;
    }
}
