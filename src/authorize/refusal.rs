//! What keeps an operation from being done, gathered from everything it asks for.
//!
//! 1. A denial beats what could be cured; what could be cured names all scopes at once.
//! 2. Whoever lacks the route's own scopes learns nothing of what is hidden: it is judged like what
//!    no rule names. Otherwise a refusal of its own would tell that it exists.
//! 3. How a refusal looks is decided by the most specific unmet rule; only a single request can be
//!    answered as if its object did not exist, or within a result.

use super::{
    deciding,
    operation::{Object, ObjectKind, Operation},
    rules::{DecidedBy, Fault, Finding},
};
use crate::{config::settings::WhenDenied, oauth::Scope};

/// Why an operation is not allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizeError {
    /// No token would help.
    #[error("{}", denied(.named.as_ref(), .pattern.as_deref(), *.fault))]
    Denied {
        /// What it is about.
        named: Option<Named>,
        /// What the refusal looks like.
        when_denied: WhenDenied,
        /// The pattern that decided it; `None`: `unlisted_tools`.
        pattern: Option<Box<str>>,
        /// `deny` or an argument.
        fault: Fault,
    },
    /// Scopes or claims are missing.
    #[error("{}", insufficient(.required, .granted, .pattern.as_deref(), *.fault, .remedy))]
    InsufficientScope {
        /// All scopes that the operation needs.
        required: Scope,
        /// The scopes that the token has.
        granted: Scope,
        /// What it is about.
        named: Option<Named>,
        /// What the refusal looks like.
        when_denied: WhenDenied,
        /// The pattern that decided it; `None`: the route's own scopes.
        pattern: Option<Box<str>>,
        /// Scopes or claims.
        fault: Fault,
        /// What may have to be done at the authorization server.
        remedy: &'static str,
    },
    /// It came without a token and needs one.
    #[error("no token came, and anonymous_methods or a rule of the route asks for one")]
    LoginNeeded,
}

/// What a refusal is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Whether it is a tool, a prompt, a resource or a method.
    pub kind: ObjectKind,
    /// Its name.
    pub name: Box<str>,
}

impl AuthorizeError {
    /// Whether a wider token could cure it.
    pub fn is_for_want_of_scopes(&self) -> bool {
        match self {
            Self::Denied { .. } | Self::LoginNeeded => false,
            Self::InsufficientScope { .. } => true,
        }
    }

    /// What the refusal looks like.
    pub fn when_denied(&self) -> WhenDenied {
        match self {
            Self::Denied { when_denied, .. } | Self::InsufficientScope { when_denied, .. } => {
                *when_denied
            }
            Self::LoginNeeded => WhenDenied::Challenge,
        }
    }

    /// The same, with what may have to be done at the authorization server.
    pub(super) fn with_remedy(mut self, cure: &'static str) -> Self {
        if let Self::InsufficientScope { remedy, .. } = &mut self {
            *remedy = cure;
        }
        self
    }

    /// What it is about, when that is known.
    pub fn named(&self) -> Option<&Named> {
        match self {
            Self::Denied { named, .. } | Self::InsufficientScope { named, .. } => named.as_ref(),
            Self::LoginNeeded => None,
        }
    }

    /// The key of the rule that decided, below `routes`, when one did.
    pub fn rule(&self, route: &str) -> Option<String> {
        let named = self.named()?;
        let Some(pattern) = self.pattern() else {
            let is_denied = matches!(self, Self::Denied { .. });
            return is_denied.then(|| format!("routes.{route}.unlisted_tools"));
        };
        Some(deciding::key(route, named.kind, pattern))
    }

    /// The pattern that decided, when one did.
    pub fn pattern(&self) -> Option<&str> {
        match self {
            Self::Denied { pattern, .. } | Self::InsufficientScope { pattern, .. } => {
                pattern.as_deref()
            }
            Self::LoginNeeded => None,
        }
    }
}

