//! Rule tests in the file: whoever reads it runs them.

mod agreement;

use std::sync::Arc;

use gatehouse::{app::App, clock::SystemClock};

use crate::harness::{
    NOTES, Parties,
    gateway::free_port,
    process::{Process, Said, command, file, say},
};

/// A configuration with rules and one test of them.
fn config(parties: &Parties, expected: &str) -> String {
    let (port, admin) = (free_port(), free_port());
    let notes = parties.fill(NOTES);
    let yaml = format!(
        "public_url: http://127.0.0.1:{port}\nlisten: {{address: '127.0.0.1:{port}'}}\nadmin: {{address: '127.0.0.1:{admin}'}}\n{notes}    tools: {{delete_note: [notes.write]}}\n    tests:\n      - {{scope: notes.read, call: delete_note, expect: {expected}}}\n"
    );
    file(&yaml).to_str().unwrap().to_owned()
}

#[tokio::test]
async fn failing_rule_test_refuses_the_file() {
    let parties = Parties::start().await;
    let path = config(&parties, "200");
    let text = std::fs::read_to_string(&path).unwrap();
    let line = text.lines().position(|line| line.contains("expect: 200")).unwrap() + 1;
    let rule = text.lines().position(|line| line.contains("tools:")).unwrap() + 1;
    let failure = format!(
        "{path}:{line}:9: routes.notes.tests[0]: rule test: expected 200 (forwarded), came 403: scopes are missing, by the rule of line {rule}"
    );
    for (command, said) in [
        ("check", format!("{failure}\n{path}: 1 error, no warnings\n")),
        ("serve", format!("{failure}\n")),
        ("healthcheck", format!("{failure}\n")),
    ] {
        let Said { code, out, err } = say(&[command, "-c", &path]);
        assert_eq!((code, &*out, &*err), (Some(2), "", &*said), "{command}");
    }
    let Said { code, out, .. } = say(&["check", "--json", "-c", &path]);
    let verdict: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &verdict["ok"]), (Some(2), &false.into()));
    assert_eq!(verdict["problems"][0]["path"], "routes.notes.tests[0]");
    assert_eq!(verdict["problems"][0]["severity"], "error");
}

#[tokio::test]
async fn file_whose_rule_tests_pass_is_served() {
    let parties = Parties::start().await;
    let path = config(&parties, "403");
    let Said { code, out, err } = say(&["check", "-c", &path]);
    assert_eq!((code, &*out, &*err), (Some(0), &*format!("{path}: fine, no warnings\n"), ""));
    Process::serve(command(&["serve", "-c", &path])).await;
}

#[tokio::test]
async fn settings_whose_rule_tests_fail_are_put_in_force_by_nobody() {
    let parties = Parties::start().await;
    let path = config(&parties, "hidden");
    // Read without the tests, as an embedder might.
    let loaded = gatehouse::config::load(path.as_ref(), &gatehouse::config::ProcessEnvironment);
    let settings = loaded.unwrap().settings;
    let started = App::start(settings, Arc::new(SystemClock));
    let why = started.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(why.contains("rule test: expected hidden (as if it did not exist), came 403"), "{why}");
}
