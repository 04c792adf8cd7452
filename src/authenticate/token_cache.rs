//! What is remembered of introspected tokens, and who is asking about which one right now.
//!
//! 1. The key is the full SHA-256 of the token; each authorization server has a cache of its own.
//! 2. Facts are kept, never decisions. Freshness is judged by [`Clock`](crate::clock::Clock) at
//!    each look; moka's own expiry only frees memory.
//! 3. Active and inactive answers are bounded apart: a flood of junk evicts no good token.
//! 4. One question per token at a time. It runs on the background runtime and outlives whoever
//!    asked first; a question that dies answers "unavailable", never nothing.
//!
//! Failures are never kept.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use moka::sync::Cache;
use tokio::sync::watch;

use super::token_facts::TokenFacts;
use crate::{config::settings::IntrospectionSettings, limits::tally::Seed, oauth::TokenDigest};

/// Answers of one authorization server.
#[derive(Debug)]
pub struct TokenCache {
    active: Cache<TokenDigest, Remembered, Seed>,
    inactive: Cache<TokenDigest, Instant, Seed>,
    ttl: Duration,
    negative_ttl: Duration,
    stale_if_error: Duration,
}

#[derive(Clone, Debug)]
struct Remembered {
    facts: Arc<TokenFacts>,
    learnt: Instant,
}

/// What the cache knows of a token now.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// Fresh: it is active.
    Active(Arc<TokenFacts>),
    /// Fresh: it is not active.
    Inactive,
    /// Nothing fresh.
    Nothing,
}

impl TokenCache {
    /// An empty cache with configured bounds.
    pub fn new(settings: &IntrospectionSettings) -> Self {
        let lifetime = settings.cache_ttl + settings.stale_if_error;
        Self {
            active: Cache::builder()
                .max_capacity(settings.cache_max_entries)
                .time_to_live(lifetime)
                .build_with_hasher(Seed::random()),
            inactive: Cache::builder()
                .max_capacity(settings.cache_max_entries)
                .time_to_live(settings.cache_negative_ttl)
                .build_with_hasher(Seed::random()),
            ttl: settings.cache_ttl,
            negative_ttl: settings.cache_negative_ttl,
            stale_if_error: settings.stale_if_error,
        }
    }

    /// Looks a token up.
    pub fn look_up(&self, token: &TokenDigest, now: Instant) -> Lookup {
        let age = |learnt| now.saturating_duration_since(learnt);
        match self.active.get(token) {
            Some(entry) if age(entry.learnt) < self.ttl => return Lookup::Active(entry.facts),
            _ => {}
        }
        match self.inactive.get(token) {
            Some(learnt) if age(learnt) < self.negative_ttl => Lookup::Inactive,
            _ => Lookup::Nothing,
        }
    }

    /// Until when, or since when no longer, the answer about an active token is fresh.
    pub fn fresh_until(&self, token: &TokenDigest) -> Option<Instant> {
        self.active.get(token).map(|entry| entry.learnt + self.ttl)
    }

    /// What may serve while the authorization server fails: an answer within `stale_if_error`.
    pub fn stale(&self, token: &TokenDigest, now: Instant) -> Option<Arc<TokenFacts>> {
        let entry = self.active.get(token)?;
        let age = now.saturating_duration_since(entry.learnt);
        (age < self.ttl + self.stale_if_error).then_some(entry.facts)
    }

    /// Remembers that a token is active.
    pub fn remember_active(&self, token: TokenDigest, facts: Arc<TokenFacts>, now: Instant) {
        self.inactive.invalidate(&token);
        self.active.insert(token, Remembered { facts, learnt: now });
    }

    /// Remembers that a token is not active.
    pub fn remember_inactive(&self, token: TokenDigest, now: Instant) {
        self.active.invalidate(&token);
        if !self.negative_ttl.is_zero() {
            self.inactive.insert(token, now);
        }
    }

    /// Forgets all tokens.
    pub fn clear(&self) {
        self.active.invalidate_all();
        self.inactive.invalidate_all();
    }

    /// How many tokens are remembered, roughly.
    pub fn len(&self) -> u64 {
        // Otherwise the last insertions, and expired entries, are not counted right.
        self.active.run_pending_tasks();
        self.inactive.run_pending_tasks();
        self.active.entry_count() + self.inactive.entry_count()
    }

    /// Whether nothing is remembered, roughly.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Questions under way, one per token.
#[derive(Debug)]
pub struct Flights<A>(Arc<UnderWay<A>>);

type UnderWay<A> = Mutex<Answers<A>>;
type Answers<A> = HashMap<TokenDigest, watch::Receiver<Option<A>>>;

/// What joining a question came to.
#[derive(Debug)]
pub enum Joined<A> {
    /// Somebody asks already; wait for the answer here.
    Following(watch::Receiver<Option<A>>),
    /// Nobody asks: the holder must, and answer through this.
    Leading(Flight<A>, watch::Receiver<Option<A>>),
    /// The answer came in between.
    Answered(A),
    /// Too many questions are under way.
    Full,
}

/// The duty to answer one question; dropped unanswered, those who wait are released.
#[derive(Debug)]
pub struct Flight<A> {
    flights: Arc<UnderWay<A>>,
    token: TokenDigest,
    answer: watch::Sender<Option<A>>,
}

impl<A: Clone> Flights<A> {
    /// The answer to come to the question about a token, when somebody asks it already.
    pub fn follow(&self, token: &TokenDigest) -> Option<watch::Receiver<Option<A>>> {
        self.0.lock().ok()?.get(token).cloned()
    }

