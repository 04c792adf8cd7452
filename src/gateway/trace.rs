//! The spans of one request.
//!
//! 1. The request's own span and its children `authenticate`, `introspect`, `authorize` and
//!    `upstream` are put together at its end, from moments that were noted on the way.
//! 2. Its parent is the span in `traceparent`. What `params._meta` names (MCP, SEP-414) is its
//!    parent where no such field came, else it is linked: the field is about this HTTP request, the
//!    member about the message in it, and the two are independent (OpenTelemetry's conventions for
//!    MCP).
//! 3. A recorded request's upstream is called in the span `upstream`; where nothing is recorded the
//!    client's context passes as it came.
//! 4. An authorization server is told nothing of a trace: it is somebody else's, and one answer
//!    serves many requests.
//! 5. Attributes are OpenTelemetry's for HTTP servers and for MCP, as far as they hold no secret:
//!    no path or query (a sealed reference stands in it), no session id, no argument, no subject;
//!    and `gatehouse.*`. The request id leads to the log line, which says who it was.

use std::{sync::Arc, time::Instant};

use http::{HeaderValue, Method, StatusCode, Version, request::Parts};

use super::{ids::NewId, shown::shown};
use crate::{
    admission::mcp,
    clock::Clock,
    forward::headers::{self, SpanFields},
    jsonrpc::Glance,
    resource::ProtectedResource,
    traces::{
        Tracer,
        asked::{self, Asked},
        context::{self, TraceContext},
        span::{Calendar, Kind, Parent, Recorded, Span, Value, short},
    },
};

/// What is noted of a request that is recorded, or may be.
#[derive(Debug)]
pub(super) struct Trace {
    tracer: Arc<Tracer>,
    is_sampled: bool,
    /// The trace id of a trace that begins here.
    own_trace_id: u128,
    span_id: u64,
    /// The caller, by header field.
    caller: Option<TraceContext>,
    /// The message's sender, by `params._meta`.
    sender: Option<TraceContext>,
    tracestate: Option<HeaderValue>,
    is_secure: bool,
    version: Version,
    revision: Option<HeaderValue>,
    authenticated: Option<(Instant, bool)>,
    read: Option<Instant>,
    forwarded: Option<Instant>,
    asked: Vec<Asked>,
}

/// What is known of a request at its end.
pub(super) struct Facts<'a> {
    pub(super) request_id: &'a HeaderValue,
    /// Nothing when it is not the client's.
    pub(super) method: Option<&'a Method>,
    pub(super) resource: Option<&'a ProtectedResource>,
    pub(super) glance: &'a Glance,
    pub(super) outcome: &'static str,
    pub(super) reason: Option<&'static str>,
    /// Nothing when the client left first.
    pub(super) status: Option<StatusCode>,
    pub(super) started: Instant,
    pub(super) allowed: Option<Instant>,
    pub(super) ended: Instant,
    pub(super) clock: &'a dyn Clock,
}

impl Trace {
    /// Begins one, unless it is known already that the request is not recorded.
    pub(super) fn begin(
        tracer: Option<&Arc<Tracer>>,
        parts: &Parts,
        id: &NewId,
        (is_trusted, is_secure): (bool, bool),
    ) -> Option<Box<Self>> {
        let tracer = tracer?;
        let is_heard = tracer.hears(is_trusted);
        if !is_heard && !tracer.draws(id.span_id) {
            return None;
        }
        let caller = headers::trace_context(&parts.headers);
        let is_sampled = tracer.decides(caller.filter(|_| is_heard), id.span_id);
        // The message may yet say that it is recorded.
        let is_open = caller.is_none() && tracer.hears_everybody() && parts.method == Method::POST;
        (is_sampled || is_open).then(|| {
            Box::new(Self {
                tracer: Arc::clone(tracer),
                is_sampled,
                own_trace_id: id.trace_id,
                span_id: id.span_id,
                caller,
                sender: None,
                tracestate: None,
                is_secure,
                version: parts.version,
                revision: parts.headers.get(mcp::PROTOCOL_VERSION).cloned(),
                authenticated: None,
                read: None,
                forwarded: None,
                asked: Vec::new(),
            })
        })
    }

    /// Does some work, and notes who was asked in it.
    pub(super) async fn noting<T>(&mut self, work: impl Future<Output = T>) -> T {
        let (done, asked) = asked::noting(work).await;
        self.asked = asked;
        done
    }

    /// The token was judged.
    pub(super) fn authenticated(&mut self, at: Instant, is_good: bool) {
        self.authenticated = Some((at, is_good));
    }

