//! What a body asks for, as far as its route must know: the one place that decides how closely a
//! body is read, for requests and for their rehearsal.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, request::Parts};

use super::head::Head;
use crate::{
    authenticate::{TokenIdentity, VerifiedToken},
    authorize::{
        Caller, Permit,
        operation::{self, Operation, OperationError},
        rules::Holder,
    },
    clock::Clock,
    forward::{
        Destination,
        list_filter::{ListFilter, Viewer},
    },
    jsonrpc::Glance,
    rejection::Rejection,
    resource::ProtectedResource,
};

/// Reads a body strictly.
pub(super) fn read<'a>(
    resource: &ProtectedResource,
    parts: &Parts,
    body: &'a Bytes,
) -> Result<Operation<'a>, OperationError> {
    Operation::read(body, &parts.headers, resource.policy.judges_resources())
}

/// Reads a body as closely as the route's rules need it.
pub(super) fn operation<'a>(
    resource: &ProtectedResource,
    parts: &Parts,
    body: &'a Bytes,
    glance: &'a Glance,
    destination: &Destination,
) -> Result<Operation<'a>, OperationError> {
    if parts.method != Method::POST || !resource.policy.judges_operations() {
        return Ok(Operation::unread(glance));
    }
    let operation = read(resource, parts, body)?;
    // HTTP+SSE: a message endpoint answers 202, and the message's answer comes by the stream.
    let is_message_endpoint = matches!(destination, Destination::Endpoint(_));
    Ok(if is_message_endpoint { operation.answered_elsewhere() } else { operation })
}

/// Whether the answer may be a stream that never ends by itself: by what was read, or where nobody
/// read that closely, by what a glance cannot rule out.
pub(super) fn may_be_listening(operation: &Operation<'_>, glance: &Glance, head: &Head) -> bool {
    let is_plain_json = || head.noted.is_json || operation::is_plain_json(&head.parts.headers);
    match operation.messages() {
        // In another charset, or encoded, it says something else.
        [] => glance.may_be_listening() || !is_plain_json(),
        messages => messages.iter().any(|asked| asked.method.as_deref() == Some(LISTEN)),
    }
}

const LISTEN: &str = "subscriptions/listen";

/// Permits an operation, and says what its answer must leave out for its caller.
pub(super) fn permit(
    resource: &ProtectedResource,
    caller: Caller,
    method: &Method,
    operation: &Operation<'_>,
    clock: &Arc<dyn Clock>,
) -> Result<(Permit, Option<ListFilter>), Rejection> {
    let permit = resource.policy.authorize(caller, operation).map_err(Rejection::Authorize)?;
    let filter = list_filter(resource, permit.caller(), method, operation, clock);
    Ok((permit, filter))
}

fn list_filter(
    resource: &ProtectedResource,
    caller: &Caller,
    method: &Method,
    operation: &Operation<'_>,
    clock: &Arc<dyn Clock>,
) -> Option<ListFilter> {
    let demands = resource.policy.demands()?;
    if !resource.policy.judges_operations() {
        return None;
    }
    let token = caller.token();
    let claim = |name: &str| token.and_then(|token| token.claim(name));
    let holder = token.map(|token| Holder { scope: token.scope(), claim: &claim });
    let facts = token.map(VerifiedToken::identity).map(TokenIdentity::facts);
    let viewer = Viewer { holder, expires_at: facts.and_then(|facts| facts.expires_at) };
    match *method {
        Method::POST => ListFilter::for_operation(demands, viewer, operation, clock),
        // On a stream answers to any POST may come.
        Method::GET => ListFilter::for_stream(demands, viewer, clock),
        _ => None,
    }
}
