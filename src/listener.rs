//! The public listener: accepting connections and serving HTTP/1.1 and HTTP/2 on them.
//!
//! 1. At most `max_connections` in the process, and of each source at most its share; more are
//!    answered 503 and closed.
//! 2. What protocol a connection speaks is told under a deadline that starts at accept.
//!    With TLS, the handshake is under it too, and ALPN tells ([`tls`]).
//! 3. HTTP/1 goes through [`wire`], which sees what hyper hides; HTTP/2 has every limit set.
//! 4. A connection that takes no bytes for a minute is closed; a client that left is noticed.
//! 5. Draining: nothing new is accepted, connections end after what they are doing.
//!
//! Each worker has a listener of its own on the shared address.

mod balance;
mod frames;
mod handshake;
mod serve;
mod stall;
mod streams;
pub mod tls;
pub mod wire;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

use self::balance::{Counted, Handed};
pub use self::{balance::Balance, tls::Handshakes};
use crate::{
    config::settings::Limits,
    gateway::{Gateway, Peer},
    limits::ConnectionSlot,
    metrics::Metrics,
    rejection::Rejection,
};

/// One worker's listener.
#[derive(Debug)]
pub struct Listener {
    /// Its socket.
    pub socket: TcpListener,
    /// Who shares connections with it.
    pub balance: Balance,
    /// Connections handed over by others.
    pub inbox: tokio::sync::mpsc::Receiver<Handed>,
    /// What it serves with.
    pub service: Arc<Service>,
}

/// What every connection of a worker needs.
#[derive(Debug)]
pub struct Service {
    /// Answers requests.
    pub gateway: Gateway,
    /// TLS, when the listener speaks it.
    pub tls: Option<Arc<Handshakes>>,
    /// Where connections are counted.
    pub metrics: Metrics,
    /// Where the worker's tasks are counted.
    pub tasks: TaskTracker,
    /// Cancelled when no more shall be accepted and connections shall end.
    pub drain: CancellationToken,
    /// How many connections beyond the limit may be told so at once; more are closed unanswered.
    pub turned_away: Semaphore,
}

/// Binds one socket for each worker.
///
/// The first is bound without `SO_REUSEPORT`, so that a second gateway on the same address fails
/// instead of sharing it; the option is set before the others join.
///
/// # Errors
///
/// When the address is in use or not ours.
pub fn bind(address: SocketAddr, workers: usize) -> io::Result<Vec<std::net::TcpListener>> {
    let first = socket(address)?;
    first.bind(&address.into())?;
    first.set_reuse_port(true)?;
    first.listen(BACKLOG)?;
    let first: std::net::TcpListener = first.into();
    // With port 0 the others must learn which one it became.
    let bound = first.local_addr()?;
    let mut sockets = vec![first];
    for _ in 1..workers {
        let next = socket(bound)?;
        next.set_reuse_port(true)?;
        next.bind(&bound.into())?;
        next.listen(BACKLOG)?;
        sockets.push(next.into());
    }
    Ok(sockets)
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for old connections to leave TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl Listener {
    /// Accepts connections until draining begins.
    pub async fn run(mut self) {
        let drain = self.service.drain.clone();
        loop {
            let accepted = tokio::select! {
                biased;
                () = drain.cancelled() => return,
                handed = self.inbox.recv() => match handed {
                    Some((stream, peer)) => TcpStream::from_std(stream).map(|stream| (stream, peer)),
                    None => return,
                },
                accepted = self.socket.accept() => match accepted {
                    Ok((stream, peer)) => match self.balance.hand_over(stream, peer) {
                        Some(kept) => Ok(kept),
                        None => continue,
                    },
                    Err(error) => Err(error),
                },
            };
            match accepted {
                Ok((stream, peer)) => self.begin(stream, peer),
                Err(error) => {
                    // Out of descriptors, say: the kernel keeps the connection waiting, and so do
                    // we, rather than spin.
                    warn!(error = %error, "accepting a connection failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn begin(&self, stream: TcpStream, peer: SocketAddr) {
        let service = Arc::clone(&self.service);
        let limits = service.gateway.limits();
        let peer = Peer::new(peer.ip().to_canonical(), service.tls.is_some());
        let counted = self.balance.count(limits.max_connections).ok_or(Rejection::Overloaded);
        let counted =
            counted.and_then(|counted| Ok((counted, service.gateway.admit_connection(&peer)?)));
        let tasks = service.tasks.clone();
        drop(tasks.spawn(async move {
            match counted {
                Ok(counted) => {
                    Connection { service, peer, limits, _counted: counted }.run(stream).await;
                }
                Err(why) => serve::turn_away(stream, &service, why).await,
            }
        }));
    }
}

/// One accepted connection.
struct Connection {
    service: Arc<Service>,
    peer: Peer,
    /// As they were when it began.
    limits: Limits,
    _counted: (Counted, Option<ConnectionSlot>),
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const BACKLOG: i32 = 1024;
