//! The answer, as `--json` prints it.

use http::header;
use serde::Serialize;

use super::steps::Scene;
use crate::{
    authenticate::TokenIdentity,
    config::{KeyPlace, Places, Settings, settings::ProtectedSettings},
    gateway::rehearsal::{OwnAnswer, Rehearsal, Ruling},
    oauth::{Scope, ScopeToken},
};

/// What would happen to a request, and why.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    /// The route's name.
    pub(super) route: Option<String>,
    /// Its resource identifier (RFC 8707); `null` where none is protected.
    pub(super) resource: Option<String>,
    /// `allowed`, `denied`, `refused`, `answered` (a document or preflight) or `unknown`.
    pub(super) decision: &'static str,
    /// The status of our own answer; `null` when the upstream's passes.
    pub(super) status: Option<u16>,
    /// Why it is a refusal: a word of a closed set.
    pub(super) reason: Option<&'static str>,
    /// What would cure it.
    pub(super) detail: Option<String>,
    /// The challenge, byte for byte.
    pub(super) www_authenticate: Option<String>,
    /// All header fields of our own answer.
    pub(super) headers: Vec<[String; 2]>,
    /// What the operation needs.
    pub(super) required_scopes: Vec<String>,
    /// What the token has.
    pub(super) granted_scopes: Vec<String>,
    /// Why it would be denied, were the route not shadowed.
    pub(super) would_deny: Option<String>,
    /// The path of the key that decided.
    pub(super) rule: Option<String>,
    /// What is known of the token; never the token.
    pub(super) token: Option<Token>,
    /// Every decision in order.
    pub(super) steps: Vec<Decision>,
    /// Where an allowed request goes.
    pub(super) upstream: Option<String>,
}

/// One decision.
#[derive(Debug, Serialize)]
pub(super) struct Decision {
    pub(super) step: &'static str,
    /// `passed`, `refused` or `unknown`.
    pub(super) ruling: &'static str,
    pub(super) why: String,
    pub(super) place: KeyPlace,
}

/// What is known of a token.
#[derive(Debug, Serialize)]
pub(super) struct Token {
    pub(super) authorization_server: String,
    pub(super) issuer: String,
    pub(super) subject: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) audience: Vec<String>,
    pub(super) scope: Vec<String>,
    pub(super) issued_at: Option<f64>,
    pub(super) not_before: Option<f64>,
    pub(super) expires_at: Option<f64>,
    /// Seconds left; negative when it expired.
    pub(super) expires_in: Option<f64>,
}

impl Answer {
    pub(super) fn new(
        rehearsal: &Rehearsal,
        settings: &Settings,
        places: &Places,
        now: f64,
    ) -> Self {
        let scene = Scene { rehearsal, settings, places, now };
        let own = rehearsal.answer.as_ref();
        let protected = scene.protected();
        let last = rehearsal.steps.last();
        let refusal = last.filter(|step| step.ruling != Ruling::Passed);
        let headers = own.map(fields).unwrap_or_default();
        let is_challenge = |[name, _]: &&[String; 2]| *name == header::WWW_AUTHENTICATE.as_str();
        let upstream = rehearsal.resource.as_ref().filter(|_| own.is_none());
        Self {
            route: scene.route().map(|route| route.name.to_string()),
            resource: protected.map(|protected| protected.resource.as_str().to_owned()),
            decision: decision(rehearsal),
            status: own.map(|own| own.status.as_u16()),
            reason: own.and_then(|own| own.reason),
            detail: refusal.map(|step| scene.why(step)),
            www_authenticate: headers.iter().find(is_challenge).map(|[_, value]| value.clone()),
            headers,
            required_scopes: required(rehearsal, protected).map(texts).unwrap_or_default(),
            granted_scopes: scene.token().map(|it| texts(&it.facts().scope)).unwrap_or_default(),
            would_deny: rehearsal.would_deny.clone(),
            rule: last.map(|step| scene.key(step)),
            token: scene.token().map(|token| Token::of(token, now)),
            steps: rehearsal
                .steps
                .iter()
                .map(|step| Decision {
                    step: step.stage.as_str(),
                    ruling: match step.ruling {
                        Ruling::Passed => "passed",
                        Ruling::Refused(_) => "refused",
                        Ruling::Unknown(_) => "unknown",
                    },
                    why: scene.why(step),
                    place: places.find(&scene.key(step)),
                })
                .collect(),
            upstream: upstream.map(|resource| resource.upstream.url().to_owned()),
        }
    }

    /// Whether the question was answered.
    pub(super) fn is_known(&self) -> bool {
        self.decision != UNKNOWN
    }
}

impl Token {
    fn of(token: &TokenIdentity, now: f64) -> Self {
        let facts = token.facts();
        Self {
            authorization_server: token.authorization_server().settings().name.to_string(),
            issuer: token.issuer().as_str().to_owned(),
            subject: token.subject().map(|subject| subject.as_str().to_owned()),
            client_id: token.client_id().map(|client| client.as_str().to_owned()),
            audience: facts.audience.iter().map(ToString::to_string).collect(),
            scope: texts(&facts.scope),
            issued_at: facts.issued_at,
            not_before: facts.not_before,
            expires_at: facts.expires_at,
            expires_in: facts.expires_at.map(|exp| (exp - now).floor()),
        }
    }
}

/// What the operation needs, or where it is not known the route.
fn required<'a>(
    rehearsal: &'a Rehearsal,
    protected: Option<&'a ProtectedSettings>,
) -> Option<&'a Scope> {
    let of_operation = rehearsal.required_scopes.as_ref();
    of_operation.or(protected.map(|protected| &protected.required_scopes))
}

fn decision(rehearsal: &Rehearsal) -> &'static str {
    let is_unknown = |ruling: &Ruling| matches!(ruling, Ruling::Unknown(_));
    match &rehearsal.answer {
        None => "allowed",
        _ if rehearsal.steps.last().is_some_and(|step| is_unknown(&step.ruling)) => UNKNOWN,
        Some(OwnAnswer { reason: None, .. }) => "answered",
        Some(OwnAnswer { is_auth_decision: true, .. }) => "denied",
        Some(_) => "refused",
    }
}

fn fields(own: &OwnAnswer) -> Vec<[String; 2]> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    own.headers.iter().map(|(name, value)| [name.to_string(), text(value)]).collect()
}

fn texts(scope: &Scope) -> Vec<String> {
    scope.iter().map(ScopeToken::as_str).map(ToOwned::to_owned).collect()
}

const UNKNOWN: &str = "unknown";
