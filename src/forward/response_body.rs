//! The body of an upstream's response on its way to the client.
//!
//! 1. Bytes pass as they come; nothing is gathered but an `endpoint` event on a GET stream, and what
//!    a list must leave something out of.
//! 2. An event stream that ends inside an event ends as an error, so that nobody takes the cut
//!    event for a whole one.
//! 3. A GET stream, and one that a POST may have subscribed to, ends cleanly, between events, when the
//!    gateway drains or the stream's token is over; see `ending`.
//! 4. What has passed leaves for the client before its response is broken off.
//! 5. A body that is no stream may not stall for ever; what is broken from its first byte is never
//!    begun.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use prometheus::IntGauge;
use tokio::time::{Sleep, sleep};

use super::{
    connection::{ExchangeError, UpstreamBody},
    ending::Ending,
    endpoint::EndpointSealer,
    endpoint_event::EndpointRewriter,
    event_stream::{EventError, EventScanner},
    list_filter::events::EventFilter,
};

/// A response body as the client sees it.
pub struct ResponseBody {
    upstream: UpstreamBody,
    kind: Kind,
    /// What came together with the head.
    first: Option<Bytes>,
    /// Whether something passed since it last had to wait.
    has_passed: bool,
    /// Why it breaks off, once what has passed has left.
    fault: Option<ResponseError>,
    is_over: bool,
}

/// What is done with a body.
enum Kind {
    /// An event stream in a content coding: it passes unread.
    Encoded { _open: OpenStream },
    /// The events of an answer to a POST: followed, so that a cut is noticed.
    Followed(Box<Followed>),
    /// No event stream: it may not stall for ever.
    Plain { patience: Duration, deadline: Option<Pin<Box<Sleep>>> },
    /// The events of a GET stream: they pass one by one, `endpoint` events rewritten.
    Rewritten(Box<Rewritten>),
}

struct Followed {
    scanner: EventScanner,
    ending: Option<Ending>,
    filter: Option<EventFilter>,
    _open: OpenStream,
}

struct Rewritten {
    rewriter: EndpointRewriter,
    sealer: EndpointSealer,
    ending: Ending,
    filter: Option<EventFilter>,
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
    /// The stream was to end, and its event never did.
    #[error("an event did not end in time when its stream's token was over")]
    Endless,
    /// Its events cannot go on.
    #[error(transparent)]
    Events(#[from] EventError),
    /// The upstream stopped sending within a body that is no stream.
    #[error("the upstream stalled within its response for upstream.response_timeout")]
    Stalled,
    /// The upstream broke off, or its own framing is wrong.
    #[error("the upstream broke off: {0}")]
    Upstream(#[from] ExchangeError),
}

type Polled = Poll<Option<Result<Frame<Bytes>, ResponseError>>>;

impl ResponseBody {
    /// A body that is no event stream; between two of its bytes at most `patience` may pass.
    ///
    /// # Errors
    ///
    /// When what came with the head is broken already: then the head need not pass either.
    pub(super) async fn plain(
        upstream: UpstreamBody,
        patience: Duration,
    ) -> Result<Self, ExchangeError> {
        let mut body = Self::new(upstream, Kind::Plain { patience, deadline: None });
        body.peek().await?;
        Ok(body)
    }

    /// An event stream in a content coding.
    pub(super) fn encoded(upstream: UpstreamBody, gauge: IntGauge) -> Self {
        Self::new(upstream, Kind::Encoded { _open: OpenStream::new(gauge) })
    }

    /// The events of an answer to a POST; `ending` for those that would never end by themselves.
    pub(super) fn events(upstream: UpstreamBody, gauge: IntGauge, ending: Option<Ending>) -> Self {
        let (scanner, open) = (EventScanner::default(), OpenStream::new(gauge));
        let followed = Followed { scanner, ending, filter: None, _open: open };
        Self::new(upstream, Kind::Followed(Box::new(followed)))
    }

    /// The events of a GET stream.
    pub(super) fn stream(
        upstream: UpstreamBody,
        gauge: IntGauge,
        sealer: EndpointSealer,
        ending: Ending,
    ) -> Self {
        let kind = Kind::Rewritten(Box::new(Rewritten {
            rewriter: EndpointRewriter::default(),
            sealer,
            ending,
            filter: None,
            _open: OpenStream::new(gauge),
        }));
        Self::new(upstream, kind)
    }

    /// A body that was read whole.
    pub(super) fn whole(mut upstream: UpstreamBody, bytes: Bytes) -> Self {
        // What was not read to its end is not worth reading.
        upstream.close();
        let kind = Kind::Plain { patience: Duration::ZERO, deadline: None };
        let first = (!bytes.is_empty()).then_some(bytes);
        Self { upstream, kind, first, has_passed: false, fault: None, is_over: true }
    }

    /// The same events without the lists' items that are hidden.
    pub(super) fn filtered(mut self, filter: Option<EventFilter>) -> Self {
        match &mut self.kind {
            Kind::Followed(followed) => followed.filter = filter,
            Kind::Rewritten(rewritten) => {
                rewritten.filter = filter;
                join(rewritten.filter.as_mut(), &rewritten.ending);
            }
            Kind::Encoded { .. } | Kind::Plain { .. } => {}
        }
        self
    }

    fn new(upstream: UpstreamBody, kind: Kind) -> Self {
        // The head passes first.
        Self { upstream, kind, first: None, has_passed: true, fault: None, is_over: false }
    }

    /// Takes what is there already, without waiting.
    async fn peek(&mut self) -> Result<(), ExchangeError> {
        poll_fn(|cx| match Pin::new(&mut self.upstream).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.first = frame.into_data().ok();
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Err(error)),
            Poll::Ready(None) | Poll::Pending => Poll::Ready(Ok(())),
        })
        .await
    }

