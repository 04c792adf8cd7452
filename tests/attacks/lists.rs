//! Upstreams and encodings that would show what a list must leave out. What is hidden is named
//! `debug_canary`, and never arrives.

use crate::harness::{
    NOTES, World,
    client::Call,
    raw::RawResponse,
    upstream::{Feed, Reply},
};

const RULES: &str = "    tools: {\"debug_*\": {deny: true}}\n";
const LIST: &str =
    r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"debug_canary"},{"name":"a"}]}}"#;
const SEEN: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"}]}}"#;
const JSON: (&str, &str) = ("Content-Type", "application/json");

async fn world() -> World {
    World::with(&format!("{NOTES}{RULES}")).await
}

fn ask(world: &World) -> Call {
    let asking = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    world.gateway.post("/notes").bearer(&world.token()).body(asking)
}

fn listen(world: &World) -> Call {
    world.gateway.get("/notes").bearer(&world.token()).header("Accept", "text/event-stream")
}

#[track_caller]
fn assert_bad_gateway(what: &str, response: &RawResponse) {
    assert_eq!(response.status, 502, "{what}: {response:?}");
    assert!(response.text().contains(r#""message":"Bad gateway""#), "{what}: {response:?}");
    assert!(!format!("{response:?}").contains("canary"), "{what}: {response:?}");
}

/// What came of an event stream before it ended, and whether it ended well.
async fn heard(world: &World, call: Call, events: &[&str]) -> (String, bool) {
    let (feed, reply) = Feed::events();
    world.upstream.next(reply);
    let mut client = call.open().await;
    assert_eq!(client.head().await.status, 200);
    for piece in events {
        feed.chunk(piece);
    }
    feed.end();
    let mut heard = Vec::new();
    loop {
        match client.chunk().await {
            Some(chunk) if chunk.is_empty() => {
                return (String::from_utf8(heard).unwrap(), true);
            }
            Some(chunk) => heard.extend(chunk),
            None => return (String::from_utf8(heard).unwrap(), false),
        }
    }
}

/// H01: the same list as JSON and as events, in one line and in many.
#[tokio::test]
async fn h01_list_is_filtered_in_every_form() {
    let world = world().await;
    world.upstream.next(Reply::json(LIST));
    assert_eq!(ask(&world).send().await.text(), SEEN);
    let pretty = LIST.replace(',', ",\ndata: ").replace('{', "{\ndata: ");
    let one = format!("data: {LIST}\n\n");
    let many = format!("event: message\ndata: {pretty}\n\n");
    for call in [ask(&world), listen(&world)] {
        let (seen, is_whole) = heard(&world, call, &[&one, &many]).await;
        assert!(is_whole && seen.starts_with(&format!("data: {SEEN}\n\n")), "{seen}");
        let last = seen.lines().rfind(|line| line.starts_with("data:")).unwrap();
        assert_eq!(last.replace(' ', ""), format!("data:{SEEN}"));
    }
}

/// H02: an event that cannot be read ends the stream; those before it have passed.
#[tokio::test]
async fn h02_unreadable_event_ends_the_stream() {
    let world = world().await;
    let before = ": c\n\nevent: other\ndata: x\n\ndata: {\"method\":\"n\"}\n\n";
    for bad in [
        "data: {\"result\":{\"tools\":[{\"name\":\"debug_canary\"}\n\n".to_owned(),
        format!("data: {LIST}{LIST}\n\n"),
        format!("data: {LIST}\ndata: {LIST}\n\n"),
        format!("Data: {LIST}\n\n"),
        format!("event: other\nevent: message\ndata: x{LIST}\n\n"),
        format!("event: Message\ndata: x{LIST}\n\n"),
        "data: {\"result\":{\"tools\":[],\"tools\\u0000\":[{\"name\":\"debug_canary\"}]}}\n\n"
            .into(),
    ] {
        for call in [ask(&world), listen(&world)] {
            let (seen, is_whole) = heard(&world, call, &[before, &bad, "data: {}\n\n"]).await;
            assert_eq!((&*seen, is_whole), (before, false), "{bad:?}");
        }
    }
}

/// H03: the media type decides how a list is read, and what cannot be read does not pass.
#[tokio::test]
async fn h03_media_types() {
    let world = world().await;
    for media_type in [
        "Application/JSON",
        "application/json ; charset=utf-8",
        "application/json;charset=\"UTF-8\"",
    ] {
        world.upstream.next(Reply::with(200, &[("Content-Type", media_type)], LIST));
        assert_eq!(ask(&world).send().await.text(), SEEN, "{media_type}");
    }
    let events = format!("data: {LIST}\n\n");
    world.upstream.next(Reply::with(200, &[("Content-Type", "text/event-stream;x=y")], &events));
    assert_eq!(ask(&world).send().await.text(), format!("data: {SEEN}\n\n"));
    let types: [&[(&str, &str)]; 7] = [
        &[],
        &[("Content-Type", "text/plain")],
        &[("Content-Type", "application/json; charset=utf-16le")],
        &[("Content-Type", "application/json, text/plain")],
        &[("Content-Type", "application/x-ndjson")],
        &[JSON, ("Content-Type", "text/event-stream")],
        &[("Content-Type", "")],
    ];
    for fields in types {
        for body in [LIST, &events] {
            world.upstream.next(Reply::with(200, fields, body));
            assert_bad_gateway(&format!("{fields:?}"), &ask(&world).send().await);
        }
    }
    // The form that the media type does not name.
    world.upstream.next(Reply::with(200, &[JSON], &events));
    assert_bad_gateway("events as JSON", &ask(&world).send().await);
    world.upstream.next(Reply::with(200, &[("Content-Type", "text/plain")], LIST));
    assert_bad_gateway("text on a GET", &listen(&world).send().await);
}

/// H04: a list is one whatever the status.
#[tokio::test]
async fn h04_statuses() {
    let world = world().await;
    for status in [201, 202, 203, 206, 299, 400, 403, 404, 500, 503] {
        world.upstream.next(Reply::with(status, &[JSON], LIST));
        let response = ask(&world).send().await;
        assert_eq!((response.status, &*response.text()), (status, SEEN));
        // What cannot be read is left out of an error, and is no success.
        for (media_type, body) in [("application/json", &LIST[1..]), ("text/html", LIST)] {
            world.upstream.next(Reply::with(status, &[("Content-Type", media_type)], body));
            let response = ask(&world).send().await;
            if matches!(status, 202 | 400..) {
                assert_eq!((response.status, &*response.text()), (status, ""), "{media_type}");
                assert_eq!(response.header("content-type"), None);
            } else {
                assert_bad_gateway(media_type, &response);
            }
        }
    }
    for status in [301, 304, 401] {
        world.upstream.next(Reply::with(status, &[JSON], LIST));
        assert_bad_gateway(&status.to_string(), &ask(&world).send().await);
    }
}

/// H05: nothing is asked for encoded, and nothing passes that is.
#[tokio::test]
async fn h05_codings() {
    let world = world().await;
    for coding in ["gzip", "br", "zstd", "deflate", "gzip, gzip", "x"] {
        for media_type in ["application/json", "text/event-stream"] {
            let fields = [("Content-Type", media_type), ("Content-Encoding", coding)];
            for call in [ask(&world), listen(&world)] {
                world.upstream.next(Reply::with(200, &fields, LIST));
                let response = call.header("Accept-Encoding", coding).send().await;
                assert_bad_gateway(coding, &response);
            }
        }
    }
    for request in world.upstream.requests() {
        assert_eq!(request.header("accept-encoding"), Some("identity"));
    }
}

/// H06 and H07: whichever stream a list comes on, and whatever its id says.
#[tokio::test]
async fn h07_ids_that_nobody_asked_with() {
    let world = world().await;
    for id in ["1", "\"1\"", "2", "1.0", "null", "1,\"x\":1"] {
        let list = |text: &str| text.replace(r#""id":1"#, &format!(r#""id":{id}"#));
        world.upstream.next(Reply::json(&list(LIST)));
        assert_eq!(ask(&world).send().await.text(), list(SEEN), "{id}");
        let twice = format!("data: {}\n\n", list(LIST)).repeat(2);
        for call in [ask(&world), listen(&world)] {
            let seen = heard(&world, call, &[&twice]).await;
            assert_eq!(seen, (format!("data: {}\n\n", list(SEEN)).repeat(2), true), "{id}");
        }
    }
}

/// H08: what two readers could read differently.
#[tokio::test]
async fn h08_ambiguous_lists() {
    let world = world().await;
    let hidden = r#"[{"name":"debug_canary"}]"#;
    for result in [
        format!(r#"{{"tools":[],"tools":{hidden}}}"#),
        format!(r#"{{"tools":{hidden},"tools":[]}}"#),
        format!(r#"{{"Tools":{hidden}}}"#),
        format!(r#"{{"tools":[],"tools\u0000":{hidden}}}"#),
        format!(r#"{{"tools":{{"0":{hidden}}}}}"#),
        r#"{"tools":[{"name":"a","Name":"debug_canary"}]}"#.to_owned(),
        r#"{"tools":[{"name":"a","name":"debug_canary"}]}"#.to_owned(),
        r#"{"tools":[{"title":"debug_canary"}]}"#.to_owned(),
        r#"{"tools":["debug_canary"]}"#.to_owned(),
    ] {
        let message = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#);
        world.upstream.next(Reply::json(&message));
        assert_bad_gateway(&result, &ask(&world).send().await);
        let (seen, is_whole) = heard(&world, ask(&world), &[&format!("data: {message}\n\n")]).await;
        assert_eq!((&*seen, is_whole), ("", false), "{result}");
    }
    for body in [format!("\u{feff}{LIST}"), format!("{LIST}{LIST}"), "[".repeat(100_000)] {
        world.upstream.next(Reply::json(&body));
        assert_bad_gateway("a body", &ask(&world).send().await);
    }
}

/// What a server says on an open stream that is no message, and no list, is nobody's answer.
#[tokio::test]
async fn greetings_on_open_streams_pass() {
    let world = world().await;
    let greeting = "data: {\"type\":\"ping\",\"time\":1}\n\n";
    let (seen, is_whole) = heard(&world, listen(&world), &[greeting]).await;
    assert_eq!((&*seen, is_whole), (greeting, true));
    world.upstream.next(Reply::json(r#"{"type":"ping"}"#));
    assert_bad_gateway("an answer", &ask(&world).send().await);
}

/// H08: what is no message might be read as the list that was asked for.
#[tokio::test]
async fn h08_lists_that_are_no_messages() {
    let world = world().await;
    let hidden = r#"[{"name":"debug_canary"}]"#;
    for body in [
        format!(r#"{{"tools":{hidden}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":1,"tools":{hidden}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":1,"data":{{"tools":{hidden}}}}}"#),
        format!(r#"[{{"jsonrpc":"2.0","id":1,"result":{{"tools":[]}}}},{{"tools":{hidden}}}]"#),
        format!("[{hidden}]"),
        hidden.to_owned(),
    ] {
        world.upstream.next(Reply::json(&body));
        assert_bad_gateway(&body, &ask(&world).send().await);
        for call in [ask(&world), listen(&world)] {
            let (seen, is_whole) = heard(&world, call, &[&format!("data: {body}\n\n")]).await;
            assert_eq!((&*seen, is_whole), ("", false), "{body}");
        }
        world.upstream.next(Reply::with(500, &[JSON], &body));
        let response = ask(&world).send().await;
        assert_eq!((response.status, &*response.text()), (500, ""), "{body}");
    }
    // What says nothing shows nothing, and what is a message is none of these.
    for body in [
        "{}",
        r#"{"jsonrpc":"2.0"}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m"},"more":1}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/message","params":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[]},"more":1}"#,
    ] {
        world.upstream.next(Reply::json(body));
        assert_eq!(ask(&world).send().await.text(), body);
        let (seen, is_whole) = heard(&world, listen(&world), &[&format!("data: {body}\n\n")]).await;
        assert_eq!((seen, is_whole), (format!("data: {body}\n\n"), true));
    }
}

/// H11: wherever a stream is cut, the same comes out.
#[tokio::test]
async fn h11_streams_in_single_bytes() {
    let world = world().await;
    for end in ["\n", "\r", "\r\n"] {
        let stream = |list: &str| {
            ["\u{feff}data: ", list, end, end, ": \u{e9}", end, "data:{}", end, end].concat()
        };
        let sent = stream(LIST);
        let pieces: Vec<&[u8]> = sent.as_bytes().chunks(1).collect();
        let (feed, reply) = Feed::events();
        world.upstream.next(reply);
        let mut client = listen(&world).open().await;
        client.head().await;
        for piece in pieces {
            feed.raw([b"1\r\n", piece, b"\r\n"].concat());
        }
        let expected = stream(SEEN);
        let mut seen = Vec::new();
        while seen.len() < expected.len() {
            seen.extend(client.chunk().await.unwrap());
        }
        assert_eq!(String::from_utf8(seen).unwrap(), expected, "{end:?}");
    }
}

/// E10: a list, or an event, without end costs no memory without end, and none of it passes.
#[tokio::test]
async fn endless_lists_are_cut_off() {
    let world = world().await;
    let length = (16 * 1024 * 1024 + 1).to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    world.upstream.next(Reply::RawThenClose(head.into_bytes()));
    assert_bad_gateway("a length", &ask(&world).send().await);
    let (feed, reply) = Feed::chunks(&[JSON]);
    world.upstream.next(reply);
    let mut client = ask(&world).open().await;
    let piece = " ".repeat(1024 * 1024);
    (0..17).for_each(|_| feed.chunk(&piece));
    assert_bad_gateway("chunks", &client.response().await);
    let (feed, reply) = Feed::events();
    world.upstream.next(reply);
    let mut client = listen(&world).open().await;
    client.head().await;
    feed.chunk("data: ");
    (0..9).for_each(|_| feed.chunk(&piece));
    assert_eq!(client.chunk().await, None);
    feed.gone().await;
}

/// H18: what a list leaves out cannot be called by whoever knows its name, nor told from nothing.
#[tokio::test]
async fn h18_hidden_tool_cannot_be_called_by_name() {
    let world = world().await;
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"debug_canary"}}"#;
    let response = world.authorized().body(call).send().await;
    let body = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Unknown tool: debug_canary"}}"#;
    world.assert_refused(&response, 200, None, body);
}
