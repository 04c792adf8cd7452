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

/// Q02: what readers of YAML disagree about, or a hand slips into.
#[test]
fn files_that_can_be_read_in_two_ways() {
    let bomb: Vec<_> = (1..20)
        .map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", ")))
        .collect();
    let bomb = bomb.concat();
    for (from, to) in [
        ("required_scopes:", "scops:"),
        ("    path: /notes", "\tpath: /notes"),
        ("path: /notes", "path: [/notes]"),
        ("path: /notes", "path: 1e3"),
        ("path: /notes", "path: null"),
        ("path: /notes", "path:"),
        ("path: /notes", "path: /notes\n    path: /notes"),
        ("path: /notes", "path: &path /notes"),
        ("path: /notes", "<<: {path: /notes}"),
        ("path: /notes", "path: !!str /notes"),
        ("path: /notes", "path: /notes\n    shadow: yes"),
        ("path: /notes", "path: /notes\n    shadow: 'true'"),
        ("path: /notes", "path: /notes\n    shadow: no"),
        ("routes:", "listen: {limits: {max_connections: 0o17}}\nroutes:"),
        ("routes:", "listen: {limits: {max_connections: 1e3}}\nroutes:"),
        ("routes:", "---\nroutes:"),
        (BASE, ""),
        (BASE, "null"),
        (BASE, "[]"),
        (BASE, &bomb),
    ] {
        let found = problems(&BASE.replacen(from, to, 1));
        assert!(!found.is_empty(), "{to} was taken");
    }
    let large = format!("{BASE}#{}", "x".repeat(1 << 20));
    assert!(problems(&large)[0].contains("longer than 1048576 bytes"));
}

/// Q03: a secret that is not there is none; a line break at its end is not part of it.
#[test]
fn secrets_that_are_none() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.join(format!("secret-{name}-{}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let with = |secret: &str| BASE.replace("secret: s", secret);
    for secret in [
        "secret: ''".to_owned(),
        "secret: null".to_owned(),
        "secret: '${GATEHOUSE_TEST_NOWHERE}'".to_owned(),
        "secret: '${GATEHOUSE_TEST_NOWHERE:-}'".to_owned(),
        "secret_file: /nonexistent/secret".to_owned(),
        format!("secret_file: {}", folder.display()),
        format!("secret_file: {}", file("empty", b"")),
        format!("secret_file: {}", file("blank", b"\r\n\n")),
        format!("secret_file: {}", file("binary", b"\xff\xfe")),
        format!("secret_file: {}", file("long", &vec![b'x'; (64 << 10) + 1])),
    ] {
        let found = problems(&with(&secret));
        assert!(!found.is_empty(), "{secret} was taken");
        assert!(found.iter().all(|text| text.contains("corp.client")), "{found:?}");
    }
    let ended = file("ended", b"hunter2\r\n");
    let loaded = config::parse(
        "gatehouse.yaml",
        &with(&format!("secret_file: {ended}")),
        &ProcessEnvironment,
    );
    let server = &loaded.unwrap().settings.authorization_servers[0];
    let plain = config::parse("gatehouse.yaml", &with("secret: hunter2"), &ProcessEnvironment);
    assert_eq!(server.client, plain.unwrap().settings.authorization_servers[0].client);
}

/// Q05: no scopes at all is written as an empty list, and as nothing else.
#[test]
fn no_scopes_are_an_empty_list() {
    let with = |scopes: &str| BASE.replace("[notes.read]", scopes);
    assert_eq!(problems(&with("[]")), [""; 0]);
    for scopes in ["", "null", "~", "''", "{}", "false", "['']", "[null]", "['a b']", "notes.read"]
    {
        assert!(!problems(&with(scopes)).is_empty(), "{scopes} was taken");
    }
}
