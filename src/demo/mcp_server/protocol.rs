//! What the MCP server answers to a JSON-RPC message, whatever transport brought it.
//!
//! 1. The revisions to 2025-11-25 begin with `initialize`; 2026-07-28 carries version and
//!    capabilities in every request and has `server/discover`.
//! 2. A tool that fails is a result with `isError`; a tool that does not exist is an error.
//! 3. Notifications and responses get no answer. Batches are not understood.

use serde_json::{Value, json};

use super::notes::{Notes, tools};

/// The revisions that begin with `initialize`, newest first.
pub(super) const LEGACY_VERSIONS: [&str; 4] =
    ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
/// The revision without sessions.
pub(super) const MODERN_VERSION: &str = "2026-07-28";

/// One message that was understood.
#[derive(Debug)]
pub(super) enum Message {
    /// Nothing to answer: a notification, or a response to something.
    Notification,
    Request {
        id: Value,
        method: String,
        params: Value,
    },
}

/// A JSON-RPC error.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Failure {
    pub(super) code: i32,
    pub(super) message: &'static str,
    pub(super) details: Option<Value>,
}

impl Failure {
    pub(super) const fn new(code: i32, message: &'static str) -> Self {
        Self { code, message, details: None }
    }
}

impl Message {
    /// Reads one message.
    pub(super) fn read(body: &[u8]) -> Result<Self, Failure> {
        let message: Value = serde_json::from_slice(body).map_err(|_| PARSE_ERROR)?;
        if message.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            return Err(INVALID_REQUEST);
        }
        let Some(method) = message.get("method") else {
            let is_response = message.get("result").is_some() || message.get("error").is_some();
            return if is_response { Ok(Self::Notification) } else { Err(INVALID_REQUEST) };
        };
        let method = method.as_str().ok_or(INVALID_REQUEST)?.to_owned();
        let params = message.get("params").cloned().unwrap_or_else(|| json!({}));
        match message.get("id") {
            None => Ok(Self::Notification),
            Some(id @ (Value::String(_) | Value::Number(_))) => {
                Ok(Self::Request { id: id.clone(), method, params })
            }
            Some(Value::Array(_) | Value::Bool(_) | Value::Null | Value::Object(_)) => {
                Err(INVALID_REQUEST)
            }
        }
    }
}

/// Answers a request of 2025-11-25 or earlier.
pub(super) fn answer_legacy(notes: &Notes, method: &str, params: &Value) -> Result<Value, Failure> {
    match method {
        "initialize" => {
            let wanted = params.get("protocolVersion").and_then(Value::as_str);
            let [newest, ..] = LEGACY_VERSIONS;
            let version = LEGACY_VERSIONS.into_iter().find(|version| Some(*version) == wanted);
            Ok(json!({
                "protocolVersion": version.unwrap_or(newest),
                "capabilities": {"tools": {}},
                "serverInfo": server_info(),
                "instructions": INSTRUCTIONS,
            }))
        }
        "ping" => Ok(json!({})),
        "tools/call" => call_tool(notes, params),
        "tools/list" => Ok(json!({"tools": tools()})),
        _ => Err(METHOD_NOT_FOUND),
    }
}

/// Answers a request of 2026-07-28.
pub(super) fn answer_modern(notes: &Notes, method: &str, params: &Value) -> Result<Value, Failure> {
    let mut result = match method {
        "server/discover" => {
            let mut versions = vec![MODERN_VERSION];
            versions.extend(LEGACY_VERSIONS);
            json!({
                "supportedVersions": versions,
                "capabilities": {"tools": {}},
                "instructions": INSTRUCTIONS,
                "ttlMs": 300_000,
                "cacheScope": "public",
            })
        }
        "tools/call" => call_tool(notes, params)?,
        "tools/list" => json!({"tools": tools(), "ttlMs": 300_000, "cacheScope": "public"}),
        _ => return Err(METHOD_NOT_FOUND),
    };
    if let Some(result) = result.as_object_mut() {
        result.insert("resultType".into(), "complete".into());
        result.insert("_meta".into(), json!({SERVER_INFO_KEY: server_info()}));
    }
    Ok(result)
}

/// The response message.
pub(super) fn response(id: &Value, answer: Result<Value, Failure>) -> Value {
    match answer {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(Failure { code, message, details: None }) => {
            json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
        }
        Err(Failure { code, message, details: Some(details) }) => {
            let error = json!({"code": code, "message": message, "data": details});
            json!({"jsonrpc": "2.0", "id": id, "error": error})
        }
    }
}

fn call_tool(notes: &Notes, params: &Value) -> Result<Value, Failure> {
    let name = params.get("name").and_then(Value::as_str).ok_or(INVALID_PARAMS)?;
    let arguments = params.get("arguments").unwrap_or(&Value::Null);
    notes.call(name, arguments).ok_or(UNKNOWN_TOOL)
}

fn server_info() -> Value {
    json!({"name": "gatehouse-demo-notes", "version": env!("CARGO_PKG_VERSION")})
}

pub(super) const PARSE_ERROR: Failure = Failure::new(-32700, "Parse error");
pub(super) const INVALID_REQUEST: Failure = Failure::new(-32600, "Invalid Request");
pub(super) const METHOD_NOT_FOUND: Failure = Failure::new(-32601, "Method not found");
pub(super) const INVALID_PARAMS: Failure = Failure::new(-32602, "Invalid params");
pub(super) const UNKNOWN_TOOL: Failure = Failure::new(-32602, "Unknown tool");
pub(super) const HEADER_MISMATCH: Failure =
    Failure::new(-32020, "The headers do not say what the body says");

const INSTRUCTIONS: &str =
    "A few notes to list and delete. It knows nothing of OAuth: the gateway in front of it does.";
const SERVER_INFO_KEY: &str = "io.modelcontextprotocol/serverInfo";
