//! What nobody may find: tokens, secrets and session ids in logs of the most talkative level, in
//! metrics, in bodies; and what nobody may forge: log lines and series.
//!
//! The gateway runs as a process of its own here, for there is one log in a process.

mod credentials;
mod jwt;
mod process;
mod traces;

use self::process::Process;
use crate::harness::{
    World, assert_answered,
    authorization_server::{Answer, StubAuthorizationServer},
    client::{Call, RawClient},
    clock::within,
    json,
    raw::RawResponse,
    token::now,
    upstream::{RESULT, Reply},
};

const CONFIGURATION: &str = "\
public_url: http://ADDRESS
listen: {address: ADDRESS}
admin: {address: ADMIN}
telemetry: {log: {level: trace}}
sessions: {keys: [c2VhbGluZy1rZXktY2FuYXJ5LTAxMjM0NTY3ODkwMTI]}
authorization_servers:
  corp:
    issuer: ISSUER
    client: {id: gatehouse, secret: introspection-secret}
routes:
  notes:
    path: /notes
    upstream: {urls: [UPSTREAM], headers: {X-Api-Key: upstream-key-canary}}
    required_scopes: [notes.read]
  open:
    path: /open
    upstream: UPSTREAM
    access: public
";

/// Every kind of request with a secret in it.
async fn provoke(gateway: &Process) -> Vec<RawResponse> {
    for (token, claims) in [
        ("token-good-canary", gateway.claims()),
        ("token-poor-canary", gateway.claims().scope("other")),
        ("token-expired-canary", gateway.claims().with("exp", now() - 1)),
        ("token-foreign-canary", gateway.claims().audience("https://other.example")),
    ] {
        gateway.know(token, &claims);
    }
    gateway.parties.authorization_server.answer_for("token-failing-canary", Answer::status(500));
    let odd = r#"{"active":"token-odd-canary"}"#;
    gateway.parties.authorization_server.answer_for("token-odd-canary", Answer::json(odd));
    gateway
        .parties
        .upstream
        .answer(|_| Reply::with(200, &[("Mcp-Session-Id", "upstream-session-canary")], RESULT));
    let notes = || gateway.post("/notes");
    let mut calls: Vec<Call> =
        ["good", "good", "poor", "expired", "foreign", "failing", "odd", "unknown"]
            .map(|kind| notes().bearer(&format!("token-{kind}-canary")))
            .to_vec();
    calls.extend([
        notes().bearer("token-good-canary").bearer("token-good-canary"),
        notes().header("Authorization", "Basic token-basic-canary"),
        notes().header("Authorization", "Bearer  token-spaced-canary"),
        notes().header("Authorization", "token-bare-canary"),
        notes().header("Cookie", "token-cookie-canary"),
        notes().header("Proxy-Authorization", "Bearer token-proxy-canary"),
        gateway.post("/notes?access_token=token-query-canary"),
        gateway.post("/open?access_token=token-query-canary"),
        gateway.post("/nowhere?access_token=token-query-canary"),
        gateway.post("/open").bearer("token-good-canary"),
        notes().bearer("token-good-canary").header("Mcp-Session-Id", "session-forged-canary"),
        notes().bearer("token-good-canary").host("evil.example"),
        notes().bearer("token-good-canary").header("Origin", "http://evil.example"),
        notes().bearer(&"token-long-canary".repeat(2000)),
    ]);
    let mut responses = Vec::new();
    for call in &calls {
        responses.push(call.send().await);
    }
    for end in ["X\r\n", "Content-Length: x\r\n", "Transfer-Encoding: x\r\n", "A: b\n"] {
        let head = format!(
            "POST /notes HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer token-good-canary\r\n{end}\r\n",
            gateway.address
        );
        let mut client = RawClient::connect(gateway.address).await;
        client.send(head).await;
        responses.push(client.response().await);
    }
    gateway.parties.upstream.next(Reply::RawThenClose(b"token-upstream-canary\r\n\r\n".to_vec()));
    responses.push(notes().bearer("token-good-canary").send().await);
    responses
}

