//! The tokens that keep streams open, each once however many streams it keeps.
//!
//! 1. Only a token that its authorization server must be asked about again is held itself, and only
//!    while a stream is open that it is the newest token of: nobody else could ask. Of a JWT the
//!    digest and what it says suffice.
//! 2. It is due to be asked about when what is remembered of it has lapsed, and no more often than
//!    every [`SHORTEST_PAUSE`]; where nothing is ever remembered, every [`UNREMEMBERED_PAUSE`].
//! 3. A server that cannot answer changes nothing; it is asked again later.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use super::judge::Judge;
use crate::{
    authenticate::{
        AuthenticateError, TokenFault, TokenIdentity, VerifiedToken, standing::Renewed,
    },
    oauth::{BearerToken, TokenDigest},
};

/// The tokens that keep the streams of one route open.
#[derive(Default)]
pub(super) struct HeldTokens(Mutex<HashMap<TokenDigest, Weak<HeldToken>>>);

/// A token that keeps at least one stream open.
pub(super) struct HeldToken {
    digest: TokenDigest,
    token: Option<BearerToken>,
    state: Mutex<State>,
}

struct State {
    identity: TokenIdentity,
    standing: Standing,
    /// When to look after it.
    due: Instant,
    is_asked: bool,
    is_unanswered: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Good,
    /// It grants less than when a stream was opened with it.
    Less,
    Over(End),
}

/// What a token keeps open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The streams of a principal that are of no session.
    Principal,
    /// The streams of one session.
    Session,
    /// One stream, and no other token does.
    Stream,
}

/// Why a token keeps nothing open any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It expired.
    Expired,
    /// The authorization server says that it is not active.
    Inactive,
    /// The key that verified it is gone from the key set.
    KeyRemoved,
    /// Nothing is known against it, but lists are to be filtered that its streams carry unread.
    ListsToFilter,
    /// What it grants is less than what the stream needs.
    ScopesMissing,
    /// The authorization server says of it what is not acceptable here.
    Unacceptable,
}

/// How a token stands now.
#[derive(Debug, PartialEq)]
pub(super) enum Outlook {
    /// It is over.
    Over(End),
    /// It is good, at least until the next look.
    Good {
        /// It grants less than it did.
        grants_less: bool,
        /// It is to be asked about, by whoever hears this.
        is_due: bool,
        /// Seconds until something is to be done about it.
        left: f64,
    },
}

/// A moment by both clocks.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) unix_seconds: f64,
    pub(super) instant: Instant,
}

impl HeldTokens {
    /// Holds a token, or finds that it is held already.
    pub(super) fn hold(
        &self,
        token: &VerifiedToken,
        digest: TokenDigest,
        now: Instant,
    ) -> Arc<HeldToken> {
        let mut tokens = self.lock();
        let held = tokens.get(&digest).and_then(Weak::upgrade);
        // One that is on its way out says nothing of a token that was good a moment ago.
        if let Some(held) = held.filter(|held| held.lock().standing == Standing::Good) {
            return held;
        }
        let held = Arc::new(HeldToken::new(token, digest, now));
        tokens.insert(digest, Arc::downgrade(&held));
        held
    }

    pub(super) fn find(&self, digest: &TokenDigest) -> Option<Arc<HeldToken>> {
        self.lock().get(digest).and_then(Weak::upgrade)
    }

    /// Forgets those that keep nothing open any more.
    pub(super) fn settle(&self) {
        let mut tokens = self.lock();
        tokens.retain(|_, held| held.strong_count() > 0);
        if tokens.capacity() > 4 * (tokens.len() + MANY) {
            tokens.shrink_to_fit();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TokenDigest, Weak<HeldToken>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }
}

impl HeldToken {
    fn new(token: &VerifiedToken, digest: TokenDigest, now: Instant) -> Self {
        let identity = token.identity().clone();
        let state = State {
            standing: Standing::Good,
            due: next_look(&identity, &digest, now),
            identity,
            is_asked: false,
            is_unanswered: false,
        };
        let token = state.identity.is_asked_about().then(|| token.token().clone());
        Self { digest, token, state: Mutex::new(state) }
    }

    /// The token itself, where it must be asked about.
    pub(super) fn token(&self) -> Option<&BearerToken> {
        self.token.as_ref()
    }

    /// Whose it is.
    pub(super) fn identity(&self) -> TokenIdentity {
        self.lock().identity.clone()
    }

    /// Whether it takes another's place, as the newest token within `reach`.
    pub(super) fn replaces(&self, other: &Self, reach: Reach) -> bool {
        let identity = self.identity();
        self.digest != other.digest && is_newest(&identity, &other.lock().identity, reach)
    }

    /// Whether a token that is shown takes its place.
    pub(super) fn is_replaced_by(&self, shown: &VerifiedToken, reach: Reach) -> bool {
        let state = self.lock();
        let identity = shown.identity();
        // Nearly every request: the same token, remembered once.
        if state.identity.is_same(identity) || shown.token().digest() == self.digest {
            return false;
        }
        is_newest(identity, &state.identity, reach)
    }

    /// Whether nothing is known against it.
    pub(super) fn is_good(&self) -> bool {
        self.lock().standing == Standing::Good
    }

