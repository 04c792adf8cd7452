//! HTTP/1.1 and HTTP/1.0 towards clients.
//!
//! 1. A head is collected whole and checked on its raw bytes before anything is made of it
//!    (`head`). One that does not pass is a [`WireFault`]: the service answers it like every other
//!    refusal, in the place of a request of which nothing is the client's, and nothing more is read.
//! 2. One request at a time: what lies behind it stays unread until its response is complete and
//!    sent. Its body is read as it is asked for (`exchange`).
//! 3. A client that leaves is noticed while its request is in flight (`departure`, RFC 9112
//!    section 9.6); the request is dropped then.
//! 4. A head has a time limit over all of it, an idle connection another; the first head's runs
//!    from accept. A client that sent nothing gets no answer.
//! 5. A connection that closes while its client may still be sending lingers, so that the response
//!    is not lost to a reset (`linger`).
//!
//! It does not judge what a request means, or limit the size or time of a body.

mod date;
mod departure;
mod exchange;
mod fault;
mod head;
mod linger;
mod response;
mod timer;

use std::{
    future::{Future, poll_fn},
    io,
    pin::pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body::Body;
use tokio::{io::AsyncReadExt, time::Instant};
use tokio_util::sync::CancellationToken;

use departure::Departure;
use exchange::Upload;
use head::{CheckedHead, HeadCheck};
use linger::Linger;
use response::Asked;
use timer::Timer;

pub use date::Dates;
pub use fault::WireFault;

use super::{preface::Opening, transport::Transport};
use crate::http1::{incoming::Incoming, outbox::Outbox};

/// What a client may take of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The size of a head, its request line and its end included.
    pub max_header_bytes: usize,
    /// The time from a head's first byte to its last.
    pub header_timeout: Duration,
    /// The time from a response to the first byte of the next head.
    pub idle_timeout: Duration,
}

/// A connection that is served.
#[derive(Debug)]
pub struct Connection<'a, S> {
    stream: S,
    /// What was read and not yet used.
    received: BytesMut,
    outbox: Outbox,
    limits: Limits,
    dates: &'a Dates,
    check: HeadCheck,
    /// Whether the time limit of a head runs.
    is_head_timed: bool,
    /// Runs out when the client has taken too long over a head, or to begin one.
    timer: Timer,
    upload: Upload,
    departure: Departure,
    /// As much was read ahead as may be.
    is_full: bool,
    client_ended: bool,
    /// An empty map that was used before: a new one would cost more.
    spare: HeaderMap,
}

/// What comes next on a connection.
enum Next {
    /// Nothing.
    End,
    Head(CheckedHead),
    Fault(WireFault),
}

impl<'a, S: Transport> Connection<'a, S> {
    /// Takes over a connection; its first head must end before `deadline`.
    pub fn new(opening: Opening<S>, deadline: Instant, limits: Limits, dates: &'a Dates) -> Self {
        Self {
            stream: opening.stream,
            received: opening.received,
            outbox: Outbox::default(),
            limits,
            dates,
            check: HeadCheck::default(),
            is_head_timed: true,
            timer: Timer::new(deadline),
            upload: Upload::Done,
            departure: Departure::default(),
            is_full: false,
            client_ended: false,
            spare: HeaderMap::new(),
        }
    }

