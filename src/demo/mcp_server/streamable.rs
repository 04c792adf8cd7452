//! Streamable HTTP at `/mcp`: sessions to 2025-11-25, stateless requests of 2026-07-28.
//!
//! 1. `initialize` opens a session; every later request of that era names it: 400 without, 404 when
//!    it is unknown (2025-11-25, "Session Management").
//! 2. A request of 2026-07-28 has no session; its headers must say what its body says, otherwise
//!    400 with -32020 (2026-07-28, "Server Validation").
//! 3. Requests are answered with one JSON object; `GET` opens a stream on which nothing comes but
//!    signs of life.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use serde_json::{Value, json};

use super::{
    McpServer,
    protocol::{
        self, Failure, HEADER_MISMATCH, INVALID_PARAMS, LEGACY_VERSIONS, METHOD_NOT_FOUND,
        MODERN_VERSION, Message, UNKNOWN_TOOL,
    },
};
use crate::demo::http_server::{Body, plain};

impl McpServer {
    /// `POST /mcp`.
    pub(super) fn post(&self, request: &Request<Bytes>) -> Response<Body> {
        let headers = request.headers();
        let (id, method, params) = match Message::read(request.body()) {
            Err(failure) => return reply(StatusCode::BAD_REQUEST, &Value::Null, Err(failure)),
            Ok(Message::Notification) => return self.notified(headers),
            Ok(Message::Request { id, method, params }) => (id, method, params),
        };
        if is_modern(headers, &params) {
            return self.post_modern(headers, &id, &method, &params);
        }
        if method == "initialize" {
            return self.initialize(&id, &params);
        }
        match self.session_problem(headers) {
            Some(problem) => problem,
            None => {
                reply(StatusCode::OK, &id, protocol::answer_legacy(&self.notes, &method, &params))
            }
        }
    }

    /// `GET /mcp`.
    pub(super) fn stream(&self, headers: &HeaderMap) -> Response<Body> {
        match self.session_problem(headers) {
            Some(problem) => problem,
            None => self.event_stream(None),
        }
    }

    /// `DELETE /mcp`.
    pub(super) fn delete(&self, headers: &HeaderMap) -> Response<Body> {
        if let Some(problem) = self.session_problem(headers) {
            return problem;
        }
        if let Some(id) = session_id(headers) {
            self.sessions.remove(id);
        }
        plain(StatusCode::NO_CONTENT)
    }

    fn initialize(&self, id: &Value, params: &Value) -> Response<Body> {
        let answer = protocol::answer_legacy(&self.notes, "initialize", params);
        let mut response = reply(StatusCode::OK, id, answer);
        let Some(session) = self.open_session() else {
            return plain(StatusCode::INTERNAL_SERVER_ERROR);
        };
        if let Ok(session) = HeaderValue::from_str(&session) {
            response.headers_mut().insert(SESSION_ID, session);
        }
        response
    }

    fn notified(&self, headers: &HeaderMap) -> Response<Body> {
        let is_modern = version(headers) == Some(MODERN_VERSION);
        match self.session_problem(headers) {
            Some(problem) if !is_modern => problem,
            Some(_) | None => plain(StatusCode::ACCEPTED),
        }
    }

    fn post_modern(
        &self,
        headers: &HeaderMap,
        id: &Value,
        method: &str,
        params: &Value,
    ) -> Response<Body> {
        let answer = check_modern(headers, method, params)
            .and_then(|()| protocol::answer_modern(&self.notes, method, params));
        let status = match &answer {
            Ok(_) => StatusCode::OK,
            Err(failure) if *failure == METHOD_NOT_FOUND => StatusCode::NOT_FOUND,
            // An unknown tool is an answer about the call, not about the HTTP request.
            Err(failure) if *failure == UNKNOWN_TOOL => StatusCode::OK,
            Err(_) => StatusCode::BAD_REQUEST,
        };
        reply(status, id, answer)
    }

    fn session_problem(&self, headers: &HeaderMap) -> Option<Response<Body>> {
        if version(headers).is_some_and(|version| !LEGACY_VERSIONS.contains(&version)) {
            let failure = Failure::new(-32000, "Unsupported protocol version");
            return Some(reply(StatusCode::BAD_REQUEST, &Value::Null, Err(failure)));
        }
        match session_id(headers) {
            None => {
                let failure = Failure::new(-32000, "Mcp-Session-Id is missing");
                Some(reply(StatusCode::BAD_REQUEST, &Value::Null, Err(failure)))
            }
            Some(id) if self.sessions.contains(id) => None,
            Some(_) => {
                let failure = Failure::new(-32001, "Session not found");
                Some(reply(StatusCode::NOT_FOUND, &Value::Null, Err(failure)))
            }
        }
    }
}

fn is_modern(headers: &HeaderMap, params: &Value) -> bool {
    let in_body = meta(params, "protocolVersion").is_some();
    // A version that no legacy revision has is for the modern rules to refuse.
    in_body || version(headers).is_some_and(|version| !LEGACY_VERSIONS.contains(&version))
}

fn check_modern(headers: &HeaderMap, method: &str, params: &Value) -> Result<(), Failure> {
    let in_body = meta(params, "protocolVersion").and_then(Value::as_str).ok_or(INVALID_PARAMS)?;
    if version(headers) != Some(in_body) {
        return Err(HEADER_MISMATCH);
    }
    if in_body != MODERN_VERSION {
        let mut supported = vec![MODERN_VERSION];
        supported.extend(LEGACY_VERSIONS);
        let details = Some(json!({"supported": supported, "requested": in_body}));
        return Err(Failure { code: -32022, message: "Unsupported protocol version", details });
    }
    if !meta(params, "clientCapabilities").is_some_and(Value::is_object) {
        return Err(INVALID_PARAMS);
    }
    if text(headers, "mcp-method").as_deref() != Some(method) {
        return Err(HEADER_MISMATCH);
    }
    let name = params.get("name").and_then(Value::as_str);
    if method == "tools/call" && text(headers, "mcp-name").as_deref() != name {
        return Err(HEADER_MISMATCH);
    }
    Ok(())
}

fn meta<'a>(params: &'a Value, name: &str) -> Option<&'a Value> {
    params.get("_meta")?.get(format!("io.modelcontextprotocol/{name}"))
}

fn version(headers: &HeaderMap) -> Option<&str> {
    headers.get("mcp-protocol-version").and_then(|value| value.to_str().ok())
}

fn session_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(SESSION_ID).and_then(|value| value.to_str().ok())
}

/// A mirrored header's text, out of its Base64 form when it has one.
fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    let encoded = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="));
    match encoded {
        None => Some(value.to_owned()),
        Some(encoded) => String::from_utf8(STANDARD.decode(encoded).ok()?).ok(),
    }
}

fn reply(status: StatusCode, id: &Value, answer: Result<Value, Failure>) -> Response<Body> {
    let mut response = Response::new(Body::from(protocol::response(id, answer).to_string()));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

const SESSION_ID: &str = "mcp-session-id";
