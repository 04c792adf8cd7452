//! Which keys of a set are used.

use serde_json::{Value, json};

use super::*;
use crate::authenticate::jwt_kit::{SigningKey, encode, key_set};

fn parse(jwks: &[Value]) -> Result<Parsed, KeySetError> {
    KeySet::parse(key_set(jwks).as_bytes())
}

/// What is said of one key beside a good one.
fn said_of(jwk: &Value) -> String {
    let good = SigningKey::generate("EdDSA").named("good").jwk();
    let parsed = parse(&[jwk.clone(), good]).unwrap();
    assert_eq!(parsed.set.len() + parsed.skipped.len(), 2, "{jwk}");
    parsed.skipped.join("")
}

fn but(jwk: &Value, name: &str, value: Value) -> Value {
    let mut jwk = jwk.clone();
    jwk[name] = value;
    jwk
}

#[test]
fn each_type_of_key_is_used_with_and_without_ornaments() {
    for algorithm in ["RS256", "ES256", "ES384", "ES512", "EdDSA"] {
        let jwk = SigningKey::generate(algorithm).jwk();
        assert_eq!(said_of(&jwk), "", "{algorithm}");
        assert_eq!(said_of(&but(&jwk, "use", Value::Null)), "");
        assert_eq!(said_of(&but(&jwk, "kid", Value::Null)), "");
        assert_eq!(said_of(&but(&jwk, "alg", json!(algorithm))), "");
        assert_eq!(said_of(&but(&jwk, "key_ops", json!(["verify", "sign"]))), "");
        assert_eq!(said_of(&but(&jwk, "x5c", json!([7]))), "", "not looked at");
    }
    let jwk = SigningKey::generate("EdDSA").jwk();
    assert_eq!(said_of(&but(&jwk, "alg", json!("Ed25519"))), "");
}

#[test]
fn i08_keys_for_something_else_are_left_out() {
    let ec = SigningKey::generate("ES256").jwk();
    let rsa = SigningKey::generate("RS256").jwk();
    for jwk in [
        but(&ec, "use", json!("enc")),
        but(&ec, "use", json!("SIG")),
        but(&ec, "key_ops", json!([])),
        but(&ec, "key_ops", json!(["sign", "deriveKey"])),
    ] {
        assert!(said_of(&jwk).contains("not for verifying"), "{jwk}");
    }
    for (jwk, alg) in [
        (&ec, "ES384"),
        (&ec, "RS256"),
        (&ec, "HS256"),
        (&ec, "none"),
        (&ec, "ECDH-ES"),
        (&ec, "ES256K"),
        (&rsa, "RSA-OAEP"),
        (&rsa, "ES256"),
        (&rsa, "EdDSA"),
    ] {
        assert!(said_of(&but(jwk, "alg", json!(alg))).contains("`alg`"), "{alg}");
    }
    let okp = SigningKey::generate("EdDSA").jwk();
    for jwk in [
        but(&okp, "crv", json!("X25519")),
        but(&okp, "crv", json!("Ed448")),
        but(&ec, "crv", json!("secp256k1")),
        but(&ec, "crv", json!("Ed25519")),
        but(&ec, "kty", json!("AKP")),
        but(&ec, "kty", json!("RSA")),
        but(&rsa, "kty", json!("EC")),
    ] {
        assert!(said_of(&jwk).contains("not supported"), "{jwk}");
    }
}

