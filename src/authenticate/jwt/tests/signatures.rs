//! Which signatures count, by which keys.

use super::*;
use crate::authenticate::jwt_kit::{compact, encode, hmac_token, signing_input};

#[tokio::test]
async fn each_algorithm_is_accepted_by_a_key_of_its_type() {
    let jwks: Vec<_> = ["RS256", "ES256", "ES384", "ES512", "EdDSA"]
        .map(|algorithm| key(algorithm).named(algorithm).jwk())
        .to_vec();
    let bench = Bench::with(&jwks).await;
    for algorithm in ALL {
        let kind = if algorithm.starts_with(['R', 'P']) { "RS256" } else { algorithm };
        let token = key(algorithm).named(kind).token(&bench.claims());
        let facts = bench.facts(&token).await;
        assert_eq!(facts.subject.as_ref().unwrap().as_str(), "alice", "{algorithm}");
        assert_eq!(facts.evidence, crate::authenticate::token_facts::Evidence::Signature);
        assert!(bench.recall(&token).is_some(), "{algorithm} is remembered");
        let nameless = key(algorithm).nameless().token(&bench.claims());
        bench.facts(&nameless).await;
    }
    let renamed =
        key("EdDSA").named("EdDSA").token_with(&json!({"alg": "Ed25519"}), &bench.claims());
    bench.facts(&renamed).await;
}

