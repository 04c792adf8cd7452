//! The wire as hyper sees it: a stream of bytes that ends when no further request may pass.
//!
//! Writes go through as they are; they and flushes are where hyper, whatever it is doing, gives the
//! wire a turn, so the watch for the end of the connection hangs on them.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Stage, Transport, Wire};

impl<S: Transport> AsyncRead for Wire<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        loop {
            if wire.passed > 0 {
                let given = wire.passed.min(buf.remaining());
                buf.put_slice(wire.received.get(..given).unwrap_or_default());
                wire.received.advance(given);
                wire.passed -= given;
                return Poll::Ready(Ok(()));
            }
            let goes_on = match &wire.stage {
                Stage::Head(..) => ready!(wire.poll_head(cx))?,
                Stage::Body(_) => return wire.poll_body(cx, buf),
                Stage::Answering => ready!(wire.poll_answered(cx))?,
                // An end of the connection would cut off the refusal.
                Stage::Refused if wire.exchange.is_in_flight() => return Poll::Pending,
                Stage::Refused => false,
                Stage::Broken(fault) => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, *fault)));
                }
            };
            if !goes_on {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: Transport> AsyncWrite for Wire<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        wire.is_flushed = false;
        let written = Pin::new(&mut wire.stream).poll_write(cx, bytes);
        if written.is_pending() {
            wire.watch(cx)?;
        }
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        wire.is_flushed = false;
        let written = Pin::new(&mut wire.stream).poll_write_vectored(cx, slices);
        if written.is_pending() {
            wire.watch(cx)?;
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        if Pin::new(&mut wire.stream).poll_flush(cx)?.is_pending() {
            wire.watch(cx)?;
            return Poll::Pending;
        }
        Poll::Ready(wire.after_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        let may_receive_more = wire.may_receive_more();
        wire.linger.poll(&mut wire.stream, may_receive_more, cx)
    }
}
