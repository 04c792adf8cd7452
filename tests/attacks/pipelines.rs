//! Several messages on one connection: what is behind a message is a request of its own, or
//! nothing at all.

use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::{
    harness::{
        PING, World, assert_answered,
        client::RawClient,
        clock::within,
        raw::Reader,
        upstream::{RESULT, Reply},
    },
    oracle::{Challenge, refused, refused_and_closed, rest, still_serves},
};

/// C13, F31: a GET or DELETE has no body; its bytes are never the next request.
#[tokio::test]
async fn rustsec_2020_0008_body_of_get_and_delete() {
    let world = World::start().await;
    let inner = world.authorized().header("X-Smuggled", "yes").bytes();
    for method in ["GET", "DELETE"] {
        let call = world.gateway.request(method, "/notes").bearer(&world.token());
        let with_length = call.clone().body(inner.clone()).bytes();
        let chunked = call.header("Transfer-Encoding", "chunked").head_bytes();
        let chunks = format!("{:x}\r\n", inner.len()).into_bytes();
        let chunked = [&*chunked, &*chunks, &*inner, b"\r\n0\r\n\r\n"].concat();
        for bytes in [with_length, chunked] {
            let response = refused_and_closed(&world, method, &bytes).await;
            refused(&world, method, &response, 400, Challenge::Without);
        }
    }
    still_serves(&world).await;
}

/// C14: the body of a refused request that was left unread is never parsed as a request.
#[tokio::test]
async fn rustsec_2025_0037_body_left_unread_by_a_refusal() {
    let world = World::start().await;
    let inner = world.authorized().header("X-Smuggled", "yes").bytes();
    let body = inner.repeat(1 + 80_000 / inner.len());
    let refused_at_once = world.call().body(body.clone()).bytes();
    let response = refused_and_closed(&world, "401", &refused_at_once).await;
    refused(&world, "401", &response, 401, Challenge::Plain);
    assert_eq!(response.header("connection"), Some("close"));
    let too_large = format!(
        "POST /notes HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Length: 5000000\r\n\r\n",
        world.gateway.address(),
        world.token()
    );
    let response = refused_and_closed(&world, "413", &[too_large.as_bytes(), &body].concat()).await;
    refused(&world, "413", &response, 413, Challenge::Without);
    still_serves(&world).await;
}

