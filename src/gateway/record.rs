//! What is said of a request afterwards: one log line, its counts, an audit line, and its place among
//! the last refusals.
//!
//! 1. Fields have the names that operators query; times are in milliseconds.
//! 2. Text from a request is cut short, URIs to their path; tokens, secrets, fields and bodies are
//!    never in it.
//! 3. A request whose client left before the response head is logged as `cancelled`.

mod trail;

use std::{borrow::Cow, net::IpAddr, sync::Arc, time::Instant};

use http::{HeaderValue, Method, StatusCode, request::Parts};
use tracing::info;

pub(super) use self::trail::Asked;
use self::trail::Trail;
use super::{
    shown::shown,
    trace::{Facts, Trace},
};
use crate::{
    authenticate::{AuthenticateError, TokenIdentity, VerifiedToken},
    authorize::{AuthorizeError, Caller, Permit},
    clock::Clock,
    forward::headers::SpanFields,
    jsonrpc::Glance,
    rejection::Rejection,
    resource::ProtectedResource,
    snapshot::{Refusal, Snapshot},
};

/// What is known of a request so far.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent fact of the request")]
pub(super) struct Record<'a> {
    request_id: HeaderValue,
    method: Method,
    is_method_known: bool,
    snapshot: &'a Snapshot,
    clock: &'a dyn Clock,
    is_logged: bool,
    started: Instant,
    resource: Option<Arc<ProtectedResource>>,
    glance: Glance,
    token: Option<TokenIdentity>,
    auth_ms: Option<f64>,
    allowed_at: Option<Instant>,
    answered_at: Option<Instant>,
    upstream_ms: Option<f64>,
    outcome: &'static str,
    reason: Option<&'static str>,
    detail: Option<String>,
    /// What would cure its refusal; without one it was not refused.
    remedy: Option<&'static str>,
    rule: Option<String>,
    trail: Option<Box<Trail>>,
    is_body_left_unread: bool,
    is_finished: bool,
    trace: Option<Box<Trace>>,
}

impl<'a> Record<'a> {
    pub(super) fn new(
        parts: &Parts,
        request_id: HeaderValue,
        client: IpAddr,
        snapshot: &'a Snapshot,
        clock: &'a dyn Clock,
    ) -> Self {
        Self {
            request_id,
            method: parts.method.clone(),
            is_method_known: true,
            trail: Trail::begin(snapshot, client),
            is_logged: snapshot.settings.telemetry.access_log,
            snapshot,
            started: clock.instant(),
            clock,
            resource: None,
            glance: Glance::default(),
            token: None,
            auth_ms: None,
            allowed_at: None,
            answered_at: None,
            upstream_ms: None,
            outcome: "answered",
            reason: None,
            detail: None,
            remedy: None,
            rule: None,
            is_body_left_unread: false,
            is_finished: false,
            trace: None,
        }
    }

    /// The request is recorded, or may be.
    pub(super) fn trace(&mut self, trace: Option<Box<Trace>>) {
        self.trace = trace;
    }

    /// Does the work of authentication, and notes whom it asked.
    pub(super) async fn noting<T>(&mut self, work: impl Future<Output = T>) -> T {
        match &mut self.trace {
            Some(trace) => trace.noting(work).await,
            None => work.await,
        }
    }

    /// The span that the upstream is called in.
    pub(super) fn span_upstream(&self) -> Option<Box<SpanFields>> {
        self.trace.as_ref()?.span_upstream()
    }

    /// The method at hand is not the client's.
    pub(super) fn hide_method(&mut self) {
        self.is_method_known = false;
    }

    pub(super) fn request_id(&self) -> &HeaderValue {
        &self.request_id
    }

    pub(super) fn resource(&self) -> Option<&Arc<ProtectedResource>> {
        self.resource.as_ref()
    }

    pub(super) fn rpc_id(&self) -> Option<&str> {
        self.glance.id()
    }

    /// The request is a route's.
    pub(super) fn enter(&mut self, resource: &Arc<ProtectedResource>) {
        self.resource = Some(Arc::clone(resource));
    }

    /// The token was judged.
    pub(super) fn authenticated(&mut self, judged: &Result<Caller, AuthenticateError>) {
        if let Some(trace) = &mut self.trace {
            trace.authenticated(self.clock.instant(), judged.is_ok());
        }
        if self.is_logged {
            self.auth_ms = Some(milliseconds(self.started, self.clock.instant()));
        }
        self.token = identity(judged).cloned();
    }

