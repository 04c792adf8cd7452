//! Each method against a verifier of its own.

use aws_lc_rs::{
    hmac,
    signature::{
        ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
        UnparsedPublicKey,
    },
};
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256, SignatureAlgorithm};
use serde_json::Value;

use super::*;
use crate::{
    clock::ManualClock,
    oauth::{AssertionKey, BearerToken, PrivateKeyPem},
};

const ENDPOINT: &str = "https://as.example/introspect";

fn id(text: &str) -> ClientId {
    ClientId::new(text).unwrap()
}

/// What a request has in `Authorization` and in its form.
fn applied(authentication: ClientAuthentication) -> (Option<String>, String) {
    let mut settings = super::super::tests::settings("https://as.example");
    settings.client = authentication;
    let client = Client::new(&settings, Arc::new(ManualClock::new()));
    let mut form = Serializer::new(String::new());
    let value = client.apply(&Url::parse(ENDPOINT).unwrap(), &mut form).unwrap();
    assert!(value.as_ref().is_none_or(HeaderValue::is_sensitive));
    (value.map(|value| value.to_str().unwrap().to_owned()), form.finish())
}

fn key(algorithm: &'static SignatureAlgorithm) -> AssertionKey {
    let pair = KeyPair::generate_for(algorithm).unwrap();
    AssertionKey::new(&PrivateKeyPem::new(pair.serialize_pem().into_bytes()).unwrap()).unwrap()
}

/// An assertion's three parts, and what was signed.
struct Parts {
    header: Value,
    claims: Value,
    signed: Vec<u8>,
    signature: Vec<u8>,
}

fn decode(text: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn assertion(authentication: ClientAuthentication) -> Parts {
    let (header, form) = applied(authentication);
    assert_eq!(header, None);
    let pairs: Vec<_> = form_urlencoded::parse(form.as_bytes()).into_owned().collect();
    let names: Vec<_> = pairs.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["client_id", "client_assertion_type", "client_assertion"]);
    assert_eq!(pairs[0].1, "gate house");
    assert_eq!(pairs[1].1, "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let text = &pairs[2].1;
    let (signed, signature) = text.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    Parts {
        header: serde_json::from_slice(&decode(header)).unwrap(),
        claims: serde_json::from_slice(&decode(claims)).unwrap(),
        signed: signed.into(),
        signature: decode(signature),
    }
}

fn assert_claims(claims: &Value, audience: &str) {
    let names: std::collections::BTreeSet<_> = claims.as_object().unwrap().keys().collect();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["aud", "exp", "iat", "iss", "jti", "sub"]);
    assert_eq!((&claims["iss"], &claims["sub"]), (&"gate house".into(), &"gate house".into()));
    assert_eq!(claims["aud"], audience);
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);
    let now = ManualClock::new().unix_seconds();
    assert!((claims["iat"].as_f64().unwrap() - now).abs() < 60.0, "{claims}");
    assert_eq!(decode(claims["jti"].as_str().unwrap()).len(), 16);
}

fn private_key_jwt(key: &Arc<AssertionKey>, audience: AssertionAudience) -> ClientAuthentication {
    ClientAuthentication::PrivateKeyJwt { id: id("gate house"), key: Arc::clone(key), audience }
}

#[test]
fn basic_credentials_are_form_encoded_first() {
    let secret = Secret::new("p%:ä +");
    let basic = ClientAuthentication::ClientSecretBasic { id: id("a:b"), secret };
    let (header, form) = applied(basic);
    let encoded = BASE64_STANDARD.encode("a%3Ab:p%25%3A%C3%A4+%2B");
    assert_eq!(header, Some(format!("Basic {encoded}")));
    assert_eq!(form, "");
}

#[test]
fn post_credentials_stand_in_the_form() {
    let secret = Secret::new("p&q");
    let post = ClientAuthentication::ClientSecretPost { id: id("a b"), secret };
    assert_eq!(applied(post), (None, "client_id=a+b&client_secret=p%26q".to_owned()));
}

