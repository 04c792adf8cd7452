//! Connections to one upstream, kept by the worker that made them.
//!
//! 1. A connection belongs to one route and one worker; no other route shares it, whatever its
//!    address.
//! 2. It is used again only after the whole response was read, and only for a short time: most
//!    servers close idle connections after five seconds.
//! 3. A request is sent again on a fresh connection only when hyper hands it back unsent.

use std::{
    io,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use socket2::{SockRef, TcpKeepalive};
use tokio_rustls::TlsConnector;
use tokio_util::task::TaskTracker;

use super::{dial::Dialer, request_body::RequestBody};
use crate::clock::Clock;

/// Idle connections of one worker to one upstream.
#[derive(Debug)]
pub struct Pool {
    dialer: Arc<Dialer>,
    tls: Option<Tls>,
    connect_timeout: Duration,
    clock: Arc<dyn Clock>,
    idle: Mutex<IdleConnections>,
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
    /// When those that nobody will use again were last thrown away.
    swept: Option<Instant>,
}

#[derive(Debug)]
struct Idle {
    sender: SendRequest<RequestBody>,
    since: Instant,
}

impl Idle {
    fn is_usable(&self, now: Instant) -> bool {
        !self.sender.is_closed() && now.saturating_duration_since(self.since) < MAX_IDLE
    }
}

impl IdleConnections {
    /// The youngest that can take a request.
    fn take(&mut self, now: Instant) -> Option<SendRequest<RequestBody>> {
        let mut busy = Vec::new();
        let mut taken = None;
        while let Some(idle) = self.connections.pop() {
            if !idle.is_usable(now) {
                continue;
            }
            if idle.sender.is_ready() {
                taken = Some(idle.sender);
                break;
            }
            // Its task has not had its turn since the last response.
            busy.push(idle);
        }
        self.connections.extend(busy.into_iter().rev());
        taken
    }

    fn put(&mut self, idle: Idle) {
        let now = idle.since;
        let swept = *self.swept.get_or_insert(now);
        // Under steady load only the youngest are ever looked at, and the rest would stay open.
        if now.saturating_duration_since(swept) >= SWEEP_EVERY {
            self.connections.retain(|each| each.is_usable(now));
            self.swept = Some(now);
        }
        if self.connections.len() < MAX_IDLE_CONNECTIONS {
            self.connections.push(idle);
        }
    }
}

/// A connection on loan; given back when a response was read to its end.
#[derive(Debug)]
pub struct Lease {
    sender: SendRequest<RequestBody>,
    pool: Arc<Pool>,
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
    Http(#[from] hyper::Error),
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
        Self { dialer, tls, connect_timeout, clock, idle: Mutex::default() }
    }

    /// How many connections wait for their next request.
    pub fn idle(&self) -> usize {
        let now = self.clock.instant();
        let is_usable = |idle: &&Idle| idle.is_usable(now);
        self.idle.lock().map_or(0, |idle| idle.connections.iter().filter(is_usable).count())
    }

    /// Sends a request and waits for the response head.
    pub async fn send(
        self: &Arc<Self>,
        mut request: Request<RequestBody>,
        tasks: &TaskTracker,
    ) -> Result<(Response<Incoming>, Lease), SendError> {
        while let Some(mut sender) = self.take_idle() {
            match sender.try_send_request(request).await {
                Ok(response) => return Ok((response, self.lease(sender))),
                Err(mut error) => match error.take_message() {
                    // Closed under us before a byte was written: nothing was sent.
                    Some(unsent) => request = unsent,
                    None => return Err(error.into_error().into()),
                },
            }
        }
        // Boxed: most requests find a connection and need not carry this future.
        let connecting = Box::pin(self.connect(tasks));
        let mut sender = tokio::time::timeout(self.connect_timeout, connecting)
            .await
            .map_err(|_| SendError::ConnectTimeout)??;
        let response = sender.send_request(request).await?;
        Ok((response, self.lease(sender)))
    }

    fn lease(self: &Arc<Self>, sender: SendRequest<RequestBody>) -> Lease {
        Lease { sender, pool: Arc::clone(self) }
    }

    fn take_idle(&self) -> Option<SendRequest<RequestBody>> {
        let now = self.clock.instant();
        self.idle.lock().ok()?.take(now)
    }

    async fn connect(&self, tasks: &TaskTracker) -> Result<SendRequest<RequestBody>, SendError> {
        let stream = self.dialer.connect(self.connect_timeout).await?;
        stream.set_nodelay(true)?;
        SockRef::from(&stream).set_tcp_keepalive(&KEEPALIVE)?;
        match &self.tls {
            None => handshake(TokioIo::new(stream), tasks).await,
            Some(Tls { config, name }) => {
                let connector = TlsConnector::from(Arc::clone(config));
                let stream = connector.connect(name.clone(), stream).await?;
                handshake(TokioIo::new(stream), tasks).await
            }
        }
    }
}

async fn handshake<T>(io: T, tasks: &TaskTracker) -> Result<SendRequest<RequestBody>, SendError>
where
    T: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (sender, connection) = http1::Builder::new()
        .max_header_size(MAX_BUFFER_BYTES)
        .max_buf_size(MAX_BUFFER_BYTES)
        // A small message is copied together and sent: cheaper than gathering it in the kernel.
        .writev(false)
        .handshake(io)
        .await?;
    // Its errors reach whoever waits for a response; an idle connection's end is nobody's error.
    drop(tasks.spawn(async move { drop(connection.await) }));
    Ok(sender)
}

impl Lease {
    /// Keeps the connection for a later request.
    pub fn give_back(self) {
        if self.sender.is_closed() {
            return;
        }
        let since = self.pool.clock.instant();
        if let Ok(mut idle) = self.pool.idle.lock() {
            idle.put(Idle { sender: self.sender, since });
        }
    }
}

/// Finds out about an upstream that went away without a word.
const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_mins(1)).with_interval(Duration::from_secs(20));
/// What a connection reads ahead, its response heads too: whoever takes nothing must cost little.
const MAX_BUFFER_BYTES: usize = 16 * 1024;
const MAX_IDLE: Duration = Duration::from_secs(4);
const MAX_IDLE_CONNECTIONS: usize = 256;
const SWEEP_EVERY: Duration = Duration::from_secs(1);
