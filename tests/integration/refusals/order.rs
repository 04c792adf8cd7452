//! The order of decisions (the contract's section 3.2): what is wrong in two ways is refused for
//! the earlier one.

use crate::harness::{World, client::Call, token::now};

/// Each call has the fault that its row names and all later ones.
#[tokio::test]
async fn earlier_fault_decides() {
    let world = World::start().await;
    let call = |method: &str, path: &str| world.gateway.request(method, path).body("{}");
    let foreign = |call: Call| call.host("evil.example").header("Origin", "https://evil.example");
    for (call, status, what) in [
        (foreign(call("PUT", "/../x")), 400, "path before host"),
        (foreign(call("PUT", "/none")), 421, "host before route"),
        (call("PUT", "/none").header("Origin", "https://evil.example"), 404, "route before origin"),
        (
            call("PUT", "/notes").header("Origin", "https://evil.example"),
            403,
            "origin before method",
        ),
        (call("PUT", "/notes"), 405, "method before credentials"),
        (call("DELETE", "/notes"), 400, "body of DELETE before credentials"),
    ] {
        let response = call.send().await;
        assert_eq!(response.status, status, "{what}: {response:?}");
        assert_eq!(response.header("www-authenticate"), None, "{what}");
    }
    assert_eq!(world.upstream.bytes_received(), 0);
}

#[tokio::test]
async fn token_in_the_query_is_refused_before_any_token_is_judged() {
    let world = World::start().await;
    let call = world.gateway.post("/notes?access_token=x").bearer("unknown").bearer("other");
    let response = call.body("{}").send().await;
    assert_eq!(response.status, 400);
    assert!(response.text().contains("in the query"), "{response:?}");
    assert_eq!(world.authorization_server.introspection_count(), 0);
}

#[tokio::test]
async fn expired_token_without_the_scope_is_expired() {
    let world = World::start().await;
    let claims = world.claims().scope("other").with("exp", now() - 1);
    let token = world.authorization_server.mint(&claims);
    world.assert_invalid_token(
        &world.call().bearer(&token).send().await,
        "The access token expired",
    );
}

#[tokio::test]
async fn token_is_judged_before_the_session() {
    let world = World::start().await;
    let call = world.call().header("Mcp-Session-Id", "forged").bearer("unknown");
    world.assert_invalid_token(&call.send().await, "The access token is not valid");
}

#[tokio::test]
async fn session_is_judged_before_the_scope() {
    let world = World::start().await;
    let token = world.authorization_server.mint(&world.claims().scope("other"));
    let call = world.call().header("Mcp-Session-Id", "forged").bearer(&token);
    assert_eq!(call.send().await.status, 404);
}

#[tokio::test]
async fn body_is_read_before_the_scope_is_judged() {
    let yaml = "routes:\n  notes:\n";
    let world =
        World::but(yaml, &format!("listen: {{limits: {{max_body_bytes: 100}}}}\n{yaml}")).await;
    let token = world.authorization_server.mint(&world.claims().scope("other"));
    let response = world.call().bearer(&token).body(vec![b' '; 101]).send().await;
    assert_eq!(response.status, 413, "{response:?}");
    let response = world.call().bearer(&token).body(vec![b' '; 100]).send().await;
    assert_eq!(response.status, 403, "{response:?}");
    assert_eq!(world.upstream.bytes_received(), 0);
}

#[tokio::test]
async fn unauthorized_body_is_not_read_beyond_what_its_id_needs() {
    let world = World::start().await;
    let head = world.gateway.post("/notes").header("Content-Length", "1000000").head_bytes();
    let mut client = crate::harness::client::RawClient::connect(world.gateway.address()).await;
    client.send(head).await;
    let response = client.response().await;
    assert_eq!(response.status, 401);
    assert_eq!(response.header("connection"), Some("close"));
    client.closed().await;
}
