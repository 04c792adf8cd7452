//! Reaching an upstream by its name.
//!
//! 1. A request that finds an idle connection looks nothing up. For all others there is one
//!    lookup at a time, which outlives whoever began it, and what it finds serves for a
//!    second: a resolver that hangs holds one thread, not one for each request.
//! 2. Where the lookup fails, yields nothing or takes long, what it last yielded serves on for a
//!    short time: long enough for a resolver that restarts, too short for an address to become
//!    somebody else's.
//! 3. A few of its addresses are tried, each for its part of the time, so that a dead one does not
//!    spend all of it.

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::{
    net::TcpStream,
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

use crate::clock::Clock;

/// The way to one upstream.
#[derive(Debug)]
pub(super) struct Dialer {
    /// `host:port`.
    address: Box<str>,
    clock: Arc<dyn Clock>,
    /// The lookup under way; held by whoever waits for it, one after the other.
    under_way: tokio::sync::Mutex<Option<Lookup>>,
    known: Mutex<Option<Known>>,
}

type Lookup = JoinHandle<io::Result<Vec<SocketAddr>>>;

/// What the name last stood for.
#[derive(Clone, Debug)]
struct Known {
    addresses: Vec<SocketAddr>,
    since: Instant,
}

impl Dialer {
    pub(super) fn new(address: &str, clock: Arc<dyn Clock>) -> Self {
        let (under_way, known) = (tokio::sync::Mutex::default(), Mutex::default());
        Self { address: address.into(), clock, under_way, known }
    }

    /// Connects; `patience` is the time for all of it, which the caller keeps.
    pub(super) async fn connect(&self, patience: Duration) -> io::Result<TcpStream> {
        let addresses = match self.address.parse() {
            Ok(address) => vec![address],
            Err(_) => self.addresses().await?,
        };
        reach(&addresses, patience).await
    }

    async fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        if let Some(addresses) = self.known_within(FRESH) {
            return Ok(addresses);
        }
        let Some(known) = self.known_within(USABLE) else { return self.look_up().await };
        // Whoever has an address need not wait for another one for long.
        timeout(PATIENCE, self.look_up()).await.unwrap_or(Ok(known))
    }

    async fn look_up(&self) -> io::Result<Vec<SocketAddr>> {
        let mut under_way = self.under_way.lock().await;
        // Somebody may have found it meanwhile.
        if let Some(addresses) = self.known_within(FRESH) {
            return Ok(addresses);
        }
        let lookup = under_way.get_or_insert_with(|| {
            let address = self.address.clone();
            spawn_blocking(move || Ok(address.to_socket_addrs()?.take(MAX_ADDRESSES).collect()))
        });
        let found = lookup.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        *under_way = None;
        self.settle(found)
    }

    /// Remembers what was found, or says what serves in its place.
    fn settle(&self, found: io::Result<Vec<SocketAddr>>) -> io::Result<Vec<SocketAddr>> {
        let failure = match found {
            Ok(addresses) if !addresses.is_empty() => {
                let since = self.clock.instant();
                if let Ok(mut known) = self.known.lock() {
                    *known = Some(Known { addresses: addresses.clone(), since });
                }
                return Ok(addresses);
            }
            Ok(_) => io::Error::new(io::ErrorKind::NotFound, "its name stands for no address"),
            Err(error) => error,
        };
        self.known_within(USABLE).ok_or(failure)
    }

    fn known_within(&self, age: Duration) -> Option<Vec<SocketAddr>> {
        let now = self.clock.instant();
        let known = self.known.lock().ok()?;
        let known = known.as_ref()?;
        (now.saturating_duration_since(known.since) < age).then(|| known.addresses.clone())
    }
}

/// Connects to the first address that takes a connection.
async fn reach(addresses: &[SocketAddr], patience: Duration) -> io::Result<TcpStream> {
    let Some((last, others)) = addresses.split_last() else {
        return Err(io::ErrorKind::AddrNotAvailable.into());
    };
    let share = patience / u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    for address in others {
        if let Ok(Ok(stream)) = timeout(share, TcpStream::connect(address)).await {
            return Ok(stream);
        }
    }
    // What is left of the time is all for this one.
    TcpStream::connect(last).await
}

