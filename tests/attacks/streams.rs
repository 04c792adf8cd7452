//! Event streams: bytes pass as they come, and an upstream cannot send a client elsewhere.

use crate::harness::{
    NOTES, World, assert_answered,
    client::{Call, RawClient},
    clock::within,
    upstream::{Feed, RESULT, Reply},
};

fn get(world: &World) -> Call {
    world.gateway.get("/notes").bearer(&world.token()).header("Accept", "text/event-stream")
}

async fn open(world: &World) -> (Feed, RawClient) {
    let (feed, reply) = Feed::events();
    world.upstream.next(reply);
    let mut client = get(world).open().await;
    assert_eq!(client.head().await.status, 200);
    (feed, client)
}

/// H14: an `endpoint` that is not the upstream's own ends the stream, however it is written.
#[tokio::test]
async fn endpoint_of_another_origin_never_passes() {
    let world = World::start().await;
    let other_port = "http://127.0.0.1:1/messages";
    let userinfo = format!("http://{}@evil.example/m", world.upstream.authority());
    let long = format!("/{}", "x".repeat(8 * 1024));
    for url in [
        "http://evil.example/m",
        "https://evil.example/m",
        "//evil.example/m",
        "\\\\evil.example\\m",
        "/\\evil.example/m",
        "javascript:alert(1)",
        "data:text/plain,x",
        "file:///etc/passwd",
        "",
        other_port,
        &userinfo,
        &long,
    ] {
        for event in [
            format!("event: endpoint\ndata: {url}\n\n"),
            format!("event:endpoint\r\ndata:{url}\r\n\r\n"),
            format!("data: {url}\nevent: endpoint\n\n"),
            format!("event: endpoint\rdata: {url}\r\r"),
            format!("\u{feff}event: endpoint\ndata: {url}\n\n"),
            format!("event: message\nevent: endpoint\ndata: {url}\n\n"),
        ] {
            let (feed, mut client) = open(&world).await;
            feed.chunk(&event);
            feed.chunk("data: after\n\n");
            feed.end();
            assert_eq!(client.chunk().await, None, "{event:?}");
        }
    }
}

/// H14: names that clients may take for `endpoint` do not pass with a foreign URL either.
#[tokio::test]
async fn endpoint_with_white_space_never_passes() {
    let world = World::start().await;
    for event in [
        "event:  endpoint\ndata: http://evil.example/m\n\n",
        "event: endpoint \ndata: http://evil.example/m\n\n",
        "event:\tendpoint\ndata: http://evil.example/m\n\n",
        "event: \tendpoint\t\ndata: http://evil.example/m\n\n",
        "event:   endpoint   \r\ndata:   http://evil.example/m\r\n\r\n",
        "event: endpoint                    \ndata: http://evil.example/m\n\n",
    ] {
        let (feed, mut client) = open(&world).await;
        feed.chunk(event);
        feed.end();
        let passed = client.chunk().await.unwrap_or_default();
        let passed = String::from_utf8_lossy(&passed).into_owned();
        assert!(!passed.contains("evil"), "{event:?} became {passed:?}");
    }
}

/// H14: more than one URL in one event is nobody's endpoint.
#[tokio::test]
async fn endpoint_of_several_lines_never_passes() {
    let world = World::start().await;
    for event in [
        "event: endpoint\ndata: /m\ndata: @evil.example\n\n",
        "event: endpoint\ndata: http:\ndata: //evil.example/m\n\n",
        "event: endpoint\ndata: /m\r\ndata: x\n\n",
    ] {
        let (feed, mut client) = open(&world).await;
        feed.chunk(event);
        feed.end();
        assert_eq!(client.chunk().await, None, "{event:?}");
    }
}

