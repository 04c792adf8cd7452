//! JWTs, good and bad: nothing of one that could be used, and nothing of it raw, is found anywhere.

use serde_json::{Value, json};

use super::Process;
use crate::harness::{
    Parties, assert_answered,
    client::Call,
    json as parse,
    jwt::{SigningKey, compact},
    token::now,
};

const CONFIGURATION: &str = "\
public_url: http://ADDRESS
listen: {address: ADDRESS}
admin: {address: ADMIN}
telemetry: {log: {level: trace}}
authorization_servers:
  corp:
    issuer: ISSUER
    metadata: {jwks_uri: ISSUER/jwks}
    access_tokens: jwt
routes:
  notes:
    path: /notes
    upstream: UPSTREAM
    required_scopes: [notes.read]
";

/// Claims that nothing is wrong with.
fn good(gateway: &Process) -> Value {
    json!({
        "iss": gateway.parties.authorization_server.issuer(), "sub": "alice",
        "client_id": "client-1", "scope": "notes.read", "exp": now() + 600,
        "aud": format!("http://{}/notes", gateway.address),
        "email": "email-canary", "jti": "jti-canary",
    })
}

/// Good tokens, bad ones, and such as would write into the log what they like.
fn tokens(gateway: &Process, key: &SigningKey) -> Vec<String> {
    let good = good(gateway);
    let but = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let other = SigningKey::generate("ES256");
    let odd = "odd\n{\"level\":\"forged-canary\"}\u{1b}[31m";
    vec![
        key.token(&good),
        key.token(&good),
        other.token(&good),
        other.named(odd).token(&good),
        key.token_with(&json!({ "typ": odd }), &good),
        key.token_with(&json!({ "alg": odd }), &good),
        key.token_with(&json!({"jwk": {"k": "jwk-canary"}, "crit": ["crit-canary"]}), &good),
        key.token(&but("iss", json!(odd))),
        key.token(&but("aud", json!([odd, odd]))),
        key.token(&but("typ", json!("ID"))),
        key.token(&but("token_type", json!(odd))),
        key.token(&but("exp", json!(1))),
        key.token(&but("scope", json!("other"))),
        key.token(&but("cnf", json!({"jkt": "jkt-canary"}))),
        compact(r#"{"alg":"none"}"#, &good.to_string(), b"none-canary"),
    ]
}

/// P01, P03, I05: the most talkative log has neither tokens nor line breaks out of them.
#[tokio::test]
async fn no_jwt_is_found_anywhere() {
    let key = SigningKey::generate("ES256");
    let parties = Parties::start().await;
    parties.authorization_server.publish_keys(&[key.jwk()]);
    let gateway = Process::start_between(parties, "jwt-secrecy", "", CONFIGURATION, &[]).await;
    let tokens = tokens(&gateway, &key);
    let mut responses = Vec::new();
    for token in &tokens {
        responses.push(gateway.post("/notes").bearer(token).send().await);
    }
    let statuses: Vec<u16> = responses.iter().map(|response| response.status).collect();
    assert_eq!(statuses[..2], [200, 200], "{responses:?}");
    assert!(statuses[2..].iter().all(|status| [401, 403].contains(status)), "{statuses:?}");
    responses[..2].iter().for_each(assert_answered);
    let lines = gateway.logged(tokens.len()).await;
    assert_eq!(lines.len(), tokens.len(), "a request has one line");
    for line in &lines {
        parse(line);
    }
    let log = gateway.log();
    assert!(log.lines().all(|line| !line.starts_with("{\"level\":\"forged")), "{log}");
    assert!(!log.contains('\u{1b}'), "{log}");
    let metrics = Call::new(gateway.admin, "GET", "/metrics").send().await.text();
    let upstream = gateway.parties.upstream.log();
    let mut secrets = vec!["email-canary", "jti-canary", "jwk-canary", "jkt-canary", "none-canary"];
    for token in &tokens {
        secrets.push(token);
        secrets.extend(token.split('.').skip(1));
    }
    for secret in secrets {
        for (place, text) in [("metrics", &metrics), ("upstream", &upstream), ("log", &log)] {
            assert!(!text.contains(secret), "{secret} is in the {place}: {text}");
        }
        for response in &responses {
            assert!(!format!("{response:?}").contains(secret), "{secret} is in {response:?}");
        }
    }
}