    /// Whether what it asks for must be known word by word.
    pub(super) fn is_audited(&self) -> bool {
        self.trail.is_some()
    }

    /// What it asks for.
    pub(super) fn asked(&mut self, asked: Option<Asked>) {
        if let Some(trail) = &mut self.trail {
            trail.asked(asked);
        }
    }

    /// The body was looked at.
    pub(super) fn read(&mut self, glance: Glance) -> &Glance {
        self.glance = glance;
        if let Some(trace) = &mut self.trace {
            trace.read(self.clock.instant(), &self.glance);
        }
        &self.glance
    }

    /// The body was not read to its end, so nothing can follow it on its connection.
    pub(super) fn body_left_unread(&mut self, is_left: bool) {
        self.is_body_left_unread = is_left;
    }

    pub(super) fn is_body_left_unread(&self) -> bool {
        self.is_body_left_unread
    }

    /// The operation was allowed.
    pub(super) fn allowed(&mut self, permit: &Permit) {
        self.glance.let_go();
        self.outcome = "allowed";
        self.allowed_at = Some(self.clock.instant());
        if let Some(trail) = &mut self.trail {
            trail.decided(self.outcome);
        }
        if let Some(resource) = &self.resource {
            resource.metrics.allowed.inc();
        }
        if let Some(error) = permit.would_deny() {
            self.would_deny(error);
        }
    }

    /// The operation was allowed although it would not be, were the route not shadowed.
    fn would_deny(&mut self, error: &AuthorizeError) {
        self.outcome = "would_deny";
        self.reason = Some(INSUFFICIENT_SCOPE);
        self.detail = self.is_logged.then(|| short(&error.to_string()).to_owned());
        if let Some(trail) = &mut self.trail {
            trail.would_deny(error);
            self.rule = self.resource.as_ref().and_then(|resource| error.rule(&resource.name));
        }
        if let Some(resource) = &self.resource {
            resource.metrics.would_deny.inc();
        }
    }

    /// The upstream answered, or failed to.
    pub(super) fn forwarded(&mut self) {
        let Some(since) = self.allowed_at else { return };
        let now = self.clock.instant();
        self.answered_at = Some(now);
        if let Some(trace) = &mut self.trace {
            trace.forwarded(now);
        }
        self.upstream_ms = self.is_logged.then(|| milliseconds(since, now));
        if let Some(resource) = &self.resource {
            let duration = now.saturating_duration_since(since);
            resource.metrics.upstream_duration.observe(duration.as_secs_f64());
        }
    }

    /// The request was refused.
    pub(super) fn refused(&mut self, rejection: &Rejection) {
        let reason = rejection.row().reason;
        self.reason = Some(reason);
        self.detail = Some(detail(rejection));
        self.remedy = Some(rejection.remedy());
        if let (Rejection::Authorize(error), Some(resource)) = (rejection, &self.resource) {
            self.rule = error.rule(&resource.name);
        }
        // A refusal may have waited for the body since.
        self.answered_at = None;
        self.outcome = if rejection.is_auth_decision() { "denied" } else { "refused" };
        if let Some(trail) = &mut self.trail {
            trail.refused(rejection, self.outcome);
        }
        if let (Some(resource), true) = (&self.resource, rejection.is_auth_decision()) {
            resource.metrics.count_denied(reason);
        }
    }

    /// The response head is ready.
    pub(super) fn finish(&mut self, status: StatusCode) {
        self.is_finished = true;
        let now = self.answered_at.unwrap_or_else(|| self.clock.instant());
        let routeless = &self.snapshot.routeless;
        let metrics = self.resource.as_ref().map_or(&**routeless, |route| &route.metrics);
        let duration = now.saturating_duration_since(self.started);
        metrics.duration.observe(duration.as_secs_f64());
        metrics.count_request(&self.method, status);
        self.log(Some(status.as_u16()), now);
        self.audit(Some(status.as_u16()));
        if let Some(refusal) = self.refusal(status) {
            self.snapshot.annals.refusals.keep(refusal);
        }
        self.end_trace(Some(status), now);
    }

