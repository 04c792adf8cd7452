//! Lists that are asked for in requests of their own, and answered on an open stream.
//!
//! 1. What is noted is who asked, for what, with which `id`, and by which rules that was let in: by
//!    these the answer is filtered, not by those of whoever opened the stream.
//! 2. An answer with an `id` that nobody is known to have asked with is filtered for whoever was seen
//!    last, asking or opening a stream.
//! 3. A note stays until newer ones take its place: nobody keeps an upstream from answering twice.
//!
//! At most [`MAX_LISTS`] are noted, and no `id` of more than [`MAX_ID_BYTES`].

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{ListFilter, ListKind, RequestId, View};

/// What was asked for, to be answered on the streams of one principal in one session.
#[derive(Debug, Default)]
pub struct AskedLists(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    lists: VecDeque<AskedList>,
    last_seen: Option<Arc<View>>,
}

#[derive(Debug)]
struct AskedList {
    id: RequestId,
    kind: ListKind,
    view: Arc<View>,
}

impl AskedLists {
    /// Somebody is about to ask for what this filters.
    pub fn note(&self, filter: &ListFilter) {
        let mut noted = self.lock();
        noted.last_seen = Some(Arc::clone(&filter.view));
        for (id, kind) in filter.asked.iter().filter(|(id, _)| id.len() <= MAX_ID_BYTES) {
            noted.lists.retain(|list| list.id != *id);
            if noted.lists.len() >= MAX_LISTS {
                noted.lists.pop_front();
            }
            let (id, view) = (id.clone(), Arc::clone(&filter.view));
            noted.lists.push_back(AskedList { id, kind: *kind, view });
        }
    }

    /// The rules have changed: nobody has asked by the new ones.
    pub fn clear(&self) {
        *self.lock() = Noted::default();
    }

    /// A stream begins that this filters.
    pub(super) fn open(&self, filter: &ListFilter) {
        self.lock().last_seen = Some(Arc::clone(&filter.view));
    }

    /// For whom an answer is filtered, and which list it must be if any.
    pub(super) fn asker(
        &self,
        id: impl FnOnce() -> Option<RequestId>,
    ) -> (Option<Arc<View>>, Option<ListKind>) {
        // Most streams carry no answers: their ids need not be looked for.
        let is_nothing_noted = self.lock().lists.is_empty();
        let id = if is_nothing_noted { None } else { id() };
        let noted = self.lock();
        match noted.lists.iter().find(|list| Some(&list.id) == id.as_ref()) {
            Some(list) => (Some(Arc::clone(&list.view)), Some(list.kind)),
            None => (noted.last_seen.clone(), None),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many are noted.
pub const MAX_LISTS: usize = 64;
/// How long an `id` may be to be noted.
pub const MAX_ID_BYTES: usize = 256;
