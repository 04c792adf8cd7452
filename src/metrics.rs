//! Prometheus metrics: every series this gateway has, under the names operators rely on.
//!
//! 1. Labels come from configured names and closed sets, never from the text of a request.
//! 2. What a request touches is looked up when a snapshot is built ([`RouteMetrics`],
//!    [`AuthorizationServerMetrics`]), so that counting costs an addition.
//! 3. A metric's doc comment is its help text.

mod authorization_server;
mod reference;

pub use self::{
    authorization_server::{AuthorizationServerMetrics, KeySetMetrics},
    reference::reference,
};

use prometheus::{
    Encoder, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder, core::Collector as _,
};

use reference::Described;

macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $field:ident: $kind:ident = $name:literal $labels:tt,)+) => {
        /// All metrics of one process.
        #[derive(Clone, Debug)]
        pub struct Metrics {
            registry: Registry,
            $($(#[doc = $help])+ pub $field: $kind,)+
        }

        impl Metrics {
            /// Registers every metric.
            ///
            /// # Errors
            ///
            /// Only when a name is malformed or registered twice, which a test excludes.
            pub fn new() -> prometheus::Result<Self> {
                let registry = Registry::new();
                $(let $field = {
                    let help = [$($help.trim()),+].join(" ");
                    let metric = metrics!(@new $kind, $name, help, $labels)?;
                    registry.register(Box::new(metric.clone()))?;
                    metric
                };)+
                Ok(Self { registry, $($field,)+ })
            }
        }

        /// Name, type, labels and help of every metric, in order.
        const DESCRIBED: &[Described] = &[$(Described {
            name: $name,
            kind: metrics!(@kind $kind),
            labels: &$labels,
            help: &[$($help),+],
        },)+];
    };
    (@kind IntCounterVec) => { "counter" };
    (@kind HistogramVec) => { "histogram" };
    (@kind $gauge:ident) => { "gauge" };
    (@new IntCounterVec, $name:literal, $help:expr, $labels:tt) => {
        IntCounterVec::new(Opts::new($name, $help), &$labels)
    };
    (@new IntGaugeVec, $name:literal, $help:expr, $labels:tt) => {
        IntGaugeVec::new(Opts::new($name, $help), &$labels)
    };
    (@new HistogramVec, $name:literal, $help:expr, $labels:tt) => {
        HistogramVec::new(HistogramOpts::new($name, $help).buckets(SECONDS.to_vec()), &$labels)
    };
    (@new Gauge, $name:literal, $help:expr, $labels:tt) => {
        Gauge::new($name, $help)
    };
    (@new IntCounter, $name:literal, $help:expr, $labels:tt) => {
        IntCounter::new($name, $help)
    };
    (@new IntGauge, $name:literal, $help:expr, $labels:tt) => {
        IntGauge::new($name, $help)
    };
}

metrics! {
    /// Requests answered, by route, HTTP method and status.
    requests: IntCounterVec = "gatehouse_requests_total" ["route", "method", "status"],
    /// Seconds from a request's head to its response's head.
    request_duration: HistogramVec = "gatehouse_request_duration_seconds" ["route"],
    /// Requests let through (`outcome` `allowed`, `reason` `none`) or refused (`denied`) for their
    /// token or its scopes; `reason` is that of the log line.
    auth_decisions: IntCounterVec =
        "gatehouse_auth_decisions_total" ["route", "outcome", "reason"],
    /// Requests let through that would have been refused, were their route not shadowed.
    shadow_denials: IntCounterVec = "gatehouse_shadow_denials_total" ["route"],
    /// Looks into what is remembered of tokens: `hit`, `negative_hit` (known to be bad), `miss`
    /// (asked about), `coalesced` (somebody was asking already), `stale` (used while the server
    /// fails).
    token_cache_lookups: IntCounterVec =
        "gatehouse_token_cache_lookups_total" ["authorization_server", "result"],
    /// Tokens remembered, active and inactive.
    token_cache_entries: IntGaugeVec =
        "gatehouse_token_cache_entries" ["authorization_server"],
    /// Introspection and userinfo requests, by how they ended: `active`, `inactive`, `error`,
    /// `timeout`.
    introspection_requests: IntCounterVec =
        "gatehouse_introspection_requests_total" ["authorization_server", "outcome"],
    /// Seconds an introspection or userinfo request took.
    introspection_duration: HistogramVec =
        "gatehouse_introspection_duration_seconds" ["authorization_server"],
    /// 1 when an authorization server left the last five introspection or userinfo requests
    /// unanswered, else 0.
    authorization_server_silent: IntGaugeVec =
        "gatehouse_authorization_server_silent" ["authorization_server"],
    /// Fetches of key sets, by how they ended: `changed`, `unchanged`, `unusable` (the old goes on),
    /// `error`, `timeout`.
    jwks_refreshes: IntCounterVec =
        "gatehouse_jwks_refreshes_total" ["authorization_server", "outcome"],
    /// Requests sent upstream, by how they ended: `response` (passed on), `cancelled` (the client
    /// left), `refused` (an answer that does not pass), `error` (unreachable, or broke off),
    /// `timeout`.
    upstream_requests: IntCounterVec = "gatehouse_upstream_requests_total" ["route", "outcome"],
    /// Seconds from a request's being sent upstream to its response's head.
    upstream_duration: HistogramVec = "gatehouse_upstream_duration_seconds" ["route"],
    /// Event streams open now.
    active_streams: IntGaugeVec = "gatehouse_active_streams" ["route"],
    /// Client connections open now.
    connections: IntGauge = "gatehouse_connections" [],
    /// Client connections that are served at once: `listen.limits.max_connections`, or what there are
    /// descriptors for.
    connections_limit: IntGauge = "gatehouse_connections_limit" [],
    /// Connections from `listen.proxy_protocol`, by what their PROXY header said or lacked.
    proxy_protocol_headers: IntCounterVec =
        "gatehouse_proxy_protocol_headers_total" ["outcome"],
    /// Refusals for a limit on what one peer may have, or for want of room, by the limit.
    limit_refusals: IntCounterVec = "gatehouse_limit_refusals_total" ["limit"],
    /// Bytes of bodies held in memory now.
    buffered_bytes: IntGauge = "gatehouse_buffered_bytes" [],
    /// Requests that were answered 500 because serving them panicked: a defect of the gateway's own.
    panics: IntCounter = "gatehouse_panics_total" [],
    /// TLS handshakes with clients, by how they ended.
    /// They are `done`, or ended by `failed`, `timeout`, `plaintext` (the client spoke HTTP).
    tls_handshakes: IntCounterVec = "gatehouse_tls_handshakes_total" ["outcome"],
    /// Changes of the TLS files that were put in force (`changed`), or why not: `unreadable`,
    /// `damaged`, `mismatch`, `expired`. What cannot be used changes nothing.
    tls_reloads: IntCounterVec = "gatehouse_tls_reloads_total" ["outcome"],
    /// When the TLS certificate ends, in seconds since the Unix epoch; absent without TLS.
    tls_certificate_expiry: IntGaugeVec = "gatehouse_tls_certificate_expiry_timestamp_seconds" [],
    /// Readings of the configuration while it is in force, by what came of them: `applied`,
    /// `rejected` (the old goes on), `unchanged`.
    config_reloads: IntCounterVec = "gatehouse_config_reloads_total" ["outcome"],
    /// Whether the last reading of the configuration found it good: 1, or 0.
    config_last_reload_successful: IntGauge = "gatehouse_config_last_reload_successful" [],
    /// When the configuration was last read and found good, in seconds since 1970.
    config_last_reload_success: Gauge =
        "gatehouse_config_last_reload_success_timestamp_seconds" [],
    /// Lines of the audit stream that were lost, by why.
    audit_lines_dropped: IntCounterVec = "gatehouse_audit_lines_dropped_total" ["reason"],
    /// Spans of recorded requests, by what became of them.
    trace_spans: IntCounterVec = "gatehouse_trace_spans_total" ["outcome"],
    /// Which build this is; always 1.
    /// The revision is that of `gatehouse --version`.
    build_info: IntGaugeVec = "gatehouse_build_info" ["version", "revision"],
}

impl Metrics {
    /// Everything in the Prometheus text format.
    pub fn render(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // Writing to memory fails only for a metric without a name, which registration excludes.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut out);
        out
    }

    /// The series of one route.
    pub fn route(&self, route: &str) -> RouteMetrics {
        let usual = USUAL.map(|(method, status)| {
            let labels = [route, method, status];
            (method, status, self.requests.with_label_values(&labels))
        });
        let upstream = |outcome: UpstreamOutcome| {
            self.upstream_requests.with_label_values(&[route, outcome.label()])
        };
        RouteMetrics {
            route: route.into(),
            requests: self.requests.clone(),
            usual,
            duration: self.request_duration.with_label_values(&[route]),
            allowed: self.auth_decisions.with_label_values(&[route, "allowed", "none"]),
            decisions: self.auth_decisions.clone(),
            would_deny: self.shadow_denials.with_label_values(&[route]),
            upstream: UpstreamOutcome::ALL.map(upstream),
            upstream_duration: self.upstream_duration.with_label_values(&[route]),
            active_streams: self.active_streams.with_label_values(&[route]),
        }
    }
}

/// The series of one route, looked up once.
#[derive(Clone, Debug)]
pub struct RouteMetrics {
    route: Box<str>,
    requests: IntCounterVec,
    usual: [(&'static str, &'static str, IntCounter); USUAL.len()],
    /// Seconds to the response head.
    pub duration: Histogram,
    /// Requests whose token and scopes sufficed.
    pub allowed: IntCounter,
    decisions: IntCounterVec,
    /// Requests that would have been refused, were the route not shadowed.
    pub would_deny: IntCounter,
    upstream: [IntCounter; UpstreamOutcome::ALL.len()],
    /// Seconds to the upstream's response head.
    pub upstream_duration: Histogram,
    /// Event streams open now.
    pub active_streams: IntGauge,
}

impl RouteMetrics {
    /// Counts an answered request; a method we do not serve counts as `other`.
    pub fn count_request(&self, method: &http::Method, status: http::StatusCode) {
        let method = match method.as_str() {
            known @ ("GET" | "POST" | "DELETE" | "OPTIONS" | "HEAD") => known,
            _ => "other",
        };
        let is_this =
            |entry: &&(&str, &str, IntCounter)| entry.0 == method && entry.1 == status.as_str();
        match self.usual.iter().find(is_this) {
            Some((_, _, counter)) => counter.inc(),
            None => self.requests.with_label_values(&[&*self.route, method, status.as_str()]).inc(),
        }
    }

    /// Counts a request refused for its token or its scopes.
    pub fn count_denied(&self, reason: &'static str) {
        self.decisions.with_label_values(&[&*self.route, "denied", reason]).inc();
    }

    /// Requests refused for their token or its scopes so far, by reason.
    pub fn denials(&self) -> Vec<(String, u64)> {
        let families = self.decisions.collect();
        let all = families.iter().flat_map(prometheus::proto::MetricFamily::get_metric);
        let denied = all.filter(|metric| {
            let has = |name: &str, value: &str| {
                metric
                    .get_label()
                    .iter()
                    .any(|label| label.name() == name && label.value() == value)
            };
            has("route", &self.route) && has("outcome", "denied")
        });
        let reason_and_count = |metric: &prometheus::proto::Metric| {
            let labels = metric.get_label();
            let reason = labels.iter().find(|label| label.name() == "reason")?;
            let count = self.decisions.with_label_values(&[&*self.route, "denied", reason.value()]);
            Some((reason.value().to_owned(), count.get()))
        };
        denied.filter_map(reason_and_count).collect()
    }

    /// Requests sent upstream so far, by how they ended.
    pub fn upstream_outcomes(&self) -> [(&'static str, u64); UpstreamOutcome::ALL.len()] {
        let mut outcomes = UpstreamOutcome::ALL.map(|outcome| (outcome.label(), 0));
        for ((_, count), counter) in outcomes.iter_mut().zip(&self.upstream) {
            *count = counter.get();
        }
        outcomes
    }

    /// Counts a request sent upstream.
    pub fn count_upstream(&self, outcome: UpstreamOutcome) {
        let position = UpstreamOutcome::ALL.iter().position(|each| *each == outcome);
        if let Some(counter) = position.and_then(|index| self.upstream.get(index)) {
            counter.inc();
        }
    }
}

/// How a request sent upstream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamOutcome {
    /// The client left first.
    Cancelled,
    /// It could not be reached, or broke its own framing.
    Error,
    /// It answered what does not pass a gateway.
    Refused,
    /// Its response head was passed on.
    Response,
    /// It was too slow.
    Timeout,
}

impl UpstreamOutcome {
    const ALL: [Self; 5] =
        [Self::Cancelled, Self::Error, Self::Refused, Self::Response, Self::Timeout];

    fn label(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Error => "error",
            Self::Refused => "refused",
            Self::Response => "response",
            Self::Timeout => "timeout",
        }
    }
}

