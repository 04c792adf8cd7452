//! Handshakes meant to do harm, and sessions that are not what they seem.

use std::sync::Arc;

use rustls::version::{TLS12, TLS13};

use crate::harness::{
    assert_answered,
    client::RawClient,
    clock::within,
    tls::{NAME, TlsWorld},
    upstream::Feed,
};

/// A `ClientHello` (RFC 5246 section 7.4.1.2) of this version with these suites and compression
/// methods, without the extension that offers other versions.
fn hello(version: [u8; 2], suites: &[u8], compression: &[u8]) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend([7; 32]);
    body.push(0);
    body.extend([0, u8::try_from(suites.len()).unwrap()]);
    body.extend(suites);
    body.push(u8::try_from(compression.len()).unwrap());
    body.extend(compression);
    // Signature algorithms, groups, point formats, extended master secret.
    let extensions =
        b"\0\x0d\0\x04\0\x02\x04\x03\0\x0a\0\x04\0\x02\0\x17\0\x0b\0\x02\x01\0\0\x17\0\0";
    body.extend([0, u8::try_from(extensions.len()).unwrap()]);
    body.extend(extensions);
    let length = u8::try_from(body.len()).unwrap();
    let mut bytes = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    bytes.extend(body);
    bytes
}

/// What came back until the connection ended.
async fn rest(client: &mut RawClient) -> Vec<u8> {
    within("the connection's end", async { while client.reader.more().await {} }).await;
    std::mem::take(&mut client.reader.buffer)
}

async fn unharmed(world: &TlsWorld) {
    assert_eq!(world.world.upstream.bytes_received(), 0);
    assert_answered(&world.call(&world.client()).await.unwrap());
}

/// R01: old versions, weak suites and compression are refused with an alert.
#[tokio::test]
async fn old_versions_and_weak_suites() {
    let world = TlsWorld::start().await;
    let ecdsa = [0xc0, 0x2b];
    for (what, bytes, alert) in [
        ("SSL 3.0", hello([3, 0], &ecdsa, &[0]), PROTOCOL_VERSION),
        ("TLS 1.0", hello([3, 1], &ecdsa, &[0]), PROTOCOL_VERSION),
        ("TLS 1.1", hello([3, 2], &ecdsa, &[0]), PROTOCOL_VERSION),
        ("NULL", hello([3, 3], &[0xc0, 0x06], &[0]), HANDSHAKE_FAILURE),
        ("RC4", hello([3, 3], &[0xc0, 0x07], &[0]), HANDSHAKE_FAILURE),
        ("3DES", hello([3, 3], &[0xc0, 0x08], &[0]), HANDSHAKE_FAILURE),
        ("CBC", hello([3, 3], &[0xc0, 0x09], &[0]), HANDSHAKE_FAILURE),
        ("RSA key exchange", hello([3, 3], &[0, 0x9c], &[0]), HANDSHAKE_FAILURE),
        ("compression alone", hello([3, 3], &ecdsa, &[1]), ILLEGAL_PARAMETER),
    ] {
        let mut client = RawClient::connect(world.world.gateway.address()).await;
        client.send(bytes).await;
        let answer = rest(&mut client).await;
        // A fatal alert and nothing else.
        assert_eq!(answer.first(), Some(&21), "{what}: {answer:?}");
        assert_eq!(answer[5..], [2, alert], "{what}");
    }
    // The same hello is answered when nothing is wrong with it.
    let mut client = RawClient::connect(world.world.gateway.address()).await;
    client.send(hello([3, 3], &ecdsa, &[0])).await;
    assert!(client.reader.more().await);
    assert_eq!(client.reader.buffer[0], 22);
    unharmed(&world).await;
}

/// R06: the name that a client asks for chooses nothing; the Host is what counts.
#[tokio::test]
async fn cve_2022_23632_server_name_chooses_nothing() {
    let world = TlsWorld::start().await;
    let config = Arc::new(world.client().config());
    for host in ["evil.example", "localhost.evil.example", "LOCALHOST.example"] {
        let mut client = world.connect_with(&config, NAME).await.unwrap();
        client.send(world.world.authorized().host(host).bytes()).await.unwrap();
        assert_eq!(client.response().await.status, 421, "{host}");
    }
    for name in ["LocalHost", NAME] {
        let mut client = world.connect_with(&config, name).await.unwrap();
        let own = world.world.gateway.address().to_string();
        client.send(world.world.call().host(&own).bytes()).await.unwrap();
        assert_eq!(client.response().await.status, 401, "{name}");
    }
    let mut anonymous = world.client().config();
    anonymous.enable_sni = false;
    assert_eq!(world.world.upstream.bytes_received(), 0);
    assert_answered(&world.call_with(&Arc::new(anonymous)).await.unwrap());
}

