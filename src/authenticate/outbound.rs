//! The one way this gateway calls an authorization server.
//!
//! 1. One client per authorization server, with its own trust; no redirects, no proxies from the
//!    environment, no cookies, no referer.
//! 2. Every call has a timeout from its beginning to the last byte of the answer.
//! 3. An answer is read up to a bound and no further.
//! 4. No URL comes from a token or a request: only configuration and the server's own metadata.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use url::Url;

use crate::config::settings::TlsIdentity;

/// An HTTP client for one authorization server.
#[derive(Clone, Debug)]
pub struct Outbound {
    client: reqwest::Client,
    timeout: Duration,
    network: Network,
}

/// Whether there is anybody to call.
#[derive(Clone, Debug, Default)]
pub enum Network {
    /// Nobody: whatever is fetched is this key set, when there is one.
    Offline(Option<Bytes>),
    /// Everybody that the configuration names.
    #[default]
    Open,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Whether its media type is `application/json`.
    pub is_json: bool,
    /// Whether its media type is `application/jwt`.
    pub is_jwt: bool,
    /// Its header fields.
    pub headers: HeaderMap,
    /// How long it may be used (RFC 9111 section 5.2.2.1), when it says so.
    pub max_age: Option<Duration>,
    /// Its body, within the bound.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OutboundError {
    /// The client could not be built: unusable trust anchors.
    #[error("cannot build an HTTP client: {0}")]
    Client(Box<str>),
    /// The answer is larger than the bound.
    #[error("the authorization server's answer is larger than {0} bytes")]
    TooLarge(usize),
    /// Nobody may be called.
    #[error("offline: the authorization server is not asked")]
    Offline,
    /// Nothing, or not everything, came in time.
    #[error("the authorization server did not answer in time")]
    Timeout,
    /// The connection failed.
    #[error("the authorization server cannot be reached: {0}")]
    Transport(Box<str>),
}

