//! `gatehouse suggest`: rules to start from, from servers of every era.

mod coverage;
mod transports;

use serde_json::{Value, json};

use crate::harness::{
    NOTES, Parties,
    process::{Said, command, file},
    raw::Received,
    upstream::Reply,
};

/// Runs `gatehouse suggest` for the route `notes`.
async fn suggest(yaml: &str, arguments: &[&str]) -> Said {
    let path = file(yaml);
    let mut run = command(&["suggest", "-c", path.to_str().unwrap(), "--route", "notes"]);
    run.args(arguments).env_remove("GATEHOUSE_TOKEN");
    tokio::task::spawn_blocking(move || said(run)).await.unwrap()
}

fn said(mut run: std::process::Command) -> Said {
    let output = run.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// A whole configuration with this route.
fn configuration(parties: &Parties, more: &str) -> String {
    format!("public_url: http://127.0.0.1:8080\n{}{more}", parties.fill(NOTES))
}

/// What a server with some of everything answers, by method.
fn result(request: &Value) -> Option<Value> {
    let tool =
        |name: &str, hints: Value| json!({"name": name, "inputSchema": {}, "annotations": hints});
    Some(match request["method"].as_str()? {
        "initialize" => json!({
            "protocolVersion": request["params"]["protocolVersion"],
            "capabilities": {"tools": {}, "prompts": {}, "resources": {}},
            "serverInfo": {"name": "x", "version": "1"},
        }),
        "tools/list" => match request["params"]["cursor"].as_str() {
            None => json!({
                "tools": [
                    tool("list_notes", json!({"readOnlyHint": true})),
                    tool("delete_note", json!({"readOnlyHint": false, "destructiveHint": true})),
                ],
                "nextCursor": "second page",
            }),
            Some("second page") => json!({
                "tools": [
                    tool("save", json!({"destructiveHint": false, "idempotentHint": true})),
                    tool("send", json!({"destructiveHint": false, "openWorldHint": true})),
                    {"name": "mystery*", "inputSchema": {}},
                    {"name": "list_notes", "inputSchema": {}},
                    {"name": "two\nlines: [evil]", "inputSchema": {}},
                ],
            }),
            Some(_) => return None,
        },
        "prompts/list" => json!({"prompts": [{"name": "sum up"}]}),
        "resources/list" => json!({"resources": [{"uri": "notes://1", "name": "x"}]}),
        "resources/templates/list" => {
            json!({"resourceTemplates": [{"uriTemplate": "notes://{id}/text", "name": "x"}]})
        }
        _ => return None,
    })
}

/// The JSON-RPC response to a request.
fn response(request: &Value) -> String {
    let message = if let Some(result) = result(request) {
        json!({"jsonrpc": "2.0", "id": request["id"], "result": result})
    } else {
        let error = json!({"code": -32601, "message": "Method not found"});
        json!({"jsonrpc": "2.0", "id": request["id"], "error": error})
    };
    message.to_string()
}

fn message(request: &Received) -> Value {
    serde_json::from_slice(&request.body).unwrap_or(Value::Null)
}

/// A server of 2025-11-25 with sessions.
fn with_sessions(request: &Received) -> Reply {
    let message = message(request);
    if request.method == "DELETE" {
        return Reply::with(204, &[], "");
    }
    if message["method"] == "initialize" {
        let fields = [("Content-Type", "application/json"), ("Mcp-Session-Id", "s-1")];
        return Reply::with(200, &fields, &response(&message));
    }
    assert_eq!(request.header("mcp-session-id"), Some("s-1"));
    assert_eq!(request.header("mcp-protocol-version"), Some("2025-11-25"));
    if message["id"].is_null() {
        return Reply::with(202, &[], "");
    }
    Reply::json(&response(&message))
}

/// What is proposed for it, behind the line that names the upstream.
const PROPOSED: &str = r#"# Paste them under the route and read them through: hints are the server's
# own word. Every scope comes on top of the route's required_scopes.
# Left out: 1 item without a name that a request could have.
tools:
  # only read (readOnlyHint)
  list_notes: [notes.read]
  # change things and destroy none (destructiveHint: false)
  save: [notes.write]  # idempotentHint: repeating a call changes nothing more
  send: [notes.write, notes.external]
  # may destroy (readOnlyHint: false or destructiveHint: true)
  delete_note: [notes.delete]
  # without hints, which the specification takes for destructive: look at each
  "mystery\\*": [notes.delete]
# Refuses tools that the server adds later until a rule names them:
# unlisted_tools: deny
prompts:
  "sum up": [notes.read]
resources:
  "notes://1": [notes.read]
  "notes://*/text": [notes.read]
# At the top level of the file, so that broader scopes stand for narrower:
# scope_implies:
#   notes.delete: [notes.write]
#   notes.write: [notes.read]
"#;

/// Asserts that everything was proposed, and returns the revision that was spoken.
#[track_caller]
fn assert_proposed(said: &Said) -> String {
    assert_eq!(said.code, Some(0), "{said:?}");
    let (head, rest) = said.out.split_once("# Paste").unwrap();
    assert_eq!(format!("# Paste{rest}"), PROPOSED);
    assert!(head.ends_with(": 5 tools, 1 prompt, 2 resources.\n"), "{head}");
    head.split("revision ").nth(1).unwrap().split(':').next().unwrap().to_owned()
}

/// What is proposed, pasted under the route.
fn pasted(said: &Said) -> String {
    let lines: Vec<String> = said.out.lines().map(|line| format!("    {line}")).collect();
    format!("{}\n", lines.join("\n"))
}

#[tokio::test]
async fn what_is_proposed_can_be_pasted_and_then_covers_everything() {
    let parties = Parties::start().await;
    parties.upstream.answer(with_sessions);
    let first = suggest(&configuration(&parties, ""), &[]).await;
    assert_proposed(&first);
    let again = suggest(&configuration(&parties, &pasted(&first)), &[]).await;
    assert_proposed(&again);
    assert_eq!(again.err, "routes.notes: the present rules cover all that is listed\n");
}

#[tokio::test]
async fn wrong_use_is_told() {
    let parties = Parties::start().await;
    let path = file(&configuration(&parties, ""));
    let config = path.to_str().unwrap().to_owned();
    for (arguments, words) in [
        (vec!["--route", "nots"], "there is no route \"nots\"; there are notes"),
        (vec!["--route", "notes", "--token-file", "/nowhere"], "--token-file: entity not found"),
        (vec![], "--route"),
    ] {
        let mut run = command(&["suggest", "-c", &config]);
        run.args(arguments).env_remove("GATEHOUSE_TOKEN");
        let said = tokio::task::spawn_blocking(move || said(run)).await.unwrap();
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{said:?}");
        assert!(said.err.contains(words), "{said:?}");
    }
    assert_eq!(parties.upstream.bytes_received(), 0);
}
