//! N09: the PROXY protocol, from the networks that are configured to speak it and from no others.

use bytes::Bytes;
use gatehouse::reload::Outcome;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};
use tokio_util::task::TaskTracker;

use crate::{
    harness::{
        NOTES, PING, World, assert_answered,
        client::RawClient,
        clock::within,
        tls::{NAME, TlsWorld},
    },
    oracle::{Challenge, refused, rest, still_serves, untouched},
};

const V1: &[u8] = b"PROXY TCP4 9.9.9.9 127.0.0.1 12345 80\r\n";
const V2: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0f\x09\x09\x09\x09\x7f\0\0\x01\x30\x39\x00\x50\x04\0\0";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

async fn world(listen: &str) -> World {
    World::with(&format!("listen: {{proxy_protocol: ['127.0.0.0/8']{listen}}}\n{NOTES}")).await
}

async fn counted(world: &World, outcome: &str, count: f64) {
    let series = format!("gatehouse_proxy_protocol_headers_total{{outcome=\"{outcome}\"}}");
    world.gateway.counts(&series, count).await;
}

/// What the upstream was told last.
fn chain(world: &World) -> String {
    let request = world.upstream.requests().pop().unwrap();
    request.header("x-forwarded-for").unwrap().to_owned()
}

/// The address it names is the peer's for every request of the connection, however it arrives.
#[tokio::test]
async fn named_address_is_the_peer() {
    let world = world("").await;
    for (header, peer) in [
        (V1, "9.9.9.9"),
        (V2, "9.9.9.9"),
        (b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "2001:db8::1"),
        (b"PROXY TCP6 ::ffff:9.9.9.9 ::1 1 2\r\n", "9.9.9.9"),
        (b"PROXY UNKNOWN whatever\r\n", "127.0.0.1"),
        (LOCAL, "127.0.0.1"),
    ] {
        let what = header.escape_ascii().to_string();
        let mut client = RawClient::connect(world.gateway.address()).await;
        client.send([header, &world.authorized().bytes()].concat()).await;
        for _ in 0..2 {
            assert_answered(&client.response().await);
            assert_eq!(chain(&world), peer, "{what}");
            client.send(world.authorized().header("X-Forwarded-For", "8.8.8.8").bytes()).await;
        }
        assert_answered(&client.response().await);
        let mut client = RawClient::connect(world.gateway.address()).await;
        for byte in header {
            client.send([*byte]).await;
        }
        client.send(world.authorized().bytes()).await;
        assert_answered(&client.response().await);
        assert_eq!(chain(&world), peer, "{what} in pieces");
    }
    counted(&world, "proxied", 8.0).await;
    counted(&world, "own", 4.0).await;
}

/// Whom to believe is decided by the address it names, not by who said it.
#[tokio::test]
async fn cve_2026_40575_balancer_is_no_trusted_proxy() {
    for (trusted, expected) in
        [("127.0.0.0/8", "9.9.9.9"), ("9.9.9.0/24", "8.8.8.8, 9.9.9.9"), ("8.0.0.0/8", "9.9.9.9")]
    {
        let world = world(&format!(", trusted_proxies: ['{trusted}']")).await;
        let mut client = RawClient::connect(world.gateway.address()).await;
        let call = world.authorized().header("X-Forwarded-For", "8.8.8.8").bytes();
        client.send([V2, &call].concat()).await;
        assert_answered(&client.response().await);
        assert_eq!(chain(&world), expected, "{trusted}");
    }
}

