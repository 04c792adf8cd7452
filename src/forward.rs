//! Forwarding: a permitted request goes upstream, and its response comes back.
//!
//! 1. Nothing is forwarded without a [`Permit`].
//! 2. The request is built from scratch: method and body as judged, path from configuration or
//!    from a reference of our own, the upstream's `Host`, the client's fields as
//!    [`headers`] lets them through.
//! 3. Redirects, 401 and 101 do not pass: a client must not be sent elsewhere with its token, nor
//!    to another login, nor through a tunnel.
//! 4. `Mcp-Session-Id` values are sealed on their way out; requests of revision 2026-07-28 have no
//!    session.
//! 5. The wait for the response head is bounded; streams have no total limit.
//! 6. Where lists are filtered, nothing passes that the filter did not read ([`list_filter`]).
//!
//! A request that may have reached an upstream is never sent twice.

pub mod client_body;
pub mod connection;
pub mod endpoint;
pub mod endpoint_event;
pub mod event_stream;
pub mod headers;
pub mod list_filter;
pub mod open_streams;
pub mod pool;
pub mod request_body;
pub mod response_body;
pub mod session;

mod dial;
mod ending;
mod patience;
mod response;
mod response_head;

use std::{pin::pin, sync::Arc};

use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header, uri::PathAndQuery};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

use self::{
    dial::Dialer,
    ending::Ending as StreamEnding,
    endpoint::Endpoints,
    headers::{Forwarded, Ours},
    list_filter::{FilterError, ListFilter},
    open_streams::Tenancy,
    patience::{Patience, RanOut},
    pool::{Pool, SendError, Tls},
    request_body::{BodyError, RequestBody},
    response::Shape,
    response_body::ResponseBody,
    session::Kind,
};
use crate::{
    admission::{Target, mcp},
    authenticate::token_facts::Principal,
    authorize::Permit,
    clock::Clock,
    config::settings::UpstreamSettings,
    limits::{buffer::Room, tally::Key},
    metrics::{RouteMetrics, UpstreamOutcome},
};

/// One route's upstream.
#[derive(Debug)]
pub struct Upstream {
    settings: UpstreamSettings,
    path: PathAndQuery,
    host: HeaderValue,
    pools: Vec<Arc<Pool>>,
    /// For response heads, by worker.
    patience: Vec<Patience>,
    endpoints: Arc<Endpoints>,
    /// For what of its answers must be read whole.
    room: Room,
    /// Cancelled when its streams shall end, whoever opened them.
    closed: CancellationToken,
}

/// What forwarding needs to know of the worker that does it.
#[derive(Clone, Debug)]
pub struct Worker {
    /// Its number, from 0.
    pub index: usize,
    /// Where its tasks are counted.
    pub tasks: TaskTracker,
    /// Cancelled when streams shall end.
    pub drain: CancellationToken,
}

/// A request on its way upstream.
#[derive(Debug)]
pub struct Outgoing {
    /// As the client sent it.
    pub method: Method,
    /// The client's fields.
    pub headers: HeaderMap,
    /// The client's target.
    pub target: Target,
    /// Where it goes.
    pub destination: Destination,
    /// The bytes that were judged.
    pub body: RequestBody,
    /// What the upstream is told of it.
    pub forwarded: Forwarded,
    /// The upstream's session, when the client named one of ours.
    pub session: Option<String>,
    /// Whether it may subscribe to events, so that its answer never ends by itself.
    pub is_listening: bool,
    /// How long its answer may stay open, should it be a stream that a token opens.
    pub tenancy: Tenancy,
    /// What its answer must leave out.
    pub filter: Option<ListFilter>,
    /// For whom what of its answer is read whole is held in memory.
    pub holder: Option<Key>,
}

/// Where on the upstream a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Below the configured path: what follows the route's path, with its slash.
    Below(Box<str>),
    /// The upstream's own message endpoint, behind a reference.
    Endpoint(PathAndQuery),
    /// The configured URL.
    Main,
}

/// Why a permitted request has no response to pass on.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// The client's body stopped on its way.
    #[error(transparent)]
    Body(BodyError),
    /// The upstream's answer would show what its list must leave out.
    #[error("the upstream answered with {0}")]
    List(#[from] FilterError),
    /// The upstream's answer must not pass.
    #[error("the upstream answered {0}")]
    Refused(&'static str),
    /// The upstream cannot be reached, or spoke no HTTP.
    #[error("the upstream failed")]
    Send(#[source] SendError),
    /// No response head within `response_timeout`.
    #[error("no response head within upstream.response_timeout")]
    Timeout,
}

/// How an upstream is reached, and what it is called there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Host and port to connect to.
    pub socket: String,
    /// What `Host` says unless it is configured: the port only when the URL has it.
    pub authority: String,
}

impl Addresses {
    /// Takes them from an upstream's URL.
    pub fn of(url: &Url) -> Option<Self> {
        let host = url.host_str()?;
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Some(Self { socket: format!("{host}:{}", url.port_or_known_default()?), authority })
    }
}

/// The session reference of a request does not open here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown session, or one of another principal or route: the client must begin anew; sessions.keys \
     lets sessions outlive a restart"
)]
pub struct UnknownSession;

