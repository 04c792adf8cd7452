//! Counting what each peer has, exactly and in little memory.
//!
//! 1. A peer with nothing takes no room: there are never more entries than things counted, each of
//!    which is bounded elsewhere.
//! 2. Entries are spread over shards with a lock each, held for one addition.
//! 3. The hash is keyed with random numbers, so that nobody can choose addresses that collide.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasher, Hash, Hasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Who has something: a source or a principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u64, u64);

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// A connection.
    Connection,
    /// A request that is being answered.
    Request,
    /// An open stream.
    Stream,
}

/// What each key has.
#[derive(Debug)]
pub struct Tally {
    shards: [Mutex<Counts>; SHARDS],
    seed: Seed,
}

type Counts = HashMap<Key, Count, Seed>;

/// What one key has.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    connections: u32,
    requests: u32,
    streams: u32,
}

impl Count {
    fn of(&mut self, counted: Counted) -> &mut u32 {
        match counted {
            Counted::Connection => &mut self.connections,
            Counted::Request => &mut self.requests,
            Counted::Stream => &mut self.streams,
        }
    }
}

impl Key {
    /// From what is unique already.
    pub fn new(number: u128) -> Self {
        let (high, low) = halves(number);
        Self(high, low)
    }

    /// From the beginning of a digest; 128 bits of it are as good as unique.
    pub fn of_digest(digest: &[u8; 32]) -> Self {
        let first = digest.first_chunk().copied().unwrap_or_default();
        Self::new(u128::from_le_bytes(first))
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(u128::from(self.0) << 64 | u128::from(self.1));
    }
}

impl Tally {
    /// Nobody has anything.
    pub fn new() -> Self {
        let seed = Seed::random();
        let shards = std::array::from_fn(|_| Mutex::new(HashMap::with_hasher(seed)));
        Self { shards, seed }
    }

    /// Counts one thing more; `false` when the key has `max` of them already.
    pub fn take(&self, key: Key, counted: Counted, max: usize) -> bool {
        let Some(mut counts) = self.shard(key) else { return false };
        let count = counts.entry(key).or_default().of(counted);
        // A key that is refused has something: no empty entry stays, for `max` is never 0.
        let is_free = usize::try_from(*count).is_ok_and(|count| count < max);
        if is_free {
            *count = count.saturating_add(1);
        }
        is_free
    }

    /// Counts one thing less.
    pub fn give_back(&self, key: Key, counted: Counted) {
        let Some(mut counts) = self.shard(key) else { return };
        let Entry::Occupied(mut entry) = counts.entry(key) else { return };
        let count = entry.get_mut().of(counted);
        *count = count.saturating_sub(1);
        if *entry.get() == Count::default() {
            entry.remove();
        }
    }

    /// How many keys have something.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Whether nobody has anything.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, key: Key) -> Option<MutexGuard<'_, Counts>> {
        // Other bits than those that a map goes by.
        let index = usize::try_from(self.seed.hash_one(key) >> 32).unwrap_or_default() % SHARDS;
        self.shards.get(index).map(lock)
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

/// A count is whole at every moment, so a panic elsewhere has spoilt nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The key of a hash that costs two multiplications, for what spreads already.
#[derive(Clone, Copy, Debug)]
pub struct Seed(u64, u64);

impl Seed {
    /// One that nobody knows.
    pub fn random() -> Self {
        let random = || RandomState::new().hash_one(0);
        // Odd numbers lose nothing in a multiplication.
        Self(random() | 1, random() | 1)
    }
}

impl BuildHasher for Seed {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded { seed: *self, hash: 0 }
    }
}

/// Hashes one number.
#[derive(Debug)]
pub struct Folded {
    seed: Seed,
    hash: u64,
}

impl Hasher for Folded {
    fn write_u128(&mut self, number: u128) {
        let (high, low) = halves(number);
        let (high, low) = halves(u128::from(low ^ self.seed.0) * u128::from(high ^ self.seed.1));
        let (high, low) = halves(u128::from(high ^ low) * u128::from(self.seed.1));
        self.hash ^= high ^ low;
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u128(u128::from(self.hash) << 8 | u128::from(*byte));
        }
    }

    fn finish(&self) -> u64 {
        self.hash
    }
}

fn halves(number: u128) -> (u64, u64) {
    let low = u64::try_from(number & u128::from(u64::MAX)).unwrap_or_default();
    let high = u64::try_from(number >> 64).unwrap_or_default();
    (high, low)
}

const SHARDS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_own_count_of_each_thing() {
        let tally = Tally::new();
        let (one, other) = (Key::new(1), Key::new(1 << 64));
        assert!(tally.take(one, Counted::Request, 2) && tally.take(one, Counted::Request, 2));
        assert!(!tally.take(one, Counted::Request, 2));
        assert!(tally.take(one, Counted::Stream, 2));
        assert!(tally.take(other, Counted::Request, 2));
        tally.give_back(one, Counted::Request);
        assert!(tally.take(one, Counted::Request, 2));
        assert!(!tally.take(one, Counted::Request, 2));
    }

    #[test]
    fn who_has_nothing_takes_no_room() {
        let tally = Tally::new();
        for n in 0..100_000 {
            let key = Key::new(n << 64);
            assert!(tally.take(key, Counted::Request, 1));
            assert!(!tally.take(key, Counted::Request, 1));
            tally.give_back(key, Counted::Request);
        }
        assert!(tally.is_empty());
        // What was never taken is not owed.
        tally.give_back(Key::new(1), Counted::Request);
        assert!(tally.is_empty());
    }

    #[test]
    fn keys_are_spread_whatever_part_of_them_differs() {
        for shift in [0, 16, 64, 96] {
            let tally = Tally::new();
            for n in 0..6400_u128 {
                assert!(tally.take(Key::new(n << shift), Counted::Request, 1));
            }
            for shard in &tally.shards {
                let len = lock(shard).len();
                assert!((30..300).contains(&len), "{len} of 100 on average, shifted by {shift}");
            }
        }
    }
}
