//! Event streams, and the HTTP+SSE transport of 2024-11-05 (`/sse` and `/message`).
//!
//! 1. The first event of an SSE connection is `endpoint`; requests are posted there, answered with
//!    202, and their results come on the stream.
//! 2. A stream that its reader does not empty is cut; it never holds back the rest of the server.
//! 3. A session ends with its stream.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use serde_json::Value;
use tokio::sync::mpsc;
use url::form_urlencoded;

use super::{
    McpServer,
    protocol::{self, Message},
};
use crate::demo::{
    http_server::{Body, plain},
    random::random_text,
};

impl McpServer {
    /// `GET /sse`.
    pub(super) fn connect(&self) -> Response<Body> {
        let Ok(id) = random_text() else { return plain(StatusCode::INTERNAL_SERVER_ERROR) };
        self.event_stream(Some(id))
    }

    /// `POST /message?sessionId=…`.
    pub(super) fn message(&self, request: &Request<Bytes>) -> Response<Body> {
        let query = request.uri().query().unwrap_or_default();
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let session = pairs.find(|(name, _)| name == "sessionId");
        let events = session.and_then(|(_, id)| self.connections.get(id.as_ref()));
        let Some(events) = events else { return plain(StatusCode::NOT_FOUND) };
        let answer = match Message::read(request.body()) {
            Err(failure) => protocol::response(&Value::Null, Err(failure)),
            Ok(Message::Notification) => return plain(StatusCode::ACCEPTED),
            Ok(Message::Request { id, method, params }) => {
                protocol::response(&id, protocol::answer_legacy(&self.notes, &method, &params))
            }
        };
        match events.try_send(event("message", &answer.to_string())) {
            Ok(()) => plain(StatusCode::ACCEPTED),
            Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE),
        }
    }

    /// A stream that lives until its reader leaves; with `connection` it is an SSE connection.
    pub(super) fn event_stream(&self, connection: Option<String>) -> Response<Body> {
        let (events, receiver) = mpsc::channel(MAX_WAITING_EVENTS);
        let first = match &connection {
            None => Bytes::from_static(b": open\n\n"),
            Some(id) => event("endpoint", &format!("/message?sessionId={id}")),
        };
        // The channel is new and empty: the first event has room.
        if events.try_send(first).is_err() {
            return plain(StatusCode::INTERNAL_SERVER_ERROR);
        }
        if let Some(id) = &connection
            && !self.connections.insert(id, events.clone())
        {
            return plain(StatusCode::SERVICE_UNAVAILABLE);
        }
        let connections = self.connections.clone();
        self.background.spawn(async move {
            keep_alive(&events).await;
            if let Some(id) = connection {
                connections.remove(&id);
            }
        });
        let mut response = Response::new(Body::Events(receiver));
        for (name, value) in [
            (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ] {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// Sends a comment now and then; returns when the reader has left or does not read.
async fn keep_alive(events: &mpsc::Sender<Bytes>) {
    loop {
        tokio::select! {
            () = events.closed() => return,
            () = tokio::time::sleep(KEEP_ALIVE) => {}
        }
        if events.try_send(Bytes::from_static(b": still here\n\n")).is_err() {
            return;
        }
    }
}

fn event(name: &str, body: &str) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {body}\n\n"))
}

const MAX_WAITING_EVENTS: usize = 64;
const KEEP_ALIVE: Duration = Duration::from_secs(15);
