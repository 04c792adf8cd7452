//! Lists that are asked for by POST and answered on an open stream are their asker's: filtered by the
//! token of that request and by the rules that let it in, whoever opened the stream.

use gatehouse::reload::Outcome;

use crate::harness::{
    NOTES, World,
    client::{Call, RawClient},
    json,
    upstream::{Feed, Reply},
};

const RULES: &str = "    filter_lists: scopes\n    tools: {delete_note: [notes.write]}\n";

/// An open stream, and how requests of its session are sent.
struct Session {
    feed: Feed,
    client: RawClient,
    path: String,
    header: Option<String>,
}

fn mint(world: &World, scope: &str) -> String {
    world.authorization_server.mint(&world.claims().scope(scope))
}

fn narrow(world: &World) -> String {
    mint(world, "notes.read")
}

fn wide(world: &World) -> String {
    mint(world, "notes.read notes.write")
}

async fn world() -> World {
    World::with(&format!("{NOTES}{RULES}")).await
}

async fn open(world: &World, call: Call) -> (Feed, RawClient) {
    let (feed, reply) = Feed::events();
    world.upstream.next(reply);
    let mut client = call.header("Accept", "text/event-stream").open().await;
    assert_eq!(client.head().await.status, 200);
    (feed, client)
}

/// HTTP+SSE: a stream that has named its message endpoint.
async fn legacy(world: &World, token: &str) -> Session {
    let (feed, mut client) = open(world, world.gateway.get("/notes").bearer(token)).await;
    feed.chunk("event: endpoint\ndata: /messages?session_id=1\n\n");
    let event = String::from_utf8(client.chunk().await.unwrap()).unwrap();
    let path = event.strip_prefix("event: endpoint\ndata: ").unwrap().trim_end().to_owned();
    Session { feed, client, path, header: None }
}

/// Streamable HTTP: the stream of a session.
async fn streamable(world: &World, token: &str) -> Session {
    let fields = [("Content-Type", "application/json"), ("Mcp-Session-Id", "one")];
    world.upstream.next(Reply::with(200, &fields, "{}"));
    let call = world.gateway.post("/notes").bearer(token).body(super::asking("ping"));
    let header = call.send().await.header("mcp-session-id").unwrap().to_owned();
    let get = world.gateway.get("/notes").bearer(token).header("Mcp-Session-Id", &header);
    let (feed, client) = open(world, get).await;
    Session { feed, client, path: "/notes".into(), header: Some(header) }
}

