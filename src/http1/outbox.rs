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
    /// Whether the stream may hold back something that it has taken.
    owes_flush: bool,
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

    /// Whether nothing waits, here or in the stream.
    pub fn is_sent(&self) -> bool {
        self.is_empty() && !self.owes_flush
    }

    fn is_empty(&self) -> bool {
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
            self.owes_flush = true;
            self.sent(count);
        }
        ready!(Pin::new(stream).poll_flush(cx))?;
        self.owes_flush = false;
        Poll::Ready(Ok(()))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes at a time.
    struct Peer {
        taken: Vec<u8>,
        writes: usize,
        most: usize,
        /// Whether it holds back what it took, as TLS may.
        holds_back: bool,
    }

    impl AsyncWrite for Peer {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let count = bytes.len().min(self.most);
            self.taken.extend_from_slice(&bytes[..count]);
            self.writes += 1;
            Poll::Ready(Ok(count))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            if self.holds_back { Poll::Pending } else { Poll::Ready(Ok(())) }
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn send(outbox: &mut Outbox, most: usize) -> (Vec<u8>, usize, bool) {
        let mut peer = Peer { taken: Vec::new(), writes: 0, most, holds_back: false };
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let is_sent = matches!(outbox.poll_send(&mut peer, &mut cx), Poll::Ready(Ok(())));
        (peer.taken, peer.writes, is_sent)
    }

    #[test]
    fn short_pieces_leave_together() {
        let mut outbox = Outbox::default();
        outbox.short().extend_from_slice(b"head ");
        outbox.push(Bytes::from("body"), b" end");
        assert!(!outbox.is_full() && !outbox.is_sent());
        assert_eq!(send(&mut outbox, usize::MAX), (b"head body end".to_vec(), 1, true));
        assert!(outbox.is_sent());
    }

    #[test]
    fn order_holds_however_little_is_taken_at_a_time() {
        for most in [1, 7, 10_000, usize::MAX] {
            let mut outbox = Outbox::default();
            let long = vec![b'x'; COPIED_BYTES];
            outbox.short().extend_from_slice(b"head ");
            outbox.push(Bytes::from(long.clone()), b" end");
            assert!(outbox.is_full());
            let (taken, _, is_sent) = send(&mut outbox, most);
            assert!(is_sent && outbox.is_sent() && !outbox.is_full(), "{most}");
            assert_eq!(taken, [b"head ".to_vec(), long, b" end".to_vec()].concat(), "{most}");
        }
    }

    #[test]
    fn nothing_is_sent_that_the_stream_holds_back() {
        let mut outbox = Outbox::default();
        outbox.short().extend_from_slice(b"100");
        let mut peer = Peer { taken: Vec::new(), writes: 0, most: usize::MAX, holds_back: true };
        let mut cx = Context::from_waker(std::task::Waker::noop());
        for _ in 0..2 {
            assert!(outbox.poll_send(&mut peer, &mut cx).is_pending());
            assert_eq!((peer.writes, outbox.is_sent()), (1, false));
        }
        peer.holds_back = false;
        assert!(outbox.poll_send(&mut peer, &mut cx).is_ready() && outbox.is_sent());
    }

    #[test]
    fn peer_that_takes_nothing_is_an_error() {
        let mut outbox = Outbox::default();
        outbox.short().push(b'x');
        assert_eq!(send(&mut outbox, 0), (Vec::new(), 1, false));
    }

    #[test]
    fn one_large_message_does_not_keep_its_memory() {
        let mut outbox = Outbox::default();
        outbox.short().resize(COPIED_BYTES, b'x');
        send(&mut outbox, usize::MAX);
        assert!(outbox.short().capacity() <= KEPT_BYTES);
    }
}
