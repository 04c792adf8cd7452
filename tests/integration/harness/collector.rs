//! A stub collector: takes OTLP over HTTP, and reads it with the published types.

use std::collections::BTreeMap;

use gatehouse::forward::headers::hex;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{ResourceSpans, Span, status::StatusCode},
};
use prost::Message as _;

use super::{clock::eventually, raw::Received, upstream::StubUpstream};

/// A collector that runs until it is dropped.
pub(crate) struct Collector {
    pub(crate) server: StubUpstream,
}

/// A span that was exported.
#[derive(Clone, Debug)]
pub(crate) struct Exported {
    pub(crate) trace_id: String,
    pub(crate) id: String,
    /// Empty without one.
    pub(crate) parent: String,
    pub(crate) name: String,
    /// 1: internal, 2: server, 3: client.
    pub(crate) kind: i32,
    pub(crate) attributes: BTreeMap<String, String>,
    /// Trace and span ids.
    pub(crate) links: Vec<(String, String)>,
    pub(crate) is_error: bool,
    pub(crate) times: (u64, u64),
    pub(crate) flags: u32,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        Self { server: StubUpstream::start().await }
    }

    /// The value of `telemetry.traces.otlp_endpoint`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.server.authority())
    }

    /// The section of a configuration that has everything sent here.
    pub(crate) fn section(&self, more: &str) -> String {
        format!("telemetry: {{traces: {{otlp_endpoint: '{}'{more}}}}}\n", self.url())
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.server.requests()
    }

    /// Every group of spans received, as it came.
    pub(crate) fn groups(&self) -> Vec<ResourceSpans> {
        let decode = |request: &Received| {
            assert_eq!((&*request.method, &*request.target), ("POST", "/v1/traces"));
            assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
            ExportTraceServiceRequest::decode(&*request.body).unwrap().resource_spans
        };
        self.received().iter().flat_map(decode).collect()
    }

    /// Every span received.
    pub(crate) fn spans(&self) -> Vec<Exported> {
        let groups = self.groups();
        let spans = groups.iter().flat_map(|group| &group.scope_spans).flat_map(|s| &s.spans);
        spans.map(Exported::new).collect()
    }

    /// Waits for the spans of so many requests, and returns all there are then.
    pub(crate) async fn requests(&self, count: usize) -> Vec<Exported> {
        eventually("spans", || {
            let spans = self.spans();
            let found = spans.iter().filter(|span| span.kind == 2).count();
            if found == count { Ok(spans) } else { Err(format!("{found} of {count}: {spans:?}")) }
        })
        .await
    }
}

impl Exported {
    fn new(span: &Span) -> Self {
        assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8));
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano, "{span:?}");
        Self {
            trace_id: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            name: span.name.clone(),
            kind: span.kind,
            attributes: attributes(&span.attributes),
            links: span.links.iter().map(|l| (hex(&l.trace_id), hex(&l.span_id))).collect(),
            is_error: span.status.as_ref().is_some_and(|s| s.code() == StatusCode::Error),
            times: (span.start_time_unix_nano, span.end_time_unix_nano),
            flags: span.flags,
        }
    }

    /// An attribute's text; empty without it.
    pub(crate) fn attribute(&self, key: &str) -> &str {
        self.attributes.get(key).map_or("", |value| value)
    }
}

/// Attributes by name; numbers and truths as text.
pub(crate) fn attributes(pairs: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |pair: &KeyValue| {
        let value = pair.value.as_ref().and_then(|value| value.value.as_ref());
        if let Some(Value::StringValue(text)) = value {
            text.clone()
        } else if let Some(Value::BoolValue(flag)) = value {
            flag.to_string()
        } else if let Some(Value::IntValue(number)) = value {
            number.to_string()
        } else {
            panic!("{pair:?}")
        }
    };
    let found: BTreeMap<_, _> = pairs.iter().map(|pair| (pair.key.clone(), text(pair))).collect();
    assert_eq!(found.len(), pairs.len(), "an attribute stands there twice: {pairs:?}");
    found
}

/// The span of this name.
#[track_caller]
pub(crate) fn named<'a>(spans: &'a [Exported], name: &str) -> &'a Exported {
    let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    assert_eq!(found.len(), 1, "{name} in {spans:#?}");
    found[0]
}