#[test]
fn none_sends_at_most_the_identifier() {
    assert_eq!(applied(ClientAuthentication::None { id: None }), (None, String::new()));
    let named = ClientAuthentication::None { id: Some(id("x")) };
    assert_eq!(applied(named), (None, "client_id=x".to_owned()));
}

#[test]
fn bearer_token_stands_in_the_header_alone() {
    let token = || BearerToken::parse(b"fixed~token").unwrap();
    let bearer = ClientAuthentication::Bearer { id: None, token: token() };
    assert_eq!(applied(bearer), (Some("Bearer fixed~token".to_owned()), String::new()));
    let named = ClientAuthentication::Bearer { id: Some(id("x")), token: token() };
    assert_eq!(applied(named).1, "client_id=x");
}

#[test]
fn secret_signs_hs256() {
    let secret = Secret::new("0123456789abcdef0123456789abcdef");
    let parts = assertion(ClientAuthentication::ClientSecretJwt {
        id: id("gate house"),
        secret: secret.clone(),
        audience: AssertionAudience::Issuer,
    });
    assert_eq!(parts.header, serde_json::json!({"alg": "HS256", "typ": "JWT"}));
    assert_claims(&parts.claims, "https://as.example");
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    hmac::verify(&key, &parts.signed, &parts.signature).unwrap();
}

/// Each kind of key with the verifier of its published half.
#[test]
fn key_signs_with_the_algorithm_of_its_kind() {
    type Verifier = fn(&Value, &Parts);
    let rows: [(&'static SignatureAlgorithm, &str, &str, Verifier); 3] = [
        (&PKCS_RSA_SHA256, "RS256", "RSA", |jwk, parts| {
            let member = |name: &str| decode(jwk[name].as_str().unwrap());
            let public = RsaPublicKeyComponents { n: member("n"), e: member("e") };
            let algorithm = &RSA_PKCS1_2048_8192_SHA256;
            public.verify(algorithm, &parts.signed, &parts.signature).unwrap();
            public.verify(algorithm, b"other", &parts.signature).unwrap_err();
        }),
        (&PKCS_ECDSA_P256_SHA256, "ES256", "EC", |jwk, parts| {
            assert_eq!(jwk["crv"], "P-256");
            let member = |name: &str| decode(jwk[name].as_str().unwrap());
            let point = [vec![4], member("x"), member("y")].concat();
            let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
            public.verify(&parts.signed, &parts.signature).unwrap();
            public.verify(b"other", &parts.signature).unwrap_err();
        }),
        (&PKCS_ED25519, "EdDSA", "OKP", |jwk, parts| {
            assert_eq!(jwk["crv"], "Ed25519");
            let public = UnparsedPublicKey::new(&ED25519, decode(jwk["x"].as_str().unwrap()));
            public.verify(&parts.signed, &parts.signature).unwrap();
            public.verify(b"other", &parts.signature).unwrap_err();
        }),
    ];
    for (kind, algorithm, key_type, verify) in rows {
        let key = Arc::new(key(kind));
        let parts = assertion(private_key_jwt(&key, AssertionAudience::Issuer));
        let header = serde_json::json!({"alg": algorithm, "typ": "JWT", "kid": key.id()});
        assert_eq!(parts.header, header);
        assert_claims(&parts.claims, "https://as.example");
        let jwk = key.public_jwk();
        assert_eq!((&jwk["kty"], &jwk["alg"]), (&key_type.into(), &algorithm.into()));
        verify(jwk, &parts);
        let other = assertion(private_key_jwt(&key, AssertionAudience::Issuer));
        assert_ne!(parts.claims["jti"], other.claims["jti"], "each has its own");
    }
}

#[test]
fn audience_may_be_the_endpoint() {
    let key = Arc::new(key(&PKCS_ED25519));
    let parts = assertion(private_key_jwt(&key, AssertionAudience::Endpoint));
    assert_claims(&parts.claims, ENDPOINT);
}
