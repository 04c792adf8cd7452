//! The audit stream: a line for each decision, complete, with what was judged and nothing else.

use std::{collections::HashSet, fs, path::PathBuf, sync::Arc};

use gatehouse::reload::Outcome;
use serde_json::{Value, json};

use crate::harness::{
    NOTES, PING, Parties, World, assert_answered,
    authorization_server::Answer,
    client::Call,
    clock::{eventually, eventually_heard},
    gateway::free_port,
    json,
    process::{Process, command, file},
};

mod load;

const RULES: &str = "
    tools:
      write_note: [notes.write]
      hidden: {required_scopes: [notes.admin], when_denied: hide}
      report: {required_scopes: [notes.report], when_denied: in_band}
      \"debug_*\": {deny: true}
    unlisted_tools: allow
";

/// A path of a test's own.
fn path(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("audit-{name}-{}.jsonl", std::process::id()));
    // Left behind by an earlier run, if at all.
    let _ = fs::remove_file(&path);
    path
}

/// A configuration that writes to a file; without access log, which it does not need.
fn audited(path: &std::path::Path, more: &str) -> String {
    let audit = format!("audit: {{file: '{}'{more}}}", path.display());
    format!("telemetry: {{access_log: false, {audit}}}\n{}{RULES}", NOTES.trim_end())
}

/// The lines, once there are so many.
async fn lines(path: &std::path::Path, count: usize) -> Vec<Value> {
    eventually("the audit stream", || {
        let text = fs::read_to_string(path).unwrap();
        let found: Vec<Value> = text.lines().map(json).collect();
        if found.len() >= count { Ok(found) } else { Err(text) }
    })
    .await
}

fn tool(name: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{name}","arguments":{{"text":"argument-canary"}}}}}}"#
    )
}

fn post(world: &World, scope: &str, body: &str) -> Call {
    let token = world.authorization_server.mint(&world.claims().scope(scope));
    world.gateway.post("/notes").bearer(&token).body(body)
}

/// What a line must say: status, outcome, reason, rule and required scopes.
type Told = (u16, &'static str, Option<&'static str>, Option<&'static str>, Option<Value>);

/// One call for each kind of decision.
fn cases(world: &World) -> Vec<(Call, Told)> {
    let reader = |body: &str| post(world, "notes.read", body);
    let refused = |status, outcome, reason| (status, outcome, Some(reason), None, None);
    let short = |status, rule, scopes| {
        (status, "denied", Some("insufficient_scope"), Some(rule), Some(scopes))
    };
    vec![
        (reader(&tool("add")), (200, "allowed", None, None, Some(json!(["notes.read"])))),
        (world.call().body(tool("add")), refused(401, "denied", "missing_token")),
        (world.call().bearer("unknown"), refused(401, "denied", "inactive")),
        (
            reader(&tool("write_note")),
            short(403, "routes.notes.tools.write_note", json!(["notes.read", "notes.write"])),
        ),
        (
            reader(&tool("hidden")),
            short(200, "routes.notes.tools.hidden", json!(["notes.read", "notes.admin"])),
        ),
        (
            reader(&tool("report")),
            short(200, "routes.notes.tools.report", json!(["notes.read", "notes.report"])),
        ),
        (
            reader(&tool("debug_dump")),
            (
                200,
                "denied",
                Some("denied_by_rule"),
                Some("routes.notes.tools.debug_*"),
                Some(json!(["notes.read"])),
            ),
        ),
        (reader("{"), refused(400, "refused", "not_json")),
        (
            reader(PING).header("Origin", "http://evil.example"),
            refused(403, "refused", "origin_not_allowed"),
        ),
    ]
}

#[tokio::test]
async fn each_decision_is_one_line_with_what_was_judged() {
    let path = path("decisions");
    let world = World::with(&audited(&path, "")).await;
    let cases = cases(&world);
    let count = cases.len();
    for (number, (call, told)) in cases.into_iter().enumerate() {
        let (status, outcome, reason, rule, scopes) = told;
        let response = call.send().await;
        assert_eq!(response.status, status, "{response:?}");
        let line = lines(&path, number + 1).await.pop().unwrap();
        let field = |name: &str| line.get(name).and_then(Value::as_str);
        assert_eq!(field("type"), Some("audit"));
        assert_eq!(field("request_id"), response.header("x-request-id"));
        assert_eq!(line["status"], json!(status), "{line}");
        let found = (field("outcome"), field("reason"), field("rule"));
        assert_eq!(found, (Some(outcome), reason, rule), "{line}");
        assert_eq!(line.get("required_scopes"), scopes.as_ref(), "{line}");
        assert_eq!((field("route"), field("method")), (Some("notes"), Some("POST")), "{line}");
        assert_eq!(line["config_generation"], 1, "{line}");
        assert!(field("time").unwrap().ends_with('Z') && line.get("client_address").is_none());
        let is_known = field("subject").is_some();
        assert_eq!(is_known, matches!(status, 200) || rule.is_some() || status == 400, "{line}");
    }
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), count);
    let allowed = &lines(&path, count).await[0];
    let expected = json!({
        "type": "audit", "time": allowed["time"], "request_id": allowed["request_id"],
        "route": "notes", "config_generation": 1, "outcome": "allowed", "status": 200,
        "issuer": world.authorization_server.issuer(), "subject": "alice", "client_id": "client-1",
        "method": "POST", "rpc_method": "tools/call", "rpc_name": "add",
        "required_scopes": ["notes.read"],
    });
    assert_eq!(*allowed, expected, "and nothing else");
}

