//! A gateway under test, started by the same door as `main`.
//!
//! 1. The configuration's text goes through [`config::parse`] and [`App::start_with_workers`].
//! 2. Its public URL is on the port that it really gets. The port is one below the range that the
//!    system hands out for port 0, so that no other socket of the tests can take it meanwhile.
//! 3. When a gateway is dropped, no thread of any gateway may have panicked.

use std::{
    collections::HashMap,
    ffi::OsString,
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    panic,
    path::{Path, PathBuf},
    sync::{
        Arc, Once,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
    thread,
};

use gatehouse::{
    app::App,
    clock::{Clock, SystemClock},
    config::{self, Environment, Loaded, Overrides, Problem},
    reload::Outcome,
};

use super::{
    client::Call,
    clock::{eventually, eventually_heard, within},
    raw::RawResponse,
};

/// A gateway that serves until it is dropped.
pub(crate) struct TestGateway {
    app: Option<App>,
    address: SocketAddr,
    admin: SocketAddr,
    origin: String,
}

/// How a gateway starts.
pub(crate) struct Start<'a> {
    yaml: &'a str,
    clock: Arc<dyn Clock>,
    files: HashMap<PathBuf, Vec<u8>>,
    workers: usize,
    port: Option<u16>,
    scheme: &'static str,
}

impl TestGateway {
    /// Starts with one worker and the system's clock. `GATEWAY` in the text becomes the public
    /// URL, and `public_url` is set to it when the text does not.
    pub(crate) fn start(yaml: &str) -> Self {
        Self::prepare(yaml).start()
    }

    pub(crate) fn prepare(yaml: &str) -> Start<'_> {
        let clock = Arc::new(SystemClock);
        Start { yaml, clock, files: HashMap::new(), workers: 1, port: None, scheme: "http" }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Its public origin, without trailing slash.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// A URL below its public origin.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    pub(crate) fn request(&self, method: &str, target: &str) -> Call {
        Call::new(self.address, method, target)
    }

    pub(crate) fn post(&self, target: &str) -> Call {
        self.request("POST", target)
            .header("Content-Type", "application/json")
            .header("Accept", "application/json, text/event-stream")
    }

    pub(crate) fn get(&self, target: &str) -> Call {
        self.request("GET", target)
    }

    /// A GET to the operators' listener.
    pub(crate) async fn operate(&self, target: &str) -> RawResponse {
        Call::new(self.admin, "GET", target).send().await
    }

    /// The value of one line of `/metrics`, such as `gatehouse_connections`; 0 without it.
    pub(crate) async fn metric(&self, series: &str) -> f64 {
        let text = self.operate("/metrics").await.text();
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line.map_or(0.0, |value| value.trim().parse().unwrap())
    }

    /// Waits until it is ready.
    pub(crate) async fn ready(&self) {
        self.readiness(200, "ready").await;
    }

    /// Waits until `/readyz` answers with this status and words.
    pub(crate) async fn readiness(&self, status: u16, words: &str) {
        eventually_heard("readiness", async || {
            let answer = self.operate("/readyz").await;
            let is_so = answer.status == status && answer.text().contains(words);
            if is_so { Ok(()) } else { Err(format!("{answer:?}")) }
        })
        .await;
    }

    /// Waits until one line of `/metrics` has this value.
    pub(crate) async fn counts(&self, series: &str, value: f64) {
        eventually_heard(series, async || {
            let found = self.metric(series).await;
            if (found - value).abs() < 0.1 { Ok(()) } else { Err(found.to_string()) }
        })
        .await;
    }

    /// Puts another configuration in force; see [`TestGateway::start`] for its text.
    pub(crate) fn reload(&self, yaml: &str) -> Outcome {
        let loaded = load(yaml, &self.origin, self.address, &Files(HashMap::new()));
        self.app.as_ref().unwrap().reload(loaded)
    }

    /// The same, with another address to listen on.
    pub(crate) fn reload_at(&self, yaml: &str, address: SocketAddr) -> Outcome {
        let yaml = yaml.replace("GATEWAY", &self.origin);
        let yaml = format!("public_url: {}\n{yaml}", self.origin);
        let loaded = load(&yaml, &self.origin, address, &Files(HashMap::new()));
        self.app.as_ref().unwrap().reload(loaded)
    }

    /// Drains it, and returns when nothing runs any more.
    pub(crate) async fn shut_down(mut self) {
        within("draining", self.app.take().unwrap().shutdown()).await;
    }

    /// Takes the application out, to be shut down while requests go on.
    pub(crate) fn take_app(&mut self) -> App {
        self.app.take().unwrap()
    }
}

