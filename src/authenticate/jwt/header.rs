//! The JOSE header of a token (RFC 7515 section 4): what it asks for is refused, not obeyed.
//!
//! 1. One JSON object with unique members.
//! 2. `alg` is an asymmetric algorithm allowed for this issuer.
//! 3. `crit`, `b64` and `zip` are refused with whatever value: nothing critical is understood, the
//!    payload is encoded, and nothing is decompressed. So is a nested token (`cty: JWT`).
//! 4. `typ` is that of an access token, or says nothing (RFC 9068 section 2.1, RFC 8725 section
//!    3.11): ID, logout and other tokens of a type of their own do not pass.
//! 5. `kid` is a string. `jku`, `jwk`, `x5u`, `x5c` and `x5t` are not looked at: a token does not
//!    choose its key, and nothing is fetched for it.

use super::fault::{JwtFault, Shown};
use crate::{
    authenticate::{claims::Claims, key_set::KeyId},
    config::settings::{JwtSettings, RequiredTokenType},
    oauth::SignatureAlgorithm,
};

/// What is taken from a header.
#[derive(Debug)]
pub(super) struct Header {
    /// How it is signed.
    pub(super) algorithm: SignatureAlgorithm,
    /// Which key signed it, by its own account.
    pub(super) kid: Option<KeyId>,
    /// Whether its type is that of an access token, by name.
    pub(super) is_access_token: bool,
}

impl Header {
    pub(super) fn read(json: &[u8], settings: &JwtSettings) -> Result<Self, JwtFault> {
        let malformed = |why| move |_| JwtFault::Header(why);
        let header = Claims::parse(json)
            .map_err(malformed("it is not one JSON object with unique members"))?;
        let alg = header.string("alg").map_err(malformed("`alg` is not a string"))?;
        let alg = alg.unwrap_or_default();
        let algorithm = SignatureAlgorithm::of(alg)
            .filter(|algorithm| settings.algorithms.contains(algorithm))
            .ok_or_else(|| JwtFault::Algorithm(Shown::new(alg)))?;
        for (name, why) in [
            ("crit", "`crit` is not supported"),
            ("b64", "`b64` is not supported"),
            ("zip", "`zip` is not supported"),
        ] {
            if header.has_member(name) {
                return Err(JwtFault::Header(why));
            }
        }
        let content = header.string("cty").map_err(malformed("`cty` is not a string"))?;
        if content.is_some_and(|content| is_type(content, "jwt")) {
            return Err(JwtFault::Header("a token within a token is not supported"));
        }
        let is_access_token = check_type(&header, settings)?;
        let kid = header.string("kid").map_err(malformed("`kid` is not a string"))?;
        Ok(Self { algorithm, kid: kid.map(KeyId::new), is_access_token })
    }
}

/// Whether the type is `at+jwt`; an error when it is another than an access token may have.
fn check_type(header: &Claims, settings: &JwtSettings) -> Result<bool, JwtFault> {
    let kind = header.string("typ").map_err(|_| JwtFault::Header("`typ` is not a string"))?;
    let is_access_token = kind.is_some_and(|kind| is_type(kind, "at+jwt"));
    let is_open = kind.is_none_or(|kind| kind.eq_ignore_ascii_case("jwt"));
    let may_be_open = settings.required_type != Some(RequiredTokenType::AtJwt);
    if is_access_token || (is_open && may_be_open) {
        return Ok(is_access_token);
    }
    Err(JwtFault::Type(kind.map(Shown::new)))
}

/// RFC 7515 section 4.1.9: `application/` may be left out; media types ignore case.
fn is_type(text: &str, kind: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.strip_prefix("application/").unwrap_or(&text) == kind
}
