//! The bytes of bodies in memory, counted for the whole process.
//!
//! 1. A [`Buffer`] is charged for what it has room for, which grows with what has arrived and not
//!    with what was announced; growing fails where the process has no room left.
//! 2. What was charged is given back when the last holder of the bytes drops them: sent, refused or
//!    abandoned.
//! 3. All bodies of one principal together take half of the room at most, lest one token's keep out
//!    everybody else's.
//! 4. Bodies that nobody vouches for have shares of their own ([`Share`]), so that they cannot keep
//!    out those of callers.
//!
//! What a connection reads ahead is not counted, nor as much again of each body: that is bounded by
//! the number of connections, and short calls go on when there is no room for long ones.

mod holders;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use prometheus::{IntCounter, IntGauge};

use self::holders::Holders;
use super::tally::Key;

/// The bytes in memory now.
pub struct Buffered {
    all: AtomicUsize,
    holders: Holders,
    anonymous: AtomicUsize,
    refused: AtomicUsize,
    gauge: IntGauge,
    refusals: IntCounter,
}

/// The room there is under one configuration.
#[derive(Clone, Debug)]
pub struct Room {
    buffered: Arc<Buffered>,
    max_bytes: usize,
    /// Whose bytes they are.
    holder: Option<Key>,
}

/// Whose body is read although nobody vouches for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// Of requests without credentials, for their methods.
    Anonymous,
    /// Of refused requests, for their ids.
    Refused,
}

/// There is no room left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// For anybody.
    #[error("no room for more bytes: listen.limits.max_buffered_bytes")]
    OfAll,
    /// For this principal.
    #[error("the caller's bodies hold half of listen.limits.max_buffered_bytes already")]
    OfHolder,
}

impl Buffered {
    pub(super) fn new(gauge: IntGauge, refusals: IntCounter) -> Arc<Self> {
        let (zero, holders) = (AtomicUsize::default, Holders::default());
        Arc::new(Self { all: zero(), holders, anonymous: zero(), refused: zero(), gauge, refusals })
    }

    /// How many there are.
    pub fn bytes(&self) -> usize {
        self.all.load(Ordering::Relaxed)
    }

    fn of(&self, share: Share) -> &AtomicUsize {
        match share {
            Share::Anonymous => &self.anonymous,
            Share::Refused => &self.refused,
        }
    }

