//! What the pipeline tells the open streams of a route; what they make of it is theirs, see
//! [`open_streams`](crate::forward::open_streams).

use std::sync::Arc;

use http::{HeaderMap, Method};
use tokio_util::sync::CancellationToken;

use crate::{
    authenticate::{AuthenticateError, TokenFault, bearer},
    authorize::Caller,
    forward::{
        Destination, Outgoing,
        open_streams::{StreamSession, Tenancy},
        request_body::RequestBody,
    },
    rejection::Rejection,
    resource::ProtectedResource,
};

/// A token was accepted for a request of this session.
pub(super) fn shown(
    resource: &ProtectedResource,
    caller: &Caller,
    destination: &Destination,
    session: Option<&str>,
) {
    if let (Some(streams), Some(token)) = (&resource.open_streams, caller.token()) {
        streams.shown(token, session_of(destination, session));
    }
}

/// Enters the stream that a permitted request may ask for, and leaves word of its lists.
///
/// It counts from here on, not from its first byte: a newer token may be shown in between.
pub(super) fn open(
    resource: &ProtectedResource,
    caller: &Caller,
    outgoing: &Outgoing,
    drain: &CancellationToken,
) -> Tenancy {
    asked(resource, caller, outgoing);
    let (Some(streams), Some(token)) = (&resource.open_streams, caller.token()) else {
        return Tenancy::None;
    };
    let session = match (&outgoing.method, &outgoing.body) {
        (&Method::GET, _) => session_of(&outgoing.destination, outgoing.session.as_deref()),
        _ if outgoing.is_listening => StreamSession::Own,
        (_, RequestBody::Streamed(_)) => return Tenancy::Possible(Arc::clone(streams)),
        _ => return Tenancy::None,
    };
    let tenure = streams.open(token, session, drain);
    let is_unread = outgoing.method == Method::GET && outgoing.filter.is_none();
    Tenancy::Entered(if is_unread { tenure.unread() } else { tenure })
}

/// Where a permitted request asks for lists, leaves word of them on the streams that may carry them.
fn asked(resource: &ProtectedResource, caller: &Caller, outgoing: &Outgoing) {
    if let (Some(streams), Some(filter)) = (&resource.open_streams, &outgoing.filter)
        && outgoing.method == Method::POST
    {
        let session = session_of(&outgoing.destination, outgoing.session.as_deref());
        streams.asked(caller.principal(), session, filter);
    }
}

/// A request's credentials were not accepted: streams of the same token need not wait to hear it.
pub(super) fn refused(
    resource: &ProtectedResource,
    headers: &HeaderMap,
    error: AuthenticateError,
) -> Rejection {
    if let (Some(streams), AuthenticateError::Invalid(invalid)) = (&resource.open_streams, &error)
        && invalid.fault() == TokenFault::Inactive
        && !streams.is_empty()
        && let Ok(token) = bearer::read(headers, None)
    {
        streams.revoked(&token.digest());
    }
    error.into()
}

fn session_of<'a>(destination: &'a Destination, session: Option<&'a str>) -> StreamSession<'a> {
    match (destination, session) {
        (Destination::Endpoint(path), _) => StreamSession::Endpoint(path.as_str()),
        (_, Some(id)) => StreamSession::Id(id),
        (_, None) => StreamSession::None,
    }
}
