//! The body of a request on its way upstream.
//!
//! 1. Up to 64 KiB are read whole before anything is sent; nothing of a body that breaks off
//!    within them reaches the upstream.
//! 2. A longer body is streamed behind its first 64 KiB; growing past `max_body_bytes`, stalling
//!    past `body_timeout` or breaking off aborts the upstream request unfinished.
//! 3. What is gathered is counted ([`Room`]); without room for it nothing is forwarded.
//! 4. Trailers are dropped (RFC 9110 section 6.5.1).
//! 5. What is streamed is watched on its way: it may turn out to ask for something else than its
//!    beginning did ([`Passed::is_in_doubt`]).

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::{Instant, Sleep};

use super::client_body::ClientBody;
use crate::{
    config::settings::Limits,
    jsonrpc::{Glance, watch::Watch},
    limits::buffer::{Buffer, NoRoom, Room},
};

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
    /// There is no memory left for it.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    /// It did not arrive in time.
    #[error("the request body did not arrive within listen.limits.body_timeout")]
    Timeout,
    /// It is larger than allowed.
    #[error("the request body is larger than listen.limits.max_body_bytes")]
    TooLarge,
}

/// What a streamed body has shown on its way so far.
#[derive(Debug, Default)]
pub struct Passed {
    fault: OnceLock<BodyError>,
    is_in_doubt: AtomicBool,
}

impl Passed {
    /// Why it stopped.
    pub fn fault(&self) -> Option<BodyError> {
        self.fault.get().copied()
    }

    /// Whether somebody might read another method in it than its beginning shows.
    pub fn is_in_doubt(&self) -> bool {
        self.is_in_doubt.load(Ordering::Acquire)
    }
}

impl RequestBody {
    /// Reads the beginning of a body, all of it when it is short, and glances at it.
    pub async fn read(
        mut body: ClientBody,
        limits: BodyLimits,
        room: &Room,
    ) -> Result<(Self, Glance), BodyError> {
        let exceeds =
            |bytes: u64| usize::try_from(bytes).is_ok_and(|bytes| bytes > limits.max_bytes);
        if body.is_end_stream() {
            return Ok((Self::Empty, Glance::default()));
        }
        if exceeds(body.size_hint().lower()) {
            return Err(BodyError::TooLarge);
        }
        if let Some(whole) = body.take_whole(WHOLE_BYTES) {
            let glance = look(&whole, true, limits.max_bytes)?;
            return Ok((Self::Whole(whole), glance));
        }
        let end = Instant::now() + limits.timeout;
        let (start, is_whole) = tokio::time::timeout_at(end, read_start(&mut body, room))
            .await
            .unwrap_or(Err(BodyError::Timeout))?;
        let glance = look(&start, is_whole, limits.max_bytes)?;
        if is_whole {
            return Ok((Self::Whole(start), glance));
        }
        let left = limits.max_bytes - start.len();
        let deadline = Box::pin(tokio::time::sleep_until(end));
        let (mut watch, passed) = (Watch::default(), Arc::default());
        watch.push(&start);
        let streamed = Streamed { start: Some(start), rest: body, left, deadline, watch, passed };
        Ok((Self::Streamed(Box::new(streamed)), glance))
    }

    /// Reads a body whole, and glances at it; only for what must be understood before it is sent.
    pub async fn read_whole(
        mut body: ClientBody,
        limits: BodyLimits,
        room: &Room,
    ) -> Result<(Self, Glance), BodyError> {
        if usize::try_from(body.size_hint().lower()).is_ok_and(|bytes| bytes > limits.max_bytes) {
            return Err(BodyError::TooLarge);
        }
        if let Some(whole) = body.take_whole(limits.max_bytes) {
            let glance = Glance::at(&whole);
            return Ok((Self::Whole(whole), glance));
        }
        let reading = read_until(&mut body, limits.max_bytes, room);
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

    /// What a streamed body will show on its way.
    pub fn passed(&self) -> Option<Arc<Passed>> {
        match self {
            Self::Streamed(streamed) => Some(Arc::clone(&streamed.passed)),
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
async fn read_start(body: &mut ClientBody, room: &Room) -> Result<(Bytes, bool), BodyError> {
    read_until(body, WHOLE_BYTES, room).await
}

/// Reads until the end, or until more than this many bytes are there; says whether it was the end.
async fn read_until(
    body: &mut ClientBody,
    bytes: usize,
    room: &Room,
) -> Result<(Bytes, bool), BodyError> {
    let declared = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
    let expected = declared.unwrap_or(usize::MAX).min(bytes);
    // What comes in one piece is the connection's own reading ahead: nothing is gathered.
    let mut only = Bytes::new();
    let mut gathered: Option<Buffer> = None;
    // A chunked body does not say by itself that it has ended: its end is read.
    let mut has_ended = false;
    let mut length = 0;
    while length <= bytes {
        let Some(frame) = body.frame().await else {
            has_ended = true;
            break;
        };
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        length += data.len();
        match &mut gathered {
            Some(buffer) => buffer.extend(&data)?,
            None if only.is_empty() => only = data,
            None => {
                let mut buffer = room.buffer(expected);
                buffer.extend(&only)?;
                buffer.extend(&data)?;
                gathered = Some(buffer);
            }
        }
    }
    let is_whole = has_ended || length <= bytes && body.is_end_stream();
    Ok((gathered.map_or(only, Buffer::freeze), is_whole))
}

/// Reads a short body whole for the `id` of a refusal; `None` when it is longer than 64 KiB.
pub async fn read_short(mut body: ClientBody, room: &Room) -> Option<Bytes> {
    let (start, is_whole) = read_start(&mut body, room).await.ok()?;
    is_whole.then_some(start)
}

/// A body whose beginning is known and whose rest is still to come.
pub struct Streamed {
    start: Option<Bytes>,
    rest: ClientBody,
    left: usize,
    deadline: Pin<Box<Sleep>>,
    watch: Watch,
    passed: Arc<Passed>,
}

impl fmt::Debug for Streamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streamed").field("left", &self.left).finish_non_exhaustive()
    }
}

impl Streamed {
    fn stop(&mut self, why: BodyError) -> BodyError {
        *self.passed.fault.get_or_init(|| why)
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
            self.watch.push(&data);
            if self.watch.is_in_doubt() {
                self.passed.is_in_doubt.store(true, Ordering::Release);
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
