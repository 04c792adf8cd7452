//! The rows of the table of refusals that are not about tokens: heads, routes, bodies, upstreams.
//!
//! Each function is one closed `match` over a stage's error.

use http::StatusCode;

use super::Row;
use crate::{
    admission::Inadmissible,
    forward::{ForwardError, list_filter::FilterError, request_body::BodyError},
    jsonrpc::ErrorCode,
    limits::Busy,
    router::RouteError,
};

pub(super) fn body_row(error: BodyError) -> Row {
    match error {
        BodyError::Broken => Row::new(StatusCode::BAD_REQUEST, "Invalid Request", "body_broken"),
        BodyError::NoRoom(_) => no_room(),
        BodyError::Timeout => {
            Row::new(StatusCode::REQUEST_TIMEOUT, "Request Timeout", "body_timeout")
        }
        BodyError::TooLarge => {
            Row::new(StatusCode::PAYLOAD_TOO_LARGE, "Content Too Large", "body_too_large")
        }
    }
}

fn no_room() -> Row {
    Row::unavailable("Overloaded", "no_room_to_buffer")
}

pub(super) fn busy_row(busy: Busy) -> Row {
    match busy {
        Busy::ConnectionsOfSource => Row::unavailable("Overloaded", busy.label()),
        Busy::QuestionsOfSource
        | Busy::RequestsOfPrincipal
        | Busy::RequestsOfSource
        | Busy::StreamsOfPrincipal
        | Busy::StreamsOfSource => Row::too_many(busy.label()),
    }
}

pub(super) fn forward_row(error: &ForwardError) -> Row {
    let row =
        |status, message, reason| Row::new(status, message, reason).code(ErrorCode::Unavailable);
    match error {
        ForwardError::Body(error) => body_row(*error),
        ForwardError::List(FilterError::NoRoom(_)) => no_room(),
        ForwardError::List(_) | ForwardError::Refused(_) => {
            row(StatusCode::BAD_GATEWAY, "Bad gateway", "upstream_refused")
        }
        ForwardError::Send(_) => {
            row(StatusCode::BAD_GATEWAY, "Bad gateway", "upstream_unreachable")
        }
        ForwardError::Timeout => {
            row(StatusCode::GATEWAY_TIMEOUT, "Gateway timeout", "upstream_timeout")
        }
    }
}

pub(super) fn inadmissible_row(error: Inadmissible) -> Row {
    let bad_request = |reason| Row::new(StatusCode::BAD_REQUEST, "Invalid Request", reason);
    match error {
        Inadmissible::Field(_) => bad_request("ambiguous_header"),
        Inadmissible::Framing(_) => bad_request("ambiguous_framing"),
        Inadmissible::HeadTimeout => {
            Row::new(StatusCode::REQUEST_TIMEOUT, "Request Timeout", "head_timeout")
        }
        Inadmissible::HeadTooLarge | Inadmissible::TooManyFields => Row::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "Request Header Fields Too Large",
            "head_too_large",
        ),
        Inadmissible::Target(_) => bad_request("ambiguous_target"),
        Inadmissible::TargetTooLong => {
            Row::new(StatusCode::URI_TOO_LONG, "URI Too Long", "target_too_long")
        }
    }
}

pub(super) fn route_row(error: &RouteError) -> Row {
    let not_allowed = |allow| Row {
        allow: Some(allow),
        ..Row::new(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed", "method_not_allowed")
    };
    match error {
        RouteError::DocumentMethod => not_allowed("GET, HEAD, OPTIONS"),
        RouteError::DocumentNotFound => {
            Row::new(StatusCode::NOT_FOUND, "Not Found", "document_not_found")
        }
        RouteError::Host(_) => {
            Row::new(StatusCode::MISDIRECTED_REQUEST, "Misdirected Request", "host_not_allowed")
        }
        RouteError::Method(_, allow) => not_allowed(allow),
        RouteError::NotFound => Row::new(StatusCode::NOT_FOUND, "Not Found", "route_not_found"),
        RouteError::Origin(_) => Row::new(StatusCode::FORBIDDEN, "Forbidden", "origin_not_allowed")
            .code(ErrorCode::Unauthorized),
        RouteError::UnexpectedBody(_) => {
            Row::new(StatusCode::BAD_REQUEST, "Invalid Request", "unexpected_body")
        }
    }
}
