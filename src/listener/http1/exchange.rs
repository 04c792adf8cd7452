//! One request in flight: its body comes in as it is asked for, its response goes out, and its
//! client is watched.
//!
//! 1. Behind a request that is all there, bytes are read ahead to see the connection end, 64 KiB at
//!    most; a client that has sent more cannot be seen to leave, and has a short time left.
//! 2. A body that nobody reads is not read either; the operating system is asked whether its client
//!    is there.
//! 3. 100 (Continue) is sent when the body is asked for, and not once the response has begun
//!    (RFC 9110 section 10.1.1).
//! 4. A response may be complete before its request's body is: whoever still reads that is served
//!    to its end. What nobody reads is passed over if it is there; otherwise the connection ends,
//!    and the response says so if it has not begun.

use std::{
    future::{Future, poll_fn},
    io,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, Response};
use http_body::Body;
use tokio::time::Instant;

use super::{
    Connection, FULL_PATIENCE, READ_AHEAD_BYTES, Transport, WireFault,
    head::CheckedHead,
    response::{self, Asked, Begun},
};
use crate::http1::{
    body::{BodyDecoder, Framing, Malformed},
    encode::BodyEncoder,
    incoming::{Demand, Feed, Incoming},
};

/// What is to come of the body of the request in flight.
#[derive(Debug)]
pub(super) enum Upload {
    /// Nothing.
    Done,
    /// More, for this reader.
    Open(Box<Open>),
    /// Nobody knows: nothing is read any more.
    Untrusted,
}

#[derive(Debug)]
pub(super) struct Open {
    decoder: BodyDecoder,
    feed: Feed,
    /// Whether the client waits to be told to go on.
    owes_continue: bool,
}