    /// Looks how it stands; whoever hears that it is due must ask.
    pub(super) fn look(&self, now: Moment) -> Outlook {
        let mut state = self.lock();
        if let Standing::Over(end) = state.standing {
            return Outlook::Over(end);
        }
        let end = state.identity.lasts_until();
        if end.is_some_and(|end| end <= now.unix_seconds) {
            return Outlook::Over(End::Expired);
        }
        // Of an expired token nothing is left to learn: it lasts a moment longer, or it is replaced.
        let mut is_due = !state.is_asked
            && state.due <= now.instant
            && !state.identity.has_expired(now.unix_seconds);
        if is_due && self.token.is_some() {
            state.is_asked = true;
        } else if is_due {
            is_due = false;
            state.due = now.instant + KEY_PAUSE;
            if state.identity.has_lost_its_key(&self.digest) {
                state.standing = Standing::Over(End::KeyRemoved);
                return Outlook::Over(End::KeyRemoved);
            }
        }
        let until_due = state.due.saturating_duration_since(now.instant).as_secs_f64();
        let left = end.map_or(until_due, |end| (end - now.unix_seconds).min(until_due));
        Outlook::Good { grants_less: state.standing == Standing::Less, is_due, left }
    }

    /// Takes in what came of asking, which is as old as the question; whether it is over or grants
    /// less.
    pub(super) fn learn(
        &self,
        judged: Result<VerifiedToken, AuthenticateError>,
        suffices: impl FnOnce(&VerifiedToken) -> bool,
        (asked_at, now): (Moment, f64),
    ) -> bool {
        let mut state = self.lock();
        state.is_asked = false;
        let standing = match judged {
            Ok(token) if !suffices(&token) => Standing::Over(End::ScopesMissing),
            Ok(token) => {
                let identity = token.identity().clone();
                let grants_less = !identity.grants_no_less_than(&state.identity);
                state.due = next_look(&identity, &self.digest, asked_at.instant);
                state.identity = identity;
                state.is_unanswered = false;
                if grants_less { Standing::Less } else { state.standing }
            }
            // It expired between question and answer.
            Err(AuthenticateError::Invalid(_)) if state.identity.has_expired(now) => return false,
            Err(AuthenticateError::Invalid(invalid)) => Standing::Over(match invalid.fault() {
                TokenFault::Expired => End::Expired,
                TokenFault::Inactive => End::Inactive,
                TokenFault::BadSignature
                | TokenFault::Bound
                | TokenFault::Malformed
                | TokenFault::NotYetValid
                | TokenFault::OtherType
                | TokenFault::UnknownKey
                | TokenFault::UnsupportedAlgorithm
                | TokenFault::WrongAudience
                | TokenFault::WrongIssuer => End::Unacceptable,
            }),
            Err(error) => {
                state.due = asked_at.instant + RETRY_PAUSE;
                if !std::mem::replace(&mut state.is_unanswered, true) {
                    tracing::warn!(
                        error = %error,
                        "a token that keeps streams open cannot be asked about; they stay open \
                         until it expires"
                    );
                }
                return false;
            }
        };
        std::mem::replace(&mut state.standing, standing) != standing
    }

    /// What its route asks for may have changed.
    pub(super) fn is_judged_by(&self, judge: &Judge, now: Instant) {
        let mut state = self.lock();
        if let Standing::Over(_) = state.standing {
            return;
        }
        match judge.authenticator.judge_again(&state.identity) {
            Renewed::Taken if judge.policy.is_content_with(&state.identity.facts().scope) => {}
            Renewed::Taken => state.standing = Standing::Over(End::ScopesMissing),
            Renewed::Asked if self.token.is_some() => state.due = now,
            // What verified it is gone; whoever reconnects is verified anew.
            Renewed::Asked | Renewed::Refused => {
                state.standing = Standing::Over(End::Unacceptable);
            }
        }
    }

    /// Somebody heard that it is not active; of an expired token that says nothing.
    pub(super) fn is_inactive(&self, unix_seconds: f64) {
        let mut state = self.lock();
        if !state.identity.has_expired(unix_seconds) {
            state.standing = Standing::Over(End::Inactive);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl End {
    /// What the log says.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Expired => "token_expired",
            Self::Inactive => "token_inactive",
            Self::KeyRemoved => "key_removed",
            Self::ListsToFilter => "lists_to_filter",
            Self::ScopesMissing => "insufficient_scope",
            Self::Unacceptable => "token_unacceptable",
        }
    }
}

/// Several clients may use a principal at a time, each with a token of its own: where nothing tells
/// them apart, none ends what another keeps.
fn is_newest(one: &TokenIdentity, other: &TokenIdentity, reach: Reach) -> bool {
    match reach {
        Reach::Principal => one.outlasts(other),
        Reach::Session | Reach::Stream => one.is_newer_than(other),
    }
}

fn next_look(identity: &TokenIdentity, digest: &TokenDigest, now: Instant) -> Instant {
    if !identity.is_asked_about() {
        return now + KEY_PAUSE;
    }
    match identity.fresh_until(digest) {
        Some(lapse) if lapse > now => lapse.max(now + SHORTEST_PAUSE),
        // An older answer serves while the server fails.
        Some(_) => now + RETRY_PAUSE,
        None => now + identity.lifetime_of_answers().max(UNREMEMBERED_PAUSE),
    }
}

pub(super) const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const UNREMEMBERED_PAUSE: Duration = Duration::from_secs(5);
const RETRY_PAUSE: Duration = Duration::from_secs(10);
const KEY_PAUSE: Duration = Duration::from_secs(5);
const MANY: usize = 1024;
