//! The body of a request on its way upstream.
//!
//! 1. Up to 64 KiB are read whole before anything is sent; nothing of a body that breaks off
//!    within them reaches the upstream.
//! 2. A longer body is streamed behind its first 64 KiB; growing past `max_body_bytes`, stalling
//!    past `body_timeout` or breaking off aborts the upstream request unfinished.
//! 3. Trailers are dropped (RFC 9110 section 6.5.1).

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::{config::settings::Limits, jsonrpc::Glance};

/// A body that may be sent upstream.
#[derive(Debug)]
pub enum RequestBody {
    /// None.
    Empty,
    /// All of it.
    Whole(Bytes),
    /// Its beginning, and the rest as it comes.
    Streamed(Box<Streamed>),
}

/// What a body may cost.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// In bytes.
    pub max_bytes: usize,
    /// From the beginning of the reading to the last byte.
    pub timeout: Duration,
}

impl BodyLimits {
    /// Those of the configuration.
    pub fn of(limits: &Limits) -> Self {
        Self { max_bytes: limits.max_body_bytes, timeout: limits.body_timeout }
    }
}

/// Why a body cannot be sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It broke off, or its framing is wrong.
    #[error("the request body broke off")]
    Broken,
    /// It did not arrive in time.
    #[error("the request body did not arrive within listen.limits.body_timeout")]
    Timeout,
    /// It is larger than allowed.
    #[error("the request body is larger than listen.limits.max_body_bytes")]
    TooLarge,
}

/// Where a streamed body says why it stopped.
pub type BodyFault = Arc<OnceLock<BodyError>>;

impl RequestBody {
    /// Reads the beginning of a body, all of it when it is short, and glances at it.
    pub async fn read(mut body: Incoming, limits: BodyLimits) -> Result<(Self, Glance), BodyError> {
        let exceeds =
            |bytes: u64| usize::try_from(bytes).is_ok_and(|bytes| bytes > limits.max_bytes);
        if body.is_end_stream() {
            return Ok((Self::Empty, Glance::default()));
        }
        if exceeds(body.size_hint().lower()) {
            return Err(BodyError::TooLarge);
        }
        let end = Instant::now() + limits.timeout;
        let (start, is_whole) = tokio::time::timeout_at(end, read_start(&mut body))
            .await
            .unwrap_or(Err(BodyError::Timeout))?;
        let glance = look(&start, is_whole, limits.max_bytes)?;
        if is_whole {
            return Ok((Self::Whole(start), glance));
        }
        let left = limits.max_bytes - start.len();
        let fault = BodyFault::default();
        let deadline = Box::pin(tokio::time::sleep_until(end));
        let streamed = Streamed { start: Some(start), rest: body, left, deadline, fault };
        Ok((Self::Streamed(Box::new(streamed)), glance))
    }

    /// Reads a body whole, and glances at it; only for what must be understood before it is sent.
    pub async fn read_whole(
        mut body: Incoming,
        limits: BodyLimits,
    ) -> Result<(Self, Glance), BodyError> {
        if usize::try_from(body.size_hint().lower()).is_ok_and(|bytes| bytes > limits.max_bytes) {
            return Err(BodyError::TooLarge);
        }
        let reading = read_until(&mut body, limits.max_bytes);
        let (whole, is_whole) = tokio::time::timeout(limits.timeout, reading)
            .await
            .unwrap_or(Err(BodyError::Timeout))?;
        if !is_whole || whole.len() > limits.max_bytes {
            return Err(BodyError::TooLarge);
        }
        let glance = Glance::at(&whole);
        Ok((Self::Whole(whole), glance))
    }

    /// All of it, when all of it is here.
    pub fn whole(&self) -> Option<&Bytes> {
        match self {
            Self::Whole(bytes) => Some(bytes),
            Self::Empty | Self::Streamed(_) => None,
        }
    }

    /// Where a streamed body will say why it stopped.
    pub fn fault(&self) -> Option<BodyFault> {
        match self {
            Self::Streamed(streamed) => Some(Arc::clone(&streamed.fault)),
            Self::Empty | Self::Whole(_) => None,
        }
    }
}

