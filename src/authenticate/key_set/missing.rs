//! Names of keys that were looked for in vain.
//!
//! A token that names a key nobody has would otherwise have the key set fetched for it again and
//! again. Each name is looked for after ever longer pauses, so that one that is merely early is
//! still found soon. Bounded: when it is full, new names are not remembered, and the cooldown of
//! [`source`](super::source) alone bounds the fetches.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::KeyId;
use crate::oauth::TokenDigest;

/// Names looked for in vain, by digest, since a name may be long.
#[derive(Debug, Default)]
pub(super) struct MissingKeys(HashMap<TokenDigest, Pause>);

#[derive(Debug)]
struct Pause {
    until: Instant,
    length: Duration,
}

impl MissingKeys {
    /// Whether a name may be looked for now.
    pub(super) fn may_look_for(&self, kid: &KeyId, now: Instant) -> bool {
        self.0.get(&digest(kid)).is_none_or(|pause| pause.until <= now)
    }

    /// Remembers that a name was not found.
    pub(super) fn note(&mut self, kid: &KeyId, now: Instant) {
        if self.0.len() >= MAX_NAMES {
            self.0.retain(|_, pause| now < pause.until + LONGEST_PAUSE);
        }
        let digest = digest(kid);
        if let Some(pause) = self.0.get_mut(&digest) {
            if pause.until <= now {
                let length = (pause.length * 2).min(LONGEST_PAUSE);
                *pause = Pause { until: now + length, length };
            }
        } else if self.0.len() < MAX_NAMES {
            self.0.insert(digest, Pause { until: now + FIRST_PAUSE, length: FIRST_PAUSE });
        }
    }
}

/// A name by its digest, since it may be long.
pub(super) fn digest(kid: &KeyId) -> TokenDigest {
    TokenDigest::of(kid.as_str().as_bytes())
}

const MAX_NAMES: usize = 256;
const FIRST_PAUSE: Duration = super::source::COOLDOWN;
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, SystemClock};

    #[test]
    fn i25_pauses_grow_and_names_are_bounded() {
        let mut missing = MissingKeys::default();
        let start = SystemClock.instant();
        let at = |seconds| start + Duration::from_secs(seconds);
        let kid = KeyId::new("gone");
        assert!(missing.may_look_for(&kid, start));
        missing.note(&kid, start);
        missing.note(&kid, at(1));
        assert!(!missing.may_look_for(&kid, at(29)));
        assert!(missing.may_look_for(&kid, at(30)), "early keys are found after the cooldown");
        missing.note(&kid, at(30));
        assert!(!missing.may_look_for(&kid, at(89)));
        assert!(missing.may_look_for(&kid, at(90)));
        for n in 0..2 * MAX_NAMES {
            missing.note(&KeyId::new(&n.to_string()), at(90));
        }
        assert_eq!(missing.0.len(), MAX_NAMES);
        missing.note(&KeyId::new("later"), at(10_000));
        assert_eq!(missing.0.len(), 1, "old names make room");
    }
}