/// H14: an event too long to be held may not turn out to be an `endpoint` at its end.
#[tokio::test]
async fn endpoint_behind_much_data_never_passes() {
    let world = World::start().await;
    let (feed, mut client) = open(&world).await;
    feed.chunk(&format!("id: {}\n", "x".repeat(100_000)));
    feed.chunk("event: endpoint\ndata: http://evil.example/m\n\n");
    let mut passed = Vec::new();
    let ended = loop {
        match client.chunk().await {
            Some(chunk) if !chunk.is_empty() => passed.extend(chunk),
            end => break end,
        }
    };
    assert_eq!(ended, None, "the stream ends as an error");
    assert!(!String::from_utf8_lossy(&passed).ends_with("\n\n"), "the event never ends");
}

/// E13: comments that keep a stream alive pass at once, each.
#[tokio::test]
async fn keep_alive_comments_pass_at_once() {
    let world = World::start().await;
    for call in [get(&world), world.authorized()] {
        let (feed, reply) = Feed::events();
        world.upstream.next(reply);
        let mut client = call.open().await;
        assert_eq!(client.head().await.status, 200);
        for comment in [":\n", ": ping\n", ":\r\n", ":\n\n", ": keep-alive\r\n\r\n", "\n", "\r\n"] {
            feed.chunk(comment);
            assert_eq!(client.events(comment).await, comment);
        }
        feed.end();
        assert_eq!(client.chunk().await, Some(Vec::new()), "a comment is no half event");
    }
}

/// T04: the end of a stream is clean between events, and an error inside one.
#[tokio::test]
async fn end_of_a_stream_is_told_as_it_was() {
    let world = World::start().await;
    for (pieces, is_clean) in [
        (&["data: x\n\n"][..], true),
        (&["data: x\r\n\r", "\n"], true),
        (&["data: x\r", "\n\r", "\n"], true),
        (&["data: x\r\r"], true),
        (&["data: x\n"], false),
        (&["data: x\n\ndata: half"], false),
        (&["data: x\n\nevent: endp"], false),
    ] {
        let (feed, mut client) = open(&world).await;
        for piece in pieces {
            feed.chunk(piece);
        }
        feed.end();
        let ended = loop {
            match client.chunk().await {
                Some(chunk) if !chunk.is_empty() => {}
                end => break end,
            }
        };
        assert_eq!(ended.is_some(), is_clean, "{pieces:?}");
    }
}

/// T04, H14: a cut in the middle of an event is never passed as its end.
#[tokio::test]
async fn stream_cut_in_an_event_ends_as_an_error() {
    let world = World::start().await;
    for call in [get(&world), world.authorized()] {
        let (feed, reply) = Feed::events();
        world.upstream.next(reply);
        let mut client = call.open().await;
        assert_eq!(client.head().await.status, 200);
        feed.chunk("data: whole\n\n");
        assert_eq!(client.events("data: whole\n\n").await, "data: whole\n\n");
        feed.chunk("data: half");
        feed.cut();
        let ended = loop {
            match client.chunk().await {
                Some(chunk) if !chunk.is_empty() => {}
                end => break end,
            }
        };
        assert_eq!(ended, None);
    }
}

/// H05: a compressed answer to a POST passes whole: nothing in it is ours to read.
#[tokio::test]
async fn compressed_events_of_an_answer_pass_whole() {
    let world = World::start().await;
    // A gzip member holding "data: 1\n\n"; its bytes end in no line end.
    let gzip: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03KI,I\xb4R0\xe4\xe2\x02\x00N\xd5\xb6\x97\x09\x00\x00\x00";
    for length in [gzip.len(), gzip.len() - 3] {
        let gzip = &gzip[..length];
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n"
        );
        world.upstream.next(Reply::Raw([head.as_bytes(), gzip, b"\r\n0\r\n\r\n"].concat()));
        let call = world.authorized().header("Accept-Encoding", "gzip");
        let response = call.send().await;
        assert_eq!((response.status, response.is_whole), (200, true), "{response:?}");
        assert_eq!(response.body, gzip);
        assert_eq!(response.header("content-encoding"), Some("gzip"));
    }
}

