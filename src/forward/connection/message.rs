//! A request on its way to an upstream.
//!
//! 1. A body is framed by what it knows of itself: by its length, or else in chunks. `Content-Length`
//!    and `Transfer-Encoding` are written here and by nobody else where there is a body.
//! 2. A body that breaks off is never completed: neither its length is reached nor its last chunk
//!    sent.
//! 3. Nothing is taken from a body while what was taken before still waits to be sent.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Method, header, request::Parts, uri::PathAndQuery};
use http_body::Body as _;

use super::{error::ExchangeError, stream::Stream};
use crate::{
    forward::{headers::Ours, request_body::RequestBody},
    http1::{encode::BodyEncoder, fields, outbox::Outbox},
};

/// A request, as far as it was not sent yet.
#[derive(Debug, Default)]
pub(super) struct Message {
    outbox: Outbox,
    rest: Rest,
}

/// What is behind that which waits in the outbox.
#[derive(Debug, Default)]
enum Rest {
    Body(RequestBody, BodyEncoder),
    /// Nothing, and the outbox may still have something.
    Nothing,
    /// Nothing, and the outbox has sent everything.
    #[default]
    Sent,
    /// Whatever it is, nobody takes it.
    Refused,
}

/// How far a body was put into the outbox.
enum Filled {
    /// As far as it goes at once.
    Full,
    /// As far as it has come.
    Waiting,
    /// To its end.
    Whole,
}

/// Why a message is not sent on.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The client's body is wrong: the upstream must not take the request for whole.
    Broken(ExchangeError),
    /// The upstream takes no more of it; it may have answered all the same.
    Refused(io::Error),
}

impl Message {
    /// Takes up a request; the message before it was sent.
    pub(super) fn begin(&mut self, head: &Parts, ours: Option<&Ours>, body: RequestBody) {
        let encoder = encoder(&head.method, &body);
        self.outbox.restart();
        write_head(head, ours, encoder.as_ref(), self.outbox.short());
        self.rest = match encoder {
            Some(encoder) => Rest::Body(body, encoder),
            None => Rest::Nothing,
        };
    }

    /// Whether the upstream has taken all of it.
    pub(super) fn is_sent(&self) -> bool {
        matches!(self.rest, Rest::Sent)
    }

    /// Whether it is still worth sending.
    pub(super) fn is_under_way(&self) -> bool {
        matches!(self.rest, Rest::Body(..) | Rest::Nothing)
    }

    /// Whether no byte of it was taken.
    pub(super) fn is_untouched(&self) -> bool {
        !self.outbox.has_sent()
    }

    /// Sends as much as the client has sent and the upstream takes.
    pub(super) fn poll_send(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Stopped>> {
        loop {
            let filled = self.fill(cx).map_err(Stopped::Broken)?;
            if let Err(error) = ready!(self.outbox.poll_send(stream, cx)) {
                return Poll::Ready(Err(Stopped::Refused(error)));
            }
            match filled {
                Filled::Full => {}
                Filled::Waiting => return Poll::Pending,
                Filled::Whole => {
                    self.rest = Rest::Sent;
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }

    /// Gives up on it.
    pub(super) fn refuse(&mut self) {
        self.rest = Rest::Refused;
    }

    fn fill(&mut self, cx: &mut Context<'_>) -> Result<Filled, ExchangeError> {
        loop {
            let Rest::Body(body, encoder) = &mut self.rest else { return Ok(Filled::Whole) };
            if self.outbox.is_full() {
                return Ok(Filled::Full);
            }
            let is_over = *encoder == BodyEncoder::Length(0) || body.is_end_stream();
            let frame = if is_over { Poll::Ready(None) } else { Pin::new(body).poll_frame(cx) };
            match frame {
                Poll::Ready(Some(frame)) => {
                    if let Ok(data) = frame?.into_data() {
                        encoder.data(data, &mut self.outbox)?;
                    }
                }
                Poll::Ready(None) => {
                    encoder.end(&mut self.outbox)?;
                    self.rest = Rest::Nothing;
                }
                Poll::Pending => return Ok(Filled::Waiting),
            }
        }
    }
}

/// How a body is framed; `None` for none.
fn encoder(method: &Method, body: &RequestBody) -> Option<BodyEncoder> {
    if body.is_end_stream() {
        return None;
    }
    match body.size_hint().exact() {
        Some(length) => Some(BodyEncoder::Length(length)),
        // Almost nobody reads a body with these, and whoever does not takes it for a request.
        None if matches!(*method, Method::GET | Method::HEAD | Method::CONNECT) => None,
        None => Some(BodyEncoder::Chunked),
    }
}

fn write_head(head: &Parts, ours: Option<&Ours>, encoder: Option<&BodyEncoder>, out: &mut Vec<u8>) {
    let path = head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    out.extend_from_slice(head.method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(path.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, value) in &head.headers {
        let is_framing = name == header::TRANSFER_ENCODING
            || (encoder.is_some() && name == header::CONTENT_LENGTH);
        if !is_framing {
            fields::line(name.as_str(), value.as_bytes(), out);
        }
    }
    for (name, value) in ours.into_iter().flat_map(Ours::fields) {
        fields::line(name, value.as_bytes(), out);
    }
    match encoder {
        Some(BodyEncoder::Length(length)) => fields::content_length(*length, out),
        Some(BodyEncoder::Chunked) => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        Some(BodyEncoder::UntilClose) | None => {}
    }
    out.extend_from_slice(b"\r\n");
}
