//! An authorization server behind TLS: `tls.ca` replaces the platform's trust, and the gateway shows
//! a certificate where that is how it authenticates (RFC 8705).

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use tokio_rustls::TlsAcceptor;

use crate::harness::{
    NOTES, World, assert_answered,
    authorization_server::{Answer, StubAuthorizationServer},
    gateway::TestGateway,
    upstream::StubUpstream,
};

/// A certificate authority of the test's own.
pub(crate) struct Authority {
    pub(crate) pem: String,
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
        self.acceptor_for(name, WebPkiClientVerifier::no_client_auth())
    }

    /// TLS that wants a certificate of an authority from clients.
    fn strict_acceptor(&self, name: &str, clients: &Self) -> TlsAcceptor {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(clients.pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        self.acceptor_for(name, verifier.build().unwrap())
    }

    /// A certificate and its key, in PEM.
    fn identity(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn acceptor_for(&self, name: &str, clients: Arc<dyn ClientCertVerifier>) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients)
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

/// A server of `authority` that takes clients of `clients` alone.
async fn strict(authority: &Authority, clients: &Authority) -> StubAuthorizationServer {
    let acceptor = authority.strict_acceptor("localhost", clients);
    let server = StubAuthorizationServer::start_tls(acceptor).await;
    server.expect_client(|request| {
        let id = ("client_id".to_owned(), "gatehouse".to_owned());
        request.form().contains(&id)
            && request.form().len() == 2
            && request.header("authorization").is_none()
    });
    server
}

/// A world whose gateway trusts `authority` and shows a certificate of `signer`, or none.
async fn mutual(
    authorization_server: StubAuthorizationServer,
    authority: &Authority,
    signer: Option<&Authority>,
) -> World {
    let upstream = StubUpstream::start().await;
    let client = "{id: gatehouse, authentication: tls_client_auth, certificate_file: /test/client.pem, private_key_file: /test/client.key}";
    let client = if signer.is_some() { client } else { "{authentication: none, id: gatehouse}" };
    let yaml = NOTES
        .replace("{id: gatehouse, secret: introspection-secret}", client)
        .replace("ISSUER", authorization_server.issuer())
        .replace("UPSTREAM", &upstream.url())
        .replace("client:", "tls: {ca: /test/ca.pem}\n    client:");
    let (certificate, key) = signer.unwrap_or(authority).identity("gatehouse.example");
    let gateway = TestGateway::prepare(&yaml)
        .file("/test/ca.pem", authority.pem.as_str())
        .file("/test/client.pem", certificate)
        .file("/test/client.key", key)
        .start();
    World { gateway, authorization_server, upstream }
}

#[tokio::test]
async fn certificate_is_shown_to_a_server_that_asks_for_one() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let world = mutual(strict(&authority, &clients).await, &authority, Some(&clients)).await;
    world.gateway.ready().await;
    assert_answered(&world.authorized().send().await);
}

#[tokio::test]
async fn server_that_takes_no_such_certificate_is_unavailable() {
    let (authority, clients, other) = (Authority::new(), Authority::new(), Authority::new());
    for signer in [None, Some(&other)] {
        let world = mutual(strict(&authority, &clients).await, &authority, signer).await;
        world.gateway.readiness(503, "cannot be reached").await;
        world.assert_unavailable(&world.authorized().send().await);
        assert_eq!(world.authorization_server.received().len(), 0);
    }
}

#[tokio::test]
async fn certificate_is_shown_at_the_alias_for_such_clients() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let server = strict(&authority, &clients).await;
    let issuer = server.issuer();
    let metadata = format!(
        r#"{{"issuer":"{issuer}","introspection_endpoint":"{issuer}/plain/introspect","mtls_endpoint_aliases":{{"introspection_endpoint":"{issuer}/mtls/introspect"}}}}"#
    );
    server.publish("/.well-known/oauth-authorization-server", Answer::json(&metadata));
    let world = mutual(server, &authority, Some(&clients)).await;
    world.gateway.ready().await;
    assert_answered(&world.authorized().send().await);
    assert_eq!(world.authorization_server.introspections()[0].target, "/mtls/introspect");
}
