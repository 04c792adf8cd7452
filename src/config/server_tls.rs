//! `listen.tls`: the certificate, the key and the client authorities of the public listener.
//!
//! 1. What the files hold is judged together, by the same rules at start and at every change:
//!    the key is one that signs here, the certificate is its own and has not expired, every client
//!    authority is usable.
//! 2. The files can be read again from where they stand; symbolic links are followed each time.
//! 3. No problem quotes a file.
//!
//! It does not check a chain up to its root: only clients know whom they trust.

mod validity;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls::{
    RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};

use super::{
    secret::{Environment, describe},
    settings::TlsIdentity,
};
use crate::oauth::{PrivateKeyPem, UnusableKey};

/// `listen.tls`.
#[derive(Clone, Debug)]
pub struct ServerTls {
    /// Where the certificates stand.
    pub certificate: PathBuf,
    /// Where the key stands.
    pub private_key: PathBuf,
    /// Where the client authorities stand, when clients are asked for certificates.
    pub client_ca: Option<PathBuf>,
    /// Whether a client without a certificate is turned away.
    pub require_client_certificate: bool,
    /// What the files held.
    pub material: TlsMaterial,
}

/// What the files of `listen.tls` hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsMaterial {
    /// The certificate chain and the key.
    pub identity: TlsIdentity,
    /// PEM certificates of the client authorities.
    pub client_ca: Option<Arc<[u8]>>,
}

/// What handshakes are made with.
#[derive(Debug)]
pub struct UsableTls {
    /// The certificate chain and its key.
    pub key: CertifiedKey,
    /// Who may sign clients' certificates, when clients are asked for them.
    pub client_authorities: Option<RootCertStore>,
    /// When the certificate ends, in seconds since the Unix epoch.
    pub expires: i64,
}

/// Why files of `listen.tls` cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableTls {
    /// A file cannot be read.
    #[error("the file cannot be read ({1})")]
    Unreadable(TlsFile, Box<str>),
    /// There are no certificates in a file, or damaged ones.
    #[error("the file holds no PEM certificate, or a damaged one")]
    Certificates(TlsFile),
    /// The file with the key holds none that can be used.
    #[error(transparent)]
    Key(#[from] UnusableKey),
    /// The key is of a kind that signs no handshake.
    #[error("the private key is damaged, or of a kind that TLS does not use here")]
    KeyKind,
    /// The key belongs to another certificate.
    #[error(
        "the first certificate does not belong to the key of `private_key`; put the pair beside \
         each other"
    )]
    Mismatch,
    /// The certificate has ended.
    #[error("the certificate ended on {}; renew it", date(*.0))]
    Expired(i64),
}

/// One of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFile {
    /// `certificate`.
    Certificate,
    /// `private_key`.
    PrivateKey,
    /// `client_ca`.
    ClientCa,
}

impl TlsFile {
    /// The key of the configuration that names it.
    pub fn key(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::PrivateKey => "private_key",
            Self::ClientCa => "client_ca",
        }
    }
}

impl UnusableTls {
    /// The file that is to blame.
    pub fn file(&self) -> TlsFile {
        match self {
            Self::Unreadable(file, _) | Self::Certificates(file) => *file,
            Self::Mismatch | Self::Expired(_) => TlsFile::Certificate,
            Self::Key(_) | Self::KeyKind => TlsFile::PrivateKey,
        }
    }

    /// The word for it among metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Unreadable(..) => "unreadable",
            Self::Certificates(_) | Self::Key(_) | Self::KeyKind => "damaged",
            Self::Mismatch => "mismatch",
            Self::Expired(_) => "expired",
        }
    }
}

impl ServerTls {
    /// Reads the files again.
    pub fn reread(&self, environment: &dyn Environment) -> Result<TlsMaterial, UnusableTls> {
        let read = |file: TlsFile, path: &Path| {
            let unreadable = |why: io::Error| UnusableTls::Unreadable(file, describe(&why).into());
            environment.read_file(path, MAX_FILE_BYTES).map_err(unreadable)
        };
        let certificates = read(TlsFile::Certificate, &self.certificate)?.into();
        let private_key = PrivateKeyPem::new(read(TlsFile::PrivateKey, &self.private_key)?)?;
        let client_ca = match &self.client_ca {
            Some(path) => Some(read(TlsFile::ClientCa, path)?.into()),
            None => None,
        };
        Ok(TlsMaterial { identity: TlsIdentity { certificates, private_key }, client_ca })
    }
}

impl TlsMaterial {
    /// Makes it ready for handshakes at this time.
    pub fn judge(&self, unix_seconds: f64) -> Result<UsableTls, UnusableTls> {
        let key = self.identity.certified_key()?;
        let expires = end_of_validity(&key.cert, unix_seconds)?;
        let client_authorities = match &self.client_ca {
            Some(pem) => Some(authorities(pem)?),
            None => None,
        };
        Ok(UsableTls { key, client_authorities, expires })
    }
}

impl TlsIdentity {
    /// The chain and the key, which is known to be the first certificate's.
    pub fn certified_key(&self) -> Result<CertifiedKey, UnusableTls> {
        let chain = certificates(&self.certificates, TlsFile::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(self.private_key.expose());
        let key = key.map_err(|_| UnusableTls::KeyKind)?;
        let key = aws_lc_rs::default_provider().key_provider.load_private_key(key);
        let key = CertifiedKey::new(chain, key.map_err(|_| UnusableTls::KeyKind)?);
        match key.keys_match() {
            Ok(()) => Ok(key),
            Err(rustls::Error::InconsistentKeys(_)) => Err(UnusableTls::Mismatch),
            Err(_) => Err(UnusableTls::Certificates(TlsFile::Certificate)),
        }
    }
}

/// Whether the first certificate is still valid at this time.
pub(super) fn check_validity(pem: &[u8], unix_seconds: f64) -> Result<(), UnusableTls> {
    let chain = certificates(pem, TlsFile::Certificate)?;
    end_of_validity(&chain, unix_seconds).map(drop)
}

fn end_of_validity(chain: &[CertificateDer<'_>], unix_seconds: f64) -> Result<i64, UnusableTls> {
    let expires = chain.first().and_then(|certificate| validity::not_after(certificate));
    let expires = expires.ok_or(UnusableTls::Certificates(TlsFile::Certificate))?;
    #[expect(clippy::cast_precision_loss, reason = "exact for the next 200 million years")]
    let has_ended = expires as f64 <= unix_seconds;
    if has_ended { Err(UnusableTls::Expired(expires)) } else { Ok(expires) }
}

fn authorities(pem: &[u8]) -> Result<RootCertStore, UnusableTls> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem, TlsFile::ClientCa)? {
        roots.add(certificate).map_err(|_| UnusableTls::Certificates(TlsFile::ClientCa))?;
    }
    Ok(roots)
}

fn certificates(pem: &[u8], file: TlsFile) -> Result<Vec<CertificateDer<'static>>, UnusableTls> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.ok().filter(|certificates| !certificates.is_empty());
    certificates.ok_or(UnusableTls::Certificates(file))
}

fn date(unix_seconds: i64) -> String {
    let since = Duration::from_secs(u64::try_from(unix_seconds).unwrap_or_default());
    let date = SystemTime::UNIX_EPOCH.checked_add(since).map(httpdate::fmt_http_date);
    date.unwrap_or_default()
}

const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;

#[cfg(test)]
mod tests;