/// Bucket bounds in seconds: from a cache hit to a slow tool.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0];

const USUAL: [(&str, &str); 4] =
    [("POST", "200"), ("POST", "202"), ("GET", "200"), ("POST", "401")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_registers_and_renders() {
        let metrics = Metrics::new().unwrap();
        let route = metrics.route("notes");
        route.count_request(&http::Method::POST, http::StatusCode::OK);
        route.count_request(&http::Method::PATCH, http::StatusCode::METHOD_NOT_ALLOWED);
        route.count_denied("expired");
        route.count_upstream(UpstreamOutcome::Timeout);
        metrics.key_set("corp").changed.inc();
        let text = String::from_utf8(metrics.render()).unwrap();
        for line in [
            r#"gatehouse_requests_total{method="POST",route="notes",status="200"} 1"#,
            r#"gatehouse_requests_total{method="other",route="notes",status="405"} 1"#,
            r#"gatehouse_auth_decisions_total{outcome="denied",reason="expired",route="notes"} 1"#,
            r#"gatehouse_upstream_requests_total{outcome="timeout",route="notes"} 1"#,
            r#"gatehouse_jwks_refreshes_total{authorization_server="corp",outcome="changed"} 1"#,
            r#"gatehouse_jwks_refreshes_total{authorization_server="corp",outcome="timeout"} 0"#,
            "gatehouse_connections 0",
        ] {
            assert!(text.lines().any(|each| each == line), "{line} in\n{text}");
        }
    }
}
