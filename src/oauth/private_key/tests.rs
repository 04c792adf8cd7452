//! Which files yield which keys, and what is published of them.

use super::*;

fn key(pem: &str) -> Result<AssertionKey, UnusableKey> {
    AssertionKey::new(&PrivateKeyPem::new(pem.as_bytes())?)
}

/// RFC 8037 appendix A.1, as PKCS#8 without the public half.
fn rfc_8037() -> AssertionKey {
    let seed = BASE64_URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    let prefix = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let der = [&prefix[..], &seed.unwrap()].concat();
    let text = base64::prelude::BASE64_STANDARD.encode(der);
    key(&format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")).unwrap()
}

#[test]
fn key_id_is_the_rfc_7638_thumbprint() {
    let key = rfc_8037();
    // RFC 8037 appendices A.2 and A.3.
    assert_eq!(key.id(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert_eq!(
        *key.public_jwk(),
        json!({
            "crv": "Ed25519",
            "kty": "OKP",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            "use": "sig",
            "alg": "EdDSA",
            "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
        })
    );
}

#[test]
fn key_may_have_the_name_that_a_server_gave_it() {
    let key = rfc_8037().named("271828");
    assert_eq!((key.id(), &key.public_jwk()["kid"]), ("271828", &json!("271828")));
    assert_eq!(format!("{key:?}"), "AssertionKey(271828)");
    assert_ne!(key, rfc_8037());
    let set = key_set([&key, &rfc_8037(), &key].into_iter()).unwrap();
    assert_eq!(set["keys"].as_array().unwrap().len(), 2, "each name once");
}

#[test]
fn each_form_of_a_key_is_the_same_key() {
    for (wrapped, bare, algorithm) in [
        (
            include_str!("../../../tests/data/keys/rsa-2048-pkcs8.pem"),
            include_str!("../../../tests/data/keys/rsa-2048-pkcs1.pem"),
            "RS256",
        ),
        (
            include_str!("../../../tests/data/keys/p256-pkcs8.pem"),
            // It begins with the parameters of the curve, as `openssl ecparam -genkey` writes them.
            include_str!("../../../tests/data/keys/p256-sec1.pem"),
            "ES256",
        ),
    ] {
        let (wrapped, bare) = (key(wrapped).unwrap(), key(bare).unwrap());
        assert_eq!(wrapped, bare);
        assert_eq!((wrapped.algorithm(), bare.algorithm()), (algorithm, algorithm));
    }
}

#[test]
fn unusable_keys_say_why() {
    for (pem, why) in [
        (include_str!("../../../tests/data/keys/rsa-1024.pem"), UnusableKey::TooShort),
        (include_str!("../../../tests/data/keys/p384-sec1.pem"), UnusableKey::Kind),
        (include_str!("../../../tests/data/keys/p256-encrypted.pem"), UnusableKey::Encrypted),
        (include_str!("../../../tests/data/keys/rsa-encrypted-pkcs1.pem"), UnusableKey::Encrypted),
        ("", UnusableKey::Missing),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", UnusableKey::Kind),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", UnusableKey::Missing),
    ] {
        assert_eq!(key(pem).unwrap_err(), why, "{pem}");
    }
}

#[test]
fn only_public_members_are_published_and_nothing_is_printed() {
    let pems = [
        include_str!("../../../tests/data/keys/rsa-2048-pkcs8.pem"),
        include_str!("../../../tests/data/keys/p256-pkcs8.pem"),
    ];
    let keys = pems.map(|pem| key(pem).unwrap());
    let public = ["alg", "crv", "e", "kid", "kty", "n", "use", "x", "y"];
    let set = key_set(keys.iter().chain([&rfc_8037(), &rfc_8037()])).unwrap();
    let published = set["keys"].as_array().unwrap();
    assert_eq!(published.len(), 3, "each once");
    for jwk in published {
        for name in jwk.as_object().unwrap().keys() {
            assert!(public.contains(&&**name), "{name}");
        }
    }
    assert_eq!(key_set([].into_iter()), None);
    let pem = PrivateKeyPem::new(pems[0].as_bytes()).unwrap();
    assert_eq!(format!("{pem:?}"), "PrivateKeyPem(redacted)");
    assert_eq!(format!("{:?}", keys[0]), format!("AssertionKey({})", keys[0].id()));
}