impl<S: Transport> Connection<'_, S> {
    /// The body of the request whose head has just been taken from what was received.
    pub(super) fn begin_upload(&mut self, head: &CheckedHead) -> (Incoming, Option<WireFault>) {
        self.upload = Upload::Done;
        let mut decoder = BodyDecoder::new(head.framing);
        let is_chunked = head.framing == Framing::Chunked;
        let Ok(first) = take_content(&mut decoder, &mut self.received) else {
            self.upload = Upload::Untrusted;
            return (Incoming::broken(), Some(WireFault::ChunkSyntax));
        };
        if decoder.is_done() {
            return (Incoming::whole(first, is_chunked), None);
        }
        let (body, feed) = Incoming::partial(first, decoder.left());
        let owes_continue = head.expects_continue;
        self.upload = Upload::Open(Box::new(Open { decoder, feed, owes_continue }));
        (body, None)
    }

    /// Does a request's work, and what the work needs of the connection.
    ///
    /// Fails when the client has left.
    pub(super) fn poll_beside<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut work: Pin<&mut impl Future<Output = T>>,
    ) -> Poll<io::Result<T>> {
        loop {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(Ok(done));
            }
            ready!(self.poll_meanwhile(cx, false))?;
        }
    }

    /// Ready when a piece of the body has come that somebody waits for; fails when the client has
    /// left.
    fn poll_meanwhile(&mut self, cx: &mut Context<'_>, has_begun: bool) -> Poll<io::Result<()>> {
        match &self.upload {
            Upload::Done => self.poll_ahead(cx),
            Upload::Open(open) if open.feed.demand(cx) == Demand::Now => {
                self.poll_upload(cx, has_begun)
            }
            Upload::Open(_) | Upload::Untrusted => {
                self.departure.watch(&self.stream, cx)?;
                Poll::Pending
            }
        }
    }

    /// Reads ahead to see the connection end.
    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.received.len() >= READ_AHEAD_BYTES {
                if !std::mem::replace(&mut self.is_full, true) {
                    self.timer.set(Instant::now() + FULL_PATIENCE);
                }
                ready!(self.timer.poll(cx));
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
            if ready!(self.poll_receive(cx))? == 0 {
                let left = io::Error::new(io::ErrorKind::ConnectionReset, "the client has left");
                return Poll::Ready(Err(left));
            }
        }
    }

    /// Brings the next piece of the body to its reader.
    fn poll_upload(&mut self, cx: &mut Context<'_>, has_begun: bool) -> Poll<io::Result<()>> {
        loop {
            let Upload::Open(open) = &mut self.upload else { return Poll::Ready(Ok(())) };
            if std::mem::take(&mut open.owes_continue) && !has_begun {
                self.outbox.short().extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            }
            if !has_begun && !self.outbox.is_sent() {
                ready!(self.outbox.poll_send(&mut self.stream, cx))?;
            }
            match next_content(&mut open.decoder, &mut self.received) {
                Err(Malformed) => {
                    self.upload = Upload::Untrusted;
                    return Poll::Ready(Ok(()));
                }
                Ok(content) if !content.is_empty() || open.decoder.is_done() => {
                    if !content.is_empty() {
                        open.feed.give(content.freeze(), cx);
                    }
                    if open.decoder.is_done() {
                        open.feed.end(cx);
                        self.upload = Upload::Done;
                    }
                    return Poll::Ready(Ok(()));
                }
                Ok(_) => {}
            }
            if !matches!(ready!(self.poll_receive(cx)), Ok(1..)) {
                self.client_ended = true;
                self.upload = Upload::Untrusted;
            }
        }
    }

    /// Sends a response; says whether the connection ends with it.
    pub(super) async fn respond<B>(
        &mut self,
        response: Response<B>,
        asked: Asked,
    ) -> io::Result<bool>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let (parts, mut body) = response.into_parts();
        let begin = Instant::now();
        let date = self.dates.at(begin);
        let Begun { body: mut encoder, is_last } =
            response::begin(&parts, &body, asked, &date, self.outbox.short());
        self.keep_for_next(parts.headers);
        let is_ended_by_close = encoder == Some(BodyEncoder::UntilClose);
        let mut has_waited = false;
        let sent = poll_fn(|cx| {
            let sent = self.poll_respond(cx, &mut encoder, &mut body);
            has_waited |= sent.is_pending();
            sent
        });
        sent.await?;
        if matches!(self.upload, Upload::Open(_)) {
            has_waited = true;
            drop(body);
            if is_ended_by_close {
                poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx)).await?;
            }
            poll_fn(|cx| self.poll_finish(cx)).await?;
        }
        let end = if has_waited { Instant::now() } else { begin };
        self.timer.set(end + self.limits.idle_timeout);
        self.is_head_timed = false;
        Ok(is_last)
    }

    fn poll_respond<B>(
        &mut self,
        cx: &mut Context<'_>,
        encoder: &mut Option<BodyEncoder>,
        body: &mut B,
    ) -> Poll<io::Result<()>>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        loop {
            // First: a response that flows fast must not starve it.
            while matches!(self.upload, Upload::Open(_)) {
                if self.poll_meanwhile(cx, true)?.is_pending() {
                    break;
                }
            }
            // Set when the body has nothing more to say for now.
            let mut is_waiting = false;
            while let Some(framing) = encoder.as_mut().filter(|_| !self.outbox.is_full()) {
                if is_complete(framing, body) {
                    framing.end(&mut self.outbox).map_err(io::Error::other)?;
                    *encoder = None;
                    break;
                }
                match Pin::new(&mut *body).poll_frame(cx) {
                    Poll::Ready(Some(Ok(frame))) => {
                        // Trailers are dropped.
                        if let Ok(data) = frame.into_data() {
                            framing.data(data, &mut self.outbox).map_err(io::Error::other)?;
                        }
                    }
                    Poll::Ready(Some(Err(_))) => {
                        // What is whole of it may still go; that it was cut must show.
                        let _ = self.outbox.poll_send(&mut self.stream, cx);
                        let cut = "the response broke off";
                        return Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, cut)));
                    }
                    Poll::Ready(None) => {
                        framing.end(&mut self.outbox).map_err(io::Error::other)?;
                        *encoder = None;
                    }
                    Poll::Pending => {
                        is_waiting = true;
                        break;
                    }
                }
            }
            if self.outbox.poll_send(&mut self.stream, cx)?.is_pending() {
                self.departure.watch(&self.stream, cx)?;
                return Poll::Pending;
            }
            if encoder.is_none() {
                return Poll::Ready(Ok(()));
            }
            if is_waiting {
                ready!(self.poll_meanwhile(cx, true))?;
            }
        }
    }

    /// Waits until nobody reads the request's body any more.
    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Upload::Open(open) = &self.upload {
            if open.feed.demand(cx) == Demand::Never {
                break;
            }
            ready!(self.poll_meanwhile(cx, true))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Whether a further request could be read from the connection, when this one is over.
    pub(super) fn can_go_on(&mut self) -> bool {
        match &self.upload {
            Upload::Done => true,
            Upload::Open(open) if open.feed.has_reader() => true,
            Upload::Open(_) | Upload::Untrusted => self.is_ready_for_next(),
        }
    }

    /// Whether nothing of the last request is left on the connection.
    pub(super) fn is_ready_for_next(&mut self) -> bool {
        // What is here, and what has come meanwhile; no more is waited for.
        let _ = self.skip_upload() || {
            let mut cx = Context::from_waker(Waker::noop());
            self.poll_receive(&mut cx).is_ready() && self.skip_upload()
        };
        self.is_full = false;
        if self.received.is_empty() && self.received.capacity() > READ_AHEAD_BYTES {
            // One large head must not cost its memory for the rest of a long connection.
            self.received = BytesMut::new();
        }
        let is_done = matches!(self.upload, Upload::Done);
        if !is_done {
            // Whoever still reads it hears that nothing more comes.
            self.upload = Upload::Untrusted;
        }
        is_done
    }

    /// Passes over what is here of a body that nobody reads; says whether nothing more can come.
    fn skip_upload(&mut self) -> bool {
        let Upload::Open(open) = &mut self.upload else { return true };
        self.upload = match take_content(&mut open.decoder, &mut self.received) {
            Ok(_) if open.decoder.is_done() => Upload::Done,
            Ok(_) => return false,
            Err(Malformed) => Upload::Untrusted,
        };
        true
    }

    fn keep_for_next(&mut self, mut headers: HeaderMap) {
        if headers.capacity() <= KEPT_FIELDS {
            headers.clear();
            self.spare = headers;
        }
    }
}

/// Whether a body has no more to say, without being asked again.
fn is_complete(framing: &BodyEncoder, body: &impl Body) -> bool {
    matches!(framing, BodyEncoder::Length(0)) || body.is_end_stream()
}

/// All the content there is in `received`, with its framing taken off.
fn take_content(decoder: &mut BodyDecoder, received: &mut BytesMut) -> Result<Bytes, Malformed> {
    let mut all = next_content(decoder, received)?;
    // Only a chunked body has more than one piece in a row.
    loop {
        let more = next_content(decoder, received)?;
        if more.is_empty() {
            return Ok(all.freeze());
        }
        all.extend_from_slice(&more);
    }
}

/// The next piece of content in `received`; empty when there is none.
fn next_content(decoder: &mut BodyDecoder, received: &mut BytesMut) -> Result<BytesMut, Malformed> {
    let piece = decoder.next(received)?;
    received.advance(piece.framing);
    // Even an empty piece would cost its share in the buffer.
    Ok(if piece.content == 0 { BytesMut::new() } else { received.split_to(piece.content) })
}

/// A map for more fields than this is not worth its memory.
const KEPT_FIELDS: usize = 64;