#[test]
fn i03_secret_and_private_keys_are_left_out() {
    let oct = json!({"kty": "oct", "k": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"});
    assert!(said_of(&oct).contains("shared secret"));
    let ec = SigningKey::generate("ES256").jwk();
    for name in ["d", "p", "k", "oth"] {
        assert!(said_of(&but(&ec, name, json!("AAAA"))).contains("PRIVATE"), "{name}");
    }
}

#[test]
fn i09_weak_rsa_keys_are_left_out() {
    let jwk = SigningKey::generate("RS256").jwk();
    let modulus = |bytes: &[u8]| but(&jwk, "n", json!(encode(bytes)));
    let odd = |length: usize| [vec![0xff; length - 1], vec![0x01]].concat();
    for (key, is_weak) in [
        (modulus(&odd(128)), true),
        (modulus(&[vec![0x7f], odd(255)].concat()), true),
        (modulus(&[vec![0; 200], odd(128)].concat()), true),
        (modulus(&[odd(255), vec![0xfe]].concat()), true),
        (modulus(&odd(1025)), true),
        (modulus(&odd(256)), false),
        (modulus(&[vec![0], odd(256)].concat()), false),
        (but(&jwk, "e", json!(encode(&[1]))), true),
        (but(&jwk, "e", json!(encode(&[0, 1]))), true),
        (but(&jwk, "e", json!(encode(&[0]))), true),
        (but(&jwk, "e", json!("")), true),
        (but(&jwk, "e", json!(encode(&[4]))), true),
        (but(&jwk, "e", json!(encode(&[1; 5]))), true),
        (but(&jwk, "e", json!(encode(&[3]))), false),
    ] {
        assert_eq!(said_of(&key).contains("too weak"), is_weak, "{key}");
    }
}

#[test]
fn points_off_their_curve_are_left_out() {
    for algorithm in ["ES256", "ES384", "ES512"] {
        let (jwk, other) =
            (SigningKey::generate(algorithm).jwk(), SigningKey::generate(algorithm).jwk());
        let zero = encode(&vec![0; if algorithm == "ES512" { 66 } else { 32 }]);
        for key in [
            but(&jwk, "y", other["y"].clone()),
            but(&jwk, "x", jwk["y"].clone()),
            but(&but(&jwk, "x", json!(zero)), "y", json!(zero)),
            but(&jwk, "x", json!("AAAA")),
            but(&jwk, "x", json!(format!("{}AAAA", jwk["x"].as_str().unwrap()))),
            but(&jwk, "x", Value::Null),
            but(&jwk, "x", json!(7)),
            but(&jwk, "x", json!(format!("{}=", jwk["x"].as_str().unwrap()))),
            but(&jwk, "kid", json!(7)),
            but(&jwk, "kty", json!(["EC"])),
            but(&jwk, "use", json!(["sig"])),
        ] {
            assert!(said_of(&key).contains("malformed"), "{key}: {}", said_of(&key));
        }
    }
    let okp = SigningKey::generate("EdDSA").jwk();
    assert!(said_of(&but(&okp, "x", json!(encode(&[7; 31])))).contains("malformed"));
}

#[test]
fn keys_are_read_strictly_one_by_one() {
    let good = SigningKey::generate("EdDSA").jwk();
    for bad in ["7", "null", "[]", r#""x""#, "{}", r#"{"kty":"EC","kty":"EC"}"#] {
        let body = format!(r#" {{"extra":[1],"keys":[{bad},{good}]}}"#);
        let parsed = KeySet::parse(body.as_bytes()).unwrap();
        assert_eq!((parsed.set.len(), parsed.skipped.len()), (1, 1), "{bad}");
    }
    for body in ["", "7", "[]", "{}", "[[]]", r#"{"keys":7}"#, r#"{"keys":[]} x"#, "\u{feff}{}"] {
        assert!(matches!(KeySet::parse(body.as_bytes()), Err(KeySetError::Malformed)), "{body}");
    }
    let array = format!("[[{good}]]");
    assert!(KeySet::parse(array.as_bytes()).is_err(), "an array is no object");
    let none = KeySet::parse(br#"{"keys":[{"kty":"oct"}]}"#).unwrap_err();
    assert!(none.to_string().contains("key 0: it is a shared secret"), "{none}");
}

#[test]
fn i29_many_and_deep_keys_are_bounded() {
    let good = SigningKey::generate("EdDSA").jwk();
    let many = parse(&vec![good.clone(); MAX_KEYS + 5]).unwrap();
    assert_eq!((many.set.len(), many.skipped.len()), (MAX_KEYS, 1));
    let junk = format!(r#"{{"keys":[{}{good}]}}"#, "{},".repeat(MAX_READ));
    let why = KeySet::parse(junk.as_bytes()).unwrap_err();
    let KeySetError::NoUsableKey(skipped) = why else { panic!("{why}") };
    assert_eq!(skipped.len(), MAX_REPORTED);
    let deep =
        format!(r#"{{"keys":[{{"kty":{}1{}}},{good}]}}"#, "[".repeat(90_000), "]".repeat(90_000));
    let deep = KeySet::parse(deep.as_bytes()).unwrap();
    assert_eq!((deep.set.len(), &*deep.skipped[0]), (1, "key 0: it is malformed"));
}

#[test]
fn sets_are_the_same_in_any_order() {
    let (a, b) = (SigningKey::generate("EdDSA").jwk(), SigningKey::generate("ES256").jwk());
    let set = |jwks: &[Value]| parse(jwks).unwrap().set;
    let both = set(&[a.clone(), b.clone()]);
    assert!(both.is_same_as(&set(&[b.clone(), a.clone()])));
    assert!(!both.is_same_as(&set(std::slice::from_ref(&a))));
    assert!(!both.is_same_as(&set(&[a.clone(), a.clone()])));
    assert!(!both.is_same_as(&set(&[but(&a, "kid", json!("other")), b.clone()])));
    assert!(!both.is_same_as(&set(&[a, but(&b, "alg", json!("ES256"))])), "bound is not unbound");
}
