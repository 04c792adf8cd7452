//! What open streams are judged by, and what happens when that changes.

use std::sync::{Arc, PoisonError};

use super::{Entry, OpenStreams, Unread, key::Key};
use crate::{
    authenticate::Authenticator, authorize::AccessPolicy, forward::list_filter::ListFilter,
};

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
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            for entry in shard.values_mut() {
                entry.newest.is_judged_by(&judge, now);
                entry.is_read_by(&judge);
                entry.lists.clear();
            }
        }
        self.wake.notify_one();
    }

    /// Lists pass unread on a stream of this entry; what had that decided may have been replaced.
    pub(super) fn leave_unread(&self, key: Key, number: u64) {
        let mut shard = self.shard(&key);
        if let Some(entry) = shard.get_mut(&key).filter(|entry| entry.number == number) {
            if entry.unread == Unread::Nothing {
                entry.unread = Unread::Lists;
            }
            entry.is_read_by(&self.judge.load());
            if entry.unread == Unread::ListsToFilter {
                self.wake.notify_one();
            }
        }
    }
}

impl Entry {
    fn is_read_by(&mut self, judge: &Judge) {
        let demands = judge.policy.demands().filter(|_| judge.policy.judges_operations());
        let is_needed = demands.is_some_and(|demands| ListFilter::is_needed(demands));
        if self.unread == Unread::Lists && is_needed {
            self.unread = Unread::ListsToFilter;
        }
    }
}
