//! Beginning a connection of the public listener that speaks TLS.
//!
//! 1. The handshake ends before the deadline of the first head, which began at accept.
//! 2. ALPN alone chooses: `h2` is HTTP/2 and must begin as such (RFC 9113 section 3.4), all else
//!    is HTTP/1, whatever its first bytes (section 3.3).
//! 3. A client that speaks plain HTTP is told so in plain HTTP, and nothing it sent is read.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::{
    Connection,
    preface::{self, Opening, Protocol},
    serve::{TURN_AWAY, WRITE_STALL},
    stall::StallGuard,
    tls::{HTTP_2, Handshakes},
};

/// A connection behind TLS.
pub(super) type Secured = Box<TlsStream<StallGuard<TcpStream>>>;

impl Connection {
    /// Makes the handshake; tells also what will say that the connection shall end. Nothing when it
    /// is over.
    pub(super) async fn secure(
        &self,
        handshakes: &Handshakes,
        stream: TcpStream,
        deadline: Instant,
    ) -> Option<(Opening<Secured>, CancellationToken)> {
        let count = |outcome| {
            self.service.metrics.tls_handshakes.with_label_values(&[outcome]).inc();
        };
        let mut first = [0];
        match timeout_at(deadline, stream.peek(&mut first)).await {
            Ok(Ok(1..)) => {}
            Ok(_) => return None,
            Err(_) => {
                count("timeout");
                return None;
            }
        }
        if first[0].is_ascii_uppercase() {
            count("plaintext");
            say_and_close(stream, SPEAK_TLS).await;
            return None;
        }
        let stream = StallGuard::new(stream, WRITE_STALL);
        let agreed = handshakes.agreed();
        let accept = TlsAcceptor::from(Arc::clone(&agreed.config)).accept(stream);
        let stream = match timeout_at(deadline, accept).await {
            Ok(Ok(stream)) => Box::new(stream),
            Ok(Err(error)) => {
                debug!(error = %error, "a TLS handshake failed");
                count("failed");
                return None;
            }
            Err(_) => {
                count("timeout");
                return None;
            }
        };
        count("done");
        if stream.get_ref().1.alpn_protocol() != Some(HTTP_2) {
            let opening = Opening { protocol: Protocol::Http1, stream, received: BytesMut::new() };
            return Some((opening, agreed.farewell.clone()));
        }
        let opening = preface::read_preface(stream, deadline).await.ok()?;
        let is_http2 = opening.protocol == Protocol::Http2;
        is_http2.then(|| (opening, agreed.farewell.clone()))
    }
}

/// Writes an answer and closes, in a way that lets the client read it.
pub(super) async fn say_and_close(mut stream: TcpStream, bytes: &[u8]) {
    let say = async {
        stream.write_all(bytes).await?;
        stream.shutdown().await?;
        // Reading what the client sent keeps a reset from overtaking the answer.
        let mut discarded = [0; 1024];
        while stream.read(&mut discarded).await? > 0 {}
        Ok::<_, std::io::Error>(())
    };
    // Neither an error nor the time limit leaves anything to do but close.
    let _ = timeout(TURN_AWAY, say).await;
}

const SPEAK_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\
    content-type: text/plain\r\ncontent-length: 33\r\n\r\nThis address speaks HTTPS only.\r\n";
