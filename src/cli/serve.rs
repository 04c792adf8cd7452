//! `gatehouse serve`: runs the gateway until it is told to stop.
//!
//! SIGHUP has the configuration read again, which a change of its files does as well. SIGUSR1 has
//! the file of the audit stream opened anew.
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

use super::{DONE, FAILED};
use crate::{
    app::{self, App},
    clock::SystemClock,
    config::{Loaded, Settings},
    listener::Descriptors,
    logging,
    reload::{
        log_warnings,
        watch::{Files, Source},
    },
};

/// Serves a loaded configuration; returns the exit status.
pub fn serve(loaded: Loaded, source: Source, files: Files) -> u8 {
    let Loaded { settings, warnings, places: _ } = loaded;
    let telemetry = &settings.telemetry;
    let (out, has_colour) = (io::stdout(), io::stdout().is_terminal());
    let log = logging::start(telemetry.log_format, telemetry.log_level, out, has_colour);
    logging::log_panics();
    log_warnings(&warnings);
    let served = run(settings, source, files);
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

fn run(settings: Settings, source: Source, files: Files) -> Result<(), String> {
    Descriptors::suffice(app::workers()).map_err(|error| error.to_string())?;
    let runtime =
        Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
        let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
            return Err("cannot listen for signals".to_owned());
        };
        let asking = (signal(SignalKind::hangup()), signal(SignalKind::user_defined1()));
        let (Ok(mut hangup), Ok(mut rotated)) = asking else {
            return Err("cannot listen for signals".to_owned());
        };
        let mut app =
            App::start(settings, Arc::new(SystemClock)).map_err(|error| error.to_string())?;
        app.follow(source, files).map_err(|error| error.to_string())?;
        tokio::select! {
            () = stopped(&mut terminate, &mut interrupt) => {}
            () = whenever(&mut hangup, || app.read_again()) => {}
            () = whenever(&mut rotated, || app.reopen_audit()) => {}
        }
        tokio::select! {
            () = app.shutdown() => Ok(()),
            () = stopped(&mut terminate, &mut interrupt) => {
                Err("told to stop a second time: what was under way is cut".to_owned())
            }
        }
    })
}

/// Does something whenever a signal comes, for ever.
async fn whenever(signal: &mut Signal, act: impl Fn()) {
    while signal.recv().await.is_some() {
        act();
    }
    std::future::pending::<()>().await;
}

async fn stopped(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