    /// Serves one request after the other until the connection ends, or until `farewell`, after the
    /// request in flight.
    ///
    /// `answer` is told what is wrong with the bytes of a request; then nothing in the request, but
    /// perhaps its head, is the client's.
    ///
    /// # Errors
    ///
    /// When the client leaves a request in flight, or a response breaks off.
    pub async fn serve<F, B>(
        mut self,
        farewell: &CancellationToken,
        answer: impl Fn(Request<Incoming>, Option<WireFault>) -> F,
    ) -> io::Result<()>
    where
        F: Future<Output = Response<B>>,
        B: Body<Data = Bytes> + Unpin,
    {
        let mut drain = pin!(farewell.cancelled());
        loop {
            let next = poll_fn(|cx| match self.poll_head(cx) {
                Poll::Pending => drain.as_mut().poll(cx).map(|()| Ok(Next::End)),
                next @ Poll::Ready(_) => next,
            });
            let (request, asked, fault) = match next.await? {
                Next::End => break,
                Next::Head(head) => self.begin(&head),
                Next::Fault(fault) => self.stand_in(fault),
            };
            let response = {
                let mut answering = pin!(answer(request, fault));
                poll_fn(|cx| self.poll_beside(cx, answering.as_mut())).await?
            };
            let keeps_alive = asked.keeps_alive && !farewell.is_cancelled() && self.can_go_on();
            let is_last = self.respond(response, Asked { keeps_alive, ..asked }).await?;
            if is_last || farewell.is_cancelled() || !self.is_ready_for_next() {
                break;
            }
        }
        let may_receive_more = self.may_receive_more();
        let mut linger = Linger::default();
        poll_fn(|cx| linger.poll(&mut self.stream, may_receive_more, cx)).await
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Next>> {
        loop {
            if !self.received.is_empty() {
                match self.check.advance(&self.received, self.limits.max_header_bytes) {
                    Ok(Some(head)) => return Poll::Ready(Ok(Next::Head(head))),
                    Ok(None) if !std::mem::replace(&mut self.is_head_timed, true) => {
                        self.timer.set(Instant::now() + self.limits.header_timeout);
                    }
                    Ok(None) => {}
                    Err(fault) => return Poll::Ready(Ok(Next::Fault(fault))),
                }
            }
            if let Poll::Ready(count) = self.poll_receive(cx)? {
                if count == 0 {
                    return Poll::Ready(Ok(Next::End));
                }
                continue;
            }
            ready!(self.timer.poll(cx));
            let has_begun = !self.received.is_empty();
            let late = Next::Fault(WireFault::HeadTimeout);
            return Poll::Ready(Ok(if has_begun { late } else { Next::End }));
        }
    }

    /// Makes a request of a head that passed, and of what has come of its body with it.
    fn begin(&mut self, head: &CheckedHead) -> (Request<Incoming>, Asked, Option<WireFault>) {
        let bytes = self.received.split_to(head.end).freeze();
        let parts = match self.check.parts(&bytes, std::mem::take(&mut self.spare)) {
            Ok(parts) => parts,
            Err(fault) => return self.stand_in(fault),
        };
        let asked = Asked {
            is_http_10: self.check.is_http_10(),
            is_head: parts.method == http::Method::HEAD,
            keeps_alive: head.keeps_alive,
        };
        self.check.reset();
        let (body, fault) = self.begin_upload(head);
        (Request::from_parts(parts, body), asked, fault)
    }

    /// What stands in the place of a request that is none, for the service to refuse.
    fn stand_in(&mut self, fault: WireFault) -> (Request<Incoming>, Asked, Option<WireFault>) {
        self.upload = Upload::Untrusted;
        let mut request = Request::new(Incoming::default());
        request.headers_mut().insert(header::HOST, HeaderValue::from_static("invalid"));
        let asked = Asked { is_http_10: false, is_head: false, keeps_alive: false };
        (request, asked, Some(fault))
    }

    /// Reads what has come; zero bytes at the end of the connection.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.received.capacity() - self.received.len() < LEAST_READ_BYTES {
            let is_body = matches!(self.upload, Upload::Open(_));
            self.received.reserve(if is_body { BODY_READ_BYTES } else { READ_BYTES });
        }
        let count = ready!(pin!(self.stream.read_buf(&mut self.received)).poll(cx))?;
        self.client_ended |= count == 0;
        Poll::Ready(Ok(count))
    }

    /// Whether closing now could reset the connection under a response still in flight.
    fn may_receive_more(&self) -> bool {
        let is_mid_message = !matches!(self.upload, Upload::Done);
        !self.client_ended && (is_mid_message || !self.received.is_empty())
    }
}

/// How much is read from the connection behind a request in flight.
const READ_AHEAD_BYTES: usize = 64 * 1024;

/// How long a request may be in flight when the read-ahead is full.
const FULL_PATIENCE: Duration = Duration::from_millis(750);

const READ_BYTES: usize = 4096;
const LEAST_READ_BYTES: usize = 1024;
/// For the rest of a body, which is longer than what fits in a first read.
const BODY_READ_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests;
