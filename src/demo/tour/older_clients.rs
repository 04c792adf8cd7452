//! The same gateway for clients of older revisions: sessions, and HTTP+SSE.

use serde_json::{Value, json};

use super::{
    TourFailure, Walk, check,
    exchange::{Answer, Call, next_chunk, send},
    login::Client,
    mcp::{initialize, legacy, list_notes},
    steps::{check_result, check_result_message},
    unexpected,
};

/// A client of 2025-11-25 opens a session and uses it.
pub(super) async fn session(walk: &mut Walk<'_>, token: &str) -> Result<(), TourFailure> {
    walk.step("A client of 2025-11-25 opens a session with the same token")?;
    let url = walk.url("/notes");
    let with_token = |call: Call| Call { token: Some(token.to_owned()), ..call };
    let id = walk.next_id();
    let opened = walk.ask(&with_token(legacy(&url, &initialize(id), None))).await?;
    check(opened.status == 200, "status 200")?;
    let session = opened.header("mcp-session-id").unwrap_or_default().to_owned();
    check(!session.is_empty(), "a session")?;
    let told = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let told = walk.ask(&with_token(legacy(&url, &told, Some(&session)))).await?;
    check(told.status == 202, "status 202")?;
    let id = walk.next_id();
    let answer = walk.ask(&with_token(legacy(&url, &list_notes(id), Some(&session)))).await?;
    check_result(&answer, "4: Call Grandmother")?;
    Ok(walk.screen.verdict("the call went through within the session")?)
}

/// A client of 2024-11-05 connects over HTTP+SSE; returns its token.
pub(super) async fn server_sent_events(
    walk: &mut Walk<'_>,
    client: &mut Client,
) -> Result<String, TourFailure> {
    walk.step("A client of 2024-11-05 uses HTTP+SSE at /notes-sse")?;
    let token = client.log_in(walk, &walk.url("/notes-sse"), "notes.read").await?;
    let (mut events, endpoint) = connect(walk, &token).await?;
    let id = walk.next_id();
    let call = legacy(&walk.url(&endpoint), &list_notes(id), None);
    let posted = walk.ask(&Call { token: Some(token.clone()), ..call }).await?;
    check(posted.status == 202, "status 202")?;
    let event = events.next().await?;
    walk.screen.event(&event)?;
    let message = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap_or_default();
    let message = serde_json::from_str(message).unwrap_or(Value::Null);
    check(message.get("id") == Some(&json!(id)), "the answer to this call")?;
    check_result_message(&message, "4: Call Grandmother")?;
    walk.screen.verdict("the answer came on the stream")?;
    Ok(token)
}

/// Opens the stream of HTTP+SSE; returns it with its endpoint.
pub(super) async fn connect(
    walk: &mut Walk<'_>,
    token: &str,
) -> Result<(Events, String), TourFailure> {
    let connect = Call { token: Some(token.to_owned()), ..Call::get(walk.url("/notes-sse")) };
    let mut events = Events { stream: send(&walk.http, &connect).await?, unread: String::new() };
    let first = events.next().await?;
    walk.screen.exchange(&connect, &events.seen(&first))?;
    let endpoint = first.strip_prefix("event: endpoint\ndata: ").unwrap_or_default().to_owned();
    check(endpoint.starts_with("/notes-sse/"), "an endpoint of the gateway's own")?;
    Ok((events, endpoint))
}

/// An event stream, read event by event.
pub(super) struct Events {
    stream: reqwest::Response,
    unread: String,
}

impl Events {
    async fn next(&mut self) -> Result<String, TourFailure> {
        loop {
            if let Some((event, rest)) = self.unread.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.unread = rest;
                // A comment alone is a sign of life, not an event.
                if !event.starts_with(':') {
                    return Ok(event);
                }
                continue;
            }
            check(self.unread.len() < MAX_EVENT_BYTES, "an event that ends")?;
            let chunk = next_chunk(&mut self.stream).await?;
            let chunk = chunk.ok_or_else(|| unexpected("another event"))?;
            self.unread.push_str(&String::from_utf8_lossy(&chunk));
        }
    }

    fn seen(&self, event: &str) -> Answer {
        Answer {
            status: self.stream.status().as_u16(),
            headers: self.stream.headers().clone(),
            body: json!(event).to_string(),
        }
    }
}

const MAX_EVENT_BYTES: usize = 64 * 1024;