impl Upstream {
    /// Prepares an upstream with a pool for each of `workers` workers.
    pub fn new(
        settings: UpstreamSettings,
        endpoints: Arc<Endpoints>,
        tls: Option<&Tls>,
        (workers, clock): (usize, &Arc<dyn Clock>),
        room: Room,
    ) -> Option<Self> {
        let path: PathAndQuery = settings.url.path().parse().ok()?;
        let Addresses { socket: address, authority } = Addresses::of(&settings.url)?;
        let host = match &settings.host {
            Some(host) => host.clone(),
            None => HeaderValue::from_str(&authority).ok()?,
        };
        let dialer = Arc::new(Dialer::new(&address, Arc::clone(clock)));
        let pool = |_| {
            let (dialer, clock) = (Arc::clone(&dialer), Arc::clone(clock));
            Arc::new(Pool::by(dialer, tls.cloned(), settings.connect_timeout, clock))
        };
        let pools = (0..workers).map(pool).collect();
        let patience = || Patience::new(settings.response_timeout);
        let patience = (0..workers).map(|_| patience()).collect();
        let closed = CancellationToken::new();
        Some(Self { settings, path, host, pools, patience, endpoints, room, closed })
    }

    /// Takes over from the upstream that the route had before what has not changed: its streams
    /// go on at the same URL, its connections with the same settings.
    #[must_use]
    pub fn after(mut self, previous: &Self) -> Self {
        if self.settings.url == previous.settings.url {
            self.closed = previous.closed.clone();
        }
        if self.settings == previous.settings {
            self.pools.clone_from(&previous.pools);
        }
        self
    }

    /// Whether streams of another one go on with this one.
    pub fn is_successor_of(&self, previous: &Self) -> bool {
        self.closed == previous.closed
    }

    /// Ends all event streams from it, between events.
    pub fn close_streams(&self) {
        self.closed.cancel();
    }

    /// Its URL, for the log.
    pub fn url(&self) -> &str {
        self.settings.url.as_str()
    }

    /// How many of its connections wait for their next request.
    pub fn idle_connections(&self) -> usize {
        self.pools.iter().map(|pool| pool.idle()).sum()
    }

    /// Its host and port, for traces.
    pub fn server(&self) -> (&str, Option<u16>) {
        let url = &self.settings.url;
        (url.host_str().unwrap_or_default(), url.port_or_known_default())
    }

    /// Opens the session reference of a request, when it has one.
    pub fn open_session(
        &self,
        headers: &HeaderMap,
        principal: &Principal,
    ) -> Result<Option<String>, UnknownSession> {
        let Some(reference) = headers.get(mcp::SESSION_ID) else { return Ok(None) };
        // Revision 2026-07-28 has no sessions: a leftover field means nothing.
        let version = headers.get(mcp::PROTOCOL_VERSION);
        if version.is_some_and(|version| mcp::is_modern_revision(version.as_bytes())) {
            return Ok(None);
        }
        let reference = reference.to_str().map_err(|_| UnknownSession)?;
        let value = self.endpoints.open(Kind::Session, principal, reference);
        value.map(Some).ok_or(UnknownSession)
    }

    /// Opens a reference to a message endpoint.
    pub fn open_endpoint(
        &self,
        reference: &str,
        principal: &Principal,
    ) -> Result<Destination, UnknownSession> {
        let path = self.endpoints.open_path(principal, reference);
        path.map(Destination::Endpoint).ok_or(UnknownSession)
    }

