//! Asking an authorization server about a token, at its introspection or userinfo endpoint.
//!
//! 1. A token is asked about at most once at a time; see
//!    [`token_cache`](crate::authenticate::token_cache).
//! 2. No source has more than its share of the questions under way.
//! 3. Whether it leaves questions unanswered is noted ([`silence`](super::silence)).
//! 4. Answers are remembered, failures never. While the server fails an older answer may serve
//!    (`stale_if_error`).

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use tokio::sync::watch;
use tracing::{info, warn};

use super::{AuthorizationServer, Knowledge, Reason, Unavailable};
use crate::{
    authenticate::{
        asker::Asker,
        discovery::Discovered,
        introspection::{self, Introspected, IntrospectionError},
        outbound::OutboundError,
        token_cache::{Flight, Joined},
        userinfo::{self, UserinfoError},
    },
    config::settings::AccessTokens,
    limits::questions::Question,
    oauth::{BearerToken, TokenDigest},
    traces::asked::{self, Asked},
};

impl AuthorizationServer {
    /// Asks about a token, or waits for the answer to somebody's question about it.
    pub(super) async fn ask(
        self: &Arc<Self>,
        token: &BearerToken,
        digest: TokenDigest,
        reason: Reason,
        asker: Asker<'_>,
    ) -> Knowledge {
        let since = asked::is_noted().then(|| self.clock.instant());
        if let Some(answer) = self.flights.follow(&digest) {
            self.metrics.coalesced.inc();
            let knowledge = await_answer(answer).await;
            self.note(&knowledge, since, true);
            return self.or_stale(knowledge, &digest);
        }
        // Whoever waits for half of the time has as much again for the answer.
        let patience = self.settings.introspection.timeout / 2;
        let turn = match asker.question(&self.settings.name, patience).await {
            Ok(turn) => turn,
            // The server has not failed: who floods it does not bring its old answers back.
            Err(busy) => return Knowledge::Unavailable(busy.into()),
        };
        let mut is_shared = true;
        let knowledge = match self.flights.join(digest, || self.look_up(&digest)) {
            Joined::Answered(knowledge) => {
                self.metrics.coalesced.inc();
                return knowledge;
            }
            Joined::Following(answer) => {
                self.metrics.coalesced.inc();
                // This one asks nothing.
                drop(turn);
                await_answer(answer).await
            }
            Joined::Leading(flight, answer) => {
                self.metrics.miss.inc();
                is_shared = false;
                let question = (token.clone(), reason);
                self.background.spawn(Arc::clone(self).answer(question, flight, turn));
                await_answer(answer).await
            }
            Joined::Full => return Knowledge::Unavailable(Unavailable::TooMany),
        };
        self.note(&knowledge, since, is_shared);
        self.or_stale(knowledge, &digest)
    }

    /// Notes a question that was waited for, in the trace of the request that waited.
    fn note(&self, knowledge: &Knowledge, since: Option<Instant>, is_shared: bool) {
        let Some(since) = since else { return };
        asked::note(Asked {
            authorization_server: self.settings.name.clone(),
            since,
            until: self.clock.instant(),
            answer: match knowledge {
                Knowledge::Active(_) => "active",
                Knowledge::Inactive | Knowledge::Refused(_) => "inactive",
                Knowledge::Unavailable(_) => "unavailable",
            },
            is_shared,
        });
    }

    /// Serves an older answer while the server fails, where the configuration allows it.
    fn or_stale(&self, knowledge: Knowledge, token: &TokenDigest) -> Knowledge {
        if !matches!(knowledge, Knowledge::Unavailable(_)) {
            return knowledge;
        }
        match self.cache.stale(token, self.clock.instant()) {
            Some(facts) => {
                self.metrics.stale.inc();
                Knowledge::Active(facts)
            }
            None => knowledge,
        }
    }

