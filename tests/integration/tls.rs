//! TLS on the public listener: both protocols, with the same judgement as without it.

mod clients;
mod files;
mod handshakes;

use http_body_util::BodyExt as _;
use rustls::version::{TLS12, TLS13};

use crate::harness::{
    PING, assert_answered,
    client::H2Client,
    clock::within,
    tls::TlsWorld,
    upstream::{Feed, RESULT},
};

#[tokio::test]
async fn http1_is_served_with_both_versions() {
    let world = TlsWorld::start().await;
    for version in [&TLS12, &TLS13] {
        for alpn in [&["http/1.1"][..], &[], &["http/1.1", "spdy/3"]] {
            let client = world.client().version(version).alpn(alpn);
            assert_answered(&world.call(&client).await.unwrap());
        }
    }
    for request in world.world.upstream.requests() {
        assert_eq!(request.header("x-forwarded-proto"), Some("https"));
    }
    assert_eq!(world.world.upstream.requests().len(), 6);
    let gateway = &world.world.gateway;
    gateway.counts("gatehouse_tls_handshakes_total{outcome=\"done\"}", 6.0).await;
}

#[tokio::test]
async fn http2_is_served_when_alpn_chose_it() {
    let world = TlsWorld::start().await;
    let authorization = format!("Bearer {}", world.world.token());
    let headers = [("authorization", &*authorization), ("content-type", "application/json")];
    for version in [&TLS12, &TLS13] {
        let client = world.client().version(version).alpn(&["h2", "http/1.1"]);
        let stream = world.connect(&client).await.unwrap();
        assert_eq!(stream.alpn.as_deref(), Some("h2"));
        let authority = world.world.gateway.address().to_string();
        let mut client = H2Client::over(stream.into_stream(), "https", authority).await;
        for _ in 0..2 {
            let response = client.send("POST", "/notes", &headers, PING).await;
            assert_eq!((response.status, response.text()), (200, RESULT.to_owned()));
        }
        let refused = client.send("POST", "/notes", &headers[1..], PING).await;
        assert_eq!(refused.status, 401);
        assert_eq!(refused.header("www-authenticate"), Some(&*world.world.challenge("")));
    }
    let requests = world.world.upstream.requests();
    assert_eq!(requests.len(), 4);
    assert!(requests.iter().all(|each| each.header("x-forwarded-proto") == Some("https")));
}

#[tokio::test]
async fn refusals_and_framing_are_those_of_plain_connections() {
    let world = TlsWorld::start().await;
    let mut client = world.connect(&world.client()).await.unwrap();
    client.send(world.world.call().bytes()).await.unwrap();
    let refused = client.response().await;
    let challenge = world.world.challenge("");
    assert!(challenge.contains("https://"), "{challenge}");
    assert_eq!(refused.header("www-authenticate"), Some(&*challenge));
    assert_eq!(refused.status, 401);
    // The same connection, for the next request.
    let twice = world.world.authorized().header("Transfer-Encoding", "chunked").bytes();
    client.send(twice).await.unwrap();
    assert_eq!(client.response().await.status, 400);
    client.closed().await;
    assert_eq!(world.world.upstream.bytes_received(), 0);
}

/// Requests that share records: the socket announces none of them but the first.
#[tokio::test]
async fn pipelined_requests_are_answered_in_turn() {
    let world = TlsWorld::start().await;
    let mut client = world.connect(&world.client()).await.unwrap();
    let padding = "a".repeat(3000);
    let call = world.world.authorized().header("X-Padding", &padding).bytes();
    client.send(call.repeat(20)).await.unwrap();
    for _ in 0..20 {
        assert_answered(&client.response().await);
    }
    let large = world.world.authorized().body(vec![b' '; 300_000]).bytes();
    client.send(large).await.unwrap();
    assert_answered(&client.response().await);
    assert_eq!(world.world.upstream.requests()[20].body.len(), 300_000);
}

#[tokio::test]
async fn streams_live_and_end_with_their_client() {
    let world = TlsWorld::start().await;
    let gateway = &world.world.gateway;
    let get = gateway.get("/notes").bearer(&world.world.token());
    let (feed, reply) = Feed::events();
    world.world.upstream.next(reply);
    let mut client = world.connect(&world.client()).await.unwrap();
    client.send(get.bytes()).await.unwrap();
    assert_eq!(client.head().await.status, 200);
    feed.chunk("data: 1\n\n");
    assert_eq!(client.chunk().await.as_deref(), Some("data: 1\n\n"));
    // Not a word of farewell.
    drop(client);
    feed.gone().await;

    let (feed, reply) = Feed::events();
    world.world.upstream.next(reply);
    let stream = world.connect(&world.client().alpn(&["h2"])).await.unwrap();
    let authority = gateway.address().to_string();
    let mut client = H2Client::over(stream.into_stream(), "https", authority).await;
    let authorization = format!("Bearer {}", world.world.token());
    let mut body =
        client.open("GET", "/notes", &[("authorization", &authorization)], "").await.into_body();
    feed.chunk("data: 2\n\n");
    let frame = within("a frame", body.frame()).await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "data: 2\n\n");
    drop((client, body));
    feed.gone().await;
}

#[tokio::test]
async fn draining_ends_a_stream_properly() {
    let world = TlsWorld::start().await;
    let (feed, reply) = Feed::events();
    world.world.upstream.next(reply);
    let mut client = world.connect(&world.client()).await.unwrap();
    let get = world.world.gateway.get("/notes").bearer(&world.world.token());
    client.send(get.bytes()).await.unwrap();
    assert_eq!(client.head().await.status, 200);
    feed.chunk("data: 1\n\n");
    assert_eq!(client.chunk().await.as_deref(), Some("data: 1\n\n"));
    world.world.gateway.shut_down().await;
    assert_eq!(client.chunk().await.as_deref(), Some(""), "a proper end");
    client.closed().await;
}
