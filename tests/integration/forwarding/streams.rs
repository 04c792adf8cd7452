//! Responses pass as they come; whoever leaves, the other side learns of it.

use crate::harness::{
    World, assert_answered,
    client::{Call, RawClient},
    clock::{BOUND, eventually},
    upstream::{Feed, Reply},
};

/// Opens a request whose answer is fed; its head has been read.
async fn fed(world: &World, call: &Call) -> (Feed, RawClient) {
    let (feed, reply) = Feed::events();
    world.upstream.next(reply);
    let mut client = call.open().await;
    let head = client.head().await;
    assert_eq!(head.status, 200, "{head:?}");
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    assert_eq!(head.header("x-accel-buffering"), Some("no"));
    (feed, client)
}

fn stream(world: &World) -> Call {
    world.gateway.get("/notes").bearer(&world.token()).header("Accept", "text/event-stream")
}

#[tokio::test]
async fn events_of_an_answer_pass_at_once_and_unchanged() {
    let world = World::start().await;
    let (feed, mut client) = fed(&world, &world.authorized()).await;
    for event in [
        "data: 1\n\n",
        ": comment\r\n\r\n",
        "id: 7\nevent: message\ndata: {\"a\":1.0}\ndata: b\n\n",
        "event: endpoint\ndata: /not-a-stream\n\n",
        "retry: 10\rdata: x\r\r",
    ] {
        feed.chunk(event);
        assert_eq!(client.events(event).await, event);
    }
    feed.chunk("data: half");
    assert_eq!(client.events("data: half").await, "data: half");
    feed.chunk(" done\n\n");
    assert_eq!(client.events(" done\n\n").await, " done\n\n");
    feed.end();
    assert_eq!(client.chunk().await, Some(Vec::new()));
}

#[tokio::test]
async fn events_of_a_stream_pass_at_once_and_unchanged() {
    let world = World::start().await;
    let (feed, mut client) = fed(&world, &stream(&world)).await;
    let request = world.upstream.only_request();
    assert_eq!((&*request.method, &*request.target), ("GET", "/mcp"));
    assert_eq!(request.header("accept"), Some("text/event-stream"));
    assert_eq!(request.header("accept-encoding"), Some("identity"));
    for event in
        [": ping\n\n", "id: 1\ndata: x\n\n", "data: y\r\n\r\n", "event: other\rdata: z\r\r"]
    {
        feed.chunk(event);
        assert_eq!(client.events(event).await, event);
    }
    feed.end();
    assert_eq!(client.chunk().await, Some(Vec::new()));
}

#[tokio::test]
async fn answer_that_is_no_event_stream_passes_as_it_comes() {
    let world = World::start().await;
    let (feed, reply) = Feed::chunks(&[("Content-Type", "application/json")]);
    world.upstream.next(reply);
    let mut client = world.authorized().open().await;
    let head = client.head().await;
    assert_eq!(head.header("x-accel-buffering"), None);
    feed.chunk("{\"jsonrpc\":");
    assert_eq!(client.events("{\"jsonrpc\":").await, "{\"jsonrpc\":");
    feed.chunk("\"2.0\"}");
    feed.end();
    assert_eq!(client.events("\"2.0\"}").await, "\"2.0\"}");
    assert_eq!(client.chunk().await, Some(Vec::new()));
}

#[tokio::test]
async fn last_event_id_is_passed_on_as_sent() {
    let world = World::start().await;
    let call = stream(&world).header("Last-Event-ID", "stream-1_é 7");
    let (_feed, _client) = fed(&world, &call).await;
    assert_eq!(world.upstream.only_request().header("last-event-id"), Some("stream-1_é 7"));
}

#[tokio::test]
async fn client_that_leaves_a_stream_ends_it_upstream() {
    let world = World::start().await;
    for call in [world.authorized(), stream(&world)] {
        let (feed, client) = fed(&world, &call).await;
        assert!(!feed.is_gone());
        drop(client);
        feed.gone().await;
    }
}