    /// What it asks for by name, as it may be shown.
    fn rpc_name(&self) -> Option<Cow<'_, str>> {
        Some(shown(self.glance.method().unwrap_or_default(), self.glance.name()?))
    }

    fn audit(&self, status: Option<u16>) {
        if let Some(trail) = &self.trail {
            trail.write(self, status);
        }
    }

    /// What is remembered of it, if it was refused.
    fn refusal(&mut self, status: StatusCode) -> Option<Refusal> {
        let remedy = self.remedy?;
        let cut = |text: &str| short_to(text, MAX_NAME_BYTES).into();
        let token = self.token.as_ref();
        Some(Refusal {
            time: self.clock.unix_seconds(),
            request_id: self.request_id.to_str().unwrap_or_default().into(),
            route: self.resource.as_ref().map(|resource| resource.name.clone()),
            method: self.is_method_known.then(|| cut(self.method.as_str())),
            rpc_method: self.glance.method().map(cut),
            rpc_name: self.rpc_name().map(|name| cut(&name)),
            status: status.as_u16(),
            reason: self.reason.unwrap_or_default(),
            detail: self.detail.take().unwrap_or_default().into(),
            remedy,
            rule: self.rule.take().map(Into::into),
            issuer: token.map(|token| token.issuer().as_str().into()),
            subject: token.and_then(TokenIdentity::subject).map(|each| cut(each.as_str())),
            client_id: token.and_then(TokenIdentity::client_id).map(|each| cut(each.as_str())),
        })
    }

    fn end_trace(&mut self, status: Option<StatusCode>, now: Instant) {
        let Some(trace) = self.trace.take() else { return };
        trace.end(&Facts {
            request_id: &self.request_id,
            method: self.is_method_known.then_some(&self.method),
            resource: self.resource.as_deref(),
            glance: &self.glance,
            outcome: self.outcome,
            reason: self.reason,
            status,
            started: self.started,
            allowed: self.allowed_at,
            ended: now,
            clock: self.clock,
        });
    }

    fn log(&self, status: Option<u16>, now: Instant) {
        if !self.is_logged {
            return;
        }
        let resource = self.resource.as_deref();
        let token = self.token.as_ref();
        let rpc_name = self.rpc_name();
        info!(
            request_id = self.request_id.to_str().unwrap_or_default(),
            route = resource.map(|resource| &*resource.name),
            method = self.is_method_known.then(|| short(self.method.as_str())),
            rpc_method = self.glance.method().map(short),
            rpc_name = rpc_name.as_deref().map(short),
            status,
            outcome = self.outcome,
            reason = self.reason,
            detail = self.detail.as_deref(),
            subject = token.and_then(TokenIdentity::subject).map(|subject| short(subject.as_str())),
            client_id = token.and_then(TokenIdentity::client_id).map(|id| short(id.as_str())),
            issuer = token.map(|token| token.issuer().as_str()),
            upstream = resource.filter(|_| self.allowed_at.is_some()).map(|r| r.upstream.url()),
            duration_ms = milliseconds(self.started, now),
            auth_ms = self.auth_ms,
            upstream_ms = self.upstream_ms,
            trace_id = self.trace.as_ref().and_then(|trace| trace.id()),
            "request"
        );
    }
}

/// To the microsecond: more digits are noise, and cost as much as a field.
fn milliseconds(since: Instant, now: Instant) -> f64 {
    (now.saturating_duration_since(since).as_secs_f64() * 1e6).round() / 1000.0
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        if !self.is_finished {
            self.outcome = "cancelled";
            let now = self.clock.instant();
            self.log(None, now);
            self.audit(None);
            self.end_trace(None, now);
        }
    }
}

/// Whose the token was, as far as that was said.
pub(super) fn identity(judged: &Result<Caller, AuthenticateError>) -> Option<&TokenIdentity> {
    match judged {
        Ok(caller) => caller.token().map(VerifiedToken::identity),
        Err(AuthenticateError::Invalid(token)) => token.identity(),
        Err(
            AuthenticateError::Account(_)
            | AuthenticateError::Credentials(_)
            | AuthenticateError::Unavailable { .. },
        ) => None,
    }
}

/// A refusal and its causes, for the log and for operators who ask.
pub(super) fn detail(rejection: &Rejection) -> String {
    let mut text = rejection.to_string();
    let mut cause = std::error::Error::source(rejection);
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    short(&text).to_owned()
}

/// The beginning of a text, at a character boundary.
fn short(text: &str) -> &str {
    short_to(text, MAX_TEXT_BYTES)
}

fn short_to(text: &str, max_bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(max_bytes)).unwrap_or_default()
}

const INSUFFICIENT_SCOPE: &str = "insufficient_scope";
/// Of a name among the last refusals.
const MAX_NAME_BYTES: usize = 256;
const MAX_TEXT_BYTES: usize = 1024;
