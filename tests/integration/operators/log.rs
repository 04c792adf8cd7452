//! The log: one line per request with the fields that operators query, and never a secret.

use serde_json::{Value, json};

use crate::harness::{
    NOTES, Parties, World,
    authorization_server::StubAuthorizationServer,
    client::Call,
    gateway::free_port,
    process::{Process, command, file},
};

const SECRET: &str = "canary-introspection-secret";

/// The binary between the parties, with its own log.
struct Logged {
    process: Process,
    parties: Parties,
    port: u16,
    admin: std::net::SocketAddr,
}

/// P03: the URI of a resource may carry a key, which goes to the MCP server alone.
#[tokio::test]
async fn uri_of_a_resource_is_shown_without_userinfo_and_query() {
    let rules = "    resources: {\"https://user*/secret*\": {deny: true}}\n";
    for rules in ["", rules] {
        let yaml = format!("{}\n{rules}", NOTES.trim_end());
        let logged = Logged::with("telemetry: {audit: stdout}", &yaml).await;
        let token = logged.mint(|claims| claims);
        let read = |uri: &str| {
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{{"uri":"{uri}"}}}}"#
            );
            logged.post(&body).bearer(&token)
        };
        for path in ["x", "secret"] {
            let padding = "p".repeat(300);
            let uri = format!("https://user:pw-canary{padding}@h/{path}?token=query-canary#f");
            assert_eq!(logged.line(read(&uri)).await["rpc_name"], format!("https://h/{path}"));
            let found = |line: &&String| line.contains("\"type\":\"audit\"");
            let audit = crate::harness::clock::eventually("an audit line", || {
                let lines = logged.process.lines();
                let name = format!("\"rpc_name\":\"https://h/{path}\"");
                lines
                    .iter()
                    .filter(found)
                    .find(|line| line.contains(&name))
                    .cloned()
                    .ok_or("none".into())
            });
            audit.await;
        }
        let status = Call::new(logged.admin, "GET", "/status.json").send().await.text();
        let all = logged.process.lines().join("\n") + &status;
        assert!(!all.contains("canary"), "{all}");
    }
}

/// P09: what a full disk costs is not said to be the audit stream's slowness.
#[tokio::test]
async fn disk_that_is_full_is_said_once_and_as_what_it_is() {
    let logged = Logged::start("telemetry: {audit: {file: /dev/full}}").await;
    let lost = "gatehouse_audit_lines_dropped_total{reason=\"write_failed\"} ";
    for count in 1..=3 {
        logged.line(logged.post("{}")).await;
        crate::harness::clock::eventually_heard("a line lost", async || {
            let text = Call::new(logged.admin, "GET", "/metrics").send().await.text();
            let found = text.lines().find_map(|line| line.strip_prefix(lost)).unwrap_or("0");
            if found == count.to_string() { Ok(()) } else { Err(found.to_owned()) }
        })
        .await;
    }
    let said = |event: &str| logged.process.events(event).len();
    assert_eq!(said("the audit stream cannot be written; lines are lost"), 1);
    assert_eq!(said("audit lines dropped: the audit stream does not keep up"), 0);
}

impl Logged {
    async fn start(telemetry: &str) -> Self {
        Self::with(telemetry, NOTES).await
    }

    async fn with(telemetry: &str, yaml: &str) -> Self {
        let parties = Parties::start().await;
        parties.authorization_server.expect_client(|_| true);
        let (port, admin) = (free_port(), free_port());
        let yaml = format!(
            "public_url: http://127.0.0.1:{port}\nlisten: {{address: '127.0.0.1:{port}'}}\nadmin: {{address: '127.0.0.1:{admin}'}}\n{telemetry}\n{}",
            parties.fill(yaml).replace("introspection-secret", "\"${INTROSPECTION_SECRET}\"")
        );
        let path = file(&yaml);
        let mut command = command(&["serve", "-c", path.to_str().unwrap()]);
        command.env("INTROSPECTION_SECRET", SECRET);
        let process = Process::serve(command).await;
        process.event("authorization server metadata found").await;
        Self { process, parties, port, admin: ([127, 0, 0, 1], admin).into() }
    }

    fn post(&self, body: &str) -> Call {
        Call::new(([127, 0, 0, 1], self.port).into(), "POST", "/notes").body(body)
    }

