//! A small MCP server that knows nothing of OAuth: what stands behind the gateway in the demo.
//!
//! Rules:
//! 1. One tool reads (`list_notes`), one writes (`delete_note`).
//! 2. Streamable HTTP at `/mcp`, with sessions to 2025-11-25 and stateless at 2026-07-28; HTTP+SSE
//!    at `/sse` and `/message`.
//! 3. An `Origin` that is not loopback is refused (MCP, "Security & Endpoint").
//!
//! It has no resources, prompts or notifications, and understands no batches.

mod events;
mod notes;
mod protocol;
mod sessions;
mod streamable;

use std::{io, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use tokio::net::TcpListener;
use url::Url;

use self::{
    notes::Notes,
    sessions::{Connections, Sessions},
};
use super::{
    http_server::{self, Background, Body, plain},
    random::random_text,
};
use crate::oauth::is_loopback;

/// The running server.
#[derive(Debug)]
pub struct McpServer {
    notes: Notes,
    sessions: Sessions,
    connections: Connections,
    background: Background,
}

impl McpServer {
    /// Serves on `listener` until `background` ends.
    pub fn start(listener: TcpListener, background: &Background) -> io::Result<SocketAddr> {
        http_server::serve(listener, Arc::new(Self::new(background)), background)
    }

    fn new(background: &Background) -> Self {
        Self {
            notes: Notes::new(),
            sessions: Sessions::default(),
            connections: Connections::default(),
            background: background.clone(),
        }
    }

    fn open_session(&self) -> Option<String> {
        let id = random_text().ok()?;
        self.sessions.insert(id.clone());
        Some(id)
    }
}

impl http_server::Service for McpServer {
    fn answer(&self, request: &Request<Bytes>) -> Response<Body> {
        let headers = request.headers();
        if !is_acceptable_origin(headers) {
            return plain(StatusCode::FORBIDDEN);
        }
        match (request.uri().path(), request.method()) {
            ("/mcp", &Method::POST) => self.post(request),
            ("/mcp", &Method::GET) => self.stream(headers),
            ("/mcp", &Method::DELETE) => self.delete(headers),
            ("/message", &Method::POST) => self.message(request),
            ("/sse", &Method::GET) => self.connect(),
            ("/mcp", _) => not_allowed("DELETE, GET, POST"),
            ("/message", _) => not_allowed("POST"),
            ("/sse", _) => not_allowed("GET"),
            _ => plain(StatusCode::NOT_FOUND),
        }
    }
}

fn is_acceptable_origin(headers: &HeaderMap) -> bool {
    headers.get(header::ORIGIN).is_none_or(|origin| {
        origin
            .to_str()
            .ok()
            .and_then(|text| Url::parse(text).ok())
            .is_some_and(|it| is_loopback(&it))
    })
}

fn not_allowed(methods: &'static str) -> Response<Body> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    response
}

#[cfg(test)]
mod tests;
