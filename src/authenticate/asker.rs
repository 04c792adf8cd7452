//! On whose behalf an authorization server is asked.
//!
//! Unknown tokens cost a question each, and questions are few: nobody may have all of them.

use std::{sync::Arc, time::Duration};

use crate::limits::{Busy, Limits, questions::Question, tally::Key};

/// Whoever is behind a question.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a>(Option<Source<'a>>);

#[derive(Clone, Copy, Debug)]
struct Source<'a> {
    limits: &'a Arc<Limits>,
    key: Key,
    max_questions: usize,
}

impl<'a> Asker<'a> {
    /// Nobody who is counted: ourselves, or a proxy that does not say for whom.
    pub const UNCOUNTED: Self = Self(None);

    /// A source that may have so many questions at once.
    pub fn new(limits: &'a Arc<Limits>, source: Option<Key>, max_questions: usize) -> Self {
        Self(source.map(|key| Source { limits, key, max_questions }))
    }

    /// Waits for the turn to ask this authorization server; nothing to hold for whoever is not
    /// counted.
    pub(super) async fn question(
        self,
        authorization_server: &str,
        patience: Duration,
    ) -> Result<Option<Question>, Busy> {
        let Some(Source { limits, key, max_questions }) = self.0 else { return Ok(None) };
        limits.question((key, authorization_server), max_questions, patience).await.map(Some)
    }
}
