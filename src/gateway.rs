//! The gateway: every request goes through these stages, in this order.
//!
//! 1. admit: is the head one that everybody reads alike?
//! 2. route: host, path, origin, method.
//! 3. authenticate: one acceptable token; then the session reference, when there is one.
//! 4. read: the body, bounded.
//! 5. authorize: scopes.
//! 6. forward.
//!
//! The first stage that refuses ends the request; before the last one the upstream sees nothing.
//! One log line and one count per request, from here.

mod answer;
mod body;
mod contained;
mod head;
mod ids;
mod judge;
mod record;
pub mod rehearsal;
mod shares;
mod shown;
mod sparing;
mod tenure;
mod trace;

use std::{net::IpAddr, pin::pin, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version, header};
use http_body::Body;
use prometheus::IntCounter;
use tracing::warn;

pub use self::answer::GatewayBody;
use self::{
    answer::Context,
    contained::contained,
    head::{Head, Noted, Refusable, Stage, destination, sent_request_id},
    ids::{Ids, NewId},
    record::{Asked, Record},
    sparing::Sparing,
    trace::Trace,
};
use crate::{
    admission::{self, Inadmissible, Target, forwarded},
    authenticate::{
        AuthenticateError,
        asker::Asker,
        bearer::{self, CredentialsError},
    },
    authorize::Caller,
    clock::Clock,
    config::settings::Limits,
    forward::{Worker, client_body::ClientBody, headers::X_REQUEST_ID, request_body::RequestBody},
    limits::{ConnectionSlot, source},
    rejection::Rejection,
    resource::ProtectedResource,
    router::{Destination, RouteError},
    snapshot::{InForce, Snapshot},
};

/// Serves requests for one worker.
#[derive(Debug)]
pub struct Gateway {
    in_force: Arc<InForce>,
    worker: Worker,
    clock: Arc<dyn Clock>,
    ids: Ids,
    panics: IntCounter,
    turned_away: Sparing,
}

/// What the listener knows of a request beyond its head.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The connection's other end.
    pub peer: Peer,
    /// What the connection layer has against the request.
    pub finding: Option<Inadmissible>,
}

/// The other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    ip: IpAddr,
    text: HeaderValue,
    /// Whether it is behind TLS.
    is_secure: bool,
}

impl Peer {
    /// The peer at this address.
    pub fn new(ip: IpAddr, is_secure: bool) -> Self {
        let text = HeaderValue::from_str(&ip.to_string());
        Self { ip, text: text.unwrap_or_else(|_| HeaderValue::from_static("unknown")), is_secure }
    }
}

impl Gateway {
    /// A gateway over what is in force.
    ///
    /// `panics` counts requests that ended in one.
    pub fn new(
        in_force: Arc<InForce>,
        worker: Worker,
        clock: Arc<dyn Clock>,
        panics: IntCounter,
    ) -> Self {
        let turned_away = Sparing::default();
        Self { in_force, worker, clock, ids: Ids::new(), panics, turned_away }
    }

    /// Answers one request.
    pub async fn handle(
        &self,
        request: Request<ClientBody>,
        arrival: Arrival,
    ) -> Response<GatewayBody> {
        let (parts, body) = request.into_parts();
        // The one look at what is in force: request and response see nothing newer.
        let snapshot = self.in_force.load();
        let trusted = &snapshot.settings.listen.trusted_proxies;
        let way = forwarded::read(&parts.headers, arrival.peer.ip, trusted);
        let is_trusted = !matches!(way, Ok(None));
        let id = self.ids.next();
        let peer = (is_trusted, arrival.peer.is_secure);
        let trace = Trace::begin(snapshot.tracer.as_ref(), &parts, &id, peer);
        let NewId { request_id, traceparent, .. } = id;
        let request_id = sent_request_id(&parts, is_trusted).unwrap_or(request_id);
        let way_client = way.as_ref().ok().and_then(|way| way.as_ref().map(|way| way.client));
        let client = way_client.unwrap_or(arrival.peer.ip);
        let mut record = Record::new(&parts, request_id, client, &snapshot, &*self.clock);
        record.trace(trace);
        if arrival.finding.is_some_and(Inadmissible::hides_the_request) {
            record.hide_method();
        }
        let noted = Noted::at(&parts.headers);
        let refusable = Refusable::new(&parts, &noted, &snapshot.room);
        let is_head = parts.method == Method::HEAD;
        let mut body = Some(body);
        let usual = snapshot.router.usual_authority();
        let admitted = admission::admit(&parts, arrival.finding, usual);
        let served = match admitted.and_then(|target| Ok((target, way?))) {
            Ok((target, way)) => {
                let Peer { text: peer, is_secure, .. } = arrival.peer;
                let source = shares::source(&snapshot, arrival.peer.ip, way.as_deref());
                // Boxed: each stage's future would have room for it twice.
                let head = Box::new(Head {
                    parts,
                    target,
                    noted,
                    peer,
                    is_secure,
                    way,
                    traceparent,
                    source,
                    in_flight: None,
                });
                let serving = pin!(self.serve(&snapshot, head, &mut body, &mut record));
                contained(serving, &self.panics).await
            }
            Err(inadmissible) => Err(inadmissible.into()),
        };
        let mut response = match served {
            Ok(response) => response,
            // Boxed: a request that is let through need not carry this future.
            Err(rejection) => Box::pin(self.refuse(rejection, refusable, body, &mut record)).await,
        };
        if is_head {
            answer::leave_body_out(&mut response);
        }
        response.headers_mut().insert(X_REQUEST_ID, record.request_id().clone());
        record.finish(response.status());
        response
    }