    async fn answer(
        self: Arc<Self>,
        (token, reason): (BearerToken, Reason),
        flight: Flight<Knowledge>,
        turn: Option<Question>,
    ) {
        let Some(discovered) = self.discovered.load_full() else {
            let why = self.not_ready().unwrap_or(Unavailable::NotYet);
            return flight.land(Knowledge::Unavailable(why));
        };
        let started = self.clock.instant();
        let answer = self.put_question(&discovered, &token).await;
        let now = self.clock.instant();
        self.metrics.duration.observe(now.saturating_duration_since(started).as_secs_f64());
        self.note_end(&answer);
        let knowledge = match answer {
            Ok(Introspected::Active(facts)) => {
                self.metrics.active.inc();
                self.all_inactive_so_far.store(DECIDED, Ordering::Relaxed);
                let facts = Arc::new(*facts);
                // As old as the question: the answer was true at some moment since.
                flight.remember(|| {
                    self.cache.remember_active(token.digest(), Arc::clone(&facts), started);
                });
                Knowledge::Active(facts)
            }
            Ok(Introspected::Inactive) => {
                self.metrics.inactive.inc();
                if reason != Reason::OneOfSeveral {
                    self.suspect_our_client();
                }
                flight.remember(|| self.cache.remember_inactive(token.digest(), started));
                Knowledge::Inactive
            }
            Err(unavailable) => {
                self.count_failure(&unavailable);
                Knowledge::Unavailable(unavailable)
            }
        };
        // Held for as long as the question was open, whoever waits for the answer; whoever hears it
        // may ask the next one.
        drop(turn);
        flight.land(knowledge);
    }

    async fn put_question(
        &self,
        discovered: &Discovered,
        token: &BearerToken,
    ) -> Result<Introspected, Unavailable> {
        if self.settings.access_tokens == AccessTokens::Userinfo {
            let endpoint = discovered.userinfo_endpoint.as_ref().ok_or(Unavailable::NotYet)?;
            let answer = userinfo::ask(&self.outbound, endpoint, token, &self.rules).await;
            return answer.map_err(|error| Unavailable::Userinfo(Arc::new(error)));
        }
        let endpoint = discovered.introspection_endpoint.as_ref().ok_or(Unavailable::NotYet)?;
        let (outbound, client) = (&self.outbound, &self.client);
        let answer =
            introspection::introspect(outbound, endpoint, client, token, &self.rules).await;
        answer.map_err(|error| Unavailable::Introspection(Arc::new(error)))
    }

    /// Notes whether a question ended in time.
    fn note_end(&self, answer: &Result<Introspected, Unavailable>) {
        let authorization_server = &*self.settings.name;
        if answer.as_ref().is_err_and(is_timeout) {
            if self.silence.timed_out() {
                warn!(
                    authorization_server,
                    "it leaves questions unanswered: where a route lists others, it is asked last"
                );
            }
        } else if self.silence.ended_in_time() {
            info!(authorization_server, "questions to it end in time again");
        }
    }

    fn count_failure(&self, unavailable: &Unavailable) {
        if is_timeout(unavailable) { self.metrics.timeout.inc() } else { self.metrics.error.inc() }
    }

    /// A client that may not introspect is told "inactive" of every token (RFC 7662 section 2.2).
    fn suspect_our_client(&self) {
        if !self.settings.access_tokens.are_introspected() {
            return;
        }
        let count = |count: u32| (count < SUSPICIOUS).then(|| count + 1);
        let before =
            self.all_inactive_so_far.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count);
        if before == Ok(SUSPICIOUS - 1) {
            warn!(
                authorization_server = &*self.settings.name,
                "the first {SUSPICIOUS} introspections were all inactive: may this client \
                 introspect these tokens at all? Check its permissions at the authorization server"
            );
        }
    }
}

/// Whether the server left the question unanswered for as long as it may.
fn is_timeout(unavailable: &Unavailable) -> bool {
    match unavailable {
        Unavailable::Introspection(error) => {
            matches!(**error, IntrospectionError::Outbound(OutboundError::Timeout))
        }
        Unavailable::Userinfo(error) => {
            matches!(**error, UserinfoError::Outbound(OutboundError::Timeout))
        }
        Unavailable::Busy(_)
        | Unavailable::Discovery(_)
        | Unavailable::KeySet(_)
        | Unavailable::Lost
        | Unavailable::NoTokenEndpoint
        | Unavailable::NotYet
        | Unavailable::TokenRequest(_)
        | Unavailable::TooMany => false,
    }
}

async fn await_answer(mut answer: watch::Receiver<Option<Knowledge>>) -> Knowledge {
    match answer.wait_for(Option::is_some).await {
        Ok(knowledge) => knowledge.clone().unwrap_or(Knowledge::Unavailable(Unavailable::Lost)),
        Err(_) => Knowledge::Unavailable(Unavailable::Lost),
    }
}

const SUSPICIOUS: u32 = 5;
/// No longer counting: one token was active.
const DECIDED: u32 = u32::MAX;
