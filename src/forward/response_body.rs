//! The body of an upstream's response on its way to the client.
//!
//! 1. Bytes pass as they come; nothing is gathered but an `endpoint` event on a GET stream.
//! 2. An event stream that ends inside an event ends as an error, so that nobody takes the cut
//!    event for a whole one.
//! 3. A GET stream ends cleanly, between events, when the gateway drains.
//! 4. The connection is given back when the response was read to its end, and only then.
//! 5. Trailers are dropped.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use prometheus::IntGauge;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::{
    endpoint::EndpointSealer,
    endpoint_event::{EndpointRewriter, EventError, EventScanner},
    pool::Lease,
};

/// A response body as the client sees it.
pub struct ResponseBody {
    upstream: Incoming,
    lease: Option<Lease>,
    events: Events,
    is_over: bool,
}

/// What is done with the events of a stream.
enum Events {
    /// It is no event stream.
    None,
    /// They are followed, so that a cut is noticed.
    Followed { scanner: EventScanner, _open: OpenStream },
    /// They pass one by one, `endpoint` events rewritten.
    Rewritten(Box<Rewritten>),
}

struct Rewritten {
    rewriter: EndpointRewriter,
    sealer: EndpointSealer,
    drain: Pin<Box<WaitForCancellationFutureOwned>>,
    _open: OpenStream,
}

/// Counts an open stream for as long as it lives.
struct OpenStream(IntGauge);

impl OpenStream {
    fn new(gauge: IntGauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Why a response breaks off.
#[derive(Debug, thiserror::Error)]
pub enum ResponseError {
    /// Its events cannot go on.
    #[error(transparent)]
    Events(#[from] EventError),
    /// The upstream broke off, or its own framing is wrong.
    #[error("the upstream broke off: {0}")]
    Upstream(#[from] hyper::Error),
}

impl ResponseBody {
    /// A body that is no event stream.
    pub(super) fn plain(upstream: Incoming, lease: Lease) -> Self {
        Self { upstream, lease: Some(lease), events: Events::None, is_over: false }.settled()
    }

    /// The events of an answer to a POST.
    pub(super) fn events(upstream: Incoming, lease: Lease, gauge: IntGauge) -> Self {
        let events =
            Events::Followed { scanner: EventScanner::default(), _open: OpenStream::new(gauge) };
        Self { upstream, lease: Some(lease), events, is_over: false }.settled()
    }

    /// The events of a GET stream.
    pub(super) fn stream(
        upstream: Incoming,
        lease: Lease,
        gauge: IntGauge,
        sealer: EndpointSealer,
        drain: CancellationToken,
    ) -> Self {
        let events = Events::Rewritten(Box::new(Rewritten {
            rewriter: EndpointRewriter::default(),
            sealer,
            drain: Box::pin(drain.cancelled_owned()),
            _open: OpenStream::new(gauge),
        }));
        Self { upstream, lease: Some(lease), events, is_over: false }.settled()
    }

    /// Gives the connection back once nothing more comes from it.
    fn settled(mut self) -> Self {
        self.settle();
        self
    }

    fn settle(&mut self) {
        if self.upstream.is_end_stream()
            && let Some(lease) = self.lease.take()
        {
            lease.give_back();
        }
    }

    fn end(&mut self) -> Option<Result<Frame<Bytes>, ResponseError>> {
        self.is_over = true;
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
        let is_whole = match &self.events {
            Events::None => true,
            Events::Followed { scanner, .. } => scanner.is_between_events(),
            Events::Rewritten(rewritten) => rewritten.rewriter.is_between_events(),
        };
        (!is_whole).then(|| Err(EventError::Cut.into()))
    }

    fn fail(&mut self, error: ResponseError) -> Poll<Option<Result<Frame<Bytes>, ResponseError>>> {
        self.is_over = true;
        self.lease = None;
        tracing::warn!(error = %error, "a response was broken off");
        Poll::Ready(Some(Err(error)))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = ResponseError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ResponseError>>> {
        let this = self.get_mut();
        if this.is_over {
            return Poll::Ready(None);
        }
        loop {
            let frame = match Pin::new(&mut this.upstream).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    let Events::Rewritten(rewritten) = &mut this.events else {
                        return Poll::Pending;
                    };
                    ready!(rewritten.drain.as_mut().poll(cx));
                    if !rewritten.rewriter.is_between_events() {
                        return Poll::Pending;
                    }
                    // The lease goes with us: the upstream sees the stream's end.
                    this.is_over = true;
                    this.lease = None;
                    return Poll::Ready(None);
                }
            };
            let Some(frame) = frame else { return Poll::Ready(this.end()) };
            let data = match frame.map(Frame::into_data) {
                Ok(Ok(data)) => data,
                Ok(Err(_trailers)) => continue,
                Err(error) => return this.fail(error.into()),
            };
            this.settle();
            let data = match &mut this.events {
                Events::None => data,
                Events::Followed { scanner, .. } => {
                    scanner.follow(&data);
                    data
                }
                Events::Rewritten(rewritten) => {
                    let Rewritten { rewriter, sealer, .. } = &mut **rewritten;
                    match rewriter.push(&data, |url| sealer.seal(url)) {
                        Ok(passed) if passed.is_empty() => continue,
                        Ok(passed) => passed,
                        Err(error) => return this.fail(error.into()),
                    }
                }
            };
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
    }

    fn is_end_stream(&self) -> bool {
        match self.events {
            Events::None => self.is_over || self.upstream.is_end_stream(),
            Events::Followed { .. } | Events::Rewritten(_) => self.is_over,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self.events {
            Events::None => self.upstream.size_hint(),
            // Its end may be an error, which a declared length would hide.
            Events::Followed { .. } | Events::Rewritten(_) => SizeHint::new(),
        }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("is_over", &self.is_over).finish_non_exhaustive()
    }
}
