//! Certificates of clients: asked for, required, and those that do not verify.

use crate::harness::{
    assert_answered,
    tls::{Authority, Client, TlsWorld},
};

const OPTIONAL: &str = "\n    client_ca: FOLDER/clients.pem";
const REQUIRED: &str = "\n    client_ca: FOLDER/clients.pem\n    require_client_certificate: true";

/// Neither the handshake nor a request succeeds.
async fn fails(world: &TlsWorld, what: &str, client: &Client) {
    let failure = "gatehouse_tls_handshakes_total{outcome=\"failed\"}";
    let before = world.world.gateway.metric(failure).await;
    let answer = world.call(client).await;
    assert!(answer.is_err(), "{what}: {answer:?}");
    world.world.gateway.counts(failure, before + 1.0).await;
    assert_eq!(world.world.upstream.bytes_received(), 0, "{what}");
}

/// R04, R05: whoever is not vouched for, not now or not for this, is turned away.
#[tokio::test]
async fn only_certificates_of_the_named_authority_are_taken() {
    let clients = Authority::new();
    for lines in [OPTIONAL, REQUIRED] {
        let world = TlsWorld::among(lines, "", &clients).await;
        for (what, identity) in [
            ("another authority's", Authority::new().identity("client.example")),
            ("the server's authority's", world.authority.identity("client.example")),
            ("ended", clients.identity_until("client.example", 2020)),
            ("for servers alone", clients.server_identity("client.example")),
        ] {
            fails(&world, what, &world.client().showing(identity)).await;
        }
        if lines == REQUIRED {
            fails(&world, "none", &world.client()).await;
        } else {
            assert_answered(&world.call(&world.client()).await.unwrap());
        }
        let good = world.client().showing(clients.identity("client.example"));
        assert_answered(&world.call(&good).await.unwrap());
    }
}

#[tokio::test]
async fn nobody_is_asked_without_an_authority() {
    let world = TlsWorld::start().await;
    let foreign = Authority::new().identity("client.example");
    assert_answered(&world.call(&world.client().showing(foreign)).await.unwrap());
}
