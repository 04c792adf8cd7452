//! Who has a connection to the operators' listener, when more want one than there are places.
//!
//! 1. Whoever comes is served: the oldest connection that has not sent a whole request head makes
//!    way, so that silent ones keep no probe and no scraper out.
//! 2. Where every one has sent its head, the oldest makes way: it does not read its answer.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio_util::sync::CancellationToken;

/// The places there are.
#[derive(Debug)]
pub(super) struct Places {
    /// Those that are held, the oldest first.
    held: Mutex<Vec<Arc<Holder>>>,
    count: usize,
}

#[derive(Debug, Default)]
struct Holder {
    has_asked: AtomicBool,
    displaced: CancellationToken,
}

/// One place, held by a connection until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    holder: Arc<Holder>,
}

impl Places {
    /// So many places, none of them held.
    pub(super) fn new(count: usize) -> Arc<Self> {
        Arc::new(Self { held: Mutex::default(), count })
    }

    /// A place for the newest connection, that of another one where none is left.
    pub(super) fn take(self: &Arc<Self>) -> Place {
        let holder = Arc::new(Holder::default());
        let mut held = self.lock();
        if held.len() >= self.count && !held.is_empty() {
            let silent = held.iter().position(|each| !each.has_asked.load(Ordering::Relaxed));
            held.remove(silent.unwrap_or(0)).displaced.cancel();
        }
        held.push(Arc::clone(&holder));
        Place { places: Arc::clone(self), holder }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Holder>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The head of a request is here: others make way first.
    pub(super) fn asked(&self) {
        self.holder.has_asked.store(true, Ordering::Relaxed);
    }

    /// Ends when another connection has been given this place.
    pub(super) async fn displaced(&self) {
        self.holder.displaced.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().retain(|each| !Arc::ptr_eq(each, &self.holder));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_silent_one_makes_way_and_then_the_oldest() {
        let places = Places::new(3);
        let is_gone = |place: &Place| place.holder.displaced.is_cancelled();
        let (asking, silent, second) = (places.take(), places.take(), places.take());
        asking.asked();
        let fourth = places.take();
        assert!(is_gone(&silent) && !is_gone(&asking) && !is_gone(&second));
        second.asked();
        fourth.asked();
        drop(silent);
        let fifth = places.take();
        assert!(is_gone(&asking) && !is_gone(&second) && !is_gone(&fourth));
        drop(fourth);
        let sixth = places.take();
        assert!(!is_gone(&second) && !is_gone(&fifth) && !is_gone(&sixth));
        drop((asking, second, fifth, sixth));
        assert!(places.lock().is_empty());
    }
}
