//! The body of a client's request, whichever version of HTTP it came by.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::http1::incoming::{BrokenOff, Incoming};

/// A request's body as it comes from the client.
#[derive(Debug)]
pub enum ClientBody {
    /// Over HTTP/1.
    Http1(Incoming),
    /// Over HTTP/2.
    Http2(hyper::body::Incoming),
}

impl ClientBody {
    /// All of the body, when all of it is here and it is no longer than `most` bytes: then nothing is
    /// waited for, and no time limit runs.
    pub fn take_whole(&mut self, most: usize) -> Option<Bytes> {
        match self {
            Self::Http1(body) => body.take_whole(most),
            Self::Http2(_) => None,
        }
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match self.get_mut() {
            Self::Http1(body) => Pin::new(body).poll_frame(cx),
            Self::Http2(body) => {
                let frame = Pin::new(body).poll_frame(cx);
                frame.map(|frame| frame.map(|frame| frame.map_err(|_| BrokenOff)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(body) => body.size_hint(),
            Self::Http2(body) => body.size_hint(),
        }
    }
}