    /// The body was looked at.
    pub(super) fn read(&mut self, at: Instant, glance: &Glance) {
        self.read = Some(at);
        let sender = glance.traceparent().and_then(|text| TraceContext::parse(text.as_bytes()));
        if self.caller.is_none() && sender.is_some() {
            self.tracestate = glance.tracestate().and_then(context::tracestate);
            if self.tracer.hears_everybody() {
                self.is_sampled = self.tracer.decides(sender, self.span_id);
            }
        }
        self.sender = sender;
    }

    /// The upstream answered, or failed to.
    pub(super) fn forwarded(&mut self, at: Instant) {
        self.forwarded = Some(at);
    }

    /// The trace's id, when the request is recorded: for the log.
    pub(super) fn id(&self) -> Option<String> {
        self.is_sampled.then(|| format!("{:032x}", self.trace_id()))
    }

    /// The span that the upstream is called in, when the request is recorded.
    pub(super) fn span_upstream(&self) -> Option<Box<SpanFields>> {
        if !self.is_sampled {
            return None;
        }
        let span_id = self.child_id(UPSTREAM);
        let context = TraceContext::recorded(self.trace_id(), span_id, self.parent());
        let traceparent = context.to_header()?;
        Some(Box::new(SpanFields { traceparent, tracestate: self.tracestate.clone() }))
    }

    /// Hands over the spans, when the request is recorded.
    pub(super) fn end(mut self: Box<Self>, facts: &Facts<'_>) {
        if !self.is_sampled {
            return;
        }
        let calendar =
            Calendar { instant: facts.clock.instant(), unix_seconds: facts.clock.unix_seconds() };
        let mut spans = vec![self.request(facts, calendar)];
        self.add_authentication(&mut spans, facts, calendar);
        spans.extend(self.authorize(facts, calendar));
        spans.extend(self.upstream(facts, calendar));
        self.tracer.record(Recorded { trace_id: self.trace_id(), spans });
    }

    fn parent(&self) -> Option<TraceContext> {
        self.caller.or(self.sender)
    }

    fn trace_id(&self) -> u128 {
        self.parent().map_or(self.own_trace_id, |parent| parent.trace_id)
    }

    /// Ids of children: as unlike each other as those of requests.
    fn child_id(&self, number: u64) -> u64 {
        super::ids::mix(self.span_id.wrapping_add(number)).max(1)
    }

    fn request(&self, facts: &Facts<'_>, calendar: Calendar) -> Span {
        let method = facts.method.map_or("HTTP", method);
        let name = match facts.resource {
            Some(resource) => format!("{method} {}", resource.path).into(),
            None => method.into(),
        };
        let mut attributes = self.of_http(facts);
        self.add_message(facts, &mut attributes);
        let is_error = facts.status.is_some_and(|status| status.is_server_error());
        if let (true, Some(reason)) = (is_error, facts.reason) {
            attributes.push(("error.type", Value::Word(reason)));
        }
        Span {
            id: self.span_id,
            parent: self.parent().map(|parent| Parent::Remote(parent.span_id)),
            link: self.sender.filter(|sender| self.parent() != Some(*sender)),
            name,
            kind: Kind::Server,
            start: calendar.nanoseconds(facts.started),
            end: calendar.nanoseconds(facts.ended),
            attributes,
            is_error,
        }
    }

    fn of_http(&self, facts: &Facts<'_>) -> Vec<(&'static str, Value)> {
        let version = match self.version {
            Version::HTTP_2 => "2",
            Version::HTTP_10 => "1.0",
            _ => "1.1",
        };
        let mut attributes = vec![
            ("http.request.method", Value::Word(facts.method.map_or("_OTHER", method))),
            ("network.protocol.name", Value::Word("http")),
            ("network.protocol.version", Value::Word(version)),
            ("url.scheme", Value::Word(if self.is_secure { "https" } else { "http" })),
            ("gatehouse.outcome", Value::Word(facts.outcome)),
            ("gatehouse.request_id", short(facts.request_id.to_str().unwrap_or_default())),
        ];
        if let Some(resource) = facts.resource {
            attributes.push(("http.route", Value::Text(resource.path.clone())));
            attributes.push(("gatehouse.route", Value::Text(resource.name.clone())));
        }
        if let Some(status) = facts.status {
            let status = Value::Number(status.as_u16().into());
            attributes.push(("http.response.status_code", status));
        }
        if let Some(reason) = facts.reason {
            attributes.push(("gatehouse.reason", Value::Word(reason)));
        }
        attributes
    }

