//! The application: binds, serves, reloads, drains. The binary and the tests come in by this door.
//!
//! 1. One current-thread runtime per worker, each with its own listener and its own upstream
//!    connections, sharing snapshot and caches. This costs less per request than one work-stealing
//!    runtime with a shared client, and it is decided here alone.
//! 2. A background runtime of its own for authorization servers and the operators' listener: a
//!    slow answer there delays no request here.
//! 3. Draining: not ready, nothing new accepted, requests finish, streams end between events; what
//!    is still there after `drain_timeout` is cut.
//! 4. Every task belongs to a tracker, every thread is waited for; for one that does not come back
//!    from reading a file, a second.

mod runtime;

use std::{
    io,
    net::SocketAddr,
    num::NonZero,
    sync::{
        Arc,
        mpsc::{SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::info;

use self::runtime::{OwnRuntime, run_background};
use crate::{
    admin::Admin,
    authenticate::{background::Background, outbound::Network},
    clock::Clock,
    config::{Loaded, Problem, ProcessEnvironment, Settings},
    forward::Worker,
    gateway::Gateway,
    limits::Limits,
    listener::{
        self, Balance, Descriptors, Handshakes, Listener, Service, http1::Dates, tls::TlsError,
    },
    metrics::Metrics,
    reload::{
        Outcome, Reloader, TlsReplacement,
        watch::{self, Files, Source},
    },
    snapshot::{BuildError, InForce, Snapshot, Surroundings},
};

/// A gateway that serves.
#[derive(Debug)]
pub struct App {
    listen_address: SocketAddr,
    admin_address: SocketAddr,
    metrics: Metrics,
    drain: CancellationToken,
    stop: CancellationToken,
    in_force: Arc<InForce>,
    reloader: Arc<Reloader>,
    /// Has the configuration read again; closed, it is not followed any more.
    asking: Option<SyncSender<()>>,
    workers_gone: mpsc::Receiver<()>,
    background_gone: mpsc::Receiver<()>,
    background_here: Option<mpsc::Sender<()>>,
}

/// Why a gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address} ({key}): {source}")]
    Bind {
        /// The configuration's key.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The settings cannot be put in force.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// TLS cannot be put in force.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Metrics cannot be registered.
    #[error("cannot register metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// Threads or timers cannot be had.
    #[error("cannot start a runtime: {0}")]
    Runtime(#[from] io::Error),
}

impl App {
    /// Starts with a worker for each core.
    pub fn start(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        Self::start_with_workers(settings, clock, workers())
    }

    /// Starts with a number of workers.
    pub fn start_with_workers(
        settings: Settings,
        clock: Arc<dyn Clock>,
        workers: usize,
    ) -> Result<Self, StartError> {
        let metrics = registered()?;
        let bind_error = |key, address| move |source| StartError::Bind { key, address, source };
        let address = settings.listen.address;
        let sockets =
            listener::bind(address, workers).map_err(bind_error("listen.address", address))?;
        let listen_address = local_address(&sockets, address);
        let admin_address = settings.admin.address;
        let (admin_socket, admin_address) =
            bind_admin(admin_address).map_err(bind_error("admin.address", admin_address))?;

        let room = Descriptors::claim(settings.listen.limits.max_connections, workers);
        let (drain, stop) = (CancellationToken::new(), CancellationToken::new());
        let runtime = OwnRuntime::new()?;
        let background_tasks = TaskTracker::new();
        let background =
            Background::new(runtime.handle()?.clone(), background_tasks.clone(), stop.clone());
        let surroundings = Surroundings {
            metrics: metrics.clone(),
            clock: Arc::clone(&clock),
            background,
            network: Network::Open,
            workers,
            is_audited: true,
            limits: Limits::new(&metrics),
        };
        let handshakes = handshakes(&settings, &surroundings, &drain)?;
        let in_force = InForce::new(Snapshot::build(settings, &surroundings)?);
        let tls = replacement(handshakes.clone());
        let reloader = Arc::new(Reloader::new(Arc::clone(&in_force), tls, surroundings));
        let (background_here, background_gone) = mpsc::channel(1);
        let serving = Serving {
            in_force: Arc::clone(&in_force),
            clock,
            metrics: metrics.clone(),
            drain: drain.clone(),
            handshakes,
            room,
        };
        let admin = serving.admin(admin_address, listen_address);
        let workers_gone = serving.start_workers(sockets)?;
        let (here, ended) = (background_here.clone(), stop.clone());
        run_background(runtime, here, async move {
            if let Ok(socket) = TcpListener::from_std(admin_socket) {
                drop(background_tasks.spawn(admin.run(socket, background_tasks.clone())));
            }
            ended.cancelled().await;
        })?;
        info!(listen = %listen_address, admin = %admin_address, workers, "serving");
        Ok(Self {
            listen_address,
            admin_address,
            metrics,
            drain,
            stop,
            in_force,
            reloader,
            asking: None,
            workers_gone,
            background_gone,
            background_here: Some(background_here),
        })
    }

    /// Follows the configuration that it was started with: reads it again whenever its files
    /// change.
    ///
    /// # Errors
    ///
    /// When no thread can be had.
    pub fn follow(&mut self, source: Source, files: Files) -> io::Result<()> {
        self.in_force.comes_from(source.path());
        let (asking, asked) = sync_channel(1);
        let here = self.background_here.clone();
        watch::start((source, files), Arc::clone(&self.reloader), asked, here)?;
        self.asking = Some(asking);
        Ok(())
    }

    /// Has the configuration read again now, when it is followed.
    pub fn read_again(&self) {
        // Full: that it is to be read is known.
        let _ = self.asking.as_ref().map(|asking| asking.try_send(()));
    }

    /// Has the file of the audit stream opened anew, after it was renamed.
    pub fn reopen_audit(&self) {
        if let Some(audit) = &self.in_force.load().annals.audit {
            audit.reopen();
        }
    }

    /// Puts another configuration in force, if it can be.
    pub fn reload(&self, loaded: Result<Loaded, Vec<Problem>>) -> Outcome {
        self.reloader.apply(loaded)
    }

    /// Where it listens, with the port that 0 became.
    pub fn listen_address(&self) -> SocketAddr {
        self.listen_address
    }

    /// Where operators reach it.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// What it counts.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Drains, and returns when nothing runs any more.
    pub async fn shutdown(mut self) {
        info!("draining");
        self.drain.cancel();
        // Every worker holds a sender; the channel closes when the last one is gone.
        let _ = self.workers_gone.recv().await;
        self.reloader.flush_traces().await;
        self.stop.cancel();
        drop((self.asking.take(), self.background_here.take()));
        // Whoever reads a file of a file system that hangs, or a pipe, does not come back.
        let _ = tokio::time::timeout(LAST_WAIT, self.background_gone.recv()).await;
        info!("stopped");
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.drain.cancel();
        self.stop.cancel();
        if let Some(audit) = &self.in_force.load().annals.audit {
            audit.flush();
        }
    }
}

/// A worker for each core.
pub fn workers() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// What all workers share.
struct Serving {
    in_force: Arc<InForce>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    drain: CancellationToken,
    handshakes: Option<Arc<Handshakes>>,
    room: Descriptors,
}

impl Serving {
    fn admin(&self, address: SocketAddr, listen_address: SocketAddr) -> Admin {
        Admin {
            in_force: Arc::clone(&self.in_force),
            metrics: self.metrics.clone(),
            drain: self.drain.clone(),
            address,
            listen_address,
            room: self.room.connections,
            started: self.clock.instant(),
            revision: REVISION,
            clock: Arc::clone(&self.clock),
        }
    }

    fn start_workers(
        &self,
        sockets: Vec<std::net::TcpListener>,
    ) -> Result<mpsc::Receiver<()>, StartError> {
        let (here, gone) = mpsc::channel(1);
        let views = Balance::new(sockets.len());
        for (index, (socket, (balance, inbox))) in sockets.into_iter().zip(views).enumerate() {
            let worker = Worker { index, tasks: TaskTracker::new(), drain: self.drain.clone() };
            let (clock, panics) = (Arc::clone(&self.clock), self.metrics.panics.clone());
            let gateway = Gateway::new(Arc::clone(&self.in_force), worker, clock, panics);
            let service = Service {
                gateway,
                tls: self.handshakes.clone(),
                dates: Dates::new(Arc::clone(&self.clock)),
                metrics: self.metrics.clone(),
                tasks: TaskTracker::new(),
                drain: self.drain.clone(),
                room: self.room.connections,
                turned_away: Arc::new(Semaphore::new(self.room.turned_away)),
            };
            let in_force = Arc::clone(&self.in_force);
            let (runtime, here) = (OwnRuntime::new()?, here.clone());
            thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
                runtime.block_on(async {
                    let Ok(socket) = TcpListener::from_std(socket) else { return };
                    let service = Arc::new(service);
                    let tasks = service.tasks.clone();
                    Listener { socket, balance, inbox, service }.run().await;
                    let drain_timeout = in_force.load().settings.listen.drain_timeout;
                    finish(&tasks, drain_timeout).await;
                });
                // This cuts what outlived the drain; only then is the worker gone.
                drop(runtime);
                drop(here);
            })?;
        }
        Ok(gone)
    }
}

fn bind_admin(address: SocketAddr) -> io::Result<(std::net::TcpListener, SocketAddr)> {
    let socket = std::net::TcpListener::bind(address)?;
    socket.set_nonblocking(true)?;
    let address = socket.local_addr()?;
    Ok((socket, address))
}

/// How a reload puts other TLS settings in force.
fn replacement(handshakes: Option<Arc<Handshakes>>) -> Option<TlsReplacement> {
    handshakes.map(|handshakes| {
        TlsReplacement(Box::new(move |tls| handshakes.replace(tls).map_err(Into::into)))
    })
}

fn handshakes(
    settings: &Settings,
    surroundings: &Surroundings,
    drain: &CancellationToken,
) -> Result<Option<Arc<Handshakes>>, TlsError> {
    let Some(tls) = settings.listen.tls.clone() else { return Ok(None) };
    let (clock, metrics) = (Arc::clone(&surroundings.clock), surroundings.metrics.clone());
    let handshakes = Arc::new(Handshakes::new(tls, clock, metrics, drain)?);
    surroundings.background.spawn(Arc::clone(&handshakes).follow(ProcessEnvironment));
    Ok(Some(handshakes))
}

async fn finish(tasks: &TaskTracker, drain_timeout: Duration) {
    tasks.close();
    // What is left is cut within the time, not after it.
    let patience = drain_timeout.saturating_sub(CUTTING);
    if tokio::time::timeout(patience, tasks.wait()).await.is_err() {
        info!(connections = tasks.len(), "listen.drain_timeout passed; closing what is left");
    }
}

fn local_address(sockets: &[std::net::TcpListener], asked: SocketAddr) -> SocketAddr {
    sockets.first().and_then(|socket| socket.local_addr().ok()).unwrap_or(asked)
}

/// What ending the process takes of `drain_timeout`.
const CUTTING: Duration = Duration::from_millis(100);

/// For what belongs to no request, when all workers are gone.
const LAST_WAIT: Duration = Duration::from_secs(1);

fn registered() -> prometheus::Result<Metrics> {
    let metrics = Metrics::new()?;
    metrics.build_info.with_label_values(&[env!("CARGO_PKG_VERSION"), REVISION]).set(1);
    Ok(metrics)
}

/// The commit that this was built from, `-dirty` when it was changed, or `unknown`.
pub const REVISION: &str = env!("GATEHOUSE_REVISION");
