//! Leaves that name a file: it is read at once, bounded, and never quoted.
//!
//! A private key that everybody on the machine may read is a warning.

use std::{borrow::Cow, path::PathBuf, sync::Arc};

use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::json;

use super::{Text, or_variable, titled};
use crate::{
    config::{
        reader::{At, Read, Source},
        secret::{describe, read_secret, resolve_path},
        server_tls,
    },
    oauth::{PrivateKeyPem, Secret},
};

/// A secret in a file of its own, already read.
#[derive(Clone, Debug)]
pub(in crate::config) struct SecretFile(pub(in crate::config) Secret);

impl Read for SecretFile {
    fn read(at: &At<'_>, source: &mut Source<'_>) -> Option<Self> {
        let Text(path) = Text::read(at, source)?;
        let path = resolve_path(&source.folder, &path);
        read_secret(source.environment, &path)
            .map_err(|why| source.report.error(&at.place(), why.to_string()))
            .map(Self)
            .ok()
    }
}

leaf_schema!(
    SecretFile,
    titled(json!({ "type": "string", "minLength": 1 }), "the path of a file with a secret")
);

/// A file that will be written; it need not be there.
#[derive(Clone, Debug)]
pub(in crate::config) struct AuditPath(pub(in crate::config) PathBuf);

impl Read for AuditPath {
    fn read(at: &At<'_>, source: &mut Source<'_>) -> Option<Self> {
        let Text(path) = Text::read(at, source)?;
        if path.ends_with('/') {
            source.report.error(&at.place(), "a folder; name a file in it");
            return None;
        }
        let path = resolve_path(&source.folder, &path);
        if let Some(why) = source.environment.unwritable(&path) {
            source.report.error(&at.place(), why);
            return None;
        }
        Some(Self(path))
    }
}

leaf_schema!(
    AuditPath,
    titled(json!({ "type": "string", "minLength": 1 }), "the path of a file that will be written")
);

/// A file of PEM certificates, already read.
#[derive(Clone, Debug)]
pub(in crate::config) struct CertificateFile(pub(in crate::config) Arc<[u8]>);

impl Read for CertificateFile {
    fn read(at: &At<'_>, source: &mut Source<'_>) -> Option<Self> {
        let Text(path) = Text::read(at, source)?;
        let path = resolve_path(&source.folder, &path);
        let bytes = match source.environment.read_file(&path, MAX_CERTIFICATE_BYTES) {
            Ok(bytes) => bytes,
            Err(why) => {
                let message = format!("the file cannot be read ({})", describe(&why));
                source.report.error(&at.place(), message);
                return None;
            }
        };
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
        if certificates.is_ok_and(|certificates| !certificates.is_empty()) {
            return Some(Self(bytes.into()));
        }
        source.report.error(&at.place(), "the file holds no PEM certificate, or a damaged one");
        None
    }
}

leaf_schema!(
    CertificateFile,
    titled(json!({ "type": "string", "minLength": 1 }), "the path of a PEM file")
);

/// A PEM file with a private key, already read.
#[derive(Clone, Debug)]
pub(in crate::config) struct PrivateKeyFile(pub(in crate::config) PrivateKeyPem);

impl Read for PrivateKeyFile {
    fn read(at: &At<'_>, source: &mut Source<'_>) -> Option<Self> {
        let Text(path) = Text::read(at, source)?;
        let path = resolve_path(&source.folder, &path);
        if source.environment.is_open_to_all(&path) {
            let message = "every user of this machine may read this private key; take that \
                           permission away (mode 0600 or 0640)";
            source.report.warning(&at.place(), message);
        }
        let pem = match source.environment.read_file(&path, MAX_CERTIFICATE_BYTES) {
            Ok(bytes) => PrivateKeyPem::new(bytes).map_err(|why| why.to_string()),
            Err(why) => Err(format!("the file cannot be read ({})", describe(&why))),
        };
        pem.map_err(|message| source.report.error(&at.place(), message)).map(Self).ok()
    }
}

leaf_schema!(
    PrivateKeyFile,
    titled(json!({ "type": "string", "minLength": 1 }), "the path of a PEM file")
);

/// A file, already read, and where it stands.
#[derive(Clone, Debug)]
pub(in crate::config) struct Named<T> {
    pub(in crate::config) file: T,
    pub(in crate::config) path: PathBuf,
}

impl<T: Read> Read for Named<T> {
    fn read(at: &At<'_>, source: &mut Source<'_>) -> Option<Self> {
        let file = T::read(at, source)?;
        let Text(path) = Text::read(at, source)?;
        Some(Self { file, path: resolve_path(&source.folder, &path) })
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A file of PEM certificates whose first one is the gateway's own and has not ended.
#[derive(Clone, Debug)]
pub(in crate::config) struct ServerCertificateFile(pub(in crate::config) Named<CertificateFile>);

impl Read for ServerCertificateFile {
    fn read(at: &At<'_>, source: &mut Source<'_>) -> Option<Self> {
        let named = Named::<CertificateFile>::read(at, source)?;
        match server_tls::check_validity(&named.file.0, source.environment.unix_seconds()) {
            Ok(()) => Some(Self(named)),
            Err(why) => {
                source.report.error(&at.place(), why.to_string());
                None
            }
        }
    }
}

leaf_schema!(
    ServerCertificateFile,
    titled(json!({ "type": "string", "minLength": 1 }), "the path of a PEM file")
);

const MAX_CERTIFICATE_BYTES: usize = 4 * 1024 * 1024;
