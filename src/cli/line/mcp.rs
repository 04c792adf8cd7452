//! The few MCP messages that show what a server speaks.
//!
//! 1. `initialize` for each revision with a handshake (2024-11-05 to 2025-11-25); a session that it
//!    opens is closed again.
//! 2. `server/discover` (2026-07-28).
//! 3. The opening `GET` of HTTP+SSE (2024-11-05), until its `endpoint` event.

use http::{HeaderName, Method, header};
use serde_json::{Map, Value, json};

use super::{Answered, Line, Silence};
use crate::admission::mcp;

/// Revisions with a handshake, newest first.
pub(in crate::cli) const WITH_HANDSHAKE: [&str; 4] =
    ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
/// The first revision without one.
pub(in crate::cli) const WITHOUT_HANDSHAKE: &str = "2026-07-28";

/// Asks for a handshake in one revision, and leaves again.
pub(in crate::cli) async fn initialize(line: &Line, revision: &str) -> Result<Answered, Silence> {
    let answered = handshake(line, revision).await?;
    leave(line, answered.session(), revision).await;
    Ok(answered)
}

/// Asks for a handshake in one revision; a session that it opens is the caller's.
pub(in crate::cli) async fn handshake(line: &Line, revision: &str) -> Result<Answered, Silence> {
    post(line, &initialize_message(revision), &[]).await
}

/// Closes a session.
pub(in crate::cli) async fn leave(line: &Line, session: Option<&str>, revision: &str) {
    let Some(session) = session else { return };
    let fields = [(mcp::SESSION_ID, session), (mcp::PROTOCOL_VERSION, revision)];
    // Servers may keep their sessions (405); we asked.
    let _ = line.send(Method::DELETE, &fields, None, |_| true).await;
}

/// The message of a handshake.
pub(in crate::cli) fn initialize_message(revision: &str) -> Value {
    request(1, "initialize", &initialize_params(revision))
}

/// The parameters of a handshake.
pub(in crate::cli) fn initialize_params(revision: &str) -> Value {
    json!({"protocolVersion": revision, "capabilities": {}, "clientInfo": client_info()})
}

/// A request.
pub(in crate::cli) fn request(id: u64, method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

/// Asks a server without handshake what it speaks.
pub(in crate::cli) async fn discover(line: &Line) -> Result<Answered, Silence> {
    post_without_handshake(line, (1, "server/discover"), Map::new()).await
}

/// Sends a request of the revision without handshake, with what belongs to it.
pub(in crate::cli) async fn post_without_handshake(
    line: &Line,
    (id, method): (u64, &str),
    mut params: Map<String, Value>,
) -> Result<Answered, Silence> {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": WITHOUT_HANDSHAKE,
        "io.modelcontextprotocol/clientInfo": client_info(),
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    params.insert("_meta".to_owned(), meta);
    let fields = [(mcp::PROTOCOL_VERSION, WITHOUT_HANDSHAKE), (mcp::METHOD, method)];
    post(line, &request(id, method, &params.into()), &fields).await
}

fn client_info() -> Value {
    json!({"name": "gatehouse-check", "version": env!("CARGO_PKG_VERSION")})
}

/// Opens an HTTP+SSE stream and reads the path of its `endpoint` event.
pub(in crate::cli) async fn endpoint_event(line: &Line) -> Option<String> {
    let fields = [(header::ACCEPT, "text/event-stream")];
    let answered = line.send(Method::GET, &fields, None, |read| endpoint(read).is_some()).await;
    endpoint(&answered.ok()?.body)
}

/// Sends one message.
pub(in crate::cli) async fn post(
    line: &Line,
    message: &Value,
    more: &[(HeaderName, &str)],
) -> Result<Answered, Silence> {
    let mut fields = vec![
        (header::CONTENT_TYPE, "application/json"),
        (header::ACCEPT, "application/json, text/event-stream"),
        (header::ACCEPT_ENCODING, "identity"),
    ];
    fields.extend(more.iter().cloned());
    line.send(Method::POST, &fields, Some(message.to_string()), |read| in_events(read).is_some())
        .await
}

impl Answered {
    /// The session that it opens.
    pub(in crate::cli) fn session(&self) -> Option<&str> {
        self.headers.get(mcp::SESSION_ID).and_then(|id| id.to_str().ok())
    }

    /// The JSON-RPC response in it, plain or as an event.
    pub(in crate::cli) fn message(&self) -> Option<Value> {
        let plain = serde_json::from_slice(&self.body).ok().filter(is_response);
        plain.or_else(|| in_events(&self.body))
    }
}

/// The response to a request among complete server-sent events.
pub(in crate::cli) fn response_to(read: &[u8], id: u64) -> Option<Value> {
    let messages =
        events(read).into_iter().filter_map(|(_, data)| serde_json::from_str(&data).ok());
    messages
        .filter(is_response)
        .find(|message: &Value| message.get("id").is_some_and(|it| *it == id))
}

fn is_response(message: &Value) -> bool {
    message.get("jsonrpc").is_some_and(|version| version == "2.0")
        && (message.get("result").is_some() || message.get("error").is_some())
}

/// The first JSON-RPC response among complete server-sent events.
fn in_events(read: &[u8]) -> Option<Value> {
    events(read)
        .into_iter()
        .find_map(|(_, data)| serde_json::from_str(&data).ok().filter(is_response))
}

/// What the `endpoint` event names.
pub(in crate::cli) fn endpoint(read: &[u8]) -> Option<String> {
    events(read).into_iter().find(|(name, _)| name == "endpoint").map(|(_, data)| data)
}

/// Name and data of each complete event.
fn events(read: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(read).replace("\r\n", "\n").replace('\r', "\n");
    let mut complete: Vec<&str> = text.split("\n\n").collect();
    complete.pop();
    let event = |block: &&str| {
        let (mut name, mut data) = (String::new(), Vec::new());
        for line in block.lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => value.clone_into(&mut name),
                "data" => data.push(value),
                _ => {}
            }
        }
        (name, data.join("\n"))
    };
    complete.iter().map(event).collect()
}