    /// The bounds on a connection that begins now.
    pub fn limits(&self) -> Limits {
        self.in_force.load().settings.listen.limits.clone()
    }

    /// Whether this peer begins its connections by saying whom it passes on.
    pub fn is_passed_on_by(&self, peer: &Peer) -> bool {
        let networks = &self.in_force.load().settings.listen.proxy_protocol;
        networks.iter().any(|network| network.contains(&peer.ip))
    }

    /// Counts a connection for the source it is of itself; a trusted proxy's is not counted.
    ///
    /// `room`: how many connections there are descriptors for.
    pub fn admit_connection(
        &self,
        peer: &Peer,
        room: usize,
    ) -> Result<Option<ConnectionSlot>, Rejection> {
        let snapshot = self.in_force.load();
        let trusted = &snapshot.settings.listen.trusted_proxies;
        if trusted.iter().any(|network| network.contains(&peer.ip)) {
            return Ok(None);
        }
        let max = snapshot.settings.listen.limits.connections_of_source(room);
        Ok(Some(snapshot.limits.connection(source::key(peer.ip), max)?))
    }

    /// What a connection beyond a limit is told.
    pub fn turn_away(&self, why: Rejection) -> Response<Bytes> {
        let NewId { request_id, .. } = self.ids.next();
        let text = request_id.to_str().unwrap_or_default();
        self.say_turned_away(Some(text), &why);
        let mut response = why.into_response(None, None, text);
        answer::expose(response.headers_mut());
        response.headers_mut().insert(X_REQUEST_ID, request_id);
        response
    }

    /// Says that a connection was turned away, a few times a second at most.
    ///
    /// `request_id`: that of the answer, when it was given one.
    pub fn say_turned_away(&self, request_id: Option<&str>, why: &Rejection) {
        let Some(not_said) = self.turned_away.say(self.clock.instant()) else { return };
        let not_said = (not_said > 0).then_some(not_said);
        warn!(request_id, reason = why.row().reason, detail = %why, not_said, "connection turned away");
    }

    async fn serve(
        &self,
        snapshot: &Snapshot,
        mut head: Box<Head>,
        body: &mut Option<ClientBody>,
        record: &mut Record<'_>,
    ) -> Result<Response<GatewayBody>, Rejection> {
        let has_body = body.as_ref().is_some_and(|body| !body.is_end_stream());
        let Head { parts, target, noted, .. } = &*head;
        let routed = snapshot.router.route(&parts.method, noted.origin.as_ref(), target, has_body);
        let is_absolute = head.parts.version < Version::HTTP_2 && head.parts.uri.scheme().is_some();
        if let (Err(RouteError::Host(_)), true) = (&routed, is_absolute) {
            let foreign = "absolute form with an authority that is not ours";
            return Err(Inadmissible::Target(foreign).into());
        }
        match routed? {
            Destination::Document(document) => answer::document(document, &head.parts.headers)
                .ok_or(Rejection::DocumentUnavailable),
            Destination::PublicPreflight => Ok(answer::public_preflight()),
            Destination::Preflight(resource) => {
                record.enter(resource);
                Ok(answer::preflight(&head.parts.headers, resource))
            }
            Destination::Resource(resource, below) => {
                record.enter(resource);
                head.in_flight = Some(shares::begin(snapshot, head.source)?);
                let origin = head.noted.origin.clone();
                let has_query = head.target.query().is_some();
                let destination = destination(below, has_query);
                let stage = Stage { snapshot, resource, destination };
                let mut response = self.call(stage, head, body, record).await?;
                answer::allow_origin(response.headers_mut(), origin);
                Ok(response)
            }
        }
    }

