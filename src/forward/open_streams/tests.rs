use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use super::*;
use crate::{
    authenticate::tests::{TestTokens, settings},
    authorize::{Demands, rules::Rules},
    clock::ManualClock,
    oauth::Scope,
};

/// The streams of a route with one authorization server that nobody can reach.
struct Route {
    tokens: TestTokens,
    clock: Arc<ManualClock>,
    streams: Arc<OpenStreams>,
    drain: CancellationToken,
}

fn policy() -> AccessPolicy {
    let required: Scope = ["notes.read".parse().unwrap()].into_iter().collect();
    let rules = Rules::new(<_>::default(), <_>::default());
    AccessPolicy::Protected(Arc::new(Demands::new(required, rules)))
}

impl Route {
    fn new() -> Self {
        Self::of("https://as.example")
    }

    fn of(issuer: &str) -> Self {
        let clock = Arc::new(ManualClock::new());
        let background =
            Background::new(Handle::current(), TaskTracker::new(), CancellationToken::new());
        let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let tokens = TestTokens::new(settings(issuer), &shared, &background);
        let authenticator = Arc::clone(&tokens.authenticator);
        let streams = OpenStreams::new("notes", authenticator, policy(), shared, background);
        Self { tokens, clock, streams, drain: CancellationToken::new() }
    }

    /// A token of alice that ends so many seconds from now; its skew is 30 s.
    fn token(&self, name: &str, seconds: f64) -> VerifiedToken {
        self.token_of("alice", name, seconds)
    }

    fn token_of(&self, subject: &str, name: &str, seconds: f64) -> VerifiedToken {
        // In whole seconds, as issued: sums of fractions are not to be compared for equality.
        let exp = (self.clock.unix_seconds() + seconds).floor();
        let claims = format!(r#"{{"sub":"{subject}","scope":"notes.read","exp":{exp}}}"#);
        self.tokens.verified(name, &claims)
    }

    fn open(&self, token: &VerifiedToken, session: StreamSession<'_>) -> Tenure {
        self.streams.open(token, session, &self.drain)
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        self.streams.look();
    }

    fn entries(&self) -> usize {
        self.streams.shards.iter().map(|shard| shard.lock().unwrap().len()).sum()
    }
}

const ONE: StreamSession<'_> = StreamSession::Id("one");
const TWO: StreamSession<'_> = StreamSession::Id("two");

#[tokio::test]
async fn stream_ends_by_the_wall_clock_to_the_second() {
    let route = Route::new();
    let stream = route.open(&route.token("a", 60.0), ONE);
    route.pass(89);
    assert!(!stream.ended().is_cancelled());
    route.pass(1);
    assert!(stream.ended().is_cancelled());
}

#[tokio::test]
async fn only_what_is_shown_in_the_session_by_its_principal_counts() {
    let route = Route::new();
    let first = route.token("a", 60.0);
    let (one, two) = (route.open(&first, ONE), route.open(&first, TWO));
    let (none, own) =
        (route.open(&first, StreamSession::None), route.open(&first, StreamSession::Own));
    let endpoint = route.open(&first, StreamSession::Endpoint("one"));
    route.streams.shown(&route.token_of("bob", "b", 600.0), TWO);
    route.streams.shown(&route.token("c", 600.0), ONE);
    route.pass(90);
    let ended = [&one, &none, &two, &own, &endpoint].map(|stream| stream.ended().is_cancelled());
    assert_eq!(ended, [false, false, true, true, true]);
}

#[tokio::test]
async fn token_that_the_route_would_refuse_does_not_count() {
    let route = Route::new();
    let stream = route.open(&route.token("a", 60.0), ONE);
    let poor = route.tokens.verified("b", r#"{"sub":"alice","scope":"other"}"#);
    route.streams.shown(&poor, ONE);
    route.pass(90);
    assert!(stream.ended().is_cancelled());
}

#[tokio::test]
async fn inactive_token_ends_its_streams_unless_it_has_expired_or_been_replaced() {
    let route = Route::new();
    let digest = |token: &VerifiedToken| token.token().digest();
    let (first, second) = (route.token("a", 60.0), route.token("b", 600.0));
    let (one, two) = (route.open(&first, ONE), route.open(&first, TWO));
    route.streams.shown(&second, ONE);
    route.streams.revoked(&digest(&first));
    route.pass(0);
    assert!(two.ended().is_cancelled() && !one.ended().is_cancelled());
    route.pass(600);
    route.streams.revoked(&digest(&second));
    route.pass(0);
    assert!(!one.ended().is_cancelled(), "expired, and not yet over");
    route.pass(30);
    assert!(one.ended().is_cancelled());
}

#[tokio::test]
async fn stream_that_names_its_endpoint_belongs_there() {
    let route = Route::new();
    let first = route.token("a", 60.0);
    let mut stream = route.open(&first, StreamSession::None);
    assert!(stream.enter("/m?s=1", &route.drain));
    assert!(!stream.enter("/m?s=1", &route.drain), "the same again");
    route.streams.shown(&route.token("b", 600.0), StreamSession::Endpoint("/m?s=1"));
    route.pass(90);
    assert!(!stream.ended().is_cancelled());
    assert!(!route.open(&first, ONE).enter("/m", &route.drain), "it has a session");
    route.drain.cancel();
    assert!(stream.ended().is_cancelled());
}

#[tokio::test]
async fn nothing_is_left_of_streams_that_are_gone() {
    let route = Route::new();
    let token = route.token("a", 60.0);
    let mut streams: Vec<_> = (0..100).map(|_| route.open(&token, ONE)).collect();
    streams.push(route.open(&route.token("b", 70.0), ONE));
    assert_eq!((route.entries(), route.streams.tokens.len()), (1, 2));
    // The entry of an end is gone with it; a stream that comes later has one of its own.
    route.pass(100);
    assert_eq!(route.entries(), 0);
    let later = route.open(&route.token("c", 60.0), ONE);
    drop(streams);
    assert_eq!(route.entries(), 1);
    assert!(!later.ended().is_cancelled());
    drop(later);
    route.pass(0);
    assert_eq!((route.entries(), route.streams.tokens.len()), (0, 0));
    assert!(route.streams.is_empty());
}

#[tokio::test]
async fn raw_token_is_held_only_where_it_must_be_asked_about() {
    let route = Route::new();
    let token = route.token("a", 60.0);
    let held = route.streams.tokens.hold(&token, token.token().digest(), route.clock.instant());
    assert!(held.token().is_some());
    let signed = route.tokens.signed("b", r#"{"sub":"alice","exp":9999999999}"#);
    let held = route.streams.tokens.hold(&signed, signed.token().digest(), route.clock.instant());
    assert!(held.token().is_none());
}

/// A request that was let in by what was in force before shows its token after the change.
#[tokio::test]
async fn token_of_a_server_that_was_taken_away_keeps_nothing_open() {
    let (route, other) = (Route::new(), Route::of("https://other.example"));
    let stream = route.open(&route.token("a", 60.0), ONE);
    let late = route.token("b", 600.0);
    route.streams.judge_by(Arc::clone(&other.tokens.authenticator), policy());
    route.streams.shown(&late, ONE);
    route.pass(0);
    assert!(stream.ended().is_cancelled());
}
