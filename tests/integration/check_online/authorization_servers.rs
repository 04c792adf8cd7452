//! What can be wrong with an authorization server, or with what it thinks of us.

use super::{Checked, SERVER, WELL_KNOWN, complete_metadata, parties};
use crate::harness::{
    NOTES,
    authorization_server::{Answer, StubAuthorizationServer},
    json,
    token::{Token, now},
};

#[tokio::test]
async fn wrong_secret() {
    let parties = parties().await;
    let checked = Checked::of(&parties.fill(NOTES).replace("introspection-secret", "x")).await;
    let expected = ["refused (401; the server lists", "client", "client.secret"];
    checked.blames(SERVER, "introspection", "error", expected);
}

#[tokio::test]
async fn method_that_the_server_does_not_list() {
    let parties = parties().await;
    let yaml = NOTES.replace("secret}", "secret, authentication: client_secret_post}");
    let checked = Checked::of(&parties.fill(&yaml)).await;
    let expected = [
        r#"lists ["client_secret_basic"], we use client_secret_post"#,
        "client.authentication",
        "lists",
    ];
    checked.blames(SERVER, "introspection", "error", expected);
}

#[tokio::test]
async fn issuer_with_another_slash() {
    let parties = parties().await;
    let issuer = parties.authorization_server.issuer();
    let yaml = parties.fill(NOTES).replace(issuer, &format!("{issuer}/"));
    let checked = Checked::of(&yaml).await;
    let seen = format!(
        "says the issuer is {issuer:?}, the configuration says \"{issuer}/\"; they differ in the trailing slash alone"
    );
    checked.blames(SERVER, "issuer", "error", [&seen, "issuer", &format!("write {issuer:?}")]);
    assert_eq!(parties.authorization_server.introspection_count(), 0, "credentials were sent");
}

#[tokio::test]
async fn server_that_is_down_or_elsewhere() {
    let parties = parties().await;
    let server = &parties.authorization_server;
    server.publish(WELL_KNOWN, Answer::Redirect(302, "https://login.example/meta?token=x".into()));
    let checked = Checked::of(&parties.fill(NOTES)).await;
    let seen = r#"oauth-authorization-server redirects (302) to "https://login.example/meta", which is not followed; "#;
    checked.blames(SERVER, "metadata", "error", [seen, "issuer", "metadata_url"]);
    checked.blames(
        SERVER,
        "metadata",
        "error",
        ["openid-configuration answered 404", "issuer", ""],
    );
    let yaml = parties.fill(NOTES).replace(server.issuer(), "http://127.0.0.1:1");
    let checked = Checked::of(&yaml).await;
    checked.blames(SERVER, "metadata", "error", ["cannot be reached", "issuer", "issuer"]);
}

#[tokio::test]
async fn s256_missing() {
    let parties = parties().await;
    let server = &parties.authorization_server;
    let mut document = json(&complete_metadata(server));
    document["code_challenge_methods_supported"] = serde_json::json!(["plain"]);
    server.publish(WELL_KNOWN, Answer::json(&document.to_string()));
    let checked = Checked::of(&parties.fill(NOTES)).await;
    checked.blames(SERVER, "pkce", "error", [r#"is ["plain"]"#, "issuer", "S256"]);
}

/// An answer with a `Date` this far from now, and these further fields.
fn dated(body: &str, offset: i64, fields: &str) -> Answer {
    let date = std::time::Duration::from_secs(u64::try_from(now() + offset).unwrap());
    let date = httpdate::fmt_http_date(std::time::UNIX_EPOCH + date);
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nDate: {date}\r\n{fields}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    Answer::Raw(answer.into_bytes())
}

#[tokio::test]
async fn clock_that_is_ahead_or_behind() {
    let parties = parties().await;
    let server = &parties.authorization_server;
    let body = complete_metadata(server);
    for (offset, fields, verdict, seen) in [
        (600, "", "error", "ahead of ours"),
        (-600, "", "warning", "behind ours"),
        (0, "Age: 600\r\n", "error", "ahead of ours"),
        (-1200, "Age: 600\r\n", "warning", "behind ours"),
    ] {
        server.publish(WELL_KNOWN, dated(&body, offset, fields));
        let checked = Checked::of(&parties.fill(NOTES)).await;
        checked.blames(SERVER, "clock", verdict, [seen, "clock_skew", "synchronise"]);
    }
}

#[tokio::test]
async fn answer_of_a_cache_is_as_old_as_it_says() {
    let parties = parties().await;
    let server = &parties.authorization_server;
    server.publish(WELL_KNOWN, dated(&complete_metadata(server), -1800, "Age: 1800\r\n"));
    Checked::of(&parties.fill(NOTES)).await.is_fine(SERVER, "clock");
}

#[tokio::test]
async fn client_that_may_not_introspect() {
    let parties = parties().await;
    let server = &parties.authorization_server;
    server.publish(
        "/token",
        Answer::json(r#"{"access_token":"issued-and-inactive","token_type":"Bearer"}"#),
    );
    let checked = Checked::of(&parties.fill(NOTES)).await;
    checked.is_fine(SERVER, "introspection");
    let expected = ["every token will look inactive", "client", "let our client introspect"];
    checked.blames(SERVER, "permission", "error", expected);
    assert!(!checked.said.out.contains("issued-and-inactive"));
}

#[tokio::test]
async fn client_without_tokens_of_its_own_is_not_blamed() {
    let parties = parties().await;
    parties.authorization_server.publish("/token", Answer::error(400, "unauthorized_client"));
    let checked = Checked::of(&parties.fill(NOTES)).await;
    checked.is_fine(SERVER, "permission");
    let seen = checked.one(SERVER, "permission")["seen"].to_string();
    assert!(seen.contains("cannot be told") && seen.contains("unauthorized_client"), "{seen}");
}

#[tokio::test]
async fn no_audience_mapper_in_keycloaks_words() {
    let server = StubAuthorizationServer::start_at("/realms/main").await;
    server.publish(
        "/.well-known/oauth-authorization-server/realms/main",
        Answer::json(&complete_metadata(&server)),
    );
    let token = server.mint(&Token::new().audience("account"));
    server.publish(
        "/realms/main/token",
        Answer::json(&format!(r#"{{"access_token":"{token}","token_type":"Bearer"}}"#)),
    );
    let yaml = NOTES.replace("ISSUER", server.issuer()).replace("UPSTREAM", "http://127.0.0.1:1");
    let checked = Checked::of(&yaml).await;
    let expected = [r#"has aud ["account"]"#, "issuer", "Keycloak: add an Audience mapper"];
    checked.blames(SERVER, "resource", "warning", expected);
    assert_eq!(checked.one(SERVER, "product")["seen"], "looks like Keycloak");
}

#[tokio::test]
async fn endpoint_that_calls_everything_active() {
    let parties = parties().await;
    parties.authorization_server.answer_with(Answer::json(r#"{"active":true}"#));
    let checked = Checked::of(&parties.fill(NOTES)).await;
    let expected =
        ["a made-up token was called active", "metadata.introspection_endpoint", "RFC 7662"];
    checked.blames(SERVER, "introspection", "error", expected);
}