    fn end(&mut self, cx: &mut Context<'_>) -> Polled {
        let is_whole = match &self.kind {
            Kind::Encoded { .. } | Kind::Plain { .. } => true,
            Kind::Followed(_) | Kind::Rewritten(_) => self.is_between_events(),
        };
        if is_whole {
            self.is_over = true;
            return Poll::Ready(None);
        }
        self.break_off(EventError::Cut.into(), cx)
    }

    fn fail(&mut self, error: ResponseError, cx: &mut Context<'_>) -> Polled {
        tracing::warn!(error = %error, "a response was broken off");
        self.break_off(error, cx)
    }

    fn break_off(&mut self, error: ResponseError, cx: &mut Context<'_>) -> Polled {
        self.upstream.close();
        if self.has_passed {
            // Whoever writes to the client must have its turn, or what was good goes with the rest.
            self.fault = Some(error);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.is_over = true;
        Poll::Ready(Some(Err(error)))
    }
}

impl ResponseBody {
    fn is_between_events(&self) -> bool {
        match &self.kind {
            Kind::Encoded { .. } | Kind::Plain { .. } => false,
            Kind::Followed(followed) => {
                followed.scanner.is_between_events() && is_done(followed.filter.as_ref())
            }
            Kind::Rewritten(rewritten) => {
                rewritten.rewriter.is_between_events() && is_done(rewritten.filter.as_ref())
            }
        }
    }

