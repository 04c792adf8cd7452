//! JWTs: verified by the server's key set, or by one at hand while nobody is asked.

use serde_json::{Value, json};

use super::{blames, explain, explained};
use crate::harness::{
    NOTES, Parties, json as parse,
    jwt::{SigningKey, key_set},
    process::{Said, file},
    token::now,
};

/// A configuration that verifies JWTs, and claims that it accepts.
async fn set_up() -> (Parties, String, Value) {
    let parties = Parties::start().await;
    let client = "client: {id: gatehouse, secret: introspection-secret}";
    let yaml = parties.fill(&NOTES.replace(client, "access_tokens: jwt"));
    let claims = json!({
        "iss": parties.authorization_server.issuer(), "sub": "alice", "client_id": "client-1",
        "aud": "http://127.0.0.1:8080/notes", "scope": "notes.read", "iat": now(), "exp": now() + 600,
    });
    (parties, format!("public_url: http://127.0.0.1:8080\n{yaml}"), claims)
}

/// Explains a token offline, with these keys.
async fn offline(yaml: &str, token: &str, jwks: &str) -> (Option<i32>, Value) {
    let keys = file(jwks);
    let arguments = [
        "--url",
        "/notes",
        "--token",
        token,
        "--json",
        "--offline",
        "--key-set",
        keys.to_str().unwrap(),
    ];
    let Said { code, out, err } = explain(yaml, &arguments, None).await;
    assert!(!out.contains(token) && err.is_empty(), "{err}{out}");
    (code, parse(&out))
}

#[tokio::test]
async fn token_is_verified_by_the_servers_keys() {
    let (parties, yaml, claims) = set_up().await;
    let key = SigningKey::generate("ES256");
    parties.authorization_server.publish_keys(&[key.jwk()]);
    let (code, answer) = explained(&yaml, &key.token(&claims)).await;
    assert_eq!((code, &answer["decision"]), (Some(0), &"allowed".into()), "{answer:#}");
    let other = SigningKey::generate("ES256").named("key-2");
    let (code, answer) = explained(&yaml, &other.token(&claims)).await;
    assert_eq!((code, &answer["reason"]), (Some(0), &"unknown_key".into()), "{answer:#}");
    let words = ["key set has no key", "key-2"];
    blames(&answer, "token", "authorization_servers.corp.access_tokens", &words);
}

#[tokio::test]
async fn offline_a_key_set_at_hand_decides() {
    let (parties, yaml, claims) = set_up().await;
    let key = SigningKey::generate("EdDSA");
    let jwks = key_set(&[key.jwk()]);
    let (code, answer) = offline(&yaml, &key.token(&claims), &jwks).await;
    assert_eq!((code, &answer["decision"]), (Some(0), &"allowed".into()), "{answer:#}");
    let mut expired = claims.clone();
    expired["exp"] = (now() - 3600).into();
    let (code, answer) = offline(&yaml, &key.token(&expired), &jwks).await;
    assert_eq!((code, &answer["reason"]), (Some(0), &"expired".into()), "{answer:#}");
    let forged = SigningKey::generate("EdDSA").token(&claims);
    let (code, answer) = offline(&yaml, &forged, &jwks).await;
    assert_eq!((code, &answer["reason"]), (Some(0), &"bad_signature".into()), "{answer:#}");
    assert_eq!(parties.authorization_server.received().len(), 0, "somebody was asked");
}

#[tokio::test]
async fn offline_without_keys_a_jwt_is_unknown() {
    let (parties, yaml, claims) = set_up().await;
    let token = SigningKey::generate("EdDSA").token(&claims);
    let arguments = ["--url", "/notes", "--token", &*token, "--json", "--offline"];
    let Said { code, out, .. } = explain(&yaml, &arguments, None).await;
    let answer = parse(&out);
    assert_eq!((code, &answer["decision"]), (Some(1), &"unknown".into()), "{answer:#}");
    blames(&answer, "token", "authorization_servers.corp.access_tokens", &["offline"]);
    let (code, answer) = offline(&yaml, &token, r#"{"keys":[]}"#).await;
    assert_eq!((code, &answer["decision"]), (Some(1), &"unknown".into()), "{answer:#}");
    assert_eq!(parties.authorization_server.received().len(), 0, "somebody was asked");
}

/// The only server of the route: its tokens say otherwise what it is called.
#[tokio::test]
async fn issuer_that_is_not_the_configured_one_is_compared_with_it() {
    let (parties, yaml, mut claims) = set_up().await;
    let key = SigningKey::generate("ES256");
    parties.authorization_server.publish_keys(&[key.jwk()]);
    let issuer = parties.authorization_server.issuer();
    for (iss, word) in [
        (format!("{issuer}/"), "byte for byte, they differ in the slash at the end alone; if"),
        ("https://internal.example".to_owned(), "byte for byte; if"),
    ] {
        claims["iss"] = json!(iss);
        let (code, answer) = explained(&yaml, &key.token(&claims)).await;
        assert_eq!((code, &answer["reason"]), (Some(0), &"wrong_issuer".into()), "{answer:#}");
        let words = ["names the issuer", "this route takes tokens of", word];
        blames(&answer, "token", "authorization_servers.corp.issuer", &words);
    }
}

#[tokio::test]
async fn issuer_that_the_route_does_not_list_is_named_with_the_list() {
    let (parties, yaml, mut claims) = set_up().await;
    let key = SigningKey::generate("ES256");
    parties.authorization_server.publish_keys(&[key.jwk()]);
    let more = "  partner: {issuer: 'https://partner.example', access_tokens: jwt}\nroutes:\n";
    let yaml = yaml
        .replace("routes:\n", more)
        .replace("    required_scopes", "    authorization_servers: [corp]\n    required_scopes");
    claims["iss"] = json!("https://partner.example");
    let (code, answer) = explained(&yaml, &key.token(&claims)).await;
    assert_eq!((code, &answer["reason"]), (Some(0), &"wrong_issuer".into()), "{answer:#}");
    let words = ["names the issuer", "this route takes tokens of", "must list that server"];
    blames(&answer, "token", "routes.notes.authorization_servers", &words);
}

/// Not the network of service accounts either, which has connections of its own beside those that
/// show our certificate.
#[tokio::test]
async fn offline_nobody_hears_of_client_credentials() {
    let parties = Parties::start().await;
    let issuer = parties.authorization_server.issuer().to_owned();
    let (key, pem) = certificate();
    let client = format!(
        "client: {{id: x, authentication: tls_client_auth, certificate_file: '{}', private_key_file: '{}'}}",
        file(&pem).display(),
        file(&key).display()
    );
    let metadata = format!("metadata: {{token_endpoint: '{issuer}/token'}}\n    {client}");
    let yaml = NOTES
        .replace("client: {id: gatehouse, secret: introspection-secret}", &metadata)
        .replace("required_scopes", "basic_client_credentials: true\n    required_scopes");
    let yaml = format!("public_url: http://127.0.0.1:8080\n{}", parties.fill(&yaml));
    let field = "Authorization: Basic cm9ib3Q6c2VjcmV0";
    let arguments = ["--url", "/notes", "--header", field, "--json", "--offline"];
    let said = explain(&yaml, &arguments, None).await;
    assert_eq!(
        (said.code, &parse(&said.out)["decision"]),
        (Some(1), &"unknown".into()),
        "{said:?}"
    );
    assert!(parties.authorization_server.received().is_empty(), "{said:?}");
}

/// A key and its certificate, as PEM.
fn certificate() -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
    (key.serialize_pem(), certificate.pem())
}