    fn mint(
        &self,
        edit: impl Fn(crate::harness::token::Token) -> crate::harness::token::Token,
    ) -> String {
        let claims = crate::harness::token::Token::new()
            .audience(&format!("http://127.0.0.1:{}/notes", self.port))
            .scope("notes.read");
        self.parties.authorization_server.mint(&edit(claims))
    }

    /// Sends a request and returns its one line.
    async fn line(&self, call: Call) -> Value {
        let response = call.send().await;
        let id = response.header("x-request-id").unwrap().to_owned();
        let of_this = |event: &Value| event["request_id"] == *id;
        let lines = crate::harness::clock::eventually("a log line", || {
            let lines: Vec<_> =
                self.process.events("request").into_iter().filter(of_this).collect();
            if lines.is_empty() { Err(self.process.lines().join("\n")) } else { Ok(lines) }
        })
        .await;
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(lines[0]["status"], json!(response.status));
        lines[0].clone()
    }
}

#[tokio::test]
async fn allowed_request_is_one_line_with_every_field() {
    let logged = Logged::start("").await;
    let token = logged.mint(|claims| claims);
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add"}}"#;
    let line = logged.line(logged.post(body).bearer(&token)).await;
    for (field, value) in [
        ("route", json!("notes")),
        ("method", json!("POST")),
        ("rpc_method", json!("tools/call")),
        ("rpc_name", json!("add")),
        ("status", json!(200)),
        ("outcome", json!("allowed")),
        ("subject", json!("alice")),
        ("client_id", json!("client-1")),
        ("issuer", json!(logged.parties.authorization_server.issuer())),
        ("upstream", json!(logged.parties.upstream.url())),
    ] {
        assert_eq!(line[field], value, "{field} in {line}");
    }
    for field in ["duration_ms", "auth_ms", "upstream_ms"] {
        assert!(line[field].as_f64().is_some_and(|ms| (0.0..10_000.0).contains(&ms)), "{line}");
    }
    assert_eq!(line.get("reason"), None);
}

/// Whatever came in the same piece as the beginning of a body that is streamed, and whatever did not.
#[tokio::test]
async fn line_names_the_operation_of_a_body_of_any_length() {
    let logged = Logged::start("").await;
    let token = logged.mint(|claims| claims);
    for length in [1_000, 65_000, 65_536, 65_537, 66_000, 80_000, 200_000] {
        let call = |filler: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"add","arguments":{{"x":"{filler}"}}}}}}"#
            )
        };
        let body = call(&"x".repeat(length - call("").len()));
        assert_eq!(body.len(), length);
        let line = logged.line(logged.post(&body).bearer(&token)).await;
        let named = (&line["rpc_method"], &line["rpc_name"]);
        assert_eq!(named, (&json!("tools/call"), &json!("add")), "{length}");
    }
    let behind = format!("{}{}", call_behind("x"), " ".repeat(80_000));
    let line = logged.line(logged.post(&behind).bearer(&token)).await;
    assert_eq!((&line["rpc_method"], &line["rpc_name"]), (&Value::Null, &Value::Null), "{line}");
}

/// A message, and something behind its end.
fn call_behind(more: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"add"}}}}{more}"#)
}

#[tokio::test]
async fn refusal_says_what_would_cure_it() {
    let logged = Logged::start("").await;
    let foreign = logged.mint(|claims| claims.audience("account"));
    let line = logged.line(logged.post("{}").bearer(&foreign)).await;
    assert_eq!((&line["subject"], &line["client_id"]), (&json!("alice"), &json!("client-1")));
    assert_eq!((&line["outcome"], &line["reason"]), (&json!("denied"), &json!("wrong_audience")));
    let port = logged.port;
    assert_eq!(
        line["detail"],
        format!(
            "aud is [account]; this route accepts [http://127.0.0.1:{port}/notes]: add an audience mapper, or routes.notes.audiences"
        )
    );
    for (call, reason, cure) in [
        (logged.post("{}"), "missing_token", "no bearer token"),
        (logged.post("{}").bearer("unknown"), "inactive", "corp says the token is not active"),
        (
            logged.post("{}").bearer(&logged.mint(|claims| claims.scope("other"))),
            "insufficient_scope",
            "notes.read",
        ),
        (
            logged.post("{}").bearer(&logged.mint(|claims| claims.with("iss", "https://other"))),
            "wrong_issuer",
            "accepted_issuers",
        ),
        (logged.post("{}").host("evil.example"), "host_not_allowed", "listen.allowed_hosts"),
        (
            logged.post("{}").header("Origin", "https://evil.example"),
            "origin_not_allowed",
            "listen.allowed_origins",
        ),
    ] {
        let line = logged.line(call).await;
        assert_eq!(line["reason"], reason, "{line}");
        assert!(line["detail"].as_str().unwrap().contains(cure), "{line}");
    }
}