    /// Authenticates, authorizes and forwards a request to one route.
    async fn call(
        &self,
        stage: Stage<'_>,
        mut head: Box<Head>,
        body: &mut Option<ClientBody>,
        record: &mut Record<'_>,
    ) -> Result<Response<GatewayBody>, Rejection> {
        let Stage { snapshot, resource, destination } = stage;
        let at = (snapshot, &**resource);
        shares::by_address(at, head.source, &self.clock)?;
        let asker = shares::asker(snapshot, head.source);
        // Pinned here: what is handed down would have room for it twice.
        let (headers, target) = (&head.parts.headers, &head.target);
        let caller = record.noting(pin!(authenticate(resource, headers, target, asker))).await;
        if resource.authenticator.is_some() {
            record.authenticated(&caller);
        }
        let limits = &snapshot.settings.listen.limits;
        let (caller, read) = match caller {
            Err(missing) if may_need_no_token(&missing, resource, &head.parts.method) => {
                shares::without_token(at, head.source, &self.clock)?;
                let read = body::without_credentials((resource, limits), &head, body, record);
                // Boxed: only few requests come without credentials.
                let read = Box::pin(read);
                let (caller, body, glance) = read.await?;
                (caller, Some((body, glance)))
            }
            Err(error) => return Err(tenure::refused(resource, &head.parts.headers, error)),
            Ok(caller) => (caller, None),
        };
        shares::of_caller(at, &caller, &mut head, &self.clock)?;
        let (mut in_flight, holder) = (head.in_flight.take(), shares::holder(&caller, head.source));
        let method = &head.parts.method;
        let session = head.open_session(resource, caller.principal())?;
        let destination = destination.open(resource, caller.principal())?;
        tenure::shown(resource, &caller, &destination, session.as_deref());
        let (body, glance) = match read {
            Some(read) => read,
            None => body::read(method, (resource, limits), holder, body).await?,
        };
        let is_audited = record.is_audited();
        let glance = record.read(glance);
        let whole = body.whole().cloned().unwrap_or_default();
        let (mut wanted, mut is_listening) = (None, false);
        let judged = judge::operation(resource, &head.parts, &whole, glance, &destination)
            .map_err(Rejection::Operation)
            .and_then(|operation| {
                is_listening = judge::may_be_listening(&operation, glance, &head);
                wanted = is_audited.then(|| Asked::of(resource, &operation, &whole));
                let permitted = judge::permit(resource, caller, method, &operation, &self.clock)?;
                shares::stream(in_flight.as_mut(), (method, is_listening), limits)?;
                Ok(permitted)
            });
        record.asked(wanted);
        let is_left_unread = matches!(body, RequestBody::Streamed(_));
        let (permit, filter) = judged.inspect_err(|_| record.body_left_unread(is_left_unread))?;
        record.allowed(&permit);
        // Held on, the body would count as buffered until the upstream answers.
        drop(whole);
        let request_id = record.request_id().clone();
        let to = (destination, session);
        let mut outgoing = head.outgoing(request_id, to, (body, filter), (is_listening, holder));
        outgoing.forwarded.span = record.span_upstream();
        outgoing.tenancy = tenure::open(resource, permit.caller(), &outgoing, &self.worker.drain);
        let response =
            resource.upstream.forward(&permit, outgoing, &self.worker, &resource.metrics).await;
        record.forwarded();
        Ok(answer::from_upstream(response?, in_flight))
    }

    async fn refuse(
        &self,
        rejection: Rejection,
        refusable: Refusable<'_>,
        body: Option<ClientBody>,
        record: &mut Record<'_>,
    ) -> Response<GatewayBody> {
        if let Some(resource) = rejection.resource() {
            record.enter(resource);
        }
        // Before the body is waited for: the client may leave meanwhile.
        record.refused(&rejection);
        let mut closes = rejection.closes() || record.is_body_left_unread();
        if let (Some(body), false) = (body, closes) {
            let is_unread = !body.is_end_stream();
            let read = body::read_for_id(body, &refusable).await;
            closes = is_unread && read.is_none();
            record.read(read.unwrap_or_default());
        }
        let resource = record.resource().cloned();
        let id = record.rpc_id().map(ToOwned::to_owned);
        let request_id = record.request_id().to_str().unwrap_or_default().to_owned();
        let context = Context { resource: resource.as_ref(), origin: refusable.origin };
        let mut response = answer::refusal(rejection, context, id.as_deref(), &request_id);
        if closes && refusable.is_http1 {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        response
    }
}

/// Whether a request that came without credentials may be one that needs none.
fn may_need_no_token(
    error: &AuthenticateError,
    resource: &ProtectedResource,
    method: &Method,
) -> bool {
    *method == Method::POST
        && matches!(error, AuthenticateError::Credentials(CredentialsError::Missing))
        && resource.policy.has_anonymous_methods()
}

async fn authenticate(
    resource: &ProtectedResource,
    headers: &HeaderMap,
    target: &Target,
    asker: Asker<'_>,
) -> Result<Caller, AuthenticateError> {
    let Some(authenticator) = &resource.authenticator else {
        bearer::check_query(target.query())?;
        let missing = AuthenticateError::Credentials(CredentialsError::Missing);
        return resource.policy.anonymous().ok_or(missing);
    };
    authenticator.authenticate(headers, target.query(), asker).await.map(Caller::from)
}
