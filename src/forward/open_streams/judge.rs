//! What open streams are judged by, and what happens when that changes.

use std::sync::{Arc, PoisonError};

use super::OpenStreams;
use crate::{authenticate::Authenticator, authorize::AccessPolicy};

/// What a route asks of the tokens that keep its streams open.
pub(super) struct Judge {
    pub(super) authenticator: Arc<Authenticator>,
    pub(super) policy: AccessPolicy,
}

impl OpenStreams {
    /// From now on streams are judged by these; those that may not stay open end.
    pub fn judge_by(&self, authenticator: Arc<Authenticator>, policy: AccessPolicy) {
        let judge = Arc::new(Judge { authenticator, policy });
        // First of all: a stream that is opened from here on looks at it itself.
        self.judge.store(Arc::clone(&judge));
        let now = self.clock.instant();
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.values().for_each(|entry| entry.newest.is_judged_by(&judge, now));
        }
        self.wake.notify_one();
    }
}
