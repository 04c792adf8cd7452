//! `gatehouse explain`: what it says is what the gateway does.

mod agreement;
mod causes;
mod jwt;
mod rules;

use std::process::Command;

use serde_json::Value;

use crate::harness::{
    NOTES, Parties, World, json,
    process::{Said, command, file},
    token::Token,
};

/// Runs `gatehouse explain` with these arguments, and `GATEHOUSE_TOKEN` when given.
async fn explain(yaml: &str, arguments: &[&str], variable: Option<&str>) -> Said {
    let path = file(yaml);
    let mut run = command(&["explain", "-c", path.to_str().unwrap()]);
    run.args(arguments).env_remove("GATEHOUSE_TOKEN");
    if let Some(token) = variable {
        run.env("GATEHOUSE_TOKEN", token);
    }
    tokio::task::spawn_blocking(move || said(run)).await.unwrap()
}

fn said(mut run: Command) -> Said {
    let output = run.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// The configuration that a world's gateway runs with.
fn configuration(world: &World, yaml: &str) -> String {
    let yaml = yaml
        .replace("ISSUER", world.authorization_server.issuer())
        .replace("UPSTREAM", &world.upstream.url());
    let address = world.gateway.address();
    let origin = world.gateway.origin();
    format!("public_url: {origin}\nlisten: {{address: '{address}'}}\n{yaml}")
}

/// Parties, a configuration for `http://127.0.0.1:8080`, and a token with these claims.
async fn set_up(yaml: &str, claims: Token) -> (Parties, String, String) {
    let parties = Parties::start().await;
    let token = parties.authorization_server.mint(&claims);
    let yaml = format!("public_url: http://127.0.0.1:8080\n{}", parties.fill(yaml));
    (parties, yaml, token)
}

/// Claims that the usual route accepts.
fn good() -> Token {
    Token::new().audience("http://127.0.0.1:8080/notes").scope("notes.read")
}

/// Explains a POST to `/notes` with this token.
async fn explained(yaml: &str, token: &str) -> (Option<i32>, Value) {
    let said = explain(yaml, &["--url", "/notes", "--token", token, "--json"], None).await;
    assert!(!format!("{said:?}").contains("introspection-secret"), "{said:?}");
    assert!(!format!("{said:?}").contains(token), "the token was printed: {said:?}");
    (said.code, json(&said.out))
}

/// Asserts which step refused, the key it names, and words of the remedy.
#[track_caller]
fn blames(answer: &Value, step: &str, key: &str, words: &[&str]) {
    let last = answer["steps"].as_array().unwrap().last().unwrap();
    assert_eq!(last["step"], step, "{answer:#}");
    assert_eq!((&last["place"]["path"], &answer["rule"]), (&key.into(), &key.into()), "{last}");
    assert!(last["place"]["line"].as_u64() > Some(0), "{last}");
    let why = last["why"].as_str().unwrap();
    for word in words {
        assert!(why.contains(word), "{word:?} in {why}");
    }
}

#[tokio::test]
async fn allowed_request_is_explained_and_not_sent() {
    let (parties, yaml, token) = set_up(NOTES, good()).await;
    let (code, answer) = explained(&yaml, &token).await;
    assert_eq!(code, Some(0), "{answer:#}");
    assert_eq!(answer["decision"], "allowed");
    assert_eq!(answer["route"], "notes");
    assert_eq!(answer["resource"], "http://127.0.0.1:8080/notes");
    for absent in ["status", "reason", "detail", "www_authenticate"] {
        assert_eq!(answer[absent], Value::Null, "{absent}");
    }
    assert_eq!(answer["required_scopes"], serde_json::json!(["notes.read"]));
    assert_eq!(answer["granted_scopes"], serde_json::json!(["notes.read"]));
    assert_eq!(answer["rule"], "routes.notes.required_scopes");
    assert_eq!(answer["upstream"], parties.upstream.url());
    let token = &answer["token"];
    assert_eq!((&token["subject"], &token["client_id"]), (&"alice".into(), &"client-1".into()));
    assert_eq!(token["authorization_server"], "corp");
    assert_eq!(token["issuer"], parties.authorization_server.issuer());
    assert!((3500.0..=3600.0).contains(&token["expires_in"].as_f64().unwrap()), "{token}");
    let steps: Vec<_> = answer["steps"].as_array().unwrap().iter().map(|it| &it["step"]).collect();
    let expected = [
        "path",
        "host",
        "route",
        "origin",
        "method",
        "credentials",
        "form",
        "token",
        "kind",
        "issuer",
        "audience",
        "time",
        "session",
        "body",
        "scopes",
    ];
    assert_eq!(steps, expected);
    assert_eq!(parties.upstream.bytes_received(), 0);
}

#[tokio::test]
async fn token_comes_from_option_file_or_environment() {
    let (_parties, yaml, token) = set_up(NOTES, good()).await;
    let path = file(&format!("{token}\n"));
    let path = path.to_str().unwrap();
    for (arguments, variable) in [
        (vec!["--token", &*token], None),
        (vec!["--token-file", path], None),
        (vec![], Some(&*token)),
        (vec!["--token-file", path], Some("another")),
    ] {
        let arguments = [&["--url", "/notes"], &*arguments].concat();
        let Said { code, out, err } = explain(&yaml, &arguments, variable).await;
        assert_eq!((code, &*err), (Some(0), ""), "{arguments:?}");
        assert!(out.contains("\nallowed: forwarded to http://127.0.0.1:"), "{out}");
        assert!(!out.contains(&token), "{out}");
    }
}

/// What a clipboard or an editor makes of a token is not blamed on a client.
#[tokio::test]
async fn file_that_holds_no_token_is_named_with_what_is_wrong() {
    let (parties, yaml, token) = set_up(NOTES, good()).await;
    for (text, word) in [
        (format!("Bearer {token}\n"), "without `Bearer`"),
        (format!("Authorization: Bearer {token}"), "without `Bearer`"),
        (format!("\u{feff}{token}"), "byte order mark"),
        (format!("{token}\n{token}"), "white space"),
        (format!("\"{token}\""), "no bearer token"),
        ("\n".to_owned(), "empty"),
    ] {
        let path = file(&text);
        let path = path.to_str().unwrap();
        let said = explain(&yaml, &["--url", "/notes", "--token-file", path], None).await;
        assert_eq!((said.code, &*said.out), (Some(2), ""), "{text:?}");
        assert!(said.err.contains(&format!("--token-file {path}: ")), "{}", said.err);
        assert!(said.err.contains(word) && !said.err.contains(&token), "{}", said.err);
    }
    assert_eq!(parties.authorization_server.received().len(), 0);
}

#[tokio::test]
async fn people_read_each_decision_with_its_place() {
    let (parties, yaml, token) = set_up(NOTES, good().scope("other")).await;
    let arguments =
        ["--url", "http://127.0.0.1:8080/notes", "--method", "tools/call", "--name", "x"];
    let Said { code, out, .. } = explain(&yaml, &arguments, Some(&token)).await;
    assert_eq!(code, Some(0));
    assert!(out.starts_with("POST 127.0.0.1:8080/notes\n  1. path         passed "), "{out}");
    let refused = " 15. scopes       refused  the token has [other]; this needs [notes.read]: ";
    assert!(out.contains(refused), "{out}");
    assert!(out.contains(".yaml:10:22: routes.notes.required_scopes\n"), "{out}");
    assert!(out.contains("\ndenied: 403, insufficient_scope\n"), "{out}");
    let challenge = "  www-authenticate: Bearer realm=\"notes\", resource_metadata=\"http://127.0.0.1:8080/.well-known/oauth-protected-resource/notes\", error=\"insufficient_scope\", error_description=";
    assert!(out.contains(challenge), "{out}");
    assert!(out.contains("  subject    \"alice\"\n"), "{out}");
    assert_eq!(parties.upstream.bytes_received(), 0);
}

#[tokio::test]
async fn server_that_is_down_is_status_1() {
    let (_parties, yaml, _) = set_up(&NOTES.replace("ISSUER", "http://127.0.0.1:1"), good()).await;
    let (code, answer) = explained(&yaml, "some-token-at-all").await;
    assert_eq!((code, &answer["decision"]), (Some(1), &"unknown".into()), "{answer:#}");
    assert_eq!((&answer["status"], &answer["www_authenticate"]), (&503.into(), &Value::Null));
    let detail = answer["detail"].as_str().unwrap();
    assert!(detail.starts_with("authorization server corp: "), "{detail}");
    assert!(detail.contains("cannot be reached"), "{detail}");
}

#[tokio::test]
async fn offline_nobody_is_asked_and_that_is_said() {
    let (parties, yaml, token) = set_up(NOTES, good()).await;
    let arguments = ["--url", "/notes", "--token", &token, "--offline", "--json"];
    let Said { code, out, .. } = explain(&yaml, &arguments, None).await;
    let answer = json(&out);
    assert_eq!((code, &answer["decision"]), (Some(1), &"unknown".into()), "{answer:#}");
    let last = answer["steps"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["step"], &last["ruling"]), (&"token".into(), &"unknown".into()));
    assert!(last["why"].as_str().unwrap().contains("offline"), "{last}");
    assert_eq!(parties.authorization_server.received().len(), 0);
    // Without a token there is nothing to ask.
    let Said { code, out, .. } =
        explain(&yaml, &["--url", "/notes", "--offline", "--json"], None).await;
    assert_eq!((code, &json(&out)["reason"]), (Some(0), &"missing_token".into()));
    assert_eq!(parties.authorization_server.received().len(), 0);
}