/// R07: garbage, halves and hellos in pieces.
#[tokio::test]
async fn cve_2026_32305_handshakes_that_are_none() {
    let world = TlsWorld::with("", "\n  limits: {header_timeout: 300ms}").await;
    let good = hello([3, 3], &[0xc0, 0x2b], &[0]);
    for bytes in [
        &[0; 64][..],
        &[0xff; 64],
        b"\x16\x03\x01\xff\xff",
        b"\x16\x03\x01\x00\x00",
        b"\x80\x2e\x01\x03\x01",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"\x17\x03\x03\x00\x05hello",
        b"\x16\x03\x01\x00\x04\x01\xff\xff\xff",
        b"get / http/1.1\r\n\r\n",
        &good[..good.len() - 1],
    ] {
        let mut client = RawClient::connect(world.world.gateway.address()).await;
        client.try_send(bytes).await;
        rest(&mut client).await;
    }
    let mut halves = Vec::new();
    for _ in 0..200 {
        let mut client = RawClient::connect(world.world.gateway.address()).await;
        client.send(&good[..20]).await;
        halves.push(client);
    }
    assert_answered(&world.call(&world.client()).await.unwrap());
    for client in &mut halves {
        client.closed().await;
    }
    world.world.gateway.counts("gatehouse_connections", 0.0).await;
    // A byte at a time is slow, but not wrong.
    let mut client = RawClient::connect(world.world.gateway.address()).await;
    for byte in &good {
        client.send([*byte]).await;
    }
    assert!(client.reader.more().await);
    assert_eq!(client.reader.buffer[0], 22);
}

/// R08: a session that is resumed brings no early data.
#[tokio::test]
async fn cve_2024_39321_no_early_data() {
    let world = TlsWorld::start().await;
    for version in [&TLS12, &TLS13] {
        let mut config = world.client().version(version).config();
        config.enable_early_data = true;
        let config = Arc::new(config);
        for _ in 0..3 {
            let mut client = world.connect_with(&config, NAME).await.unwrap();
            client.send(world.world.authorized().bytes()).await.unwrap();
            assert_answered(&client.response().await);
            let stream = client.into_stream();
            assert!(!stream.get_ref().1.is_early_data_accepted());
        }
    }
}

/// R09: a body that ends without a farewell is no body, and a stream that is cut is no whole one.
#[tokio::test]
async fn truncation_is_an_error() {
    let world = TlsWorld::start().await;
    let call = world.world.gateway.post("/notes").bearer(&world.world.token());
    for (field, value, body) in [
        ("Content-Length", "40", "{\"id\":1}"),
        ("Transfer-Encoding", "chunked", "8\r\n{\"id\":1}\r\n"),
    ] {
        let mut client = world.connect(&world.client()).await.unwrap();
        client.send(call.clone().header(field, value).head_bytes()).await.unwrap();
        client.send(body).await.unwrap();
        // The socket ends; the session was never closed.
        drop(client);
        world.world.gateway.counts("gatehouse_connections", 0.0).await;
        assert_eq!(world.world.upstream.requests().len(), 0, "{field}");
    }
    let (feed, reply) = Feed::events();
    world.world.upstream.next(reply);
    let get = world.world.gateway.get("/notes").bearer(&world.world.token());
    let mut client = world.connect(&world.client()).await.unwrap();
    client.send(get.bytes()).await.unwrap();
    assert_eq!(client.head().await.status, 200);
    feed.chunk("data: 1\n\n");
    assert_eq!(client.chunk().await.as_deref(), Some("data: 1\n\n"));
    feed.cut();
    assert_eq!(client.chunk().await, None, "a cut is no proper end");
}

// RFC 8446 section 6.
const HANDSHAKE_FAILURE: u8 = 40;
const ILLEGAL_PARAMETER: u8 = 47;
const PROTOCOL_VERSION: u8 = 70;
