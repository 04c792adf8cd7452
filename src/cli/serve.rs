//! `gatehouse serve`: runs the gateway until it is told to stop.
//!
//! The first SIGTERM or SIGINT drains; a second one ends the process at once, with status 1.

use std::{
    io::{self, IsTerminal, Write},
    sync::Arc,
};

use tokio::{
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
};
use tracing::warn;

use super::{DONE, FAILED};
use crate::{
    app::App,
    clock::SystemClock,
    config::{Loaded, Settings},
    logging,
};

/// Serves a loaded configuration; returns the exit status.
pub fn serve(loaded: Loaded) -> u8 {
    let Loaded { settings, warnings, places: _ } = loaded;
    let telemetry = &settings.telemetry;
    let (out, has_colour) = (io::stdout(), io::stdout().is_terminal());
    let log = logging::start(telemetry.log_format, telemetry.log_level, out, has_colour);
    for problem in &warnings {
        warn!(
            place = format!("{}:{}:{}", problem.file, problem.line, problem.column),
            path = &*problem.path,
            "{}",
            problem.message
        );
    }
    let served = run(settings);
    log.flush();
    match served {
        Ok(()) => DONE,
        Err(why) => {
            // Nowhere is left to report a failure to report.
            let _ = writeln!(io::stderr(), "gatehouse: {why}");
            FAILED
        }
    }
}

fn run(settings: Settings) -> Result<(), String> {
    let runtime =
        Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
        let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
            return Err("cannot listen for signals".to_owned());
        };
        let Ok(hangup) = signal(SignalKind::hangup()) else {
            return Err("cannot listen for signals".to_owned());
        };
        let app = App::start(settings, Arc::new(SystemClock)).map_err(|error| error.to_string())?;
        tokio::select! {
            () = stopped(&mut terminate, &mut interrupt) => {}
            () = warn_of_reloads(hangup) => {}
        }
        tokio::select! {
            () = app.shutdown() => Ok(()),
            () = stopped(&mut terminate, &mut interrupt) => {
                Err("told to stop a second time: what was under way is cut".to_owned())
            }
        }
    })
}

/// Keeps a habitual SIGHUP from ending the process.
async fn warn_of_reloads(mut hangup: Signal) {
    while hangup.recv().await.is_some() {
        warn!("SIGHUP: this version does not reload its configuration; restart it instead");
    }
    std::future::pending::<()>().await;
}

async fn stopped(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
