//! What records requests, from one snapshot to the next.
//!
//! With the same settings it is the same. With others the former goes on until the last request that
//! it records has its answer; then what it has is sent, and it ends.

use std::sync::Arc;

use super::{BuildError, Snapshot, Surroundings};
use crate::{config::settings::Settings, traces::Tracer};

/// What records requests, where there is a collector.
pub(super) fn tracer(
    previous: Option<&Snapshot>,
    settings: &Settings,
    around: &Surroundings,
) -> Result<Option<Arc<Tracer>>, BuildError> {
    let Some(wanted) = &settings.telemetry.traces else { return Ok(None) };
    let is_same = |known: &&Snapshot| known.settings.telemetry.traces.as_deref() == Some(&**wanted);
    if let Some(known) = previous.filter(is_same) {
        return Ok(known.tracer.clone());
    }
    let (tracer, exporter) = Tracer::new(wanted, &around.metrics)?;
    around.background.spawn(exporter.run());
    Ok(Some(tracer))
}
