//! Which principal holds how many of the bytes in memory.
//!
//! 1. Who holds nothing takes no room here.
//! 2. Looked at only when what is held changes, which short bodies never do.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::limits::tally::Key;

/// The bytes of each who holds some.
#[derive(Debug, Default)]
pub(super) struct Holders(Mutex<HashMap<Key, usize>>);

impl Holders {
    /// Adds bytes for one who has `already` so many in the same body; `false` when that would be
    /// more than `max` in all its bodies. Its only body may have more: a limit on how many it
    /// holds at once is none on how long they are.
    pub(super) fn take(&self, holder: Key, already: usize, more: usize, max: usize) -> bool {
        let mut holders = self.lock();
        let held = holders.get(&holder).copied().unwrap_or_default();
        let sum = held.saturating_add(more);
        let is_free = held == already || sum <= max;
        if is_free && sum > 0 {
            holders.insert(holder, sum);
        }
        is_free
    }

    pub(super) fn give_back(&self, holder: Key, bytes: usize) {
        let mut holders = self.lock();
        let Entry::Occupied(mut entry) = holders.entry(holder) else { return };
        let left = entry.get().saturating_sub(bytes);
        if left == 0 {
            entry.remove();
        } else {
            entry.insert(left);
        }
    }

    /// A number is whole at every moment, so a panic elsewhere has spoilt nothing.
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_bodies_share_what_one_alone_may_exceed() {
        let holders = Holders::default();
        let (one, other) = (Key::new(1), Key::new(2));
        assert!(holders.take(one, 0, 15, 10), "its only body");
        assert!(holders.take(one, 15, 5, 10), "which goes on");
        assert!(!holders.take(one, 0, 1, 10), "a second one");
        assert!(holders.take(other, 0, 1, 10), "somebody else");
        holders.give_back(one, 14);
        assert!(holders.take(one, 0, 4, 10));
        assert!(!holders.take(one, 4, 1, 10), "6 and 4 are all");
        assert!(!holders.take(one, 6, 1, 10));
        for (holder, bytes) in [(one, 6), (one, 4), (other, 1)] {
            holders.give_back(holder, bytes);
        }
        holders.give_back(one, 1);
        assert_eq!(holders.len(), 0);
    }
}
