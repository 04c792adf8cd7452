//! A rehearsal: every stage of the pipeline judges a request, and nothing is forwarded.
//!
//! 1. The stages are the pipeline's own, in its order, which is the contract's (section 3.2); what
//!    they say is kept as a list of steps. A stage that judges several things says which one failed;
//!    those before it passed.
//! 2. A refusal is the very response a client would get, but for `X-Request-Id` and what depends on
//!    its connection.
//! 3. No upstream is called, no log line written, no request counted.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header, request::Parts};

use super::{
    answer::{self, Context, GatewayBody},
    authenticate,
    head::destination,
    record::{detail, identity},
};
use crate::{
    admission,
    authenticate::{
        AuthenticateError, TokenFault, TokenIdentity, authorization_server::Unavailable,
        bearer::CredentialsError, discovery::DiscoveryError, introspection::IntrospectionError,
    },
    authorize::Operation,
    forward::request_body,
    jsonrpc::Glance,
    rejection::Rejection,
    resource::ProtectedResource,
    router::{Destination, RouteError},
    snapshot::Snapshot,
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
    /// The session, when one is named, is the caller's.
    Session,
    /// The body can be taken.
    Body,
    /// The token's scopes suffice.
    Scopes,
}

/// What one stage decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub stage: Stage,
    /// How.
    pub ruling: Ruling,
}

/// How a stage decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// The request went on.
    Passed,
    /// It ended here, for this cause and with this remedy.
    Refused(String),
    /// Whoever knows could not be asked.
    Unknown(String),
}

/// What became of a request.
#[derive(Debug)]
pub struct Rehearsal {
    /// Every decision until the last one that was made.
    pub steps: Vec<Step>,
    /// The route it is a matter of.
    pub resource: Option<Arc<ProtectedResource>>,
    /// What the request asks for, as far as it was read.
    pub operation: Operation,
    /// Whose the token is, as far as that is known.
    pub token: Option<TokenIdentity>,
    /// The path of the key that is at fault, where the refusal itself says so.
    pub blamed: Option<String>,
    /// What the client gets from us; `None` when the request would be forwarded.
    pub answer: Option<OwnAnswer>,
}

/// A response of the gateway's own.
#[derive(Debug)]
pub struct OwnAnswer {
    /// Its status.
    pub status: StatusCode,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Why it is a refusal; `None` for a document or a preflight.
    pub reason: Option<&'static str>,
    /// Whether the refusal was a decision about a token or its scopes.
    pub is_auth_decision: bool,
}

/// Judges a request whose body is known.
pub async fn rehearse(snapshot: &Snapshot, parts: &Parts, body: &Bytes) -> Rehearsal {
    let (resource, operation, token) = (None, Operation::default(), None);
    let steps = Vec::new();
    let mut rehearsal = Rehearsal { steps, resource, operation, token, blamed: None, answer: None };
    if let Err(rejection) = rehearsal.run(snapshot, parts, body).await {
        rehearsal.refuse(rejection, parts, body);
    }
    rehearsal
}

impl Rehearsal {
    async fn run(
        &mut self,
        snapshot: &Snapshot,
        parts: &Parts,
        body: &Bytes,
    ) -> Result<(), Rejection> {
        let target = admission::admit(parts, None)?;
        self.pass_until(Stage::Host);
        match snapshot.router.route(parts, &target, !body.is_empty())? {
            Destination::Document(document) => {
                let response = answer::document(document, &parts.headers);
                self.answered(response.ok_or(Rejection::DocumentUnavailable)?);
            }
            Destination::PublicPreflight => self.answered(answer::public_preflight()),
            Destination::Preflight(resource) => {
                self.resource = Some(Arc::clone(resource));
                self.answered(answer::preflight(&parts.headers, resource));
            }
            Destination::Resource(resource, below) => {
                self.resource = Some(Arc::clone(resource));
                self.pass_until(Stage::Credentials);
                let caller = authenticate(resource, &parts.headers, &target).await;
                self.token = identity(&caller).cloned();
                let caller = caller?;
                self.pass_until(Stage::Session);
                let principal = caller.principal();
                resource.upstream.open_session(&parts.headers, principal)?;
                let destination = destination(below, target.query().is_some());
                destination.open(resource, principal)?;
                self.pass_until(Stage::Body);
                let glance = look(snapshot, &parts.method, body)?;
                self.pass_until(Stage::Scopes);
                self.operation = Operation { glance };
                let permitted = resource.policy.authorize(caller, &self.operation);
                permitted.map_err(|error| {
                    Rejection::Authorize(error, Box::new(self.operation.clone()))
                })?;
                self.pass(Stage::Scopes);
            }
        }
        Ok(())
    }

    fn answered(&mut self, response: http::Response<GatewayBody>) {
        self.pass_until(Stage::Credentials);
        let (head, _) = response.into_parts();
        let (status, headers) = (head.status, head.headers);
        self.answer = Some(OwnAnswer { status, headers, reason: None, is_auth_decision: false });
    }