impl Start<'_> {
    pub(crate) fn clock<C: Clock>(self, clock: &Arc<C>) -> Self {
        let clock: Arc<dyn Clock> = Arc::<C>::clone(clock);
        Self { clock, ..self }
    }

    /// Gives it a file that the configuration names.
    pub(crate) fn file(mut self, path: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.into(), bytes.into());
        self
    }

    pub(crate) fn workers(self, workers: usize) -> Self {
        Self { workers, ..self }
    }

    /// Starts on a given port, such as that of a gateway that is gone.
    pub(crate) fn port(self, port: u16) -> Self {
        Self { port: Some(port), ..self }
    }

    /// Its public URL is an https one.
    pub(crate) fn https(self) -> Self {
        Self { scheme: "https", ..self }
    }

    pub(crate) fn start(self) -> TestGateway {
        watch_for_panics();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port.unwrap_or_else(free_port)));
        let origin = format!("{}://{address}", self.scheme);
        let loaded = load(self.yaml, &origin, address, &Files(self.files));
        let settings =
            loaded.unwrap_or_else(|problems| panic!("{problems:#?}\n{}", self.yaml)).settings;
        let app = App::start_with_workers(settings, self.clock, self.workers).unwrap();
        let admin = app.admin_address();
        TestGateway { app: Some(app), address, admin, origin }
    }
}

impl Drop for TestGateway {
    fn drop(&mut self) {
        if !thread::panicking() {
            assert!(!PANICKED.load(Ordering::SeqCst), "a thread of a gateway panicked");
        }
    }
}

/// What a gateway at this address makes of a configuration.
fn load(
    yaml: &str,
    origin: &str,
    address: SocketAddr,
    files: &Files,
) -> Result<Loaded, Vec<Problem>> {
    let mut yaml = yaml.replace("GATEWAY", origin);
    if !yaml.contains("\npublic_url:") && !yaml.starts_with("public_url:") {
        yaml = format!("public_url: {origin}\n{yaml}");
    }
    let mut loaded = config::parse("gatehouse.yaml", &yaml, files)?;
    let admin_address = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    Overrides { listen_address: Some(address), admin_address }.apply(&mut loaded.settings);
    Ok(loaded)
}

/// Files in memory, or those of the system; no variables.
struct Files(HashMap<PathBuf, Vec<u8>>);

impl Environment for Files {
    fn variable(&self, _name: &str) -> Option<OsString> {
        None
    }

    fn read_file(&self, path: &Path, _limit: usize) -> io::Result<Vec<u8>> {
        self.0.get(path).cloned().map_or_else(|| fs::read(path), Ok)
    }

    fn has_file(&self, path: &Path) -> bool {
        self.0.contains_key(path) || path.exists()
    }
}

/// A port on which nobody listens.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let offset = u16::try_from(std::process::id() % 100).unwrap_or(0) * 100;
    loop {
        let port = FIRST_PORT + (offset + NEXT.fetch_add(1, Ordering::Relaxed)) % PORTS;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// Remembers a panic in any thread that an application started.
fn watch_for_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let thread = thread::current();
            let name = thread.name().unwrap_or_default();
            if name.starts_with("worker-") || ["background", "reload"].contains(&name) {
                PANICKED.store(true, Ordering::SeqCst);
            }
            usual(info);
        }));
    });
}

/// Waits until nobody listens on a port any more.
pub(crate) async fn port_is_free(port: u16) {
    eventually("the port is free", || {
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(drop).map_err(|error| error.to_string())
    })
    .await;
}

static PANICKED: AtomicBool = AtomicBool::new(false);
const FIRST_PORT: u16 = 20_000;
const PORTS: u16 = 12_000;
