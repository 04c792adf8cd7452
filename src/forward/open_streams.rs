//! How long event streams stay open: no longer than the tokens that their clients show.
//!
//! 1. A `GET` stream belongs to a session and a principal, and ends when the newest token that the
//!    principal has shown for that session is over. Whatever request of the session shows a newer
//!    one, on whichever worker, it counts from then on.
//! 2. The session is that of `Mcp-Session-Id`, or the message endpoint that an HTTP+SSE stream has
//!    named. Before it is named, and where there is none, the token that ends last counts of all
//!    that the principal shows on the route.
//! 3. A stream that a POST subscribed to, or may have, ends with its own token.
//! 4. A token is over when it expired, `clock_skew` ago at least; when its authorization server
//!    says that it is not active, or says less of it than the route demands; when the key that
//!    verified it is gone from the key set. What else can be told is told by `keeper`.
//! 5. When a route's configuration changes, all its open streams are judged by the new one.
//!    One that carries lists unread ends when the new one has something to hide in them.
//! 6. There are entries for open streams only, and on a route without any a request pays for a look
//!    at one number.
//! 7. Who wants to hear of an end waits for [`Tenure::ended`]; that is the gateway's drain as well.
//! 8. An entry is also where requests of its session leave word of the lists they ask for, which may
//!    be answered on its streams; see [`asked`](super::list_filter::asked).
//!
//! Responses to calls have no entry: they may finish.

mod held_token;
mod judge;
mod keeper;
mod key;
mod tenancy;

