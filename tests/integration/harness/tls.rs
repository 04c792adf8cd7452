//! A gateway that speaks TLS with real files, certificates made on the spot, and clients for it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use gatehouse::reload::Outcome;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use tokio::{
    io::{AsyncWriteExt as _, ReadHalf, WriteHalf, split},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    NOTES, Parties, World,
    clock::within,
    gateway::TestGateway,
    raw::{RawResponse, Reader},
};

/// A certificate authority of the test's own.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, in PEM.
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn identity(&self, name: &str) -> Identity {
        self.identity_with(name, |_| {})
    }

    /// An identity valid from 2000 until the first day of a year.
    pub(crate) fn identity_until(&self, name: &str, year: i32) -> Identity {
        self.identity_with(name, |params| {
            params.not_before = date_time_ymd(2000, 1, 1);
            params.not_after = date_time_ymd(year, 1, 1);
        })
    }

    /// An identity for servers alone.
    pub(crate) fn server_identity(&self, name: &str) -> Identity {
        self.identity_with(name, |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        })
    }

    pub(crate) fn identity_with(
        &self,
        name: &str,
        adapt: impl FnOnce(&mut CertificateParams),
    ) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        adapt(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Identity { certificate, key: key.serialize_pem() }
    }
}

/// A world whose gateway speaks TLS with the files of a folder.
pub(crate) struct TlsWorld {
    pub(crate) world: World,
    pub(crate) authority: Authority,
    pub(crate) folder: PathBuf,
}

impl TlsWorld {
    pub(crate) async fn start() -> Self {
        Self::with("", "").await
    }

    /// With further lines of `listen.tls`, such as `client_ca: FOLDER/clients.pem`, and of
    /// `listen`; each begins with a line break.
    pub(crate) async fn with(tls: &str, listen: &str) -> Self {
        Self::among(tls, listen, &Authority::new()).await
    }

    /// With `clients` in `FOLDER/clients.pem`.
    pub(crate) async fn among(tls: &str, listen: &str, clients: &Authority) -> Self {
        let folder = folder();
        let authority = Authority::new();
        authority.identity(NAME).write(&folder);
        fs::write(folder.join("clients.pem"), &clients.pem).unwrap();
        let parties = Parties::start().await;
        let yaml = parties.fill(&yaml(&folder, tls, listen));
        let gateway = TestGateway::prepare(&yaml).https().start();
        gateway.ready().await;
        let Parties { authorization_server, upstream } = parties;
        let world = World { gateway, authorization_server, upstream };
        Self { world, authority, folder }
    }

    /// Puts other lines of `listen.tls` in force.
    pub(crate) fn reload(&self, tls: &str) -> Outcome {
        self.world.reload(&yaml(&self.folder, tls, ""))
    }

    /// What a client trusts and offers.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.authority)
    }

    /// Shakes hands; an error of a refused client may come with the first byte only.
    pub(crate) async fn connect(&self, client: &Client) -> io::Result<TlsClient> {
        self.connect_with(&Arc::new(client.config()), &client.name).await
    }

    /// As [`Self::connect`], with what remembers sessions.
    pub(crate) async fn connect_with(
        &self,
        config: &Arc<ClientConfig>,
        name: &str,
    ) -> io::Result<TlsClient> {
        let stream = TcpStream::connect(self.world.gateway.address()).await?;
        self.connect_over(stream, config, name).await
    }

    /// As [`Self::connect_with`], over a connection that has been used already.
    pub(crate) async fn connect_over(
        &self,
        stream: TcpStream,
        config: &Arc<ClientConfig>,
        name: &str,
    ) -> io::Result<TlsClient> {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connector = TlsConnector::from(Arc::clone(config));
        let stream = within("a handshake", connector.connect(name, stream)).await?;
        Ok(TlsClient::new(stream))
    }

    /// Sends one acceptable call on a connection of its own.
    pub(crate) async fn call(&self, client: &Client) -> io::Result<RawResponse> {
        self.call_with(&Arc::new(client.config())).await
    }

    /// As [`Self::call`], with what remembers sessions.
    pub(crate) async fn call_with(&self, config: &Arc<ClientConfig>) -> io::Result<RawResponse> {
        let mut client = self.connect_with(config, NAME).await?;
        client.send(self.world.authorized().bytes()).await?;
        within("a response", client.reader.response("POST")).await
    }
}