/// P02, J27: at level trace too, no token, no secret and no session is found anywhere.
#[tokio::test]
async fn cve_2022_23469_no_secret_is_found_anywhere() {
    let gateway = Process::start("secrecy", "").await;
    let responses = provoke(&gateway).await;
    assert_answered(&responses[0]);
    let statuses: Vec<u16> = responses.iter().map(|response| response.status).collect();
    for status in [200, 400, 401, 403, 404, 421, 431, 502, 503] {
        let is_there = statuses.contains(&status) || (status == 431);
        assert!(is_there, "{status} was not provoked: {statuses:?}");
    }
    let log = gateway.logged(responses.len()).await.join("\n") + &gateway.log();
    assert!(log.contains(r#""route":"notes""#), "{log}");
    let metrics = Call::new(gateway.admin, "GET", "/metrics").send().await.text();
    assert!(metrics.contains("gatehouse_requests_total"), "{metrics}");
    let upstream = gateway.parties.upstream.log();
    assert!(upstream.contains("upstream-key-canary"), "its own key reaches the upstream");
    let references: Vec<&str> =
        responses.iter().filter_map(|response| response.header("mcp-session-id")).collect();
    assert!(!references.is_empty());
    let digest = "upstream-session-canary";
    let basic = "Z2F0ZWhvdXNlOmludHJvc3BlY3Rpb24tc2VjcmV0";
    for secret in ["token-", "introspection-secret", basic, "sealing-key", "c2VhbGluZy1rZXkt"] {
        assert!(!metrics.contains(secret), "{secret} is in the metrics: {metrics}");
        assert!(!upstream.contains(secret), "{secret} went upstream: {upstream}");
        for line in log.lines() {
            assert!(!line.contains(secret), "{secret} is in the log: {line}");
        }
        for response in &responses {
            let text = format!("{response:?}");
            assert!(!text.contains(secret), "{secret} is in a response: {text}");
        }
    }
    for secret in references.into_iter().chain(["upstream-key-canary", digest, "session-forged"]) {
        assert!(!metrics.contains(secret) && !log.contains(secret), "{secret} is in {log}");
    }
    for response in &responses {
        let text = format!("{response:?}");
        assert!(!text.contains(digest) && !text.contains("upstream-key-canary"), "{text}");
    }
}

/// P01: whatever bytes a request has, a log line is one line of JSON, and there is one each.
#[tokio::test]
async fn rustsec_2025_0055_log_lines_cannot_be_forged() {
    let gateway = Process::start("log", "").await;
    gateway.know("good", &gateway.claims().subject("al\r\nice\u{1b}[31m\u{202e}\0"));
    let odd = [
        r#"x\r\n{\"level\":\"INFO\",\"forged\":true}"#,
        r"\u001b[31mred",
        r"\u0000\u202e\u2028\u0085",
        r#"\"}{\"\\"#,
    ];
    let long = "y".repeat(60_000);
    let mut sent = 0;
    for text in odd.iter().copied().chain([&*long]) {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":"{text}","method":"{text}","params":{{"name":"{text}"}}}}"#
        );
        let call = gateway.post("/notes").bearer("good").body(body.clone());
        assert_answered(&call.send().await);
        assert_eq!(gateway.post("/notes").body(body).send().await.status, 401);
        sent += 2;
    }
    for (name, value) in [
        ("User-Agent", "a\u{1b}[31m"),
        ("X-Request-Id", "forged\u{202e}"),
        ("Mcp-Method", "\u{1b}"),
        ("traceparent", "00-\"\\-"),
    ] {
        gateway.post("/notes").bearer("good").header(name, value).send().await;
        sent += 1;
    }
    for target in ["/%22%7d", "/a|b", "/nowhere?%0d%0aforged"] {
        gateway.post(target).send().await;
        sent += 1;
    }
    let lines = gateway.logged(sent).await;
    assert_eq!(lines.len(), sent, "one line a request");
    for line in gateway.log().lines() {
        let value = json(line);
        assert!(value.get("forged").is_none(), "{line}");
        assert!(line.len() < 8 * 1024, "{} bytes in one line", line.len());
        let is_plain = |c: char| !c.is_control() && !matches!(c, '\u{202e}' | '\u{2028}');
        assert!(line.chars().all(is_plain), "{}", line.escape_debug());
    }
}

/// P11: every decision leaves a line that says who, where and why.
#[tokio::test]
async fn every_request_is_in_the_log() {
    let gateway = Process::start("audit", "").await;
    gateway.know("good", &gateway.claims());
    gateway.know("poor", &gateway.claims().scope("other"));
    for _ in 0..50 {
        for (token, status) in [("good", 200), ("poor", 403), ("bad", 401)] {
            assert_eq!(gateway.post("/notes").bearer(token).send().await.status, status);
        }
    }
    let lines = gateway.logged(150).await;
    let lines: Vec<_> = lines.iter().map(|line| json(line)).collect();
    for (status, outcome, reason) in
        [(200, "allowed", ""), (403, "denied", "insufficient_scope"), (401, "denied", "inactive")]
    {
        let of_status =
            lines.iter().filter(|line| line.to_string().contains(&format!(r#""status":{status}"#)));
        let of_status: Vec<_> = of_status.collect();
        assert_eq!(of_status.len(), 50, "{status}");
        for line in of_status {
            let text = line.to_string();
            assert!(text.contains(outcome) && text.contains(reason), "{text}");
            assert!(text.contains(r#""route":"notes""#), "{text}");
            assert_eq!(text.contains("alice"), status != 401, "{text}");
        }
    }
}

/// O09: a proxy in the environment is nobody's business here.
#[tokio::test]
async fn httpoxy_proxy_from_the_environment_is_not_used() {
    let canary = StubAuthorizationServer::start().await;
    let gateway = Process::start("proxy", canary.issuer()).await;
    gateway.know("good", &gateway.claims());
    let call = gateway.post("/notes").bearer("good").header("Proxy", canary.issuer());
    assert_answered(&call.send().await);
    assert!(canary.received().is_empty(), "{:?}", canary.received());
}

/// P04: no request makes a series.
#[tokio::test]
async fn series_do_not_grow_with_requests() {
    let world = World::start().await;
    let series = async || world.gateway.operate("/metrics").await.text().lines().count();
    let provoke = async |n: usize| {
        let method = ["PUT", "BREW", "x!", "PROPFIND", "LINK"][n % 5];
        world.gateway.request(&format!("{method}{n}"), "/notes").send().await;
        world.gateway.post(&format!("/path-{n}")).send().await;
        world.gateway.post("/notes").host(&format!("host-{n}.example")).send().await;
        let body = format!(r#"{{"id":{n},"method":"m{n}","params":{{"name":"t{n}"}}}}"#);
        world.gateway.post("/notes").bearer(&world.token()).body(body.clone()).send().await;
        world.gateway.post("/notes").bearer(&format!("t{n}")).body(body).send().await;
        world.gateway.get(&format!("/.well-known/x{n}")).send().await;
    };
    for n in 0..20 {
        provoke(n).await;
    }
    let before = series().await;
    for n in 20..120 {
        provoke(n).await;
    }
    assert_eq!(series().await, before);
    let text = world.gateway.operate("/metrics").await.text();
    for word in ["path-", "host-", "BREW", "opaque-", "alice", "client-1", "m20"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
}

/// P06, P07: operators' paths are on their own listener, under its own names, and change nothing.
#[tokio::test]
async fn cve_2026_27589_operators_listener() {
    let world = World::start().await;
    let admin = world.gateway.admin();
    for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", ""] {
        for path in ["/metrics", "/readyz", "/livez", "/status", "/status.json"] {
            let response = Call::new(admin, "GET", path).host(host).send().await;
            assert!(matches!(response.status, 400 | 421), "{host} {path}: {response:?}");
            let says = |word| response.text().contains(word);
            assert!(!says("gatehouse_") && !says("Gatehouse"), "{host} {path}");
        }
    }
    for path in [
        "//metrics",
        "/metrics/",
        "/METRICS",
        "/x/../metrics",
        "/%6detrics",
        "/metrics;x",
        "/status/",
        "/%73tatus",
        "/debug",
        "/config",
        "/reload",
        "/",
    ] {
        let response = Call::new(admin, "GET", path).send().await;
        assert_eq!(response.status, 404, "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "TRACE", "OPTIONS"] {
        let response = Call::new(admin, method, "/metrics").send().await;
        assert_eq!(response.status, 405, "{method}");
    }
    assert_eq!(Call::new(admin, "GET", "/metrics").send().await.status, 200);
    let mut silent = RawClient::connect(admin).await;
    within("sending", silent.try_send("GET /metrics HTTP/1.1\r\n")).await;
    assert_eq!(Call::new(admin, "GET", "/livez").send().await.status, 200);
}
