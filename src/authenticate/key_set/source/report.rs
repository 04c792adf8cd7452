//! What is known of a key set, for operators.

use std::{sync::atomic::Ordering, time::Duration};

use super::KeySetSource;
use crate::authenticate::key_set::KeyId;

/// The keys of one authorization server as they are now.
#[derive(Clone, Debug, Default)]
pub struct KeySetReport {
    /// Their names, in the server's order; a key without one has none here.
    pub names: Vec<Box<str>>,
    /// How many there are.
    pub keys: usize,
    /// How long ago they were last confirmed.
    pub age: Option<Duration>,
    /// When they are fetched next.
    pub next_fetch: Option<Duration>,
    /// Why the last fetch failed, if it did.
    pub last_failure: Option<String>,
    /// Which keys are not used, and why.
    pub not_used: Vec<String>,
}

impl KeySetSource {
    /// What is known of the keys.
    pub(in crate::authenticate) fn report(&self) -> KeySetReport {
        let now = self.clock.instant();
        let due = self.due_millis.load(Ordering::Relaxed);
        let next_fetch = (due != u64::MAX)
            .then(|| Duration::from_millis(due.saturating_sub(self.since_start(now))));
        let last_failure = self.last_failure().map(|failure| failure.to_string());
        let report = KeySetReport { next_fetch, last_failure, ..KeySetReport::default() };
        let in_force = self.in_force.load();
        let Some(in_force) = in_force.as_ref() else { return report };
        let names = in_force.set.keys.iter().filter_map(|key| key.kid());
        KeySetReport {
            names: names.map(KeyId::as_str).map(Into::into).collect(),
            keys: in_force.set.len(),
            age: Some(now.saturating_duration_since(in_force.confirmed)),
            not_used: in_force.skipped.clone(),
            ..report
        }
    }
}