#[tokio::test]
async fn i01_no_spelling_of_alg_none_is_accepted() {
    let key = key("RS256");
    let bench = Bench::with(&[key.jwk()]).await;
    for alg in ["none", "None", "NONE", "nOnE", "", " none", "none\0"] {
        let token = key.token_with(&json!({"alg": alg}), &bench.claims());
        assert!(matches!(bench.fault(&token).await, JwtFault::Algorithm(_)), "{alg:?}");
    }
    let claims = bench.claims().to_string();
    for token in [
        key.token_with(&json!({"alg": null}), &bench.claims()),
        key.token_with(&json!({"alg": ["RS256"]}), &bench.claims()),
        key.token_with(&json!({"alg": 256}), &bench.claims()),
        compact(r#"{"alg":"none"}"#, &claims, b""),
        compact(r#"{"alg":"RS256","kid":"key-1"}"#, &claims, b""),
        signing_input(r#"{"alg":"none"}"#, &claims),
    ] {
        bench.fault(&token).await;
        assert!(bench.recall(&token).is_none());
    }
}

#[tokio::test]
async fn i02_cve_2016_10555_public_key_is_no_hmac_secret() {
    for algorithm in ["RS256", "ES256", "EdDSA"] {
        let key = key(algorithm);
        let bench = Bench::with(&[key.jwk()]).await;
        for secret in key.public_forms() {
            for hmac in ["HS256", "HS384", "HS512"] {
                let token = hmac_token(hmac, &secret, &key.header(), &bench.claims());
                assert!(matches!(bench.fault(&token).await, JwtFault::Algorithm(_)));
                // The tag alone, under the key's own algorithm.
                let tag = token.rsplit_once('.').unwrap().1;
                let honest = key.token(&bench.claims());
                let token = format!("{}.{tag}", honest.rsplit_once('.').unwrap().0);
                assert!(matches!(bench.fault(&token).await, JwtFault::BadSignature(_)));
            }
        }
    }
}

#[tokio::test]
async fn i03_symmetric_keys_of_a_key_set_are_not_used() {
    let secret = b"a shared secret of thirty-two by";
    let oct = json!({"kty": "oct", "k": encode(secret), "kid": "key-1", "alg": "HS256"});
    let bench = Bench::with(&[oct.clone(), key("ES256").named("other").jwk()]).await;
    let token = hmac_token("HS256", secret, &json!({"kid": "key-1"}), &bench.claims());
    assert!(matches!(bench.fault(&token).await, JwtFault::Algorithm(_)));
    bench.facts(&key("ES256").named("other").token(&bench.claims())).await;
}

#[tokio::test]
async fn i07_malformed_signatures_are_refused() {
    for algorithm in ALL {
        let key = key(algorithm);
        let bench = Bench::with(&[key.jwk()]).await;
        let token = key.token(&bench.claims());
        let (input, _) = token.rsplit_once('.').unwrap();
        let good = key.signature(input.as_bytes());
        let mut flipped = good.clone();
        flipped[5] ^= 1;
        let extra = [good.as_slice(), &[0]].concat();
        let leading = [&[0], good.as_slice()].concat();
        let short = good[..good.len() - 1].to_vec();
        let half = good[..good.len() / 2].to_vec();
        let zero = vec![0; good.len()];
        let ones = vec![0xff; good.len()];
        for signature in [flipped, extra, leading, short, half, zero, ones, vec![0], vec![1; 3]] {
            let token = format!("{input}.{}", encode(&signature));
            let fault = bench.fault(&token).await;
            assert!(matches!(fault, JwtFault::BadSignature(_)), "{algorithm} {fault:?}");
            assert!(bench.recall(&token).is_none());
        }
        assert!(matches!(bench.fault(&format!("{input}.")).await, JwtFault::Form(_)));
        bench.facts(&format!("{input}.{}", encode(&good))).await;
    }
}

/// n of P-256, in 32 bytes.
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
    0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// n - s.
fn negated(s: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let mut out: Vec<u8> = P256_ORDER
        .iter()
        .zip(s)
        .rev()
        .map(|(n, s)| {
            let difference = i16::from(*n) - i16::from(*s) - borrow;
            borrow = i16::from(difference < 0);
            u8::try_from(difference.rem_euclid(256)).unwrap()
        })
        .collect();
    out.reverse();
    out
}

#[tokio::test]
async fn i07_cve_2022_21449_ecdsa_values_out_of_range_and_der_are_refused() {
    let key = key("ES256");
    let bench = Bench::with(&[key.jwk()]).await;
    let token = key.token(&bench.claims());
    let (input, _) = token.rsplit_once('.').unwrap();
    let good = key.signature(input.as_bytes());
    let (r, s) = good.split_at(32);
    let integer = |value: &[u8]| {
        let value = [&[0], value].concat();
        [&[2, u8::try_from(value.len()).unwrap()], value.as_slice()].concat()
    };
    let body = [integer(r), integer(s)].concat();
    let der = [&[0x30, u8::try_from(body.len()).unwrap()], body.as_slice()].concat();
    for signature in [
        der,
        [P256_ORDER.as_slice(), s].concat(),
        [r, P256_ORDER.as_slice()].concat(),
        [P256_ORDER, P256_ORDER].concat(),
        [[0; 32].as_slice(), s].concat(),
        [r, [0; 32].as_slice()].concat(),
        [s, r].concat(),
    ] {
        let token = format!("{input}.{}", encode(&signature));
        assert!(matches!(bench.fault(&token).await, JwtFault::BadSignature(_)));
    }
    // Both s and n - s are valid signatures (SEC 1 section 4.1.4); JOSE demands neither. The two
    // spellings are two tokens to whoever remembers tokens, each judged for itself.
    let other_half = format!("{input}.{}", encode(&[r, &negated(s)].concat()));
    bench.facts(&other_half).await;
    bench.facts(&token).await;
}

#[tokio::test]
async fn i08_a_key_verifies_its_own_algorithms_only() {
    let rows = [
        ("RS256", json!({"alg": "PS256"}), "RS256"),
        ("PS256", json!({"alg": "RS256"}), "PS256"),
        ("RS256", json!({"alg": "RS512"}), "RS256"),
        ("ES384", json!({}), "ES256"),
        ("ES256", json!({}), "ES384"),
        ("ES512", json!({}), "ES256"),
        ("EdDSA", json!({}), "ES256"),
        ("RS256", json!({}), "ES256"),
        ("ES256", json!({}), "RS256"),
        ("ES256", json!({}), "EdDSA"),
    ];
    for (published, more, signed) in rows {
        let mut jwk = key(published).jwk();
        for (name, value) in more.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        let bench = Bench::with(&[jwk]).await;
        for token in [
            key(signed).token(&bench.claims()),
            key(published).token_with(&json!({"alg": signed}), &bench.claims()),
            key(published).using(signed).token(&bench.claims()),
        ] {
            let fault = bench.fault(&token).await;
            assert!(matches!(fault, JwtFault::UnfitKey(_)), "{published} {signed}: {fault:?}");
            assert_eq!(fault.token_fault(), crate::authenticate::TokenFault::BadSignature);
        }
    }
}

#[tokio::test]
async fn algorithm_outside_the_configured_list_is_refused() {
    let jwks = [key("RS256").jwk()];
    let only = |settings: &mut AuthorizationServerSettings| {
        settings.jwt.algorithms = vec![crate::oauth::SignatureAlgorithm::Ps256];
    };
    let bench = Bench::with_settings(&jwks, only).await;
    let fault = bench.fault(&key("RS256").token(&bench.claims())).await;
    assert!(matches!(fault, JwtFault::Algorithm(_)));
    assert!(fault.to_string().contains("RS256") && fault.to_string().contains("jwt.algorithms"));
    bench.facts(&key("PS256").token(&bench.claims())).await;
}

#[tokio::test]
async fn i23_same_kid_at_another_issuer_is_another_key() {
    let (ours, theirs) = (SigningKey::generate("ES256"), SigningKey::generate("ES256"));
    let bench = Bench::with(&[ours.jwk()]).await;
    let fault = bench.fault(&theirs.token(&bench.claims())).await;
    assert!(matches!(fault, JwtFault::BadSignature(Some(_))), "{fault:?}");
    let foreign = ours.token(&bench.claims_but(json!({"iss": "https://other.example"})));
    assert!(matches!(bench.fault(&foreign).await, JwtFault::Issuer(Some(_))));
}

#[tokio::test]
async fn i24_few_keys_are_tried_and_only_fit_ones() {
    let keys: Vec<_> = (0..6).map(|_| SigningKey::generate("ES256")).collect();
    // All of one name, behind keys of other types.
    let others = [key("EdDSA").jwk(), key("RS256").jwk(), key("ES384").jwk()];
    let jwks = [others.to_vec(), keys.iter().map(SigningKey::jwk).collect()].concat();
    let bench = Bench::with(&jwks).await;
    for (index, key) in keys.iter().enumerate() {
        let verdict = bench.verify(&key.token(&bench.claims())).await;
        assert_eq!(matches!(verdict, Verified::Valid(_)), index < 4, "{index}: {verdict:?}");
        let verdict = bench.verify(&key.nameless().token(&bench.claims())).await;
        assert_eq!(matches!(verdict, Verified::Valid(_)), index < 4, "{index}: {verdict:?}");
    }
    // Keys without a name serve tokens with one; keys with another name do not.
    let bench = Bench::with(&[keys[0].nameless().jwk(), keys[1].named("b").jwk()]).await;
    bench.facts(&keys[0].named("a").token(&bench.claims())).await;
    let fault = bench.fault(&keys[1].named("c").token(&bench.claims())).await;
    assert!(matches!(fault, JwtFault::BadSignature(_)), "{fault:?}");
}

#[tokio::test]
async fn i31_claims_are_not_looked_at_before_the_signature() {
    let bench = Bench::with(&[key("ES256").jwk()]).await;
    let stranger = SigningKey::generate("ES256");
    for payload in ["not JSON", "{}", r#"{"iss":7}"#, r#"{"exp":0,"exp":1}"#] {
        let header = stranger.header().to_string();
        let fault = bench.fault(&stranger.sign(&header, payload)).await;
        assert!(matches!(fault, JwtFault::BadSignature(_)), "{payload}: {fault:?}");
    }
}
