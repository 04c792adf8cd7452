//! A conversation with an upstream, in whatever it speaks: a few requests, one after the other.
//!
//! 1. A handshake first (2024-11-05 to 2025-11-25), then `server/discover` (2026-07-28), then the
//!    stream of HTTP+SSE (2024-11-05).
//! 2. Lists are read page by page, at most [`MAX_PAGES`] and [`MAX_ITEMS`].
//! 3. A session is closed at the end.
//!
//! It answers nothing that the server asks: a client without capabilities is asked nothing.

use std::collections::HashSet;

use http::{Method, StatusCode, header};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::{Coming, Line, PATIENCE, Silence, mcp};
use crate::admission::mcp as fields;

/// An upstream that speaks with us.
pub(in crate::cli) struct Conversation {
    line: Line,
    transport: Transport,
    /// The revision that was agreed on.
    pub(in crate::cli) revision: String,
    capabilities: Value,
    last_id: u64,
}

enum Transport {
    /// HTTP+SSE: answers come on a stream of their own.
    Events { stream: Box<Coming>, endpoint: Box<Line> },
    /// Streamable HTTP with a handshake.
    Session(Option<String>),
    /// Streamable HTTP without one.
    Stateless,
}

/// Why there is no conversation, or no further one.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Broken {
    /// A JSON-RPC error.
    #[error("it refuses {method}: {message:?} ({code})")]
    Error { method: String, code: i64, message: String },
    /// An answer that is none.
    #[error("it answered {1} to {0}, no MCP result")]
    NoResult(String, StatusCode),
    /// A page refers to itself, or there is no end of pages.
    #[error("its list {0} does not end")]
    Endless(&'static str),
    /// No answer.
    #[error("{0}")]
    Silent(#[from] Silence),
}

impl Conversation {
    /// Finds a revision and a transport that both sides speak.
    pub(in crate::cli) async fn begin(line: Line, url: &Url) -> Result<Self, Broken> {
        let [newest, ..] = mcp::WITH_HANDSHAKE;
        let answered = mcp::handshake(&line, newest).await?;
        let session = answered.session().map(ToOwned::to_owned);
        if let Some((revision, capabilities)) = answered.message().as_ref().and_then(agreed) {
            let transport = Transport::Session(session);
            let mut begun = Self { line, transport, revision, capabilities, last_id: 1 };
            begun.notify_initialized().await?;
            return Ok(begun);
        }
        let message = mcp::discover(&line).await?.message();
        if let Some(result) = message.as_ref().and_then(|message| message.get("result")) {
            return Ok(Self {
                line,
                transport: Transport::Stateless,
                revision: mcp::WITHOUT_HANDSHAKE.to_owned(),
                capabilities: capabilities(result),
                last_id: 1,
            });
        }
        match Self::over_events(line, url).await? {
            Some(begun) => Ok(begun),
            None => Err(Broken::NoResult("initialize".to_owned(), answered.status)),
        }
    }

    /// `None` when there is no stream with an `endpoint` event.
    async fn over_events(line: Line, url: &Url) -> Result<Option<Self>, Broken> {
        let deadline = Instant::now() + PATIENCE;
        let accept = [(header::ACCEPT, "text/event-stream")];
        let mut stream = line.open(Method::GET, &accept, None, deadline).await?;
        let has_endpoint = |read: &[u8]| mcp::endpoint(read).is_some();
        if !timeout_at(deadline, stream.read_until(has_endpoint)).await.unwrap_or(false) {
            return Ok(None);
        }
        let named = mcp::endpoint(&stream.body).and_then(|named| url.join(&named).ok());
        // As when forwarding: another origin is not followed.
        let Some(named) = named.filter(|named| named.origin() == url.origin()) else {
            return Ok(None);
        };
        let Ok(path) = named[url::Position::BeforePath..url::Position::AfterQuery].parse() else {
            return Ok(None);
        };
        let endpoint = Box::new(line.to_path(path));
        let transport = Transport::Events { stream: Box::new(stream), endpoint };
        let [.., oldest] = mcp::WITH_HANDSHAKE;
        let (revision, capabilities) = (oldest.to_owned(), Value::Null);
        let mut begun = Self { line, transport, revision, capabilities, last_id: 0 };
        let message = begun.exchange("initialize", mcp::initialize_params(oldest)).await?;
        let Some((revision, capabilities)) = agreed(&message) else { return Ok(None) };
        (begun.revision, begun.capabilities) = (revision, capabilities);
        begun.notify_initialized().await?;
        Ok(Some(begun))
    }

    /// All items of a list such as `tools/list`; none when the server has no such list.
    pub(in crate::cli) async fn list(
        &mut self,
        method: &'static str,
        key: &str,
    ) -> Result<Vec<Value>, Broken> {
        let (mut items, mut cursors) = (Vec::new(), HashSet::new());
        let mut params = json!({});
        for _ in 0..MAX_PAGES {
            let answer = self.exchange(method, params.clone()).await?;
            if let Some(error) = answer.get("error") {
                let group = method.split('/').next().unwrap_or_default();
                let code = error.get("code").and_then(Value::as_i64).unwrap_or_default();
                if code == METHOD_NOT_FOUND || self.capabilities.get(group).is_none() {
                    return Ok(items);
                }
                let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
                let (method, message) = (method.to_owned(), message.to_owned());
                return Err(Broken::Error { method, code, message });
            }
            let of_result = |name: &str| answer.get("result")?.get(name);
            items.extend(of_result(key).and_then(Value::as_array).into_iter().flatten().cloned());
            let cursor = of_result("nextCursor").and_then(Value::as_str);
            let Some(cursor) = cursor else { return Ok(items) };
            if items.len() > MAX_ITEMS || !cursors.insert(cursor.to_owned()) {
                break;
            }
            params = json!({ "cursor": cursor });
        }
        Err(Broken::Endless(method))
    }

    /// Closes what was opened.
    pub(in crate::cli) async fn end(self) {
        if let Transport::Session(session) = &self.transport {
            mcp::leave(&self.line, session.as_deref(), &self.revision).await;
        }
    }

    /// Sends a request under an id of its own and waits for its response.
    async fn exchange(&mut self, method: &str, params: Value) -> Result<Value, Broken> {
        self.last_id += 1;
        let id = self.last_id;
        let message = mcp::request(id, method, &params);
        let no_result = |status| Broken::NoResult(method.to_owned(), status);
        let answered = match &mut self.transport {
            Transport::Events { stream, endpoint } => {
                let deadline = Instant::now() + PATIENCE;
                let taken = mcp::post(endpoint, &message, &[]).await?;
                if !taken.status.is_success() {
                    return Err(no_result(taken.status));
                }
                let has_response = |read: &[u8]| mcp::response_to(read, id).is_some();
                // What came in time counts.
                let _ = timeout_at(deadline, stream.read_until(has_response)).await;
                let response = mcp::response_to(&stream.body, id);
                return response.ok_or(no_result(stream.status));
            }
            Transport::Session(session) => {
                let session = session.as_deref().map(|session| (fields::SESSION_ID, session));
                let revision = [(fields::PROTOCOL_VERSION, self.revision.as_str())];
                let fields: Vec<_> = revision.into_iter().chain(session).collect();
                mcp::post(&self.line, &message, &fields).await?
            }
            Transport::Stateless => {
                let params = params.as_object().cloned().unwrap_or_default();
                mcp::post_without_handshake(&self.line, (id, method), params).await?
            }
        };
        answered.message().ok_or(no_result(answered.status))
    }

    /// Without it, servers may refuse whatever comes next.
    async fn notify_initialized(&mut self) -> Result<(), Broken> {
        let message = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        match &self.transport {
            Transport::Events { endpoint, .. } => {
                mcp::post(endpoint, &message, &[]).await?;
            }
            Transport::Session(session) => {
                let session = session.as_deref().map(|session| (fields::SESSION_ID, session));
                let revision = [(fields::PROTOCOL_VERSION, self.revision.as_str())];
                let fields: Vec<_> = revision.into_iter().chain(session).collect();
                mcp::post(&self.line, &message, &fields).await?;
            }
            Transport::Stateless => {}
        }
        Ok(())
    }
}

/// Revision and capabilities of a completed handshake.
fn agreed(message: &Value) -> Option<(String, Value)> {
    let result = message.get("result")?;
    let revision = result.get("protocolVersion")?.as_str()?;
    let is_known = mcp::WITH_HANDSHAKE.contains(&revision);
    is_known.then(|| (revision.to_owned(), capabilities(result)))
}

fn capabilities(result: &Value) -> Value {
    result.get("capabilities").cloned().unwrap_or_default()
}

const MAX_PAGES: usize = 100;
const MAX_ITEMS: usize = 10_000;
/// JSON-RPC 2.0 section 5.1.
const METHOD_NOT_FOUND: i64 = -32601;