impl Outbound {
    /// Builds a client that trusts the platform's anchors, or only those of a PEM bundle, and shows
    /// a certificate where it has one and is asked for it.
    pub fn new(
        ca_pem: Option<&[u8]>,
        identity: Option<&TlsIdentity>,
        timeout: Duration,
    ) -> Result<Self, OutboundError> {
        let unusable = |error: reqwest::Error| OutboundError::Client(chain(&error));
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("gatehouse/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .timeout(timeout)
            .connect_timeout(timeout)
            .pool_idle_timeout(Duration::from_secs(15))
            .pool_max_idle_per_host(16);
        if let Some(pem) = ca_pem {
            let anchors = reqwest::Certificate::from_pem_bundle(pem).map_err(unusable)?;
            builder = builder.tls_certs_only(anchors);
        }
        if let Some(TlsIdentity { certificates, private_key }) = identity {
            // The two files may be one.
            let is_one = **certificates == *private_key.expose();
            let key = if is_one { &[][..] } else { private_key.expose() };
            let pem = [certificates, &b"\n"[..], key].concat();
            builder = builder.identity(reqwest::Identity::from_pem(&pem).map_err(unusable)?);
        }
        Ok(Self { client: builder.build().map_err(unusable)?, timeout, network: Network::Open })
    }

    /// The same client on another network.
    #[must_use]
    pub fn on(self, network: Network) -> Self {
        Self { network, ..self }
    }

    /// Fetches a JSON document.
    pub async fn fetch(&self, url: &Url) -> Result<Answer, OutboundError> {
        let request = self.client.get(url.clone()).header(header::ACCEPT, JSON);
        self.answer(request, MAX_DOCUMENT_BYTES).await
    }

    /// Fetches what a bearer token shows of itself.
    pub async fn fetch_with(
        &self,
        url: &Url,
        authorization: HeaderValue,
    ) -> Result<Answer, OutboundError> {
        let request = self.client.get(url.clone()).header(header::ACCEPT, JSON);
        self.answer(request.header(header::AUTHORIZATION, authorization), MAX_ANSWER_BYTES).await
    }

    /// Fetches a key set, which has a media type of its own (RFC 7517 section 8.5.2).
    pub async fn fetch_key_set(&self, url: &Url) -> Result<Answer, OutboundError> {
        let request = self.client.get(url.clone()).header(header::ACCEPT, KEY_SET);
        self.answer(request, MAX_DOCUMENT_BYTES).await
    }

    /// Posts a form.
    pub async fn post_form(
        &self,
        url: &Url,
        form: String,
        authorization: Option<HeaderValue>,
    ) -> Result<Answer, OutboundError> {
        let mut request = self
            .client
            .post(url.clone())
            .header(header::ACCEPT, JSON)
            .header(header::CONTENT_TYPE, FORM)
            .body(form);
        if let Some(value) = authorization {
            request = request.header(header::AUTHORIZATION, value);
        }
        self.answer(request, MAX_ANSWER_BYTES).await
    }

    async fn answer(
        &self,
        request: reqwest::RequestBuilder,
        max_bytes: usize,
    ) -> Result<Answer, OutboundError> {
        if let Network::Offline(key_set) = &self.network {
            return offline(request, key_set.as_ref());
        }
        // reqwest's own timeout covers the body too; this one also bounds name resolution.
        tokio::time::timeout(self.timeout, read(request, max_bytes))
            .await
            .unwrap_or(Err(OutboundError::Timeout))
    }
}

/// What a key set at hand answers.
fn offline(
    request: reqwest::RequestBuilder,
    key_set: Option<&Bytes>,
) -> Result<Answer, OutboundError> {
    let is_fetch = request.build().is_ok_and(|request| request.method() == http::Method::GET);
    let body = key_set.filter(|_| is_fetch).cloned().ok_or(OutboundError::Offline)?;
    let (status, headers) = (StatusCode::OK, HeaderMap::new());
    Ok(Answer { status, is_json: true, is_jwt: false, headers, max_age: None, body })
}

async fn read(request: reqwest::RequestBuilder, max_bytes: usize) -> Result<Answer, OutboundError> {
    let mut response = request.send().await.map_err(|error| failure(&error))?;
    let content_type = response.headers().get(header::CONTENT_TYPE);
    let is_json = content_type.is_some_and(|value| is_type(value, "application/json"));
    let is_jwt = content_type.is_some_and(|value| is_type(value, "application/jwt"));
    let max_age = response.headers().get(header::CACHE_CONTROL).and_then(max_age);
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error))? {
        if body.len() + chunk.len() > max_bytes {
            return Err(OutboundError::TooLarge(max_bytes));
        }
        body.extend_from_slice(&chunk);
    }
    let headers = std::mem::take(response.headers_mut());
    let status = response.status();
    Ok(Answer { status, is_json, is_jwt, headers, max_age, body: body.into() })
}

fn is_type(content_type: &HeaderValue, wanted: &str) -> bool {
    let essence = content_type.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(wanted)
}

fn max_age(cache_control: &HeaderValue) -> Option<Duration> {
    cache_control.to_str().ok()?.split(',').find_map(|directive| {
        let (name, seconds) = directive.split_once('=')?;
        let is_max_age = name.trim().eq_ignore_ascii_case("max-age");
        let seconds = seconds.trim().trim_matches('"').parse().ok().filter(|_| is_max_age);
        seconds.map(Duration::from_secs)
    })
}

fn failure(error: &reqwest::Error) -> OutboundError {
    if error.is_timeout() { OutboundError::Timeout } else { OutboundError::Transport(chain(error)) }
}

/// The causes of an error, without the URL: its query might hold something private.
fn chain(error: &reqwest::Error) -> Box<str> {
    let mut text = String::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&error.to_string());
        cause = error.source();
    }
    if text.is_empty() { "the connection failed".into() } else { text.into() }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const KEY_SET: HeaderValue = HeaderValue::from_static("application/jwk-set+json, application/json");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
const MAX_ANSWER_BYTES: usize = 64 * 1024;
const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn max_age_is_found_among_the_directives() {
        for (value, seconds) in [
            ("max-age=60", Some(60)),
            ("public, max-age=60, must-revalidate", Some(60)),
            ("no-transform,Max-Age=\"60\"", Some(60)),
            ("s-maxage=9, max-age=60", Some(60)),
            ("max-age=60, max-age=9", Some(60)),
            ("max-age=-1", None),
            ("max-age=x", None),
            ("max-age", None),
            ("no-store", None),
            ("", None),
        ] {
            let found = max_age(&HeaderValue::from_static(value));
            assert_eq!(found, seconds.map(Duration::from_secs), "{value}");
        }
    }
}
