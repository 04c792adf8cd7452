//! The rows of what a body asks for: bodies that cannot be judged, operations that are not allowed,
//! and the two answers that look like a server's own.
//!
//! 1. A hidden object is answered as one that does not exist: no challenge, no data, status 200.
//! 2. A refusal within a result has the challenge in `_meta`, for clients that need status 200.
//! 3. A denial has no challenge: no token would help.

use http::StatusCode;
use serde_json::json;

use super::{Challenged, Data, Row, challenge::ChallengeError, texts};
use crate::{
    authorize::{
        AuthorizeError, Named,
        operation::{ObjectKind, OperationError},
        rules::Fault,
    },
    config::settings::WhenDenied,
    jsonrpc::{self, ErrorCode, message::MessageFault},
    oauth::Scope,
    resource::ChallengeParameters,
};

pub(super) fn operation_row(error: &OperationError) -> Row {
    let row = |status, message, reason| Row::new(status, message, reason);
    match error {
        OperationError::Header(_) => {
            row(StatusCode::BAD_REQUEST, "Header mismatch", "header_mismatch")
                .code(ErrorCode::HeaderMismatch)
        }
        OperationError::MediaType(_) => row(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Unsupported Media Type",
            "unsupported_media_type",
        ),
        OperationError::Message(MessageFault::Invalid(_)) => {
            row(StatusCode::BAD_REQUEST, "Invalid Request", "invalid_message")
        }
        OperationError::Message(MessageFault::NotJson(_) | MessageFault::NotUtf8) => {
            row(StatusCode::BAD_REQUEST, "Parse error", "not_json").code(ErrorCode::ParseError)
        }
    }
}

pub(super) fn authorize_row(error: &AuthorizeError) -> Row {
    let reason = match error {
        AuthorizeError::Denied { .. } => "denied_by_rule",
        AuthorizeError::InsufficientScope { .. } => "insufficient_scope",
        AuthorizeError::LoginNeeded => "missing_token",
    };
    match error.when_denied() {
        WhenDenied::Hide => {
            let is_method = error.named().is_some_and(|named| named.kind == ObjectKind::Method);
            let code = if is_method { ErrorCode::MethodNotFound } else { ErrorCode::InvalidParams };
            return Row::new(StatusCode::OK, "Unknown", reason).code(code);
        }
        WhenDenied::InBand => return Row::new(StatusCode::OK, "Forbidden", reason),
        WhenDenied::Challenge => {}
    }
    let forbidden =
        |message| Row::new(StatusCode::FORBIDDEN, message, reason).code(ErrorCode::Unauthorized);
    match error {
        AuthorizeError::Denied { .. } => forbidden("Forbidden"),
        AuthorizeError::InsufficientScope { fault, .. } => {
            forbidden("insufficient_scope").challenge(Challenged::With(challenge_error(*fault)))
        }
        AuthorizeError::LoginNeeded => {
            Row::unauthorized(StatusCode::UNAUTHORIZED, reason, Challenged::Plain)
        }
    }
}

/// What a challenge says is missing.
pub(super) fn challenge_error(fault: Fault) -> ChallengeError {
    match fault {
        Fault::Claims => ChallengeError::InsufficientClaims,
        Fault::Arguments | Fault::Denied | Fault::Scopes => ChallengeError::InsufficientScope,
    }
}

/// What a client should ask for.
pub(super) fn needed_scopes<'a>(
    error: &'a AuthorizeError,
    parameters: &'a ChallengeParameters,
) -> &'a Scope {
    match error {
        AuthorizeError::InsufficientScope { required, .. } => required,
        AuthorizeError::Denied { .. } | AuthorizeError::LoginNeeded => &parameters.required_scopes,
    }
}

/// Adds what a refusal for want of scopes is about.
pub(super) fn describe<'a>(error: &'a AuthorizeError, data: &mut Data<'a>) {
    let AuthorizeError::InsufficientScope { granted, named, .. } = error else { return };
    data.granted_scopes = Some(texts(granted));
    let Some(Named { kind, name }) = named else { return };
    let place = match kind {
        ObjectKind::Method => &mut data.method,
        ObjectKind::Prompt => &mut data.prompt,
        ObjectKind::Resource => &mut data.resource,
        ObjectKind::Tool => &mut data.tool,
    };
    *place = Some(name);
}

/// The body of an answer as a server gives one; `None` for a refusal that looks like one.
pub(super) fn disguised(
    error: &AuthorizeError,
    id: Option<&str>,
    challenge: Option<&str>,
) -> Option<Vec<u8>> {
    let name = error.named().map_or("", |named| &*named.name);
    match error.when_denied() {
        WhenDenied::Challenge => None,
        WhenDenied::Hide => {
            let (code, what) = match error.named().map(|named| named.kind) {
                Some(ObjectKind::Method) => (ErrorCode::MethodNotFound, "Method not found"),
                Some(ObjectKind::Prompt) => (ErrorCode::InvalidParams, "Unknown prompt"),
                Some(ObjectKind::Resource) => (ErrorCode::InvalidParams, "Unknown resource"),
                Some(ObjectKind::Tool) | None => (ErrorCode::InvalidParams, "Unknown tool"),
            };
            Some(jsonrpc::bare_error_response(id, code, &format!("{what}: {name}")))
        }
        WhenDenied::InBand => Some(jsonrpc::result_response(id, &in_band(error, name, challenge))),
    }
}

fn in_band(error: &AuthorizeError, name: &str, challenge: Option<&str>) -> serde_json::Value {
    let text = match error {
        AuthorizeError::InsufficientScope { fault: Fault::Claims, .. } => {
            format!("{name} needs a claim that the access token lacks.")
        }
        AuthorizeError::InsufficientScope { required, .. } => {
            format!("{name} needs the scopes {required}, which the access token lacks.")
        }
        AuthorizeError::Denied { .. } | AuthorizeError::LoginNeeded => {
            format!("{name} is not allowed here.")
        }
    };
    let mut result = json!({
        "resultType": "complete",
        "content": [{"type": "text", "text": text}],
        "isError": true,
    });
    if let (Some(challenge), Some(members)) = (challenge, result.as_object_mut()) {
        members.insert("_meta".to_owned(), json!({ "mcp/www_authenticate": [challenge] }));
    }
    result
}
