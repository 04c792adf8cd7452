//! Request bodies on their way upstream.

use crate::harness::{
    NOTES, World, assert_answered,
    client::{Call, RawClient},
    clock::eventually,
    upstream::Reply,
};

fn upload(world: &World, length: usize) -> Call {
    let call = world.gateway.post("/notes").bearer(&world.token());
    call.header("Content-Length", &length.to_string())
}

/// Sends the beginning of a long body and waits until some of it has arrived upstream.
async fn begin(world: &World, call: &Call, start: &[u8]) -> RawClient {
    let mut client = RawClient::connect(world.gateway.address()).await;
    client.send(call.head_bytes()).await;
    client.send(start).await;
    eventually("the body's beginning", || match world.upstream.bytes_received() {
        received @ 60_000.. => Ok(received),
        received => Err(received.to_string()),
    })
    .await;
    client
}

/// Asserts that the upstream's connection ended before it had a whole request.
async fn assert_aborted(world: &World) {
    eventually("the upstream's connection ends", || match world.upstream.closed() {
        1 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    assert_eq!(world.upstream.requests().len(), 0, "an unfinished request must not look whole");
}

#[tokio::test]
async fn long_body_is_streamed() {
    let world = World::start().await;
    let body: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).take(1_000_000).collect();
    let (start, rest) = body.split_at(300_000);
    let mut client = begin(&world, &upload(&world, body.len()), start).await;
    assert_eq!(world.upstream.requests().len(), 0);
    client.send(rest).await;
    assert_answered(&client.response().await);
    let request = world.upstream.only_request();
    assert!(request.body == body, "the bytes differ");
    assert_eq!(request.header("content-length"), Some("1000000"));
}

#[tokio::test]
async fn chunked_body_arrives_whole() {
    let world = World::start().await;
    for pieces in [3, 300] {
        let call = world.gateway.post("/notes").bearer(&world.token());
        let mut client = RawClient::connect(world.gateway.address()).await;
        client.send(call.header("Transfer-Encoding", "chunked").head_bytes()).await;
        let piece = "y".repeat(1000);
        for _ in 0..pieces {
            client.send(format!("3e8;ext=1\r\n{piece}\r\n")).await;
        }
        client.send("0\r\nX-Trailer: 1\r\n\r\n").await;
        assert_answered(&client.response().await);
        let request = world.upstream.requests().pop().unwrap();
        assert!(request.text() == piece.repeat(pieces), "the bytes differ");
        assert!(!world.upstream.log().contains("X-Trailer"), "trailers are dropped");
        assert!(!world.upstream.log().contains("ext=1"));
    }
}

#[tokio::test]
async fn empty_body_and_no_body_pass() {
    let world = World::start().await;
    assert_answered(&upload(&world, 0).send().await);
    let call = world.gateway.request("DELETE", "/notes").bearer(&world.token());
    assert_answered(&call.send().await);
    let [post, delete] = &world.upstream.requests()[..] else { panic!() };
    assert_eq!((post.header("content-length"), &*post.method), (Some("0"), "POST"));
    assert_eq!((delete.header("content-length"), &*delete.method), (None, "DELETE"));
    assert_eq!(delete.header("transfer-encoding"), None);
}

#[tokio::test]
async fn streamed_body_that_grows_past_the_limit_is_aborted() {
    let limits = "listen: {limits: {max_body_bytes: 100000}}";
    let world = World::with(&format!("{limits}\n{NOTES}")).await;
    let call = world.gateway.post("/notes").bearer(&world.token());
    let call = call.header("Transfer-Encoding", "chunked");
    let piece = format!("ffff\r\n{}\r\n", "z".repeat(65_535));
    let mut client = begin(&world, &call, format!("1\r\n \r\n1\r\n \r\n{piece}").as_bytes()).await;
    client.send(&piece).await;
    let response = client.response().await;
    assert_eq!(response.status, 413, "{response:?}");
    assert_aborted(&world).await;
}

#[tokio::test]
async fn streamed_body_that_stalls_is_aborted() {
    let limits = "listen: {limits: {body_timeout: 500ms}}";
    let world = World::with(&format!("{limits}\n{NOTES}")).await;
    let mut client = begin(&world, &upload(&world, 1_000_000), &vec![b'z'; 100_000]).await;
    let response = client.response().await;
    assert_eq!(response.status, 408, "{response:?}");
    assert_aborted(&world).await;
}

#[tokio::test]
async fn streamed_body_that_breaks_off_is_aborted() {
    let world = World::start().await;
    let client = begin(&world, &upload(&world, 1_000_000), &vec![b'z'; 100_000]).await;
    drop(client);
    assert_aborted(&world).await;
}

#[tokio::test]
async fn client_that_asks_first_is_told_to_go_on() {
    let world = World::start().await;
    let call = world.authorized().header("Expect", "100-continue");
    let mut client = RawClient::connect(world.gateway.address()).await;
    client.send(call.head_bytes()).await;
    assert_eq!(client.head().await.status, 100);
    client.send(crate::harness::PING).await;
    assert_answered(&client.response().await);
    assert_eq!(world.upstream.only_request().header("expect"), None);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let world = World::start().await;
    world.upstream.answer(|request| Reply::json(&request.text()));
    let call = |n: u32| world.gateway.post("/notes").bearer("t").body(n.to_string());
    world.authorization_server.know("t", &world.claims().json());
    let mut client = RawClient::connect(world.gateway.address()).await;
    client.send((0..5).flat_map(|n| call(n).bytes()).collect::<Vec<u8>>()).await;
    for n in 0..5 {
        assert_eq!(client.response().await.text(), n.to_string());
    }
}

#[tokio::test]
async fn answer_that_comes_before_the_body_was_read_passes() {
    let world = World::start().await;
    let Reply::Raw(bytes) = Reply::with(413, &[], "too much for me") else { panic!() };
    world.upstream.next(Reply::Early(bytes));
    let mut client = begin(&world, &upload(&world, 1_000_000), &vec![b'z'; 100_000]).await;
    let response = client.response().await;
    assert_eq!((response.status, &*response.text()), (413, "too much for me"));
    drop(client);
    assert_aborted(&world).await;
}
