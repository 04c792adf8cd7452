//! A connection's stream, as what serves HTTP over it needs it.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, Interest},
    net::TcpStream,
};

/// A connection's stream.
pub trait Transport: AsyncRead + AsyncWrite + Unpin {
    /// Whether the client has closed its sending side, even if bytes before that end are unread.
    fn is_read_closed(&self) -> bool;
}

impl Transport for TcpStream {
    fn is_read_closed(&self) -> bool {
        // A single poll reports the readiness already known; it needs nobody to be woken.
        let mut context = Context::from_waker(Waker::noop());
        match pin!(self.ready(Interest::READABLE)).poll(&mut context) {
            Poll::Ready(Ok(ready)) => ready.is_read_closed(),
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        }
    }
}

impl<S: Transport> Transport for Box<S> {
    fn is_read_closed(&self) -> bool {
        S::is_read_closed(self)
    }
}

impl<S: Transport> Transport for tokio_rustls::server::TlsStream<S> {
    fn is_read_closed(&self) -> bool {
        self.get_ref().0.is_read_closed()
    }
}
