//! Verified tokens, remembered so that a signature is checked once per token.
//!
//! 1. The key is the full SHA-256 of the token. Facts are kept, never decisions.
//! 2. Each is kept until it expires, [`LONGEST`] at most, in a bounded number.
//! 3. Which key verified it is kept too; whether that is still in the key set is asked on each use.
//!
//! Freshness is judged by [`Clock`](crate::clock::Clock); moka's own expiry only frees memory.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use moka::{Expiry, sync::Cache};

use crate::{
    authenticate::{key_set::Thumbprint, token_facts::TokenFacts},
    limits::tally::Seed,
    oauth::TokenDigest,
};

/// Verified tokens of one authorization server.
#[derive(Debug)]
pub(super) struct Memory(Cache<TokenDigest, (Remembered, Duration), Seed>);

/// One verified token.
#[derive(Clone, Debug)]
pub(super) struct Remembered {
    pub(super) facts: Arc<TokenFacts>,
    /// The key that verified it.
    pub(super) key: Thumbprint,
    /// When it is to be forgotten.
    pub(super) until: Instant,
}

struct Lifetime;

impl Expiry<TokenDigest, (Remembered, Duration)> for Lifetime {
    fn expire_after_create(
        &self,
        _: &TokenDigest,
        (_, lifetime): &(Remembered, Duration),
        _: Instant,
    ) -> Option<Duration> {
        Some(*lifetime)
    }
}

impl Memory {
    pub(super) fn new(max_entries: u64) -> Self {
        let cache = Cache::builder().max_capacity(max_entries).expire_after(Lifetime);
        Self(cache.build_with_hasher(Seed::random()))
    }

    pub(super) fn look_up(&self, digest: &TokenDigest, now: Instant) -> Option<Remembered> {
        let (remembered, _) = self.0.get(digest)?;
        (now < remembered.until).then_some(remembered)
    }

    /// Remembers a token for so many seconds from now, unless there are none left.
    pub(super) fn remember(
        &self,
        digest: TokenDigest,
        facts: Arc<TokenFacts>,
        key: Thumbprint,
        (now, seconds): (Instant, f64),
    ) {
        let longest = LONGEST.as_secs_f64();
        let lifetime = Duration::try_from_secs_f64(seconds.clamp(0.0, longest));
        let Some(lifetime) = lifetime.ok().filter(|lifetime| !lifetime.is_zero()) else { return };
        let remembered = Remembered { facts, key, until: now + lifetime };
        self.0.insert(digest, (remembered, lifetime));
    }

    pub(super) fn clear(&self) {
        self.0.invalidate_all();
    }

    /// Does what moka puts off, so that a test can count.
    #[cfg(test)]
    pub(super) fn settle(&self) {
        self.0.run_pending_tasks();
    }

    pub(super) fn len(&self) -> u64 {
        // Otherwise the last insertions, and expired entries, are not counted right.
        self.0.run_pending_tasks();
        self.0.entry_count()
    }
}

/// However far away `exp` is.
const LONGEST: Duration = Duration::from_hours(24);
