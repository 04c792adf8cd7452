//! Configurations that would open what looks closed: refused before anything listens.

use gatehouse::config::{self, ProcessEnvironment};

const BASE: &str = "public_url: http://127.0.0.1:1
authorization_servers:
  corp:
    issuer: https://auth.example
    client: {id: gatehouse, secret: s}
routes:
  notes:
    path: /notes
    upstream: http://127.0.0.1:3001/mcp
    required_scopes: [notes.read]
";

fn problems(yaml: &str) -> Vec<String> {
    match config::parse("gatehouse.yaml", yaml, &ProcessEnvironment) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

/// Asserts that the configuration is good as it is, and refused with this replacement.
#[track_caller]
fn assert_refused(from: &str, to: &str) {
    assert!(BASE.contains(from), "{from}");
    let problems = problems(&BASE.replace(from, to));
    assert!(!problems.is_empty(), "{to} was taken");
    assert!(problems.iter().all(|text| text.contains("gatehouse.yaml:")), "{problems:?}");
}

/// B23: two routes of one path, whatever their order.
#[test]
fn ghsa_fgjj_overlapping_routes() {
    assert!(problems(BASE).is_empty(), "{:?}", problems(BASE));
    let second = |path: &str| {
        format!(
            "{BASE}  second:\n    path: {path}\n    upstream: http://127.0.0.1:3002/mcp\n    access: public\n"
        )
    };
    assert!(problems(&second("/other")).is_empty());
    for path in [
        "/notes",
        "/notes/",
        "/.well-known/x",
        "/notes/.well-known/x",
        "/a/../notes",
        "//notes",
        "/n%6ftes/%2e",
        "notes",
    ] {
        assert!(!problems(&second(path)).is_empty(), "{path} was taken");
    }
    let twice = format!(
        "{BASE}  notes:\n    path: /other\n    upstream: http://127.0.0.1:2/\n    access: public\n"
    );
    assert!(!problems(&twice).is_empty(), "a name twice");
}

/// O08, O10: where we connect to is an http(s) URL of one reading; plain http only to loopback.
#[test]
fn urls_that_lead_elsewhere() {
    for url in [
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "ftp://127.0.0.1/",
        "unix:/run/x.sock",
        "//127.0.0.1/mcp",
        "http:///mcp",
        "http://user:pass@127.0.0.1/mcp",
        "http://127.0.0.1\\\\@evil.example/",
        "http://127.0.0.1/mcp#x",
        "",
    ] {
        assert_refused("upstream: http://127.0.0.1:3001/mcp", &format!("upstream: \"{url}\""));
        assert_refused("issuer: https://auth.example", &format!("issuer: \"{url}\""));
    }
    for url in [
        "http://auth.example",
        "http://169.254.169.254",
        "http://[::ffff:169.254.169.254]",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://0.0.0.0",
    ] {
        assert_refused("issuer: https://auth.example", &format!("issuer: \"{url}\""));
    }
}

/// Q01: a route without authorization server is public only when it says so.
#[test]
fn route_without_authorization_server_is_not_public() {
    let servers = "authorization_servers:\n  corp:\n    issuer: https://auth.example\n    client: {id: gatehouse, secret: s}\n";
    assert_refused(servers, "authorization_servers: {}\n");
    assert_refused("required_scopes: [notes.read]", "required_scope: [notes.read]");
    assert_refused("required_scopes: [notes.read]", "access: optional");
    assert_refused("required_scopes: [notes.read]", "access: anonymous");
}
