//! What one peer may take of what all share.
//!
//! 1. Connections, requests and streams are counted by source and by principal ([`tally`]); whoever
//!    has more than its share is refused, and nobody else is. Questions to authorization servers
//!    wait behind others of their source ([`questions`]).
//! 2. How often a caller may come to a route is limited by [`rate`].
//! 3. Bytes of bodies in memory are counted for the whole process ([`buffer`]).
//! 4. Whatever was taken is given back when its holder is dropped, however that came about.
//!
//! One [`Limits`] lasts as long as the process; how much is allowed comes from the snapshot in
//! force, at each question.

pub mod buffer;
pub mod questions;
pub mod rate;
pub mod source;
pub mod tally;

use std::{sync::Arc, time::Duration};

use prometheus::IntCounter;

use self::{
    buffer::Buffered,
    questions::{Question, Questions},
    tally::{Counted, Key, Tally},
};
use crate::{config::settings, metrics::Metrics};

/// What is taken at this moment, in the whole process.
#[derive(Debug)]
pub struct Limits {
    sources: Tally,
    principals: Tally,
    questions: Arc<Questions>,
    /// The bytes of bodies in memory.
    pub buffered: Arc<Buffered>,
    refusals: [IntCounter; Busy::ALL.len()],
    /// Requests refused by a rate limit of a route.
    pub rate_limited: IntCounter,
}

/// What a peer has too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Busy {
    /// Connections.
    #[error("more connections than listen.limits.max_connections_per_source")]
    ConnectionsOfSource,
    /// Questions that authorization servers have yet to answer.
    #[error("more unknown tokens at once than listen.limits.max_questions_per_source")]
    QuestionsOfSource,
    /// Requests of one principal.
    #[error("more requests at once than listen.limits.max_requests_per_principal")]
    RequestsOfPrincipal,
    /// Requests of one source.
    #[error("more requests at once than listen.limits.max_requests_per_source")]
    RequestsOfSource,
    /// Streams of one principal.
    #[error("more open streams than listen.limits.max_streams_per_principal")]
    StreamsOfPrincipal,
    /// Streams of one source.
    #[error("more open streams than listen.limits.max_streams_per_source")]
    StreamsOfSource,
}

impl Busy {
    const ALL: [Self; 6] = [
        Self::ConnectionsOfSource,
        Self::QuestionsOfSource,
        Self::RequestsOfPrincipal,
        Self::RequestsOfSource,
        Self::StreamsOfPrincipal,
        Self::StreamsOfSource,
    ];

    /// The metrics label, and the reason of the refusal.
    pub fn label(self) -> &'static str {
        match self {
            Self::ConnectionsOfSource => "too_many_connections_of_source",
            Self::QuestionsOfSource => "too_many_questions_of_source",
            Self::RequestsOfPrincipal => "too_many_requests_of_principal",
            Self::RequestsOfSource => "too_many_requests_of_source",
            Self::StreamsOfPrincipal => "too_many_streams_of_principal",
            Self::StreamsOfSource => "too_many_streams_of_source",
        }
    }
}

impl Limits {
    /// Nothing is taken.
    pub fn new(metrics: &Metrics) -> Arc<Self> {
        let refusal = |label| metrics.limit_refusals.with_label_values(&[label]);
        Arc::new(Self {
            sources: Tally::new(),
            principals: Tally::new(),
            questions: Questions::new(),
            buffered: Buffered::new(metrics.buffered_bytes.clone(), refusal(NO_ROOM)),
            refusals: Busy::ALL.map(|busy| refusal(busy.label())),
            rate_limited: refusal(RATE_LIMITED),
        })
    }

    /// Counts a connection of a source.
    pub fn connection(self: &Arc<Self>, source: Key, max: usize) -> Result<ConnectionSlot, Busy> {
        if !self.sources.take(source, Counted::Connection, max) {
            return Err(self.refused(Busy::ConnectionsOfSource));
        }
        Ok(ConnectionSlot { limits: Arc::clone(self), source })
    }

    /// Waits for a source's turn to ask an authorization server.
    pub async fn question(
        &self,
        (source, authorization_server): (Key, &str),
        max: usize,
        patience: Duration,
    ) -> Result<Question, Busy> {
        let question =
            self.questions.ask((source, authorization_server.into()), max, patience).await;
        question.ok_or_else(|| self.refused(Busy::QuestionsOfSource))
    }

    fn refused(&self, busy: Busy) -> Busy {
        let position = Busy::ALL.iter().position(|each| *each == busy);
        if let Some(counter) = position.and_then(|index| self.refusals.get(index)) {
            counter.inc();
        }
        busy
    }
}

/// A connection of a source, counted until it is dropped.
#[derive(Debug)]
pub struct ConnectionSlot {
    limits: Arc<Limits>,
    source: Key,
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.limits.sources.give_back(self.source, Counted::Connection);
    }
}

/// A request that is being answered, counted until it is dropped.
#[derive(Debug)]
pub struct InFlight {
    limits: Arc<Limits>,
    source: Option<Key>,
    principal: Option<Key>,
    streams_of_source: bool,
    streams_of_principal: bool,
}

impl InFlight {
    /// Counts a request of a source; one without source is not counted for any.
    pub fn begin(
        limits: &Arc<Limits>,
        source: Option<Key>,
        settings: &settings::Limits,
    ) -> Result<Self, Busy> {
        if let Some(source) = source {
            let max = settings.max_requests_per_source;
            if !limits.sources.take(source, Counted::Request, max) {
                return Err(limits.refused(Busy::RequestsOfSource));
            }
        }
        Ok(Self {
            limits: Arc::clone(limits),
            source,
            principal: None,
            streams_of_source: false,
            streams_of_principal: false,
        })
    }

    /// Whose it is has become known.
    pub fn is_of(&mut self, principal: Key, settings: &settings::Limits) -> Result<(), Busy> {
        let max = settings.max_requests_per_principal;
        if !self.limits.principals.take(principal, Counted::Request, max) {
            return Err(self.limits.refused(Busy::RequestsOfPrincipal));
        }
        self.principal = Some(principal);
        Ok(())
    }

    /// It asks for a stream.
    pub fn is_stream(&mut self, settings: &settings::Limits) -> Result<(), Busy> {
        if let Some(source) = self.source {
            let max = settings.max_streams_per_source;
            if !self.limits.sources.take(source, Counted::Stream, max) {
                return Err(self.limits.refused(Busy::StreamsOfSource));
            }
            self.streams_of_source = true;
        }
        if let Some(principal) = self.principal {
            let max = settings.max_streams_per_principal;
            if !self.limits.principals.take(principal, Counted::Stream, max) {
                return Err(self.limits.refused(Busy::StreamsOfPrincipal));
            }
            self.streams_of_principal = true;
        }
        Ok(())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let Limits { sources, principals, .. } = &*self.limits;
        for (tally, key, has_stream) in [
            (sources, self.source, self.streams_of_source),
            (principals, self.principal, self.streams_of_principal),
        ] {
            let Some(key) = key else { continue };
            if has_stream {
                tally.give_back(key, Counted::Stream);
            }
            tally.give_back(key, Counted::Request);
        }
    }
}

/// The metrics label of a body that found no room.
const NO_ROOM: &str = "no_room_to_buffer";
/// The metrics label of a rate limit.
const RATE_LIMITED: &str = "rate_limited";

#[cfg(test)]
mod tests;
