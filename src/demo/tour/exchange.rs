//! One request of the tour and what came back.
//!
//! Nothing is followed, nothing goes through a proxy, and an answer has a largest size and time.

use std::time::Duration;

use http::{HeaderMap, Method};
use serde_json::Value;

use super::TourFailure;

/// A request, with what the screen says about it.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) token: Option<String>,
    pub(super) body: String,
    pub(super) note: String,
}

impl Call {
    pub(super) fn get(url: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            url: url.into(),
            headers: Vec::new(),
            token: None,
            body: String::new(),
            note: String::new(),
        }
    }

    pub(super) fn post(url: impl Into<String>, content_type: &str, body: String) -> Self {
        let headers = vec![("content-type", content_type.to_owned())];
        Self { method: Method::POST, headers, body, ..Self::get(url) }
    }

    pub(super) fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answer {
    /// The body as JSON; `null` when it is none.
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    pub(super) fn header_values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok())
    }

    /// The header's one value.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.header_values(name);
        values.next().filter(|_| values.next().is_none())
    }
}

/// The client behind all requests of the tour.
pub(in crate::demo) fn http_client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(TIMEOUT)
        .build()
}

/// Sends the request; the answer's body is still to come.
pub(super) async fn send(
    http: &reqwest::Client,
    call: &Call,
) -> Result<reqwest::Response, TourFailure> {
    let mut request = http.request(call.method.clone(), &call.url).body(call.body.clone());
    for (name, value) in &call.headers {
        request = request.header(*name, value);
    }
    if let Some(token) = &call.token {
        request = request.bearer_auth(token);
    }
    let sent = tokio::time::timeout(TIMEOUT, request.send()).await;
    Ok(sent.map_err(|_| TourFailure::Silence)??)
}

/// Reads an answer to its end.
pub(super) async fn read(mut response: reqwest::Response) -> Result<Answer, TourFailure> {
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let mut body = Vec::new();
    while let Some(chunk) = next_chunk(&mut response).await? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_BODY_BYTES {
            return Err(TourFailure::Unexpected("an answer that ends".to_owned()));
        }
    }
    Ok(Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
}

/// What comes next of a body, within the time a step may take.
pub(super) async fn next_chunk(
    response: &mut reqwest::Response,
) -> Result<Option<bytes::Bytes>, TourFailure> {
    let chunk = tokio::time::timeout(TIMEOUT, response.chunk()).await;
    Ok(chunk.map_err(|_| TourFailure::Silence)??)
}

const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_BODY_BYTES: usize = 1024 * 1024;
