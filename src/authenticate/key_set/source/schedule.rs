//! When the keys are fetched next, and who may have them fetched sooner.

use std::time::{Duration, Instant};

use url::Url;

use super::COOLDOWN;
use crate::authenticate::key_set::{KeyId, missing::MissingKeys};

/// Times and budgets; it fetches nothing itself.
#[derive(Debug)]
pub(super) struct Schedule {
    url: Option<Url>,
    due: Instant,
    pause: Duration,
    /// A fetch has begun, or will at once.
    is_under_way: bool,
    last_demand: Option<Instant>,
    bonus: Bonus,
    /// Names that the last change of keys took away: no reason to use the bonus.
    lost: Vec<KeyId>,
    missing: MissingKeys,
}

/// A fetch on demand that brought other keys has shown that the server is changing them: one more
/// may follow before the cooldown is over, for a name not seen before, in case it changes them again.
/// That one earns nothing, so that a server whose answers alternate is asked twice per cooldown at
/// most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bonus {
    /// There is none to be had.
    None,
    /// It is earned when the fetch under way brings other keys.
    Possible,
    /// One fetch may follow.
    Earned,
}

impl Schedule {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            url: None,
            due: now,
            pause: FIRST_PAUSE,
            is_under_way: false,
            last_demand: None,
            bonus: Bonus::None,
            lost: Vec::new(),
            missing: MissingKeys::default(),
        }
    }

    /// Whether the address is a new one; then a fetch is under way.
    pub(super) fn set_url(&mut self, url: Url, now: Instant) -> bool {
        if self.url.as_ref() == Some(&url) {
            return false;
        }
        self.url = Some(url);
        self.due = now;
        self.pause = FIRST_PAUSE;
        self.is_under_way = true;
        true
    }

    /// How long until the next fetch; nothing when there is nowhere to fetch from.
    pub(super) fn until_due(&self, now: Instant) -> Option<Duration> {
        self.url.as_ref()?;
        if self.is_under_way {
            return Some(Duration::ZERO);
        }
        Some(self.due.saturating_duration_since(now))
    }

    /// Takes a wish for a sooner fetch; `false` when there will be none.
    pub(super) fn demand(&mut self, kid: Option<&KeyId>, now: Instant) -> bool {
        if self.is_under_way {
            return true;
        }
        let is_cool = |at: Instant| now.saturating_duration_since(at) >= COOLDOWN;
        let may_look = kid.is_none_or(|kid| self.missing.may_look_for(kid, now));
        let is_cool = self.last_demand.is_none_or(is_cool);
        let is_new = kid.is_some_and(|kid| !self.lost.contains(kid));
        let may_use_bonus = is_new && self.bonus == Bonus::Earned;
        if self.url.is_none() || !(is_cool || may_use_bonus) || !may_look {
            return false;
        }
        self.bonus = if is_cool { Bonus::Possible } else { Bonus::None };
        self.last_demand = Some(now);
        self.is_under_way = true;
        true
    }

    /// How long after a failure the next fetch follows.
    pub(super) fn pause(&self) -> Duration {
        self.pause
    }

    pub(super) fn note_missing(&mut self, kid: &KeyId, now: Instant) {
        self.missing.note(kid, now);
    }

    /// A fetch begins, from here.
    pub(super) fn begin(&mut self) -> Option<Url> {
        self.is_under_way = self.url.is_some();
        self.url.clone()
    }

    /// A fetch brought other keys than before, and none of these names.
    pub(super) fn note_change(&mut self, lost: Vec<KeyId>) {
        self.lost = lost;
        if self.bonus == Bonus::Possible {
            self.bonus = Bonus::Earned;
        }
    }

    /// A fetch brought a set with this lifetime; says when the next one is due.
    pub(super) fn succeed(&mut self, url: &Url, now: Instant, lifetime: Duration) -> Instant {
        self.pause = FIRST_PAUSE;
        self.end(url, now + lifetime.saturating_sub((lifetime / 10).min(LONGEST_PAUSE)))
    }

    /// A fetch failed; says when the next one is due.
    pub(super) fn fail(&mut self, url: &Url, now: Instant) -> Instant {
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        self.end(url, now + pause)
    }

    fn end(&mut self, url: &Url, due: Instant) -> Instant {
        self.due = due;
        if self.bonus == Bonus::Possible {
            self.bonus = Bonus::None;
        }
        // The address may have changed in the meantime: then the next fetch follows at once.
        self.is_under_way = self.url.as_ref() != Some(url);
        due
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
