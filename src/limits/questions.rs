//! Questions that authorization servers have yet to answer, by source and server.
//!
//! 1. A source has a bounded number of them under way at a server; the next one waits for its turn
//!    behind those of the same source, for a bounded time. So a herd is served, a flood holds up
//!    itself alone, and a server that hangs holds up nobody who asks another.
//! 2. A source with no question and nobody waiting takes no room.
//! 3. A question keeps its place until it is answered, also when nobody waits for that any more.
//!
//! A changed bound holds for a source from when it has none under way.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::tally::Key;

/// All sources that ask.
#[derive(Debug)]
pub(super) struct Questions(Mutex<Places>);

type Places = HashMap<Asked, Arc<Semaphore>>;

/// Who asks, and the name of the server that is asked.
type Asked = (Key, Box<str>);

/// A question under way, until it is dropped.
#[derive(Debug)]
pub struct Question {
    // Before the queue, so that the last one finds the queue empty.
    _permit: OwnedSemaphorePermit,
    _queue: Queue,
}

/// A place among those who ask or wait.
#[derive(Debug)]
struct Queue {
    questions: Arc<Questions>,
    asked: Asked,
    places: Option<Arc<Semaphore>>,
}

impl Questions {
    /// Nobody asks.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::default()))
    }

    /// Waits for a source's turn; `None` when it does not come in time.
    pub(super) async fn ask(
        self: &Arc<Self>,
        asked: Asked,
        max: usize,
        patience: Duration,
    ) -> Option<Question> {
        let places = {
            let mut sources = self.sources();
            let places =
                sources.entry(asked.clone()).or_insert_with(|| Arc::new(Semaphore::new(max)));
            Arc::clone(places)
        };
        let waiting = Arc::clone(&places).acquire_owned();
        let queue = Queue { questions: Arc::clone(self), asked, places: Some(places) };
        let permit = tokio::time::timeout(patience, waiting).await.ok()?.ok()?;
        Some(Question { _permit: permit, _queue: queue })
    }

    /// How many sources ask or wait.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.sources().len()
    }

    fn sources(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let mut sources = self.questions.sources();
        drop(self.places.take());
        // Only the map has it, and under its lock nobody else can get it.
        if sources.get(&self.asked).is_some_and(|places| Arc::strong_count(places) == 1) {
            sources.remove(&self.asked);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn question_waits_for_its_turn_and_no_other_source_does() {
        let questions = Questions::new();
        let asked = |source, server: &str| (Key::new(source), server.into());
        let one = || asked(1, "corp");
        let first = questions.ask(one(), 1, LONG).await.unwrap();
        assert!(questions.ask(one(), 1, SHORT).await.is_none());
        let foreign = questions.ask(asked(2, "corp"), 1, SHORT).await;
        assert!(foreign.is_some());
        assert!(questions.ask(asked(1, "partner"), 1, SHORT).await.is_some(), "another server");
        let mut second = std::pin::pin!(questions.ask(one(), 1, LONG));
        assert!(tokio::time::timeout(SHORT, second.as_mut()).await.is_err());
        drop(first);
        let second = second.await;
        assert!(second.is_some());
        drop((second, foreign));
        assert_eq!(questions.len(), 0);
    }

    #[tokio::test]
    async fn source_that_gave_up_waiting_takes_no_room() {
        let questions = Questions::new();
        let first = questions.ask((Key::new(1), "corp".into()), 1, LONG).await.unwrap();
        let mut waiting = Box::pin(questions.ask((Key::new(1), "corp".into()), 1, LONG));
        assert!(tokio::time::timeout(SHORT, waiting.as_mut()).await.is_err());
        drop(first);
        drop(waiting);
        assert_eq!(questions.len(), 0);
        assert!(questions.ask((Key::new(1), "corp".into()), 1, SHORT).await.is_some());
        assert_eq!(questions.len(), 0);
    }
}