impl Session {
    /// Asks for a list; it is accepted, to be answered on the stream.
    async fn asks(&self, world: &World, token: &str, id: &str, method: &str) {
        world.upstream.next(Reply::with(202, &[], ""));
        let body = super::asking(method).replace(r#""id":1"#, &format!(r#""id":{id}"#));
        let mut call = world.gateway.post(&self.path).bearer(token).body(body);
        if let Some(session) = &self.header {
            call = call.header("Mcp-Session-Id", session);
        }
        assert_eq!(call.send().await.status, 202);
    }

    fn answers(&self, id: &str, result: &str) {
        let message = format!(r#"{{"jsonrpc":"2.0","result":{result},"id":{id}}}"#);
        self.feed.chunk(&format!("event: message\ndata: {message}\n\n"));
    }

    /// The result that comes next.
    async fn result(&mut self) -> serde_json::Value {
        let event = String::from_utf8(self.client.chunk().await.unwrap()).unwrap();
        let data = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        json(data)["result"].clone()
    }

    async fn shows(&mut self, id: &str, names: &[&str]) {
        self.answers(id, r#"{"tools":[{"name":"read_note"},{"name":"delete_note"}]}"#);
        let result = self.result().await;
        let found = result["tools"].as_array().unwrap();
        let found: Vec<_> = found.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
        assert_eq!(found, names, "{id}");
    }
}

#[tokio::test]
async fn list_on_a_stream_is_filtered_for_who_asked_for_it() {
    let world = world().await;
    let (narrow, wide) = (narrow(&world), wide(&world));
    for opener in [&narrow, &wide] {
        for mut session in [legacy(&world, opener).await, streamable(&world, opener).await] {
            session.asks(&world, &narrow, "1", "tools/list").await;
            session.asks(&world, &wide, "\"1\"", "tools/list").await;
            session.shows("\"1\"", &["read_note", "delete_note"]).await;
            session.shows("1", &["read_note"]).await;
            // Twice, and in one batch.
            session.shows("1", &["read_note"]).await;
            let tools = r#"{"tools":[{"name":"delete_note"}]}"#;
            session.feed.chunk(&format!(
                "data: [{{\"id\":1,\"result\":{tools}}},{{\"result\":{tools},\"i\\u0064\":\"1\"}}]\n\n"
            ));
            let expected = format!(
                "data: [{{\"id\":1,\"result\":{{\"tools\":[]}}}},{{\"result\":{tools},\"i\\u0064\":\"1\"}}]\n\n"
            );
            assert_eq!(session.client.events(&expected).await, expected);
            // The same id again is another request's.
            session.asks(&world, &narrow, "\"1\"", "tools/list").await;
            session.shows("\"1\"", &["read_note"]).await;
        }
    }
}

/// Whom nobody asked is shown what the last one may see.
#[tokio::test]
async fn list_that_nobody_asked_for_is_for_who_was_seen_last() {
    let world = world().await;
    let (narrow, wide) = (narrow(&world), wide(&world));
    let mut session = legacy(&world, &wide).await;
    session.shows("7", &["read_note", "delete_note"]).await;
    session.asks(&world, &narrow, "1", "tools/list").await;
    session.shows("7", &["read_note"]).await;
    session.asks(&world, &wide, "2", "prompts/list").await;
    session.shows("7", &["read_note"]).await;
    session.asks(&world, &wide, "2", "tools/list").await;
    session.shows("7", &["read_note", "delete_note"]).await;
    // What was asked for long ago is forgotten.
    session.shows("1", &["read_note"]).await;
    for id in 100..164 {
        session.asks(&world, &wide, &id.to_string(), "tools/list").await;
    }
    session.shows("1", &["read_note", "delete_note"]).await;
}

/// Of another principal's request nothing is taken, even at an upstream that knows no difference.
#[tokio::test]
async fn request_of_another_principal_or_session_changes_nothing() {
    let world = world().await;
    let (narrow, wide) = (narrow(&world), wide(&world));
    let mut session = streamable(&world, &narrow).await;
    let bob = world.claims().subject("bob").scope("notes.read notes.write");
    let bob = world.authorization_server.mint(&bob);
    let other = streamable(&world, &bob).await;
    other.asks(&world, &bob, "1", "tools/list").await;
    let third = legacy(&world, &wide).await;
    third.asks(&world, &wide, "1", "tools/list").await;
    session.shows("1", &["read_note"]).await;
}

#[tokio::test]
async fn list_on_a_stream_is_fresh_no_longer_than_the_token_that_asked() {
    let world = world().await;
    let endless = world.claims().scope("notes.read").without("exp");
    let mut session = legacy(&world, &world.authorization_server.mint(&endless)).await;
    let list = r#"{"tools":[],"ttlMs":99999999}"#;
    session.answers("1", list);
    assert_eq!(session.result().await["ttlMs"], 99_999_999);
    // This one lives for an hour.
    session.asks(&world, &narrow(&world), "1", "tools/list").await;
    session.answers("1", list);
    let result = session.result().await;
    assert!(result["ttlMs"].as_u64().unwrap() <= 3_600_000, "{result}");
    assert_eq!(result["cacheScope"], "private");
}

#[tokio::test]
async fn list_on_an_open_stream_follows_the_rules_that_let_its_request_in() {
    let world = world().await;
    let wide = wide(&world);
    let mut session = legacy(&world, &wide).await;
    session.asks(&world, &wide, "1", "tools/list").await;
    session.shows("1", &["read_note", "delete_note"]).await;
    let denied = RULES.replace("tools: {", "tools: {read_note: {deny: true}, ");
    assert_eq!(world.reload(&format!("{NOTES}{denied}")), Outcome::Applied);
    session.asks(&world, &wide, "2", "tools/list").await;
    session.shows("2", &["delete_note"]).await;
}

/// A stream on which nothing was to be hidden is not read: it ends when something is.
#[tokio::test]
async fn stream_with_unread_lists_ends_when_lists_are_to_be_filtered() {
    let world = World::start().await;
    let wide = wide(&world);
    let (mut one, mut two) = (legacy(&world, &wide).await, streamable(&world, &wide).await);
    let event = "data: {\"result\":{\"tools\":[{\"name\":\"delete_note\"}]}}\n\n";
    let scopes = format!("{NOTES}    tools: {{delete_note: [notes.write]}}\n");
    assert_eq!(world.reload(&scopes), Outcome::Applied);
    for session in [&mut one, &mut two] {
        session.feed.chunk(event);
        assert_eq!(session.client.events(event).await, event);
    }
    assert_eq!(world.reload(&format!("{NOTES}{RULES}")), Outcome::Applied);
    for mut session in [one, two] {
        assert_eq!(session.client.chunk().await, Some(Vec::new()), "a proper end");
        session.feed.gone().await;
    }
    // One that is read stays.
    let mut filtered = legacy(&world, &wide).await;
    let denied = RULES.replace("tools: {", "tools: {read_note: {deny: true}, ");
    assert_eq!(world.reload(&format!("{NOTES}{denied}")), Outcome::Applied);
    filtered.asks(&world, &wide, "1", "tools/list").await;
    filtered.shows("1", &["delete_note"]).await;
}

#[tokio::test]
async fn what_is_no_list_is_no_answer_to_who_asked_for_one() {
    for (asked, result) in [
        ("tools/list", r#"{"tools":{"0":{"name":"delete_note"}}}"#),
        ("tools/list", r#"[{"name":"delete_note"}]"#),
    ] {
        let world = world().await;
        let narrow = narrow(&world);
        let mut session = legacy(&world, &narrow).await;
        session.asks(&world, &narrow, "5", asked).await;
        // Answers to others are theirs.
        session.answers("6", result);
        session.result().await;
        session.answers("5", result);
        assert_eq!(session.client.chunk().await, None, "{result}");
        session.feed.gone().await;
    }
}