/// Without a header nothing is answered, and nothing is waited for beyond the time of a head.
#[tokio::test]
async fn connections_without_a_header_are_closed() {
    let world = world(", limits: {header_timeout: 400ms}").await;
    let good = world.authorized().bytes();
    let too_long = [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff"[..], &[0; 1000]].concat();
    let long_line = [&b"PROXY UNKNOWN "[..], &[b'x'; 200]].concat();
    let malformed = [
        &good,
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PROXY TCP4 9.9.9.9 127.0.0.1 1 2\n\r\n",
        b"PROXY TCP4 localhost 127.0.0.1 1 2\r\n",
        b"PROXY HTTP/1.1\r\n",
        b"\r\n\r\nGET / HTTP/1.1\r\n",
        &too_long,
        &long_line,
    ];
    for bytes in malformed {
        let mut client = RawClient::connect(world.gateway.address()).await;
        client.try_send(bytes).await;
        client.try_send(&good).await;
        let answer = rest(&mut client.reader).await;
        assert!(answer.is_empty(), "{}: {}", bytes.escape_ascii(), answer.escape_ascii());
        untouched(&world, &bytes.escape_ascii().to_string());
    }
    counted(&world, "malformed", 9.0).await;
    for bytes in [&b""[..], b"PROXY", &V1[..V1.len() - 1], &V2[..10], &V2[..V2.len() - 1]] {
        let mut client = RawClient::connect(world.gateway.address()).await;
        client.send(bytes).await;
        assert!(rest(&mut client.reader).await.is_empty(), "{}", bytes.escape_ascii());
    }
    counted(&world, "timeout", 5.0).await;
    drop(RawClient::connect(world.gateway.address()).await);
    counted(&world, "ended", 1.0).await;
    world.gateway.counts("gatehouse_connections", 0.0).await;
    untouched(&world, "halves");
    let mut client = RawClient::connect(world.gateway.address()).await;
    client.send([V1, &good].concat()).await;
    assert_answered(&client.response().await);
}

/// The time of the first head runs from accept: a header buys no more of it.
#[tokio::test]
async fn header_does_not_prolong_the_first_head() {
    let world = world(", limits: {header_timeout: 400ms}").await;
    for bytes in [V1, &[V1, b"POST /notes HTTP/1.1\r\n"].concat()] {
        let mut client = RawClient::connect(world.gateway.address()).await;
        client.send(bytes).await;
        let answer = rest(&mut client.reader).await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408 "));
    }
    untouched(&world, "no head");
}

/// One header: a second is the first line of a bad request.
#[tokio::test]
async fn second_header_is_no_header() {
    let world = world("").await;
    for (first, second) in [(V1, V1), (V1, V2), (V2, V1), (V2, V2), (LOCAL, V2)] {
        let mut client = RawClient::connect(world.gateway.address()).await;
        client.send([first, second, &world.authorized().bytes()].concat()).await;
        let response = client.response().await;
        refused(&world, "twice", &response, 400, Challenge::Without);
        assert!(rest(&mut client.reader).await.is_empty());
    }
}

/// From networks that are not named its bytes are none but a client's.
#[tokio::test]
async fn header_from_elsewhere_is_a_bad_request() {
    let elsewhere = "listen: {proxy_protocol: ['10.0.0.0/8', '127.0.0.2']}";
    let world = World::with(&format!("{elsewhere}\n{NOTES}")).await;
    for header in [V1, V2, LOCAL] {
        let mut client = RawClient::connect(world.gateway.address()).await;
        client.send([header, &world.authorized().bytes()].concat()).await;
        refused(&world, "elsewhere", &client.response().await, 400, Challenge::Without);
    }
    still_serves(&world).await;
    // A reload decides about connections that begin after it.
    let mut before = world.authorized().open().await;
    assert_answered(&before.response().await);
    let named = format!("{elsewhere}\n{NOTES}").replace("127.0.0.2", "127.0.0.1");
    assert_eq!(world.reload(&named), Outcome::Applied);
    before.send(world.authorized().bytes()).await;
    assert_answered(&before.response().await);
    let mut without = world.authorized().open().await;
    without.closed().await;
    let mut with = RawClient::connect(world.gateway.address()).await;
    with.send([V2, &world.authorized().bytes()].concat()).await;
    assert_answered(&with.response().await);
    assert_eq!(chain(&world), "9.9.9.9");
}

/// HTTP/2 begins behind the header.
#[tokio::test]
async fn http2_behind_a_header() {
    let world = world("").await;
    let mut stream = TcpStream::connect(world.gateway.address()).await.unwrap();
    stream.write_all(V2).await.unwrap();
    let builder = http2::Builder::new(TokioExecutor::new());
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    // Detached on purpose: it ends with its sender.
    drop(TaskTracker::new().spawn(connection));
    let request = Request::post(format!("http://{}/notes", world.gateway.address()))
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {}", world.token()))
        .body(Full::new(Bytes::from(PING)))
        .unwrap();
    let response = within("a response", sender.send_request(request)).await.unwrap();
    assert_eq!(response.status(), 200);
    drop(response.into_body().collect().await.unwrap());
    assert_eq!(chain(&world), "9.9.9.9");
}

/// With TLS the header stands before the handshake, in the clear.
#[tokio::test]
async fn tls_behind_a_header() {
    let world = TlsWorld::with("", "\n  proxy_protocol: ['127.0.0.0/8']").await;
    let config = std::sync::Arc::new(world.client().config());
    for header in [V1, V2] {
        let mut stream = TcpStream::connect(world.world.gateway.address()).await.unwrap();
        stream.write_all(header).await.unwrap();
        let mut client = world.connect_over(stream, &config, NAME).await.unwrap();
        client.send(world.world.authorized().bytes()).await.unwrap();
        assert_answered(&client.response().await);
        assert_eq!(chain(&world.world), "9.9.9.9");
    }
    // Not inside the session, and not left out.
    let served = world.world.upstream.bytes_received();
    assert!(world.connect(&world.client()).await.is_err());
    let mut stream = TcpStream::connect(world.world.gateway.address()).await.unwrap();
    stream.write_all(LOCAL).await.unwrap();
    let mut client = world.connect_over(stream, &config, NAME).await.unwrap();
    client.send([V1, &world.world.authorized().bytes()].concat()).await.unwrap();
    assert_eq!(client.response().await.status, 400);
    assert_eq!(world.world.upstream.bytes_received(), served);
}
