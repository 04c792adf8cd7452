//! Key sets, key by key.

use serde_json::json;

use super::{Checked, SERVER, WELL_KNOWN, complete_metadata, parties};
use crate::harness::{
    NOTES, Parties,
    authorization_server::Answer,
    json,
    jwt::{SigningKey, key_set},
    token::now,
};

const CLIENT: &str = "client: {id: gatehouse, secret: introspection-secret}";

/// Parties whose tokens are JWTs, with this answer where the keys are.
async fn with_keys(keys: Answer) -> (Parties, String) {
    let parties = parties().await;
    let server = &parties.authorization_server;
    let mut document = json(&complete_metadata(server));
    document["jwks_uri"] = format!("{}/keys", server.issuer()).into();
    server.publish(WELL_KNOWN, Answer::json(&document.to_string()));
    server.publish("/keys", keys);
    let yaml = parties.fill(&NOTES.replace(CLIENT, "access_tokens: jwt"));
    (parties, yaml)
}

#[tokio::test]
async fn each_key_is_told() {
    let mut encryption = SigningKey::generate("RS256").named("enc-1").jwk();
    encryption["use"] = "enc".into();
    let symmetric = json!({"kty": "oct", "kid": "shared", "k": "c2VjcmV0"});
    let jwks = [SigningKey::generate("ES256").jwk(), encryption, symmetric];
    let (_parties, yaml) = with_keys(Answer::json(&key_set(&jwks))).await;
    let checked = Checked::of(&yaml).await;
    assert_eq!(checked.code, Some(0), "{:#?}", checked.findings);
    let of_keys = checked.findings.iter().filter(|finding| finding["check"] == "key");
    let said: Vec<_> = of_keys.map(|it| (it["verdict"].as_str(), it["seen"].as_str())).collect();
    let [signing, encryption, symmetric] = said[..] else { panic!("{said:?}") };
    let seen = r#"key 0 (kid "key-1", kty "EC", use "sig"): verifies ES256"#;
    assert_eq!(signing, (Some("ok"), Some(seen)));
    assert_eq!(encryption.0, Some("ok"));
    assert!(encryption.1.unwrap().contains("left out"), "{encryption:?}");
    assert_eq!(symmetric.0, Some("warning"));
    assert!(symmetric.1.unwrap().contains("shared secret"), "{symmetric:?}");
    assert!(!checked.said.out.contains("c2VjcmV0"), "a secret was printed");
    checked.is_fine(SERVER, "key_set");
}

#[tokio::test]
async fn no_usable_key() {
    let mut weak = SigningKey::generate("RS256").jwk();
    weak["n"] = "AQAB".into();
    let (_parties, yaml) = with_keys(Answer::json(&key_set(&[weak]))).await;
    let checked = Checked::of(&yaml).await;
    let expected = ["has 1 keys and none that can be used", "metadata.jwks_uri", "RSA of 2048"];
    checked.blames(SERVER, "key_set", "error", expected);
    checked.blames(SERVER, "key", "warning", ["too weak", "metadata.jwks_uri", "another"]);
    let jwks = key_set(&[SigningKey::generate("ES256").jwk()]);
    let (_parties, yaml) = with_keys(Answer::json(&jwks)).await;
    let yaml =
        yaml.replace("access_tokens: jwt", "access_tokens: jwt\n    jwt: {algorithms: [RS256]}");
    let checked = Checked::of(&yaml).await;
    let expected = ["for ES256 alone, which is not allowed", "jwt.algorithms", "algorithm"];
    checked.blames(SERVER, "key", "warning", expected);
    assert_eq!(checked.code, Some(1));
}

/// Not a member of RFC 7517, but some servers add it.
#[tokio::test]
async fn key_that_says_it_expired() {
    for (exp, verdict) in [(now() - 600, "warning"), (now() + 600, "ok")] {
        let mut key = SigningKey::generate("ES256").jwk();
        key["exp"] = exp.into();
        let (_parties, yaml) = with_keys(Answer::json(&key_set(&[key]))).await;
        let checked = Checked::of(&yaml).await;
        assert_eq!(checked.one(SERVER, "key")["verdict"], verdict, "{:#?}", checked.findings);
        assert_eq!(checked.code, Some(0), "{:#?}", checked.findings);
        if verdict == "warning" {
            let expected =
                ["verifies ES256, though its exp passed ", "metadata.jwks_uri", "new key"];
            checked.blames(SERVER, "key", "warning", expected);
        }
    }
}

#[tokio::test]
async fn key_set_that_is_not_there() {
    let elsewhere = Answer::Redirect(302, "https://cdn.example/keys?x".into());
    for (answer, seen) in [
        (Answer::status(404), "answered 404"),
        (elsewhere, r#"redirects (302) to "https://cdn.example/keys", which is not followed"#),
        (Answer::json("[]"), "not a JSON object"),
        (Answer::Close, "cannot be reached"),
    ] {
        let (_parties, yaml) = with_keys(answer).await;
        let expected = [seen, "metadata.jwks_uri", "key set's URL"];
        Checked::of(&yaml).await.blames(SERVER, "key_set", "error", expected);
    }
    let parties = parties().await;
    let yaml = parties.fill(&NOTES.replace(CLIENT, "access_tokens: jwt"));
    let expected = ["no jwks_uri", "metadata", "another access_tokens"];
    Checked::of(&yaml).await.blames(SERVER, "endpoints", "error", expected);
}

#[tokio::test]
async fn userinfo_endpoint_that_does_not_refuse() {
    let parties = parties().await;
    let yaml = NOTES.replace(CLIENT, "access_tokens: userinfo");
    let yaml = yaml.replace("    required_scopes: [notes.read]", "    audience_match: off");
    Checked::of(&parties.fill(&yaml)).await.is_fine(SERVER, "userinfo");
    parties.authorization_server.answer_with(Answer::json(r#"{"sub":"somebody"}"#));
    let expected = ["answered 200 to a made-up token", "metadata.userinfo_endpoint", "real"];
    Checked::of(&parties.fill(&yaml)).await.blames(SERVER, "userinfo", "error", expected);
}
