//! `client`: what each method of client authentication needs, and what has no meaning with it.
//!
//! 1. The method is written, never guessed: a key that fits another one than the method in force
//!    is an error that names the method it belongs to.
//! 2. A secret that signs has 32 bytes at least (RFC 7518 section 3.2), a certificate belongs to
//!    its key, a private key is of a kind that signs.

use std::sync::Arc;

use crate::{
    config::{
        file,
        problem::{Place, Report},
        reader::Field,
        server_tls::TlsFile,
        settings::{AssertionAudience, ClientAuthentication, TlsIdentity},
        values::{AuthenticationMethod as Method, CertificateFile},
    },
    oauth::{AssertionKey, BearerToken, ClientId, PrivateKeyPem, Secret},
};

/// How the gateway authenticates; nothing when there is an error.
pub(super) fn client(
    field: &Field<Option<file::Client>>,
    report: &mut Report<'_>,
) -> Option<ClientAuthentication> {
    let placed = field.placed()?;
    // Whether it may be absent depends on `access_tokens`.
    let Some(file) = &placed.value else { return Some(ClientAuthentication::None { id: None }) };
    let method = *file.authentication.value()?;
    let is_meaningful = report_meaningless(file, method, report);
    Client { file, place: &placed.place, method, report }.compile().filter(|_| is_meaningful)
}

/// The section that is being compiled.
struct Client<'c, 'r> {
    file: &'c file::Client,
    place: &'c Place,
    method: Method,
    report: &'c mut Report<'r>,
}

impl Client<'_, '_> {
    fn compile(mut self) -> Option<ClientAuthentication> {
        let file = self.file;
        // A faulty identifier is not a missing one.
        file.id.placed()?;
        let audience = *file.assertion_audience.value()?;
        Some(match self.method {
            Method::Bearer => {
                let id = self.id();
                ClientAuthentication::Bearer { id, token: self.token()? }
            }
            Method::ClientSecretBasic => {
                let (id, secret) = self.id_and(Self::secret)?;
                ClientAuthentication::ClientSecretBasic { id, secret }
            }
            Method::ClientSecretJwt => {
                let (id, secret) = self.id_and(Self::signing_secret)?;
                ClientAuthentication::ClientSecretJwt { id, secret, audience }
            }
            Method::ClientSecretPost => {
                let (id, secret) = self.id_and(Self::secret)?;
                ClientAuthentication::ClientSecretPost { id, secret }
            }
            Method::None => ClientAuthentication::None { id: self.id() },
            Method::PrivateKeyJwt => {
                let (id, key) = self.id_and(Self::assertion_key)?;
                ClientAuthentication::PrivateKeyJwt { id, key: Arc::new(key), audience }
            }
            Method::TlsClientAuth => {
                let (id, identity) = self.id_and(Self::identity)?;
                ClientAuthentication::TlsClientAuth { id, identity }
            }
        })
    }

    /// The identifier and one thing more: what is missing of both is reported.
    fn id_and<T>(&mut self, more: impl FnOnce(&mut Self) -> Option<T>) -> Option<(ClientId, T)> {
        let id = self.id();
        if id.is_none() {
            self.missing("id", "this key is required (unless `authentication: none` or `bearer`)");
        }
        let more = more(self);
        id.zip(more)
    }

    fn id(&self) -> Option<ClientId> {
        self.file.id.given().and_then(|(id, _)| ClientId::new(id.0.clone()))
    }

    fn secret(&mut self) -> Option<Secret> {
        self.placed_secret().map(|(secret, _)| secret)
    }

    fn placed_secret(&mut self) -> Option<(Secret, Place)> {
        let inline = self.file.secret.placed()?;
        let from_file = self.file.secret_file.placed()?;
        if let (Some(_), Some(_)) = (&inline.value, &from_file.value) {
            let message = "`secret` and `secret_file` stand beside each other; keep one";
            self.report.error(&from_file.place, message);
            return None;
        }
        if let Some(secret) = &inline.value {
            return Some((secret.0.clone(), inline.place.clone()));
        }
        if let Some(secret) = &from_file.value {
            return Some((secret.0.clone(), from_file.place.clone()));
        }
        // A key of another method says what was meant, and has been reported.
        if !is_given(&self.file.private_key_file) && !is_given(&self.file.token_file) {
            let message = "this key, or `secret_file`, is required (unless `authentication: none`)";
            self.missing("secret", message);
        }
        None
    }

    fn signing_secret(&mut self) -> Option<Secret> {
        let (secret, place) = self.placed_secret()?;
        if secret.expose().len() < MIN_SIGNING_BYTES {
            let message = "`client_secret_jwt` signs with the secret, and HS256 needs 32 bytes or \
                           more; have a longer one generated (RFC 7518 section 3.2)";
            self.report.error(&place, message);
            return None;
        }
        Some(secret)
    }

