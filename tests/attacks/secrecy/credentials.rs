//! What service accounts show, what is obtained for them, and how the gateway itself authenticates.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rcgen::KeyPair;

use super::Process;
use crate::harness::{
    assert_answered, authorization_server::Answer, client::Call, json, raw::RawResponse,
};

const CONFIGURATION: &str = "\
public_url: http://ADDRESS
listen: {address: ADDRESS}
admin: {address: ADMIN}
telemetry: {log: {level: trace}}
authorization_servers:
  corp:
    issuer: ISSUER
    client: CLIENT
routes:
  notes:
    path: /notes
    upstream: UPSTREAM
    required_scopes: [notes.read]
    basic_client_credentials: true
";

fn basic(secret: &str) -> String {
    BASE64_STANDARD.encode(format!("robot-canary:{secret}"))
}

/// Good, refused, malformed and failing credentials.
async fn provoke(gateway: &Process) -> Vec<RawResponse> {
    let server = &gateway.parties.authorization_server;
    gateway.know("granted-canary", &gateway.claims());
    let right = format!("Basic {}", basic("right-secret-canary"));
    let expected = right.clone();
    server.grant(move |request| {
        if request.header("authorization") == Some(&*expected) {
            let body = r#"{"access_token":"granted-canary","token_type":"Bearer"}"#;
            return Answer::json(body);
        }
        let body = r#"{"error":"invalid_client","error_description":"echo-canary"}"#;
        Answer::Http { status: 401, content_type: "application/json", body: body.into() }
    });
    let call = |value: &str| gateway.post("/notes").header("Authorization", value);
    let mut responses = Vec::new();
    responses.push(call(&right).send().await);
    responses.push(call(&right).send().await);
    for secret in ["wrong-secret-canary", "wrong-secret-canary", "odd\u{7}secret-canary"] {
        responses.push(call(&format!("Basic {}", basic(secret))).send().await);
    }
    responses.push(call("Basic bare-secret-canary").send().await);
    let twice = call(&right).header("Authorization", &right);
    responses.push(twice.send().await);
    server.grant(|_| Answer::json(r#"{"access_token":"granted canary","token_type":"x"}"#));
    responses.push(call(&format!("Basic {}", basic("failing-secret-canary"))).send().await);
    server.grant(|_| Answer::Close);
    responses.push(call(&format!("Basic {}", basic("lost-secret-canary"))).send().await);
    responses
}

/// P02: neither what accounts show nor what is obtained for them is found anywhere, and no
/// assertion, key or fixed token of ours.
#[tokio::test]
async fn no_credential_of_accounts_or_of_ours_is_found_anywhere() {
    let pair = KeyPair::generate().unwrap();
    let pem = pair.serialize_pem();
    let line = pem.lines().nth(1).unwrap();
    for (name, client, own) in [
        (
            "accounts-key",
            "{id: gatehouse, authentication: private_key_jwt, private_key_file: key.pem}",
            ["client_assertion", line],
        ),
        (
            "accounts-secret",
            "{id: gatehouse, authentication: client_secret_jwt, secret: hmac-secret-canary-hmac-secret-canary}",
            ["client_assertion", "hmac-secret"],
        ),
        (
            "accounts-bearer",
            "{authentication: bearer, token_file: token}",
            ["fixed-token-canary", "Bearer fixed"],
        ),
    ] {
        let configuration = CONFIGURATION.replace("CLIENT", client);
        let files = [("key.pem", &*pem), ("token", "fixed-token-canary")];
        let gateway = Process::start_with(name, "", &configuration, &files).await;
        gateway.parties.authorization_server.expect_client(|_| true);
        let responses = provoke(&gateway).await;
        let statuses: Vec<u16> = responses.iter().map(|response| response.status).collect();
        assert_eq!(statuses, [200, 200, 401, 401, 400, 400, 400, 503, 503], "{responses:?}");
        assert_answered(&responses[0]);
        let introspection = gateway.parties.authorization_server.introspections()[0].clone();
        let lines = gateway.logged(responses.len()).await;
        assert_eq!(json(&lines[2])["reason"], "client_refused");
        let log = lines.join("\n") + &gateway.log();
        let metrics = Call::new(gateway.admin, "GET", "/metrics").send().await.text();
        let upstream = gateway.parties.upstream.log();
        assert!(!upstream.is_empty());
        let encoded = ["right", "wrong", "failing", "lost"]
            .map(|kind| basic(&format!("{kind}-secret-canary")));
        let mut secrets = vec!["secret-canary", "granted", "echo-canary", "robot-canary"];
        secrets.extend(encoded.iter().map(String::as_str));
        secrets.extend(own);
        let assertion =
            introspection.form().into_iter().find(|(name, _)| name == "client_assertion");
        let assertion = assertion.map_or("fixed-token-canary".to_owned(), |(_, value)| value);
        secrets.push(assertion.rsplit('.').next().unwrap());
        for secret in secrets {
            for (place, text) in [("metrics", &metrics), ("upstream", &upstream), ("log", &log)] {
                assert!(!text.contains(secret), "{secret} is in the {place} of {name}: {text}");
            }
            for response in &responses {
                let text = format!("{response:?}");
                assert!(!text.contains(secret), "{secret} is in a response: {text}");
            }
        }
    }
}
