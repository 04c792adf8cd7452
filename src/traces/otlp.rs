//! OTLP's messages for traces, as many of their fields as are used here (opentelemetry-proto 1.x,
//! `opentelemetry/proto/{collector/trace,trace,resource,common}/v1`).
//!
//! The field numbers are the protocol. A test has what is written here read by the published types.

use super::{
    context::TraceContext,
    span::{self, Kind, Parent, Recorded},
};

/// `ExportTraceServiceRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ExportRequest {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceSpans>,
}

/// `ExportTraceServiceResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

/// `ExportTracePartialSuccess`.
#[derive(Clone, PartialEq, prost::Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected_spans: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

/// `InstrumentationScope`.
#[derive(Clone, PartialEq, prost::Message)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
}

#[derive(Clone, PartialEq, prost::Message)]
#[expect(clippy::struct_field_names, reason = "the protocol's names")]
struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
    #[prost(message, repeated, tag = "13")]
    links: Vec<Link>,
    #[prost(message, optional, tag = "15")]
    status: Option<Status>,
    #[prost(fixed32, tag = "16")]
    flags: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Link {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(fixed32, tag = "6")]
    flags: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Status {
    #[prost(int32, tag = "3")]
    code: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct AnyValue {
    #[prost(oneof = "Value", tags = "1, 2, 3")]
    value: Option<Value>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Value {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Flag(bool),
    #[prost(int64, tag = "3")]
    Number(i64),
}

impl ExportRequest {
    /// One request with the spans of several.
    pub(super) fn new(service_name: &str, batch: Vec<Recorded>) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        let text = |key: &str, text: &str| {
            let value = Some(AnyValue { value: Some(Value::Text(text.to_owned())) });
            KeyValue { key: key.to_owned(), value }
        };
        let attributes = vec![text("service.name", service_name), text("service.version", version)];
        let spans = batch.into_iter().flat_map(|Recorded { trace_id, spans }| {
            spans.into_iter().map(move |recorded| span(trace_id, recorded))
        });
        let scope = Scope { name: "gatehouse".to_owned(), version: version.to_owned() };
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans: spans.collect() }];
        let resource = Some(Resource { attributes });
        Self { resource_spans: vec![ResourceSpans { resource, scope_spans }] }
    }
}

impl ExportResponse {
    /// How many spans the collector took none of.
    pub(super) fn rejected(&self) -> u64 {
        let rejected = self.partial_success.as_ref().map_or(0, |partial| partial.rejected_spans);
        u64::try_from(rejected).unwrap_or(0)
    }
}

fn span(trace_id: u128, recorded: span::Span) -> Span {
    let (parent_span_id, origin) = match recorded.parent {
        None => (Vec::new(), 0),
        Some(Parent::Own(id)) => (id.to_be_bytes().to_vec(), HAS_IS_REMOTE),
        Some(Parent::Remote(id)) => (id.to_be_bytes().to_vec(), HAS_IS_REMOTE | IS_REMOTE),
    };
    Span {
        trace_id: trace_id.to_be_bytes().to_vec(),
        span_id: recorded.id.to_be_bytes().to_vec(),
        parent_span_id,
        name: recorded.name.into(),
        kind: match recorded.kind {
            Kind::Internal => 1,
            Kind::Server => 2,
            Kind::Client => 3,
        },
        start_time_unix_nano: recorded.start,
        end_time_unix_nano: recorded.end,
        attributes: recorded.attributes.into_iter().map(attribute).collect(),
        links: recorded.link.map(link).into_iter().collect(),
        status: recorded.is_error.then_some(Status { code: STATUS_ERROR }),
        flags: SAMPLED | origin,
    }
}

fn link(TraceContext { trace_id, span_id, flags }: TraceContext) -> Link {
    Link {
        trace_id: trace_id.to_be_bytes().to_vec(),
        span_id: span_id.to_be_bytes().to_vec(),
        flags: u32::from(flags) | HAS_IS_REMOTE | IS_REMOTE,
    }
}

fn attribute((key, value): (&'static str, span::Value)) -> KeyValue {
    let value = match value {
        span::Value::Flag(flag) => Value::Flag(flag),
        span::Value::Number(number) => Value::Number(number),
        span::Value::Text(text) => Value::Text(text.into()),
        span::Value::Word(word) => Value::Text(word.to_owned()),
    };
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }) }
}

const SAMPLED: u32 = 0x01;
/// `SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK` and `SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK`.
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;
/// `STATUS_CODE_ERROR`.
const STATUS_ERROR: i32 = 2;
