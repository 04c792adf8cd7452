//! One key of a key set (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2).
//!
//! 1. Members are unique and well-typed, or the key is not used.
//! 2. Only public keys that may verify signatures: no `oct`, no private members, no `use: enc`, no
//!    `key_ops` without `verify`.
//! 3. Only sound ones: RSA of 2048 to 8192 bits with odd modulus and odd exponent above 1, EC
//!    points on their curve, Ed25519 of 32 bytes.
//! 4. A key is bound to the algorithms of its type, and to its `alg` when it has one; nothing in a
//!    token can have it used with another.
//!
//! `x5c`, `x5u` and `x5t` are not looked at: the key set is trusted for where it came from.

use std::fmt;

use aws_lc_rs::{
    digest::{Context, SHA256},
    signature::{self, ParsedPublicKey},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, crypto::aws_lc};

use crate::{authenticate::claims::Claims, oauth::SignatureAlgorithm};

/// A key that may verify signatures.
pub struct VerificationKey {
    kid: Option<KeyId>,
    kind: Kind,
    only: Option<SignatureAlgorithm>,
    thumbprint: Thumbprint,
    key: Verifier,
}

/// The name of a key within its set (RFC 7517 section 4.5): compared, never looked into.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct KeyId(Box<str>);

/// What makes a key this one: a digest of its material and its algorithm.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Thumbprint([u8; 32]);

/// Why a key is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeyFault {
    #[error("its `alg` is unknown here, or not one of its type")]
    Algorithm,
    #[error("it is not for verifying (`use` or `key_ops`)")]
    Purpose,
    #[error("it is malformed")]
    Malformed,
    #[error("it is a PRIVATE key, which anybody can fetch: replace it at the authorization server")]
    Private,
    #[error("it is a shared secret; only public keys verify tokens")]
    Symmetric,
    #[error("its type or curve is not supported")]
    Unsupported,
    #[error("it is too weak: RSA needs 2048 to 8192 bits, an odd modulus and a sound exponent")]
    Weak,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ed25519,
    P256,
    P384,
    P521,
    Rsa,
}

enum Verifier {
    Jose(DecodingKey),
    /// ES512, which `jsonwebtoken` does not have.
    P521(ParsedPublicKey),
}

impl VerificationKey {
    pub(super) fn read(json: &[u8]) -> Result<Self, KeyFault> {
        let jwk = Claims::parse(json).map_err(|_| KeyFault::Malformed)?;
        let text = |name| jwk.string(name).map_err(|_| KeyFault::Malformed);
        let key_type = text("kty")?.ok_or(KeyFault::Malformed)?;
        if key_type == "oct" {
            return Err(KeyFault::Symmetric);
        }
        if ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|name| jwk.has_member(name)) {
            return Err(KeyFault::Private);
        }
        check_purpose(&jwk)?;
        let (kind, material, key) = match (key_type, text("crv")?) {
            ("RSA", None) => rsa(&jwk)?,
            ("EC", Some("P-256")) => ec(&jwk, Kind::P256)?,
            ("EC", Some("P-384")) => ec(&jwk, Kind::P384)?,
            ("EC", Some("P-521")) => ec(&jwk, Kind::P521)?,
            ("OKP", Some("Ed25519")) => ed25519(&jwk)?,
            _ => return Err(KeyFault::Unsupported),
        };
        let only = match text("alg")? {
            None => None,
            Some(alg) => {
                let only = SignatureAlgorithm::of(alg).filter(|alg| kind.is_fit_for(*alg));
                Some(only.ok_or(KeyFault::Algorithm)?)
            }
        };
        let thumbprint = Thumbprint::of(kind, only, &material);
        Ok(Self { kid: text("kid")?.map(KeyId::new), kind, only, thumbprint, key })
    }

    pub(super) fn kid(&self) -> Option<&KeyId> {
        self.kid.as_ref()
    }

    /// What tells it from other keys.
    pub fn thumbprint(&self) -> &Thumbprint {
        &self.thumbprint
    }

    pub(super) fn is_fit_for(&self, algorithm: SignatureAlgorithm) -> bool {
        self.kind.is_fit_for(algorithm) && self.only.is_none_or(|only| only == algorithm)
    }

    /// Whether it made this signature, in canonical base64url, over the message.
    pub fn verifies(&self, algorithm: SignatureAlgorithm, message: &[u8], signature: &str) -> bool {
        if !self.is_fit_for(algorithm) {
            return false;
        }
        let Ok(signature) = BASE64_URL_SAFE_NO_PAD.decode(signature) else { return false };
        match (&self.key, jose(algorithm)) {
            // The provider is named: which one the crate would choose by itself depends on what
            // else is in the build.
            (Verifier::Jose(key), Some(algorithm)) => {
                (aws_lc::DEFAULT_PROVIDER.verifier_factory)(&algorithm, key)
                    .is_ok_and(|verifier| verifier.verify(message, &signature).is_ok())
            }
            (Verifier::P521(key), None) => key.verify_sig(message, &signature).is_ok(),
            (Verifier::Jose(_), None) | (Verifier::P521(_), Some(_)) => false,
        }
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerificationKey({:?}, {:?})", self.kind, self.kid)
    }
}

impl KeyId {
    /// Takes a name as written.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short: String = self.0.chars().take(64).collect();
        write!(f, "{short:?}")
    }
}

impl Thumbprint {
    fn of(kind: Kind, only: Option<SignatureAlgorithm>, material: &[u8]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(format!("{kind:?} {only:?} ").as_bytes());
        context.update(material);
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        Self(digest)
    }

