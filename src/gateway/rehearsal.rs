//! A rehearsal: every stage of the pipeline judges a request, and nothing is forwarded.
//!
//! 1. The stages are the pipeline's own, in its order, which is the contract's (section 3.2); what
//!    they say is kept as a list of steps. A stage that judges several things says which one failed;
//!    those before it passed.
//! 2. A refusal is the very response a client would get, but for `X-Request-Id` and what depends on
//!    its connection.
//! 3. No upstream is called, no log line written, no request counted, towards no limit either: that
//!    a rate limit is there is one of the steps, which passes.

mod stage;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header, request::Parts};

pub use self::stage::Stage;
use self::stage::{STAGES, stage};
use super::{
    answer::{self, Context, GatewayBody},
    authenticate,
    head::destination,
    judge, may_need_no_token,
    record::{detail, identity},
};
use crate::{
    admission,
    authenticate::{
        AuthenticateError, TokenIdentity, asker::Asker, authorization_server::Unavailable,
        discovery::DiscoveryError, introspection::IntrospectionError,
    },
    authorize::Permit,
    forward::request_body,
    jsonrpc::Glance,
    oauth::Scope,
    rejection::Rejection,
    resource::ProtectedResource,
    router::Destination,
    snapshot::Snapshot,
};

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
    /// What a glance at the request's body shows.
    pub glance: Glance,
    /// The scopes that the operation needs, once that is known.
    pub required_scopes: Option<Scope>,
    /// Whose the token is, as far as that is known.
    pub token: Option<TokenIdentity>,
    /// Whether it came without credentials, and goes on without any where a token opens more.
    pub is_anonymous: bool,
    /// The path of the rule that the decision about the operation rests on, when there is one.
    pub rule: Option<String>,
    /// Why it would be refused, were the route not shadowed.
    pub would_deny: Option<String>,
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
    let mut rehearsal = Rehearsal {
        steps: Vec::new(),
        resource: None,
        glance: Glance::default(),
        required_scopes: None,
        token: None,
        is_anonymous: false,
        rule: None,
        would_deny: None,
        blamed: None,
        answer: None,
    };
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
        let target = admission::admit(parts, None, None)?;
        self.pass_until(Stage::Host);
        let origin = parts.headers.get(header::ORIGIN);
        match snapshot.router.route(&parts.method, origin, &target, !body.is_empty())? {
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
                let caller =
                    authenticate(resource, &parts.headers, &target, Asker::UNCOUNTED).await;
                self.token = identity(&caller).cloned();
                let caller = match caller {
                    Err(missing) if may_need_no_token(&missing, resource, &parts.method) => {
                        self.glance = Glance::at(body);
                        let operation = judge::read(resource, parts, body)?;
                        let caller = resource.policy.without_credentials(&operation);
                        self.is_anonymous = caller.is_some();
                        caller.ok_or(missing)?
                    }
                    caller => caller?,
                };
                self.pass_until(Stage::Session);
                let principal = caller.principal();
                resource.upstream.open_session(&parts.headers, principal)?;
                let destination = destination(below, target.query().is_some());
                let destination = destination.open(resource, principal)?;
                self.pass_until(Stage::Body);
                self.glance = look(snapshot, resource, &parts.method, body)?;
                let operation =
                    judge::operation(resource, parts, body, &self.glance, &destination)?;
                self.required_scopes = resource.policy.required_scopes(&operation);
                self.rule = resource.policy.rule(&operation, &resource.name);
                let permitted = resource.policy.authorize(caller, &operation);
                drop(operation);
                self.pass_until(Stage::Scopes);
                let permit = permitted.map_err(Rejection::Authorize)?;
                self.permitted(&permit, &resource.name);
            }
        }
        Ok(())
    }

    fn permitted(&mut self, permit: &Permit, route: &str) {
        if let Some(error) = permit.would_deny() {
            self.rule = error.rule(route);
            self.would_deny = Some(error.to_string());
        }
        if self.is_anonymous {
            self.required_scopes = Some(Scope::default());
        }
        self.pass(Stage::Scopes);
    }

    /// The path of the rule that decided a refusal.
    fn rule(&self, rejection: &Rejection) -> Option<String> {
        let Rejection::Authorize(error) = rejection else { return None };
        error.rule(&self.resource.as_ref()?.name)
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
        self.blamed = blamed(&rejection).or_else(|| self.rule(&rejection));
        if !self.is_anonymous {
            self.rule = None;
        }
        let ruling = if is_unavailable { Ruling::Unknown(text) } else { Ruling::Refused(text) };
        self.steps.push(Step { stage, ruling });
        if let Some(resource) = rejection.resource() {
            self.resource = Some(Arc::clone(resource));
        }
        if self.glance.method().is_none() && parts.method == Method::POST {
            self.glance = Glance::at(body);
        }
        let reason = Some(rejection.row().reason);
        let is_auth_decision = rejection.is_auth_decision();
        let origin = parts.headers.get(header::ORIGIN).cloned();
        let context = Context { resource: self.resource.as_ref(), origin };
        let id = self.glance.id().map(ToOwned::to_owned);
        let response = answer::refusal(rejection, context, id.as_deref(), "");
        let (head, _) = response.into_parts();
        let (status, headers) = (head.status, head.headers);
        self.answer = Some(OwnAnswer { status, headers, reason, is_auth_decision });
    }

    /// Every stage before this one has passed.
    fn pass_until(&mut self, end: Stage) {
        let last = self.steps.last().map(|step| step.stage);
        let may_have_one = self.resource.as_ref().is_none_or(|it| it.authenticator.is_some());
        let has_token = may_have_one && !self.is_anonymous;
        let limiter = self.resource.as_ref().and_then(|it| it.rate_limiter.as_ref());
        let limited_by = limiter.map(|limiter| limiter.settings().by);
        for stage in STAGES {
            let is_next = last.is_none_or(|last| stage > last) && stage < end;
            let judges = self.resource.as_ref().is_some_and(|it| it.policy.judges_operations());
            let applies = has_token || !stage.is_about_a_token();
            if is_next
                && applies
                && stage.is_of(limited_by)
                && (judges || stage != Stage::Operation)
            {
                self.pass(stage);
            }
        }
    }

    fn pass(&mut self, stage: Stage) {
        self.steps.push(Step { stage, ruling: Ruling::Passed });
    }
}

/// What a body of known length shows, as the pipeline would see it.
fn look(
    snapshot: &Snapshot,
    resource: &ProtectedResource,
    method: &Method,
    body: &Bytes,
) -> Result<Glance, Rejection> {
    if *method != Method::POST {
        return Ok(Glance::default());
    }
    let max_bytes = snapshot.settings.listen.limits.max_body_bytes;
    let is_whole = resource.policy.judges_operations() || body.len() <= request_body::WHOLE_BYTES;
    Ok(request_body::look(body, is_whole, max_bytes)?)
}

/// The key that is at fault when an authorization server could not be asked, or is misnamed.
fn blamed(rejection: &Rejection) -> Option<String> {
    let Rejection::Authenticate(error) = rejection else { return None };
    if let AuthenticateError::Invalid(token) = error {
        return token.misnamed().map(|name| format!("authorization_servers.{name}.issuer"));
    }
    let AuthenticateError::Unavailable { name, cause } = error else { return None };
    let key = match cause {
        // That is for whoever asks at that moment.
        Unavailable::Busy(_) => return None,
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
