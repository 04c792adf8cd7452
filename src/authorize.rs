//! Authorization: may this caller do this operation here?
//!
//! 1. A public route lets everybody in, as [`Caller`] without token.
//! 2. On a protected route every request needs all of the route's `required_scopes`.
//! 3. Only [`AccessPolicy::authorize`] makes a [`Permit`], and nothing is forwarded without one.

pub mod operation;
pub mod rules;
pub mod sight;

mod mirror;

use crate::{
    authenticate::{
        VerifiedToken,
        authorization_server::AuthorizationServer,
        provider::{self, Cure},
        token_facts::Principal,
    },
    jsonrpc::Glance,
    oauth::Scope,
};

/// Who may use a route, and for what.
#[derive(Clone, Debug)]
pub enum AccessPolicy {
    /// Everybody, without a token.
    Public,
    /// Whoever has all of these scopes.
    Scopes(Scope),
}

/// Who sent a request, as far as it was established.
#[derive(Debug)]
pub struct Caller(Option<VerifiedToken>);

impl From<VerifiedToken> for Caller {
    fn from(token: VerifiedToken) -> Self {
        Self(Some(token))
    }
}

impl Caller {
    /// The proof, unless the caller needed none.
    pub fn token(&self) -> Option<&VerifiedToken> {
        self.0.as_ref()
    }

    /// Who acts.
    pub fn principal(&self) -> &Principal {
        self.0.as_ref().map_or(&Principal::ANONYMOUS, VerifiedToken::principal)
    }
}

/// What a request asks for, as far as it matters to its route.
#[derive(Clone, Debug, Default)]
pub struct Operation {
    /// What a glance at the body showed; rules will not rest on it, refusals may name it.
    pub glance: Glance,
}

impl Operation {
    /// Whether its answer is a stream that never ends by itself (revision 2026-07-28).
    pub fn is_listening(&self) -> bool {
        self.glance.method() == Some("subscriptions/listen")
    }
}

/// Proof that a caller may do an operation.
#[derive(Debug)]
pub struct Permit {
    caller: Caller,
}

impl Permit {
    /// Who was permitted.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }
}

/// What a protected route demands.
#[derive(Debug)]
pub struct Demands {
    required_scopes: Scope,
    rules: rules::Rules,
}

impl Demands {
    /// What a route's scopes and rules demand.
    pub fn new(required_scopes: Scope, rules: rules::Rules) -> Self {
        Self { required_scopes, rules }
    }

    /// The route's own scopes.
    pub fn required_scopes(&self) -> &Scope {
        &self.required_scopes
    }

    /// The rules for operations.
    pub fn rules(&self) -> &rules::Rules {
        &self.rules
    }
}

/// Why an operation is not allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizeError {
    /// Scopes are missing.
    #[error(
        "the token has [{granted}]; this needs [{required}]: the client must ask for them all, or \
         required_scopes of the route is too much; {remedy}"
    )]
    InsufficientScope {
        /// All scopes that the operation needs.
        required: Scope,
        /// The scopes that the token has.
        granted: Scope,
        /// What may have to be done at the authorization server.
        remedy: &'static str,
    },
}

impl AccessPolicy {
    /// The caller of a public route; `None` when the route needs a token.
    pub fn anonymous(&self) -> Option<Caller> {
        matches!(self, Self::Public).then_some(Caller(None))
    }

    /// Permits an operation, or says what is missing.
    pub fn authorize(&self, caller: Caller, _: &Operation) -> Result<Permit, AuthorizeError> {
        let required = match self {
            Self::Public => return Ok(Permit { caller }),
            Self::Scopes(required) => required,
        };
        let granted = caller.token().map(VerifiedToken::scope);
        if granted.is_some_and(|granted| granted.covers(required)) {
            return Ok(Permit { caller });
        }
        let granted = granted.cloned().unwrap_or_default();
        let server = caller.token().map(|token| token.identity().authorization_server());
        let provider = server.and_then(AuthorizationServer::provider);
        let (required, remedy) = (required.clone(), provider::remedy(provider, Cure::Scope));
        Err(AuthorizeError::InsufficientScope { required, granted, remedy })
    }
}
