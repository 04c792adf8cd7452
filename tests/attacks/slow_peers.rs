//! Peers that say nothing, or too little: every wait on one has an end.

use std::time::Duration;

use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::{
    harness::{
        NOTES, PING, World, assert_answered,
        client::{Call, RawClient},
        clock::within,
        raw::Reader,
        upstream::{Feed, Reply},
    },
    oracle::{Challenge, refused, rest, still_serves, untouched},
};

async fn limited(limits: &str) -> World {
    World::with(&format!("listen: {{limits: {{{limits}}}}}\n{NOTES}")).await
}

/// E01: whoever does not finish a head in time is sent away.
#[tokio::test]
async fn head_that_never_ends() {
    let world = limited("header_timeout: 400ms").await;
    for start in [
        &b""[..],
        b"P",
        b"\r\n",
        b"POST /notes HTTP/1.1\r\n",
        b"POST /notes HTTP/1.1\r\nHost: x\r\nX: ",
        b"PRI * HTTP/2.0",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ] {
        let mut client = RawClient::connect(world.gateway.address()).await;
        client.send(start).await;
        let answer = rest(&mut client.reader).await;
        let is_refusal = answer.is_empty()
            || answer.starts_with(b"HTTP/1.1 408 ")
            || answer.starts_with(b"HTTP/1.1 400 ");
        assert!(is_refusal, "{}: {}", start.escape_ascii(), answer.escape_ascii());
        untouched(&world, &start.escape_ascii().to_string());
    }
    still_serves(&world).await;
}

