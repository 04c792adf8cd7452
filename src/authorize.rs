//! Authorization: may this caller do this operation here?
//!
//! 1. A public route lets everybody in, as [`Caller`] without token.
//! 2. On a protected route every request needs all of the route's `required_scopes`, or broader
//!    ones that stand for them.
//! 3. Where the route has [`rules`], each message needs what they demand of its method and of
//!    every tool, prompt and resource it names. One message of a batch that may not pass keeps all
//!    of them.
//! 4. What a refusal names is all that the operation needs: the route's scopes first, then the
//!    rules' in the file's order.
//! 5. Only [`AccessPolicy::authorize`] makes a [`Permit`], and nothing is forwarded without one.

pub mod operation;
pub mod rule_tests;
pub mod rules;
pub mod sight;

mod deciding;
mod mirror;
mod refusal;

use std::sync::Arc;

pub use self::refusal::{AuthorizeError, Named};
use self::{
    operation::{Asked, Operation},
    refusal::Findings,
    rules::{Arguments, Holder, Rules},
};
use crate::{
    authenticate::{
        VerifiedToken,
        authorization_server::AuthorizationServer,
        provider::{self, Cure},
        token_facts::Principal,
    },
    config::settings::WhenDenied,
    oauth::Scope,
};

/// Who may use a route, and for what.
#[derive(Clone, Debug)]
pub enum AccessPolicy {
    /// Whoever has a token with what is demanded.
    Protected(Arc<Demands>),
    /// Everybody, without a token.
    Public,
}

/// What a protected route demands.
#[derive(Debug)]
pub struct Demands {
    required_scopes: Scope,
    rules: Rules,
    judges_operations: bool,
}

/// Who sent a request, as far as it was established.
#[derive(Clone, Debug)]
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

/// Proof that a caller may do an operation.
#[derive(Debug)]
pub struct Permit {
    caller: Caller,
    would_deny: Option<Box<AuthorizeError>>,
}

impl Permit {
    /// Who was permitted.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What would have been refused, were the route not shadowed.
    pub fn would_deny(&self) -> Option<&AuthorizeError> {
        self.would_deny.as_deref()
    }
}

impl Demands {
    /// What a route's scopes and rules demand.
    pub fn new(required_scopes: Scope, rules: Rules) -> Self {
        let judges_operations = rules.settings().judge_operations();
        Self { required_scopes, rules, judges_operations }
    }

    /// The route's own scopes.
    pub fn required_scopes(&self) -> &Scope {
        &self.required_scopes
    }

    /// The rules for operations.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    fn judge(&self, caller: &Caller, operation: &Operation<'_>) -> Result<(), Box<AuthorizeError>> {
        let Some(token) = caller.token() else { return self.judge_anonymous(operation) };
        let claim = |name: &str| token.claim(name);
        let holder = Holder { scope: token.scope(), claim: &claim };
        self.judge_holder(holder, operation).map_err(|error| {
            let server: &AuthorizationServer = token.identity().authorization_server();
            Box::new(error.with_remedy(provider::remedy(server.provider(), Cure::Scope)))
        })
    }

    fn judge_holder(
        &self,
        holder: Holder<'_>,
        operation: &Operation<'_>,
    ) -> Result<(), AuthorizeError> {
        let granted = holder.scope;
        let has_scopes = self.rules.implications().cover(granted, &self.required_scopes);
        // Nearly every request: the scopes are there, and no rules, or no rule objects.
        if has_scopes && (!self.judges_operations || self.permits(operation, holder)) {
            return Ok(());
        }
        let mut findings = Findings::new(self.required_scopes.clone(), has_scopes);
        // A shadowed route lets its own scopes be missing, and refuses what is denied by its rule.
        if !has_scopes && !self.rules.settings().shadow {
            findings = findings.passing_over_hidden();
        }
        self.find(operation, holder, &mut findings);
        findings.conclude(granted, operation)
    }

    /// A token could open what its absence closes, so what is missing here is a login.
    fn judge_anonymous(&self, operation: &Operation<'_>) -> Result<(), Box<AuthorizeError>> {
        if !self.needs_no_token(operation) {
            return Err(Box::new(AuthorizeError::LoginNeeded));
        }
        let none = Scope::default();
        let mut findings = Findings::new(Scope::default(), true);
        self.find(operation, Holder { scope: &none, claim: &|_| None }, &mut findings);
        findings.conclude(&none, operation).map_err(|error| {
            // Hidden is hidden from them as well: a login that is asked for here alone would tell.
            let is_hidden =
                error.when_denied() == WhenDenied::Hide && !self.rules.settings().shadow;
            let is_curable = error.is_for_want_of_scopes() && !is_hidden;
            Box::new(if is_curable { AuthorizeError::LoginNeeded } else { error })
        })
    }

    fn needs_no_token(&self, operation: &Operation<'_>) -> bool {
        let needs_none = |asked: &Asked<'_>| {
            asked.method.as_ref().is_some_and(|method| self.rules.is_anonymous(method))
        };
        let messages = operation.messages();
        !messages.is_empty() && messages.iter().all(needs_none)
    }

    /// Whether no rule objects; what it would say is not put together.
    fn permits(&self, operation: &Operation<'_>, holder: Holder<'_>) -> bool {
        let is_permitted = |asked: &Asked<'_>| {
            let arguments = Arguments::Called(asked.arguments);
            asked.judged_objects().all(|object| self.rules.permits(&object, holder, arguments))
        };
        operation.messages().iter().all(is_permitted)
    }

    fn find(&self, operation: &Operation<'_>, holder: Holder<'_>, findings: &mut Findings) {
        if !self.judges_operations {
            return;
        }
        for asked in operation.messages() {
            for object in asked.judged_objects() {
                let finding = self.rules.judge(&object, holder, Arguments::Called(asked.arguments));
                findings.add(&object, finding);
            }
        }
    }
}

