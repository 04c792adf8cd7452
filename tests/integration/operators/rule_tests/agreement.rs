//! What a rule test says and what the gateway does are one and the same.

use serde_json::{Value, json};

use crate::harness::{NOTES, World, json, raw::RawResponse, upstream::Reply};

const RULES: &str = "    anonymous_methods: [tools/list, prompts/get]
    tools:
      list: []
      delete_note: [notes.write]
      'admin_*': {claims: {/team/id: [7, ops]}, when_denied: in_band}
      'debug_*': {deny: true}
      export: {any_scope: [notes.export, notes.admin], arguments: {format: [csv, json]}}
    prompts: {summary: [notes.write]}
    resources: {'file:///secret/*': {required_scopes: [notes.secret], when_denied: hide}}
    methods: {'logging/*': [notes.admin]}
    unlisted_tools: deny
    tests:
";

/// A rule test, and the token and message of the same request.
struct Row {
    test: &'static str,
    scope: Option<&'static str>,
    team: Value,
    method: &'static str,
    params: Value,
}

fn row(
    test: &'static str,
    scope: Option<&'static str>,
    (method, params): (&'static str, Value),
) -> Row {
    Row { test, scope, team: json!({ "id": 1 }), method, params }
}

fn call(name: &str) -> (&'static str, Value) {
    ("tools/call", json!({ "name": name }))
}

fn rows() -> Vec<Row> {
    let read = Some("notes.read");
    let export = Some("notes.read notes.export");
    let with = |format: &str| {
        ("tools/call", json!({ "name": "export", "arguments": { "format": format } }))
    };
    let uri = |uri: &str| ("resources/read", json!({ "uri": uri }));
    vec![
        row("call: list, expect: 200", read, call("list")),
        row("call: delete_note, expect: 403", read, call("delete_note")),
        row("call: delete_note, expect: 200", Some("notes.read notes.write"), call("delete_note")),
        row("call: delete_note, expect: 403", Some("notes.write"), call("delete_note")),
        row("call: admin_x, claims: {team: {id: 1}}, expect: in_band", read, call("admin_x")),
        Row {
            team: json!({ "id": [1, 7] }),
            ..row("call: admin_x, claims: {team: {id: [1, 7]}}, expect: 200", read, call("admin_x"))
        },
        row("call: debug_x, expect: hidden", read, call("debug_x")),
        row("call: unheard_of, expect: hidden", read, call("unheard_of")),
        row("call: export, arguments: {format: csv}, expect: 200", export, with("csv")),
        row("call: export, arguments: {format: xml}, expect: 403", export, with("xml")),
        row("prompt: summary, expect: 403", read, ("prompts/get", json!({ "name": "summary" }))),
        row("resource: 'file:///secret/x', expect: hidden", read, uri("file:///secret/x")),
        row("resource: 'file:///a/../secret/x', expect: 400", read, uri("file:///a/../secret/x")),
        row("method: logging/setLevel, expect: 403", read, ("logging/setLevel", json!({}))),
        row("method: tools/list, expect: 200", None, ("tools/list", json!({}))),
        row("method: ping, expect: 401", None, ("ping", json!({}))),
        row("prompt: open, expect: 200", None, ("prompts/get", json!({ "name": "open" }))),
        row("prompt: summary, expect: 401", None, ("prompts/get", json!({ "name": "summary" }))),
    ]
}

/// What a response would be called in a rule test.
fn came(response: &RawResponse, is_forwarded: bool) -> String {
    if is_forwarded || response.status != 200 {
        return response.status.to_string();
    }
    let body = json(&response.text());
    if body["error"]["code"] == -32602 {
        "hidden".to_owned()
    } else {
        assert_eq!(body["result"]["isError"], true, "{body}");
        "in_band".to_owned()
    }
}

#[tokio::test]
async fn rule_tests_say_what_the_gateway_does() {
    let tests: String = rows()
        .iter()
        .map(|row| match row.scope {
            Some(scope) => format!("      - {{scope: {scope}, {}}}\n", row.test),
            None => format!("      - {{{}}}\n", row.test),
        })
        .collect();
    // A gateway whose rule tests fail would not start.
    let world = World::with(&format!("{NOTES}{RULES}{tests}")).await;
    world.upstream.answer(|_| Reply::json(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#));
    for row in rows() {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": row.method, "params": row.params });
        let mut call = world.call().body(body.to_string());
        if let Some(scope) = row.scope {
            let claims = world.claims().scope(scope).with("team", row.team);
            call = call.bearer(&world.authorization_server.mint(&claims));
        }
        let before = world.upstream.requests().len();
        let response = call.send().await;
        let is_forwarded = world.upstream.requests().len() > before;
        let (_, expected) = row.test.split_once("expect: ").unwrap();
        assert_eq!(came(&response, is_forwarded), expected, "{}: {response:?}", row.test);
        assert_eq!(is_forwarded, expected == "200", "{}", row.test);
    }
}