/// E01: the time is that of the whole head: a byte now and then buys nothing.
#[tokio::test]
async fn head_that_drips() {
    let world = limited("header_timeout: 500ms").await;
    let stream = TcpStream::connect(world.gateway.address()).await.unwrap();
    let (reader, mut writer) = stream.into_split();
    let mut reader = Reader::new(reader);
    let bytes = world.authorized().bytes();
    let dripping = async {
        for byte in &bytes {
            if writer.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        std::future::pending::<()>().await;
    };
    let answer = tokio::select! {
        () = dripping => unreachable!("dripping never ends"),
        answer = rest(&mut reader) => answer,
    };
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408 "), "{}", answer.escape_ascii());
    still_serves(&world).await;
}

/// E01, E03, D14: an HTTP/2 connection without a stream is closed.
#[tokio::test]
async fn http2_connection_that_says_nothing() {
    let world = limited("header_timeout: 300ms, idle_timeout: 300ms").await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for frames in [&b""[..], b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"] {
        let mut client = RawClient::connect(world.gateway.address()).await;
        client.send([preface, frames].concat()).await;
        rest(&mut client.reader).await;
        untouched(&world, "preface");
    }
    still_serves(&world).await;
}

/// E02: a body that stalls or drips is refused when its time is over, and the upstream never
/// hears of it.
#[tokio::test]
async fn body_that_stalls_or_drips() {
    let world = limited("body_timeout: 400ms").await;
    for chunked in [false, true] {
        let call = world.gateway.post("/notes").bearer(&world.token());
        let field =
            if chunked { ("Transfer-Encoding", "chunked") } else { ("Content-Length", "40") };
        let mut client = RawClient::connect(world.gateway.address()).await;
        client.send(call.header(field.0, field.1).head_bytes()).await;
        for _ in 0..4 {
            client.try_send(if chunked { "1\r\n \r\n" } else { " " }).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let response = client.response().await;
        refused(&world, "body", &response, 408, Challenge::Without);
        assert_eq!(response.header("connection"), Some("close"));
        client.closed().await;
    }
    still_serves(&world).await;
}

/// E02: for an id alone, a refused request's body is waited for one second, not longer.
#[tokio::test]
async fn refusal_does_not_wait_for_a_stalled_body() {
    let world = World::start().await;
    let mut client = RawClient::connect(world.gateway.address()).await;
    client.send(world.call().head_bytes()).await;
    client.send(&PING[..20]).await;
    let response = client.response().await;
    refused(&world, "stalled", &response, 401, Challenge::Plain);
    assert!(response.text().contains(r#""id":null"#), "{response:?}");
    assert_eq!(response.header("connection"), Some("close"));
    client.closed().await;
    still_serves(&world).await;
}

/// E03, E14: an idle connection is closed; one that works is not, however quiet it is.
#[tokio::test]
async fn idle_connection() {
    let world = limited("idle_timeout: 500ms, header_timeout: 300ms").await;
    let mut client = world.authorized().open().await;
    assert_answered(&client.response().await);
    client.closed().await;
    let (feed, reply) = Feed::events();
    world.upstream.next(reply);
    let mut streaming = world.authorized().open().await;
    assert_eq!(streaming.head().await.status, 200);
    tokio::time::sleep(Duration::from_millis(700)).await;
    feed.chunk("data: late\n\n");
    assert_eq!(streaming.events("data: late\n\n").await, "data: late\n\n");
}

/// E08, T13: an upstream that accepts and says nothing, or half a head, has its time as well.
#[tokio::test]
async fn upstream_that_never_answers() {
    let upstream = "upstream: {urls: [UPSTREAM], response_timeout: 300ms}";
    let world = World::with(&NOTES.replace("upstream: UPSTREAM", upstream)).await;
    let (drip, half) = Feed::after(b"HTTP/1.1 200 OK\r\nX: ".to_vec());
    for reply in [Reply::Silence, half] {
        world.upstream.next(reply);
        let response = world.authorized().send().await;
        assert_eq!(response.status, 504, "{response:?}");
        assert_eq!(response.header("www-authenticate"), None);
    }
    within("the abandoned request ends", drip.gone()).await;
    assert_answered(&world.authorized().send().await);
}

/// E07: an answer that dribbles passes as it comes, for as long as it comes.
#[tokio::test]
async fn upstream_that_dribbles() {
    let upstream = "upstream: {urls: [UPSTREAM], response_timeout: 300ms}";
    let world = World::with(&NOTES.replace("upstream: UPSTREAM", upstream)).await;
    let (feed, reply) = Feed::chunks(&[("Content-Type", "application/json")]);
    world.upstream.next(reply);
    let mut client = world.authorized().open().await;
    assert_eq!(client.head().await.status, 200);
    for part in ["{", "\"a\"", ":", "1", "}"] {
        tokio::time::sleep(Duration::from_millis(100)).await;
        feed.chunk(part);
        assert_eq!(client.events(part).await, part);
    }
    feed.end();
    assert_eq!(client.chunk().await, Some(Vec::new()));
}

/// E12: a client that closes its side of the connection has left: documented, and cheap.
#[tokio::test]
async fn half_closed_client_costs_nothing() {
    let world = World::start().await;
    let (feed, reply) = Feed::events();
    world.upstream.next(reply);
    let stream = TcpStream::connect(world.gateway.address()).await.unwrap();
    let (reader, mut writer) = stream.into_split();
    let mut reader = Reader::new(reader);
    writer.write_all(&world.authorized().bytes()).await.unwrap();
    assert_eq!(within("a head", reader.response_head()).await.unwrap().status, 200);
    writer.shutdown().await.unwrap();
    feed.gone().await;
    within("the end", async { while reader.more().await {} }).await;
}

/// P08: scrapers that take nothing hold no lock: calls are counted and answered, and others scrape.
#[tokio::test]
async fn scrapers_that_take_nothing_hold_up_nobody() {
    // So many series that a scrape does not fit into the buffers of a socket.
    let mut yaml = NOTES.to_owned();
    for number in 0..900 {
        let name = format!("{number}{}", "x".repeat(58));
        let route = format!("  r{name}: {{path: /{number}, upstream: UPSTREAM, access: public}}\n");
        yaml.push_str(&route);
    }
    let world = World::with(&yaml).await;
    let mut scrapers = Vec::new();
    for _ in 0..8 {
        let mut scraper = RawClient::connect(world.gateway.admin()).await;
        scraper.send(&Call::new(world.gateway.admin(), "GET", "/metrics").bytes()).await;
        scrapers.push(scraper);
    }
    for _ in 0..100 {
        assert_answered(&world.authorized().send().await);
    }
    let counted = r#"gatehouse_requests_total{method="POST",route="notes",status="200"}"#;
    world.gateway.counts(counted, 100.0).await;
    let scrape = scrapers[0].response().await;
    assert!(scrape.body.len() > 4 << 20, "{} bytes fit into the buffers", scrape.body.len());
}

/// P08: silent connections keep neither probes nor scrapers out, and those that ask are served.
#[tokio::test]
async fn silent_connections_do_not_hold_the_admin_port() {
    let world = World::with(NOTES).await;
    let admin = world.gateway.admin();
    // Three times as many as there are places: waiting for their ends would take longer.
    let held = within("answers beside silent connections", async {
        let mut silent = Vec::new();
        for number in 0..200 {
            let mut client = RawClient::connect(admin).await;
            let start = if number % 2 == 0 { "GET /livez HTTP/1.1\r\nHost: x" } else { "" };
            client.try_send(start).await;
            silent.push(client);
        }
        for path in ["/livez", "/readyz", "/metrics"] {
            assert_eq!(Call::new(admin, "GET", path).send().await.status, 200, "{path}");
        }
        silent
    });
    held.await[0].closed().await;
}
