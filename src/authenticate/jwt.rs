//! JWT access tokens (RFC 7519, RFC 9068), verified here by the authorization server's key set.
//!
//! 1. The form is judged first, and strictly: a compact JWS in canonical encoding with a header
//!    that asks for nothing unusual (`compact`, `header`).
//! 2. The signature is checked before any claim is looked at, by a key that the key set has for the
//!    header's algorithm; nothing in the token chooses a key but its `kid`, by equality.
//! 3. Then the claims are read (`access_token`). Audience, time and kind are kept as facts and
//!    judged on every use.
//! 4. A verified token is remembered until it expires, and as long as its key is in the key set: a
//!    signature is checked once per token. What failed is not remembered; it could only crowd out
//!    what is good.
//! 5. First-time checks run on the background runtime, one at a time, each token's once; there is a
//!    bound on how many wait, and beyond it the answer is "unavailable". So a flood of bad
//!    signatures slows nobody whose token is known.
//! 6. An unknown key, or a signature that does not verify, has the key set fetched within its budget
//!    and is judged once more: the server may have changed its keys.
//!
//! The signature itself is checked by `jsonwebtoken` with its aws-lc-rs backend; of that crate
//! nothing else is used: it takes a token without `aud` or `iss`, any `typ`, and looks at claims as
//! the caller happens to configure it.

mod access_token;
mod compact;
mod fault;
mod header;
mod memory;

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use self::{compact::Compact, header::Header, memory::Memory};
pub use self::{compact::UnverifiedJwt, compact::inspect, fault::JwtFault};
use super::{
    background::Background,
    introspection::Rules,
    key_set::{
        Candidates, KeySetError, Thumbprint, VerificationKey,
        source::{Demand, Fetch, KeySetReport, KeySetSource},
    },
    outbound::Outbound,
    token_cache::{Flight, Flights, Joined},
    token_facts::TokenFacts,
};
use crate::{
    clock::Clock,
    config::settings::AuthorizationServerSettings,
    metrics::KeySetMetrics,
    oauth::{BearerToken, TokenDigest},
};

/// Verifies the JWTs of one authorization server.
#[derive(Debug)]
pub struct JwtVerifier {
    settings: Arc<AuthorizationServerSettings>,
    rules: Rules,
    keys: Arc<KeySetSource>,
    memory: Memory,
    flights: Flights<Verified>,
    /// One signature at a time, so that what else runs in the background goes on in between.
    turn: Semaphore,
    clock: Arc<dyn Clock>,
    background: Background,
    /// Ends the keeping of keys together with this.
    _stop: DropGuard,
}

/// What verification came to.
#[derive(Clone, Debug)]
pub enum Verified {
    /// It is the authorization server's, and this is what it says.
    Valid(Arc<TokenFacts>),
    /// It is not acceptable.
    Invalid(JwtFault),
    /// Nobody can say.
    Unavailable(Arc<KeySetError>),
}

impl JwtVerifier {
    /// Prepares a verifier; it has no keys before [`Self::set_jwks_uri`].
    pub fn start(
        settings: &Arc<AuthorizationServerSettings>,
        outbound: Outbound,
        clock: Arc<dyn Clock>,
        background: Background,
        metrics: KeySetMetrics,
    ) -> Arc<Self> {
        Self::with_fetch(settings, Box::new(outbound), clock, background, metrics)
    }

    fn with_fetch(
        settings: &Arc<AuthorizationServerSettings>,
        fetch: Box<dyn Fetch>,
        clock: Arc<dyn Clock>,
        background: Background,
        metrics: KeySetMetrics,
    ) -> Arc<Self> {
        let whose = (&*settings.name, settings.insecure_allow_http);
        let keys = Arc::new(KeySetSource::new(whose, fetch, Arc::clone(&clock), metrics));
        let stop = CancellationToken::new();
        let keep = stop.clone().run_until_cancelled_owned(Arc::clone(&keys).keep());
        background.spawn(async move {
            keep.await;
        });
        Arc::new(Self {
            rules: Rules { accepted_issuers: Vec::new(), ..Rules::new(settings) },
            memory: Memory::new(settings.jwt.cache_max_entries),
            settings: Arc::clone(settings),
            keys,
            flights: Flights::default(),
            turn: Semaphore::new(1),
            clock,
            background,
            _stop: stop.drop_guard(),
        })
    }

