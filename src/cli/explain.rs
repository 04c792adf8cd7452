//! `gatehouse explain`: what would happen to a request, decision by decision.
//!
//! 1. The gateway's own stages judge it, see [`rehearsal`]: nothing
//!    listens, nothing is forwarded.
//! 2. Each decision is printed with why, and with the place in the file that decided it; then the
//!    token's facts, and the exact status and header fields of a refusal.
//! 3. Authorization servers are asked as by the gateway, unless `--offline`: then a JWT is judged by
//!    a given key set, and what only the server knows is said to be unknown.
//! 4. Exit status 0 when it could answer, whatever the answer; 1 when not; 2 for a wrong command
//!    line or configuration.
//!
//! Neither the token nor any secret is printed.

mod answer;
mod print;
mod question;
mod steps;

use std::{io::Write, sync::Arc, time::Duration};

use bytes::Bytes;
use http::request::Parts;
use serde_json::Value;
use tokio::runtime::Builder;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::question::Asked;
pub(super) use self::question::post;
use self::{answer::Answer, question::Question};
use super::{DONE, FAILED, WRONG_USE};
use crate::{
    authenticate::{background::Background, outbound::Network},
    clock::{Clock, SystemClock},
    config::{Environment, Loaded, Settings},
    gateway::rehearsal::{self, Rehearsal},
    limits::Limits,
    metrics::Metrics,
    snapshot::{Snapshot, Surroundings},
};

/// Explains one request; returns the exit status.
pub fn explain(
    loaded: Loaded,
    asked: &Asked,
    environment: &dyn Environment,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    let question = match Question::read(asked, &loaded.settings, environment) {
        Ok(question) => question,
        Err(why) => {
            // Nowhere is left to report a failure to report.
            let _ = writeln!(err, "gatehouse: {why}");
            return WRONG_USE;
        }
    };
    let Loaded { settings, places, .. } = loaded;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let rehearsed = rehearse(settings.clone(), &question, &clock);
    let rehearsal = match rehearsed {
        Ok(rehearsal) => rehearsal,
        Err(why) => {
            let _ = writeln!(err, "gatehouse: {why}");
            return FAILED;
        }
    };
    let answer = Answer::new(&rehearsal, &settings, &places, clock.unix_seconds());
    let printed = if asked.json {
        serde_json::to_writer_pretty(&mut *out, &answer)
            .map_err(Into::into)
            .and_then(|()| writeln!(out))
    } else {
        print::print(&answer, &question, out)
    };
    match printed {
        Ok(()) if answer.is_known() => DONE,
        Ok(()) | Err(_) => FAILED,
    }
}

/// What would happen to one request after the other, all with the same head, one that has a token.
pub(super) fn rehearse_all(
    settings: Settings,
    parts: &Parts,
    bodies: &[Bytes],
    clock: &Arc<dyn Clock>,
) -> Result<Vec<Rehearsal>, String> {
    on_a_snapshot(settings, Network::Open, clock, async |snapshot| {
        ready(snapshot).await;
        let mut rehearsals = Vec::new();
        for body in bodies {
            rehearsals.push(rehearsal::rehearse(snapshot, parts, body).await);
        }
        rehearsals
    })
}

fn rehearse(
    mut settings: Settings,
    question: &Question,
    clock: &Arc<dyn Clock>,
) -> Result<Rehearsal, String> {
    if let Network::Offline(_) = question.network {
        do_without_discovery(&mut settings);
    }
    on_a_snapshot(settings, question.network.clone(), clock, async |snapshot| {
        if !question.is_anonymous {
            ready(snapshot).await;
        }
        rehearsal::rehearse(snapshot, &question.parts, &question.body).await
    })
}

/// Runs the stages on a snapshot of its own.
fn on_a_snapshot<T>(
    settings: Settings,
    network: Network,
    clock: &Arc<dyn Clock>,
    run: impl AsyncFnOnce(&Snapshot) -> T,
) -> Result<T, String> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let stop = CancellationToken::new();
    let background = Background::new(runtime.handle().clone(), TaskTracker::new(), stop.clone());
    let metrics = Metrics::new().map_err(|error| error.to_string())?;
    let around = Surroundings {
        limits: Limits::new(&metrics),
        metrics,
        clock: Arc::clone(clock),
        background,
        network,
        workers: 1,
        is_audited: false,
    };
    runtime.block_on(async {
        let snapshot = Snapshot::build(settings, &around).map_err(|error| error.to_string())?;
        let result = run(&snapshot).await;
        stop.cancel();
        Ok(result)
    })
}

/// Waits until each authorization server is known, or is known not to be.
async fn ready(snapshot: &Snapshot) {
    let is_open = || {
        let mut servers = snapshot.authorization_servers.iter();
        servers.any(|server| server.not_ready().is_some_and(|why| why.is_to_come()))
    };
    let waiting = async {
        while is_open() {
            tokio::time::sleep(GLANCE).await;
        }
    };
    // What is not known by then is said to be unknown.
    let _ = tokio::time::timeout(PATIENCE, waiting).await;
}

/// Fills endpoints in that are not called, so that none has to be discovered.
fn do_without_discovery(settings: &mut Settings) {
    for server in &mut settings.authorization_servers {
        let server = Arc::make_mut(server);
        for field in ENDPOINTS {
            server.metadata.entry(field).or_insert_with(|| Value::from(NOWHERE));
        }
    }
}

const ENDPOINTS: [&str; 5] = [
    "authorization_endpoint",
    "introspection_endpoint",
    "jwks_uri",
    "token_endpoint",
    "userinfo_endpoint",
];
const NOWHERE: &str = "https://offline.invalid/";
const GLANCE: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(30);