/// How long connections are made without looking up again.
const FRESH: Duration = Duration::from_secs(1);
/// How long what was found serves while nothing can be found.
const USABLE: Duration = Duration::from_mins(2);
/// How long who knows an address waits for another one.
const PATIENCE: Duration = Duration::from_millis(500);
const MAX_ADDRESSES: usize = 8;

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::clock::ManualClock;

    fn dialer(address: &str) -> (Dialer, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new());
        let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        (Dialer::new(address, shared), clock)
    }

    fn lost() -> io::Result<Vec<SocketAddr>> {
        Err(io::Error::other("no such name"))
    }

    /// S10: a name that flaps, and one that is gone for a minute.
    #[test]
    fn last_addresses_serve_while_the_name_cannot_be_looked_up() {
        let (dialer, clock) = dialer("mcp.example:80");
        let address = vec![SocketAddr::from(([192, 0, 2, 1], 80))];
        assert_eq!(dialer.settle(lost()).unwrap_err().to_string(), "no such name");
        assert_eq!(dialer.settle(Ok(address.clone())).unwrap(), address);
        for failed in [lost(), Ok(Vec::new())] {
            clock.advance(Duration::from_secs(59));
            assert_eq!(dialer.settle(failed).unwrap(), address);
        }
        clock.advance(Duration::from_secs(2));
        assert_eq!(dialer.settle(lost()).unwrap_err().to_string(), "no such name");
        let none = dialer.settle(Ok(Vec::new())).unwrap_err();
        assert_eq!(none.to_string(), "its name stands for no address");
        let moved = vec![SocketAddr::from(([192, 0, 2, 2], 80))];
        assert_eq!(dialer.settle(Ok(moved.clone())).unwrap(), moved);
        assert_eq!(dialer.settle(lost()).unwrap(), moved);
    }

    #[test]
    fn what_was_just_found_is_not_looked_up_again() {
        let (dialer, clock) = dialer("mcp.example:80");
        assert_eq!(dialer.known_within(FRESH), None);
        let address = vec![SocketAddr::from(([192, 0, 2, 1], 80))];
        dialer.settle(Ok(address.clone())).unwrap();
        assert_eq!(dialer.known_within(FRESH), Some(address));
        clock.advance(FRESH);
        assert_eq!(dialer.known_within(FRESH), None);
    }

    #[tokio::test]
    async fn address_behind_a_dead_one_is_reached() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let alive = listener.local_addr().unwrap();
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dead = gone.local_addr().unwrap();
        drop(gone);
        let stream = reach(&[dead, alive], Duration::from_secs(5)).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), alive);
        let refused = reach(&[dead], Duration::from_secs(5)).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert!(reach(&[], Duration::from_secs(5)).await.is_err());
    }

    /// S10: a resolver that hangs has one lookup, however many wait, and what is known serves.
    #[tokio::test]
    async fn resolver_that_hangs_has_one_lookup() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (dialer, clock) = dialer("mcp.example:80");
        let (release, hanging) = std::sync::mpsc::channel();
        let lookup = spawn_blocking(move || {
            let _ = hanging.recv();
            Ok(Vec::new())
        });
        let id = lookup.id();
        *dialer.under_way.lock().await = Some(lookup);
        for _ in 0..3 {
            assert!(timeout(Duration::from_millis(10), dialer.connect(PATIENCE)).await.is_err());
        }
        dialer.settle(Ok(vec![address])).unwrap();
        clock.advance(FRESH);
        for _ in 0..3 {
            let stream = dialer.connect(Duration::from_secs(5)).await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), address);
        }
        let under_way = dialer.under_way.lock().await.as_ref().map(JoinHandle::id);
        assert_eq!(under_way, Some(id), "the same one all the while");
        release.send(()).unwrap();
    }

    #[tokio::test]
    async fn names_are_looked_up_and_remembered() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (dialer, _clock) = dialer(&format!("localhost:{port}"));
        let stream = dialer.connect(Duration::from_secs(5)).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap().port(), port);
        let known = dialer.known_within(FRESH).unwrap();
        assert!(known.contains(&stream.peer_addr().unwrap()) && known.len() <= MAX_ADDRESSES);
    }
}
