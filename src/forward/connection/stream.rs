//! The bytes of a connection, with TLS or without.

use std::{
    future::Future,
    io,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
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
    /// Whether nothing has come from the other end: no byte, no end, no error; what has come goes
    /// into the buffer.
    ///
    /// It costs no call of the system unless something is known to have come.
    pub(super) fn is_quiet(&mut self, buffer: &mut BytesMut) -> bool {
        match self {
            Self::Plain(tcp) => tcp
                .try_read_buf(buffer)
                .is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock),
            // A task whose turn is over is told that everything is pending.
            Self::Secured(tls) => is_pending(unconstrained(tls.read_buf(buffer))),
        }
    }

    /// Takes leave, as far as that can be done at once.
    pub(super) fn leave(&mut self) {
        // Whether it is heard makes no difference to us.
        let _ = is_pending(unconstrained(self.shutdown()));
    }
}

/// Whether something cannot be done at once; nobody is told when it can be.
fn is_pending(something: impl Future) -> bool {
    pin!(something).poll(&mut Context::from_waker(Waker::noop())).is_pending()
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