/// H05: where events are read on their way, a coding would hide them.
#[tokio::test]
async fn compressed_stream_is_a_bad_gateway() {
    let world = World::start().await;
    let fields =
        [("Content-Type", "text/event-stream"), ("Content-Encoding", "gzip"), ("X-C", "canary")];
    world.upstream.next(Reply::with(200, &fields, "canary"));
    let response = get(&world).header("Accept-Encoding", "gzip").send().await;
    assert_eq!(response.status, 502, "{response:?}");
    assert_eq!(response.header("www-authenticate"), None);
    assert!(!response.text().contains("canary"));
    assert_eq!(world.upstream.only_request().header("accept-encoding"), Some("identity"));
}

/// H03: which of two media types a client believes is anybody's guess.
#[tokio::test]
async fn two_content_types_on_a_stream_are_a_bad_gateway() {
    let world = World::start().await;
    let event = "event: endpoint\ndata: http://evil.example/m\n\n";
    for types in [
        ["application/json", "text/event-stream"],
        ["text/event-stream", "application/json"],
        ["text/event-stream", "text/event-stream"],
    ] {
        let fields = types.map(|each| ("Content-Type", each));
        world.upstream.next(Reply::with(200, &fields, event));
        let response = get(&world).send().await;
        assert_eq!(response.status, 502, "{types:?}: {response:?}");
        assert!(!response.text().contains("evil"), "{types:?}");
    }
}

/// H03: a media type is compared as RFC 9110 has it.
#[tokio::test]
async fn endpoint_is_found_under_every_spelling_of_the_media_type() {
    let world = World::start().await;
    for kind in [
        "text/event-stream",
        "Text/Event-Stream",
        "text/event-stream; charset=utf-8",
        "text/event-stream;x=y",
        "text/event-stream ; charset=utf-8",
    ] {
        let (feed, reply) = Feed::chunks(&[("Content-Type", kind)]);
        world.upstream.next(reply);
        let mut client = get(&world).open().await;
        assert_eq!(client.head().await.status, 200);
        feed.chunk("event: endpoint\ndata: http://evil.example/m\n\n");
        assert_eq!(client.chunk().await, None, "{kind}");
    }
}

/// E15, J24: a public route has no token that could expire, and its streams pass alike.
#[tokio::test]
async fn stream_of_a_public_route_is_guarded_as_well() {
    let open = "  open:\n    path: /open\n    upstream: UPSTREAM\n    access: public\n";
    let world = World::with(&format!("{NOTES}{open}")).await;
    let (feed, reply) = Feed::events();
    world.upstream.next(reply);
    let mut client = world.gateway.get("/open").open().await;
    assert_eq!(client.head().await.status, 200);
    feed.chunk("event: endpoint\ndata: http://evil.example/m\n\n");
    assert_eq!(client.chunk().await, None);
}

/// H11: bytes cut anywhere come out as they went in.
#[tokio::test]
async fn events_cut_anywhere_are_byte_exact() {
    let world = World::start().await;
    let text = "\u{feff}id: 1\ndata: \u{1f600}\u{e9}\r\ndata:no space\r\r: c\n\nevent: x\ndata\n\n";
    for size in [1, 2, 3, 5, 7] {
        let (feed, mut client) = open(&world).await;
        for piece in text.as_bytes().chunks(size) {
            let head = format!("{:x}\r\n", piece.len());
            feed.raw([head.as_bytes(), piece, b"\r\n"].concat());
        }
        feed.end();
        let mut body = Vec::new();
        let reading = client.reader.body(crate::harness::raw::Framing::Chunked, &mut body);
        assert!(within("a body", reading).await);
        assert_eq!(String::from_utf8_lossy(&body), text, "{size}");
    }
    assert_answered(&world.authorized().send().await);
    assert_eq!(world.upstream.requests().pop().unwrap().header("accept-encoding"), None);
    assert!(!RESULT.is_empty());
}
