//! Proof Key for Code Exchange (RFC 7636), with S256 only.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::oauth::TokenDigest;

/// `BASE64URL(SHA256(ASCII(code_verifier)))` (section 4.2).
pub(in crate::demo) fn challenge(code_verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(TokenDigest::of(code_verifier.as_bytes()).as_bytes())
}

/// Whether this is the verifier of that challenge.
pub(super) fn matches(code_challenge: &str, code_verifier: &str) -> bool {
    // Section 4.1: 43 to 128 unreserved characters.
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&code_verifier.len())
        && code_verifier.bytes().all(is_unreserved)
        && verify_slices_are_equal(challenge(code_verifier).as_bytes(), code_challenge.as_bytes())
            .is_ok()
}

/// Whether the text has the form of an S256 challenge: 43 base64url characters.
pub(super) fn is_challenge(text: &str) -> bool {
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    text.len() == 43 && text.bytes().all(is_base64url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7636_appendix_b_holds() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(matches(&challenge(verifier), verifier));
        assert!(is_challenge(&challenge(verifier)));
    }

    #[test]
    fn other_short_or_foreign_verifiers_do_not_match() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert!(!matches(&challenge(verifier), &verifier.replace('d', "e")));
        assert!(!matches(&challenge("short"), "short"));
        let spaced = format!("{verifier} ");
        assert!(!matches(&challenge(&spaced), &spaced));
        // The method `plain` would accept this.
        assert!(!matches(verifier, verifier));
    }
}