    /// Joins the question about a token. `again` looks into the cache once more, under the lock:
    /// an answer is remembered before its question ends.
    pub fn join(&self, token: TokenDigest, again: impl FnOnce() -> Option<A>) -> Joined<A> {
        // A poisoned lock is treated as a full house: unavailable, never allowed.
        let Ok(mut flights) = self.0.lock() else { return Joined::Full };
        if let Some(receiver) = flights.get(&token) {
            return Joined::Following(receiver.clone());
        }
        if let Some(answer) = again() {
            return Joined::Answered(answer);
        }
        if flights.len() >= MAX_FLIGHTS {
            return Joined::Full;
        }
        let (answer, receiver) = watch::channel(None);
        flights.insert(token, receiver.clone());
        let flights = Arc::clone(&self.0);
        Joined::Leading(Flight { flights, token, answer }, receiver)
    }
}

impl<A> Flights<A> {
    /// Forgets the questions under way: whoever waits gets their answers, whoever comes afterwards
    /// asks anew, and they are not remembered. To be called before what is remembered is cleared.
    pub fn forget(&self) {
        if let Ok(mut flights) = self.0.lock() {
            flights.clear();
        }
    }
}

impl<A> Default for Flights<A> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<A> Flight<A> {
    /// Remembers the answer, unless all was forgotten since the question was put: it may have
    /// been true before.
    pub fn remember(&self, insert: impl FnOnce()) {
        if let Ok(flights) = self.flights.lock()
            && self.is_current(&flights)
        {
            insert();
        }
    }

    /// Answers everybody who waits. Who comes afterwards asks anew: the question ends before it
    /// is answered, so that nobody follows one that has failed already.
    pub fn land(self, answer: A) {
        self.end();
        // Nobody may be waiting any more; the answer is in the cache all the same.
        let _ = self.answer.send(Some(answer));
    }

    /// Its own place only: the same token may be another flight's by now.
    fn end(&self) {
        if let Ok(mut flights) = self.flights.lock()
            && self.is_current(&flights)
        {
            flights.remove(&self.token);
        }
    }

    fn is_current(&self, flights: &Answers<A>) -> bool {
        let ours = self.answer.subscribe();
        flights.get(&self.token).is_some_and(|answer| answer.same_channel(&ours))
    }
}

impl<A> Drop for Flight<A> {
    fn drop(&mut self) {
        self.end();
    }
}

/// Questions under way at one authorization server; more are answered 503.
const MAX_FLIGHTS: usize = 512;

#[cfg(test)]
mod simulation;

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(n: usize) -> TokenDigest {
        TokenDigest::of(&n.to_be_bytes())
    }

    #[test]
    fn second_question_follows_the_first_and_hears_its_answer() {
        let flights = Flights::default();
        let Joined::Leading(flight, leader) = flights.join(digest(1), || None) else { panic!() };
        let Joined::Following(follower) = flights.join(digest(1), || None) else { panic!() };
        flight.land(7);
        assert_eq!((*leader.borrow(), *follower.borrow()), (Some(7), Some(7)));
        assert!(matches!(flights.join(digest(1), || Some(7)), Joined::Answered(7)));
    }

    #[test]
    fn abandoned_question_releases_those_who_wait() {
        let flights = Flights::<u8>::default();
        let Joined::Leading(flight, _) = flights.join(digest(1), || None) else { panic!() };
        let Joined::Following(follower) = flights.join(digest(1), || None) else { panic!() };
        drop(flight);
        assert!(follower.has_changed().is_err(), "the sender is gone");
        assert!(matches!(flights.join(digest(1), || None), Joined::Leading(..)));
    }

    #[test]
    fn forgotten_question_answers_who_waits_and_nobody_else() {
        let flights = Flights::default();
        let Joined::Leading(old, waiting) = flights.join(digest(1), || None) else { panic!() };
        old.remember(|| {});
        flights.forget();
        assert!(flights.follow(&digest(1)).is_none());
        old.remember(|| panic!("forgotten"));
        let Joined::Leading(new, _) = flights.join(digest(1), || None) else { panic!() };
        old.land(7);
        assert_eq!(*waiting.borrow(), Some(7));
        assert!(matches!(flights.join(digest(1), || None), Joined::Following(_)), "of the new one");
        let mut remembered = false;
        new.remember(|| remembered = true);
        assert!(remembered);
        new.land(8);
        assert!(matches!(flights.join(digest(1), || None), Joined::Leading(..)));
    }

    #[test]
    fn questions_under_way_are_bounded() {
        let flights = Flights::<u8>::default();
        let held: Vec<_> = (0..MAX_FLIGHTS).map(|n| flights.join(digest(n), || None)).collect();
        assert!(matches!(flights.join(digest(MAX_FLIGHTS), || None), Joined::Full));
        drop(held);
        assert!(matches!(flights.join(digest(MAX_FLIGHTS), || None), Joined::Leading(..)));
    }
}