impl Identity {
    /// Puts it where the gateway looks.
    pub(crate) fn write(&self, folder: &Path) {
        fs::write(folder.join("tls.crt"), &self.certificate).unwrap();
        fs::write(folder.join("tls.key"), &self.key).unwrap();
    }
}

/// A client of TLS: whom it trusts, what it offers and shows.
pub(crate) struct Client {
    trusted: CertificateDer<'static>,
    pub(crate) versions: Vec<&'static SupportedProtocolVersion>,
    pub(crate) alpn: Vec<&'static str>,
    pub(crate) identity: Option<Identity>,
    pub(crate) name: String,
}

impl Client {
    pub(crate) fn new(authority: &Authority) -> Self {
        let trusted = CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap();
        let versions = rustls::ALL_VERSIONS.to_vec();
        Self { trusted, versions, alpn: vec!["http/1.1"], identity: None, name: NAME.to_owned() }
    }

    pub(crate) fn alpn(self, alpn: &[&'static str]) -> Self {
        Self { alpn: alpn.to_vec(), ..self }
    }

    pub(crate) fn version(self, version: &'static SupportedProtocolVersion) -> Self {
        Self { versions: vec![version], ..self }
    }

    pub(crate) fn showing(self, identity: Identity) -> Self {
        Self { identity: Some(identity), ..self }
    }

    pub(crate) fn config(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.trusted.clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_protocol_versions(&self.versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match &self.identity {
            Some(Identity { certificate, key }) => {
                let chain = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![chain], key).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = self.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }
}

/// A connection behind TLS that sends what it is told to.
pub(crate) struct TlsClient {
    pub(crate) reader: Reader<ReadHalf<TlsStream<TcpStream>>>,
    writer: WriteHalf<TlsStream<TcpStream>>,
    pub(crate) alpn: Option<String>,
    /// The certificate that the gateway showed.
    pub(crate) certificate: Vec<u8>,
}

impl TlsClient {
    fn new(stream: TlsStream<TcpStream>) -> Self {
        let session = stream.get_ref().1;
        let alpn = session.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
        let certificate = session.peer_certificates().unwrap()[0].to_vec();
        let (reader, writer) = split(stream);
        Self { reader: Reader::new(reader), writer, alpn, certificate }
    }

    /// The stream, for somebody who frames it.
    pub(crate) fn into_stream(self) -> TlsStream<TcpStream> {
        self.reader.inner.unsplit(self.writer)
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let send = async {
            self.writer.write_all(bytes.as_ref()).await?;
            self.writer.flush().await
        };
        within("sending", send).await
    }

    /// Reads a response's head.
    pub(crate) async fn head(&mut self) -> RawResponse {
        within("a response head", self.reader.response_head()).await.unwrap()
    }

    pub(crate) async fn response(&mut self) -> RawResponse {
        within("a response", self.reader.response("GET")).await.unwrap()
    }

    /// Reads one chunk of a chunked body: empty at its proper end, `None` when it was cut.
    pub(crate) async fn chunk(&mut self) -> Option<String> {
        let chunk = within("a chunk", self.reader.chunk()).await;
        chunk.map(|chunk| String::from_utf8(chunk).unwrap())
    }

    /// Waits for the peer to close; panics when it says something first.
    pub(crate) async fn closed(&mut self) {
        let more = within("the connection's end", self.reader.more()).await;
        assert!(!more, "{:?}", String::from_utf8_lossy(&self.reader.buffer));
    }
}

/// The DER form of a PEM certificate.
pub(crate) fn der(pem: &str) -> Vec<u8> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
}

fn yaml(folder: &Path, tls: &str, listen: &str) -> String {
    let section = format!(
        "listen:\n  tls:\n    certificate: FOLDER/tls.crt\n    private_key: FOLDER/tls.key{tls}{listen}\n"
    );
    let section = section.replace("FOLDER", folder.to_str().unwrap());
    format!("{section}{NOTES}")
}

fn folder() -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("tls-{}-{number}", std::process::id());
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The name in the gateway's certificate.
pub(crate) const NAME: &str = "localhost";