/// What was found so far.
pub(super) struct Findings {
    required: Scope,
    fault: Option<Fault>,
    decided: Option<(Named, DecidedBy)>,
    /// Whether what is hidden says nothing.
    passes_over_hidden: bool,
}

impl Findings {
    /// Begins with the route's own scopes, and whether they are there.
    pub(super) fn new(required: Scope, has_scopes: bool) -> Self {
        let fault = (!has_scopes).then_some(Fault::Scopes);
        Self { required, fault, decided: None, passes_over_hidden: false }
    }

    /// The same, without a word about what is hidden.
    pub(super) fn passing_over_hidden(self) -> Self {
        Self { passes_over_hidden: true, ..self }
    }

    /// Adds what the rules say about one object.
    pub(super) fn add(&mut self, object: &Object<'_>, finding: Finding) {
        let is_hidden =
            finding.decided_by.as_ref().is_some_and(|by| by.when_denied == WhenDenied::Hide);
        if is_hidden && self.passes_over_hidden {
            return;
        }
        finding.required_scopes.iter().for_each(|scope| self.required.insert(scope.clone()));
        // Objects come after their method, and say more.
        if finding.fault.is_some()
            && finding.fault >= self.fault
            && let Some(by) = finding.decided_by
        {
            self.decided = Some((Named::of(object), by));
        }
        self.fault = self.fault.max(finding.fault);
    }

    /// The verdict on all of it.
    pub(super) fn conclude(
        self,
        granted: &Scope,
        operation: &Operation<'_>,
    ) -> Result<(), AuthorizeError> {
        let Some(fault) = self.fault else { return Ok(()) };
        let (named, by) = match self.decided {
            Some((named, by)) => (Some(named), Some(by)),
            None => (operation.named(), None),
        };
        let (pattern, looks) =
            by.map_or((None, WhenDenied::Challenge), |by| (by.pattern, by.when_denied));
        // Only the result of a tool can say that it is none (`isError`).
        let is_tool = named.as_ref().is_some_and(|named| named.kind == ObjectKind::Tool);
        let when_denied = match looks {
            _ if !operation.can_be_answered_otherwise() => WhenDenied::Challenge,
            WhenDenied::InBand if !is_tool => WhenDenied::Challenge,
            WhenDenied::Challenge | WhenDenied::Hide | WhenDenied::InBand => looks,
        };
        Err(match fault {
            Fault::Arguments | Fault::Denied => {
                AuthorizeError::Denied { named, when_denied, pattern, fault }
            }
            Fault::Claims | Fault::Scopes => AuthorizeError::InsufficientScope {
                required: self.required,
                granted: granted.clone(),
                named,
                when_denied,
                pattern,
                fault,
                remedy: "",
            },
        })
    }
}

impl Named {
    pub(super) fn of(object: &Object<'_>) -> Self {
        Self { kind: object.kind, name: object.name.as_ref().into() }
    }
}

fn denied(named: Option<&Named>, pattern: Option<&str>, fault: Fault) -> String {
    let name = named.map_or("it", |named| &*named.name);
    match (pattern, fault) {
        (Some(pattern), Fault::Arguments) => {
            format!("an argument of {name:?} has no value that the rule {pattern:?} lists")
        }
        (Some(pattern), _) => format!("the rule {pattern:?} denies {name:?} to everybody"),
        (None, _) => format!("no rule names the tool {name:?}, and unlisted_tools is deny"),
    }
}

fn insufficient(
    required: &Scope,
    granted: &Scope,
    pattern: Option<&str>,
    fault: Fault,
    remedy: &str,
) -> String {
    let by = pattern.map(|pattern| format!(" by the rule {pattern:?}")).unwrap_or_default();
    match fault {
        Fault::Claims => format!(
            "a claim that is demanded{by} is not in the token, or has another value: no scope helps \
             unless it brings the claim"
        ),
        Fault::Arguments | Fault::Denied | Fault::Scopes => format!(
            "the token has [{granted}]; this needs [{required}]{by}: the client must ask for them \
             all, or required_scopes of the route or the rule is too \
             much; {remedy}"
        ),
    }
}
