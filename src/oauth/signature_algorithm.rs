//! Signature algorithms of tokens (RFC 7518 section 3.1, RFC 8037 section 3.1).
//!
//! Asymmetric ones only: what is not in this list, `none` and HMAC above all, has no value here and
//! so cannot be configured, tried or accepted.

/// An algorithm that a token may be signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the algorithm of that name")]
pub enum SignatureAlgorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
    EdDsa,
}

impl SignatureAlgorithm {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
    ];

    /// Its registered name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm of an `alg` member, compared byte for byte. `Ed25519` is the name that RFC
    /// 9864 gives to the one curve of `EdDSA` that is known here.
    pub fn of(alg: &str) -> Option<Self> {
        let alg = if alg == "Ed25519" { Self::EdDsa.name() } else { alg };
        Self::ALL.into_iter().find(|each| each.name() == alg)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_asymmetric_algorithms_have_a_name() {
        for algorithm in SignatureAlgorithm::ALL {
            assert_eq!(SignatureAlgorithm::of(algorithm.name()), Some(algorithm));
        }
        for alg in ["", "none", "None", "NONE", "nOnE", "HS256", "HS384", "HS512", "rs256", "RS1"] {
            assert_eq!(SignatureAlgorithm::of(alg), None, "{alg}");
        }
        for alg in ["RS256 ", "RS256\0", "ES256K", "RSA-OAEP", "dir", "A128KW", "Ed448", "eddsa"] {
            assert_eq!(SignatureAlgorithm::of(alg), None, "{alg}");
        }
        assert_eq!(SignatureAlgorithm::of("Ed25519"), Some(SignatureAlgorithm::EdDsa));
    }
}
