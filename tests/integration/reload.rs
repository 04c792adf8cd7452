//! A configuration that changes while the gateway serves: what changes with it, and what does not.

mod authorization;
mod process;

use gatehouse::reload::Outcome;

use crate::harness::{
    NOTES, TASKS, World, assert_answered,
    client::RawClient,
    clock::eventually,
    upstream::{Feed, Reply},
};

fn with_tasks() -> String {
    format!("{NOTES}{TASKS}")
}

/// Opens an event stream on `notes`.
async fn stream(world: &World, token: &str) -> (Feed, RawClient) {
    let (feed, reply) = Feed::events();
    world.upstream.next(reply);
    let call = world.gateway.get("/notes").bearer(token).header("Accept", "text/event-stream");
    let mut client = call.open().await;
    assert_eq!(client.head().await.status, 200);
    assert_passes(&feed, &mut client, "begin").await;
    (feed, client)
}

/// Asserts that an event passes through an open stream.
async fn assert_passes(feed: &Feed, client: &mut RawClient, name: &str) {
    let event = format!("data: {name}\n\n");
    feed.chunk(&event);
    let passed = client.chunk().await.expect("an event");
    assert_eq!(String::from_utf8(passed).unwrap(), event);
}

async fn reloads(world: &World, outcome: &str) -> f64 {
    let series = format!(r#"gatehouse_config_reloads_total{{outcome="{outcome}"}}"#);
    world.gateway.metric(&series).await
}

const SUCCESS: &str = "gatehouse_config_last_reload_success_timestamp_seconds";

const SUCCESSFUL: &str = "gatehouse_config_last_reload_successful";

#[tokio::test]
async fn what_did_not_change_is_taken_over() {
    let world = World::start().await;
    let token = world.token();
    let call = world.call().bearer(&token);
    assert_answered(&call.send().await);
    let (feed, mut client) = stream(&world, &token).await;
    assert_answered(&call.send().await);
    let connections = world.upstream.connections();
    for (yaml, outcome) in [
        (with_tasks(), Outcome::Applied),
        (format!("# nothing new\n{}", with_tasks()), Outcome::Unchanged),
        (
            format!("listen: {{limits: {{max_connections: 50}}}}\n{}", with_tasks()),
            Outcome::Applied,
        ),
        (NOTES.to_owned(), Outcome::Applied),
    ] {
        assert_eq!(world.reload(&yaml), outcome, "{yaml}");
        assert_answered(&call.send().await);
        assert_passes(&feed, &mut client, "next").await;
    }
    assert_eq!(world.authorization_server.introspection_count(), 1, "it was asked once");
    assert_eq!(world.authorization_server.fetched().len(), 1, "its metadata was read once");
    assert_eq!(world.upstream.connections(), connections, "connections were kept");
    assert_eq!(world.gateway.operate("/readyz").await.status, 200);
}

#[tokio::test]
async fn outcomes_are_counted_and_the_last_success_has_a_time() {
    let world = World::start().await;
    for outcome in ["applied", "rejected", "unchanged"] {
        let text = world.gateway.operate("/metrics").await.text();
        let line = format!(r#"gatehouse_config_reloads_total{{outcome="{outcome}"}} 0"#);
        assert!(text.lines().any(|each| each == line), "{line} in\n{text}");
    }
    let started = world.gateway.metric(SUCCESS).await;
    world.gateway.counts(SUCCESSFUL, 1.0).await;
    assert!(started > 1.6e9, "{started}");
    assert_eq!(world.reload("routes: ["), Outcome::Rejected);
    let unmoved = world.gateway.metric(SUCCESS).await;
    world.gateway.counts(SUCCESSFUL, 0.0).await;
    assert!((unmoved - started).abs() < f64::EPSILON, "a refusal is no success");
    assert_eq!(world.reload(NOTES), Outcome::Unchanged);
    let later = world.gateway.metric(SUCCESS).await;
    world.gateway.counts(SUCCESSFUL, 1.0).await;
    assert!(later > started, "{later} {started}");
    assert_eq!(world.reload(&with_tasks()), Outcome::Applied);
    for outcome in ["applied", "rejected", "unchanged"] {
        assert!((reloads(&world, outcome).await - 1.0).abs() < 0.1, "{outcome}");
    }
}

#[tokio::test]
async fn removed_route_is_404_at_once_while_a_request_in_flight_finishes() {
    let world = World::with(&with_tasks()).await;
    let token = world.token();
    let tasks = world.gateway.url("/tasks");
    let other =
        world.authorization_server.mint(&world.claims().audience(&tasks).scope("notes.read"));
    assert_answered(&world.gateway.post("/tasks").bearer(&other).body(CALL).send().await);
    let (listening, mut listener) = stream(&world, &token).await;
    let (feed, reply) = Feed::chunks(&[("Content-Type", "application/json")]);
    world.upstream.next(reply);
    let before = world.upstream.requests().len();
    let mut flight = world.call().bearer(&token).open().await;
    eventually("the upstream has the request", || {
        let seen = world.upstream.requests().len();
        if seen > before { Ok(()) } else { Err(seen.to_string()) }
    })
    .await;
    let without_notes = format!("{}routes:\n{TASKS}", NOTES.split("routes:").next().unwrap());
    assert_eq!(world.reload(&without_notes), Outcome::Applied);
    assert_eq!(world.call().bearer(&token).send().await.status, 404);
    listening.chunk("data: not any more\n\n");
    assert_eq!(listener.chunk().await, Some(Vec::new()), "the stream of a removed route ends");
    feed.chunk("{}");
    feed.end();
    let response = flight.response().await;
    assert_eq!((response.status, &*response.text(), response.is_whole), (200, "{}", true));
    assert_answered(&world.gateway.post("/tasks").bearer(&other).body(CALL).send().await);
}

#[tokio::test]
async fn sessions_outlive_a_reload_with_random_keys() {
    let world = World::start().await;
    let token = world.token();
    let fields = [("Content-Type", "application/json"), ("Mcp-Session-Id", "upstream-session")];
    world.upstream.next(Reply::with(200, &fields, CALL));
    let response = world.call().bearer(&token).send().await;
    let session = response.header("mcp-session-id").unwrap().to_owned();
    assert_eq!(world.reload(&with_tasks()), Outcome::Applied);
    let response = world.call().bearer(&token).header("Mcp-Session-Id", &session).send().await;
    assert_answered(&response);
    let seen = world.upstream.requests();
    assert_eq!(seen.last().unwrap().header("mcp-session-id"), Some("upstream-session"));
    // New keys are another matter.
    let keys = format!("sessions: {{keys: [{}]}}\n{}", "a".repeat(64), with_tasks());
    assert_eq!(world.reload(&keys), Outcome::Applied);
    let response = world.call().bearer(&token).header("Mcp-Session-Id", &session).send().await;
    assert_eq!(response.status, 404);
}

#[tokio::test]
async fn limits_hold_from_the_next_request_on() {
    let world = World::start().await;
    let call = world.authorized().body(format!("{CALL:<4096}"));
    assert_answered(&call.send().await);
    let small = format!("listen: {{limits: {{max_body_bytes: 1024}}}}\n{NOTES}");
    assert_eq!(world.reload(&small), Outcome::Applied);
    assert_eq!(call.send().await.status, 413);
    assert_eq!(world.reload(NOTES), Outcome::Applied);
    assert_answered(&call.send().await);
}

const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
