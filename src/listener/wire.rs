//! The strict layer between an accepted connection and hyper's HTTP/1 server.
//!
//! hyper accepts what a gateway must not (two lengths, bare line feeds, chunk extensions that are
//! none), and a byte pipelined behind a request hides from it that the client has left.
//!
//! 1. A head is collected whole, checked on its raw bytes (`head`) and only then let pass.
//! 2. Its body passes as it comes, followed to its last byte (`body`); after a violation hyper
//!    reads an error, which ends the request's body.
//! 3. What lies behind a message stays here until the response is complete and written
//!    ([`Exchange`]); the end of the connection is watched meanwhile (RFC 9112 section 9.6).
//! 4. A head that does not pass is recorded as a [`WireFault`], and hyper gets a stand-in for it,
//!    so that the service answers it like every other refusal; nothing more is read.
//! 5. A head has a time limit over all of it, an idle connection another; the first head's runs
//!    from accept. A client that sent nothing gets no answer.
//! 6. A connection that closes while its client may still be sending lingers, so that the response
//!    is not lost to a reset (RFC 9112 section 9.6).
//!
//! It does not write responses, judge what a request means, or limit the size or time of a body.
//! To be wrapped in `TokioIo` and served by `http1::Builder` without a timer: hyper's own head
//! timeout would cut idle connections.

mod body;
mod departure;
mod exchange;
mod fault;
mod head;
mod linger;
mod preface;
mod stream;

