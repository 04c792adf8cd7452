//! Rejection: the one place where a refusal becomes an HTTP response.
//!
//! 1. One closed `match` ([`Rejection::row`]) yields status, challenge, JSON-RPC code and message,
//!    reason and what else the client needs, so that they cannot disagree.
//! 2. A 401 always has a challenge; a failure of the authorization server never has one, for it
//!    would send clients into a new login.
//! 3. What is public comes from configuration and closed sets; causes go to the log alone.
//! 4. The JSON-RPC `id` is echoed as written when it could be read, and is `null` otherwise.

mod challenge;
mod operation;
mod remedy;
mod rows;
mod token;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use self::{
    challenge::ChallengeError,
    rows::{body_row, busy_row, forward_row, inadmissible_row, route_row},
};
use crate::{
    admission::Inadmissible,
    authenticate::{
        AuthenticateError, authorization_server::Unavailable, bearer::CredentialsError,
        service_account::AccountError,
    },
    authorize::{AuthorizeError, operation::OperationError},
    forward::{ForwardError, UnknownSession, request_body::BodyError},
    jsonrpc::{self, ErrorCode},
    limits::{Busy, rate::RateLimited},
    oauth::Scope,
    resource::{ChallengeParameters, ProtectedResource},
    router::RouteError,
};