impl AccessPolicy {
    /// The caller of a public route; `None` when the route needs a token.
    pub fn anonymous(&self) -> Option<Caller> {
        matches!(self, Self::Public).then_some(Caller(None))
    }

    /// Whether bodies must be read whole and understood.
    pub fn judges_operations(&self) -> bool {
        self.demands().is_some_and(|demands| demands.judges_operations)
    }

    /// Whether resources have rules, so that their URIs must be plain.
    pub fn judges_resources(&self) -> bool {
        self.demands().is_some_and(|demands| !demands.rules.settings().resources.is_empty())
    }

    /// Whether some methods need no token.
    pub fn has_anonymous_methods(&self) -> bool {
        self.demands().is_some_and(|demands| !demands.rules.settings().anonymous_methods.is_empty())
    }

    /// The caller of an operation that came without credentials; `None` unless every message in it
    /// is one that needs none.
    pub fn without_credentials(&self, operation: &Operation<'_>) -> Option<Caller> {
        self.demands()?.needs_no_token(operation).then_some(Caller(None))
    }

    /// All scopes that an operation needs of anybody: the route's first, then the rules'.
    pub fn required_scopes(&self, operation: &Operation<'_>) -> Option<Scope> {
        let demands = self.demands()?;
        let mut required = demands.required_scopes.clone();
        for asked in operation.messages().iter().filter(|_| demands.judges_operations) {
            for object in asked.judged_objects() {
                let scopes = demands.rules.required_scopes(&object);
                scopes.iter().for_each(|scope| required.insert(scope.clone()));
            }
        }
        Some(required)
    }

    /// Permits an operation, or says what is missing.
    pub fn authorize(
        &self,
        caller: Caller,
        operation: &Operation<'_>,
    ) -> Result<Permit, Box<AuthorizeError>> {
        let Some(demands) = self.demands() else { return Ok(Permit { caller, would_deny: None }) };
        match demands.judge(&caller, operation) {
            Ok(()) => Ok(Permit { caller, would_deny: None }),
            Err(error) if demands.rules.settings().shadow && error.is_for_want_of_scopes() => {
                Ok(Permit { caller, would_deny: Some(error) })
            }
            Err(error) => Err(error),
        }
    }

    /// Whether a token still has what the route demands of every request.
    pub fn keeps(&self, token: &VerifiedToken) -> bool {
        self.is_content_with(token.scope())
    }

    /// Whether a scope is what the route demands of every request.
    pub fn is_content_with(&self, scope: &Scope) -> bool {
        self.demands().is_none_or(|demands| {
            let rules = &demands.rules;
            rules.settings().shadow || rules.implications().cover(scope, &demands.required_scopes)
        })
    }

    /// What a protected route demands.
    pub fn demands(&self) -> Option<&Arc<Demands>> {
        match self {
            Self::Protected(demands) => Some(demands),
            Self::Public => None,
        }
    }
}
