//! `gatehouse check --online`: broken set-ups, each named with its cause, place and remedy.

mod authorization_servers;
mod for_clients;
mod key_sets;
mod own_tokens;
mod upstreams;

use serde_json::Value;

use crate::harness::{
    NOTES, Parties,
    authorization_server::{Answer, StubAuthorizationServer},
    json,
    process::{Said, file, say},
    upstream::Reply,
};

/// What one run said.
struct Checked {
    code: Option<i32>,
    findings: Vec<Value>,
    said: Said,
}

impl Checked {
    /// Runs the binary on a configuration.
    async fn of(yaml: &str) -> Self {
        let path = file(&format!("public_url: http://127.0.0.1:8080\n{yaml}"));
        let run = move || say(&["check", "--online", "--json", "-c", path.to_str().unwrap()]);
        let said = tokio::task::spawn_blocking(run).await.unwrap();
        let object = json(&said.out);
        let findings = object["findings"].as_array().expect("findings").clone();
        let is_wrong = findings.iter().any(|finding| finding["verdict"] == "error");
        assert_eq!(object["ok"], !is_wrong, "{object}");
        assert_eq!(said.code, Some(i32::from(is_wrong)), "{object}");
        assert!(!format!("{said:?}").contains("introspection-secret"), "{said:?}");
        Self { code: said.code, findings, said }
    }

    /// The only finding of a kind about one subject.
    #[track_caller]
    fn one(&self, subject: &str, check: &str) -> &Value {
        let is_it = |each: &&Value| each["subject"] == subject && each["check"] == check;
        let found: Vec<_> = self.findings.iter().filter(is_it).collect();
        assert_eq!(found.len(), 1, "{check} of {subject}: {:#?}", self.findings);
        found[0]
    }

    /// Asserts that something is wrong: what was seen, the key it names, and what to write.
    #[track_caller]
    fn blames(&self, subject: &str, check: &str, verdict: &str, expected: [&str; 3]) {
        let finding = self.one(subject, check);
        let [seen, key, remedy] = expected;
        assert_eq!(finding["verdict"], verdict, "{finding}");
        let text = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
        assert!(text("seen").contains(seen), "{seen:?} in {finding}");
        assert!(text("remedy").contains(remedy), "{remedy:?} in {finding}");
        let path = finding["place"]["path"].as_str().unwrap_or_default();
        assert_eq!(path, format!("{subject}.{key}"), "{finding}");
        assert!(finding["place"]["line"].as_u64() > Some(0), "{finding}");
        if verdict == "error" {
            assert_eq!(self.code, Some(1));
        }
    }

    #[track_caller]
    fn is_fine(&self, subject: &str, check: &str) {
        let finding = self.one(subject, check);
        assert_eq!(
            (&finding["verdict"], &finding["remedy"]),
            (&"ok".into(), &Value::Null),
            "{finding}"
        );
    }
}

const SERVER: &str = "authorization_servers.corp";
const ROUTE: &str = "routes.notes";

/// A document that MCP clients are happy with.
fn complete_metadata(server: &StubAuthorizationServer) -> String {
    let mut document = json(&server.metadata());
    document["code_challenge_methods_supported"] = serde_json::json!(["S256"]);
    document["registration_endpoint"] = format!("{}/register", server.issuer()).into();
    document["introspection_endpoint_auth_methods_supported"] =
        serde_json::json!(["client_secret_basic"]);
    document.to_string()
}

const WELL_KNOWN: &str = "/.well-known/oauth-authorization-server";

/// Parties that leave nothing to be desired.
async fn parties() -> Parties {
    let parties = Parties::start().await;
    let server = &parties.authorization_server;
    server.publish(WELL_KNOWN, Answer::json(&complete_metadata(server)));
    parties.upstream.answer(|_| {
        Reply::json(
            r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"x","version":"1"}}}"#,
        )
    });
    parties
}

#[tokio::test]
async fn working_set_up_is_fine() {
    let parties = parties().await;
    let server = &parties.authorization_server;
    let own = crate::harness::token::Token::new().audience("http://127.0.0.1:8080/notes");
    let token = server.mint(&own);
    server.publish(
        "/token",
        Answer::json(&format!(r#"{{"access_token":"{token}","token_type":"Bearer"}}"#)),
    );
    let checked = Checked::of(&parties.fill(NOTES)).await;
    assert_eq!(checked.code, Some(0), "{:#?}", checked.findings);
    for check in
        ["metadata", "issuer", "pkce", "registration", "introspection", "permission", "resource"]
    {
        checked.is_fine(SERVER, check);
    }
    for check in ["reachable", "transport", "revisions"] {
        checked.is_fine(ROUTE, check);
    }
    assert!(!checked.said.out.contains(&token), "a token was printed");
    let asked = server.received().into_iter().find(|request| request.target == "/token").unwrap();
    let form = asked.form();
    assert!(form.contains(&("grant_type".into(), "client_credentials".into())), "{form:?}");
    assert!(form.contains(&("resource".into(), "http://127.0.0.1:8080/notes".into())), "{form:?}");
}

#[tokio::test]
async fn people_read_what_machines_parse() {
    let parties = parties().await;
    let yaml = parties.fill(NOTES).replace("introspection-secret", "another-secret");
    let path = file(&format!("public_url: http://127.0.0.1:8080\n{yaml}"));
    let path = path.to_str().unwrap().to_owned();
    let arguments = path.clone();
    let run = move || say(&["check", "--online", "-c", &arguments]);
    let Said { code, out, err } = tokio::task::spawn_blocking(run).await.unwrap();
    assert_eq!((code, &*err), (Some(1), ""));
    assert!(
        out.starts_with(&format!("{path}: fine, no warnings\nauthorization_servers.corp\n")),
        "{out}"
    );
    let refusal = format!(
        "  error    introspection: our credentials are refused (401; the server lists \
         [\"client_secret_basic\"], we use client_secret_basic)\n           {path}:5:13: \
         authorization_servers.corp.client: compare client.id, client.secret"
    );
    assert!(out.contains(&refusal), "{out}");
    assert!(out.ends_with("online: 1 error, no warnings\n"), "{out}");
    assert!(!out.contains("another-secret"), "{out}");
}

#[tokio::test]
async fn wrong_file_is_status_2_and_nobody_is_asked() {
    let parties = parties().await;
    let path = file(&parties.fill(&NOTES.replace("path: /notes", "path: notes")));
    let run = move || say(&["check", "--online", "--json", "-c", path.to_str().unwrap()]);
    let Said { code, out, .. } = tokio::task::spawn_blocking(run).await.unwrap();
    assert_eq!((code, &json(&out)["ok"]), (Some(2), &false.into()));
    assert_eq!(json(&out).get("findings"), None);
    assert_eq!(parties.authorization_server.received().len(), 0);
    assert_eq!(parties.upstream.bytes_received(), 0);
}