    /// What the conventions for MCP ask for, where the body was read and its names are plain.
    fn add_message(&self, facts: &Facts<'_>, attributes: &mut Vec<(&'static str, Value)>) {
        let Some(method) = facts.glance.method() else { return };
        attributes.push(("mcp.method.name", short(method)));
        let revision = self.revision.as_ref().and_then(|value| value.to_str().ok());
        attributes.extend(revision.map(|revision| ("mcp.protocol.version", short(revision))));
        let id = facts.glance.id().map(|id| id.trim_matches('"'));
        attributes.extend(id.map(|id| ("jsonrpc.request.id", short(id))));
        let Some(name) = facts.glance.name() else { return };
        let key = match method.split_once('/') {
            Some(("tools", "call")) => {
                attributes.push(("gen_ai.operation.name", Value::Word("execute_tool")));
                "gen_ai.tool.name"
            }
            Some(("prompts", _)) => "gen_ai.prompt.name",
            Some(("resources", _)) => {
                let uri = shown(method, name);
                return attributes.push(("mcp.resource.uri", short(&uri)));
            }
            _ => return,
        };
        attributes.push((key, short(name)));
    }

    fn add_authentication(&mut self, spans: &mut Vec<Span>, facts: &Facts<'_>, calendar: Calendar) {
        let Some((until, is_good)) = self.authenticated else { return };
        let id = self.child_id(AUTHENTICATE);
        let mut authenticate = self.child(id, "authenticate", calendar, (facts.started, until));
        let reason = facts.reason.filter(|_| !is_good && facts.allowed.is_none());
        authenticate.attributes.extend(reason.map(|reason| ("error.type", Value::Word(reason))));
        spans.push(authenticate);
        for (asked, number) in std::mem::take(&mut self.asked).into_iter().zip(INTROSPECT..) {
            let times = (asked.since, asked.until);
            let mut span = self.child(self.child_id(number), "introspect", calendar, times);
            span.parent = Some(Parent::Own(id));
            // Who waits for another request's question asks nobody.
            span.kind = if asked.is_shared { Kind::Internal } else { Kind::Client };
            span.is_error = asked.answer == "unavailable";
            span.attributes = vec![
                ("gatehouse.authorization_server", Value::Text(asked.authorization_server)),
                ("gatehouse.answer", Value::Word(asked.answer)),
                ("gatehouse.is_shared", Value::Flag(asked.is_shared)),
            ];
            spans.push(span);
        }
    }

    fn authorize(&self, facts: &Facts<'_>, calendar: Calendar) -> Option<Span> {
        let is_authenticated = self.authenticated.is_some_and(|(_, is_good)| is_good);
        let is_denied = facts.outcome == "denied" && is_authenticated;
        let until = facts.allowed.or(is_denied.then_some(facts.ended))?;
        let mut span =
            self.child(self.child_id(AUTHORIZE), "authorize", calendar, (self.read?, until));
        let reason = facts.reason.filter(|_| is_denied || facts.outcome == "would_deny");
        span.attributes.extend(reason.map(|reason| ("gatehouse.reason", Value::Word(reason))));
        Some(span)
    }

    fn upstream(&self, facts: &Facts<'_>, calendar: Calendar) -> Option<Span> {
        let until = self.forwarded.unwrap_or(facts.ended);
        let mut span =
            self.child(self.child_id(UPSTREAM), "upstream", calendar, (facts.allowed?, until));
        span.kind = Kind::Client;
        let (address, port) = facts.resource?.upstream.server();
        let method = facts.method.map_or("_OTHER", method);
        span.attributes = vec![
            ("http.request.method", Value::Word(method)),
            ("server.address", Value::Text(address.into())),
        ];
        span.attributes.extend(port.map(|port| ("server.port", Value::Number(port.into()))));
        let is_answered = facts.outcome != "refused";
        if let (Some(status), true) = (facts.status, is_answered) {
            let code = Value::Number(status.as_u16().into());
            span.attributes.push(("http.response.status_code", code));
            // A client's span fails with 4xx too (conventions for HTTP spans, section Status).
            span.is_error = status.is_client_error() || status.is_server_error();
        } else {
            span.is_error = true;
            let why = facts.reason.unwrap_or(facts.outcome);
            span.attributes.push(("error.type", Value::Word(why)));
        }
        Some(span)
    }

    fn child(
        &self,
        id: u64,
        name: &str,
        calendar: Calendar,
        (start, end): (Instant, Instant),
    ) -> Span {
        Span {
            id,
            parent: Some(Parent::Own(self.span_id)),
            link: None,
            name: name.into(),
            kind: Kind::Internal,
            start: calendar.nanoseconds(start),
            end: calendar.nanoseconds(end),
            attributes: Vec::new(),
            is_error: false,
        }
    }
}

/// The methods that HTTP has, as the conventions write them.
fn method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        "CONNECT" => "CONNECT",
        "TRACE" => "TRACE",
        _ => "_OTHER",
    }
}

/// Numbers of the children of a request's span; those of `introspect` are the last.
const AUTHENTICATE: u64 = 1;
const AUTHORIZE: u64 = 2;
const UPSTREAM: u64 = 3;
const INTROSPECT: u64 = 4;