#[tokio::test]
async fn wrong_command_line_or_file_is_status_2() {
    let (parties, yaml, token) = set_up(NOTES, good()).await;
    for arguments in [
        &["--url", "notes"][..],
        &["--url", "ftp://x/notes"],
        &["--url", "/no tes"],
        &[],
        &["--url", "/notes", "--name", "x"],
        &["--url", "/notes", "--body", "{}", "--method", "ping"],
        &["--url", "/notes", "--token-file", "/nowhere/token"],
        &["--url", "/notes", "--token", "a\nb"],
        &["--url", "/notes", "--key-set", "/nowhere"],
        &["--url", "/notes", "--offline", "--key-set", "/nowhere"],
        &["--url", "/notes", "--http-method", "A B"],
        &["--url", "/notes", "--header", "nothing"],
    ] {
        let Said { code, out, err } = explain(&yaml, arguments, None).await;
        assert_eq!((code, &*out), (Some(2), ""), "{arguments:?}: {err}");
        assert!(!err.is_empty(), "{arguments:?}");
    }
    let wrong = yaml.replace("path: /notes", "path: notes");
    let said = explain(&wrong, &["--url", "/notes", "--token", &token], None).await;
    assert_eq!((said.code, &*said.out), (Some(2), ""), "{}", said.err);
    assert_eq!(parties.authorization_server.received().len(), 0);
}
