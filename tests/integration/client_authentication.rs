//! How the gateway authenticates for introspection, against a server that verifies each method for
//! real: signatures with the key set that the gateway itself publishes.

use std::sync::Mutex;

use aws_lc_rs::{
    hmac,
    signature::{
        ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
        UnparsedPublicKey,
    },
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256};
use serde_json::{Value, json};

use crate::harness::{
    EXPOSED, NOTES, Parties, World, assert_answered, authorization_server::StubAuthorizationServer,
    gateway::TestGateway, json, raw::Received, refusal, token::now, upstream::StubUpstream,
};

const KEY_SET: &str = "/.well-known/jwks.json";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A gateway with this client, and a file that the client names.
async fn with_client(client: &str, path: &str, file: &str) -> World {
    let Parties { authorization_server, upstream } = Parties::start().await;
    let yaml = NOTES
        .replace("{id: gatehouse, secret: introspection-secret}", client)
        .replace("ISSUER", authorization_server.issuer())
        .replace("UPSTREAM", &upstream.url());
    let gateway = TestGateway::prepare(&yaml).file(path, file).start();
    gateway.ready().await;
    World { gateway, authorization_server, upstream }
}

async fn with_key(pair: &KeyPair, more: &str) -> World {
    let client = format!(
        "{{id: gatehouse, authentication: private_key_jwt, private_key_file: /test/key.pem{more}}}"
    );
    with_client(&client, "/test/key.pem", &pair.serialize_pem()).await
}

fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}

/// Whether the published key that the header names verifies a signature.
fn is_signed(keys: &Value, header: &Value, signed: &[u8], signature: &[u8]) -> Option<bool> {
    let keys = keys["keys"].as_array()?;
    let key = keys.iter().find(|key| key["kid"] == header["kid"] && key["alg"] == header["alg"])?;
    let member = |name: &str| decode(key[name].as_str()?);
    Some(match header["alg"].as_str()? {
        "RS256" => RsaPublicKeyComponents { n: member("n")?, e: member("e")? }
            .verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
            .is_ok(),
        "ES256" => {
            let point = [vec![4], member("x")?, member("y")?].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(signed, signature)
                .is_ok()
        }
        "EdDSA" => UnparsedPublicKey::new(&ED25519, member("x")?).verify(signed, signature).is_ok(),
        _ => false,
    })
}

/// The claims of the assertion in a request, when it is verified by `verify`.
fn asserted(
    request: &Received,
    verify: impl Fn(&Value, &[u8], &[u8]) -> Option<bool>,
) -> Option<Value> {
    let form = request.form();
    let field = |name: &str| form.iter().find(|(each, _)| each == name).map(|(_, value)| value);
    let kind = field("client_assertion_type")?;
    let is_bare = request.header("authorization").is_none() && field("client_secret").is_none();
    if !is_bare || kind != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
        return None;
    }
    let (signed, signature) = field("client_assertion")?.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let header: Value = serde_json::from_slice(&decode(header)?).ok()?;
    verify(&header, signed.as_bytes(), &decode(signature)?)?.then_some(())?;
    serde_json::from_slice(&decode(claims)?).ok()
}

/// Expects fresh assertions for `audience`, each used once.
fn expect_assertions(
    server: &StubAuthorizationServer,
    audience: String,
    verify: impl Fn(&Value, &[u8], &[u8]) -> Option<bool> + Send + 'static,
) {
    let seen = Mutex::new(Vec::new());
    server.expect_client(move |request| {
        let Some(claims) = asserted(request, &verify) else { return false };
        let mut seen = seen.lock().unwrap();
        let is_new = !seen.contains(&claims["jti"]);
        seen.push(claims["jti"].clone());
        let (issued, expires) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
        is_new
            && claims["iss"] == "gatehouse"
            && claims["sub"] == "gatehouse"
            && claims["aud"] == audience
            && (issued - now()).abs() < 30
            && expires - issued == 60
    });
}

#[tokio::test]
async fn each_kind_of_key_is_verified_with_the_published_key_set() {
    for (kind, algorithm) in
        [(&PKCS_RSA_SHA256, "RS256"), (&PKCS_ECDSA_P256_SHA256, "ES256"), (&PKCS_ED25519, "EdDSA")]
    {
        let pair = KeyPair::generate_for(kind).unwrap();
        let world = with_key(&pair, "").await;
        let published = world.gateway.get(KEY_SET).send().await;
        assert_eq!(published.status, 200);
        let keys = json(&published.text());
        assert_eq!(keys["keys"][0]["alg"], algorithm);
        let issuer = world.authorization_server.issuer().to_owned();
        expect_assertions(&world.authorization_server, issuer, move |header, signed, signature| {
            is_signed(&keys, header, signed, signature)
        });
        for _ in 0..3 {
            assert_answered(&world.authorized().send().await);
        }
        assert_eq!(world.authorization_server.introspection_count(), 3);
    }
}

#[tokio::test]
async fn audience_of_assertions_may_be_the_endpoint() {
    let pair = KeyPair::generate().unwrap();
    let world = with_key(&pair, ", assertion_audience: endpoint").await;
    let keys = json(&world.gateway.get(KEY_SET).send().await.text());
    let endpoint = format!("{}/introspect", world.authorization_server.issuer());
    expect_assertions(&world.authorization_server, endpoint, move |header, signed, signature| {
        is_signed(&keys, header, signed, signature)
    });
    assert_answered(&world.authorized().send().await);
}

