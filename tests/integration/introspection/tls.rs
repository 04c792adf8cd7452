//! An authorization server behind TLS: `tls.ca` replaces the platform's trust.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio_rustls::TlsAcceptor;

use crate::harness::{
    NOTES, World, assert_answered, authorization_server::StubAuthorizationServer,
    gateway::TestGateway, upstream::StubUpstream,
};

/// A certificate authority of the test's own.
pub(crate) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// TLS with a certificate for this name.
    pub(crate) fn acceptor(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// A world whose authorization server has a certificate for `name`, signed by `signer`, while the
/// gateway trusts `trusted` alone.
async fn world(name: &str, signer: &Authority, trusted: &Authority) -> World {
    let authorization_server = StubAuthorizationServer::start_tls(signer.acceptor(name)).await;
    let upstream = StubUpstream::start().await;
    let yaml = NOTES
        .replace("ISSUER", authorization_server.issuer())
        .replace("UPSTREAM", &upstream.url())
        .replace("client:", "tls: {ca: /test/ca.pem}\n    client:");
    let gateway = TestGateway::prepare(&yaml).file("/test/ca.pem", trusted.pem.as_str()).start();
    World { gateway, authorization_server, upstream }
}

#[tokio::test]
async fn server_signed_by_the_configured_authority_is_trusted() {
    let authority = Authority::new();
    let world = world("localhost", &authority, &authority).await;
    world.gateway.ready().await;
    assert_answered(&world.authorized().send().await);
}

#[tokio::test]
async fn server_of_another_authority_or_name_is_unavailable() {
    let (authority, other) = (Authority::new(), Authority::new());
    for (name, trusted) in [("localhost", &other), ("other.example", &authority)] {
        let world = world(name, &authority, trusted).await;
        world.gateway.readiness(503, "cannot be reached").await;
        world.assert_unavailable(&world.authorized().send().await);
        assert_eq!(world.authorization_server.received().len(), 0);
    }
}
