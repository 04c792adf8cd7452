//! A bound on the HTTP/2 frames that cost a client nothing and get it nothing.
//!
//! 1. PING, SETTINGS, PRIORITY, `RST_STREAM`, `WINDOW_UPDATE`, unknown frames and the like
//!    (RFC 9113 section 10.5) are paid for from an allowance that time fills up, and that grows
//!    with what the client is sent, for answers have to be acknowledged.
//! 2. Who has spent it is disconnected.
//!
//! HEADERS are requests, with limits of their own; for DATA, CONTINUATION and streams that never
//! come to be, h2 has budgets. Whether frames are well-formed is for h2 too.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

/// An HTTP/2 connection from its first byte, which fails when the client overdoes it.
#[derive(Debug)]
pub(super) struct FrameMeter<S> {
    stream: S,
    /// Bytes left of the preface or a frame's payload.
    skip: usize,
    /// Bytes seen of the frame header that is arriving, and what they say.
    seen: u8,
    length: usize,
    kind: u8,
    allowance: Allowance,
}

#[derive(Debug)]
struct Allowance {
    /// In units of which a frame costs [`FRAME_COST`].
    left: usize,
    filled: Instant,
}

impl<S> FrameMeter<S> {
    /// Meters a connection whose preface has not been read from `stream`.
    pub(super) fn new(stream: S) -> Self {
        let allowance = Allowance { left: BURST * FRAME_COST, filled: Instant::now() };
        Self { stream, skip: PREFACE_BYTES, seen: 0, length: 0, kind: 0, allowance }
    }

    /// Follows the frames; `false` when there have been too many.
    fn follow(&mut self, mut bytes: &[u8]) -> bool {
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            let Some((&byte, behind)) = bytes.split_first() else { return true };
            bytes = behind;
            match self.seen {
                0..3 => self.length = (self.length << 8) | usize::from(byte),
                3 => self.kind = byte,
                _ => {}
            }
            self.seen += 1;
            if self.seen == HEADER_BYTES {
                self.skip = std::mem::take(&mut self.length);
                self.seen = 0;
                if !matches!(self.kind, DATA | HEADERS | CONTINUATION) && !self.allowance.spend() {
                    return false;
                }
            }
        }
    }

    fn account(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(count)) = written {
            self.allowance.grow(count);
        }
        written
    }
}

impl Allowance {
    fn spend(&mut self) -> bool {
        if self.left < FRAME_COST {
            // Time is looked at only when somebody is near the bound.
            let elapsed = self.filled.elapsed();
            self.filled += elapsed;
            let fresh = elapsed.as_nanos() / NANOSECONDS_PER_UNIT;
            self.grow(usize::try_from(fresh).unwrap_or(usize::MAX));
        }
        let left = self.left.checked_sub(FRAME_COST);
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }

    fn grow(&mut self, units: usize) {
        self.left = self.left.saturating_add(units).min(BURST * FRAME_COST);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FrameMeter<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let start = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let fresh = buf.filled().get(start..).unwrap_or_default();
        if self.follow(fresh) {
            return Poll::Ready(Ok(()));
        }
        let why = "more HTTP/2 control frames than a client has use for";
        Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, why)))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FrameMeter<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.account(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.account(written)
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

/// Bytes sent to the client that make up for one frame of its. An acknowledgement of a PING is 17:
/// what is answered with a frame does not pay for itself.
const FRAME_COST: usize = 32;

/// Frames at once.
const BURST: usize = 2000;

/// 500 frames a second: a client may acknowledge, with two of them, each of 250 tiny events.
const NANOSECONDS_PER_UNIT: u128 = Duration::from_secs(1).as_nanos() / (500 * FRAME_COST as u128);

const PREFACE_BYTES: usize = 24;
const HEADER_BYTES: u8 = 9;

// RFC 9113 section 6.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of a frame with this payload.
    fn frame(kind: u8, length: u8) -> Vec<u8> {
        let mut bytes = vec![0, 0, length, kind, 0, 0, 0, 0, 1];
        bytes.extend(vec![PING; usize::from(length)]);
        bytes
    }

    fn meter() -> FrameMeter<()> {
        let mut meter = FrameMeter::new(());
        assert!(meter.follow(&[0; PREFACE_BYTES]));
        stop_time(&mut meter);
        meter
    }

    /// From here on no time passes for it.
    fn stop_time(meter: &mut FrameMeter<()>) {
        meter.allowance.filled = Instant::now() + Duration::from_hours(24);
    }

    fn advance(meter: &mut FrameMeter<()>, by: Duration) {
        meter.allowance.filled = Instant::now().checked_sub(by).unwrap();
    }

    const PING: u8 = 6;

    #[test]
    fn control_frames_are_counted_however_they_are_cut() {
        for size in [1, 8, 9, 10, 17, 4096] {
            let mut meter = meter();
            let bytes = frame(PING, 8).repeat(BURST);
            assert!(bytes.chunks(size).all(|piece| meter.follow(piece)), "{size}");
            assert!(!meter.follow(&frame(PING, 8)), "{size}");
        }
    }

    #[test]
    fn requests_and_their_bodies_are_not() {
        let mut meter = meter();
        for kind in [DATA, HEADERS, CONTINUATION] {
            assert!(meter.follow(&frame(kind, 200).repeat(3 * BURST)));
        }
        assert!(meter.follow(&frame(0xab, 0).repeat(BURST)));
        assert!(!meter.follow(&frame(0xab, 0)));
    }

    #[test]
    fn time_and_answers_fill_the_allowance() {
        let mut meter = meter();
        assert!(meter.follow(&frame(PING, 0).repeat(BURST)));
        advance(&mut meter, Duration::from_secs(1));
        assert!(meter.follow(&frame(PING, 0)));
        stop_time(&mut meter);
        assert!(meter.follow(&frame(PING, 0).repeat(499)));
        assert!(!meter.follow(&frame(PING, 0)));
        assert!(meter.account(Poll::Ready(Ok(5 * FRAME_COST))).is_ready());
        assert!(meter.follow(&frame(PING, 0).repeat(5)));
        assert!(!meter.follow(&frame(PING, 0)));
        advance(&mut meter, Duration::from_mins(1));
        assert!(meter.follow(&frame(PING, 0)));
        stop_time(&mut meter);
        assert!(meter.follow(&frame(PING, 0).repeat(BURST - 1)));
        assert!(!meter.follow(&frame(PING, 0)));
    }
}