/// Why the gateway answers a request itself.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// The caller is not authenticated.
    #[error(transparent)]
    Authenticate(#[from] AuthenticateError),
    /// The operation is not allowed.
    #[error(transparent)]
    Authorize(Box<AuthorizeError>),
    /// Somebody has too much of something already.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The body cannot be taken.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The metadata to mirror is not known yet.
    #[error("the authorization server's metadata is not known yet")]
    DocumentUnavailable,
    /// There is no response to pass on.
    #[error(transparent)]
    Forward(#[from] ForwardError),
    /// The head is ambiguous or too large.
    #[error(transparent)]
    Inadmissible(#[from] Inadmissible),
    /// Serving it panicked.
    #[error("a defect of the gateway's own ended this request: the log names the place")]
    Internal,
    /// The body is no request that could be judged.
    #[error(transparent)]
    Operation(#[from] OperationError),
    /// More connections than `listen.limits.max_connections`.
    #[error("more connections than listen.limits.max_connections")]
    Overloaded,
    /// The caller has come too often.
    #[error(transparent)]
    RateLimited(#[from] RateLimited),
    /// Nothing answers this request.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// The session is nobody's, or not the caller's.
    #[error(transparent)]
    Session(#[from] UnknownSession),
}

/// One row of the table of refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The HTTP status.
    pub status: StatusCode,
    /// The JSON-RPC error code.
    pub code: ErrorCode,
    /// The JSON-RPC message.
    pub message: &'static str,
    /// The metrics label and log field; from a closed set.
    pub reason: &'static str,
    /// The challenge, if any.
    challenge: Challenged,
    /// `Allow`, for 405.
    allow: Option<&'static str>,
    /// Whether the client should come back.
    is_passing: bool,
}

/// Whether a refusal has a challenge, and what error is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Challenged {
    /// It has none.
    No,
    /// It has one without error: the request carried no credentials.
    Plain,
    /// It has one with this error.
    With(ChallengeError),
}

impl Rejection {
    /// What the client is told, all of it together.
    pub fn row(&self) -> Row {
        match self {
            Self::Authenticate(error) => authenticate_row(error),
            Self::Authorize(error) => operation::authorize_row(error),
            Self::Body(error) | Self::Forward(ForwardError::Body(error)) => body_row(*error),
            Self::Busy(busy) => busy_row(*busy),
            Self::DocumentUnavailable => {
                Row::unavailable(AUTHORIZATION_SERVER, "authorization_server_unavailable")
            }
            Self::Forward(error) => forward_row(error),
            Self::Inadmissible(error) => inadmissible_row(*error),
            Self::Internal => {
                Row::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal error", "internal_error")
                    .code(ErrorCode::InternalError)
            }
            Self::Operation(error) => operation::operation_row(error),
            Self::Overloaded => Row::unavailable("Overloaded", "overloaded"),
            Self::RateLimited(_) => Row::too_many("rate_limited"),
            Self::Route(error) => route_row(error),
            Self::Session(UnknownSession) => {
                Row::new(StatusCode::NOT_FOUND, "Session not found", "session_not_found")
            }
        }
    }

    /// Whether the refusal was a decision about a token or its scopes.
    pub fn is_auth_decision(&self) -> bool {
        match self {
            Self::Authenticate(_) | Self::Authorize(_) => true,
            Self::Body(_)
            | Self::Busy(_)
            | Self::DocumentUnavailable
            | Self::Forward(_)
            | Self::Inadmissible(_)
            | Self::Internal
            | Self::Operation(_)
            | Self::Overloaded
            | Self::RateLimited(_)
            | Self::Route(_)
            | Self::Session(_) => false,
        }
    }

    /// Whether the connection must close: framing cannot be trusted, or a body was left unread.
    pub fn closes(&self) -> bool {
        let is_about_a_body = matches!(self, Self::Body(_) | Self::Forward(ForwardError::Body(_)));
        is_about_a_body || matches!(self, Self::Inadmissible(_) | Self::Internal | Self::Overloaded)
    }

    /// The route whose web origins may read the refusal; `None` for one that no page may read.
    pub fn resource(&self) -> Option<&Arc<ProtectedResource>> {
        if let Self::Route(
            RouteError::Method(resource, _)
            | RouteError::Origin(resource)
            | RouteError::UnexpectedBody(resource),
        ) = self
        {
            return Some(resource);
        }
        None
    }

    /// Whether any page may read the refusal, as any page may read public documents.
    pub fn is_public(&self) -> bool {
        matches!(
            self,
            Self::DocumentUnavailable
                | Self::Route(RouteError::DocumentNotFound | RouteError::DocumentMethod)
        )
    }

    /// The response, with the JSON-RPC `id` as written and the id of the request.
    pub fn into_response(
        self,
        parameters: Option<&ChallengeParameters>,
        id: Option<&str>,
        request_id: &str,
    ) -> Response<Bytes> {
        let row = self.row();
        let mut data = Data { request_id, ..Data::default() };
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = row.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(body) = self.disguise(id, parameters) {
            *response.body_mut() = body;
            return response;
        }
        let error = match row.challenge {
            Challenged::No => None,
            Challenged::Plain => Some(None),
            Challenged::With(error) => Some(Some(error)),
        };
        if let (Some(error), Some(parameters)) = (error, parameters) {
            let needed = self.needed_scopes(parameters);
            data.error = error.map(ChallengeError::code);
            data.error_description = error.map(ChallengeError::description);
            data.resource_metadata = Some(&parameters.resource_metadata);
            data.required_scopes = texts(needed);
            if let Some(value) = challenge::challenge(parameters, error, needed) {
                headers.insert(header::WWW_AUTHENTICATE, value);
            }
            // A line of its own: few clients take two challenges in one apart.
            if row.status == StatusCode::UNAUTHORIZED
                && parameters.offers_basic
                && let Some(value) = challenge::basic(parameters)
            {
                headers.append(header::WWW_AUTHENTICATE, value);
            }
        }
        if let Self::Authorize(error) = &self {
            operation::describe(error, &mut data);
        }
        let mut set =
            |name: HeaderName, value| headers.insert(name, HeaderValue::from_static(value));
        if let Some(allow) = row.allow {
            set(header::ALLOW, allow);
        }
        if row.is_passing {
            set(header::RETRY_AFTER, RETRY_AFTER_SECONDS);
        }
        if let Self::RateLimited(RateLimited { wait }) = self {
            // Whole seconds, and none too early.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        *response.body_mut() = jsonrpc::error_response(id, row.code, row.message, &data).into();
        response
    }

    /// What stands in the place of a refusal that must not look like one.
    fn disguise(
        &self,
        id: Option<&str>,
        parameters: Option<&ChallengeParameters>,
    ) -> Option<Bytes> {
        let Self::Authorize(error) = self else { return None };
        let challenge = match &**error {
            AuthorizeError::InsufficientScope { required, fault, .. } => {
                parameters.and_then(|parameters| {
                    let error = Some(operation::challenge_error(*fault));
                    challenge::challenge(parameters, error, required)
                })
            }
            AuthorizeError::Denied { .. } | AuthorizeError::LoginNeeded => None,
        };
        let challenge = challenge.as_ref().and_then(|value| value.to_str().ok());
        operation::disguised(error, id, challenge).map(Into::into)
    }

    fn needed_scopes<'a>(&'a self, parameters: &'a ChallengeParameters) -> &'a Scope {
        if let Self::Authorize(error) = self {
            return operation::needed_scopes(error, parameters);
        }
        &parameters.required_scopes
    }
}

/// `error.data` of a refusal, in this order.
#[derive(Default, Serialize)]
struct Data<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_description: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_metadata: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    required_scopes: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    granted_scopes: Option<Vec<&'a str>>,
    request_id: &'a str,
}

fn texts(scope: &Scope) -> Vec<&str> {
    scope.iter().map(crate::oauth::ScopeToken::as_str).collect()
}

impl Row {
    fn new(status: StatusCode, message: &'static str, reason: &'static str) -> Self {
        Self {
            status,
            code: ErrorCode::InvalidRequest,
            message,
            reason,
            challenge: Challenged::No,
            allow: None,
            is_passing: false,
        }
    }

    fn unavailable(message: &'static str, reason: &'static str) -> Self {
        let row = Self::new(StatusCode::SERVICE_UNAVAILABLE, message, reason);
        Self { is_passing: true, ..row.code(ErrorCode::Unavailable) }
    }

    fn too_many(reason: &'static str) -> Self {
        let row = Self::new(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests", reason);
        Self { is_passing: true, ..row.code(ErrorCode::Unavailable) }
    }

    fn unauthorized(status: StatusCode, reason: &'static str, error: Challenged) -> Self {
        Self::new(status, "Unauthorized", reason).code(ErrorCode::Unauthorized).challenge(error)
    }

    fn code(self, code: ErrorCode) -> Self {
        Self { code, ..self }
    }

    fn challenge(self, challenge: Challenged) -> Self {
        Self { challenge, ..self }
    }
}

fn authenticate_row(error: &AuthenticateError) -> Row {
    let malformed = |why| {
        let error = Challenged::With(ChallengeError::InvalidRequest(why));
        Row::unauthorized(StatusCode::BAD_REQUEST, "invalid_request", error)
    };
    match error {
        AuthenticateError::Account(AccountError::Refused(_)) => token::client_refused(),
        AuthenticateError::Account(AccountError::TooManyAttempts) => {
            Row::too_many("too_many_attempts")
        }
        AuthenticateError::Credentials(CredentialsError::Missing) => {
            Row::unauthorized(StatusCode::UNAUTHORIZED, "missing_token", Challenged::Plain)
        }
        AuthenticateError::Credentials(CredentialsError::InQuery) => {
            malformed("An access token in the query is not accepted")
        }
        AuthenticateError::Credentials(CredentialsError::Repeated) => {
            malformed("More than one Authorization header was sent")
        }
        AuthenticateError::Credentials(
            CredentialsError::BasicSyntax | CredentialsError::Syntax,
        ) => malformed("The Authorization header is malformed"),
        AuthenticateError::Invalid(token) => token::row(token.fault()),
        AuthenticateError::Unavailable { cause: Unavailable::Busy(busy), .. } => busy_row(*busy),
        AuthenticateError::Unavailable { cause, .. } if cause.is_one_key_of_many() => {
            Row::too_many("too_many_unknown_keys")
        }
        AuthenticateError::Unavailable { .. } => {
            Row::unavailable(AUTHORIZATION_SERVER, "authorization_server_unavailable")
        }
    }
}

const AUTHORIZATION_SERVER: &str = "Authorization server unavailable";

/// How long a client should wait for what failed to come back.
const RETRY_AFTER_SECONDS: &str = "5";
