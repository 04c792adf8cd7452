//! `telemetry.traces`, compiled.

use std::{sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue};
use url::Url;

/// Where traces go, and which requests are recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct TracesSettings {
    /// Where OTLP requests are posted: the whole URL.
    pub otlp_endpoint: Url,
    /// Headers of such requests; their values are sensitive.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// PEM: the only authorities of the collector's certificate.
    pub ca: Option<Arc<[u8]>>,
    /// For one OTLP request with its answer.
    pub timeout: Duration,
    /// `service.name`.
    pub service_name: Box<str>,
    /// The part of requests that is recorded where no caller decides, from 0 to 1.
    pub sampling_ratio: f64,
    /// Whose sampled flag counts.
    pub caller_decides: CallerDecides,
}

/// `telemetry.traces.caller_decides`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerDecides {
    /// Every caller's.
    Everybody,
    /// That of peers in `listen.trusted_proxies`.
    TrustedProxies,
}
