//! What is to be sent on a connection and has not been yet.
//!
//! 1. Short pieces are copied together: one write is cheaper than several, or than gathering them
//!    in the kernel.
//! 2. A long piece is written from where it lies. It goes out before anything else is added, so
//!    that nobody produces more than the peer takes.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

/// Bytes on their way to a peer.
#[derive(Debug, Default)]
pub struct Outbox {
    /// What goes first.
    short: Vec<u8>,
    /// How much of it is written.
    written: usize,
    /// What goes behind it.
    long: Bytes,
    /// What ends the long piece.
    tail: &'static [u8],
    has_sent: bool,
}

impl Outbox {
    /// Where short pieces are put; nothing may be put there while [`Self::is_full`].
    pub fn short(&mut self) -> &mut Vec<u8> {
        &mut self.short
    }

    /// Adds a piece, and what ends it.
    pub fn push(&mut self, piece: Bytes, tail: &'static [u8]) {
        if self.short.len() + piece.len() <= COPIED_BYTES {
            self.short.extend_from_slice(&piece);
            self.short.extend_from_slice(tail);
        } else {
            self.long = piece;
            self.tail = tail;
        }
    }

    /// Whether it must be sent before anything is added.
    pub fn is_full(&self) -> bool {
        !self.long.is_empty() || self.short.len() > COPIED_BYTES
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.short.is_empty() && self.long.is_empty()
    }

    /// Whether the peer has taken a byte since [`Self::restart`].
    pub fn has_sent(&self) -> bool {
        self.has_sent
    }

    /// Begins with another message.
    pub fn restart(&mut self) {
        self.has_sent = false;
    }

    /// Sends everything there is.
    ///
    /// # Errors
    ///
    /// What the stream says; `WriteZero` when it takes nothing.
    pub fn poll_send<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let unwritten = self.short.get(self.written..).unwrap_or_default();
            let piece = if unwritten.is_empty() { &self.long } else { unwritten };
            let count = ready!(Pin::new(&mut *stream).poll_write(cx, piece))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.has_sent = true;
            self.sent(count);
        }
        Pin::new(stream).poll_flush(cx)
    }

    fn sent(&mut self, count: usize) {
        if self.short.is_empty() {
            self.long.advance(count);
            if self.long.is_empty() {
                self.long = Bytes::new();
                self.short.extend_from_slice(std::mem::take(&mut self.tail));
            }
            return;
        }
        self.written += count;
        if self.written == self.short.len() {
            self.written = 0;
            self.short.clear();
            // One large message must not cost its memory for the rest of a long connection.
            self.short.shrink_to(KEPT_BYTES);
        }
    }
}

/// Up to this size together, pieces are copied.
const COPIED_BYTES: usize = 16 * 1024;
const KEPT_BYTES: usize = 4 * 1024;
