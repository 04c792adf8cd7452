//! The `id` of a refusal: echoed as written where that costs little, `null` otherwise, and the
//! connection closed when a body was not read to its end.

use crate::harness::{World, client::RawClient};

/// The text of the `id` in a refusal.
fn id_of(body: &str) -> &str {
    let rest = body.strip_prefix(r#"{"jsonrpc":"2.0","id":"#).unwrap();
    &rest[..rest.find(r#","error""#).unwrap()]
}

#[tokio::test]
async fn one_string_or_number_is_echoed_as_written() {
    let world = World::start().await;
    let long = format!(r#""{}""#, "x".repeat(1000));
    for id in [
        "1",
        "0",
        "-7",
        "1.50",
        "1e3",
        "123456789012345678901234567890",
        r#""""#,
        r#""a""#,
        r#""1""#,
        r#""a\u0022\/é""#,
        &long,
    ] {
        for body in [
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#),
            format!(r#" {{ "method" : "ping" , "id" : {id} , "other" : [{{"id":5}}] }} "#),
        ] {
            let response = world.gateway.post("/notes").body(body.clone()).send().await;
            assert_eq!(response.status, 401);
            assert_eq!(id_of(&response.text()), id, "{body}");
            assert_eq!(response.header("connection"), None);
        }
    }
    assert_eq!(world.upstream.bytes_received(), 0);
}

#[tokio::test]
async fn what_is_not_one_request_with_an_id_has_none() {
    let world = World::start().await;
    for body in [
        "",
        "null",
        "not json",
        "[]",
        r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
        r#"{"jsonrpc":"2.0","method":"ping"}"#,
        r#"{"id":null}"#,
        r#"{"id":true}"#,
        r#"{"id":{}}"#,
        r#"{"id":[1]}"#,
        r#"{"id":1,"id":2}"#,
        r#"{"id":1,"\u0069d":2}"#,
        r#"{"id":1}{"id":2}"#,
        r#"{"id":1"#,
        r#"{"id":01}"#,
        r#"{"params":{"id":1}}"#,
    ] {
        let response = world.gateway.post("/notes").body(body).send().await;
        assert_eq!(response.status, 401);
        assert_eq!(id_of(&response.text()), "null", "{body}");
    }
}

#[tokio::test]
async fn body_of_64_kib_is_read_for_its_id_and_a_longer_one_is_not() {
    let world = World::start().await;
    let padded = |length: usize| {
        let start = r#"{"id":7,"method":"ping","p":""#;
        format!(r#"{start}{}"}}"#, "x".repeat(length - start.len() - 2))
    };
    let whole = world.gateway.post("/notes").body(padded(65_536)).send().await;
    assert_eq!((whole.status, id_of(&whole.text())), (401, "7"));
    assert_eq!(whole.header("connection"), None);
    let longer = world.gateway.post("/notes").body(padded(65_537)).send().await;
    assert_eq!((longer.status, id_of(&longer.text())), (401, "null"));
    assert_eq!(longer.header("connection"), Some("close"));
}

#[tokio::test]
async fn chunked_body_is_read_for_its_id() {
    let world = World::start().await;
    let call = world.gateway.post("/notes").header("Transfer-Encoding", "chunked");
    let mut client = RawClient::connect(world.gateway.address()).await;
    client.send(call.head_bytes()).await;
    client.send("8\r\n{\"id\":42\r\n1\r\n}\r\n0\r\n\r\n").await;
    let response = client.response().await;
    assert_eq!((response.status, id_of(&response.text())), (401, "42"));
    assert_eq!(response.header("connection"), None);
    // The connection goes on: nothing of the body is left in it.
    client.send(world.authorized().bytes()).await;
    assert_eq!(client.response().await.status, 200);
}

#[tokio::test]
async fn broken_chunk_has_no_id_and_closes() {
    let world = World::start().await;
    let call = world.gateway.post("/notes").header("Transfer-Encoding", "chunked");
    let mut client = RawClient::connect(world.gateway.address()).await;
    client.send(call.head_bytes()).await;
    client.send("7\r\n{\"id\":1\r\nzz\r\n").await;
    let response = client.response().await;
    assert!(matches!(response.status, 400 | 401), "{response:?}");
    assert_eq!(response.header("connection"), Some("close"));
    if !response.body.is_empty() {
        assert_eq!(id_of(&response.text()), "null");
    }
    client.closed().await;
}

#[tokio::test]
async fn body_that_is_expected_to_be_asked_for_is_not_read() {
    let world = World::start().await;
    let call = world.call().header("Expect", "100-continue");
    let mut client = RawClient::connect(world.gateway.address()).await;
    client.send(call.head_bytes()).await;
    let response = client.response().await;
    assert_eq!((response.status, id_of(&response.text())), (401, "null"));
    assert_eq!(response.header("connection"), Some("close"));
    client.closed().await;
}

#[tokio::test]
async fn slow_body_is_waited_for_a_second_at_most() {
    let world = World::start().await;
    let mut client = RawClient::connect(world.gateway.address()).await;
    client.send(world.call().head_bytes()).await;
    client.send(r#"{"id":1,"#).await;
    let response = client.response().await;
    assert_eq!((response.status, id_of(&response.text())), (401, "null"));
    assert_eq!(response.header("connection"), Some("close"));
    client.closed().await;
}
