use super::*;
use crate::config::{self, ProcessEnvironment};

const YAML: &str = "\
public_url: https://mcp.example
authorization_servers:
  corp:
    issuer: https://as.example
    client: {id: gatehouse, secret: introspection-secret}
routes:
  notes:
    path: /notes
    upstream: http://127.0.0.1:9001/mcp
    required_scopes: [notes.read]
  tasks:
    path: /tasks
    upstream: http://127.0.0.1:9002/mcp
    required_scopes: []
";

fn settings(yaml: &str) -> Settings {
    config::parse("gatehouse.yaml", yaml, &ProcessEnvironment).unwrap().settings
}

fn words(from: &str, to: &str) -> String {
    assert!(YAML.contains(from), "{from}");
    Difference::between(&settings(YAML), &settings(&YAML.replace(from, to))).to_string()
}

#[test]
fn same_settings_have_no_difference_however_they_are_written() {
    let other = format!("# a comment\n\n{}", YAML.replace("[notes.read]", "\n    - notes.read"));
    let difference = Difference::between(&settings(YAML), &settings(&other));
    assert!(difference.is_empty(), "{difference}");
}

#[test]
fn difference_is_told_by_names_and_keys() {
    let another = "  more:\n    path: /more\n    upstream: http://127.0.0.1:1/\n    required_scopes: []\nroutes_end:";
    let added = format!("{YAML}{}", another.trim_end_matches("routes_end:"));
    let difference = Difference::between(&settings(YAML), &settings(&added));
    assert_eq!(difference.to_string(), "routes added: more");
    let difference = Difference::between(&settings(&added), &settings(YAML));
    assert_eq!(difference.to_string(), "routes removed: more");
    for (from, to, expected) in [
        ("notes.read", "notes.write", "routes changed: notes"),
        ("  notes:", "  wiki:", "routes added: wiki; routes removed: notes"),
        ("introspection-secret", "another-secret", "authorization servers changed: corp"),
        ("routes:", "listen: {limits: {max_connections: 5}}\nroutes:", "changed: listen.limits"),
        (
            "routes:",
            "listen: {proxy_protocol: [10.0.0.1]}\nroutes:",
            "changed: listen.proxy_protocol",
        ),
        ("routes:", "listen: {drain_timeout: 5s}\nroutes:", "changed: listen.drain_timeout"),
        ("routes:", "telemetry: {access_log: false}\nroutes:", "changed: telemetry.access_log"),
        ("routes:", "telemetry: {audit: stdout}\nroutes:", "changed: telemetry.audit"),
        (
            "routes:",
            "telemetry: {traces: {otlp_endpoint: 'http://127.0.0.1:4318'}}\nroutes:",
            "changed: telemetry.traces",
        ),
        (
            "routes:",
            "telemetry: {log: {level: debug}}\nroutes:",
            "needs a restart: telemetry.log.level",
        ),
    ] {
        assert_eq!(words(from, to), expected, "{to}");
    }
}

#[test]
fn no_value_is_told() {
    let told = words("introspection-secret", "canary-secret");
    assert!(!told.contains("canary") && !told.contains("introspection-secret"), "{told}");
}

#[test]
fn moved_address_is_noticed_and_named() {
    for key in ["listen", "admin"] {
        let other =
            YAML.replace("routes:", &format!("{key}: {{address: '127.0.0.1:7777'}}\nroutes:"));
        let difference = Difference::between(&settings(YAML), &settings(&other));
        assert_eq!(difference.moved(), Some(&*format!("{key}.address")));
        assert!(!difference.is_empty());
    }
}