#[tokio::test]
async fn outages_and_shadowed_routes_are_told_apart() {
    let path = path("outages");
    let yaml = audited(&path, "").replace("unlisted_tools: allow", "shadow: true");
    let world = World::with(&yaml).await;
    assert_eq!(post(&world, "notes.read", &tool("write_note")).send().await.status, 200);
    world.authorization_server.answer_for("failing", Answer::status(500));
    assert_eq!(world.call().bearer("failing").send().await.status, 503);
    let port = free_port();
    let gone = format!("http://127.0.0.1:{port}/mcp");
    assert_eq!(world.reload(&yaml.replace("UPSTREAM", &gone)), Outcome::Applied);
    assert_eq!(post(&world, "notes.read", PING).send().await.status, 502);
    let lines = lines(&path, 3).await;
    let told = |line: &Value| {
        let field = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        (
            field("outcome"),
            field("reason"),
            line["status"].clone(),
            line["config_generation"].clone(),
        )
    };
    let owned = |one: &str, other: &str| (one.to_owned(), other.to_owned());
    let expect = |(outcome, reason), status: u16, generation: u32| {
        (outcome, reason, json!(status), json!(generation))
    };
    assert_eq!(
        lines.iter().map(told).collect::<Vec<_>>(),
        [
            expect(owned("would_deny", "insufficient_scope"), 200, 1),
            expect(owned("denied", "authorization_server_unavailable"), 503, 1),
            // It was let through, whatever the upstream made of it.
            expect(owned("allowed", "upstream_unreachable"), 502, 2),
        ]
    );
    assert_eq!(lines[0]["rule"], "routes.notes.tools.write_note");
    assert_eq!(lines[0]["required_scopes"], json!(["notes.read", "notes.write"]));
}

/// A batch of calls of these tools.
fn batch(count: usize, name: impl Fn(usize) -> String) -> String {
    let calls: Vec<_> = (0..count).map(|number| tool(&name(number))).collect();
    format!("[{}]", calls.join(","))
}