/// The server finds the key by a name of its own.
#[tokio::test]
async fn key_is_named_as_the_server_names_it() {
    let world = with_key(&KeyPair::generate().unwrap(), ", key_id: '271828'").await;
    let keys = json(&world.gateway.get(KEY_SET).send().await.text());
    assert_eq!(keys["keys"][0]["kid"], "271828");
    let issuer = world.authorization_server.issuer().to_owned();
    expect_assertions(&world.authorization_server, issuer, move |header, signed, signature| {
        is_signed(&keys, header, signed, signature).filter(|_| header["kid"] == "271828")
    });
    assert_answered(&world.authorized().send().await);
}

#[tokio::test]
async fn key_that_the_server_does_not_know_is_no_fault_of_the_token() {
    let world = with_key(&KeyPair::generate().unwrap(), "").await;
    let issuer = world.authorization_server.issuer().to_owned();
    let keys = json!({ "keys": [] });
    expect_assertions(&world.authorization_server, issuer, move |header, signed, signature| {
        is_signed(&keys, header, signed, signature)
    });
    world.assert_unavailable(&world.authorized().send().await);
}

#[tokio::test]
async fn secret_signs_an_assertion() {
    let client = format!("{{id: gatehouse, secret: {SECRET}, authentication: client_secret_jwt}}");
    let world = with_client(&client, "/unused", "").await;
    let issuer = world.authorization_server.issuer().to_owned();
    expect_assertions(&world.authorization_server, issuer, |header, signed, signature| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        Some(header["alg"] == "HS256" && hmac::verify(&key, signed, signature).is_ok())
    });
    assert_answered(&world.authorized().send().await);
    assert_answered(&world.authorized().send().await);
    assert!(!world.authorization_server.introspections()[0].text().contains(SECRET));
    assert_eq!(world.gateway.get(KEY_SET).send().await.status, 404, "there is no key to publish");
}

#[tokio::test]
async fn fixed_token_is_sent_as_a_bearer_token() {
    let client = "{authentication: bearer, token_file: /test/token}";
    let world = with_client(client, "/test/token", "fixed-token~1==\n").await;
    world.authorization_server.expect_client(|request| {
        request.header("authorization") == Some("Bearer fixed-token~1==")
            && request.form().len() == 1
    });
    assert_answered(&world.authorized().send().await);
}

#[tokio::test]
async fn kind_of_token_is_hinted_at_where_the_server_wants_it() {
    let yaml =
        NOTES.replace("client:", "introspection: {token_type_hint: access_token}\n    client:");
    let world = World::with(&yaml).await;
    assert_answered(&world.authorized().send().await);
    let form = world.authorization_server.introspections()[0].form();
    assert_eq!(form[1], ("token_type_hint".to_owned(), "access_token".to_owned()));
}

#[tokio::test]
async fn key_set_is_a_public_document_of_every_origin() {
    let Parties { authorization_server, upstream } = Parties::start().await;
    let other = StubUpstream::start().await;
    let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let client =
        "{id: gatehouse, authentication: private_key_jwt, private_key_file: /test/key.pem}";
    let yaml = NOTES
        .replace("{id: gatehouse, secret: introspection-secret}", client)
        .replace("ISSUER", authorization_server.issuer())
        .replace("UPSTREAM", &upstream.url());
    let second = format!(
        "  files:\n    path: /files\n    public_url: https://files.example\n    upstream: {}\n    required_scopes: []\n",
        other.url()
    );
    let yaml = format!("{yaml}{second}");
    let gateway = TestGateway::prepare(&yaml).file("/test/key.pem", pair.serialize_pem()).start();
    gateway.ready().await;
    let first = gateway.get(KEY_SET).send().await;
    let elsewhere = gateway.get(KEY_SET).host("files.example").send().await;
    assert_eq!((first.status, elsewhere.status), (200, 200));
    assert_eq!(first.body, elsewhere.body);
    let x = BASE64_URL_SAFE_NO_PAD.encode(pair.public_key_raw());
    let keys = json(&first.text());
    let kid = keys["keys"][0]["kid"].as_str().unwrap().to_owned();
    let key = json!({
        "crv": "Ed25519", "kty": "OKP", "x": x, "use": "sig", "alg": "EdDSA", "kid": kid,
    });
    assert_eq!(keys, json!({ "keys": [key] }), "public members and no others");
    for (name, value) in [
        ("content-type", "application/json"),
        ("cache-control", "public, max-age=300"),
        ("access-control-allow-origin", "*"),
        ("access-control-expose-headers", EXPOSED),
    ] {
        assert_eq!(first.header(name), Some(value), "{name}");
    }
    let tag = first.header("etag").unwrap();
    let known = gateway.get(KEY_SET).header("If-None-Match", tag).send().await;
    assert_eq!((known.status, known.body.len()), (304, 0));
    let head = gateway.request("HEAD", KEY_SET).send().await;
    assert_eq!((head.status, head.header("etag")), (200, Some(tag)));
    let options = gateway.request("OPTIONS", KEY_SET).send().await;
    assert_eq!(options.status, 204);
    let post = gateway.post(KEY_SET).body("{}").send().await;
    assert_eq!((post.status, post.header("allow")), (405, Some("GET, HEAD, OPTIONS")));
    let request_id = post.header("x-request-id").unwrap();
    assert_eq!(
        post.text().replace(request_id, "ID"),
        refusal("null", -32600, "Method Not Allowed")
    );
    assert_eq!((upstream.bytes_received(), other.bytes_received()), (0, 0));
}
