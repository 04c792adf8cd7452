//! Handshakes that come to nothing, each ended cleanly and in time.

use rustls::version::{TLS12, TLS13};

use crate::harness::{PING, assert_answered, client::RawClient, tls::TlsWorld};

const FAST: &str = "\n  limits: {header_timeout: 300ms}";

#[tokio::test]
async fn protocol_that_is_not_offered_is_refused() {
    let world = TlsWorld::start().await;
    for version in [&TLS12, &TLS13] {
        for alpn in [&["spdy/3"][..], &["h2c"], &["http/1.0", "HTTP/1.1"]] {
            let client = world.client().version(version).alpn(alpn);
            let error = world.connect(&client).await.err().unwrap().to_string();
            assert!(error.contains("NoApplicationProtocol"), "{error}");
        }
    }
    assert_answered(&world.call(&world.client()).await.unwrap());
}

/// D14: what ALPN chose is what is spoken.
#[tokio::test]
async fn neither_protocol_is_spoken_inside_the_other() {
    let world = TlsWorld::start().await;
    for alpn in [&["http/1.1"][..], &[]] {
        let mut client = world.connect(&world.client().alpn(alpn)).await.unwrap();
        client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        assert_eq!(client.response().await.status, 400);
        client.closed().await;
    }
    let mut client = world.connect(&world.client().alpn(&["h2"])).await.unwrap();
    client.send(world.world.authorized().bytes()).await.unwrap();
    client.closed().await;
    assert_eq!(world.world.upstream.bytes_received(), 0);
}

#[tokio::test]
async fn plain_http_is_told_to_use_tls() {
    let world = TlsWorld::start().await;
    for bytes in [world.world.authorized().bytes(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()] {
        let mut client = RawClient::connect(world.world.gateway.address()).await;
        client.send(bytes).await;
        let response = client.response().await;
        assert_eq!(response.status, 400, "{response:?}");
        assert_eq!(response.text(), "This address speaks HTTPS only.\r\n");
        assert!(response.is_whole);
        client.closed().await;
    }
    assert_eq!(world.world.upstream.bytes_received(), 0);
    let gateway = &world.world.gateway;
    gateway.counts("gatehouse_tls_handshakes_total{outcome=\"plaintext\"}", 2.0).await;
}

/// E17, R07: one limit from accept to the end of the head, wherever the client stops.
#[tokio::test]
async fn slow_clients_are_cut() {
    let world = TlsWorld::with("", FAST).await;
    let gateway = &world.world.gateway;
    for bytes in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"] {
        let mut client = RawClient::connect(gateway.address()).await;
        client.send(bytes).await;
        client.closed().await;
    }
    gateway.counts("gatehouse_tls_handshakes_total{outcome=\"timeout\"}", 3.0).await;
    for alpn in ["http/1.1", "h2"] {
        let mut client = world.connect(&world.client().alpn(&[alpn])).await.unwrap();
        client.closed().await;
    }
    let mut client = world.connect(&world.client()).await.unwrap();
    client.send("POST /notes HTTP/1.1\r\nHost").await.unwrap();
    assert_eq!(client.response().await.status, 408);
    client.closed().await;
    gateway.counts("gatehouse_connections", 0.0).await;
    assert_answered(&world.call(&world.client()).await.unwrap());
}

#[tokio::test]
async fn connection_too_many_is_closed_without_a_handshake() {
    let world = TlsWorld::with("", "\n  limits: {max_connections: 1}").await;
    let mut first = world.connect(&world.client()).await.unwrap();
    let error = world.call(&world.client()).await;
    assert!(error.is_err(), "{error:?}");
    first.send(world.world.authorized().body(PING).bytes()).await.unwrap();
    assert_answered(&first.response().await);
    drop(first);
    world.world.gateway.counts("gatehouse_connections", 0.0).await;
    assert_answered(&world.call(&world.client()).await.unwrap());
}
