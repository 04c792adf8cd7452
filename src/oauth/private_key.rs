//! Private keys of the gateway's own, as an operator's PEM file has them.
//!
//! 1. RSA of 2048 to 8192 bits signs RS256, P-256 signs ES256, Ed25519 signs `EdDSA` (RFC 7518
//!    section 3.1, RFC 8037 section 3.1): the kind of the key decides, nothing is configured.
//! 2. PKCS#8, PKCS#1 and SEC1 are read, unencrypted.
//! 3. The key ID is the thumbprint of the public key (RFC 7638), the same on every replica, unless
//!    the server that verifies with the key has its own name for it.
//! 4. Only public members are ever published; `Debug` shows the key ID at most.
//!
//! Verifying other parties' signatures is not its business.

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    rsa,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
        RSA_PKCS1_SHA256,
    },
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject as _};
use serde_json::{Value, json};

/// The bytes of a PEM file with a private key: usable, never printable.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateKeyPem(Arc<[u8]>);

impl PrivateKeyPem {
    /// Takes charge of a file's bytes when there is a private key in them.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Result<Self, UnusableKey> {
        let bytes = bytes.into();
        first_key(&bytes).map(|_| Self(bytes))
    }

    /// The bytes, for the one place that uses the key.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for PrivateKeyPem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKeyPem(redacted)")
    }
}

/// Why a file yields no key to sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableKey {
    /// It is protected by a passphrase.
    #[error("the private key is encrypted; decrypt it, as with `openssl pkey`")]
    Encrypted,
    /// It is damaged, or of a kind that signs nothing here.
    #[error("the private key is damaged or none of RSA, P-256 and Ed25519; make one of those")]
    Kind,
    /// There is no private key.
    #[error("the file holds no PEM private key (PKCS#8, PKCS#1 or SEC1)")]
    Missing,
    /// It is an RSA key of less than 2048 bits (RFC 7518 section 3.3).
    #[error("the RSA key is too short; it needs 2048 bits or more")]
    TooShort,
}

/// A key that signs assertions.
pub struct AssertionKey {
    pair: Pair,
    id: Box<str>,
    members: Value,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(rsa::KeyPair),
}

impl AssertionKey {
    /// Reads the key in a PEM file.
    pub fn new(pem: &PrivateKeyPem) -> Result<Self, UnusableKey> {
        let pair = Pair::read(&first_key(pem.expose())?)?;
        let (thumbprint_input, mut members) = pair.public().ok_or(UnusableKey::Kind)?;
        let thumbprint = digest(&SHA256, thumbprint_input.as_bytes());
        let id = BASE64_URL_SAFE_NO_PAD.encode(thumbprint);
        for (name, value) in [("use", "sig"), ("alg", pair.algorithm()), ("kid", &id)] {
            if let Some(members) = members.as_object_mut() {
                members.insert(name.to_owned(), value.into());
            }
        }
        Ok(Self { pair, id: id.into(), members })
    }

    /// The same key under another ID.
    #[must_use]
    pub fn named(mut self, id: &str) -> Self {
        if let Some(members) = self.members.as_object_mut() {
            members.insert("kid".to_owned(), id.into());
        }
        Self { id: id.into(), ..self }
    }

    /// `alg` of its signatures (RFC 7518 section 3.1).
    pub fn algorithm(&self) -> &'static str {
        self.pair.algorithm()
    }

    /// `kid`: its RFC 7638 thumbprint with SHA-256, or the name it was given.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public key as a JSON Web Key (RFC 7517 section 4).
    pub fn public_jwk(&self) -> &Value {
        &self.members
    }

    /// Signs as JWS wants it (RFC 7518 sections 3.3 and 3.4, RFC 8037 section 3.1); `None` when
    /// the provider fails.
    pub fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ed25519(pair) => Some(pair.sign(message).as_ref().to_vec()),
            Pair::P256(pair) => Some(pair.sign(&random, message).ok()?.as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).ok()?;
                Some(signature)
            }
        }
    }
}

impl PartialEq for AssertionKey {
    /// Two keys are the same when their public halves and their names are.
    fn eq(&self, other: &Self) -> bool {
        self.members == other.members
    }
}

impl Eq for AssertionKey {}

impl fmt::Debug for AssertionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AssertionKey({})", self.id)
    }
}

impl Pair {
    fn read(key: &PrivateKeyDer<'_>) -> Result<Self, UnusableKey> {
        let rsa = if let PrivateKeyDer::Pkcs1(key) = key {
            rsa::KeyPair::from_der(key.secret_pkcs1_der())
        } else {
            rsa::KeyPair::from_pkcs8(key.secret_der())
        };
        match rsa {
            Ok(pair) => return Ok(Self::Rsa(pair)),
            Err(why) if why.to_string() == "TooSmall" => return Err(UnusableKey::TooShort),
            Err(_) => {}
        }
        let der = key.secret_der();
        // The bare key of SEC1 (RFC 5915) or the wrapped one of PKCS#8.
        let curve = &ECDSA_P256_SHA256_FIXED_SIGNING;
        if let Ok(pair) = EcdsaKeyPair::from_private_key_der(curve, der) {
            return Ok(Self::P256(pair));
        }
        // Common tools write no public half, which the strict reader insists on.
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der);
        pair.map(Self::Ed25519).map_err(|_| UnusableKey::Kind)
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "EdDSA",
            Self::P256(_) => "ES256",
            Self::Rsa(_) => "RS256",
        }
    }

    /// What is hashed for the thumbprint (RFC 7638 section 3.2: required members only, sorted, no
    /// white space), and the members themselves.
    fn public(&self) -> Option<(String, Value)> {
        let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let canonical = match self {
            Self::Ed25519(pair) => {
                let x = text(pair.public_key().as_ref());
                format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)
            }
            Self::P256(pair) => {
                // SEC1 section 2.3.3: an uncompressed point is 4 and then both coordinates.
                let (_, point) = pair.public_key().as_ref().split_first()?;
                let (x, y) = point.split_at_checked(point.len() / 2)?;
                let (x, y) = (text(x), text(y));
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)
            }
            Self::Rsa(pair) => {
                let public = pair.public_key();
                let n = text(public.modulus().big_endian_without_leading_zero());
                let e = text(public.exponent().big_endian_without_leading_zero());
                format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#)
            }
        };
        let members = serde_json::from_str(&canonical).ok()?;
        Some((canonical, members))
    }
}

/// The key set that publishes these keys (RFC 7517 section 5), each once.
pub fn key_set<'k>(keys: impl Iterator<Item = &'k AssertionKey>) -> Option<Value> {
    let mut members: Vec<&Value> = Vec::new();
    for key in keys {
        if !members.contains(&key.public_jwk()) {
            members.push(key.public_jwk());
        }
    }
    (!members.is_empty()).then(|| json!({ "keys": members }))
}

fn first_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, UnusableKey> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| {
        let is_encrypted = [&b"ENCRYPTED PRIVATE KEY"[..], b"Proc-Type: 4,ENCRYPTED"]
            .iter()
            .any(|mark| memchr::memmem::find(pem, mark).is_some());
        if is_encrypted { UnusableKey::Encrypted } else { UnusableKey::Missing }
    })
}

#[cfg(test)]
mod tests;
