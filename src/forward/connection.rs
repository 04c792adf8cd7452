//! A connection to an upstream, HTTP/1.1, driven by whoever waits for a response on it.
//!
//! 1. One request at a time: the next one is begun only when the response before was read to its
//!    end, the request before was wholly sent, and not one byte lies behind that response.
//! 2. A response may come while its request is still on its way; it is read then, and an upstream
//!    that takes no more of the request has not failed yet (RFC 9112 section 9.5).
//! 3. Nothing is read before somebody asks for it.
//! 4. Dropped, it is closed.
//!
//! It has no timers: its callers bound their waits.

mod body;
mod error;
mod framing;
mod head;
mod message;
mod stream;

use std::{
    future::{Future, poll_fn},
    io,
    pin::pin,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use http::request::Parts;
use tokio::io::AsyncReadExt as _;

pub use self::{body::UpstreamBody, error::ExchangeError};
use self::{
    head::Head,
    message::{Message, Stopped},
};
pub(super) use self::{head::HeadReader, stream::Stream};
use super::{headers::Ours, request_body::RequestBody};

/// A connection, and the request on it.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    /// What has arrived and nobody has taken.
    received: BytesMut,
    /// How much is asked for at once.
    read_bytes: usize,
    message: Message,
    /// Whether a response came on it before.
    is_used: bool,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // An upstream must not take a request for whole that was broken off.
        if self.message.is_sent() {
            self.stream.leave();
        }
    }
}

/// A request that no upstream has seen a byte of.
#[derive(Debug)]
pub(super) struct Unsent(Message);

impl Connection {
    pub(super) fn new(stream: Stream) -> Box<Self> {
        Box::new(Self {
            stream,
            received: BytesMut::new(),
            read_bytes: MIN_READ_BYTES,
            message: Message::default(),
            is_used: false,
        })
    }

    /// Whether nothing has come since the last response: neither bytes nor the end.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.stream.is_quiet(&mut self.received)
    }

    /// Takes up a request.
    pub(super) fn begin(&mut self, head: &Parts, ours: Option<&Ours>, body: RequestBody) {
        self.message.begin(head, ours, body);
    }

    /// Takes up a request that another connection has not sent.
    pub(super) fn begin_again(&mut self, unsent: Unsent) {
        self.message = unsent.0;
    }

    /// The request, when this connection was closed before it could take a byte of it.
    pub(super) fn take_unsent(&mut self) -> Option<Unsent> {
        // What TLS has taken it may have sent in part.
        let is_unsent = self.is_used
            && matches!(self.stream, Stream::Plain(_))
            && self.message.is_under_way()
            && self.message.is_untouched();
        is_unsent.then(|| Unsent(std::mem::take(&mut self.message)))
    }

    /// Waits for the response's head, and sends the request meanwhile.
    pub(super) fn poll_head(
        &mut self,
        reader: &mut HeadReader,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Head, ExchangeError>> {
        self.send_on(cx)?;
        loop {
            match ready!(self.poll_read(cx)) {
                Ok(0) if reader.has_begun(&self.received) => {
                    return Poll::Ready(Err(ExchangeError::CutHead));
                }
                Ok(0) => return Poll::Ready(Err(ExchangeError::Closed)),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(error.into())),
            }
            if let Some(head) = reader.read(&mut self.received)? {
                return Poll::Ready(Ok(head));
            }
        }
    }

    /// Sends what of the request can be sent now.
    fn send_on(&mut self, cx: &mut Context<'_>) -> Result<(), ExchangeError> {
        if !self.message.is_under_way() {
            return Ok(());
        }
        match self.message.poll_send(&mut self.stream, cx) {
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
            Poll::Ready(Err(Stopped::Broken(error))) => {
                self.message.refuse();
                Err(error)
            }
            Poll::Ready(Err(Stopped::Refused(error))) => {
                // It was closed while it waited: what may lie there is no answer.
                if self.is_used && self.message.is_untouched() {
                    return Err(error.into());
                }
                self.message.refuse();
                Ok(())
            }
        }
    }

    /// Whether there is something left to send.
    fn is_sending(&self) -> bool {
        self.message.is_under_way()
    }

    /// Sends what is left of the request; whether all of it was taken, and nothing came meanwhile.
    pub(super) async fn finish(&mut self) -> bool {
        poll_fn(|cx| {
            if let Poll::Ready(sent) = self.message.poll_send(&mut self.stream, cx) {
                return Poll::Ready(sent.is_ok());
            }
            // The upstream's end, or something that belongs to no request.
            self.poll_read(cx).map(|_| false)
        })
        .await
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let spare = self.received.capacity() - self.received.len();
        if spare < self.read_bytes / 2 {
            self.received.reserve(self.read_bytes);
        }
        let count = ready!(pin!(self.stream.read_buf(&mut self.received)).poll(cx))?;
        if self.received.len() == self.received.capacity() {
            self.read_bytes = (2 * self.read_bytes).min(MAX_READ_BYTES);
        }
        Poll::Ready(Ok(count))
    }

    /// Whether it can take the next request, the response being over.
    pub(super) fn rest(&mut self) -> bool {
        self.is_used = true;
        self.message.is_sent() && self.received.is_empty()
    }
}

const MIN_READ_BYTES: usize = 4 * 1024;
const MAX_READ_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests;
