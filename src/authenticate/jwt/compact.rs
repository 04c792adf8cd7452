//! The compact serialisation of a JWS (RFC 7515 section 3.1), read strictly.
//!
//! 1. Exactly three parts, none of them empty; five are a JWE, which nobody here can decrypt.
//! 2. Each is canonical base64url: no padding, no other alphabet, no white space, no bits that
//!    decode to nothing. So one signed token has one spelling.
//! 3. Sizes are bounded before anything is decoded.
//!
//! [`inspect`] is the lenient look at the same text, for choosing whom to ask and nothing else.

use base64::{Engine as _, alphabet, engine, prelude::BASE64_URL_SAFE_NO_PAD};

use super::fault::JwtFault;
use crate::authenticate::claims::Claims;

/// The three parts of a token whose form is right.
pub(super) struct Compact<'t> {
    /// The first part, decoded.
    pub(super) header: Vec<u8>,
    /// What was signed: the first two parts as written.
    pub(super) signing_input: &'t str,
    /// The third part as written.
    pub(super) signature: &'t str,
    payload: &'t str,
}

impl<'t> Compact<'t> {
    pub(super) fn read(token: &'t str) -> Result<Self, JwtFault> {
        let form = |why| Err(JwtFault::Form(why));
        match token.bytes().filter(|byte| *byte == b'.').count() {
            2 => {}
            4 => return form("it is encrypted (JWE): have signed tokens issued"),
            _ => return form("it has not three parts: this authorization server issues JWTs"),
        }
        let (signing_input, signature) = token.rsplit_once('.').unwrap_or_default();
        let (header, payload) = signing_input.split_once('.').unwrap_or_default();
        if signature.is_empty() {
            return form("it has no signature");
        }
        if header.is_empty() || payload.is_empty() {
            return form("a part is empty");
        }
        if header.len() > MAX_HEADER_CHARACTERS || signature.len() > MAX_SIGNATURE_CHARACTERS {
            return form("its header or signature is too long");
        }
        let header = decode(header)?;
        decode(payload)?;
        decode(signature)?;
        Ok(Self { header, signing_input, signature, payload })
    }

    /// The second part, decoded.
    pub(super) fn payload(&self) -> Result<Vec<u8>, JwtFault> {
        decode(self.payload)
    }
}

fn decode(part: &str) -> Result<Vec<u8>, JwtFault> {
    let not_canonical = |_| JwtFault::Form("a part is not canonical base64url");
    BASE64_URL_SAFE_NO_PAD.decode(part).map_err(not_canonical)
}

/// What a token says of itself, believed by nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnverifiedJwt {
    /// `iss`, when it is one string.
    pub issuer: Option<Box<str>>,
}

/// Looks at a token without believing it: is it a JWS in compact form, well formed or not, and whom
/// does it name as issuer? `None` for what is none.
pub fn inspect(token: &str) -> Option<UnverifiedJwt> {
    let (signing_input, _) = token.rsplit_once('.')?;
    let (header, payload) = signing_input.split_once('.')?;
    if header.len() > MAX_HEADER_CHARACTERS || payload.contains('.') {
        return None;
    }
    let decode = |part: &str| LENIENT.decode(part.trim_end_matches('=')).ok();
    // Which algorithm it is, and whether a name stands twice, is for the verifier to refuse.
    let header: serde_json::Value = serde_json::from_slice(&decode(header)?).ok()?;
    header.as_object()?.get("alg")?;
    let claims = decode(payload).and_then(|payload| Claims::parse(&payload).ok());
    let issuer = claims.and_then(|claims| claims.string("iss").ok().flatten().map(Into::into));
    Some(UnverifiedJwt { issuer })
}

/// When a token says that it expires, believed by nobody: it is refused then, whoever signed it.
pub(super) fn unverified_expiry(token: &str) -> Option<f64> {
    let payload = Compact::read(token).ok()?.payload().ok()?;
    Claims::parse(&payload).ok()?.numeric_date("exp").ok()?
}

const LENIENT: engine::GeneralPurpose = engine::GeneralPurpose::new(
    &alphabet::URL_SAFE,
    engine::GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(engine::DecodePaddingMode::RequireNone),
);

const MAX_HEADER_CHARACTERS: usize = 8 * 1024;
/// Of RSA with 8192 bits, and some more.
const MAX_SIGNATURE_CHARACTERS: usize = 1400;
