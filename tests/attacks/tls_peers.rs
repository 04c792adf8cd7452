//! R02: authorization servers and upstreams whose certificates prove nothing.

use std::{fs, path::PathBuf, sync::Arc};

use rcgen::{ExtendedKeyUsagePurpose, date_time_ymd};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::{
    harness::{
        NOTES, World, assert_answered,
        authorization_server::StubAuthorizationServer,
        clock::within,
        gateway::TestGateway,
        tls::{Authority, Identity, NAME},
        upstream::StubUpstream,
    },
    oracle::{Challenge, refused},
};

fn acceptor(identity: &Identity) -> TlsAcceptor {
    let chain = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// A world whose authorization server shows this, and is trusted when `authority` vouches for it.
async fn world(identity: &Identity, authority: &Authority) -> World {
    let authorization_server = StubAuthorizationServer::start_tls(acceptor(identity)).await;
    let upstream = StubUpstream::start().await;
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!(
        "peers-{}-{}.pem",
        std::process::id(),
        authorization_server.port()
    ));
    fs::write(&path, &authority.pem).unwrap();
    let trusting = format!("issuer: ISSUER\n    tls: {{ca: '{}'}}", path.display());
    let yaml = NOTES
        .replace("issuer: ISSUER", &trusting)
        .replace("ISSUER", authorization_server.issuer())
        .replace("UPSTREAM", &upstream.url());
    let gateway = TestGateway::start(&yaml);
    World { gateway, authorization_server, upstream }
}

/// Nobody is told anything by an authorization server that is not shown to be it: neither metadata
/// nor the gateway's secret and the client's token go over such a connection.
#[tokio::test]
async fn authorization_server_that_is_somebody_else() {
    let authority = Authority::new();
    let usage = |purpose| {
        authority.identity_with(NAME, move |params| params.extended_key_usages = vec![purpose])
    };
    for (what, identity) in [
        ("another authority's", Authority::new().identity(NAME)),
        ("another name", authority.identity("other.example")),
        ("a name above", authority.identity("host")),
        ("ended", authority.identity_until(NAME, 2020)),
        (
            "not begun",
            authority.identity_with(NAME, |params| {
                params.not_before = date_time_ymd(2090, 1, 1);
                params.not_after = date_time_ymd(2099, 1, 1);
            }),
        ),
        ("for clients alone", usage(ExtendedKeyUsagePurpose::ClientAuth)),
        ("for code alone", usage(ExtendedKeyUsagePurpose::CodeSigning)),
    ] {
        let world = world(&identity, &authority).await;
        let response = world.authorized().send().await;
        refused(&world, what, &response, 503, Challenge::Without);
        assert!(response.header("retry-after").is_some(), "{what}");
        assert_eq!(world.authorization_server.received().len(), 0, "{what}");
        world.gateway.readiness(503, "authorization server corp").await;
    }
    let good = usage(ExtendedKeyUsagePurpose::ServerAuth);
    let world = world(&good, &authority).await;
    world.gateway.ready().await;
    assert_answered(&world.authorized().send().await);
}

/// An upstream is who its name says; one that never finishes a handshake has its time.
#[tokio::test]
async fn upstream_that_is_somebody_else() {
    for is_silent in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let upstream =
            format!("upstream: {{urls: ['https://localhost:{port}/mcp'], connect_timeout: 300ms}}");
        let world = World::with(&NOTES.replace("upstream: UPSTREAM", &upstream)).await;
        let call = world.authorized();
        let call = call.send();
        // Silent: the system accepts for nobody.
        let response = if is_silent {
            call.await
        } else {
            let tls = acceptor(&Authority::new().identity(NAME));
            let peer = async { tls.accept(listener.accept().await.unwrap().0).await.err() };
            let (response, error) = tokio::join!(call, within("a handshake", peer));
            // It hears of nothing but an alert.
            let error = error.unwrap().to_string();
            assert!(error.contains("alert"), "{error}");
            response
        };
        refused(&world, "upstream", &response, 502, Challenge::Without);
    }
}
