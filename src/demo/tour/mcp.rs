//! MCP requests of the tour: one stateless call of 2026-07-28 at a time.

use serde_json::{Value, json};

use super::exchange::Call;

/// `tools/call`, with everything that 2026-07-28 asks of it.
pub(super) fn call_tool(url: &str, tool: &str, arguments: &Value, id: u32) -> Call {
    let params = json!({"name": tool, "arguments": arguments});
    let mut call = modern(url, "tools/call", params, id).note(format!("tools/call {tool}"));
    call.headers.push(("mcp-name", tool.to_owned()));
    call
}

/// `tools/list`, likewise.
pub(super) fn list_tools(url: &str, id: u32) -> Call {
    modern(url, "tools/list", json!({}), id).note("tools/list")
}

fn modern(url: &str, method: &str, mut params: Value, id: u32) -> Call {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientInfo": client_info(),
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    if let Some(params) = params.as_object_mut() {
        params.insert("_meta".to_owned(), meta);
    }
    let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
    let mut call = message(url, &body);
    call.headers.push(("mcp-protocol-version", VERSION.to_owned()));
    call.headers.push(("mcp-method", method.to_owned()));
    call
}

/// Any message of the revisions before, in the session when there is one.
pub(super) fn legacy(url: &str, body: &Value, session: Option<&str>) -> Call {
    let method = body.get("method").and_then(Value::as_str).unwrap_or_default();
    let mut call = message(url, body).note(method);
    if let Some(session) = session {
        call.headers.push(("mcp-session-id", session.to_owned()));
        call.headers.push(("mcp-protocol-version", LEGACY_VERSION.to_owned()));
    }
    call
}

/// `initialize` as a client of 2025-11-25 sends it.
pub(super) fn initialize(id: u32) -> Value {
    let params = json!({
        "protocolVersion": LEGACY_VERSION,
        "capabilities": {},
        "clientInfo": client_info(),
    });
    json!({"jsonrpc": "2.0", "id": id, "method": "initialize", "params": params})
}

/// `tools/call` of `list_notes`, as all revisions before send it.
pub(super) fn list_notes(id: u32) -> Value {
    let params = json!({"name": "list_notes", "arguments": {}});
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})
}

fn message(url: &str, body: &Value) -> Call {
    let mut call = Call::post(url, "application/json", body.to_string());
    call.headers.push(("accept", "application/json, text/event-stream".to_owned()));
    call
}

fn client_info() -> Value {
    json!({"name": "gatehouse-tour", "version": env!("CARGO_PKG_VERSION")})
}

const VERSION: &str = "2026-07-28";
const LEGACY_VERSION: &str = "2025-11-25";
