//! Which protocol a connection speaks, told by its first bytes.
//!
//! 1. The deadline runs from the moment the connection was accepted, whatever arrives: a silent
//!    client and one that stops within the HTTP/2 preface are closed alike.
//! 2. Anything but the complete preface of RFC 9113 section 3.4 is HTTP/1 and judged as such.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    time::{Instant, timeout_at},
};

/// A protocol this listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 or HTTP/1.0, to be served by [`super::http1`].
    Http1,
    /// HTTP/2 with prior knowledge, to be served through [`Replay`].
    Http2,
}

/// A connection whose first bytes have been looked at.
#[derive(Debug)]
pub struct Opening<S> {
    /// What the client speaks.
    pub protocol: Protocol,
    /// The connection.
    pub stream: S,
    /// What was read from it.
    pub received: BytesMut,
}

/// Reads until the protocol is certain.
///
/// # Errors
/// `TimedOut` at the deadline, `UnexpectedEof` when the client has left, and what the stream says.
pub async fn read_preface<S>(mut stream: S, deadline: Instant) -> io::Result<Opening<S>>
where
    S: AsyncRead + Unpin,
{
    let mut received = BytesMut::with_capacity(FIRST_READ_BYTES);
    let protocol = timeout_at(deadline, async {
        loop {
            if stream.read_buf(&mut received).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
            if received.starts_with(HTTP_2_PREFACE) {
                return Ok(Protocol::Http2);
            }
            if !HTTP_2_PREFACE.starts_with(&received) {
                return Ok(Protocol::Http1);
            }
        }
    })
    .await??;
    Ok(Opening { protocol, stream, received })
}

/// A stream that first gives back the bytes already read from it.
#[derive(Debug)]
pub struct Replay<S> {
    stream: S,
    received: BytesMut,
}

impl<S> Replay<S> {
    /// Puts the bytes back in front of the connection.
    pub fn new(opening: Opening<S>) -> Self {
        Self { stream: opening.stream, received: opening.received }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Replay<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.received.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let given = self.received.len().min(buf.remaining());
        buf.put_slice(self.received.get(..given).unwrap_or_default());
        self.received.advance(given);
        if self.received.is_empty() {
            // An HTTP/2 connection lives long; its first buffer need not.
            self.received = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Replay<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// RFC 9113 section 3.4.
const HTTP_2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Room for most first requests, so that they need no second read.
const FIRST_READ_BYTES: usize = 4096;

#[cfg(test)]
mod tests;