/// C14: a short body is read to its end, so the next request is read where it begins.
#[tokio::test]
async fn short_body_of_a_refusal_is_read_and_the_connection_goes_on() {
    let world = World::start().await;
    let chunked = world.gateway.post("/notes").header("Transfer-Encoding", "chunked").head_bytes();
    let chunks = format!("{:x}\r\n{PING}\r\n0\r\n\r\n", PING.len());
    let chunked = [&*chunked, chunks.as_bytes()].concat();
    let mut client = RawClient::connect(world.gateway.address()).await;
    for bytes in [world.call().bytes(), chunked] {
        client.send(bytes).await;
        let response = client.response().await;
        refused(&world, "short", &response, 401, Challenge::Plain);
        assert!(response.text().contains(r#""id":1,"#), "{response:?}");
        assert_eq!(response.header("connection"), None);
    }
    client.send(world.authorized().bytes()).await;
    assert_answered(&client.response().await);
}

/// C15: an upgrade is never made; what follows it is an ordinary request that needs a token.
#[tokio::test]
async fn rustsec_2026_0033_upgrade_is_not_forwarded() {
    for upgrade in ["h2c", "websocket", "foo", "TLS/1.0", "HTTP/2.0, h2c"] {
        let world = World::start().await;
        let call = world
            .authorized()
            .header("Connection", "Upgrade, HTTP2-Settings")
            .header("Upgrade", upgrade)
            .header("HTTP2-Settings", "AAMAAABkAAQAAP__")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        let behind = world.call().header("X-Smuggled", "yes").bytes();
        let mut client = RawClient::connect(world.gateway.address()).await;
        client.send([call.bytes(), behind].concat()).await;
        assert_answered(&client.response().await);
        assert_eq!(client.response().await.status, 401, "{upgrade}");
        let request = world.upstream.only_request();
        for name in ["connection", "upgrade", "http2-settings"] {
            assert_eq!(request.header(name), None, "{upgrade}");
        }
        assert!(!world.upstream.log().contains("Smuggled"), "{upgrade}");
    }
}

/// C15: an HTTP/2 preface in the middle of an HTTP/1 connection starts nothing.
#[tokio::test]
async fn preface_behind_a_request_is_refused() {
    let world = World::start().await;
    let mut client = RawClient::connect(world.gateway.address()).await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
    client.send([&*world.call().bytes(), preface].concat()).await;
    let first = client.response().await;
    refused(&world, "first", &first, 401, Challenge::Plain);
    let second = client.response().await;
    refused(&world, "preface", &second, 400, Challenge::Without);
    assert!(rest(&mut client.reader).await.is_empty());
}

/// C19, A22: a thousand pipelined requests are judged one by one and answered in order.
#[tokio::test]
async fn pipelined_requests_are_judged_one_by_one() {
    let world = World::start().await;
    world.upstream.answer(|request| Reply::json(request.header("x-number").unwrap_or("none")));
    let token = world.token();
    let poor = world.authorization_server.mint(&world.claims().scope("other"));
    let expected = |n: usize| match n % 4 {
        0 => 200,
        1 => 401,
        2 => 403,
        _ => 400,
    };
    let mut bytes = Vec::new();
    for n in 0..COUNT {
        let call = world.call().header("X-Number", &n.to_string());
        let call = match n % 4 {
            0 => call.bearer(&token),
            1 => call,
            2 => call.bearer(&poor),
            _ => call.bearer(&token).bearer(&token),
        };
        bytes.extend(call.bytes());
    }
    let stream = TcpStream::connect(world.gateway.address()).await.unwrap();
    let (reader, mut writer) = stream.into_split();
    let mut reader = Reader::new(reader);
    let sending = async { within("sending", writer.write_all(&bytes)).await.unwrap() };
    let reading = async {
        for n in 0..COUNT {
            let response = within("a response", reader.response("POST")).await.unwrap();
            assert_eq!(response.status, expected(n), "{n}");
            if n % 4 == 0 {
                assert_eq!(response.text(), n.to_string());
            }
        }
    };
    tokio::join!(sending, reading);
    let seen: Vec<_> = world.upstream.requests();
    assert_eq!(seen.len(), COUNT / 4);
    let numbers = seen.iter().map(|request| request.header("x-number").unwrap().to_owned());
    let wanted = (0..COUNT).step_by(4).map(|n| n.to_string());
    assert!(numbers.eq(wanted), "the upstream heard the good ones, in order");
}

/// C12, A19: trailers are dropped; a token in one is no credential.
#[tokio::test]
async fn trailers_are_never_fields() {
    let world = World::start().await;
    let token = world.token();
    let chunks = format!(
        "{:x}\r\n{PING}\r\n0\r\nAuthorization: Bearer {token}\r\nContent-Length: 3\r\nHost: evil\r\nX-User: root\r\n\r\n",
        PING.len()
    );
    let start = world.gateway.post("/notes").header("Transfer-Encoding", "chunked");
    let start = start.header("Trailer", "Authorization, X-User");
    let mut client = RawClient::connect(world.gateway.address()).await;
    client.send([&*start.head_bytes(), chunks.as_bytes()].concat()).await;
    refused(&world, "trailer", &client.response().await, 401, Challenge::Plain);
    client.send([&*start.bearer(&token).head_bytes(), chunks.as_bytes()].concat()).await;
    assert_answered(&client.response().await);
    let log = world.upstream.log().to_lowercase();
    for text in ["x-user", "evil", "trailer", "authorization", &token] {
        assert!(!log.contains(text), "{text}: {log}");
    }
    assert_eq!(world.upstream.only_request().text(), PING);
}

/// C14: one empty line between messages is tolerated, and no body is taken for one.
#[tokio::test]
async fn one_empty_line_before_a_request_is_tolerated() {
    let world = World::start().await;
    let mut client = RawClient::connect(world.gateway.address()).await;
    client.send([b"\r\n", &*world.authorized().bytes()].concat()).await;
    let response = client.response().await;
    assert_eq!(response.text(), RESULT);
}

const COUNT: usize = 1000;
