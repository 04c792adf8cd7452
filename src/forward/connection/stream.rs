//! The bytes of a connection, with TLS or without.

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    task::coop::unconstrained,
};
use tokio_rustls::client::TlsStream;

/// A connection's stream.
#[derive(Debug)]
pub(in crate::forward) enum Stream {
    Plain(TcpStream),
    Secured(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Whether nothing has come from the other end: no byte, no end, no error.
    ///
    /// It costs no call of the system unless something is known to have come.
    pub(super) fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        match self {
            Self::Plain(tcp) => tcp
                .try_read(&mut byte)
                .is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock),
            Self::Secured(tls) => {
                let mut buffer = ReadBuf::new(&mut byte);
                // A task whose turn is over is told that everything is pending.
                let reading =
                    unconstrained(poll_fn(|cx| Pin::new(&mut **tls).poll_read(cx, &mut buffer)));
                pin!(reading).poll(&mut Context::from_waker(Waker::noop())).is_pending()
            }
        }
    }

    /// Takes leave as TLS wants it, as far as that can be done at once.
    pub(super) fn leave(&mut self) {
        if let Self::Secured(tls) = self {
            let leaving = unconstrained(poll_fn(|cx| Pin::new(&mut **tls).poll_shutdown(cx)));
            // Whether it is heard makes no difference to us.
            let _ = pin!(leaving).poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Self::Secured(tls) => Pin::new(&mut **tls).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Self::Secured(tls) => Pin::new(&mut **tls).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Secured(tls) => Pin::new(&mut **tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Secured(tls) => Pin::new(&mut **tls).poll_shutdown(cx),
        }
    }
}