    /// Says where the key set is; the same address again changes nothing.
    pub fn set_jwks_uri(&self, url: Url) {
        self.keys.set_url(url);
    }

    /// Why no token can be verified, if none can.
    pub fn not_ready(&self) -> Option<Arc<KeySetError>> {
        self.keys.not_ready()
    }

    /// Forgets all tokens that were verified.
    pub fn forget_tokens(&self) {
        self.memory.clear();
    }

    /// What is known of the keys.
    pub fn key_set(&self) -> KeySetReport {
        self.keys.report()
    }

    /// What is known of a token that was verified before, by a key that is still in the key set.
    pub fn recall(&self, digest: &TokenDigest) -> Option<Arc<TokenFacts>> {
        let now = self.clock.instant();
        let remembered = self.memory.look_up(digest, now)?;
        self.keys.has(&remembered.key, now).then_some(remembered.facts)
    }

    /// Whether the key that verified a token is in the key set no longer.
    pub fn has_lost_key_of(&self, digest: &TokenDigest) -> bool {
        let now = self.clock.instant();
        let remembered = self.memory.look_up(digest, now);
        remembered.is_some_and(|remembered| self.keys.has_dropped(&remembered.key, now))
    }

    /// How many tokens are remembered, roughly.
    pub fn cached(&self) -> u64 {
        self.memory.len()
    }

    /// Verifies a token that is not remembered.
    pub async fn verify(self: &Arc<Self>, token: &BearerToken, digest: TokenDigest) -> Verified {
        let header = Compact::read(token.expose())
            .and_then(|compact| Header::read(&compact.header, &self.settings.jwt));
        let header = match header {
            Ok(header) => Arc::new(header),
            Err(fault) => return Verified::Invalid(fault),
        };
        let before = self.candidates(&header);
        let first = match &before {
            Ok(keys) => self.check(token, digest, &header, keys.clone()).await,
            Err(lack) => lack.verdict(&header),
        };
        let may_depend_on_keys =
            before.is_err() || matches!(first, Verified::Invalid(JwtFault::BadSignature(_)));
        if !may_depend_on_keys {
            return first;
        }
        let is_unknown = matches!(before, Err(Lack::Unknown));
        if is_unknown && self.has_expired_by_its_own_word(token) {
            // Refused with any key: none need be looked for.
            return first;
        }
        let demand = self.keys.demand(header.kid.as_ref().filter(|_| is_unknown)).await;
        match self.candidates(&header) {
            Ok(keys) if before.is_ok_and(|before| are_same(&before, &keys)) => first,
            Ok(keys) => self.check(token, digest, &header, keys).await,
            Err(lack) => self.without_key(&lack, demand, &header),
        }
    }

    fn has_expired_by_its_own_word(&self, token: &BearerToken) -> bool {
        let latest = self.clock.unix_seconds() - self.settings.clock_skew.as_secs_f64();
        compact::unverified_expiry(token.expose()).is_some_and(|exp| exp <= latest)
    }

    /// The keys that may have signed a token.
    fn candidates(&self, header: &Header) -> Result<Vec<Arc<VerificationKey>>, Lack> {
        let Some(set) = self.keys.current() else {
            let why = self.keys.not_ready().unwrap_or_else(|| Arc::new(KeySetError::NotYet));
            return Err(Lack::Set(why));
        };
        match set.candidates(header.kid.as_ref(), header.algorithm) {
            Candidates::Keys(keys) => Ok(keys),
            Candidates::Unfit => Err(Lack::Unfit),
            Candidates::Unknown => Err(Lack::Unknown),
        }
    }

    /// The verdict when there is no key, after newer ones were asked for.
    fn without_key(&self, lack: &Lack, demand: Demand, header: &Header) -> Verified {
        if matches!(lack, Lack::Set(_)) {
            return lack.verdict(header);
        }
        // Whether the server has such a key by now, nobody can say while it does not answer.
        if demand == Demand::Slow {
            return Verified::Unavailable(Arc::new(KeySetError::Slow));
        }
        if let Some(failure) = self.keys.last_failure() {
            return Verified::Unavailable(failure);
        }
        if demand == Demand::Spent {
            return Verified::Unavailable(Arc::new(KeySetError::Cooldown));
        }
        if let (Lack::Unknown, Demand::Ended, Some(kid)) = (lack, demand, &header.kid) {
            self.keys.note_missing(kid);
        }
        lack.verdict(header)
    }