    fn private_key(&mut self) -> Option<(PrivateKeyPem, Place)> {
        let file = self.file.private_key_file.placed()?;
        if let Some(key) = &file.value {
            return Some((key.0.clone(), file.place.clone()));
        }
        let message = format!("this key is required with `authentication: {}`", word(self.method));
        self.missing("private_key_file", &message);
        None
    }

    fn assertion_key(&mut self) -> Option<AssertionKey> {
        let id = self.file.key_id.placed()?;
        let (pem, place) = self.private_key()?;
        let key = AssertionKey::new(&pem);
        let key = key.map_err(|why| self.report.error(&place, why.to_string())).ok()?;
        Some(match &id.value {
            Some(id) => key.named(&id.0),
            None => key,
        })
    }

    fn identity(&mut self) -> Option<TlsIdentity> {
        let key = self.private_key();
        let certificate = self.file.certificate_file.placed()?;
        let Some(CertificateFile(certificates)) = &certificate.value else {
            let message = "this key is required with `authentication: tls_client_auth`";
            self.missing("certificate_file", message);
            return None;
        };
        let (private_key, key_place) = key?;
        let identity = TlsIdentity { certificates: Arc::clone(certificates), private_key };
        match identity.certified_key() {
            Ok(_) => return Some(identity),
            Err(why) if why.file() == TlsFile::PrivateKey => {
                let message = "the private key is damaged, or of a kind that TLS does not use here";
                self.report.error(&key_place, message);
            }
            Err(_) => {
                let message = "the first certificate does not belong to the key of \
                               `private_key_file`; put the pair beside each other";
                self.report.error(&certificate.place, message);
            }
        }
        None
    }

    fn token(&mut self) -> Option<BearerToken> {
        let file = self.file.token_file.placed()?;
        let Some(token) = &file.value else {
            self.missing("token_file", "this key is required with `authentication: bearer`");
            return None;
        };
        let token = BearerToken::parse(token.0.expose().as_bytes());
        let message = "the file holds no bearer token: one line of letters, digits and `-._~+/=` \
                       (RFC 6750 section 2.1)";
        token.map_err(|_| self.report.error(&file.place, message)).ok()
    }

    fn missing(&mut self, key: &str, message: &str) {
        self.report.error(&self.place.below(key), message);
    }
}

/// Reports keys that the method in force does not use; says whether there were none.
fn report_meaningless(file: &file::Client, method: Method, report: &mut Report<'_>) -> bool {
    let signs = [Method::ClientSecretJwt, Method::PrivateKeyJwt];
    let secrets = [Method::ClientSecretBasic, Method::ClientSecretPost, Method::ClientSecretJwt];
    let uses: [(Option<&Place>, &[Method]); 7] = [
        (place(&file.secret), &secrets),
        (place(&file.secret_file), &secrets),
        (place(&file.private_key_file), &[Method::PrivateKeyJwt, Method::TlsClientAuth]),
        (place(&file.certificate_file), &[Method::TlsClientAuth]),
        (place(&file.token_file), &[Method::Bearer]),
        (place(&file.key_id), &[Method::PrivateKeyJwt]),
        (unusual(&file.assertion_audience), &signs),
    ];
    let mut is_meaningful = true;
    for (place, methods) in uses {
        let Some(place) = place.filter(|_| !methods.contains(&method)) else { continue };
        let words: Vec<_> =
            methods.iter().map(|&method| format!("`authentication: {}`", word(method))).collect();
        let message = format!(
            "has no meaning with `authentication: {}`; drop it, or write {}",
            word(method),
            words.join(" or ")
        );
        report.error(place, message);
        is_meaningful = false;
    }
    is_meaningful
}

fn is_given<T>(field: &Field<Option<T>>) -> bool {
    field.given().is_some()
}

fn place<T>(field: &Field<Option<T>>) -> Option<&Place> {
    field.given().map(|(_, place)| place)
}

/// Where another audience than the usual one is asked for.
fn unusual(field: &Field<AssertionAudience>) -> Option<&Place> {
    let placed = field.placed()?;
    (placed.value != AssertionAudience::Issuer).then_some(&placed.place)
}

fn word(method: Method) -> &'static str {
    match method {
        Method::Bearer => "bearer",
        Method::ClientSecretBasic => "client_secret_basic",
        Method::ClientSecretJwt => "client_secret_jwt",
        Method::ClientSecretPost => "client_secret_post",
        Method::None => "none",
        Method::PrivateKeyJwt => "private_key_jwt",
        Method::TlsClientAuth => "tls_client_auth",
    }
}

/// As many as HS256 has of output.
const MIN_SIGNING_BYTES: usize = 32;
