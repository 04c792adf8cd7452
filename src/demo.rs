//! `gatehouse demo`: the whole story in one process, with nothing to install.
//!
//! Rules:
//! 1. A demo authorization server, a demo MCP server and the gateway between them, all on loopback.
//! 2. The gateway is the product itself, started through its public door from YAML text.
//! 3. The tour walks through the flow once; then everything stays up for an MCP client, until
//!    Ctrl-C. With `once` it ends after the tour.
//!
//! Nothing of it is for production, and its servers say so.

pub mod authorization_server;
mod http_server;
pub mod mcp_server;
mod parties;
mod random;
pub mod tour;

use std::{
    ffi::OsString,
    io::{self, Write},
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::Duration,
};

pub use self::{
    http_server::Background,
    parties::{Parties, Ports, TEST_USER},
    tour::{Screen, TestUser, TourFailure, tour},
};
use crate::{
    app::{App, StartError},
    clock::SystemClock,
    config::{self, Environment},
};

/// What the command line says.
#[derive(Clone, Copy, Debug, Default)]
pub struct DemoOptions {
    /// End after the tour.
    pub once: bool,
    /// Whether what is written goes to a terminal that shows colours.
    pub has_colour: bool,
}

/// Why the demo ended with a failure.
#[derive(Debug, thiserror::Error)]
pub enum DemoFailure {
    /// The gateway refuses the demo's configuration.
    #[error("the demo's configuration is wrong: {0}")]
    Configuration(String),
    /// The gateway did not start.
    #[error("the gateway does not start: {0}")]
    Gateway(#[from] StartError),
    /// No listener, or no terminal.
    #[error("the demo cannot run: {0}")]
    Io(#[from] io::Error),
    /// The gateway did not find the authorization server in time.
    #[error("the gateway does not become ready")]
    NotReady,
    /// A step of the tour did not go as it should.
    #[error("the tour failed: {0}")]
    Tour(#[from] TourFailure),
}

/// Runs the demo and writes it to `out`.
///
/// # Errors
///
/// With [`DemoOptions::once`], also the first step of the tour that failed; without it, a failed
/// tour is shown and the servers stay up all the same.
pub async fn run(options: DemoOptions, out: &mut dyn Write) -> Result<(), DemoFailure> {
    let mut screen = Screen::new(out, options.has_colour);
    screen.line(WELCOME)?;
    let ports = if options.once { Ports::default() } else { FRIENDLY_PORTS };
    let parties = Parties::start(ports, Arc::new(SystemClock)).await?;
    let address = parties::free_address(if options.once { 0 } else { GATEWAY_PORT }).await?;
    let gateway = start_gateway(&parties.configuration(address)).await?;
    screen.line(&format!("authorization server  {}", parties.issuer()))?;
    screen.line(&format!("MCP server            http://{}", parties.mcp_server()))?;
    screen.line(&format!("gateway               http://{address}"))?;
    let toured = tour(&format!("http://{address}"), TEST_USER, screen.lend()).await;
    if !options.once {
        invite(&mut screen, address)?;
        tokio::signal::ctrl_c().await?;
    }
    gateway.shutdown().await;
    parties.stop().await;
    if options.once { Ok(toured?) } else { Ok(()) }
}

/// Starts the product and waits until it has found the authorization server.
async fn start_gateway(yaml: &str) -> Result<App, DemoFailure> {
    let loaded = config::parse("demo.yaml", yaml, &NoEnvironment).map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        DemoFailure::Configuration(problems.join("; "))
    })?;
    // Starting builds runtimes; one that fails half-way drops them, which may block.
    let start = || App::start(loaded.settings, Arc::new(SystemClock));
    let app = tokio::task::spawn_blocking(start).await.map_err(io::Error::other)??;
    wait_until_ready(app.admin_address()).await?;
    Ok(app)
}

async fn wait_until_ready(admin: SocketAddr) -> Result<(), DemoFailure> {
    let http = tour::http_client().map_err(TourFailure::from)?;
    for _ in 0..READY_ATTEMPTS {
        let answer = http.get(format!("http://{admin}/readyz")).send().await;
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        tokio::time::sleep(READY_PAUSE).await;
    }
    Err(DemoFailure::NotReady)
}

/// The demo's configuration stands by itself: no variable or file of this machine changes it.
struct NoEnvironment;

impl Environment for NoEnvironment {
    fn variable(&self, _name: &str) -> Option<OsString> {
        None
    }

    fn read_file(&self, _path: &Path, _limit: usize) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn has_file(&self, _path: &Path) -> bool {
        false
    }
}

fn invite(screen: &mut Screen<'_>, gateway: SocketAddr) -> io::Result<()> {
    let TestUser { name, password } = TEST_USER;
    screen.heading("It stays up. Paste one of these URLs into an MCP client:")?;
    screen.line(&format!("   http://{gateway}/notes        (Streamable HTTP)"))?;
    screen.line(&format!("   http://{gateway}/notes-sse    (HTTP+SSE)"))?;
    screen.line(&format!("and log in as `{name}` with password `{password}`. Ctrl-C ends it."))
}

const WELCOME: &str = "Gatehouse demo: an authorization server, an MCP server and the gateway \
    between them, on this machine only.\nNOT FOR PRODUCTION: everyone on this machine can log in.";
const READY_ATTEMPTS: u32 = 100;
const READY_PAUSE: Duration = Duration::from_millis(100);
const GATEWAY_PORT: u16 = 8080;
const FRIENDLY_PORTS: Ports = Ports { authorization_server: 9000, mcp_server: 9001 };
