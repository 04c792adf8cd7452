//! The snapshot in force: one place that all workers look at.
//!
//! 1. A request looks once, at its start, without a lock; what it found stays alive for as long as
//!    it needs it.
//! 2. A successor takes the place as a whole. Only then are the event streams told to end whose
//!    right to be open is gone with it: a stream that is opened meanwhile by a request of before is
//!    judged by the successor as well.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arc_swap::ArcSwap;
use serde::Serialize;

use super::Snapshot;
use crate::{config::Problem, resource::ProtectedResource};

/// Where the snapshot in force is found.
#[derive(Debug)]
pub struct InForce {
    snapshot: ArcSwap<Snapshot>,
    origin: Mutex<Origin>,
}

/// Where the configuration comes from, and what became of it when it was last read.
#[derive(Debug, Default)]
struct Origin {
    file: Option<PathBuf>,
    reading: Option<Reading>,
}

/// What became of a configuration that was read while another one was in force.
#[derive(Clone, Debug, Serialize)]
pub struct Reading {
    /// When, in seconds since the Unix epoch.
    #[serde(serialize_with = "super::refusals::as_text")]
    pub time: f64,
    /// `applied`, `rejected` or `unchanged`.
    pub outcome: &'static str,
    /// What is different, or why it is not in force.
    pub detail: String,
    /// What was wrong with the file.
    pub problems: Vec<Problem>,
}

impl InForce {
    /// The first one.
    pub fn new(snapshot: Snapshot) -> Arc<Self> {
        Arc::new(Self { snapshot: ArcSwap::from_pointee(snapshot), origin: Mutex::default() })
    }

    /// What is in force now.
    pub fn load(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Puts a successor in force.
    pub fn replace(&self, next: Snapshot) {
        let next = Arc::new(next);
        let previous = self.snapshot.swap(Arc::clone(&next));
        for old in &previous.resources {
            end_streams(old, next.resource(&old.name));
        }
    }

    /// Says which file it all comes from.
    pub fn comes_from(&self, file: &Path) {
        self.origin().file = Some(file.to_owned());
    }

    /// The file that it all comes from, when it is one.
    pub fn file(&self) -> Option<PathBuf> {
        self.origin().file.clone()
    }

    /// Says what became of the configuration that was read last.
    pub fn was_read(&self, reading: Reading) {
        self.origin().reading = Some(reading);
    }

    /// What became of the configuration that was read last, after the first.
    pub fn last_reading(&self) -> Option<Reading> {
        self.origin().reading.clone()
    }

    fn origin(&self) -> MutexGuard<'_, Origin> {
        self.origin.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the streams of a route that may not stay open under its successor.
fn end_streams(old: &ProtectedResource, new: Option<&Arc<ProtectedResource>>) {
    // Without a common signal there is nothing that their streams could go on with.
    let Some(new) = new.filter(|new| new.upstream.is_successor_of(&old.upstream)) else {
        old.upstream.close_streams();
        return;
    };
    if let (Some(streams), Some(authenticator)) = (&new.open_streams, &new.authenticator) {
        streams.judge_by(Arc::clone(authenticator), new.policy.clone());
    }
}