    fn add(&self, bytes: usize) {
        self.gauge.add(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    fn give_back(&self, holder: Option<Key>, bytes: usize) {
        if let Some(holder) = holder {
            self.holders.give_back(holder, bytes);
        }
        self.all.fetch_sub(bytes, Ordering::Relaxed);
        self.gauge.sub(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}

impl fmt::Debug for Buffered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffered").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

impl Room {
    /// Room for so many bytes, those of other configurations among them.
    pub fn new(buffered: &Arc<Buffered>, max_bytes: usize) -> Self {
        Self { buffered: Arc::clone(buffered), max_bytes, holder: None }
    }

    /// The same room, for the bytes of one principal when it is known.
    #[must_use]
    pub fn of(&self, holder: Option<Key>) -> Self {
        let Self { buffered, max_bytes, .. } = self;
        Self { buffered: Arc::clone(buffered), max_bytes: *max_bytes, holder }
    }

    /// An empty buffer that is not to become longer than this.
    pub fn buffer(&self, most: usize) -> Buffer {
        Buffer { bytes: Vec::new(), most, charge: self.nothing() }
    }

    /// A charge for nothing yet.
    pub fn nothing(&self) -> Charge {
        Charge { room: self.clone(), bytes: 0 }
    }

    /// Counts bytes that are there already until nobody holds them any more.
    pub fn hold(&self, bytes: Bytes) -> Result<Bytes, NoRoom> {
        let mut charge = self.nothing();
        charge.grow_to(bytes.len())?;
        Ok(Bytes::from_owner(Held { bytes, _charge: charge }))
    }

    /// Sets bytes aside in a share.
    pub fn set_aside(&self, share: Share, bytes: usize) -> Result<SetAside, NoRoom> {
        let max = match share {
            Share::Anonymous => MAX_ANONYMOUS_BYTES.min(self.max_bytes / 2),
            Share::Refused => MAX_REFUSED_BYTES.min(self.max_bytes / 8),
        };
        let set_aside = add_within(self.buffered.of(share), bytes, max).and_then(|()| {
            // From here on the share is given back with the rest.
            let mut held = SetAside { share, bytes, charge: self.nothing() };
            held.charge.change_to(bytes).map(|()| held)
        });
        // A refused request is refused for something else.
        if set_aside.is_err() && share == Share::Anonymous {
            self.buffered.refusals.inc();
        }
        set_aside
    }
}

/// Bytes that are counted, until it is dropped.
#[derive(Debug)]
pub struct Charge {
    room: Room,
    bytes: usize,
}

impl Charge {
    /// Counts so many bytes from now on, or one refusal.
    pub fn grow_to(&mut self, bytes: usize) -> Result<(), NoRoom> {
        self.change_to(bytes).inspect_err(|_| self.room.buffered.refusals.inc())
    }

    fn change_to(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let Room { buffered, max_bytes, holder } = &self.room;
        let Some(more) = bytes.checked_sub(self.bytes) else {
            buffered.give_back(*holder, self.bytes - bytes);
            self.bytes = bytes;
            return Ok(());
        };
        if let Some(holder) = *holder
            && !buffered.holders.take(holder, self.bytes, more, max_bytes / 2)
        {
            return Err(NoRoom::OfHolder);
        }
        add_within(&buffered.all, more, *max_bytes).inspect_err(|_| {
            if let Some(holder) = *holder {
                buffered.holders.give_back(holder, more);
            }
        })?;
        buffered.add(more);
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.room.buffered.give_back(self.room.holder, self.bytes);
        }
    }
}

/// Bytes of a share, until it is dropped.
#[derive(Debug)]
pub struct SetAside {
    share: Share,
    bytes: usize,
    charge: Charge,
}

impl Drop for SetAside {
    fn drop(&mut self) {
        self.charge.room.buffered.of(self.share).fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Bytes with their charge.
struct Held {
    bytes: Bytes,
    _charge: Charge,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Bytes that are gathered.
#[derive(Debug)]
pub struct Buffer {
    bytes: Vec<u8>,
    most: usize,
    charge: Charge,
}

impl Buffer {
    /// Takes more bytes, if there is room.
    pub fn extend(&mut self, more: &[u8]) -> Result<(), NoRoom> {
        let needed = self.bytes.len().saturating_add(more.len());
        if needed > self.bytes.capacity() {
            // Twice as much each time, so that copying costs little; never more than is expected.
            let ample = self.bytes.capacity().saturating_mul(2).max(FREE).min(self.most);
            let wanted = needed.max(ample);
            if wanted > FREE {
                self.charge.grow_to(wanted)?;
            }
            self.bytes.reserve_exact(wanted - self.bytes.len());
        }
        self.bytes.extend_from_slice(more);
        Ok(())
    }

    /// How many bytes are there.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes, which stay counted until nobody holds them any more.
    pub fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn add_within(counter: &AtomicUsize, more: usize, max: usize) -> Result<(), NoRoom> {
    let add = |now: usize| now.checked_add(more).filter(|sum| *sum <= max);
    counter
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
        .map(drop)
        .map_err(|_| NoRoom::OfAll)
}

/// Up to here a buffer is not counted: as much as a connection reads ahead.
const FREE: usize = 8 * 1024;
const MAX_ANONYMOUS_BYTES: usize = 64 * 1024 * 1024;
const MAX_REFUSED_BYTES: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    fn room(max_bytes: usize) -> Room {
        let metrics = Metrics::new().unwrap();
        let limits = super::super::Limits::new(&metrics);
        Room::new(&limits.buffered, max_bytes)
    }

    #[test]
    fn charge_grows_with_what_is_there_and_ends_with_its_last_holder() {
        let room = room(100_000);
        let mut buffer = room.buffer(1_000_000);
        assert_eq!(room.buffered.bytes(), 0, "what was announced costs nothing");
        buffer.extend(&[1; 8000]).unwrap();
        assert_eq!(room.buffered.bytes(), 0, "what is short costs nothing");
        buffer.extend(&[2; 8000]).unwrap();
        assert_eq!(room.buffered.bytes(), 16_384);
        assert_eq!(room.buffered.bytes(), buffer.bytes.capacity());
        let bytes = buffer.freeze();
        assert_eq!((bytes.len(), bytes[7999], bytes[8000]), (16_000, 1, 2));
        let part = bytes.slice(1..2);
        drop(bytes);
        assert_eq!(room.buffered.bytes(), 16_384);
        drop(part);
        assert_eq!(room.buffered.bytes(), 0);
        assert_eq!(room.buffered.gauge.get(), 0);
    }

    #[test]
    fn buffer_does_not_outgrow_what_is_expected() {
        let room = room(100_000);
        let mut buffer = room.buffer(9000);
        buffer.extend(&[1; 8000]).unwrap();
        buffer.extend(&[1; 1000]).unwrap();
        assert_eq!(room.buffered.bytes(), 9000);
    }

    #[test]
    fn room_that_is_spent_refuses_and_is_had_again() {
        let room = room(10_000);
        let (mut one, mut other) = (room.buffer(9000), room.buffer(9000));
        one.extend(&[0; 9000]).unwrap();
        assert_eq!(other.extend(&[0; 9000]), Err(NoRoom::OfAll));
        assert!(other.is_empty());
        other.extend(&[0; 8000]).unwrap();
        assert_eq!(other.extend(&[0; 1000]), Err(NoRoom::OfAll));
        assert_eq!((other.len(), room.buffered.refusals.get()), (8000, 2));
        drop(one);
        other.extend(&[0; 1000]).unwrap();
        assert_eq!(room.buffered.bytes(), 9000);
    }

    #[test]
    fn one_holder_leaves_half_of_the_room() {
        let room = room(40_000);
        let (one, other) = (room.of(Some(Key::new(1))), room.of(Some(Key::new(2))));
        let held = one.hold(Bytes::from(vec![0; 15_000])).unwrap();
        assert_eq!(one.hold(Bytes::from(vec![0; 5001])), Err(NoRoom::OfHolder));
        let more = one.hold(Bytes::from(vec![0; 5000])).unwrap();
        let others = other.hold(Bytes::from(vec![0; 20_000])).unwrap();
        assert_eq!(room.hold(Bytes::from(vec![0; 1])), Err(NoRoom::OfAll));
        drop(held);
        assert_eq!(room.buffered.bytes(), 25_000);
        // Refused for want of room, nothing stays counted for it.
        let third = room.of(Some(Key::new(3)));
        assert_eq!(third.hold(Bytes::from(vec![0; 15_001])), Err(NoRoom::OfAll));
        assert_eq!(room.buffered.holders.len(), 2);
        drop((more, others));
        assert_eq!((room.buffered.bytes(), room.buffered.holders.len()), (0, 0));
        assert!(one.hold(Bytes::from(vec![0; 40_000])).is_ok(), "its only body");
        assert_eq!(room.buffered.refusals.get(), 3);
    }

    #[test]
    fn share_is_bounded_by_itself_and_by_the_whole() {
        const PIECE: usize = 64 * 1024;
        let ample = room(1 << 30);
        let held: Vec<_> = (0..256).map(|_| ample.set_aside(Share::Refused, PIECE)).collect();
        assert!(held.iter().all(Result::is_ok));
        assert!(ample.set_aside(Share::Refused, PIECE).is_err());
        assert!(ample.set_aside(Share::Anonymous, PIECE).is_ok(), "another share");
        drop(held);
        assert_eq!(ample.buffered.bytes(), 0);
        assert!(ample.set_aside(Share::Refused, PIECE).is_ok());
        let scarce = room(8 * PIECE);
        let held = scarce.set_aside(Share::Refused, PIECE);
        assert!(held.is_ok());
        assert!(scarce.set_aside(Share::Refused, PIECE).is_err());
        assert_eq!(scarce.buffered.refusals.get(), 0, "refused for something else");
        let strangers = scarce.set_aside(Share::Anonymous, 4 * PIECE);
        assert!(strangers.is_ok());
        assert!(scarce.set_aside(Share::Anonymous, PIECE).is_err(), "the rest is for callers");
        assert_eq!(scarce.buffered.refusals.get(), 1);
        assert!(scarce.hold(Bytes::from(vec![0; 2 * PIECE])).is_ok());
        drop(strangers);
        drop(held);
        let counters = [&scarce.buffered.anonymous, &scarce.buffered.refused];
        assert!(counters.iter().all(|counter| counter.load(Ordering::Relaxed) == 0));
    }

    #[test]
    fn charge_follows_what_is_held() {
        let room = room(10_000);
        let mut charge = room.nothing();
        charge.grow_to(6000).unwrap();
        assert_eq!(charge.grow_to(16_000), Err(NoRoom::OfAll));
        assert_eq!(room.buffered.bytes(), 6000, "what it had");
        charge.grow_to(1000).unwrap();
        assert_eq!(room.buffered.bytes(), 1000);
    }
}
