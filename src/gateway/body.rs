//! Reading the bodies of requests: of callers, of nobody in particular, and of those refused.
//!
//! What it takes is counted, and what nobody vouches for has a share of its own; see
//! [`buffer`](crate::limits::buffer).

use http::Method;
use http_body::Body;

use super::{
    head::{Head, Refusable},
    judge,
    record::Record,
};
use crate::{
    authenticate::{AuthenticateError, bearer::CredentialsError},
    authorize::Caller,
    config::settings::Limits,
    forward::client_body::ClientBody,
    forward::request_body::{self, BodyError, BodyLimits, RequestBody},
    jsonrpc::Glance,
    limits::{buffer::Share, tally::Key},
    rejection::Rejection,
    resource::ProtectedResource,
};

/// Reads the body of a request without credentials, and lets it in when none are needed.
pub(super) async fn without_credentials(
    (resource, limits): (&ProtectedResource, &Limits),
    head: &Head,
    body: &mut Option<ClientBody>,
    record: &mut Record<'_>,
) -> Result<(Caller, RequestBody, Glance), Rejection> {
    let missing = || AuthenticateError::Credentials(CredentialsError::Missing);
    let share = resource.room.set_aside(Share::Anonymous, request_body::WHOLE_BYTES);
    let _share = share.map_err(BodyError::from)?;
    let Some(incoming) = body.take() else { return Err(missing().into()) };
    // Nobody vouches for whoever sends this: no more than a call without token needs.
    let limits = BodyLimits::of(limits);
    let max_bytes = limits.max_bytes.min(request_body::WHOLE_BYTES);
    let limits = BodyLimits { max_bytes, ..limits };
    let (body, glance) = RequestBody::read_whole(incoming, limits, &resource.room).await?;
    record.read(glance.clone());
    let whole = body.whole().cloned().unwrap_or_default();
    let caller = {
        let operation = judge::read(resource, &head.parts, &whole)?;
        resource.policy.without_credentials(&operation)
    };
    Ok((caller.ok_or_else(missing)?, body, glance))
}

/// Reads the body of a request as far as its route must know it.
pub(super) async fn read(
    method: &Method,
    (resource, limits): (&ProtectedResource, &Limits),
    holder: Option<Key>,
    body: &mut Option<ClientBody>,
) -> Result<(RequestBody, Glance), Rejection> {
    let limits = BodyLimits::of(limits);
    let room = &resource.room.of(holder);
    match body.take() {
        Some(body) if *method == Method::POST && resource.policy.judges_operations() => {
            Ok(Box::pin(RequestBody::read_whole(body, limits, room)).await?)
        }
        Some(body) if *method == Method::POST => Ok(RequestBody::read(body, limits, room).await?),
        _ => Ok((RequestBody::Empty, Glance::default())),
    }
}

/// Reads a refused request's body for the `id` it holds, where that costs little.
pub(super) async fn read_for_id(body: ClientBody, refusable: &Refusable<'_>) -> Option<Glance> {
    let is_short = body.size_hint().lower() <= request_body::WHOLE_BYTES as u64;
    if body.is_end_stream() || !is_short || refusable.expects_continue || !refusable.may_call {
        return None;
    }
    let room = refusable.room;
    let _share = room.set_aside(Share::Refused, request_body::WHOLE_BYTES).ok()?;
    let reading = request_body::read_short(body, room);
    let read = tokio::time::timeout(request_body::ID_TIMEOUT, reading).await.ok()??;
    Some(Glance::at(&read))
}
