//! Broken set-ups as an operator meets them: the step, the key in the file, and the remedy.

use super::{blames, explain, explained, good, set_up};
use crate::harness::{
    NOTES,
    authorization_server::{Answer, StubAuthorizationServer},
    json,
    token::now,
};

/// What a rate limit allows is said, at its place, and nothing of it is used up.
#[tokio::test]
async fn rate_limit_is_named_and_not_used() {
    for (by, before) in [("subject", "time"), ("client_id", "time"), ("address", "method")] {
        let limit = format!("    rate_limit: {{requests: 1, per: 1h, by: {by}}}\n    path:");
        let (_parties, yaml, token) = set_up(&NOTES.replace("    path:", &limit), good()).await;
        for _ in 0..2 {
            let (_, answer) = explained(&yaml, &token).await;
            assert_eq!(answer["decision"], "allowed", "{answer:#}");
            let steps = answer["steps"].as_array().unwrap();
            let at = steps.iter().position(|step| step["step"] == "rate limit").unwrap();
            assert_eq!(steps[at - 1]["step"], before);
            assert_eq!(steps[at]["place"]["path"], "routes.notes.rate_limit");
            let why = format!("1 in 3600s by {by}, 1 at once; this one is not counted");
            assert_eq!(steps[at]["why"], why);
        }
    }
}

#[tokio::test]
async fn no_audience_mapper() {
    let (_parties, yaml, token) = set_up(NOTES, good().audience("account")).await;
    let (code, answer) = explained(&yaml, &token).await;
    assert_eq!((code, &answer["reason"]), (Some(0), &"wrong_audience".into()));
    let words = ["aud is [account]", "accepts [http://127.0.0.1:8080/notes]", "audiences"];
    blames(&answer, "audience", "routes.notes.audiences", &words);
    assert_eq!(answer["token"]["audience"], serde_json::json!(["account"]));
}

#[tokio::test]
async fn wrong_secret() {
    let (_parties, yaml, token) = set_up(NOTES, good()).await;
    let yaml = yaml.replace("introspection-secret", "x");
    let (code, answer) = explained(&yaml, &token).await;
    assert_eq!((code, &answer["decision"]), (Some(1), &"unknown".into()));
    let words = ["refused our own credentials (HTTP 401 Unauthorized)", "client.authentication"];
    blames(&answer, "token", "authorization_servers.corp.client", &words);
}