/// Looks at what there is of a body, unless that is too much already.
pub fn look(start: &Bytes, is_whole: bool, max_bytes: usize) -> Result<Glance, BodyError> {
    match is_whole {
        _ if start.len() > max_bytes => Err(BodyError::TooLarge),
        true => Ok(Glance::at(start)),
        false => Ok(Glance::at_prefix(start)),
    }
}

/// Reads until the end, or until more than [`WHOLE_BYTES`] are there; says whether it was the end.
async fn read_start(body: &mut Incoming) -> Result<(Bytes, bool), BodyError> {
    read_until(body, WHOLE_BYTES).await
}

/// Reads until the end, or until more than this many bytes are there; says whether it was the end.
async fn read_until(body: &mut Incoming, bytes: usize) -> Result<(Bytes, bool), BodyError> {
    let mut first = Bytes::new();
    let mut more = BytesMut::new();
    // A chunked body does not say by itself that it has ended: its end is read.
    let mut has_ended = false;
    while first.len() + more.len() <= bytes {
        let Some(frame) = body.frame().await else {
            has_ended = true;
            break;
        };
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        if first.is_empty() {
            first = data;
            continue;
        }
        more.extend_from_slice(&data);
    }
    let is_whole = has_ended || first.len() + more.len() <= bytes && body.is_end_stream();
    if more.is_empty() {
        return Ok((first, is_whole));
    }
    let mut all = BytesMut::with_capacity(first.len() + more.len());
    all.extend_from_slice(&first);
    all.extend_from_slice(&more);
    Ok((all.freeze(), is_whole))
}

/// Reads a short body whole for the `id` of a refusal; `None` when it is longer than 64 KiB.
pub async fn read_short(mut body: Incoming) -> Option<Bytes> {
    let (start, is_whole) = read_start(&mut body).await.ok()?;
    is_whole.then_some(start)
}

/// A body whose beginning is known and whose rest is still to come.
pub struct Streamed {
    start: Option<Bytes>,
    rest: Incoming,
    left: usize,
    deadline: Pin<Box<Sleep>>,
    fault: BodyFault,
}

impl fmt::Debug for Streamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streamed").field("left", &self.left).finish_non_exhaustive()
    }
}

impl Streamed {
    fn stop(&mut self, why: BodyError) -> BodyError {
        *self.fault.get_or_init(|| why)
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if let Some(start) = self.start.take() {
            return Poll::Ready(Some(Ok(start)));
        }
        loop {
            // The deadline holds for the client's bytes, not for the time the upstream takes them.
            let frame = match Pin::new(&mut self.rest).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    ready!(self.deadline.as_mut().poll(cx));
                    return Poll::Ready(Some(Err(self.stop(BodyError::Timeout))));
                }
            };
            let Some(frame) = frame else { return Poll::Ready(None) };
            let Ok(frame) = frame else {
                return Poll::Ready(Some(Err(self.stop(BodyError::Broken))));
            };
            let Ok(data) = frame.into_data() else { continue };
            match self.left.checked_sub(data.len()) {
                Some(left) => self.left = left,
                None => return Poll::Ready(Some(Err(self.stop(BodyError::TooLarge)))),
            }
            return Poll::Ready(Some(Ok(data)));
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        match this {
            Self::Empty => Poll::Ready(None),
            Self::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                *this = Self::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Self::Streamed(streamed) => {
                streamed.poll_data(cx).map(|data| data.map(|data| data.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Streamed(streamed) => streamed.start.is_none() && streamed.rest.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Streamed(streamed) => {
                let start = streamed.start.as_ref().map_or(0, Bytes::len) as u64;
                match streamed.rest.size_hint().exact() {
                    Some(rest) => SizeHint::with_exact(start + rest),
                    None => SizeHint::new(),
                }
            }
        }
    }
}

/// How long a refused request's body is waited for, for the sake of its `id`.
pub const ID_TIMEOUT: Duration = Duration::from_secs(1);

/// Bodies up to this size are read whole before anything is sent.
pub const WHOLE_BYTES: usize = 64 * 1024;
