//! What one peer may cost: the rows of the table about sizes and times.

use crate::harness::{
    NOTES, World, assert_answered, client::RawClient, clock::eventually_heard, refusal,
};

async fn limited(limits: &str) -> World {
    World::with(&format!("listen: {{limits: {{{limits}}}}}\n{NOTES}")).await
}

#[tokio::test]
async fn declared_body_larger_than_the_limit_is_refused_unread() {
    let world = limited("max_body_bytes: 1000").await;
    let token = world.token();
    let call = world.gateway.post("/notes").bearer(&token).header("Content-Length", "1001");
    let mut client = RawClient::connect(world.gateway.address()).await;
    client.send(call.head_bytes()).await;
    let response = client.response().await;
    world.assert_refused(&response, 413, None, &refusal("null", -32600, "Content Too Large"));
    assert_eq!(response.header("connection"), Some("close"));
    let fits = world.gateway.post("/notes").bearer(&token).body(vec![b' '; 1000]).send().await;
    assert_answered(&fits);
}

#[tokio::test]
async fn chunked_body_that_grows_past_the_limit_is_refused() {
    let world = limited("max_body_bytes: 1000").await;
    let call = world.gateway.post("/notes").bearer(&world.token());
    let call = call.header("Transfer-Encoding", "chunked");
    let mut client = RawClient::connect(world.gateway.address()).await;
    client.send(call.head_bytes()).await;
    client.send(format!("3e9\r\n{}\r\n0\r\n\r\n", " ".repeat(1001))).await;
    let response = client.response().await;
    world.assert_refused(&response, 413, None, &refusal("null", -32600, "Content Too Large"));
}

#[tokio::test]
async fn slow_body_is_refused() {
    let world = limited("body_timeout: 300ms").await;
    let mut client = RawClient::connect(world.gateway.address()).await;
    client.send(world.authorized().head_bytes()).await;
    client.send("{").await;
    let response = client.response().await;
    world.assert_refused(&response, 408, None, &refusal("null", -32600, "Request Timeout"));
    assert_eq!(response.header("connection"), Some("close"));
    client.closed().await;
}

#[tokio::test]
async fn body_that_breaks_off_never_reaches_the_upstream() {
    let world = World::start().await;
    let mut client = RawClient::connect(world.gateway.address()).await;
    client.send(world.authorized().header("X-Marker", "broken").head_bytes()).await;
    client.send("{").await;
    drop(client);
    assert_answered(&world.authorized().header("X-Marker", "whole").send().await);
    assert!(!world.upstream.log().contains("broken"), "{}", world.upstream.log());
}

#[tokio::test]
async fn head_larger_than_the_limit_is_refused() {
    let world = limited("max_header_bytes: 8192").await;
    for call in [
        world.authorized().header("X-Large", &"x".repeat(8192)),
        (0..101).fold(world.authorized(), |call, n| call.header(&format!("X-{n}"), "")),
    ] {
        let mut client = call.open().await;
        let response = client.response().await;
        assert_eq!(response.status, 431, "{response:?}");
        assert_eq!(world.upstream.bytes_received(), 0);
        client.closed().await;
    }
    assert_answered(&world.authorized().header("X-Large", &"x".repeat(1000)).send().await);
}

#[tokio::test]
async fn overlong_target_is_refused() {
    let world = World::start().await;
    let target = format!("/notes?{}", "x".repeat(20_000));
    let response = world.gateway.post(&target).bearer(&world.token()).body("{}").send().await;
    assert_eq!(response.status, 414, "{response:?}");
    assert_eq!(world.upstream.bytes_received(), 0);
}

#[tokio::test]
async fn slow_head_ends_the_connection() {
    let world = limited("header_timeout: 300ms").await;
    for start in ["", "POST /notes HTTP/1.1\r\nHost: "] {
        let mut client = RawClient::connect(world.gateway.address()).await;
        client.send(start).await;
        if !start.is_empty() {
            assert_eq!(client.response().await.status, 408);
        }
        client.closed().await;
    }
}

#[tokio::test]
async fn idle_connection_is_closed() {
    let world = limited("idle_timeout: 300ms").await;
    let mut client = world.authorized().open().await;
    assert_answered(&client.response().await);
    client.closed().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_are_answered_and_closed() {
    let world = limited("max_connections: 2").await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut client = world.authorized().open().await;
        assert_answered(&client.response().await);
        held.push(client);
    }
    let mut refused = world.authorized().open().await;
    let response = refused.response().await;
    assert_eq!(response.status, 503, "{response:?}");
    assert!(response.header("retry-after").is_some());
    let body = crate::harness::json(&response.text());
    assert_eq!(body["error"]["code"], -32000);
    assert_eq!(body["error"]["message"], "Overloaded");
    refused.closed().await;
    assert_eq!(world.upstream.requests().len(), 2);
    drop(held);
    eventually_heard("a place becomes free", async || {
        match world.authorized().send().await.status {
            200 => Ok(()),
            status => Err(status.to_string()),
        }
    })
    .await;
}

#[tokio::test]
async fn long_body_that_lacks_the_scope_is_left_unread() {
    let world = World::start().await;
    let token = world.authorization_server.mint(&world.claims().scope("other"));
    let call = world.gateway.post("/notes").bearer(&token).header("Content-Length", "1000000");
    let mut client = RawClient::connect(world.gateway.address()).await;
    client.send(call.head_bytes()).await;
    client.send(vec![b' '; 66_000]).await;
    let response = client.response().await;
    assert_eq!(response.status, 403, "{response:?}");
    assert_eq!(response.header("connection"), Some("close"));
    client.closed().await;
    assert_eq!(world.upstream.bytes_received(), 0);
}
