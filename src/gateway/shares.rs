//! What a request takes of what its source and its caller may have, in the order of decisions.
//!
//! 1. Before anything else: a place among the requests of its source.
//! 2. Once its route is known: the rate limit of that route, when it is by address.
//! 3. Once its token is judged: a place among the requests of its principal, and the rate limit by
//!    subject or client. A request without token counts by its address, before its body is read.
//! 4. Once its operation is permitted: a place among the streams, if it asks for one.
//!
//! Sources are told from each other by [`source`]; a request from nowhere counts for nobody.

use std::{net::IpAddr, sync::Arc};

use http::Method;

use super::head::Head;
use crate::{
    admission::forwarded::Way,
    authenticate::{TokenIdentity, VerifiedToken, asker::Asker},
    authorize::Caller,
    clock::Clock,
    config::settings::{Limits, RateLimitBy},
    limits::{Busy, InFlight, rate::RateLimiter, source, tally::Key},
    oauth::{ClientId, Subject},
    rejection::Rejection,
    resource::ProtectedResource,
    snapshot::Snapshot,
};

/// Where a request comes from; `None` when a trusted proxy does not say.
pub(super) fn source(snapshot: &Snapshot, peer: IpAddr, way: Option<&Way>) -> Option<Key> {
    let Some(way) = way else { return Some(source::key(peer)) };
    let trusted = &snapshot.settings.listen.trusted_proxies;
    let is_proxy = trusted.iter().any(|network| network.contains(&way.client));
    (!is_proxy).then(|| source::key(way.client))
}

/// Takes the request's place among those of its source.
pub(super) fn begin(snapshot: &Snapshot, source: Option<Key>) -> Result<InFlight, Busy> {
    InFlight::begin(&snapshot.limits, source, &snapshot.settings.listen.limits)
}

/// For whom an authorization server would be asked.
pub(super) fn asker(snapshot: &Snapshot, source: Option<Key>) -> Asker<'_> {
    let max_questions = snapshot.settings.listen.limits.max_questions_per_source;
    Asker::new(&snapshot.limits, source, max_questions)
}

/// Counts a request to a route that is limited by address.
pub(super) fn by_address(
    (snapshot, resource): (&Snapshot, &ProtectedResource),
    source: Option<Key>,
    clock: &Arc<dyn Clock>,
) -> Result<(), Rejection> {
    let limiter = resource.rate_limiter.as_ref();
    match limiter.filter(|limiter| limiter.settings().by == RateLimitBy::Address) {
        Some(limiter) => take((snapshot, limiter), source, clock),
        None => Ok(()),
    }
}

/// Counts a request without token to a route that is limited by what tokens say.
pub(super) fn without_token(
    (snapshot, resource): (&Snapshot, &ProtectedResource),
    source: Option<Key>,
    clock: &Arc<dyn Clock>,
) -> Result<(), Rejection> {
    let limiter = resource.rate_limiter.as_ref();
    match limiter.filter(|limiter| limiter.settings().by != RateLimitBy::Address) {
        Some(limiter) => take((snapshot, limiter), source, clock),
        None => Ok(()),
    }
}

/// Counts a request whose token is judged, for its principal and for the route.
pub(super) fn of_caller(
    (snapshot, resource): (&Snapshot, &ProtectedResource),
    caller: &Caller,
    head: &mut Head,
    clock: &Arc<dyn Clock>,
) -> Result<(), Rejection> {
    let Some(token) = caller.token() else { return Ok(()) };
    let principal = Key::of_digest(token.principal().as_bytes());
    if let Some(in_flight) = &mut head.in_flight {
        in_flight.is_of(principal, &snapshot.settings.listen.limits)?;
    }
    match &resource.rate_limiter {
        Some(limiter) => take((snapshot, limiter), limited(limiter, token, principal), clock),
        None => Ok(()),
    }
}

/// For whom a caller's body is held in memory: its principal, or where it comes from when no token
/// says who it is.
pub(super) fn holder(caller: &Caller, source: Option<Key>) -> Option<Key> {
    let principal = |token: &VerifiedToken| Key::of_digest(token.principal().as_bytes());
    caller.token().map(principal).or(source)
}

/// Takes a place among the streams for a request that asks for one.
pub(super) fn stream(
    in_flight: Option<&mut InFlight>,
    (method, is_listening): (&Method, bool),
    limits: &Limits,
) -> Result<(), Rejection> {
    match in_flight {
        Some(in_flight) if *method == Method::GET || is_listening => {
            Ok(in_flight.is_stream(limits)?)
        }
        _ => Ok(()),
    }
}

/// Whom a route's rate limit counts a token for; nobody where it goes by address.
fn limited(limiter: &RateLimiter, token: &VerifiedToken, principal: Key) -> Option<Key> {
    let identity: &TokenIdentity = token.identity();
    let name = match limiter.settings().by {
        RateLimitBy::Address => return None,
        RateLimitBy::ClientId => identity.client_id().map(ClientId::as_str),
        RateLimitBy::Subject => identity.subject().map(Subject::as_str),
    };
    // The same name at two servers is two callers.
    let key = name.map(|name| limiter.key(&[identity.issuer().as_str(), name]));
    Some(key.unwrap_or(principal))
}

fn take(
    (snapshot, limiter): (&Snapshot, &RateLimiter),
    caller: Option<Key>,
    clock: &Arc<dyn Clock>,
) -> Result<(), Rejection> {
    let Some(caller) = caller else { return Ok(()) };
    limiter.take(caller, clock.instant()).map_err(|limited| {
        snapshot.limits.rate_limited.inc();
        limited.into()
    })
}
