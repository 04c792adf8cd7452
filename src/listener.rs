//! The public listener: accepting connections and serving HTTP/1.1 and HTTP/2 on them.
//!
//! 1. At most `max_connections` in the process, and no more than it has descriptors for; of each
//!    source at most its share. More are answered 503 and closed.
//! 2. Who the peer is, a load balancer says first where that is configured ([`proxy_protocol`]).
//! 3. What protocol a connection speaks is told under a deadline that starts at accept.
//!    With TLS, the handshake is under it too, and ALPN tells ([`tls`]).
//! 4. HTTP/1 is served by [`http1`], strictly; HTTP/2 by hyper, with every limit set.
//! 5. A connection that takes no bytes for a minute is closed; a client that left is noticed.
//! 6. Draining: nothing new is accepted, connections end after what they are doing.
//!
//! Each worker has a listener of its own on the shared address.

mod balance;
mod descriptors;
mod frames;
mod handshake;
pub mod http1;
pub mod preface;
pub mod proxy_protocol;
mod serve;
mod stall;
mod streams;
pub mod tls;
pub mod transport;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

use self::balance::{Counted, Handed};
pub use self::{balance::Balance, descriptors::Descriptors, tls::Handshakes};
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
    /// The present date, for responses.
    pub dates: http1::Dates,
    /// Where connections are counted.
    pub metrics: Metrics,
    /// Where the worker's tasks are counted.
    pub tasks: TaskTracker,
    /// Cancelled when no more shall be accepted and connections shall end.
    pub drain: CancellationToken,
    /// How many connections the process has descriptors for.
    pub room: usize,
    /// How many connections beyond the limit may be told so at once; more are closed unanswered.
    pub turned_away: Arc<Semaphore>,
}

impl Service {
    /// A place for telling one connection that there are too many; nothing when it is closed
    /// unanswered.
    fn place_to_turn_away(&self) -> Option<OwnedSemaphorePermit> {
        if self.tls.is_some() {
            // An answer would cost a handshake, the dearest thing there is to waste.
            return None;
        }
        Arc::clone(&self.turned_away).try_acquire_owned().ok()
    }
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
        let mut last_said: Option<Instant> = None;
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
                // The client's own doing: the next one does not wait for it.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    // Out of descriptors, say: the kernel keeps the connection waiting, and so do
                    // we, rather than spin.
                    if last_said.is_none_or(|said| said.elapsed() >= SAY_AGAIN) {
                        warn!(error = %error, "accepting a connection failed; trying again");
                        last_said = Some(Instant::now());
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn begin(&self, stream: TcpStream, peer: SocketAddr) {
        let service = Arc::clone(&self.service);
        let limits = service.gateway.limits();
        let peer = Peer::new(peer.ip().to_canonical(), service.tls.is_some());
        let room = limits.max_connections.min(service.room);
        let counted = self.balance.count(room).ok_or(Rejection::Overloaded);
        let counted = counted.and_then(|counted| {
            // Whom a load balancer passes on is counted once it has said who that is.
            let is_passed_on = service.gateway.is_passed_on_by(&peer);
            let admit = || service.gateway.admit_connection(&peer, service.room);
            let slot = if is_passed_on { None } else { admit()? };
            Ok((counted, slot, is_passed_on))
        });
        let place = if counted.is_err() { service.place_to_turn_away() } else { None };
        if let (Err(why), None) = (&counted, &place) {
            // Here and now: a task would hold the descriptor until it is run.
            return service.gateway.say_turned_away(None, why);
        }
        let tasks = service.tasks.clone();
        drop(tasks.spawn(async move {
            let _place = place;
            match counted {
                Ok((counted, slot, is_passed_on)) => {
                    let connection =
                        Connection { service, peer, limits, _counted: counted, slot, is_passed_on };
                    connection.run(stream).await;
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
    _counted: Counted,
    /// Its place among those of its source, once that is known.
    slot: Option<ConnectionSlot>,
    /// Whether the peer must say first whom it passes on.
    is_passed_on: bool,
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const SAY_AGAIN: Duration = Duration::from_mins(1);
const BACKLOG: i32 = 1024;