    /// All 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Kind {
    fn is_fit_for(self, algorithm: SignatureAlgorithm) -> bool {
        use SignatureAlgorithm as Alg;
        match algorithm {
            Alg::Rs256 | Alg::Rs384 | Alg::Rs512 | Alg::Ps256 | Alg::Ps384 | Alg::Ps512 => {
                self == Self::Rsa
            }
            Alg::Es256 => self == Self::P256,
            Alg::Es384 => self == Self::P384,
            Alg::Es512 => self == Self::P521,
            Alg::EdDsa => self == Self::Ed25519,
        }
    }
}

/// The name that `jsonwebtoken` has for an algorithm.
fn jose(algorithm: SignatureAlgorithm) -> Option<Algorithm> {
    Some(match algorithm {
        SignatureAlgorithm::Rs256 => Algorithm::RS256,
        SignatureAlgorithm::Rs384 => Algorithm::RS384,
        SignatureAlgorithm::Rs512 => Algorithm::RS512,
        SignatureAlgorithm::Ps256 => Algorithm::PS256,
        SignatureAlgorithm::Ps384 => Algorithm::PS384,
        SignatureAlgorithm::Ps512 => Algorithm::PS512,
        SignatureAlgorithm::Es256 => Algorithm::ES256,
        SignatureAlgorithm::Es384 => Algorithm::ES384,
        SignatureAlgorithm::Es512 => return None,
        SignatureAlgorithm::EdDsa => Algorithm::EdDSA,
    })
}

fn check_purpose(jwk: &Claims) -> Result<(), KeyFault> {
    let purpose = jwk.string("use").map_err(|_| KeyFault::Malformed)?;
    let operations = jwk.strings("key_ops").map_err(|_| KeyFault::Malformed)?;
    let may_verify = operations.is_none_or(|operations| operations.contains(&"verify"));
    if may_verify && purpose.is_none_or(|purpose| purpose == "sig") {
        return Ok(());
    }
    Err(KeyFault::Purpose)
}

type Material = (Kind, Vec<u8>, Verifier);

fn member(jwk: &Claims, name: &str) -> Result<Vec<u8>, KeyFault> {
    let text = jwk.string(name).ok().flatten().ok_or(KeyFault::Malformed)?;
    BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyFault::Malformed)
}

fn rsa(jwk: &Claims) -> Result<Material, KeyFault> {
    let n = without_leading_zeros(member(jwk, "n")?);
    let e = without_leading_zeros(member(jwk, "e")?);
    let (Some(first), Some(last)) = (n.first(), n.last()) else { return Err(KeyFault::Weak) };
    let bits = n.len() * 8 - first.leading_zeros() as usize;
    let is_odd = |last: &u8| last & 1 == 1;
    let is_sound_exponent = match e.as_slice() {
        [] | [1] => false,
        [.., last] => is_odd(last) && e.len() <= MAX_EXPONENT_BYTES,
    };
    if !RSA_BITS.contains(&bits) || !is_odd(last) || !is_sound_exponent {
        return Err(KeyFault::Weak);
    }
    let key = DecodingKey::from_rsa_raw_components(&n, &e);
    // The exponent's length first: no two pairs run into the same bytes.
    let length = u8::try_from(e.len()).unwrap_or(u8::MAX);
    Ok((Kind::Rsa, [&[length], e.as_slice(), n.as_slice()].concat(), Verifier::Jose(key)))
}

/// RFC 7518 section 2 forbids them, and some servers send the sign octet all the same.
fn without_leading_zeros(number: Vec<u8>) -> Vec<u8> {
    number.into_iter().skip_while(|byte| *byte == 0).collect()
}

fn ec(jwk: &Claims, kind: Kind) -> Result<Material, KeyFault> {
    let algorithm = match kind {
        Kind::P256 => &signature::ECDSA_P256_SHA256_FIXED,
        Kind::P384 => &signature::ECDSA_P384_SHA384_FIXED,
        Kind::P521 => &signature::ECDSA_P521_SHA512_FIXED,
        Kind::Ed25519 | Kind::Rsa => return Err(KeyFault::Unsupported),
    };
    let length = match kind {
        Kind::P256 => 32,
        Kind::P384 => 48,
        Kind::Ed25519 | Kind::P521 | Kind::Rsa => 66,
    };
    // RFC 7518 section 6.2.1.2: the length of a coordinate is fixed.
    let (x, y) = (member(jwk, "x")?, member(jwk, "y")?);
    if x.len() != length || y.len() != length {
        return Err(KeyFault::Malformed);
    }
    let point = [&[UNCOMPRESSED], x.as_slice(), y.as_slice()].concat();
    // Refuses what is not on the curve, and the point at infinity.
    let parsed = ParsedPublicKey::new(algorithm, &point).map_err(|_| KeyFault::Malformed)?;
    let key = match kind {
        Kind::P521 => Verifier::P521(parsed),
        Kind::Ed25519 | Kind::P256 | Kind::P384 | Kind::Rsa => {
            Verifier::Jose(DecodingKey::from_ec_der(&point))
        }
    };
    Ok((kind, point, key))
}

fn ed25519(jwk: &Claims) -> Result<Material, KeyFault> {
    let x = member(jwk, "x")?;
    if x.len() != 32 {
        return Err(KeyFault::Malformed);
    }
    let key = DecodingKey::from_ed_der(&x);
    Ok((Kind::Ed25519, x, Verifier::Jose(key)))
}

/// SEC 1 section 2.3.3.
const UNCOMPRESSED: u8 = 4;
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// What the provider verifies with; 65537 has three bytes.
const MAX_EXPONENT_BYTES: usize = 4;