#[tokio::test]
async fn client_that_leaves_is_noticed_behind_pipelined_bytes() {
    let world = World::start().await;
    for call in [world.authorized(), stream(&world)] {
        let (feed, mut client) = fed(&world, &call).await;
        client.send(world.authorized().bytes()).await;
        drop(client);
        feed.gone().await;
    }
}

#[tokio::test]
async fn client_that_leaves_before_the_answer_cancels_the_request() {
    let world = World::start().await;
    world.upstream.next(Reply::Silence);
    let client = world.authorized().open().await;
    eventually("the request", || match world.upstream.requests().len() {
        1 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    drop(client);
    eventually("the upstream's connection ends", || match world.upstream.closed() {
        1 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    let cancelled = r#"gatehouse_upstream_requests_total{outcome="cancelled",route="notes"}"#;
    assert!((world.gateway.metric(cancelled).await - 1.0).abs() < 0.1);
}

#[tokio::test]
async fn upstream_that_breaks_off_breaks_the_clients_stream() {
    let world = World::start().await;
    for call in [world.authorized(), stream(&world)] {
        let (feed, mut client) = fed(&world, &call).await;
        feed.chunk("data: 1\n\n");
        assert_eq!(client.events("data: 1\n\n").await, "data: 1\n\n");
        feed.cut();
        assert_eq!(client.chunk().await, None, "a cut is no proper end");
    }
}

#[tokio::test]
async fn stream_that_ends_inside_an_event_ends_as_an_error() {
    let world = World::start().await;
    for call in [world.authorized(), stream(&world)] {
        let (feed, mut client) = fed(&world, &call).await;
        feed.chunk("data: 1\n\ndata: ha");
        feed.end();
        let mut last = client.chunk().await;
        while last.as_ref().is_some_and(|chunk| !chunk.is_empty()) {
            last = client.chunk().await;
        }
        assert_eq!(last, None);
    }
}

#[tokio::test]
async fn open_streams_are_counted() {
    let world = World::start().await;
    let series = r#"gatehouse_active_streams{route="notes"}"#;
    let (feed, client) = fed(&world, &stream(&world)).await;
    let (other, _client) = fed(&world, &world.authorized()).await;
    assert!((world.gateway.metric(series).await - 2.0).abs() < 0.1);
    drop(client);
    feed.gone().await;
    assert!((world.gateway.metric(series).await - 1.0).abs() < 0.1);
    drop(other);
}

#[tokio::test]
async fn slow_client_slows_the_upstream_down() {
    const PIECES: usize = 1024;
    const PIECE: usize = 64 * 1024;
    let world = World::start().await;
    let (feed, reply) = Feed::chunks(&[("Content-Type", "application/octet-stream")]);
    world.upstream.next(reply);
    let mut client = world.authorized().open().await;
    assert_eq!(client.head().await.status, 200);
    let piece = "x".repeat(PIECE);
    (0..PIECES).for_each(|_| feed.chunk(&piece));
    feed.end();
    // Nobody reads: what is written settles in the four socket buffers on the way, which the
    // system lets grow to some 20 MiB together.
    let (mut last, mut quiet) = (0, 0);
    let last = eventually("the upstream is held up", || {
        quiet = if feed.written() == last { quiet + 1 } else { 0 };
        last = feed.written();
        if quiet > 40 { Ok(last) } else { Err(format!("writing, at {last}")) }
    })
    .await;
    assert!(last < PIECES * PIECE / 2, "{last} bytes were taken from the upstream");
    let mut read = 0;
    loop {
        match client.chunk().await {
            Some(chunk) if chunk.is_empty() => break,
            Some(chunk) => read += chunk.len(),
            None => panic!("cut after {read} bytes"),
        }
    }
    assert_eq!(read, PIECES * PIECE);
}

#[tokio::test]
async fn stalled_stream_does_not_hold_up_other_requests() {
    let world = World::start().await;
    let (_feed, _client) = fed(&world, &stream(&world)).await;
    let started = tokio::time::timeout(BOUND, async {
        for _ in 0..20 {
            assert_answered(&world.authorized().send().await);
        }
    });
    started.await.unwrap();
}
