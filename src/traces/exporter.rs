//! Sends spans to a collector: OTLP over HTTP, in protobuf (OTLP specification, section OTLP/HTTP).
//!
//! 1. A client of its own: no redirects, no proxies from the environment, no cookies; a timeout over
//!    the whole of every request; an answer is read up to a bound.
//! 2. A request that failed for now (429, 502, 503, 504, or no answer) is repeated a few times,
//!    later each time and not before it asks for it; then its spans are given up, and counted. Meanwhile the queue fills, and what
//!    does not fit in is lost, counted too.
//! 3. One warning for an outage, however long, and one line when it is over.
//!
//! The endpoint and its headers come from the configuration; nothing of them is logged but the URL's
//! origin.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use prometheus::IntCounter;
use prost::Message as _;
use tokio::{
    sync::{mpsc, oneshot},
    time,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use url::Url;

use super::{
    Item,
    otlp::{ExportRequest, ExportResponse},
    span::Recorded,
};
use crate::{config::settings::TracesSettings, metrics::Metrics};

/// Sends the spans of one tracer.
#[derive(Debug)]
pub struct Exporter {
    client: reqwest::Client,
    endpoint: Url,
    service_name: Box<str>,
    waiting: mpsc::Receiver<Item>,
    hurry: CancellationToken,
    counts: Counts,
    /// Spans given up since the collector last took some.
    lost: Option<u64>,
}

/// What became of spans.
#[derive(Debug)]
struct Counts {
    exported: IntCounter,
    failed: IntCounter,
    rejected: IntCounter,
}

/// No HTTP client can be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot build an HTTP client: {0}")]
pub struct ClientError(#[source] reqwest::Error);

/// What came of one attempt.
enum Attempt {
    /// It was taken, but for so many spans.
    Taken { rejected: u64 },
    /// It failed, and would fail again.
    Refused(String),
    /// It failed, and may go through later.
    Postponed { why: String, pause: Duration },
}

impl Exporter {
    pub(super) fn new(
        settings: &TracesSettings,
        metrics: &Metrics,
        waiting: mpsc::Receiver<Item>,
        hurry: CancellationToken,
    ) -> Result<Self, ClientError> {
        let mut headers: HeaderMap = settings.headers.iter().cloned().collect();
        headers.insert(header::CONTENT_TYPE, PROTOBUF);
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("gatehouse/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .timeout(settings.timeout)
            .connect_timeout(settings.timeout)
            .pool_max_idle_per_host(1);
        if let Some(pem) = &settings.ca {
            let anchors = reqwest::Certificate::from_pem_bundle(pem).map_err(ClientError)?;
            builder = builder.tls_certs_only(anchors);
        }
        let count = |outcome| metrics.trace_spans.with_label_values(&[outcome]);
        Ok(Self {
            client: builder.build().map_err(ClientError)?,
            endpoint: settings.otlp_endpoint.clone(),
            service_name: settings.service_name.clone(),
            waiting,
            hurry,
            counts: Counts {
                exported: count("exported"),
                failed: count("failed"),
                rejected: count("rejected"),
            },
            lost: None,
        })
    }

    /// Sends what is recorded, until nobody records any more.
    pub async fn run(mut self) {
        while let Some(first) = self.waiting.recv().await {
            let mut batch = Vec::new();
            let mut asking = take(first, &mut batch);
            let until = time::sleep(DELAY);
            tokio::pin!(until);
            while batch.len() < MAX_BATCH && asking.is_none() {
                tokio::select! {
                    biased;
                    next = self.waiting.recv() => match next {
                        Some(item) => asking = take(item, &mut batch),
                        None => break,
                    },
                    () = &mut until => break,
                    () = self.hurry.cancelled() => break,
                }
            }
            if !batch.is_empty() {
                self.export(batch).await;
            }
            if let Some(asking) = asking {
                // Whoever asked may have stopped waiting.
                let _ = asking.send(());
            }
        }
    }

    async fn export(&mut self, batch: Vec<Recorded>) {
        let count = batch.iter().map(|recorded| recorded.spans.len() as u64).sum();
        let body = ExportRequest::new(&self.service_name, batch).encode_to_vec();
        let body = bytes::Bytes::from(body);
        let mut pauses = PAUSES.iter();
        loop {
            match self.send(body.clone()).await {
                Attempt::Taken { rejected } => return self.taken(count, rejected),
                Attempt::Refused(why) => return self.gave_up(count, &why),
                Attempt::Postponed { why, pause: asked } => {
                    let Some(pause) = pauses.next().filter(|_| !self.hurry.is_cancelled()) else {
                        return self.gave_up(count, &why);
                    };
                    self.warn_once(&why);
                    tokio::select! {
                        () = time::sleep(asked.max(*pause)) => {}
                        () = self.hurry.cancelled() => {}
                    }
                }
            }
        }
    }

    async fn send(&self, body: bytes::Bytes) -> Attempt {
        let request = self.client.post(self.endpoint.clone()).body(body);
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                return Attempt::Postponed { why: cause(&error), pause: Duration::ZERO };
            }
        };
        let status = response.status();
        if !status.is_success() {
            let why = format!("HTTP {status}");
            return match status {
                StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT => {
                    Attempt::Postponed { why, pause: retry_after(response.headers()) }
                }
                _ => Attempt::Refused(why),
            };
        }
        let mut answer = Vec::new();
        // It was taken; how much of it is only of interest.
        while let Ok(Some(chunk)) = response.chunk().await {
            if answer.len() + chunk.len() > MAX_ANSWER_BYTES {
                break;
            }
            answer.extend_from_slice(&chunk);
        }
        let answer = ExportResponse::decode(answer.as_slice()).unwrap_or_default();
        Attempt::Taken { rejected: answer.rejected() }
    }

    fn taken(&mut self, count: u64, rejected: u64) {
        let rejected = rejected.min(count);
        self.counts.exported.inc_by(count - rejected);
        self.counts.rejected.inc_by(rejected);
        if let Some(lost) = self.lost.take() {
            info!(lost, "traces are exported again");
        }
    }

    fn gave_up(&mut self, count: u64, why: &str) {
        self.warn_once(why);
        self.counts.failed.inc_by(count);
        self.lost = self.lost.map(|lost| lost.saturating_add(count));
    }

    fn warn_once(&mut self, why: &str) {
        if self.lost.is_none() {
            self.lost = Some(0);
            let collector = self.endpoint.origin().ascii_serialization();
            warn!(
                collector,
                error = why,
                "traces cannot be exported; what is recorded meanwhile may be lost, requests are \
                 served as before"
            );
        }
    }
}

/// Puts an item where it belongs; returns whom to tell.
fn take(item: Item, batch: &mut Vec<Recorded>) -> Option<oneshot::Sender<()>> {
    match item {
        Item::Flush(asking) => return Some(asking),
        Item::Recorded(recorded) => batch.push(*recorded),
    }
    None
}

/// How long a collector asks to be left alone, within reason.
fn retry_after(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let seconds = seconds.and_then(|seconds| seconds.parse().ok());
    seconds.map_or(Duration::ZERO, Duration::from_secs).min(MAX_PAUSE)
}

/// The causes of an error, without the URL: its query might hold a key.
fn cause(error: &reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    if causes.is_empty() { "the connection failed".to_owned() } else { causes.join(": ") }
}

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");

/// How long spans wait for more of them.
const DELAY: Duration = Duration::from_secs(1);

/// Requests whose spans are sent at once: some hundred kilobytes.
const MAX_BATCH: usize = 256;

/// Before the second attempt, and before the third.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// The longest that a collector's `Retry-After` counts for.
const MAX_PAUSE: Duration = Duration::from_secs(30);

const MAX_ANSWER_BYTES: usize = 64 * 1024;
