//! `telemetry.traces` as written.

use super::{Header, authorization_server::Tls};
use crate::config::{
    reader::Entries,
    settings::CallerDecides,
    values::{Ratio, Span, Text},
    web::HttpUrl,
};

section! {
    /// OpenTelemetry traces: spans of requests, sent to a collector.
    Traces {
        /// The collector's URL for OTLP over HTTP, such as `http://127.0.0.1:4318`; `/v1/traces` is
        /// added to it where it is not there. Without it nothing is recorded.
        otlp_endpoint: Option<HttpUrl> = null,
        /// Headers sent to the collector, such as a key: a text, or the file that holds it.
        headers: Entries<Header> = {},
        /// TLS towards the collector.
        tls: Tls = {},
        /// How long the collector has to take some spans.
        timeout: Span = "10s",
        /// What the gateway is called in traces: the resource attribute `service.name`.
        service_name: Text = "gatehouse",
        /// The part of requests that is recorded where no caller decides, from 0 to 1.
        sampling_ratio: Ratio = 1.0,
        /// Whose sampled flag (W3C Trace Context) decides in place of the ratio: that of peers in
        /// `listen.trusted_proxies`, or everybody's, so that anybody can have everything recorded.
        caller_decides: CallerDecides = "trusted_proxies",
    }
}
