//! The PROXY protocol, versions 1 and 2: whom a load balancer passes on, said before the first byte.
//!
//! 1. Only connections from `listen.proxy_protocol` are read for a header, and they must have one:
//!    what begins otherwise is closed unanswered. From everywhere else its bytes are a bad request.
//! 2. The header is read under the deadline that began at accept, before TLS and before HTTP, and
//!    not a byte behind it. A line of version 1 has at most 107 bytes, version 2 at most 4096
//!    behind its first 16.
//! 3. The source address becomes the peer. `LOCAL`, `UNKNOWN`, an unspecified family and sockets
//!    without an IP address leave the connection's own.
//! 4. What version 2 appends (TLVs) is stepped over, and must fit; a checksum among it is checked.
//!
//! Destination, ports and what a balancer says about TLS are not believed, for nothing here needs
//! them.

mod v1;
mod v2;

use std::{io, net::IpAddr};

use bytes::BytesMut;
use tokio::{
    io::AsyncReadExt as _,
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tracing::debug;

use super::Connection;
use crate::gateway::Peer;

/// A whole header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Who was passed on; nothing when the connection is the sender's own.
    pub source: Option<IpAddr>,
    /// How many bytes it has.
    pub length: usize,
}

/// What was sent is no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no PROXY header: {0}")]
pub struct Malformed(pub(super) &'static str);

/// Reads a header from the first bytes of a connection; nothing when more are needed.
pub fn parse(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let is_start_of = |known: &[u8]| bytes.starts_with(known) || known.starts_with(bytes);
    if is_start_of(v2::SIGNATURE) {
        v2::parse(bytes)
    } else if is_start_of(v1::SIGNATURE) {
        v1::parse(bytes)
    } else {
        Err(Malformed("neither version's first bytes"))
    }
}

/// Why there is no header.
#[derive(Debug, thiserror::Error)]
enum Missing {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("the connection ended: {0}")]
    Ended(#[from] io::Error),
    #[error("no whole PROXY header within listen.limits.header_timeout")]
    Timeout,
}

impl Connection {
    /// Reads who the peer is; `false` when the connection is over.
    pub(super) async fn introduce(&mut self, stream: &mut TcpStream, deadline: Instant) -> bool {
        let read = timeout_at(deadline, read(stream)).await;
        let read = read.unwrap_or(Err(Missing::Timeout));
        let outcome = match &read {
            Ok(Some(_)) => "proxied",
            Ok(None) => "own",
            Err(Missing::Malformed(_)) => "malformed",
            Err(Missing::Ended(_)) => "ended",
            Err(Missing::Timeout) => "timeout",
        };
        self.service.metrics.proxy_protocol_headers.with_label_values(&[outcome]).inc();
        match read {
            Ok(Some(source)) => self.peer = Peer::new(source, self.service.tls.is_some()),
            Ok(None) => {}
            Err(error) => {
                debug!(error = %error, "a connection of listen.proxy_protocol is closed");
                return false;
            }
        }
        true
    }
}

/// Takes the header from a connection, and nothing behind it.
async fn read(stream: &mut TcpStream) -> Result<Option<IpAddr>, Missing> {
    let mut received = BytesMut::new();
    let mut ahead = [0; LOOK_AHEAD];
    loop {
        let seen = stream.peek(&mut ahead).await?;
        let fresh = ahead.get(..seen).unwrap_or_default();
        if fresh.is_empty() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let taken = received.len();
        received.extend_from_slice(fresh);
        let header = parse(&received)?;
        // All that was seen belongs to a header that is not whole yet.
        let length = header.map_or(received.len(), |header| header.length);
        let take = ahead.get_mut(..length.saturating_sub(taken)).unwrap_or_default();
        stream.read_exact(take).await?;
        if let Some(header) = header {
            return Ok(header.source.map(|source| source.to_canonical()));
        }
    }
}

/// Nearly every header fits.
const LOOK_AHEAD: usize = 256;

#[cfg(test)]
mod tests;
