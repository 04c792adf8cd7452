//! The sessions of both older transports, bounded.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::mpsc;

/// Sessions of Streamable HTTP; the oldest makes room for a new one.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<VecDeque<String>>);

impl Sessions {
    pub(super) fn insert(&self, id: String) {
        let mut sessions = self.lock();
        if sessions.len() >= MAX_SESSIONS {
            sessions.pop_front();
        }
        sessions.push_back(id);
    }

    pub(super) fn contains(&self, id: &str) -> bool {
        self.lock().iter().any(|session| session == id)
    }

    pub(super) fn remove(&self, id: &str) {
        self.lock().retain(|session| session != id);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Open connections of HTTP+SSE, by session; a new one is refused when there are too many.
#[derive(Clone, Debug, Default)]
pub(super) struct Connections(Arc<Mutex<HashMap<String, mpsc::Sender<Bytes>>>>);

impl Connections {
    /// Whether there was room.
    pub(super) fn insert(&self, id: &str, events: mpsc::Sender<Bytes>) -> bool {
        let mut connections = self.lock();
        let has_room = connections.len() < MAX_SESSIONS;
        if has_room {
            connections.insert(id.to_owned(), events);
        }
        has_room
    }

    pub(super) fn get(&self, id: &str) -> Option<mpsc::Sender<Bytes>> {
        self.lock().get(id).cloned()
    }

    pub(super) fn remove(&self, id: &str) {
        self.lock().remove(id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, mpsc::Sender<Bytes>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const MAX_SESSIONS: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_session_makes_room() {
        let sessions = Sessions::default();
        for number in 0..=MAX_SESSIONS {
            sessions.insert(number.to_string());
        }
        assert!(!sessions.contains("0") && sessions.contains("1"));
        sessions.remove("1");
        assert!(!sessions.contains("1") && sessions.contains("2"));
    }
}
