//! Reloading: from a configuration that changed to a snapshot in force, or to none.
//!
//! 1. A configuration is put in force as a whole or not at all. One that cannot be is refused with
//!    every problem, logged once however often it is read, and what was in force stays in force.
//! 2. What it has in common with its predecessor is taken over, see
//!    [`Snapshot`].
//! 3. An address to listen on cannot change while the process runs: such a configuration is refused.
//! 4. Three outcomes: applied, rejected, unchanged. Each is counted, and one line says in words what
//!    is different; it names keys, never values.
//!
//! [`watch`] decides when to read; it runs on a thread of its own, for files may be slow.

mod difference;
pub mod watch;

use std::{
    error::Error,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use tracing::{error, info, warn};

use self::difference::Difference;
use crate::{
    config::{
        Loaded, Problem, Severity,
        settings::{ServerTls, Settings},
    },
    snapshot::{InForce, Reading, Snapshot, Surroundings},
};

/// Puts configurations in force, one after the other.
#[derive(Debug)]
pub struct Reloader {
    in_force: Arc<InForce>,
    /// TLS of the public listener, when it has it.
    tls: Option<TlsReplacement>,
    around: Surroundings,
    /// What the last one was refused for.
    refused: Mutex<Vec<Problem>>,
}

/// Puts other TLS settings in force on the public listener, or says why not.
pub struct TlsReplacement(
    /// Called with what was read, after everything else was found good.
    pub Box<ReplaceTls>,
);

type ReplaceTls = dyn Fn(ServerTls) -> Result<(), Box<dyn Error + Send + Sync>> + Send + Sync;

impl fmt::Debug for TlsReplacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsReplacement")
    }
}

/// What became of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in force.
    Applied,
    /// What was in force before still is.
    Rejected,
    /// It says what is in force already.
    Unchanged,
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Applied, Self::Rejected, Self::Unchanged];

    fn label(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Rejected => "rejected",
            Self::Unchanged => "unchanged",
        }
    }
}

impl Reloader {
    /// For what is in force, which was built with these surroundings.
    pub fn new(in_force: Arc<InForce>, tls: Option<TlsReplacement>, around: Surroundings) -> Self {
        for outcome in Outcome::ALL {
            // From the start, at 0: what appears with its first event has no rate.
            drop(around.metrics.config_reloads.with_label_values(&[outcome.label()]));
        }
        around.metrics.config_last_reload_success.set(around.clock.unix_seconds());
        around.metrics.config_last_reload_successful.set(1);
        Self { in_force, tls, around, refused: Mutex::default() }
    }

    /// Has the spans of recorded requests sent that wait for it, within a bound.
    pub async fn flush_traces(&self) {
        if let Some(tracer) = &self.in_force.load().tracer {
            tracer.flush().await;
        }
    }

    /// Puts a configuration in force, if it can be.
    pub fn apply(&self, loaded: Result<Loaded, Vec<Problem>>) -> Outcome {
        // Held to the end: two at a time would each take over from the same one.
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let (outcome, detail, problems) = match loaded {
            Ok(Loaded { settings, warnings, places: _ }) => {
                refused.clear();
                let (outcome, detail) = self.replace(settings, &warnings);
                (outcome, detail, Vec::new())
            }
            Err(problems) => {
                if *refused == problems {
                    warn!("configuration refused again, for what was logged before");
                } else {
                    refuse(&problems);
                    refused.clone_from(&problems);
                }
                (Outcome::Rejected, "the file is wrong".to_owned(), problems)
            }
        };
        let time = self.around.clock.unix_seconds();
        self.in_force.was_read(Reading { time, outcome: outcome.label(), detail, problems });
        let metrics = &self.around.metrics;
        metrics.config_reloads.with_label_values(&[outcome.label()]).inc();
        let is_good = outcome != Outcome::Rejected;
        metrics.config_last_reload_successful.set(is_good.into());
        if is_good {
            metrics.config_last_reload_success.set(time);
        }
        outcome
    }

    /// What became of it, and what is different or why it is refused.
    fn replace(&self, settings: Settings, warnings: &[Problem]) -> (Outcome, String) {
        let current = self.in_force.load();
        let difference = Difference::between(&current.settings, &settings);
        if difference.is_empty() {
            info!("configuration unchanged");
            return (Outcome::Unchanged, String::new());
        }
        if let Some(key) = difference.moved() {
            error!(
                key,
                "configuration refused: {key} changed, which needs a restart; nothing of it is in \
                 force"
            );
            return (Outcome::Rejected, format!("{key} changed, which needs a restart"));
        }
        let tls = settings.listen.tls.clone();
        let refused = |error: &dyn Error| {
            error!(error = %error, "configuration refused; nothing of it is in force");
            (Outcome::Rejected, error.to_string())
        };
        match Snapshot::build_after(Some(&current), settings, &self.around) {
            Ok(next) => {
                // The last thing that can fail.
                if let (Some(replacement), Some(tls)) = (&self.tls, tls)
                    && let Err(error) = (replacement.0)(tls)
                {
                    return refused(&*error);
                }
                self.in_force.replace(next);
                log_warnings(warnings);
                let difference = difference.to_string();
                info!(difference, "configuration reloaded");
                (Outcome::Applied, difference)
            }
            Err(error) => refused(&error),
        }
    }
}

/// Logs what the operator of a configuration should know.
pub fn log_warnings(warnings: &[Problem]) {
    for problem in warnings {
        let place = place(problem);
        warn!(place, path = &*problem.path, "{}", problem.message);
    }
}

fn refuse(problems: &[Problem]) {
    let is_error = |problem: &&Problem| problem.severity == Severity::Error;
    let errors: Vec<_> = problems.iter().filter(is_error).collect();
    for problem in &errors {
        let place = place(problem);
        error!(place, path = &*problem.path, "{}", problem.message);
    }
    error!(problems = errors.len(), "configuration refused; nothing of it is in force");
}

fn place(problem: &Problem) -> String {
    // Of a file that is not there no line is wrong.
    if problem.line == 0 {
        return problem.file.clone();
    }
    format!("{}:{}:{}", problem.file, problem.line, problem.column)
}

#[cfg(test)]
mod tests;
