//! Event streams end with the newest token that their principal has shown for their session.
//!
//! Time is set by the tests. Where a stream must *not* have ended, another one that must have ended
//! by the same look at all streams is waited for first: the witness.

mod expiry;
mod listening;
mod refresh;
mod revocation;

use std::{sync::Arc, time::Duration};

use gatehouse::clock::{Clock as _, ManualClock};

use crate::harness::{
    NOTES, PING, Parties, World, assert_answered,
    client::{Call, RawClient},
    clock::eventually,
    gateway::TestGateway,
    raw::RawResponse,
    token::Token,
    upstream::{Feed, RESULT, Reply},
};

/// A world whose time the test sets.
pub(crate) struct Timed {
    world: World,
    clock: Arc<ManualClock>,
}

/// An open stream: the upstream's end and the client's.
struct Stream {
    feed: Feed,
    client: RawClient,
}

impl Timed {
    async fn start() -> Self {
        Self::with(NOTES, 1).await
    }

    async fn with(yaml: &str, workers: usize) -> Self {
        Self::of(Parties::start().await, yaml, workers).await
    }

    async fn of(parties: Parties, yaml: &str, workers: usize) -> Self {
        let clock = Arc::new(ManualClock::new());
        let mut yaml = parties.fill(yaml);
        if !yaml.contains("clock_skew") {
            yaml = yaml.replace("    client:", "    clock_skew: 0s\n    client:");
        }
        let gateway = TestGateway::prepare(&yaml).clock(&clock).workers(workers).start();
        gateway.ready().await;
        let Parties { authorization_server, upstream } = parties;
        let world = World { gateway, authorization_server, upstream };
        world.upstream.answer(|request| match request.header("x-give-session") {
            Some(session) => {
                let headers = [("Content-Type", "application/json"), ("Mcp-Session-Id", session)];
                Reply::with(200, &headers, RESULT)
            }
            None => Reply::json(RESULT),
        });
        Self { world, clock }
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// The claims of a token that ends so many seconds from now, or a moment sooner.
    #[expect(clippy::cast_possible_truncation, reason = "seconds since the epoch fit")]
    fn claims(&self, seconds: i64) -> Token {
        let now = self.clock.unix_seconds() as i64;
        // Without skew, what was issued by the system's clock may lie ahead of ours.
        self.world.claims().with("iat", now).with("exp", now + seconds)
    }

    /// A token of alice for so many seconds.
    fn token(&self, seconds: i64) -> String {
        self.world.authorization_server.mint(&self.claims(seconds))
    }

    /// Opens a session of the upstream, and returns its reference.
    async fn session(&self, token: &str, name: &str) -> String {
        let call = self.world.call().bearer(token).header("X-Give-Session", name);
        let response = call.send().await;
        assert_answered(&response);
        response.header("mcp-session-id").expect("a session").to_owned()
    }

    async fn post(&self, token: &str, session: Option<&str>) -> RawResponse {
        let call = self.world.call().bearer(token);
        match session {
            Some(session) => call.header("Mcp-Session-Id", session).send().await,
            None => call.send().await,
        }
    }

    fn get(&self, token: &str) -> Call {
        self.world.gateway.get("/notes").bearer(token).header("Accept", "text/event-stream")
    }

    async fn open(&self, call: Call) -> Stream {
        let (feed, reply) = Feed::events();
        self.world.upstream.next(reply);
        let mut client = call.open().await;
        let head = client.head().await;
        assert_eq!(head.status, 200, "{head:?}");
        Stream { feed, client }
    }

    /// A GET stream without session.
    async fn stream(&self, token: &str) -> Stream {
        self.open(self.get(token)).await
    }

    /// A GET stream of a session.
    async fn stream_of(&self, token: &str, session: &str) -> Stream {
        self.open(self.get(token).header("Mcp-Session-Id", session)).await
    }

    /// An HTTP+SSE stream, and the path of its message endpoint as the client sees it.
    async fn legacy(&self, token: &str, endpoint: &str) -> (Stream, String) {
        let mut stream = self.stream(token).await;
        stream.feed.chunk(&format!("event: endpoint\ndata: {endpoint}\n\n"));
        let event = String::from_utf8(stream.client.chunk().await.unwrap()).unwrap();
        let path = event.strip_prefix("event: endpoint\ndata: ").unwrap().trim_end().to_owned();
        (stream, path)
    }

    async fn message(&self, token: &str, path: &str) -> RawResponse {
        self.world.gateway.post(path).bearer(token).body(PING).send().await
    }

    /// A stream that a POST subscribes to.
    async fn listen(&self, token: &str) -> Stream {
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen"}"#;
        self.open(self.world.gateway.post("/notes").bearer(token).body(body)).await
    }

    fn asked(&self) -> usize {
        self.world.authorization_server.introspection_count()
    }

    /// Waits until the authorization server was asked so often, and no more.
    async fn asked_so_often(&self, times: usize) {
        eventually("questions", || match self.asked() {
            asked if asked == times => Ok(()),
            other => Err(other.to_string()),
        })
        .await;
    }
}

impl Stream {
    /// Asserts that an event still passes, whole and at once.
    async fn passes(&mut self, event: &str) {
        self.feed.chunk(event);
        assert_eq!(self.client.events(event).await, event);
    }

    /// Asserts that it ends properly, for client and upstream, and that nothing more comes.
    async fn ends(mut self) {
        assert_eq!(self.client.chunk().await, Some(Vec::new()), "a proper end");
        self.feed.gone().await;
    }
}
