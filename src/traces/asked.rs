//! What authorization servers were asked on behalf of a recorded request.
//!
//! A question is five calls below the pipeline, and on most requests there is none: it is noted for
//! the task that waits for it, and who records takes the notes afterwards. Where nobody records,
//! noting is one look at a thread-local that is not there.

use std::{cell::RefCell, time::Instant};

/// One question that was waited for.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Who was asked.
    pub authorization_server: Box<str>,
    /// Since when.
    pub since: Instant,
    /// Until when.
    pub until: Instant,
    /// `active`, `inactive` or `unavailable`.
    pub answer: &'static str,
    /// Whether it was another request's question about the same token.
    pub is_shared: bool,
}

tokio::task_local! {
    static NOTES: RefCell<Vec<Asked>>;
}

/// Does some work, and returns what was asked in it.
pub async fn noting<T>(work: impl Future<Output = T>) -> (T, Vec<Asked>) {
    let both = async {
        let done = work.await;
        (done, NOTES.with(RefCell::take))
    };
    NOTES.scope(RefCell::default(), both).await
}

/// Whether somebody records what is asked here.
pub fn is_noted() -> bool {
    NOTES.try_with(|_| ()).is_ok()
}

/// Notes a question, where somebody records.
pub fn note(asked: Asked) {
    let _ = NOTES.try_with(|notes| notes.borrow_mut().push(asked));
}
