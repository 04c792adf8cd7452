//! What a body asks for, as far as its route must know: the one place that decides how closely a
//! body is read, for requests and for their rehearsal.

use bytes::Bytes;
use http::{Method, request::Parts};

use crate::{
    authorize::operation::{Operation, OperationError},
    forward::Destination,
    jsonrpc::Glance,
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
