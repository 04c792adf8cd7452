//! What comes of tests, as an operator reads it.

use std::{ffi::OsString, io, path::Path};

use super::*;

/// No variables, no files.
struct Nothing;

impl Environment for Nothing {
    fn variable(&self, _: &str) -> Option<OsString> {
        None
    }

    fn read_file(&self, _: &Path, _: usize) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn has_file(&self, _: &Path) -> bool {
        false
    }
}

const RULES: &str = "\
public_url: https://mcp.example.com
authorization_servers: {corp: {issuer: 'https://auth.example.com'}}
scope_implies: {notes.admin: [notes.write]}
routes:
  notes:
    path: /notes
    upstream: http://127.0.0.1:3001/mcp
    required_scopes: [notes.read]
    anonymous_methods: [tools/list, 'completion/*']
    tools:
      delete_note: [notes.write]
      'admin_*': {claims: {department: [ops], /team/id: 7}, when_denied: in_band}
      'debug_*': {deny: true}
      drop_all: {deny: true, when_denied: challenge}
      export: {any_scope: [notes.export, notes.admin], arguments: {format: [csv, json]}}
      list: []
    prompts: {summary: [notes.write]}
    resources: {'file:///secret/*': {required_scopes: [notes.secret], when_denied: hide}}
    methods: {'logging/*': [notes.admin], 'notifications/x': {deny: true}}
    unlisted_tools: deny
    tests:
";

/// What a file with one test is told; nothing when it is fine.
fn failure(test: &str) -> String {
    let yaml = format!("{RULES}    - {{{test}}}\n");
    let loaded = config::parse("g.yaml", &yaml, &Nothing).unwrap();
    let problems = prove(loaded).map_or_else(|problems| problems, |_| Vec::new());
    let errors = problems.iter().filter(|problem| problem.severity == config::Severity::Error);
    let errors: Vec<_> = errors.map(ToString::to_string).collect();
    errors.join("\n")
}

#[test]
fn what_comes_is_what_was_expected() {
    for test in [
        "scope: notes.read, call: delete_note, expect: 403",
        "scope: notes.read, call: delete_note, expect: denied",
        "scope: notes.read notes.write, call: delete_note, expect: 200",
        "scope: notes.read notes.admin, call: delete_note, expect: allowed",
        "scope: notes.write, call: delete_note, expect: 403",
        "scope: '', call: list, expect: 403",
        "call: delete_note, expect: 401",
        "call: debug_x, expect: 401",
        "method: tools/list, expect: 200",
        "method: ping, expect: 401",
        "scope: notes.read, call: admin_x, expect: in_band",
        "scope: notes.read, claims: {department: ops}, call: admin_x, expect: in_band",
        "scope: notes.read, claims: {department: [x, ops], team: {id: 7}}, call: admin_x, expect: 200",
        "scope: notes.read notes.admin, call: debug_x, expect: hidden",
        "scope: notes.read notes.admin, call: debug_x, expect: denied",
        "scope: notes.read, call: drop_all, expect: 403",
        "scope: notes.read, call: unheard_of, expect: hidden",
        "scope: notes.read, call: list, expect: 200",
        "scope: notes.read notes.export, call: export, arguments: {format: csv}, expect: 200",
        "scope: notes.read notes.export, call: export, arguments: {format: xml}, expect: 403",
        "scope: notes.read notes.export, call: export, expect: 403",
        "scope: notes.read, prompt: summary, expect: 403",
        "scope: notes.read, prompt: other, expect: 200",
        "scope: notes.read, resource: 'file:///secret/x', expect: hidden",
        "scope: notes.read, resource: 'file:///open/../secret/x', expect: 400",
        "scope: notes.read, resource: 'file:///open/x', expect: 200",
        "scope: notes.read, method: logging/setLevel, expect: 403",
        "scope: notes.read, method: notifications/x, expect: 403",
    ] {
        assert_eq!(failure(test), "", "{test}");
    }
}

#[test]
fn what_came_instead_is_said_with_the_rule_that_decided() {
    let place = "g.yaml:22:7: routes.notes.tests[0]: rule test: expected";
    for (test, expected) in [
        (
            "scope: notes.read notes.write, call: delete_note, expect: 403",
            "403, came 200 (forwarded): nothing is missing",
        ),
        (
            "scope: notes.read, call: delete_note, expect: 200",
            "200 (forwarded), came 403: scopes are missing, by the rule of line 11",
        ),
        (
            "scope: notes.write, call: list, expect: 200",
            "200 (forwarded), came 403: scopes are missing, by `required_scopes` of the route",
        ),
        (
            "call: list, expect: denied",
            "denied, came 401: there is no token, and `anonymous_methods` does not name the method",
        ),
        (
            "scope: notes.read, call: admin_x, expect: 403",
            "403, came in_band (a result that says so): a claim has no listed value, by the rule of line 12",
        ),
        (
            "scope: notes.read, call: debug_x, expect: 200",
            "200 (forwarded), came hidden (as if it did not exist): nobody may, by the rule of line 13",
        ),
        (
            "scope: notes.read, call: unheard_of, expect: 403",
            "403, came hidden (as if it did not exist): no pattern names the tool, and `unlisted_tools` is `deny`",
        ),
        (
            "scope: notes.read notes.export, call: export, arguments: {format: [csv]}, expect: 200",
            "200 (forwarded), came 403: an argument has no listed value, by the rule of line 15",
        ),
        (
            "scope: notes.read, method: Tools/List, expect: 200",
            "200 (forwarded), came 400 (nothing that can be judged): a method that differs from a known one only by case",
        ),
        (
            "scope: notes.read, method: logging/setLevel, expect: 200",
            "200 (forwarded), came 403: scopes are missing, by the rule of line 19",
        ),
    ] {
        assert_eq!(failure(test), format!("{place} {expected}"), "{test}");
    }
}

#[test]
fn shadow_does_not_make_a_test_pass() {
    let text = format!("{RULES}    - {{scope: notes.read, call: delete_note, expect: 200}}\n");
    let text = text.replace("    tests:", "    shadow: true\n    tests:");
    let problems = prove(config::parse("g.yaml", &text, &Nothing).unwrap()).unwrap_err();
    let severities: Vec<_> = problems.iter().map(|problem| problem.severity).collect();
    assert!(severities.contains(&config::Severity::Error), "{problems:?}");
    assert!(severities.contains(&config::Severity::Warning), "warnings are kept: {problems:?}");
}
