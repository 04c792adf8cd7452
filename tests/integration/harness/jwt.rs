//! Keys, key sets and signed tokens, right ones and wrong ones.
//!
//! Keys are made when a test asks for them; none is in the repository. It knows nothing of the
//! gateway, so that the gateway's own unit tests and benches can include it by path.

use std::sync::Arc;

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaEncoding,
        RsaKeyPair,
    },
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

/// A private key, with the name and algorithm it signs under.
#[derive(Clone)]
pub(crate) struct SigningKey {
    material: Material,
    algorithm: &'static str,
    kid: Option<String>,
}

#[derive(Clone)]
enum Material {
    Ec(Arc<EcdsaKeyPair>, &'static str),
    Ed25519(Arc<Ed25519KeyPair>),
    Rsa(Arc<RsaKeyPair>),
}

impl SigningKey {
    /// Makes a key for an algorithm, named `key-1`.
    pub(crate) fn generate(algorithm: &'static str) -> Self {
        let material = match algorithm {
            "ES256" => ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, "P-256"),
            "ES384" => ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"),
            "ES512" => ec(&signature::ECDSA_P521_SHA512_FIXED_SIGNING, "P-521"),
            "EdDSA" => Material::Ed25519(Arc::new(Ed25519KeyPair::generate().unwrap())),
            _ => Material::Rsa(Arc::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())),
        };
        Self { material, algorithm, kid: Some("key-1".to_owned()) }
    }

    /// Makes a large RSA key.
    pub(crate) fn generate_rsa_4096(algorithm: &'static str) -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa4096).unwrap();
        Self { material: Material::Rsa(Arc::new(pair)), algorithm, kid: Some("key-1".to_owned()) }
    }

    /// The same key under another name.
    pub(crate) fn named(&self, kid: &str) -> Self {
        Self { kid: Some(kid.to_owned()), ..self.clone() }
    }

    /// The same key without a name.
    pub(crate) fn nameless(&self) -> Self {
        Self { kid: None, ..self.clone() }
    }

    /// The same key under another algorithm, fitting or not.
    pub(crate) fn using(&self, algorithm: &'static str) -> Self {
        Self { algorithm, ..self.clone() }
    }

    /// Its public JWK: with `kid`, when it has a name, and `use`; without `alg`.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = match &self.material {
            Material::Ec(pair, curve) => {
                let point = pair.public_key().as_ref();
                let (x, y) = point[1..].split_at(point.len() / 2);
                json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y)})
            }
            Material::Ed25519(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref())})
            }
            Material::Rsa(pair) => {
                let public = pair.public_key();
                let n = public.modulus().big_endian_without_leading_zero().to_vec();
                let e = public.exponent().big_endian_without_leading_zero().to_vec();
                json!({"kty": "RSA", "n": encode(&n), "e": encode(&e)})
            }
        };
        jwk["use"] = json!("sig");
        if let Some(kid) = &self.kid {
            jwk["kid"] = json!(kid);
        }
        jwk
    }

    /// Its public key as other formats have it, for whoever mistakes it for a shared secret.
    pub(crate) fn public_forms(&self) -> Vec<Vec<u8>> {
        let raw = match &self.material {
            Material::Ec(pair, _) => pair.public_key().as_ref().to_vec(),
            Material::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
            Material::Rsa(pair) => pair.public_key().as_ref().to_vec(),
        };
        let base64 = base64::prelude::BASE64_STANDARD.encode(&raw);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----\n");
        let jwk = self.jwk();
        let members = ["n", "x", "y"].iter().filter_map(|name| jwk[name].as_str());
        let texts: Vec<_> = members.map(|text| text.as_bytes().to_vec()).collect();
        let bytes: Vec<_> =
            texts.iter().map(|text| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()).collect();
        let own = vec![raw, pem.clone().into(), pem.trim().into(), jwk.to_string().into(), vec![]];
        [own, texts, bytes].concat()
    }

    /// The header of its tokens: `alg` and, when it has a name, `kid`.
    pub(crate) fn header(&self) -> Value {
        let mut header = json!({"alg": self.algorithm});
        if let Some(kid) = &self.kid {
            header["kid"] = json!(kid);
        }
        header
    }

    /// A token with its usual header.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.sign(&self.header().to_string(), &claims.to_string())
    }

    /// A token whose header has these members more, or other values for them; `null` removes one.
    pub(crate) fn token_with(&self, more: &Value, claims: &Value) -> String {
        let mut header = self.header().as_object().cloned().unwrap_or_else(Map::new);
        for (name, value) in more.as_object().unwrap() {
            header.insert(name.clone(), value.clone());
        }
        header.retain(|_, value| !value.is_null());
        self.sign(&Value::Object(header).to_string(), &claims.to_string())
    }

    /// A token of any two texts, signed as its algorithm has it.
    pub(crate) fn sign(&self, header: &str, payload: &str) -> String {
        let input = signing_input(header, payload);
        let signature = self.signature(input.as_bytes());
        format!("{input}.{}", encode(&signature))
    }

    /// The signature over a message.
    pub(crate) fn signature(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.material {
            Material::Ec(pair, _) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Material::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Material::Rsa(pair) => {
                let encoding: &'static dyn RsaEncoding = match self.algorithm {
                    "RS384" => &signature::RSA_PKCS1_SHA384,
                    "RS512" => &signature::RSA_PKCS1_SHA512,
                    "PS256" => &signature::RSA_PSS_SHA256,
                    "PS384" => &signature::RSA_PSS_SHA384,
                    "PS512" => &signature::RSA_PSS_SHA512,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }
}

fn ec(algorithm: &'static EcdsaSigningAlgorithm, curve: &'static str) -> Material {
    Material::Ec(Arc::new(EcdsaKeyPair::generate(algorithm).unwrap()), curve)
}

/// A JWK Set document.
pub(crate) fn key_set(jwks: &[Value]) -> String {
    json!({"keys": jwks}).to_string()
}

/// The first two parts of a token.
pub(crate) fn signing_input(header: &str, payload: &str) -> String {
    format!("{}.{}", encode(header.as_bytes()), encode(payload.as_bytes()))
}

/// A token of any three contents.
pub(crate) fn compact(header: &str, payload: &str, signature: &[u8]) -> String {
    format!("{}.{}", signing_input(header, payload), encode(signature))
}

/// A token with an HMAC by some secret.
pub(crate) fn hmac_token(algorithm: &str, secret: &[u8], header: &Value, claims: &Value) -> String {
    let mut header = header.clone();
    header["alg"] = json!(algorithm);
    let input = signing_input(&header.to_string(), &claims.to_string());
    let hash = match algorithm {
        "HS384" => hmac::HMAC_SHA384,
        "HS512" => hmac::HMAC_SHA512,
        _ => hmac::HMAC_SHA256,
    };
    let tag = hmac::sign(&hmac::Key::new(hash, secret), input.as_bytes());
    format!("{input}.{}", encode(tag.as_ref()))
}

/// Base64url without padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