    /// Sends a permitted request and brings back the response to pass on.
    pub async fn forward(
        &self,
        permit: &Permit,
        mut outgoing: Box<Outgoing>,
        worker: &Worker,
        metrics: &RouteMetrics,
    ) -> Result<Response<ResponseBody>, ForwardError> {
        let is_stream = outgoing.method == Method::GET;
        let mut is_listening = outgoing.is_listening;
        let tenancy = std::mem::take(&mut outgoing.tenancy);
        let filter = outgoing.filter.clone();
        let (passed, holder) = (outgoing.body.passed(), outgoing.holder);
        let (request, ours) =
            self.request(outgoing).ok_or(ForwardError::Refused("no usable path"))?;
        let mut ending = Ending { metrics, outcome: UpstreamOutcome::Cancelled };
        let of_worker = (self.pools.get(worker.index), self.patience.get(worker.index));
        let (Some(pool), Some(patience)) = of_worker else {
            return Err(ForwardError::Refused("no pool for this worker"));
        };
        let sent = patience.bound(pin!(pool.send(request, Some(&ours), &worker.tasks))).await;
        // What stopped the body is the reason, whatever the upstream made of it.
        if let Some(error) = passed.as_ref().and_then(|passed| passed.fault()) {
            return Err(ForwardError::Body(error));
        }
        let response = match sent {
            Ok(Ok(answered)) => answered,
            Err(RanOut) => {
                ending.outcome = UpstreamOutcome::Timeout;
                return Err(ForwardError::Timeout);
            }
            Ok(Err(error)) => {
                ending.outcome = UpstreamOutcome::Error;
                return Err(ForwardError::Send(error));
            }
        };
        ending.outcome = UpstreamOutcome::Refused;
        // An upstream that answers has read the whole message, or has not read a second method.
        is_listening |= passed.is_some_and(|passed| passed.is_in_doubt());
        response_head::check(&response, is_stream, is_listening)?;
        let tenure = tenancy.settle(permit.caller().token(), is_listening, &worker.drain);
        let principal = *permit.caller().principal();
        let session = self.seal_session(response.headers(), &principal)?;
        let until = if is_stream || is_listening {
            StreamEnding::new(worker.drain.clone(), self.closed.clone(), tenure)
        } else {
            StreamEnding::never()
        };
        let gauge = metrics.active_streams.clone();
        let shape =
            Shape { is_stream, is_listening, principal, holder, session, gauge, until, filter };
        let response = self.response(response, shape).await;
        ending.outcome = match &response {
            Ok(_) => UpstreamOutcome::Response,
            Err(ForwardError::List(_)) => UpstreamOutcome::Refused,
            Err(_) => UpstreamOutcome::Error,
        };
        response
    }

    fn request(&self, outgoing: Box<Outgoing>) -> Option<(Request<RequestBody>, Ours)> {
        let path = match outgoing.destination {
            Destination::Endpoint(path) => path,
            Destination::Main if outgoing.target.query().is_none() => self.path.clone(),
            Destination::Main => with_query(self.path.as_str(), outgoing.target.query())?,
            Destination::Below(rest) => {
                let base = self.path.as_str().trim_end_matches('/');
                with_query(&format!("{base}{rest}"), outgoing.target.query())?
            }
        };
        let mut request = Request::new(outgoing.body);
        *request.method_mut() = outgoing.method;
        *request.uri_mut() = Uri::from(path);
        let (fields, forwarded) = (outgoing.headers, outgoing.forwarded);
        let (mut headers, ours) =
            headers::for_upstream(fields, forwarded, &self.host, &self.settings.headers);
        if let Some(session) = outgoing.session {
            headers.insert(mcp::SESSION_ID, HeaderValue::from_str(&session).ok()?);
        }
        if request.method() == Method::POST && matches!(request.body(), RequestBody::Empty) {
            // RFC 9110 section 8.6: a POST says so when its content is empty.
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        if request.method() == Method::GET || outgoing.is_listening {
            // Events are read on their way; a coding would hide them.
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        if outgoing.filter.is_some() {
            list_filter::response::restrict_request(&mut headers);
        }
        *request.headers_mut() = headers;
        Some((request, ours))
    }

    fn seal_session(
        &self,
        headers: &HeaderMap,
        principal: &Principal,
    ) -> Result<Option<HeaderValue>, ForwardError> {
        let unusable = ForwardError::Refused("with an unusable Mcp-Session-Id");
        let Ok(session) = headers::session_id(headers) else { return Err(unusable) };
        let Some(session) = session else { return Ok(None) };
        let reference = self.endpoints.seal(Kind::Session, principal, session);
        let value = reference.and_then(|reference| HeaderValue::from_str(&reference).ok());
        value.map(Some).ok_or(unusable)
    }
}

/// Counts how a request upstream ended, also when the client left first.
struct Ending<'a> {
    metrics: &'a RouteMetrics,
    outcome: UpstreamOutcome,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.metrics.count_upstream(self.outcome);
    }
}

fn with_query(path: &str, query: Option<&str>) -> Option<PathAndQuery> {
    match query {
        Some(query) => format!("{path}?{query}").parse().ok(),
        None => path.parse().ok(),
    }
}
