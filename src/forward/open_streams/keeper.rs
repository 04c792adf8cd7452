//! Watching over open streams: who ends them, and who asks about their tokens.
//!
//! 1. One task for each route with open streams, on the background runtime. It sleeps until the next
//!    token ends or is due, [`LONGEST_PAUSE`] at most: the clock may be set, and a newer token may
//!    end sooner.
//! 2. A token is asked about the way requests ask, so that what one learns the other knows. At most
//!    [`MAX_QUESTIONS`] are under way, so that requests find room between them.
//! 3. Every end is logged once, with its reason.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{
    Entry, OpenStreams, Unread,
    held_token::{End, HeldToken, Moment, Outlook, Reach},
};
use crate::oauth::{ClientId, Subject};

/// What one look at all streams has found.
struct Round {
    moment: Moment,
    ended: Vec<Ended>,
    due: Vec<Arc<HeldToken>>,
    /// Seconds until something is to be done.
    left: f64,
}

struct Ended {
    signal: CancellationToken,
    streams: usize,
    held: Arc<HeldToken>,
    end: End,
}

impl OpenStreams {
    /// Sees to it that somebody watches.
    pub(super) fn start_watching(self: &Arc<Self>) {
        if !self.is_watched.swap(true, std::sync::atomic::Ordering::SeqCst) {
            self.background.spawn(Arc::clone(self).watch());
        }
    }

    async fn watch(self: Arc<Self>) {
        loop {
            let pause = self.look();
            if self.may_rest() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.wake.notified() => {}
            }
        }
    }

    /// Whether nothing is left to watch; whoever opens a stream next starts anew.
    fn may_rest(&self) -> bool {
        use std::sync::atomic::Ordering::SeqCst;
        if self.open.load(SeqCst) > 0 {
            return false;
        }
        self.is_watched.store(false, SeqCst);
        self.open.load(SeqCst) == 0 || self.is_watched.swap(true, SeqCst)
    }

    /// Looks at every stream once, and says how long the next look can wait.
    pub(super) fn look(self: &Arc<Self>) -> Duration {
        let moment = self.now();
        let left = LONGEST_PAUSE.as_secs_f64();
        let mut round = Round { moment, ended: Vec::new(), due: Vec::new(), left };
        for shard in &self.shards {
            let mut shard = shard.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            shard.retain(|_, entry| match round.end_of(entry) {
                Some(end) => {
                    let (signal, held) = (entry.ended.clone(), Arc::clone(&entry.newest));
                    round.ended.push(Ended { signal, streams: entry.streams, held, end });
                    false
                }
                None => true,
            });
            if shard.capacity() > 4 * (shard.len() + MANY) {
                shard.shrink_to_fit();
            }
        }
        round.ended.into_iter().for_each(|ended| self.end(&ended));
        self.tokens.settle();
        self.ask_about(round.due);
        Duration::try_from_secs_f64(round.left).unwrap_or(LONGEST_PAUSE).max(BREATH)
    }

    fn now(&self) -> Moment {
        Moment { unix_seconds: self.clock.unix_seconds(), instant: self.clock.instant() }
    }

    fn end(&self, Ended { signal, streams, held, end }: &Ended) {
        signal.cancel();
        let identity = held.identity();
        info!(
            route = &*self.route,
            reason = end.reason(),
            streams,
            subject = identity.subject().map(Subject::as_str),
            client_id = identity.client_id().map(ClientId::as_str),
            issuer = identity.issuer().as_str(),
            "event streams end with their token"
        );
    }

    fn ask_about(self: &Arc<Self>, mut due: Vec<Arc<HeldToken>>) {
        while !due.is_empty() {
            // A few tasks for many tokens, and all have their turns one after the other.
            let share = due.len().div_ceil(MAX_QUESTIONS).max(FEW);
            let some = due.split_off(due.len().saturating_sub(share));
            self.background.spawn(Arc::clone(self).ask(some));
        }
    }

    async fn ask(self: Arc<Self>, due: Vec<Arc<HeldToken>>) {
        for held in due {
            let Some(token) = held.token().cloned() else { continue };
            let Ok(_turn) = self.turns.acquire().await else { return };
            let judge = self.judge.load_full();
            let asked_at = self.now();
            let judged = judge.authenticator.verify_again(token).await;
            let times = (asked_at, self.clock.unix_seconds());
            if held.learn(judged, |token| judge.policy.keeps(token), times) {
                self.wake.notify_one();
            }
        }
    }
}

impl Round {
    /// Whether and why streams of this token end.
    fn end_of(&mut self, entry: &Entry) -> Option<End> {
        let (held, reach) = (&entry.newest, entry.reach);
        match held.look(self.moment) {
            Outlook::Over(end) => Some(end),
            // What a subscription was let in for was judged message by message, once: it asks anew.
            Outlook::Good { grants_less: true, .. } if reach == Reach::Stream => {
                Some(End::ScopesMissing)
            }
            Outlook::Good { .. } if entry.unread == Unread::ListsToFilter => {
                Some(End::ListsToFilter)
            }
            Outlook::Good { is_due, left, .. } => {
                self.left = self.left.min(left);
                if is_due {
                    self.due.push(Arc::clone(held));
                }
                None
            }
        }
    }
}

/// Tokens asked about at once.
pub(super) const MAX_QUESTIONS: usize = 8;
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Between two looks, however near the next end is.
const BREATH: Duration = Duration::from_millis(10);
const FEW: usize = 4;
const MANY: usize = 256;
