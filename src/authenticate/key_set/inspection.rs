//! A key set, key by key, for operators who look into it.
//!
//! The keys are read as tokens would be verified with them; nothing here decides about a token.

use serde_json::{Map, Value};

use super::{KeySetError, MAX_READ, VerificationKey, entries, jwk::KeyFault};
use crate::oauth::SignatureAlgorithm;

/// One entry of a key set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// `kid`, `kty`, `alg` and `use` as they were written, when they are texts.
    pub members: [Option<Box<str>>; 4],
    /// What it is good for.
    pub use_: Usability,
}

/// What a key is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Usability {
    /// It is a private key, and anybody can fetch it.
    Private(String),
    /// It verifies nothing, for this reason.
    Unusable(String),
    /// It verifies signatures of these algorithms.
    Verifies(Vec<SignatureAlgorithm>),
}

/// Reads a JWK Set document entry by entry.
pub fn inspect(body: &[u8]) -> Result<Vec<Inspected>, KeySetError> {
    let entries = entries(body)?;
    Ok(entries.iter().take(MAX_READ).map(|json| entry(json.get().as_bytes())).collect())
}

fn entry(json: &[u8]) -> Inspected {
    let written: Map<String, Value> = serde_json::from_slice(json).unwrap_or_default();
    let text = |name: &str| written.get(name).and_then(Value::as_str).map(Into::into);
    let use_ = match VerificationKey::read(json) {
        Ok(key) => {
            let all = SignatureAlgorithm::ALL.into_iter();
            Usability::Verifies(all.filter(|algorithm| key.is_fit_for(*algorithm)).collect())
        }
        Err(fault @ KeyFault::Private) => Usability::Private(fault.to_string()),
        Err(fault) => Usability::Unusable(fault.to_string()),
    };
    Inspected { members: ["kid", "kty", "alg", "use"].map(text), use_ }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_says_what_it_is_good_for() {
        let body = br#"{"keys":[
            {"kty":"oct","kid":"a","k":"AAAA"},
            {"kty":"OKP","crv":"Ed25519","kid":"b","d":"AAAA","x":"AAAA"},
            {"kty":"OKP","crv":"Ed25519","kid":"c","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
            7]}"#;
        let inspected = inspect(body).unwrap();
        assert!(matches!(&inspected[0].use_, Usability::Unusable(why) if why.contains("secret")));
        assert!(matches!(inspected[1].use_, Usability::Private(_)));
        assert_eq!(inspected[2].use_, Usability::Verifies(vec![SignatureAlgorithm::EdDsa]));
        let texts = inspected[2].members.each_ref().map(|member| member.as_deref().unwrap_or("-"));
        assert_eq!(texts, ["c", "OKP", "-", "sig"]);
        assert!(matches!(inspected[3].use_, Usability::Unusable(_)));
        assert!(matches!(inspect(b"[]"), Err(KeySetError::Malformed)));
    }
}