use std::{
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncReadExt, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use body::BodyFraming;
use departure::Departure;
use head::{CheckedHead, HeadCheck};
use linger::Linger;

pub use departure::Transport;
pub use exchange::{Exchange, GuardedBody, ResponseGuard};
pub use fault::WireFault;
pub use preface::{Opening, Protocol, Replay, read_preface};

/// What a client may take of a connection.
#[derive(Clone, Copy, Debug)]
pub struct WireLimits {
    /// The size of a head, its request line and its end included.
    pub max_header_bytes: usize,
    /// The time from a head's first byte to its last.
    pub header_timeout: Duration,
    /// The time from a response to the first byte of the next head.
    pub idle_timeout: Duration,
}

/// An HTTP/1 connection that lets only well-formed messages pass, one at a time.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent fact of the stream")]
pub struct Wire<S> {
    stream: S,
    /// Bytes that hyper has not got yet.
    received: BytesMut,
    /// How many of them it may have.
    passed: usize,
    stage: Stage,
    exchange: Exchange,
    limits: WireLimits,
    /// Runs out when the client has taken too long over a head, or to begin one.
    timer: Pin<Box<Sleep>>,
    departure: Departure,
    /// The socket will wake this task, so that the end of the connection cannot be missed.
    is_watched: bool,
    is_flushed: bool,
    /// As much was read ahead as may be.
    is_full: bool,
    client_ended: bool,
    linger: Linger,
}

/// What the next bytes of the connection are.
#[derive(Debug)]
enum Stage {
    /// The head of a request; whether its own time limit runs already.
    Head(HeadCheck, bool),
    /// The body of the request in flight.
    Body(BodyFraming),
    /// Nothing that may pass before the response is complete.
    Answering,
    /// Not to be trusted, from the head on: nothing is read any more.
    Refused,
    /// Not to be trusted, within a body.
    Broken(WireFault),
}

impl<S: Transport> Wire<S> {
    /// Takes over a connection; its first head must end before `deadline`.
    pub fn new(opening: Opening<S>, deadline: Instant, limits: WireLimits) -> (Self, Exchange) {
        let exchange = Exchange::default();
        let wire = Self {
            stream: opening.stream,
            received: opening.received,
            passed: 0,
            stage: Stage::Head(HeadCheck::default(), true),
            exchange: exchange.clone(),
            limits,
            timer: Box::pin(sleep_until(deadline)),
            departure: Departure::default(),
            is_watched: false,
            is_flushed: true,
            is_full: false,
            client_ended: false,
            linger: Linger::default(),
        };
        (wire, exchange)
    }

    /// Brings the connection to where something may pass (`true`) or it has ended (`false`).
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            let Stage::Head(check, timer_runs) = &mut self.stage else {
                return Poll::Ready(Ok(true));
            };
            if !self.received.is_empty() {
                match check.advance(&self.received, self.limits.max_header_bytes) {
                    Ok(Some(head)) => {
                        self.pass(&head);
                        return Poll::Ready(Ok(true));
                    }
                    Ok(None) if !std::mem::replace(timer_runs, true) => {
                        self.timer.as_mut().reset(Instant::now() + self.limits.header_timeout);
                    }
                    Ok(None) => {}
                    Err(fault) => {
                        self.refuse(fault);
                        return Poll::Ready(Ok(true));
                    }
                }
            }
            if let Poll::Ready(count) = self.poll_receive(cx)? {
                if count == 0 {
                    return Poll::Ready(Ok(false));
                }
                continue;
            }
            ready!(self.timer.as_mut().poll(cx));
            if self.received.is_empty() {
                return Poll::Ready(Ok(false));
            }
            self.refuse(WireFault::HeadTimeout);
            return Poll::Ready(Ok(true));
        }
    }

    /// Lets a head pass, and of its body what has already come with it.
    fn pass(&mut self, head: &CheckedHead) {
        self.received.advance(head.span.start);
        self.passed = head.span.len();
        self.exchange.begin();
        let mut body = BodyFraming::new(head.framing);
        let behind = self.received.get(self.passed..).unwrap_or_default();
        self.stage = match body.follow(behind) {
            Ok(taken) => {
                self.passed += taken;
                if body.is_done() { Stage::Answering } else { Stage::Body(body) }
            }
            Err(fault) => self.broken(fault),
        };
    }

    /// Puts a stand-in in the place of what was received, for the service to refuse.
    fn refuse(&mut self, fault: WireFault) {
        self.exchange.fail(fault);
        self.exchange.begin();
        self.received.clear();
        self.received.extend_from_slice(STAND_IN);
        self.passed = STAND_IN.len();
        self.stage = Stage::Refused;
    }

    fn broken(&self, fault: WireFault) -> Stage {
        self.exchange.fail(fault);
        Stage::Broken(fault)
    }

    /// Reads body bytes where hyper wants them, without a copy here.
    fn poll_body(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Stage::Body(body) = &mut self.stage else { return Poll::Ready(Ok(())) };
        let start = buf.filled().len();
        if Pin::new(&mut self.stream).poll_read(cx, buf)?.is_pending() {
            self.is_watched = true;
            return Poll::Pending;
        }
        let fresh = buf.filled().get(start..).unwrap_or_default();
        if fresh.is_empty() {
            self.client_ended = true;
            return Poll::Ready(Ok(()));
        }
        match body.follow(fresh) {
            Ok(taken) => {
                if body.is_done() {
                    self.received.extend_from_slice(fresh.get(taken..).unwrap_or_default());
                    self.stage = Stage::Answering;
                }
                buf.set_filled(start + taken);
                Poll::Ready(Ok(()))
            }
            Err(fault) => {
                buf.set_filled(start);
                self.stage = self.broken(fault);
                Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, fault)))
            }
        }
    }

    /// Reads ahead to see the connection end; `true` once the response is out.
    ///
    /// Behind more than may be read ahead, a client's leaving could not be seen any more: it has
    /// [`FULL_PATIENCE`] for the request in flight, then the connection ends.
    fn poll_answered(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            if self.is_answered() {
                self.expect_head();
                return Poll::Ready(Ok(true));
            }
            if self.client_ended {
                return Poll::Ready(Ok(false));
            }
            if self.received.len() >= READ_AHEAD_BYTES {
                if !std::mem::replace(&mut self.is_full, true) {
                    self.timer.as_mut().reset(Instant::now() + FULL_PATIENCE);
                }
                ready!(self.timer.as_mut().poll(cx));
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
            ready!(self.poll_receive(cx)?);
        }
    }

    fn is_answered(&self) -> bool {
        self.is_flushed && !self.exchange.is_in_flight()
    }

    fn expect_head(&mut self) {
        self.timer.as_mut().reset(Instant::now() + self.limits.idle_timeout);
        self.is_full = false;
        if self.received.is_empty() && self.received.capacity() > READ_AHEAD_BYTES {
            // One large head must not cost its memory for the rest of a long connection.
            self.received = BytesMut::new();
        }
        self.stage = Stage::Head(HeadCheck::default(), false);
    }

    /// Reads into the wire's own buffer; zero bytes at the end of the connection.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.received.capacity() - self.received.len() < LEAST_READ_BYTES {
            self.received.reserve(READ_BYTES);
        }
        match pin!(self.stream.read_buf(&mut self.received)).poll(cx)? {
            Poll::Ready(count) => {
                self.client_ended |= count == 0;
                Poll::Ready(Ok(count))
            }
            Poll::Pending => {
                self.is_watched = true;
                Poll::Pending
            }
        }
    }

    /// After everything hyper had to write is written: ends the exchange when its response is
    /// complete, otherwise makes sure that the client's departure will be noticed.
    fn after_flush(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        self.is_flushed = true;
        if matches!(self.stage, Stage::Answering) && self.is_answered() {
            self.expect_head();
            // hyper goes to sleep now, relying on the socket. It must also wake for the idle
            // timeout, and at once for bytes that the socket will not announce again.
            if self.timer.as_mut().poll(cx).is_ready() || !self.received.is_empty() {
                cx.waker().wake_by_ref();
            }
        }
        self.watch(cx)
    }

    fn watch(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let is_watched = std::mem::take(&mut self.is_watched);
        match self.stage {
            Stage::Body(_) | Stage::Answering | Stage::Broken(_) if !is_watched => {
                self.departure.watch(&self.stream, cx)
            }
            Stage::Head(..)
            | Stage::Body(_)
            | Stage::Answering
            | Stage::Refused
            | Stage::Broken(_) => Ok(()),
        }
    }

    /// Whether closing now could reset the connection under a response still in flight.
    fn may_receive_more(&self) -> bool {
        let is_mid_message = match &self.stage {
            Stage::Head(..) | Stage::Answering => false,
            Stage::Body(_) | Stage::Refused | Stage::Broken(_) => true,
        };
        !self.client_ended && (is_mid_message || !self.received.is_empty())
    }
}

/// What hyper reads in the place of a head that did not pass.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost: invalid\r\nconnection: close\r\n\r\n";

/// How much is read from the connection behind a request in flight.
const READ_AHEAD_BYTES: usize = 64 * 1024;

/// How long a request may be in flight when the read-ahead is full.
const FULL_PATIENCE: Duration = Duration::from_millis(750);

const READ_BYTES: usize = 4096;
const LEAST_READ_BYTES: usize = 1024;

#[cfg(test)]
mod tests;