#[tokio::test]
async fn method_that_was_not_read_is_not_named() {
    let logged = Logged::start("").await;
    let line = logged.line(logged.post("{}").header("Content-Length", "8, 8")).await;
    assert_eq!((&line["reason"], line.get("method")), (&json!("ambiguous_framing"), None));
}

#[tokio::test]
async fn secrets_never_appear() {
    let logged = Logged::start("telemetry: {log: {level: trace}}").await;
    let token = "canary-access-token";
    let claims = World::start().await.claims();
    logged.parties.authorization_server.know(token, &claims.json());
    for call in [
        logged.post("{}").bearer(token),
        logged.post("{}").bearer("canary-unknown-token"),
        logged.post("{}").bearer("canary-malformed token"),
        logged.post("{}").header("Authorization", "Basic canary-basic"),
        logged.post("{}").header("Cookie", "canary-cookie"),
        logged.post(r#"{"id":1,"method":"x","params":{"arguments":"canary-argument"}}"#),
    ] {
        logged.line(call).await;
    }
    let in_query =
        Call::new(([127, 0, 0, 1], logged.port).into(), "GET", "/notes?access_token=canary-query");
    logged.line(in_query).await;
    let log = logged.process.lines().join("\n");
    assert!(!log.contains("canary"), "{log}");
}

#[tokio::test]
async fn five_inactive_answers_at_first_are_suspicious_once() {
    let logged = Logged::start("").await;
    let warnings = || {
        let lines = logged.process.lines();
        lines.iter().filter(|line| line.contains("may this client")).count()
    };
    for n in 0..8 {
        logged.line(logged.post("{}").bearer(&format!("unknown-{n}"))).await;
        assert_eq!(warnings(), usize::from(n >= 4), "after {n} more");
    }
}

/// A server that is merely asked first knows none of the tokens of the others.
#[tokio::test]
async fn inactive_answers_about_tokens_that_may_be_anothers_are_not() {
    let partner = StubAuthorizationServer::start().await;
    let logged = Logged::with("", &crate::tokens::TWO.replace("PARTNER", partner.issuer())).await;
    partner.expect_client(|_| true);
    let warnings = || logged.process.lines().join("\n").matches("may this client").count();
    for n in 0..8 {
        logged.line(logged.post("{}").bearer(&format!("unknown-{n}"))).await;
    }
    assert_eq!(logged.parties.authorization_server.introspection_count(), 8);
    assert_eq!((partner.introspection_count(), warnings()), (8, 0));
    for n in 0..5 {
        let token = crate::tokens::jws(logged.parties.authorization_server.issuer());
        logged.line(logged.post("{}").bearer(&format!("{token}{n}"))).await;
    }
    assert_eq!((partner.introspection_count(), warnings()), (8, 1), "these name their server");
}

#[tokio::test]
async fn five_inactive_answers_after_an_active_one_are_not() {
    let logged = Logged::start("").await;
    logged.line(logged.post("{}").bearer(&logged.mint(|claims| claims))).await;
    for n in 0..8 {
        logged.line(logged.post("{}").bearer(&format!("unknown-{n}"))).await;
    }
    assert!(!logged.process.lines().join("\n").contains("may this client"));
}

#[tokio::test]
async fn requests_are_not_logged_when_that_is_switched_off() {
    let logged = Logged::start("telemetry: {access_log: false}").await;
    logged.post("{}").send().await;
    logged.process.signal("TERM");
    logged.process.event("stopped").await;
    assert_eq!(logged.process.events("request").len(), 0);
}
