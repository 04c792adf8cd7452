//! Session keys: what a restart, a change of keys or of the upstream makes of references.

use crate::harness::{
    NOTES, PING, Parties, World, assert_answered,
    gateway::{TestGateway, port_is_free},
    upstream::{RESULT, Reply, StubUpstream},
};

const KEY: &str = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY";
const OTHER_KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE";

/// A world with these keys, a token of it and the reference of a session.
async fn with_session(keys: &str) -> (World, String, String) {
    let world = World::with(&format!("{keys}\n{NOTES}")).await;
    world.upstream.next(Reply::with(200, &[("Mcp-Session-Id", "canary")], RESULT));
    let token = world.token();
    let response = world.call().bearer(&token).send().await;
    assert_answered(&response);
    let session = response.header("mcp-session-id").unwrap().to_owned();
    (world, token, session)
}

/// The same gateway again, with these keys and this upstream.
async fn restarted(world: World, keys: &str, upstream: Option<StubUpstream>) -> World {
    let World { gateway, authorization_server, upstream: former } = world;
    let port = gateway.port();
    gateway.shut_down().await;
    port_is_free(port).await;
    let upstream = upstream.unwrap_or(former);
    let parties = Parties { authorization_server, upstream };
    let yaml = parties.fill(&format!("{keys}\n{NOTES}"));
    let gateway = TestGateway::prepare(&yaml).port(port).start();
    gateway.ready().await;
    let Parties { authorization_server, upstream } = parties;
    World { gateway, authorization_server, upstream }
}

/// Asserts what the reference is worth now; an unknown one costs the upstream nothing.
async fn assert_known(world: &World, token: &str, session: &str, is_known: bool) {
    let seen = world.upstream.bytes_received();
    for method in ["POST", "GET", "DELETE"] {
        let call = world.gateway.request(method, "/notes").bearer(token);
        let call = if method == "POST" { call.body(PING) } else { call };
        let response = call.header("Mcp-Session-Id", session).send().await;
        if is_known {
            assert_answered(&response);
            let request = world.upstream.requests().pop().unwrap();
            assert_eq!(request.header("mcp-session-id"), Some("canary"));
        } else {
            assert_eq!(response.status, 404, "{method}");
            assert_eq!(response.header("www-authenticate"), None);
            assert_eq!(world.upstream.bytes_received(), seen, "{method}");
        }
    }
}

/// K14: with the same keys a reference outlives the process.
#[tokio::test]
async fn reference_outlives_a_restart_with_the_same_keys() {
    let keys = format!("sessions: {{keys: [{KEY}]}}");
    let (world, token, session) = with_session(&keys).await;
    let world = restarted(world, &keys, None).await;
    assert_known(&world, &token, &session, true).await;
}

/// K15: a key that was added does not end what an older one sealed; one that was removed does.
#[tokio::test]
async fn rotated_keys() {
    let (world, token, session) = with_session(&format!("sessions: {{keys: [{KEY}]}}")).await;
    let both = format!("sessions: {{keys: [{OTHER_KEY}, {KEY}]}}");
    let world = restarted(world, &both, None).await;
    assert_known(&world, &token, &session, true).await;
    let world = restarted(world, &format!("sessions: {{keys: [{OTHER_KEY}]}}"), None).await;
    assert_known(&world, &token, &session, false).await;
}

/// K14, K16: there is no key that everybody has: without one, a restart forgets, and never
/// believes.
#[tokio::test]
async fn kuadrant_714_no_default_key() {
    let (world, token, session) = with_session("").await;
    let world = restarted(world, "", None).await;
    assert_known(&world, &token, &session, false).await;
}

/// K05: a reference is of one upstream: where the route leads elsewhere now, it means nothing.
#[tokio::test]
async fn agentgateway_818_reference_to_a_former_upstream() {
    let keys = format!("sessions: {{keys: [{KEY}]}}");
    let (world, token, session) = with_session(&keys).await;
    let world = restarted(world, &keys, Some(StubUpstream::start().await)).await;
    assert_known(&world, &token, &session, false).await;
}
