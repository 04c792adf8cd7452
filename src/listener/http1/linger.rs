//! The lingering close of RFC 9112 section 9.6.
//!
//! A socket closed with unread bytes resets the connection, and the reset may overtake a response
//! that the client has not read yet.
//!
//! 1. The sending side is closed first, so that the client sees the end of the response.
//! 2. What the client still sends is read and dropped, until it closes, for two seconds, or 4 MiB.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

/// How far closing a connection has come.
#[derive(Debug, Default)]
pub(super) enum Linger {
    /// The sending side is open.
    #[default]
    Open,
    /// Dropping what still arrives, this much at most.
    Draining { until: Pin<Box<Sleep>>, left: usize },
    /// Nothing is left to do.
    Closed,
}

impl Linger {
    /// Closes the connection; takes its time over it when more may arrive.
    pub(super) fn poll<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        may_receive_more: bool,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            match self {
                Self::Open => {
                    ready!(Pin::new(&mut *stream).poll_shutdown(cx))?;
                    *self = if may_receive_more {
                        let until = Box::pin(sleep_until(Instant::now() + MAX_TIME));
                        Self::Draining { until, left: MAX_BYTES }
                    } else {
                        Self::Closed
                    };
                }
                Self::Draining { until, left } => {
                    let mut scratch = [0; SCRATCH_BYTES];
                    let mut dropped = ReadBuf::new(&mut scratch);
                    match Pin::new(&mut *stream).poll_read(cx, &mut dropped) {
                        Poll::Ready(Ok(())) if !dropped.filled().is_empty() => {
                            *left = left.saturating_sub(dropped.filled().len());
                        }
                        // The client has closed its side too, or is gone.
                        Poll::Ready(_) => *left = 0,
                        Poll::Pending => ready!(until.as_mut().poll(cx)),
                    }
                    if *left == 0 || until.is_elapsed() {
                        *self = Self::Closed;
                    }
                }
                Self::Closed => return Poll::Ready(Ok(())),
            }
        }
    }
}

const MAX_TIME: Duration = Duration::from_secs(2);
const MAX_BYTES: usize = 4 * 1024 * 1024;
const SCRATCH_BYTES: usize = 8 * 1024;