    /// Whether the stream is to end, and can end here or should have long ago.
    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ResponseError>> {
        let is_between_events = self.is_between_events();
        let ending = match &mut self.kind {
            Kind::Followed(followed) => followed.ending.as_mut(),
            Kind::Rewritten(rewritten) => Some(&mut rewritten.ending),
            Kind::Encoded { .. } | Kind::Plain { .. } => None,
        };
        let Some(ending) = ending else { return Poll::Pending };
        match ending.poll(cx) {
            Poll::Ready(()) if is_between_events => Poll::Ready(Ok(())),
            Poll::Ready(()) => ending.poll_overdue(cx).map(|()| Err(ResponseError::Endless)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Whether a body that is no stream has stalled.
    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> bool {
        let Kind::Plain { patience, deadline } = &mut self.kind else { return false };
        let patience = *patience;
        let deadline = deadline.get_or_insert_with(|| Box::pin(sleep(patience)));
        deadline.as_mut().poll(cx).is_ready()
    }

    /// What of these bytes may pass now.
    fn pass(&mut self, data: Bytes) -> Result<Bytes, EventError> {
        match &mut self.kind {
            Kind::Encoded { .. } => Ok(data),
            Kind::Followed(followed) => {
                followed.scanner.follow(&data);
                filtered(followed.filter.as_mut(), data)
            }
            Kind::Plain { deadline, .. } => {
                *deadline = None;
                Ok(data)
            }
            Kind::Rewritten(rewritten) => {
                let Rewritten { rewriter, sealer, ending, filter, .. } = &mut **rewritten;
                let passed = rewriter.push(&data, |url| {
                    let path = sealer.path(url)?;
                    if ending.enter(&path) {
                        join(filter.as_mut(), ending);
                    }
                    sealer.seal(&path)
                })?;
                filtered(filter.as_mut(), passed)
            }
        }
    }
}

/// Has a stream's lists filtered for whoever asks for them in its session.
fn join(filter: Option<&mut EventFilter>, ending: &Ending) {
    if let (Some(filter), Some(lists)) = (filter, ending.lists()) {
        filter.join(Arc::clone(lists));
    }
}

fn is_done(filter: Option<&EventFilter>) -> bool {
    filter.is_none_or(EventFilter::is_between_events)
}

fn filtered(filter: Option<&mut EventFilter>, data: Bytes) -> Result<Bytes, EventError> {
    match filter {
        Some(filter) => filter.push(&data),
        None => Ok(data),
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = ResponseError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let this = self.get_mut();
        if let Some(error) = this.fault.take() {
            this.is_over = true;
            return Poll::Ready(Some(Err(error)));
        }
        if let Some(first) = this.first.take() {
            this.has_passed = true;
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        loop {
            if this.is_over {
                return Poll::Ready(None);
            }
            match this.poll_ended(cx) {
                Poll::Ready(Ok(())) => {
                    // The upstream sees the stream's end.
                    this.is_over = true;
                    this.upstream.close();
                    continue;
                }
                Poll::Ready(Err(error)) => return this.fail(error, cx),
                Poll::Pending => {}
            }
            let frame = match Pin::new(&mut this.upstream).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending if this.poll_stalled(cx) => {
                    return this.fail(ResponseError::Stalled, cx);
                }
                Poll::Pending => {
                    this.has_passed = false;
                    return Poll::Pending;
                }
            };
            let Some(frame) = frame else { return this.end(cx) };
            let data = match frame.map(Frame::into_data) {
                Ok(Ok(data)) => data,
                Ok(Err(_trailers)) => continue,
                Err(error) => return this.fail(error.into(), cx),
            };
            match this.pass(data) {
                Ok(passed) if passed.is_empty() => {}
                Ok(passed) => {
                    this.has_passed = true;
                    return Poll::Ready(Some(Ok(Frame::data(passed))));
                }
                Err(error) => return this.fail(error.into(), cx),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let is_plain = matches!(self.kind, Kind::Plain { .. } | Kind::Encoded { .. });
        let is_over = self.is_over || (is_plain && self.upstream.is_end_stream());
        is_over && self.first.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let first = self.first.as_ref().map_or(0, Bytes::len) as u64;
        match self.kind {
            _ if self.is_over => SizeHint::with_exact(first),
            Kind::Plain { .. } | Kind::Encoded { .. } => {
                let rest = self.upstream.size_hint().exact();
                rest.map_or_else(SizeHint::new, |rest| SizeHint::with_exact(first + rest))
            }
            // Its end may be an error, which a declared length would hide.
            Kind::Followed(_) | Kind::Rewritten(_) => SizeHint::new(),
        }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("is_over", &self.is_over).finish_non_exhaustive()
    }
}
