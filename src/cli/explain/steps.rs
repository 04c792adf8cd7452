//! Each decision in words, with the key of the file that it rests on.

use super::super::check::online::finding::listed;
use crate::{
    authenticate::TokenIdentity,
    config::{
        Places,
        settings::{Access, ProtectedSettings, RateLimit, RateLimitBy, RouteSettings, Settings},
    },
    gateway::rehearsal::{Rehearsal, Ruling, Stage, Step},
};

/// What the words are made of.
pub(super) struct Scene<'a> {
    pub(super) rehearsal: &'a Rehearsal,
    pub(super) settings: &'a Settings,
    pub(super) places: &'a Places,
    pub(super) now: f64,
}

impl<'a> Scene<'a> {
    /// The settings of the route that the request is for.
    pub(super) fn route(&self) -> Option<&'a RouteSettings> {
        let name = &self.rehearsal.resource.as_ref()?.name;
        self.settings.routes.iter().find(|route| route.name == *name)
    }

    pub(super) fn protected(&self) -> Option<&'a ProtectedSettings> {
        match &self.route()?.access {
            Access::Protected(protected) => Some(protected),
            Access::Public => None,
        }
    }

    pub(super) fn token(&self) -> Option<&'a TokenIdentity> {
        self.rehearsal.token.as_ref()
    }

    /// The path of the key that a decision rests on.
    pub(super) fn key(&self, step: &Step) -> String {
        let is_refused = step.ruling != Ruling::Passed;
        if let (true, Some(blamed)) = (is_refused, &self.rehearsal.blamed) {
            return blamed.clone();
        }
        let of_route = |key: &str| match self.route() {
            Some(route) => format!("routes.{}.{key}", route.name),
            None => "routes".to_owned(),
        };
        let of_server = |key: &str| {
            let asked = self.token().map(|token| &token.authorization_server().settings().name);
            let listed = || self.protected()?.authorization_servers.first();
            asked.or_else(listed).map_or_else(
                || "authorization_servers".to_owned(),
                |name| format!("authorization_servers.{name}.{key}"),
            )
        };
        match step.stage {
            Stage::Path => "public_url".to_owned(),
            Stage::Host if is_refused => "listen.allowed_hosts".to_owned(),
            Stage::Host => match self.route().filter(|route| route.has_own_public_url) {
                Some(_) => of_route("public_url"),
                None => "public_url".to_owned(),
            },
            Stage::Route | Stage::Method => of_route("path"),
            Stage::Origin => "listen.allowed_origins".to_owned(),
            Stage::AddressRate | Stage::Rate => of_route("rate_limit"),
            Stage::Credentials if self.rehearsal.is_anonymous => of_route("anonymous_methods"),
            Stage::Credentials | Stage::Form => of_route("access"),
            // No server was asked about a token that names another issuer.
            Stage::Token if is_refused && self.is_of_another_issuer() => {
                of_route("authorization_servers")
            }
            Stage::Token | Stage::Kind => of_server("access_tokens"),
            Stage::Issuer => of_server("issuer"),
            Stage::Audience => self.audience_key(of_route("audiences"), of_route("resource")),
            Stage::Time => of_server("clock_skew"),
            Stage::Session => "sessions".to_owned(),
            Stage::Body => "listen.limits.max_body_bytes".to_owned(),
            Stage::Operation => of_route(self.strict()),
            Stage::Scopes => {
                self.rehearsal.rule.clone().unwrap_or_else(|| of_route("required_scopes"))
            }
        }
    }

    fn is_of_another_issuer(&self) -> bool {
        let reason = self.rehearsal.answer.as_ref().and_then(|answer| answer.reason);
        reason == Some("wrong_issuer")
    }

    /// The first section because of which bodies are read strictly.
    fn strict(&self) -> &'static str {
        let is_written = |key: &&&str| {
            let route = self.route().map(|route| &*route.name).unwrap_or_default();
            self.places.find(&format!("routes.{route}.{key}")).is_written
        };
        STRICT.iter().find(is_written).copied().unwrap_or("upstream")
    }

    /// The audience comes from the resource where `audiences` was left out.
    fn audience_key(&self, audiences: String, resource: String) -> String {
        let is_written = |path: &str| self.places.find(path).is_written;
        if !is_written(&audiences) && is_written(&resource) { resource } else { audiences }
    }

    /// What a rate limit allows; what is used of it nobody knows here.
    fn rate_limit(&self) -> String {
        let Some(limit) = self.route().and_then(|route| route.rate_limit) else {
            return String::new();
        };
        let RateLimit { requests, per, burst, by } = limit;
        let by = match by {
            RateLimitBy::Address => "address",
            RateLimitBy::ClientId => "client_id",
            RateLimitBy::Subject => "subject",
        };
        format!("{requests} in {per:?} by {by}, {burst} at once; this one is not counted")
    }

    /// Why a decision was made.
    pub(super) fn why(&self, step: &Step) -> String {
        match &step.ruling {
            Ruling::Passed => self.why_passed(step.stage),
            Ruling::Refused(why) | Ruling::Unknown(why) => why.clone(),
        }
    }

    fn why_passed(&self, stage: Stage) -> String {
        let facts = self.token().map(TokenIdentity::facts);
        match stage {
            Stage::Path => "everybody reads it alike".to_owned(),
            Stage::Host => "it is ours".to_owned(),
            Stage::Route => match self.route() {
                Some(route) => format!("routes.{}", route.name),
                None => "a public document".to_owned(),
            },
            Stage::Origin => "none, or one that may call it".to_owned(),
            Stage::Method => "it is served".to_owned(),
            Stage::AddressRate | Stage::Rate => self.rate_limit(),
            Stage::Credentials if self.protected().is_none() => "none are needed".to_owned(),
            Stage::Credentials if self.rehearsal.is_anonymous => {
                "none came, and anonymous_methods names what is asked for".to_owned()
            }
            Stage::Credentials => "they came".to_owned(),
            Stage::Form => "one well-formed token, or client credentials".to_owned(),
            Stage::Token => match self.token() {
                Some(token) => {
                    let name = &token.authorization_server().settings().name;
                    format!("{name} stands for it")
                }
                None => "it is known".to_owned(),
            },
            Stage::Kind => "an access token, bound to no key".to_owned(),
            Stage::Issuer => self
                .token()
                .map_or_else(String::new, |token| format!("of {}", token.issuer().as_str())),
            Stage::Audience => facts
                .map_or_else(String::new, |facts| format!("aud is {}", listed(&facts.audience))),
            Stage::Time => facts.and_then(|facts| facts.expires_at).map_or_else(
                || "it has no exp".to_owned(),
                |exp| format!("it expires in {}", super::print::span(exp - self.now)),
            ),
            Stage::Session => "none is named, or it is the caller's".to_owned(),
            Stage::Body => "it can be taken".to_owned(),
            Stage::Operation => "everybody reads it alike, as far as rules need it".to_owned(),
            Stage::Scopes => self.why_permitted(),
        }
    }

    fn why_permitted(&self) -> String {
        let facts = self.token().map(TokenIdentity::facts);
        match (&self.rehearsal.would_deny, &self.rehearsal.required_scopes, facts) {
            (Some(why), ..) => format!("shadow lets it pass, which would be refused: {why}"),
            (None, Some(required), Some(facts)) => format!("[{required}] is in [{}]", facts.scope),
            (None, ..) => "none are needed".to_owned(),
        }
    }
}

/// The keys of a route that have bodies read strictly.
const STRICT: [&str; 6] =
    ["tools", "prompts", "resources", "methods", "anonymous_methods", "unlisted_tools"];
