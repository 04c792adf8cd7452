//! What is said of rules: the one that decided, whichever way it decided.

use serde_json::{Value, json};

use super::{blames, explain, good, set_up};
use crate::harness::{NOTES, json as parse, process::Said};

const RULES: &str = "
    tools:
      read_note: []
      \"delete_*\": [notes.write]
      delete_note: [notes.delete]
    methods:
      \"logging/*\": [notes.log]
    anonymous_methods: [tools/list, \"logging/*\"]
";

fn rules() -> String {
    format!("{}{RULES}", NOTES.trim_end())
}

/// Explains a POST to `/notes` with these further arguments.
async fn explained(yaml: &str, token: Option<&str>, arguments: &[&str]) -> Value {
    let arguments = [&["--url", "/notes", "--json"], arguments].concat();
    let Said { code, out, err } = explain(yaml, &arguments, token).await;
    assert_eq!((code, &*err), (Some(0), ""), "{arguments:?}");
    parse(&out)
}

/// The last decision: its step, why, and the key it names.
fn last(answer: &Value) -> [&str; 3] {
    let step = answer["steps"].as_array().unwrap().last().unwrap();
    assert_eq!(step["place"]["path"], answer["rule"], "{answer:#}");
    [&step["step"], &step["why"], &answer["rule"]].map(|value| value.as_str().unwrap())
}

#[tokio::test]
async fn rule_that_let_a_request_pass_is_named() {
    let (parties, yaml, token) = set_up(&rules(), good().scope("notes.read notes.delete")).await;
    let wide = good().scope("notes.read notes.write notes.delete notes.log");
    let wide = parties.authorization_server.mint(&wide);
    for (token, name, rule) in [
        (&wide, "delete_note", "routes.notes.tools.delete_note"),
        (&wide, "delete_all", "routes.notes.tools.delete_*"),
        (&token, "read_note", "routes.notes.tools.read_note"),
        (&token, "other", "routes.notes.required_scopes"),
    ] {
        let arguments = ["--method", "tools/call", "--name", name];
        let answer = explained(&yaml, Some(token), &arguments).await;
        assert_eq!(answer["decision"], "allowed", "{answer:#}");
        let [step, why, key] = last(&answer);
        assert_eq!((step, key), ("scopes", rule), "{answer:#}");
        assert!(why.contains("] is in [notes.read notes."), "{why}");
    }
    let answer = explained(&yaml, Some(&wide), &["--method", "logging/setLevel"]).await;
    assert_eq!(answer["rule"], "routes.notes.methods.logging/*", "{answer:#}");
    let arguments = ["--url", "/notes", "--method", "tools/call", "--name", "delete_note"];
    let said = explain(&yaml, &arguments, Some(&wide)).await;
    assert!(said.out.contains("routes.notes.tools.delete_note\n"), "{}", said.out);
}

#[tokio::test]
async fn refusal_names_the_rule_or_the_scopes_of_the_route() {
    let (parties, yaml, token) = set_up(&rules(), good()).await;
    let arguments = ["--method", "tools/call", "--name", "delete_note"];
    let answer = explained(&yaml, Some(&token), &arguments).await;
    blames(&answer, "scopes", "routes.notes.tools.delete_note", &["the token has [notes.read]"]);
    let wrong = good().scope("notes.write notes.delete");
    let wrong = parties.authorization_server.mint(&wrong);
    let answer = explained(&yaml, Some(&wrong), &arguments).await;
    blames(&answer, "scopes", "routes.notes.required_scopes", &["this needs [notes.read"]);
}

#[tokio::test]
async fn shadow_and_what_it_lets_pass_are_told() {
    let shadowed = format!("{}    shadow: true\n", rules());
    let (parties, yaml, token) = set_up(&shadowed, good()).await;
    let other = parties.authorization_server.mint(&good().scope("other"));
    let arguments = ["--method", "tools/call", "--name", "delete_note"];
    for (token, name, rule) in [
        (&token, "delete_note", "routes.notes.tools.delete_note"),
        (&other, "read_note", "routes.notes.required_scopes"),
    ] {
        let answer =
            explained(&yaml, Some(token), &["--method", "tools/call", "--name", name]).await;
        assert_eq!((&answer["decision"], &answer["status"]), (&"allowed".into(), &Value::Null));
        let [step, why, key] = last(&answer);
        assert_eq!((step, key), ("scopes", rule), "{answer:#}");
        let would = answer["would_deny"].as_str().unwrap();
        assert_eq!(why, format!("shadow lets it pass, which would be refused: {would}"));
        assert!(would.contains("the token has ["), "{would}");
    }
    let wide = good().scope("notes.read notes.write notes.delete");
    let wide = parties.authorization_server.mint(&wide);
    let answer = explained(&yaml, Some(&wide), &arguments).await;
    assert_eq!(answer["would_deny"], Value::Null, "{answer:#}");
    assert_eq!(answer["rule"], "routes.notes.tools.delete_note");
}

#[tokio::test]
async fn nothing_is_said_of_a_token_where_none_came_and_none_is_needed() {
    let (_parties, yaml, _) = set_up(&rules(), good()).await;
    let answer = explained(&yaml, None, &["--method", "tools/list"]).await;
    assert_eq!((&answer["decision"], &answer["token"]), (&"allowed".into(), &Value::Null));
    assert_eq!(answer["required_scopes"], json!([]));
    let steps = answer["steps"].as_array().unwrap();
    let names: Vec<_> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(names[5..], ["credentials", "session", "body", "operation", "scopes"]);
    assert_eq!(steps[5]["why"], "none came, and anonymous_methods names what is asked for");
    assert_eq!(steps[5]["place"]["path"], "routes.notes.anonymous_methods");
    assert_eq!(last(&answer)[1], "none are needed");
    let answer = explained(&yaml, None, &["--method", "logging/setLevel"]).await;
    assert_eq!((&answer["status"], &answer["reason"]), (&401.into(), &"missing_token".into()));
    blames(&answer, "scopes", "routes.notes.methods.logging/*", &["no token came, and"]);
    let answer = explained(&yaml, None, &["--method", "tools/call", "--name", "read_note"]).await;
    blames(&answer, "credentials", "routes.notes.access", &["no bearer token came"]);
}

/// Nothing but the rules has the body read so strictly.
#[tokio::test]
async fn body_that_rules_cannot_be_applied_to_is_a_matter_of_the_rules() {
    let (_parties, yaml, token) = set_up(&rules(), good()).await;
    let twice = r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/list"}"#;
    let answer = explained(&yaml, Some(&token), &["--body", twice]).await;
    assert_eq!(answer["status"], 400, "{answer:#}");
    blames(&answer, "operation", "routes.notes.tools", &[]);
    let header = "Mcp-Method: tools/call";
    let arguments = ["--method", "tools/list", "--header", header];
    let answer = explained(&yaml, Some(&token), &arguments).await;
    assert_eq!(answer["status"], 400, "{answer:#}");
    blames(&answer, "operation", "routes.notes.tools", &[]);
    let anonymous =
        NOTES.replace("required_scopes", "anonymous_methods: [ping]\n    required_scopes");
    let (_parties, yaml, token) = set_up(&anonymous, good()).await;
    let answer = explained(&yaml, Some(&token), &["--body", twice]).await;
    blames(&answer, "operation", "routes.notes.anonymous_methods", &[]);
}
