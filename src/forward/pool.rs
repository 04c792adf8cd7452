//! Connections to one upstream, kept by the worker that made them.
//!
//! 1. A connection belongs to one route and one worker; no other route shares it, whatever its
//!    address.
//! 2. It is used again only after the whole response was read, while nothing has come behind that,
//!    and only for a short time: most servers close idle connections after five seconds.
//! 3. A request is sent again on another connection only when not one byte of it was taken.
//! 4. Connections that the upstream has closed, or that are too old, are closed within a second or
//!    so. Whoever does that ends with the last of them, and keeps no pool.

use std::{
    future::poll_fn,
    io,
    sync::{Arc, Mutex, OnceLock, Weak},
    time::{Duration, Instant},
};

use http::{Request, Response};
use rustls::{ClientConfig, pki_types::ServerName};
use socket2::{SockRef, TcpKeepalive};
use tokio_rustls::TlsConnector;
use tokio_util::task::TaskTracker;

use super::{
    connection::{Connection, ExchangeError, HeadReader, Stream, UpstreamBody},
    dial::Dialer,
    headers::Ours,
    request_body::RequestBody,
};
use crate::clock::Clock;

/// Idle connections of one worker to one upstream.
#[derive(Debug)]
pub struct Pool {
    dialer: Arc<Dialer>,
    tls: Option<Tls>,
    connect_timeout: Duration,
    clock: Arc<dyn Clock>,
    idle: Mutex<IdleConnections>,
    /// Where its worker's tasks are counted.
    tasks: OnceLock<TaskTracker>,
}

/// How to speak TLS to an upstream.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Trust and versions.
    pub config: Arc<ClientConfig>,
    /// The name its certificate must have.
    pub name: ServerName<'static>,
}

/// Connections in the order in which they were given back.
#[derive(Debug, Default)]
struct IdleConnections {
    connections: Vec<Idle>,
    /// Whether somebody closes those that nobody will use again.
    is_swept: bool,
}

#[derive(Debug)]
struct Idle {
    connection: Box<Connection>,
    since: Instant,
}

impl Idle {
    fn is_young(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < MAX_IDLE
    }

    fn is_usable(&mut self, now: Instant) -> bool {
        self.is_young(now) && self.connection.is_quiet()
    }
}