use std::{
    collections::{HashMap, hash_map::Entry as Slot},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use arc_swap::ArcSwap;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

pub use self::tenancy::Tenancy;
use self::{
    held_token::{HeldToken, HeldTokens, Reach},
    judge::Judge,
    key::Key,
};
use crate::{
    authenticate::{Authenticator, VerifiedToken, background::Background, token_facts::Principal},
    authorize::AccessPolicy,
    clock::Clock,
    forward::list_filter::{ListFilter, asked::AskedLists},
    oauth::TokenDigest,
};

/// The open event streams of one route.
pub struct OpenStreams {
    route: Box<str>,
    judge: ArcSwap<Judge>,
    clock: Arc<dyn Clock>,
    background: Background,
    /// How many streams are open.
    open: AtomicUsize,
    shards: [Mutex<HashMap<Key, Entry>>; SHARDS],
    tokens: HeldTokens,
    next_number: AtomicU64,
    is_watched: AtomicBool,
    /// Something may be over before the next look.
    wake: Notify,
    /// How many tokens may be asked about at once.
    turns: Arc<Semaphore>,
}

/// What a stream, or a request, belongs to besides its principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamSession<'a> {
    /// The message endpoint of an HTTP+SSE stream: path and query on the upstream.
    Endpoint(&'a str),
    /// The upstream's own `Mcp-Session-Id`.
    Id(&'a str),
    /// No session.
    None,
    /// A stream that no other request belongs to.
    Own,
}

/// The streams of one principal in one session.
struct Entry {
    newest: Arc<HeldToken>,
    ended: CancellationToken,
    streams: usize,
    /// Tells it from a later entry with the same key.
    number: u64,
    reach: Reach,
    lists: Arc<AskedLists>,
    /// What passes on at least one of its streams without being read.
    unread: Unread,
}

/// Whether something passes on streams without being read that should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unread {
    Nothing,
    /// Lists, in which nothing is to be hidden.
    Lists,
    /// Lists, in which something is to be hidden by now.
    ListsToFilter,
}

/// An open stream's entry; it leaves when this is dropped.
pub struct Tenure {
    streams: Arc<OpenStreams>,
    key: Key,
    place: Place,
    /// Whether its session is what it names itself.
    is_movable: bool,
    principal: Principal,
    is_unread: bool,
}

/// A place in an entry.
struct Place {
    number: u64,
    ended: CancellationToken,
    lists: Arc<AskedLists>,
}

impl OpenStreams {
    /// None yet, of a protected route.
    pub fn new(
        route: &str,
        authenticator: Arc<Authenticator>,
        policy: AccessPolicy,
        clock: Arc<dyn Clock>,
        background: Background,
    ) -> Arc<Self> {
        Arc::new(Self {
            route: route.into(),
            judge: ArcSwap::from_pointee(Judge { authenticator, policy }),
            clock,
            background,
            open: AtomicUsize::new(0),
            shards: std::array::from_fn(|_| Mutex::default()),
            tokens: HeldTokens::default(),
            next_number: AtomicU64::new(0),
            is_watched: AtomicBool::new(false),
            wake: Notify::new(),
            turns: Arc::new(Semaphore::new(keeper::MAX_QUESTIONS)),
        })
    }

    /// Enters a stream that a token opens; it ends with `drain` at the latest.
    pub fn open(
        self: &Arc<Self>,
        token: &VerifiedToken,
        session: StreamSession<'_>,
        drain: &CancellationToken,
    ) -> Tenure {
        self.open.fetch_add(1, Ordering::SeqCst);
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let key = Key::new(token.principal(), session, number);
        let held = self.tokens.hold(token, token.token().digest(), self.clock.instant());
        let reach = match session {
            StreamSession::Endpoint(_) | StreamSession::Id(_) => Reach::Session,
            StreamSession::None => Reach::Principal,
            StreamSession::Own => Reach::Stream,
        };
        let place = self.join(key, (Arc::clone(&held), reach), number, drain);
        self.judge_anew(&held);
        self.start_watching();
        Tenure {
            streams: Arc::clone(self),
            key,
            place,
            is_movable: session == StreamSession::None,
            principal: *token.principal(),
            is_unread: false,
        }
    }

    /// A request that was let in shows a token.
    pub fn shown(&self, token: &VerifiedToken, session: StreamSession<'_>) {
        if self.is_empty() {
            return;
        }
        let principal = token.principal();
        self.renew(Key::new(principal, StreamSession::None, 0), token);
        if session != StreamSession::None {
            self.renew(Key::new(principal, session, 0), token);
        }
    }

    /// A request that was let in asks for lists; their answers may come on streams of its session.
    pub fn asked(&self, principal: &Principal, session: StreamSession<'_>, filter: &ListFilter) {
        if self.is_empty() || session == StreamSession::None {
            return;
        }
        let key = Key::new(principal, session, 0);
        let lists = self.shard(&key).get(&key).map(|entry| Arc::clone(&entry.lists));
        if let Some(lists) = lists {
            lists.note(filter);
        }
    }

    /// A token turned out to be inactive.
    pub fn revoked(&self, digest: &TokenDigest) {
        if let Some(held) = self.tokens.find(digest) {
            held.is_inactive(self.clock.unix_seconds());
            self.wake.notify_one();
        }
    }

    /// Whether no stream is open.
    pub fn is_empty(&self) -> bool {
        self.open.load(Ordering::Acquire) == 0
    }

    fn join(
        &self,
        key: Key,
        (held, reach): (Arc<HeldToken>, Reach),
        number: u64,
        drain: &CancellationToken,
    ) -> Place {
        match self.shard(&key).entry(key) {
            Slot::Occupied(mut entry) => {
                let entry = entry.get_mut();
                entry.streams += 1;
                if held.replaces(&entry.newest, entry.reach) {
                    entry.newest = held;
                }
                entry.place()
            }
            Slot::Vacant(slot) => {
                let (ended, lists) = (drain.child_token(), Arc::default());
                let unread = Unread::Nothing;
                slot.insert(Entry { newest: held, ended, streams: 1, number, reach, lists, unread })
                    .place()
            }
        }
    }

    fn renew(&self, key: Key, token: &VerifiedToken) {
        let mut shard = self.shard(&key);
        let Some(entry) = shard.get_mut(&key) else { return };
        if !entry.newest.is_replaced_by(token, entry.reach) {
            return;
        }
        let (judge, now) = (self.judge.load(), self.clock.instant());
        if judge.policy.keeps(token) {
            let held = self.tokens.hold(token, token.token().digest(), now);
            // What let the request in may have been replaced meanwhile.
            held.is_judged_by(&judge, now);
            if held.is_good() {
                entry.newest = held;
            }
        }
    }

    /// What a request was judged by may have been replaced before its stream could be found here.
    fn judge_anew(&self, held: &HeldToken) {
        held.is_judged_by(&self.judge.load(), self.clock.instant());
    }

    /// Takes one stream out; what is left of its entry, if it is the last, is its token.
    fn leave(&self, key: Key, number: u64) -> Option<Arc<HeldToken>> {
        let mut shard = self.shard(&key);
        let entry = shard.get_mut(&key).filter(|entry| entry.number == number)?;
        entry.streams -= 1;
        let held = Arc::clone(&entry.newest);
        if entry.streams == 0 {
            shard.remove(&key);
        }
        Some(held)
    }

    fn shard(&self, key: &Key) -> MutexGuard<'_, HashMap<Key, Entry>> {
        let [first, others @ ..] = &self.shards;
        let index = key.shard() % SHARDS;
        let shard = index.checked_sub(1).and_then(|index| others.get(index)).unwrap_or(first);
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn place(&self) -> Place {
        let (ended, lists) = (self.ended.clone(), Arc::clone(&self.lists));
        Place { number: self.number, ended, lists }
    }
}

impl Tenure {
    /// Cancelled when the stream is to end.
    pub fn ended(&self) -> &CancellationToken {
        &self.place.ended
    }

    /// What other requests of its session ask for.
    pub fn lists(&self) -> &Arc<AskedLists> {
        &self.place.lists
    }

    /// Lists will pass on it unread.
    #[must_use]
    pub fn unread(mut self) -> Self {
        self.is_unread = true;
        self.streams.leave_unread(self.key, self.place.number);
        self
    }

    /// The stream has named its message endpoint: from now on that is its session. False where
    /// nothing changes, as in a session of another kind.
    pub fn enter(&mut self, endpoint: &str, drain: &CancellationToken) -> bool {
        let number = self.streams.next_number.fetch_add(1, Ordering::Relaxed);
        let key = Key::new(&self.principal, StreamSession::Endpoint(endpoint), number);
        if !self.is_movable || key == self.key {
            return false;
        }
        let Some(held) = self.streams.leave(self.key, self.place.number) else { return false };
        let joining = (Arc::clone(&held), Reach::Session);
        self.place = self.streams.join(key, joining, number, drain);
        self.key = key;
        if self.is_unread {
            self.streams.leave_unread(key, self.place.number);
        }
        self.streams.judge_anew(&held);
        true
    }
}

impl Drop for Tenure {
    fn drop(&mut self) {
        drop(self.streams.leave(self.key, self.place.number));
        self.streams.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl fmt::Debug for OpenStreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenStreams").field("open", &self.open).finish_non_exhaustive()
    }
}

impl fmt::Debug for Tenure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenure").field("number", &self.place.number).finish_non_exhaustive()
    }
}

const SHARDS: usize = 16;

#[cfg(test)]
mod tests;