    /// Checks a token's signature in the background, or waits for somebody's check of it.
    async fn check(
        self: &Arc<Self>,
        token: &BearerToken,
        digest: TokenDigest,
        header: &Arc<Header>,
        keys: Vec<Arc<VerificationKey>>,
    ) -> Verified {
        let again = || self.recall(&digest).map(Verified::Valid);
        match self.flights.join(flight_of(&digest, &keys), again) {
            Joined::Answered(verdict) => verdict,
            Joined::Following(answer) => landed(answer).await,
            Joined::Leading(flight, answer) => {
                let check =
                    Check { token: token.clone(), digest, header: Arc::clone(header), keys };
                self.background.spawn(Arc::clone(self).take_turn(check, flight));
                landed(answer).await
            }
            Joined::Full => Verified::Unavailable(Arc::new(KeySetError::TooMany)),
        }
    }

    async fn take_turn(self: Arc<Self>, check: Check, flight: Flight<Verified>) {
        let Ok(turn) = self.turn.acquire().await else { return };
        let verdict = match self.judge(&check) {
            Ok(facts) => Verified::Valid(facts),
            Err(fault) => Verified::Invalid(fault),
        };
        drop(turn);
        flight.land(verdict);
    }

    fn judge(&self, check: &Check) -> Result<Arc<TokenFacts>, JwtFault> {
        let Check { token, digest, header, keys } = check;
        let compact = Compact::read(token.expose())?;
        let message = compact.signing_input.as_bytes();
        let key = keys
            .iter()
            .find(|key| key.verifies(header.algorithm, message, compact.signature))
            .ok_or_else(|| JwtFault::BadSignature(header.kid.clone()))?;
        let facts = access_token::read(&compact.payload()?, header, &self.rules, digest)?;
        let facts = Arc::new(facts);
        self.remember(*digest, Arc::clone(&facts), *key.thumbprint());
        Ok(facts)
    }

    fn remember(&self, digest: TokenDigest, facts: Arc<TokenFacts>, key: Thumbprint) {
        let Some(expires_at) = facts.expires_at else { return };
        let skew = self.settings.clock_skew.as_secs_f64();
        let left = expires_at + skew - self.clock.unix_seconds();
        self.memory.remember(digest, facts, key, (self.clock.instant(), left));
    }
}

/// One first-time verification.
struct Check {
    token: BearerToken,
    digest: TokenDigest,
    header: Arc<Header>,
    keys: Vec<Arc<VerificationKey>>,
}

/// Why no key can be tried.
enum Lack {
    /// There is no key set.
    Set(Arc<KeySetError>),
    /// The key that the token names is another algorithm's.
    Unfit,
    /// No key is the one that the token names.
    Unknown,
}

impl Lack {
    fn verdict(&self, header: &Header) -> Verified {
        match self {
            Self::Set(why) => Verified::Unavailable(Arc::clone(why)),
            Self::Unfit => Verified::Invalid(JwtFault::UnfitKey(header.algorithm)),
            Self::Unknown => Verified::Invalid(JwtFault::UnknownKey(header.kid.clone())),
        }
    }
}

fn are_same(some: &[Arc<VerificationKey>], others: &[Arc<VerificationKey>]) -> bool {
    some.iter().map(|key| key.thumbprint()).eq(others.iter().map(|key| key.thumbprint()))
}

/// Checks by other keys are other checks: nobody is told what came of keys that are gone.
fn flight_of(digest: &TokenDigest, keys: &[Arc<VerificationKey>]) -> TokenDigest {
    let keys = keys.iter().map(|key| key.thumbprint().as_bytes().as_slice());
    let parts: Vec<_> = std::iter::once(digest.as_bytes().as_slice()).chain(keys).collect();
    TokenDigest::of(&parts.concat())
}

async fn landed(mut answer: watch::Receiver<Option<Verified>>) -> Verified {
    let verdict = answer.wait_for(Option::is_some).await.ok().and_then(|verdict| verdict.clone());
    verdict.unwrap_or_else(|| Verified::Unavailable(Arc::new(KeySetError::Slow)))
}

#[cfg(test)]
mod tests;