#[tokio::test]
async fn every_operation_of_a_batch_is_in_its_line_within_bounds() {
    let path = path("batches");
    let world = World::with(&audited(&path, "")).await;
    let names = |line: &Value| -> Vec<String> {
        let operations = line["operations"].as_array().unwrap();
        operations.iter().map(|each| each["rpc_name"].as_str().unwrap().to_owned()).collect()
    };
    let three = batch(3, |number| format!("tool-{number}"));
    assert_eq!(post(&world, "notes.read", &three).send().await.status, 200);
    let one_is_denied = format!("[{},{}]", tool("add"), tool("write_note"));
    assert_eq!(post(&world, "notes.read", &one_is_denied).send().await.status, 403);
    let many = batch(100, |number| number.to_string());
    assert_eq!(post(&world, "notes.read", &many).send().await.status, 200);
    let long = batch(100, |number| format!("{number}{}", "x".repeat(190)));
    assert_eq!(post(&world, "notes.read", &long).send().await.status, 200);
    let found = lines(&path, 4).await;
    assert_eq!(names(&found[0]), ["tool-0", "tool-1", "tool-2"]);
    assert_eq!(names(&found[1]), ["add", "write_note"]);
    assert_eq!(found[1]["outcome"], "denied");
    assert_eq!((found[2]["operation_count"].clone(), names(&found[2]).len()), (json!(100), 50));
    assert_eq!((found[3]["operation_count"].clone(), names(&found[3]).len()), (json!(100), 20));
    // Where nobody judges operations, they are told all the same.
    let plain = audited(&path, "").replace(RULES.trim(), "");
    assert_eq!(world.reload(&plain), Outcome::Applied);
    assert_eq!(post(&world, "notes.read", &three).send().await.status, 200);
    assert_eq!(names(&lines(&path, 5).await[4]), ["tool-0", "tool-1", "tool-2"]);
}

/// P11: on a route without rules too a line names what every reader reads, or nothing.
#[tokio::test]
async fn operation_that_can_be_read_in_two_ways_is_not_named() {
    let path = path("two-ways");
    let world = World::with(&audited(&path, "").replace(RULES.trim(), "")).await;
    let filler = "x".repeat(65 * 1024);
    let bodies = [
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}"#.to_owned(),
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"x":"{filler}"}},"method":"tools/call"}}"#
        ),
        tool("add"),
    ];
    for body in &bodies {
        assert_eq!(post(&world, "notes.read", body).send().await.status, 200);
    }
    let found = lines(&path, 3).await;
    assert_eq!((&found[0]["rpc_method"], &found[1]["rpc_method"]), (&Value::Null, &Value::Null));
    assert_eq!(
        (&found[2]["rpc_method"], &found[2]["rpc_name"]),
        (&json!("tools/call"), &json!("add"))
    );
}

#[tokio::test]
async fn client_address_is_told_on_request_alone() {
    let path = path("addresses");
    let yaml = audited(&path, ", client_address: true");
    let world = World::with(&format!("listen: {{trusted_proxies: [127.0.0.0/8]}}\n{yaml}")).await;
    assert_answered(&world.authorized().send().await);
    let behind = world.authorized().header("X-Forwarded-For", "192.0.2.1, 198.51.100.7");
    assert_answered(&behind.send().await);
    let found = lines(&path, 2).await;
    assert_eq!(found[0]["client_address"], "127.0.0.1");
    assert_eq!(found[1]["client_address"], "198.51.100.7");
}

#[tokio::test]
async fn audit_stream_follows_the_configuration() {
    let (one, other) = (path("one"), path("other"));
    let world = World::with(&audited(&one, "")).await;
    assert_answered(&world.authorized().send().await);
    assert_eq!(world.reload(&audited(&other, "")), Outcome::Applied);
    assert_answered(&world.authorized().send().await);
    assert_eq!(lines(&other, 1).await[0]["config_generation"], 2);
    assert_eq!(world.reload(NOTES), Outcome::Applied);
    assert_answered(&world.authorized().send().await);
    let nowhere = audited(std::path::Path::new("/nowhere/audit.jsonl"), "");
    assert_eq!(world.reload(&nowhere), Outcome::Rejected, "no request may go unaudited");
    assert_answered(&world.authorized().send().await);
    assert_eq!((lines(&one, 1).await.len(), lines(&other, 1).await.len()), (1, 1));
}

/// P09: a full disk refuses nobody.
#[tokio::test]
async fn disk_that_is_full_is_counted_and_keeps_nobody_waiting() {
    let world = World::with(&audited(std::path::Path::new("/dev/full"), "")).await;
    for _ in 0..20 {
        assert_answered(&world.authorized().send().await);
    }
    let failed = r#"gatehouse_audit_lines_dropped_total{reason="write_failed"}"#;
    world.gateway.counts(failed, 20.0).await;
}

