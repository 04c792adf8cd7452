//! What is written down of the requests that a snapshot serves, and the snapshot's own number.
//!
//! The audit stream goes on as long as it goes to the same place; the last refusals stay.

use std::sync::Arc;

use super::{BuildError, Refusals, Snapshot, Surroundings};
use crate::{config::settings::Settings, logging::audit::AuditStream};

/// Where a snapshot's requests are written down.
#[derive(Debug)]
pub struct Annals {
    /// The snapshot's number: 1 for what the process started with.
    pub generation: u64,
    /// When it was compiled, in seconds since the Unix epoch.
    pub since: f64,
    /// Where decisions are written, if anywhere.
    pub audit: Option<Arc<AuditStream>>,
    /// What was refused of late.
    pub refusals: Arc<Refusals>,
}

impl Annals {
    /// Those of a snapshot that comes after another, or of the first.
    pub(super) fn after(
        previous: Option<&Snapshot>,
        settings: &Settings,
        around: &Surroundings,
    ) -> Result<Self, BuildError> {
        let annals = previous.map(|previous| &previous.annals);
        Ok(Self {
            generation: annals.map_or(0, |annals| annals.generation) + 1,
            since: around.clock.unix_seconds(),
            audit: audit(previous, settings, around)?,
            refusals: refusals(annals, settings),
        })
    }
}

fn audit(
    previous: Option<&Snapshot>,
    settings: &Settings,
    around: &Surroundings,
) -> Result<Option<Arc<AuditStream>>, BuildError> {
    let Some(audit) = settings.telemetry.audit.as_ref().filter(|_| around.is_audited) else {
        return Ok(None);
    };
    let known = previous.and_then(|previous| {
        let before = previous.settings.telemetry.audit.as_ref()?;
        previous.annals.audit.as_ref().filter(|_| before.file == audit.file)
    });
    match known {
        Some(known) => Ok(Some(Arc::clone(known))),
        None => AuditStream::open(audit.file.as_deref(), &around.metrics)
            .map(Some)
            .map_err(BuildError::Audit),
    }
}

fn refusals(previous: Option<&Annals>, settings: &Settings) -> Arc<Refusals> {
    let Some(previous) = previous else { return Arc::default() };
    let is_there = |name: &str| settings.routes.iter().any(|route| *route.name == *name);
    previous.refusals.forget_upstreams_unless(is_there);
    Arc::clone(&previous.refusals)
}
