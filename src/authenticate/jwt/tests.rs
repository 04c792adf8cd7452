//! A verifier with a key set of its own making.

mod claims;
mod form;
mod load;
mod rotation;
mod signatures;

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, atomic::AtomicUsize},
    time::Duration,
};

use http::StatusCode;
use serde_json::{Value, json};
use tokio::{runtime::Handle, sync::Notify};
use tokio_util::task::TaskTracker;

use super::*;
use crate::{
    authenticate::{
        jwt_kit::{SigningKey, key_set},
        key_set::source::{Fetched, Fetching},
        outbound::OutboundError,
    },
    clock::ManualClock,
    metrics::Metrics,
};

const COOLDOWN: Duration = Duration::from_secs(30);
const ISSUER: &str = "https://as.example";

/// One key for each algorithm's type; making RSA keys takes time.
fn key(algorithm: &'static str) -> SigningKey {
    static KEYS: LazyLock<Mutex<HashMap<&'static str, SigningKey>>> = LazyLock::new(Mutex::default);
    let kind = if algorithm.starts_with(['R', 'P']) { "RS256" } else { algorithm };
    let mut keys = KEYS.lock().unwrap();
    keys.entry(kind).or_insert_with(|| SigningKey::generate(kind)).using(algorithm)
}

/// A server of key sets that says what it is told to.
#[derive(Debug)]
struct Keys {
    answer: Mutex<Result<Fetched, OutboundError>>,
    count: AtomicUsize,
    /// Fetches wait here while it is held.
    held: watch::Sender<bool>,
    begun: Notify,
}

impl Fetch for Arc<Keys> {
    fn fetch<'f>(&'f self, _: &'f Url) -> Fetching<'f> {
        self.count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        self.begun.notify_one();
        Box::pin(async {
            drop(self.held.subscribe().wait_for(|held| !held).await);
            self.answer.lock().unwrap().clone()
        })
    }
}

impl Keys {
    fn say(&self, status: u16, max_age: Option<u64>, body: &str) {
        *self.answer.lock().unwrap() = Ok(Fetched {
            status: StatusCode::from_u16(status).unwrap(),
            max_age: max_age.map(Duration::from_secs),
            body: body.to_owned().into(),
        });
    }

    fn publish(&self, jwks: &[Value]) {
        self.say(200, None, &key_set(jwks));
    }

    fn fail(&self) {
        *self.answer.lock().unwrap() = Err(OutboundError::Timeout);
    }

    fn fetches(&self) -> usize {
        self.count.load(std::sync::atomic::Ordering::SeqCst)
    }
}

/// A verifier, what it fetches from and what it goes by.
struct Bench {
    verifier: Arc<JwtVerifier>,
    keys: Arc<Keys>,
    clock: Arc<ManualClock>,
    metrics: Metrics,
}

impl Bench {
    /// With these public keys, fetched already.
    async fn with(jwks: &[Value]) -> Self {
        Self::with_settings(jwks, |_| {}).await
    }

    async fn with_settings(
        jwks: &[Value],
        change: impl FnOnce(&mut AuthorizationServerSettings),
    ) -> Self {
        let bench = Self::without_address(change);
        bench.keys.publish(jwks);
        bench.verifier.set_jwks_uri("https://as.example/jwks".parse().unwrap());
        bench.after_fetches(1).await;
        bench
    }

    fn without_address(change: impl FnOnce(&mut AuthorizationServerSettings)) -> Self {
        let mut settings = crate::authenticate::tests::settings(ISSUER);
        settings.jwt.cache_max_entries = 1000;
        change(&mut settings);
        let keys = Arc::new(Keys {
            answer: Mutex::new(Err(OutboundError::Timeout)),
            count: AtomicUsize::new(0),
            held: watch::Sender::new(false),
            begun: Notify::new(),
        });
        let clock = Arc::new(ManualClock::new());
        let metrics = Metrics::new().unwrap();
        let background =
            Background::new(Handle::current(), TaskTracker::new(), CancellationToken::new());
        let verifier = JwtVerifier::with_fetch(
            &Arc::new(settings),
            Box::new(Arc::clone(&keys)),
            Arc::clone(&clock) as _,
            background,
            metrics.key_set("corp"),
        );
        Self { verifier, keys, clock, metrics }
    }

    /// Waits until so many fetches have begun and what they brought is in force.
    async fn after_fetches(&self, count: usize) {
        for _ in 0..10_000 {
            let outcomes = ["changed", "unchanged", "unusable", "error", "timeout"];
            let ended: usize = outcomes.iter().map(|outcome| self.refreshes(outcome)).sum();
            if ended >= count {
                assert_eq!(ended, count, "more fetches than expected");
                return;
            }
            // Whoever keeps the keys looks at the clock when somebody reads them.
            self.verifier.not_ready();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("{} fetches instead of {count}", self.keys.fetches());
    }

    fn refreshes(&self, outcome: &str) -> usize {
        let text = String::from_utf8(self.metrics.render()).unwrap();
        let series = format!(
            r#"gatehouse_jwks_refreshes_total{{authorization_server="corp",outcome="{outcome}"}} "#
        );
        let line = text.lines().find_map(|line| line.strip_prefix(&series)).unwrap();
        line.parse().unwrap()
    }

    async fn verify(&self, token: &str) -> Verified {
        let token = BearerToken::parse(token.as_bytes()).unwrap();
        let digest = token.digest();
        tokio::time::timeout(Duration::from_secs(20), self.verifier.verify(&token, digest))
            .await
            .expect("a verdict in time")
    }

    async fn facts(&self, token: &str) -> Arc<TokenFacts> {
        match self.verify(token).await {
            Verified::Valid(facts) => facts,
            other @ (Verified::Invalid(_) | Verified::Unavailable(_)) => panic!("{other:?}"),
        }
    }

    async fn fault(&self, token: &str) -> JwtFault {
        match self.verify(token).await {
            Verified::Invalid(fault) => fault,
            other @ (Verified::Valid(_) | Verified::Unavailable(_)) => panic!("{other:?}: {token}"),
        }
    }

    /// Whether a token's key is unknown, rather than not looked for yet.
    async fn is_unknown(&self, token: &str) -> bool {
        match self.verify(token).await {
            Verified::Invalid(JwtFault::UnknownKey(_)) => true,
            Verified::Unavailable(why) if matches!(*why, KeySetError::Cooldown) => false,
            other @ (Verified::Valid(_) | Verified::Invalid(_) | Verified::Unavailable(_)) => {
                panic!("{other:?}")
            }
        }
    }

    fn recall(&self, token: &str) -> Option<Arc<TokenFacts>> {
        self.verifier.recall(&TokenDigest::of(token.as_bytes()))
    }

    /// Claims that nothing is wrong with, for an hour.
    fn claims(&self) -> Value {
        let now = self.clock.unix_seconds().floor();
        json!({
            "iss": ISSUER,
            "sub": "alice",
            "client_id": "client-1",
            "aud": "https://mcp.example.com/notes",
            "scope": "notes.read",
            "iat": now,
            "exp": now + 3600.0,
        })
    }

    /// The same, but for these; `null` removes one.
    fn claims_but(&self, other: Value) -> Value {
        let mut claims = self.claims();
        let Value::Object(other) = other else { panic!("{other}") };
        for (name, value) in other {
            claims[&name] = value;
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        claims
    }
}

const ALL: [&str; 10] =
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];