#[tokio::test]
async fn file_is_opened_anew_on_sigusr1_and_lines_on_standard_output_are_told_from_the_log() {
    let parties = Parties::start().await;
    let (port, admin, path) = (free_port(), free_port(), path("rotated"));
    let yaml = |audit: &str| {
        let address = format!(
            "public_url: http://127.0.0.1:{port}\nlisten: {{address: '127.0.0.1:{port}'}}\nadmin: {{address: '127.0.0.1:{admin}'}}\n"
        );
        format!("{address}telemetry: {{audit: {audit}}}\n{}", parties.fill(NOTES))
    };
    let call = || Call::new(([127, 0, 0, 1], port).into(), "POST", "/notes").body(PING);
    let configuration = file(&yaml(&format!("{{file: '{}'}}", path.display())));
    let arguments = ["serve", "-c", configuration.to_str().unwrap()];
    let mut process = Process::serve(command(&arguments)).await;
    assert_eq!(call().send().await.status, 401);
    lines(&path, 1).await;
    let rotated = path.with_extension("1");
    fs::rename(&path, &rotated).unwrap();
    process.signal("USR1");
    eventually("the file", || path.metadata().map_err(|why| why.to_string())).await;
    assert_eq!(call().send().await.status, 401);
    assert_eq!((lines(&path, 1).await.len(), lines(&rotated, 1).await.len()), (1, 1));
    fs::write(&configuration, yaml("stdout")).unwrap();
    process.signal("HUP");
    process.event("configuration reloaded").await;
    let response = call().send().await;
    let id = response.header("x-request-id").unwrap().to_owned();
    let of_this = eventually_heard("both lines", async || {
        let found: Vec<Value> = process.lines().iter().map(|line| json(line)).collect();
        let found: Vec<_> = found.into_iter().filter(|line| line["request_id"] == *id).collect();
        if found.len() == 2 { Ok(found) } else { Err(format!("{found:?}")) }
    })
    .await;
    let (audit, log): (Vec<_>, Vec<_>) = of_this.iter().partition(|line| line["type"] == "audit");
    assert_eq!((audit.len(), log.len()), (1, 1), "{of_this:?}");
    assert!(audit[0].get("level").is_none() && log[0]["level"] == "INFO", "{of_this:?}");
    process.signal("TERM");
    assert!(process.ended().await.success());
}

/// P01, P02: whatever bytes a request has, its line is one line, without tokens or arguments.
#[tokio::test]
async fn lines_have_neither_tokens_nor_arguments_and_cannot_be_forged() {
    let path = path("canaries");
    let world = World::with(&audited(&path, "")).await;
    let claims = world.claims().subject("al\r\nice\u{1b}[31m\u{202e}");
    world.authorization_server.know("token-canary", &claims.json());
    let texts = [r#"x\r\n{\"type\":\"audit\",\"forged\":1}"#, r"\u001b[31m\u0085\u2028", "<b>"];
    let long = "y".repeat(60_000);
    let mut sent = 0;
    for text in texts.into_iter().chain([&*long]) {
        let body = tool(text).replace("\"id\":1", &format!("\"id\":\"{text}\""));
        for call in [world.call().bearer("token-canary"), world.call().bearer("token-unknown")] {
            call.header("User-Agent", "agent-canary").body(body.clone()).send().await;
            sent += 1;
        }
    }
    assert_eq!(world.call().bearer("token-canary").body(tool("add")).send().await.status, 200);
    let found = lines(&path, sent + 1).await;
    assert_eq!(found.len(), sent + 1, "one line each");
    let ids: HashSet<_> = found.iter().map(|line| line["request_id"].to_string()).collect();
    assert_eq!(ids.len(), sent + 1);
    for line in fs::read_to_string(&path).unwrap().lines() {
        assert!(json(line).get("forged").is_none() && line.len() < 8192, "{line}");
        assert!(!line.contains("canary") && !line.contains("token-"), "{line}");
        let is_plain = |c: char| !c.is_control() && !matches!(c, '\u{202e}' | '\u{2028}');
        assert!(line.chars().all(is_plain), "{}", line.escape_debug());
    }
}
