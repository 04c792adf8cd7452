//! The snapshot in force: one place that all workers look at.
//!
//! 1. A request looks once, at its start, without a lock; what it found stays alive for as long as
//!    it needs it.
//! 2. A successor takes the place as a whole. Only then are the event streams told to end whose
//!    right to be open is gone with it: a stream that is opened meanwhile by a request of before is
//!    judged by the successor as well.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::Snapshot;
use crate::resource::ProtectedResource;

/// Where the snapshot in force is found.
#[derive(Debug)]
pub struct InForce(ArcSwap<Snapshot>);

impl InForce {
    /// The first one.
    pub fn new(snapshot: Snapshot) -> Arc<Self> {
        Arc::new(Self(ArcSwap::from_pointee(snapshot)))
    }

    /// What is in force now.
    pub fn load(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    /// Puts a successor in force.
    pub fn replace(&self, next: Snapshot) {
        let next = Arc::new(next);
        let previous = self.0.swap(Arc::clone(&next));
        for old in &previous.resources {
            end_streams(old, next.resource(&old.name));
        }
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