/// Why a request brought no response head.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No connection could be made.
    #[error("cannot connect: {0}")]
    Connect(#[from] io::Error),
    /// No connection was made within `connect_timeout`.
    #[error("no connection within upstream.connect_timeout")]
    ConnectTimeout,
    /// The connection failed, or the answer was no HTTP.
    #[error("the exchange failed: {0}")]
    Http(#[from] ExchangeError),
}

impl Pool {
    /// An empty pool for `host:port`.
    pub fn new(
        address: &str,
        tls: Option<Tls>,
        connect_timeout: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self::by(Arc::new(Dialer::new(address, Arc::clone(&clock))), tls, connect_timeout, clock)
    }

    /// An empty pool that finds its way as others do.
    pub(super) fn by(
        dialer: Arc<Dialer>,
        tls: Option<Tls>,
        connect_timeout: Duration,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { dialer, tls, connect_timeout, clock, idle: Mutex::default(), tasks: OnceLock::new() }
    }

    /// How many connections wait for their next request.
    pub fn idle(&self) -> usize {
        let now = self.clock.instant();
        let is_young = |idle: &&Idle| idle.is_young(now);
        self.idle.lock().map_or(0, |idle| idle.connections.iter().filter(is_young).count())
    }

    /// Sends a request and waits for the response head.
    ///
    /// `ours`: what is said of a request that is a client's.
    pub async fn send(
        self: &Arc<Self>,
        request: Request<RequestBody>,
        ours: Option<&Ours>,
        tasks: &TaskTracker,
    ) -> Result<Response<UpstreamBody>, SendError> {
        let (head, body) = request.into_parts();
        let mut connection = self.connection(tasks).await?;
        connection.begin(&head, ours, body);
        let mut reader = HeadReader::new(&head.method, head.headers);
        loop {
            let error = match poll_fn(|cx| connection.poll_head(&mut reader, cx)).await {
                Ok(head) => return Ok(UpstreamBody::response(head, connection, self)),
                Err(error) => error,
            };
            // Closed under us before a byte was taken.
            let Some(unsent) = connection.take_unsent() else { return Err(error.into()) };
            connection = self.connection(tasks).await?;
            connection.begin_again(unsent);
        }
    }

    /// The youngest that is idle, or a new one.
    async fn connection(&self, tasks: &TaskTracker) -> Result<Box<Connection>, SendError> {
        if let Some(connection) = self.take_idle() {
            return Ok(connection);
        }
        self.tasks.get_or_init(|| tasks.clone());
        // Boxed: most requests find a connection and need not carry this future.
        let connecting = Box::pin(self.connect());
        tokio::time::timeout(self.connect_timeout, connecting)
            .await
            .map_err(|_| SendError::ConnectTimeout)?
            .map_err(SendError::Connect)
    }

    async fn connect(&self) -> io::Result<Box<Connection>> {
        let stream = self.dialer.connect(self.connect_timeout).await?;
        stream.set_nodelay(true)?;
        SockRef::from(&stream).set_tcp_keepalive(&KEEPALIVE)?;
        let stream = match &self.tls {
            None => Stream::Plain(stream),
            Some(Tls { config, name }) => {
                let connector = TlsConnector::from(Arc::clone(config));
                Stream::Secured(Box::new(connector.connect(name.clone(), stream).await?))
            }
        };
        Ok(Connection::new(stream))
    }

    fn take_idle(&self) -> Option<Box<Connection>> {
        let now = self.clock.instant();
        let mut idle = self.idle.lock().ok()?;
        while let Some(mut each) = idle.connections.pop() {
            if each.is_usable(now) {
                return Some(each.connection);
            }
        }
        None
    }

    /// Keeps a connection for a later request.
    pub(super) fn give_back(self: &Arc<Self>, connection: Box<Connection>) {
        let since = self.clock.instant();
        let Ok(mut idle) = self.idle.lock() else { return };
        if idle.connections.len() >= MAX_IDLE_CONNECTIONS {
            return;
        }
        idle.connections.push(Idle { connection, since });
        if !idle.is_swept
            && let Some(tasks) = self.tasks.get()
        {
            idle.is_swept = true;
            drop(tasks.spawn(sweep(Arc::downgrade(self))));
        }
    }

    /// Has the rest of a request sent whose response is over.
    pub(super) fn finish(self: &Arc<Self>, mut connection: Box<Connection>, may_stay: bool) {
        let pool = Arc::clone(self);
        self.go_on(async move {
            let finished = tokio::time::timeout(LONGEST_REST, connection.finish()).await;
            if finished == Ok(true) && may_stay && connection.rest() {
                pool.give_back(connection);
            }
        });
    }

    /// Has something done that outlives whoever asked for it.
    pub(super) fn go_on(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(tasks) = self.tasks.get() {
            drop(tasks.spawn(work));
        }
    }

    /// Closes what nobody will use again; whether any are left.
    fn sweep(&self) -> bool {
        let now = self.clock.instant();
        let Ok(mut idle) = self.idle.lock() else { return false };
        idle.connections.retain_mut(|each| each.is_usable(now));
        idle.is_swept = !idle.connections.is_empty();
        idle.is_swept
    }
}

/// Looks at a pool's idle connections for as long as there are any.
async fn sweep(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        let Some(pool) = pool.upgrade() else { return };
        if !pool.sweep() {
            return;
        }
    }
}

/// Finds out about an upstream that went away without a word.
const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_mins(1)).with_interval(Duration::from_secs(20));
/// For what is left of a request behind its response.
const LONGEST_REST: Duration = Duration::from_mins(5);
const MAX_IDLE: Duration = Duration::from_secs(4);
const MAX_IDLE_CONNECTIONS: usize = 256;
const SWEEP_EVERY: Duration = Duration::from_secs(1);
