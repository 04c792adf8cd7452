//! What was agreed with clients, after the rules about them have changed.

use std::sync::Arc;

use gatehouse::reload::Outcome;
use http_body_util::BodyExt as _;
use rustls::{
    HandshakeKind,
    version::{TLS12, TLS13},
};

use crate::harness::{
    PING, assert_answered,
    client::H2Client,
    clock::within,
    tls::{Authority, NAME, TlsWorld},
    upstream::Feed,
};

const REQUIRED: &str = "\n    client_ca: FOLDER/clients.pem\n    require_client_certificate: true";

/// R10: a ticket of a time when nobody was asked for a certificate opens nothing when everybody is.
#[tokio::test]
async fn tickets_are_worth_nothing_when_clients_are_asked_for_certificates() {
    for version in [&TLS12, &TLS13] {
        let clients = Authority::new();
        let world = TlsWorld::among("", "", &clients).await;
        let config = Arc::new(world.client().version(version).config());
        let kind = async || {
            let mut client = world.connect_with(&config, NAME).await.unwrap();
            client.send(world.world.authorized().bytes()).await.unwrap();
            assert_answered(&client.response().await);
            client.into_stream().get_ref().1.handshake_kind()
        };
        assert_ne!(kind().await, Some(HandshakeKind::Resumed));
        assert_eq!(kind().await, Some(HandshakeKind::Resumed));
        let served = world.world.upstream.requests().len();
        assert_eq!(world.reload(REQUIRED), Outcome::Applied);
        let refused = world.call_with(&config).await;
        assert!(refused.is_err(), "{refused:?}");
        assert_eq!(world.world.upstream.requests().len(), served);
        let good = world.client().showing(clients.identity("client.example"));
        assert_answered(&world.call(&good).await.unwrap());
        // And back: what was shown then is asked for no more, and nothing of it is resumed.
        assert_eq!(world.reload(""), Outcome::Applied);
        assert_eq!(kind().await, Some(HandshakeKind::Full));
    }
}

/// R10: a connection from before ends: what it is doing goes on, what is new is not served.
#[tokio::test]
async fn connections_without_a_certificate_end_when_one_is_required() {
    let clients = Authority::new();
    let world = TlsWorld::among("", "", &clients).await;
    let mut idle = world.connect(&world.client()).await.unwrap();
    idle.send(world.world.authorized().bytes()).await.unwrap();
    assert_answered(&idle.response().await);
    let stream = world.connect(&world.client().alpn(&["h2"])).await.unwrap().into_stream();
    let authority = world.world.gateway.address().to_string();
    let mut client = H2Client::over(stream, "https", authority).await;
    let (feed, reply) = Feed::events();
    world.world.upstream.next(reply);
    let authorization = format!("Bearer {}", world.world.token());
    let fields = [("authorization", &*authorization), ("content-type", "application/json")];
    let response = client.open("GET", "/notes", &fields[..1], "").await;
    assert_eq!(response.status(), 200);
    assert_eq!(world.reload(REQUIRED), Outcome::Applied);
    // The first connection has nothing to do.
    idle.closed().await;
    let farewell = async {
        // What was on its way when the connection was told is served.
        while client.try_open("POST", "/notes", &fields, PING).await.is_ok() {}
    };
    within("the farewell", farewell).await;
    let served = world.world.upstream.requests().len();
    let mut body = response.into_body();
    feed.chunk("data: goes on\n\n");
    let data = within("an event", body.frame()).await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(data, "data: goes on\n\n");
    feed.end();
    let rest = within("the end", body.collect()).await.unwrap().to_bytes();
    assert!(rest.is_empty(), "{rest:?}");
    assert_eq!(world.world.upstream.requests().len(), served);
    world.world.gateway.counts("gatehouse_connections", 0.0).await;
}

/// R03: another certificate alone ends nothing.
#[tokio::test]
async fn connections_go_on_when_the_certificate_is_renewed() {
    let world = TlsWorld::start().await;
    let mut client = world.connect(&world.client()).await.unwrap();
    client.send(world.world.authorized().bytes()).await.unwrap();
    assert_answered(&client.response().await);
    world.authority.identity(NAME).write(&world.folder);
    assert_eq!(world.reload(""), Outcome::Applied);
    client.send(world.world.authorized().bytes()).await.unwrap();
    assert_answered(&client.response().await);
}
