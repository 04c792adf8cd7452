//! The key sets of nine products: which keys verify what.
//!
//! `tests/data/providers` has a small set of each, in the form that its public documentation shows;
//! the keys are made up, and of their private halves nothing is left.

use crate::oauth::SignatureAlgorithm as Algorithm;

use super::*;

macro_rules! key_set {
    ($name:literal) => {
        (
            $name,
            include_bytes!(concat!("../../../tests/data/providers/", $name, "/key_set.json"))
                .as_slice(),
        )
    };
}

/// The algorithms that a token may be signed with if it names the key, of those asked about.
fn fit(set: &KeySet, kid: &str) -> Vec<Algorithm> {
    let asked = [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa];
    let kid = KeyId::new(kid);
    let fits = |algorithm: &Algorithm| matches!(set.candidates(Some(&kid), *algorithm), Candidates::Keys(keys) if keys.len() == 1);
    asked.into_iter().filter(fits).collect()
}

fn names(set: &KeySet) -> Vec<&str> {
    set.keys.iter().filter_map(|key| key.kid()).map(KeyId::as_str).collect()
}

#[test]
fn keys_of_each_product_are_bound_to_their_algorithm() {
    use Algorithm::{EdDsa, Es256, Ps256, Rs256};
    for ((name, body), expected) in [
        (key_set!("auth0"), &[&[Rs256][..], &[Rs256]][..]),
        (key_set!("casdoor"), &[&[Rs256]]),
        // Its keys say `use`, and no `alg`: what a token may be signed with, the configuration says.
        (key_set!("entra-id"), &[&[Rs256, Ps256], &[Rs256, Ps256]]),
        (key_set!("google"), &[&[Rs256], &[Rs256]]),
        (key_set!("keycloak"), &[&[Rs256], &[EdDsa]]),
        (key_set!("okta"), &[&[Rs256]]),
        (key_set!("ory-hydra"), &[&[Rs256], &[Rs256]]),
        (key_set!("zitadel"), &[&[Rs256], &[Es256]]),
    ] {
        let set = KeySet::parse(body).unwrap().set;
        let names = names(&set);
        assert_eq!(names.len(), set.len(), "{name}: every key has a name");
        let fit: Vec<_> = names.iter().map(|kid| fit(&set, kid)).collect();
        assert_eq!(fit, expected, "{name}");
    }
}

#[test]
fn only_the_encryption_key_of_keycloak_is_left_out() {
    for (name, body) in [
        key_set!("auth0"),
        key_set!("casdoor"),
        key_set!("entra-id"),
        key_set!("google"),
        key_set!("okta"),
        key_set!("ory-hydra"),
        key_set!("zitadel"),
    ] {
        assert_eq!(KeySet::parse(body).unwrap().skipped, [""; 0], "{name}");
    }
    let skipped = KeySet::parse(key_set!("keycloak").1).unwrap().skipped;
    assert_eq!(skipped, ["key 0: it is not for verifying (`use` or `key_ops`)"]);
}

#[test]
fn the_empty_set_of_github_is_none() {
    let parsed = KeySet::parse(key_set!("github").1);
    assert!(matches!(parsed, Err(KeySetError::NoUsableKey(skipped)) if skipped.is_empty()));
}