    fn refuse(&mut self, rejection: Rejection, parts: &Parts, body: &Bytes) {
        let stage = stage(&rejection);
        self.pass_until(stage);
        let text = detail(&rejection);
        let is_unavailable = matches!(
            rejection,
            Rejection::Authenticate(AuthenticateError::Unavailable { .. })
                | Rejection::DocumentUnavailable
        );
        self.blamed = blamed(&rejection);
        let ruling = if is_unavailable { Ruling::Unknown(text) } else { Ruling::Refused(text) };
        self.steps.push(Step { stage, ruling });
        if let Some(resource) = rejection.resource() {
            self.resource = Some(Arc::clone(resource));
        }
        if self.operation.glance.method().is_none() && parts.method == Method::POST {
            self.operation = Operation { glance: Glance::at(body) };
        }
        let reason = Some(rejection.row().reason);
        let is_auth_decision = rejection.is_auth_decision();
        let origin = parts.headers.get(header::ORIGIN).cloned();
        let context = Context { resource: self.resource.as_ref(), origin };
        let id = self.operation.glance.id().map(ToOwned::to_owned);
        let response = answer::refusal(rejection, context, id.as_deref(), "");
        let (head, _) = response.into_parts();
        let (status, headers) = (head.status, head.headers);
        self.answer = Some(OwnAnswer { status, headers, reason, is_auth_decision });
    }

    /// Every stage before this one has passed.
    fn pass_until(&mut self, end: Stage) {
        let last = self.steps.last().map(|step| step.stage);
        let has_token = self.resource.as_ref().is_none_or(|it| it.authenticator.is_some());
        for stage in STAGES {
            let is_next = last.is_none_or(|last| stage > last) && stage < end;
            if is_next && (has_token || !stage.is_about_a_token()) {
                self.pass(stage);
            }
        }
    }

    fn pass(&mut self, stage: Stage) {
        self.steps.push(Step { stage, ruling: Ruling::Passed });
    }
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
            Self::Credentials => "credentials",
            Self::Form => "form",
            Self::Token => "token",
            Self::Kind => "kind",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Time => "time",
            Self::Session => "session",
            Self::Body => "body",
            Self::Scopes => "scopes",
        }
    }

    fn is_about_a_token(self) -> bool {
        (Self::Form..=Self::Time).contains(&self)
    }
}

/// What a body of known length shows, as the pipeline would see it.
fn look(snapshot: &Snapshot, method: &Method, body: &Bytes) -> Result<Glance, Rejection> {
    if *method != Method::POST {
        return Ok(Glance::default());
    }
    let max_bytes = snapshot.settings.listen.limits.max_body_bytes;
    let is_whole = body.len() <= request_body::WHOLE_BYTES;
    Ok(request_body::look(body, is_whole, max_bytes)?)
}

/// The key that is at fault when an authorization server could not be asked.
fn blamed(rejection: &Rejection) -> Option<String> {
    let Rejection::Authenticate(AuthenticateError::Unavailable { name, cause }) = rejection else {
        return None;
    };
    let key = match cause {
        Unavailable::Discovery(error) => match **error {
            DiscoveryError::Missing(_) => "metadata",
            DiscoveryError::Issuer { .. }
            | DiscoveryError::Malformed(_)
            | DiscoveryError::Outbound(..)
            | DiscoveryError::Status(..) => "issuer",
        },
        Unavailable::Introspection(error) => match **error {
            IntrospectionError::ClientRefused(_) | IntrospectionError::NotSigned(_) => "client",
            IntrospectionError::Malformed(_)
            | IntrospectionError::Outbound(_)
            | IntrospectionError::Status(_) => "introspection",
        },
        Unavailable::KeySet(_)
        | Unavailable::Lost
        | Unavailable::NoTokenEndpoint
        | Unavailable::NotYet
        | Unavailable::TokenRequest(_)
        | Unavailable::TooMany
        | Unavailable::Userinfo(_) => "access_tokens",
    };
    Some(format!("authorization_servers.{name}.{key}"))
}

/// The stage that a refusal comes from.
fn stage(rejection: &Rejection) -> Stage {
    match rejection {
        Rejection::Authenticate(error) => authenticate_stage(error),
        Rejection::Authorize(..) => Stage::Scopes,
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
    }
}

fn authenticate_stage(error: &AuthenticateError) -> Stage {
    match error {
        AuthenticateError::Credentials(CredentialsError::Missing) => Stage::Credentials,
        AuthenticateError::Credentials(
            CredentialsError::InQuery | CredentialsError::Repeated | CredentialsError::Syntax,
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

const STAGES: [Stage; 15] = [
    Stage::Path,
    Stage::Host,
    Stage::Route,
    Stage::Origin,
    Stage::Method,
    Stage::Credentials,
    Stage::Form,
    Stage::Token,
    Stage::Kind,
    Stage::Issuer,
    Stage::Audience,
    Stage::Time,
    Stage::Session,
    Stage::Body,
    Stage::Scopes,
];