/// The metadata is waited for whichever way the credentials come.
#[tokio::test]
async fn credentials_of_a_service_account() {
    let (parties, yaml, token) = set_up(NOTES, good().subject("robot")).await;
    let yaml =
        yaml.replace("required_scopes", "basic_client_credentials: true\n    required_scopes");
    parties.authorization_server.grant(move |request| {
        if request.header("authorization") != Some("Basic cm9ib3Q6cmlnaHQ=") {
            return Answer::error(401, "invalid_client");
        }
        Answer::json(&format!(r#"{{"access_token":"{token}","token_type":"Bearer"}}"#))
    });
    for (pair, decision) in [("cm9ib3Q6cmlnaHQ=", "allowed"), ("cm9ib3Q6d3Jvbmc=", "denied")] {
        let field = format!("Authorization: Basic {pair}");
        let arguments = ["--url", "/notes", "--header", &field, "--json"];
        let said = explain(&yaml, &arguments, None).await;
        assert!(!said.out.contains(pair) && said.err.is_empty(), "{said:?}");
        assert_eq!((said.code, &json(&said.out)["decision"]), (Some(0), &decision.into()));
    }
}

/// Why no token is granted is said by the code of RFC 6749, and what is malformed by its own form.
#[tokio::test]
async fn service_accounts_that_get_no_token() {
    let (parties, yaml, _) = set_up(NOTES, good()).await;
    let yaml =
        yaml.replace("required_scopes", "basic_client_credentials: true\n    required_scopes");
    parties.authorization_server.grant(|_| Answer::error(400, "unsupported_grant_type"));
    let field = "Authorization: Basic cm9ib3Q6cmlnaHQ=";
    let said = explain(&yaml, &["--url", "/notes", "--header", field, "--json"], None).await;
    let words = ["answered HTTP 400 Bad Request: unsupported_grant_type"];
    let key = "authorization_servers.corp.access_tokens";
    blames(&json(&said.out), "token", key, &words);
    let field = "Authorization: Basic cm9ib3Q=";
    let said = explain(&yaml, &["--url", "/notes", "--header", field, "--json"], None).await;
    let words = ["send `Authorization: Basic` and the base64 of id:secret"];
    let answer = json(&said.out);
    assert_eq!((said.code, &answer["status"]), (Some(0), &400.into()), "{answer:#}");
    let last = answer["steps"].as_array().unwrap().last().unwrap();
    assert_eq!(last["step"], "form", "{last}");
    assert!(last["why"].as_str().unwrap().contains(words[0]), "{last}");
}

#[tokio::test]
async fn what_is_no_plain_access_token() {
    for (claims, reason) in [
        (good().with("typ", "Refresh"), "wrong_token_type"),
        (good().with("cnf", serde_json::json!({"jkt": "x"})), "bound_token"),
    ] {
        let (_parties, yaml, token) = set_up(NOTES, claims).await;
        let (_, answer) = explained(&yaml, &token).await;
        assert_eq!(answer["reason"], reason, "{answer:#}");
        blames(&answer, "kind", "authorization_servers.corp.access_tokens", &["token"]);
    }
}

#[tokio::test]
async fn issuer_with_another_slash() {
    let (parties, yaml, token) = set_up(NOTES, good()).await;
    let issuer = parties.authorization_server.issuer();
    let (code, answer) = explained(&yaml.replace(issuer, &format!("{issuer}/")), &token).await;
    assert_eq!((code, &answer["decision"]), (Some(1), &"unknown".into()));
    let words = [&*format!("names the issuer {issuer:?}"), "byte for byte"];
    blames(&answer, "token", "authorization_servers.corp.issuer", &words);
}

#[tokio::test]
async fn wrong_scope_claim() {
    let claims = good().without("scope").with("permissions", serde_json::json!(["notes.read"]));
    let (parties, yaml, token) = set_up(NOTES, claims).await;
    let (_, answer) = explained(&yaml, &token).await;
    assert_eq!((&answer["status"], &answer["reason"]), (&403.into(), &"insufficient_scope".into()));
    assert_eq!(answer["granted_scopes"], serde_json::json!([]));
    blames(
        &answer,
        "scopes",
        "routes.notes.required_scopes",
        &["the token has []", "claims.scope"],
    );
    let yaml = yaml.replace("    client: {", "    claims: {scope: [permissions]}\n    client: {");
    assert_eq!(explained(&yaml, &token).await.1["decision"], "allowed");
    drop(parties);
}

#[tokio::test]
async fn clock_that_is_off() {
    let (_parties, yaml, token) = set_up(NOTES, good().with("iat", now() + 600)).await;
    let (_, answer) = explained(&yaml, &token).await;
    assert_eq!(answer["reason"], "not_yet_valid");
    blames(&answer, "time", "authorization_servers.corp.clock_skew", &["s ahead", "clocks"]);
    let (_parties, yaml, token) = set_up(NOTES, good().with("exp", now() - 5)).await;
    let (_, answer) = explained(&yaml, &token).await;
    assert_eq!((&answer["reason"], &answer["status"]), (&"expired".into(), &401.into()));
    assert!(answer["token"]["expires_in"].as_f64().unwrap() < 0.0);
}

#[tokio::test]
async fn client_that_may_not_introspect_or_token_of_another_server() {
    let (_parties, yaml, _) = set_up(NOTES, good()).await;
    let (code, answer) = explained(&yaml, "of-another-server").await;
    assert_eq!((code, &answer["reason"]), (Some(0), &"inactive".into()));
    let words = ["corp says the token is not active", "let our client introspect"];
    blames(&answer, "token", "authorization_servers.corp.access_tokens", &words);
    assert_eq!(answer["token"], serde_json::Value::Null);
}

#[tokio::test]
async fn foreign_issuer_in_the_answer() {
    let (_parties, yaml, token) = set_up(NOTES, good().with("iss", "https://other.example")).await;
    let (_, answer) = explained(&yaml, &token).await;
    assert_eq!(answer["reason"], "wrong_issuer");
    let words = ["https://other.example", "accepted_issuers"];
    blames(&answer, "issuer", "authorization_servers.corp.issuer", &words);
}

#[tokio::test]
async fn introspection_that_answers_nonsense() {
    let (parties, yaml, token) = set_up(NOTES, good()).await;
    parties.authorization_server.answer_with(Answer::json(r#"{"active":"yes"}"#));
    let (code, answer) = explained(&yaml, &token).await;
    assert_eq!((code, &answer["status"]), (Some(1), &503.into()));
    let words = ["introspection answer is malformed"];
    blames(&answer, "token", "authorization_servers.corp.introspection", &words);
}

#[tokio::test]
async fn remedies_are_in_the_words_of_the_product() {
    let server = StubAuthorizationServer::start_at("/realms/main").await;
    let yaml = NOTES.replace("ISSUER", server.issuer()).replace("UPSTREAM", "http://127.0.0.1:1");
    let yaml = format!("public_url: http://127.0.0.1:8080\n{yaml}");
    for (claims, step, key, word) in [
        (
            good().audience("account"),
            "audience",
            "routes.notes.audiences",
            "Keycloak: add an Audience mapper",
        ),
        (
            good().scope("x"),
            "scopes",
            "routes.notes.required_scopes",
            "Keycloak: create a client scope",
        ),
        (
            good().with("iss", "https://x"),
            "issuer",
            "authorization_servers.corp.issuer",
            "Keycloak: the issuer is the address",
        ),
        (
            good().with("active", false),
            "token",
            "authorization_servers.corp.access_tokens",
            "Keycloak: the client needs Client authentication",
        ),
    ] {
        let token = server.mint(&claims);
        let (_, answer) = explained(&yaml, &token).await;
        blames(&answer, step, key, &[word]);
    }
}
