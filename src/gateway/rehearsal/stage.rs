//! The stages of the pipeline, as a rehearsal tells them apart, and which one a refusal comes from.

use crate::{
    authenticate::{AuthenticateError, TokenFault, bearer::CredentialsError},
    authorize::AuthorizeError,
    config::settings::RateLimitBy,
    rejection::Rejection,
    router::RouteError,
};

/// What is decided, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The head is one that everybody reads alike.
    Path,
    /// `Host` is ours.
    Host,
    /// A route or document has the path.
    Route,
    /// `Origin`, when there is one, may call it.
    Origin,
    /// The method is served, and comes with a body only where it may.
    Method,
    /// The address it comes from has not come too often, where that is limited.
    AddressRate,
    /// Credentials came, where any are needed.
    Credentials,
    /// They are one well-formed token.
    Form,
    /// The token is active, or its signature verifies.
    Token,
    /// It is an access token that is bound to no key.
    Kind,
    /// Its issuer is accepted.
    Issuer,
    /// It is for this resource.
    Audience,
    /// It is in time.
    Time,
    /// The caller has not come too often, where that is limited.
    Rate,
    /// The session, when one is named, is the caller's.
    Session,
    /// The body can be taken.
    Body,
    /// It is a request that can be judged, where operations are.
    Operation,
    /// The token's scopes and claims suffice, and no rule denies the operation.
    Scopes,
}

impl Stage {
    /// Its name, for people and machines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Host => "host",
            Self::Route => "route",
            Self::Origin => "origin",
            Self::Method => "method",
            Self::AddressRate | Self::Rate => "rate limit",
            Self::Credentials => "credentials",
            Self::Form => "form",
            Self::Token => "token",
            Self::Kind => "kind",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Time => "time",
            Self::Session => "session",
            Self::Body => "body",
            Self::Operation => "operation",
            Self::Scopes => "scopes",
        }
    }

    /// Whether a route decides it that is limited by this, or not at all.
    pub(super) fn is_of(self, limited_by: Option<RateLimitBy>) -> bool {
        let is_by_address = limited_by == Some(RateLimitBy::Address);
        (self != Self::AddressRate || is_by_address)
            && (self != Self::Rate || (limited_by.is_some() && !is_by_address))
    }

    pub(super) fn is_about_a_token(self) -> bool {
        (Self::Form..=Self::Time).contains(&self)
    }
}

/// The stage that a refusal comes from.
pub(super) fn stage(rejection: &Rejection) -> Stage {
    match rejection {
        Rejection::Authenticate(error) => authenticate_stage(error),
        Rejection::Authorize(error) => authorize_stage(error),
        Rejection::Operation(_) => Stage::Operation,
        Rejection::Body(_) | Rejection::Forward(_) | Rejection::Overloaded => Stage::Body,
        Rejection::DocumentUnavailable => Stage::Route,
        Rejection::Inadmissible(_) => Stage::Path,
        Rejection::Route(error) => match error {
            RouteError::Host(_) => Stage::Host,
            RouteError::DocumentNotFound | RouteError::NotFound => Stage::Route,
            RouteError::Origin(_) => Stage::Origin,
            RouteError::DocumentMethod | RouteError::Method(..) | RouteError::UnexpectedBody(_) => {
                Stage::Method
            }
        },
        Rejection::Session(_) => Stage::Session,
        // Not rehearsed: what others do at that moment, or a defect would, is not known.
        Rejection::Busy(_) | Rejection::Internal | Rejection::RateLimited(_) => Stage::Rate,
    }
}

fn authorize_stage(error: &AuthorizeError) -> Stage {
    match error {
        // Without credentials it came thus far, and a rule asks for some.
        AuthorizeError::Denied { .. }
        | AuthorizeError::InsufficientScope { .. }
        | AuthorizeError::LoginNeeded => Stage::Scopes,
    }
}

fn authenticate_stage(error: &AuthenticateError) -> Stage {
    match error {
        AuthenticateError::Credentials(CredentialsError::Missing) => Stage::Credentials,
        AuthenticateError::Credentials(
            CredentialsError::BasicSyntax
            | CredentialsError::InQuery
            | CredentialsError::Repeated
            | CredentialsError::Syntax,
        ) => Stage::Form,
        // Nothing is known of it: it never came to a verdict on what it says.
        AuthenticateError::Invalid(token) if token.identity().is_none() => Stage::Token,
        AuthenticateError::Invalid(token) => match token.fault() {
            TokenFault::BadSignature
            | TokenFault::Inactive
            | TokenFault::Malformed
            | TokenFault::UnknownKey
            | TokenFault::UnsupportedAlgorithm => Stage::Token,
            TokenFault::Bound | TokenFault::OtherType => Stage::Kind,
            TokenFault::WrongIssuer => Stage::Issuer,
            TokenFault::WrongAudience => Stage::Audience,
            TokenFault::Expired | TokenFault::NotYetValid => Stage::Time,
        },
        AuthenticateError::Account(_) | AuthenticateError::Unavailable { .. } => Stage::Token,
    }
}

/// All of them, in their order.
pub(super) const STAGES: [Stage; 18] = [
    Stage::Path,
    Stage::Host,
    Stage::Route,
    Stage::Origin,
    Stage::Method,
    Stage::AddressRate,
    Stage::Credentials,
    Stage::Form,
    Stage::Token,
    Stage::Kind,
    Stage::Issuer,
    Stage::Audience,
    Stage::Time,
    Stage::Rate,
    Stage::Session,
    Stage::Body,
    Stage::Operation,
    Stage::Scopes,
];
