//! When the keys are fetched next, and who may have them fetched sooner.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use url::Url;

use super::COOLDOWN;
use crate::{
    authenticate::key_set::{
        KeyId,
        missing::{self, MissingKeys},
    },
    oauth::TokenDigest,
};

/// Times and budgets; it fetches nothing itself.
#[derive(Debug)]
pub(super) struct Schedule {
    url: Option<Url>,
    due: Instant,
    pause: Duration,
    /// A fetch has begun, or will at once.
    is_under_way: bool,
    /// For a name that is not in the set.
    last_demand: Option<Instant>,
    /// For a key that does not verify: whoever damages a signature must not spend the other one.
    last_doubt: Option<Instant>,
    bonus: Bonus,
    /// Names that the last change of keys took away: no reason to use the bonus.
    lost: Vec<KeyId>,
    missing: MissingKeys,
    postponed: Postponed,
    /// When the last fetch began.
    began: Option<Instant>,
}

/// What becomes of a wish for a sooner fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// There will be one, or it is under way.
    Granted,
    /// There will be none: it has been looked for.
    InVain,
    /// There will be none now: it is looked for with the next one.
    Postponed,
}

/// Names that came while the budget was spent, and when they first did.
#[derive(Debug, Default)]
struct Postponed {
    since: HashMap<TokenDigest, Instant>,
    /// When the last fetch began that brought a set: a name that came before and is not in the set
    /// has been looked for.
    looked: Option<Instant>,
}

impl Postponed {
    /// Whether a name has been looked for since it first came; if it has not come, it has now.
    fn was_looked_for(&mut self, kid: &KeyId, now: Instant) -> bool {
        let digest = missing::digest(kid);
        if let Some(since) = self.since.get(&digest) {
            return self.looked.is_some_and(|looked| *since < looked);
        }
        if self.since.len() >= MAX_POSTPONED {
            self.since.retain(|_, since| now.saturating_duration_since(*since) < POSTPONED_FOR);
        }
        // No name stays by being the first: the map's order is nobody's to choose.
        let victim = (self.since.len() >= MAX_POSTPONED).then(|| self.since.keys().next().copied());
        if let Some(victim) = victim.flatten() {
            self.since.remove(&victim);
        }
        self.since.insert(digest, now);
        false
    }
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
            last_doubt: None,
            bonus: Bonus::None,
            lost: Vec::new(),
            missing: MissingKeys::default(),
            postponed: Postponed::default(),
            began: None,
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

    /// Takes a wish for a sooner fetch: for a name that is not in the set, or for another key in the
    /// place of one that does not verify.
    pub(super) fn demand(&mut self, kid: Option<&KeyId>, now: Instant) -> Wish {
        if self.is_under_way {
            return Wish::Granted;
        }
        if self.url.is_none() || kid.is_some_and(|kid| !self.missing.may_look_for(kid, now)) {
            return Wish::InVain;
        }
        let last = if kid.is_some() { &mut self.last_demand } else { &mut self.last_doubt };
        let is_cool = last.is_none_or(|at| now.saturating_duration_since(at) >= COOLDOWN);
        let is_new = kid.is_some_and(|kid| !self.lost.contains(kid));
        let may_use_bonus = is_new && self.bonus == Bonus::Earned;
        if !(is_cool || may_use_bonus) {
            // What a key that is there does not verify is not good by it, newer ones or not.
            let is_settled =
                kid.is_none_or(|kid| !is_new || self.postponed.was_looked_for(kid, now));
            return if is_settled { Wish::InVain } else { Wish::Postponed };
        }
        *last = Some(now);
        if kid.is_some() {
            self.bonus = if is_cool { Bonus::Possible } else { Bonus::None };
        }
        self.is_under_way = true;
        Wish::Granted
    }

    /// How long after a failure the next fetch follows.
    pub(super) fn pause(&self) -> Duration {
        self.pause
    }

    pub(super) fn note_missing(&mut self, kid: &KeyId, now: Instant) {
        self.missing.note(kid, now);
    }

    /// A fetch begins, from here.
    pub(super) fn begin(&mut self, now: Instant) -> Option<Url> {
        self.is_under_way = self.url.is_some();
        self.began = Some(now);
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
        self.postponed.looked = self.began;
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

/// Names kept apart while the budget is spent, and for how long at most where there are so many.
const MAX_POSTPONED: usize = 4096;
const POSTPONED_FOR: Duration = Duration::from_mins(10);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
