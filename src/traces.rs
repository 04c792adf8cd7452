//! Traces: what is recorded of sampled requests, and how it comes to an OpenTelemetry collector.
//!
//! 1. A request is recorded when its caller asked for it and may ([`CallerDecides`]), else by the
//!    configured ratio. The ratio is drawn from a number of our own, never from the caller's trace
//!    id: who chooses that could choose one that is always drawn.
//! 2. Spans are put together once, when a request has its answer; they wait in a bounded queue for
//!    the [`Exporter`], which runs apart from the workers. A full queue loses them, counted; nobody
//!    waits for a collector.
//! 3. Nothing of it holds a token, an argument, a session id or a header's value; names from
//!    requests are cut short.
//!
//! Without `telemetry.traces.otlp_endpoint` there is no [`Tracer`], and nothing here runs.

pub mod asked;
pub mod context;
mod exporter;
mod otlp;
pub mod span;

use std::{sync::Arc, time::Duration};

use prometheus::IntCounter;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

pub use self::exporter::{ClientError, Exporter};
use self::{context::TraceContext, span::Recorded};
use crate::{
    config::settings::{CallerDecides, TracesSettings},
    metrics::Metrics,
};

/// Decides which requests are recorded, and takes their spans.
#[derive(Debug)]
pub struct Tracer {
    queue: mpsc::Sender<Item>,
    caller_decides: CallerDecides,
    /// A request is drawn when its number is below; the highest: always.
    threshold: u64,
    dropped: IntCounter,
    /// Cancelled when the process ends: no patience with the collector any more.
    hurry: CancellationToken,
}

/// What waits in the queue.
#[derive(Debug)]
enum Item {
    /// Tell when everything before it was sent, or given up.
    Flush(oneshot::Sender<()>),
    /// A request's spans.
    Recorded(Box<Recorded>),
}

impl Tracer {
    /// A tracer, and what sends its spans; that ends when all who hold the tracer are gone and
    /// what they recorded is sent.
    ///
    /// # Errors
    ///
    /// When no HTTP client can be built: unusable trust anchors.
    pub fn new(
        settings: &TracesSettings,
        metrics: &Metrics,
    ) -> Result<(Arc<Self>, Exporter), ClientError> {
        let (queue, waiting) = mpsc::channel(MAX_WAITING);
        let hurry = CancellationToken::new();
        let exporter = Exporter::new(settings, metrics, waiting, hurry.clone())?;
        let tracer = Self {
            queue,
            caller_decides: settings.caller_decides,
            threshold: threshold(settings.sampling_ratio),
            dropped: metrics.trace_spans.with_label_values(&["queue_full"]),
            hurry,
        };
        Ok((Arc::new(tracer), exporter))
    }

    /// Whether the decision counts that a caller brings in its request's head.
    pub fn hears(&self, is_trusted: bool) -> bool {
        is_trusted || self.hears_everybody()
    }

    /// Whether the decision of any caller counts, also one that comes in a body.
    pub fn hears_everybody(&self) -> bool {
        self.caller_decides == CallerDecides::Everybody
    }

    /// Whether the ratio takes the request of this number.
    pub fn draws(&self, number: u64) -> bool {
        number < self.threshold || self.threshold == u64::MAX
    }

    /// Whether a request is recorded: as its caller says where that counts, else as drawn.
    pub fn decides(&self, heard: Option<TraceContext>, number: u64) -> bool {
        heard.map_or_else(|| self.draws(number), TraceContext::is_sampled)
    }

    /// Takes a request's spans, or loses them when too many wait.
    pub fn record(&self, recorded: Recorded) {
        let count = recorded.spans.len();
        if self.queue.try_send(Item::Recorded(Box::new(recorded))).is_err() {
            self.dropped.inc_by(count as u64);
        }
    }

    /// Has everything sent that waits, without patience: the process ends.
    pub async fn flush(&self) {
        self.hurry.cancel();
        let flushing = async {
            let (done, is_done) = oneshot::channel();
            if self.queue.send(Item::Flush(done)).await.is_ok() {
                let _ = is_done.await;
            }
        };
        let _ = tokio::time::timeout(FLUSH_TIMEOUT, flushing).await;
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a ratio from 0 to 1 of all numbers; 1 saturates, and a few units do not matter"
)]
fn threshold(ratio: f64) -> u64 {
    (ratio * u64::MAX as f64) as u64
}

/// Requests whose spans wait to be sent; more are lost.
const MAX_WAITING: usize = 2048;

/// How long the end of the process waits for the last spans to be sent.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests;
