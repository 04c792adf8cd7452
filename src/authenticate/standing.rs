//! What a token that was good means for what stays open longer than its request.
//!
//! 1. It lasts until `clock_skew` after its `exp`, however it is judged: clients refresh when a token
//!    has expired, many of them when a request is refused for that, and need a moment to show the
//!    new one. Requests are judged as ever.
//! 2. A token that its authorization server was asked about is asked about again the usual way,
//!    with the usual memory: nobody is asked while what is remembered is fresh.
//! 3. Of two tokens of one session the newer is the one issued later; where they do not say, the
//!    one that ends later.
//!
//! What stays open, and for how long, is not known here.

use std::time::{Duration, Instant};

use super::{
    AuthenticateError, Authenticator, TokenFault, TokenIdentity, VerifiedToken,
    asker::Asker,
    token_facts::{Evidence, TokenFacts},
};
use crate::oauth::{BearerToken, TokenDigest};

impl Authenticator {
    /// Judges a token once more, as if it had come with a request.
    pub async fn verify_again(
        &self,
        token: BearerToken,
    ) -> Result<VerifiedToken, AuthenticateError> {
        self.verify(token, Asker::UNCOUNTED).await
    }
}

/// What a route that judges anew makes of a token that it took before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewed {
    /// Its authorization server must be asked: it is not known as it was.
    Asked,
    /// It is not acceptable any more.
    Refused,
    /// It is as good as it was.
    Taken,
}

impl Authenticator {
    /// Judges a token by what is known of it.
    pub fn judge_again(&self, identity: &TokenIdentity) -> Renewed {
        let mut servers = self.authorization_servers().iter();
        let Some(server) = servers.find(|server| server.settings().issuer == *identity.issuer())
        else {
            return Renewed::Refused;
        };
        let is_verified_alike =
            !identity.is_asked_about() && server.verifies_like(&identity.server);
        if !is_verified_alike && !std::sync::Arc::ptr_eq(server, &identity.server) {
            return Renewed::Asked;
        }
        match self.judge(identity) {
            Ok(()) => Renewed::Taken,
            // When time runs out is not for a change of configuration to say.
            Err(invalid) if invalid.fault() == TokenFault::Expired => Renewed::Taken,
            Err(_) => Renewed::Refused,
        }
    }
}

impl TokenIdentity {
    /// Until when it lasts, by the wall clock; `None` when it does not say.
    pub fn lasts_until(&self) -> Option<f64> {
        self.facts.expires_at.map(|exp| exp + self.server.settings().clock_skew.as_secs_f64())
    }

    /// Whether its `exp` has passed, so that nobody calls it active any more.
    pub fn has_expired(&self, unix_seconds: f64) -> bool {
        self.facts.expires_at.is_some_and(|exp| exp <= unix_seconds)
    }

    /// Whether only its authorization server can say that it is still active.
    pub fn is_asked_about(&self) -> bool {
        match self.facts.evidence {
            Evidence::Introspection | Evidence::Userinfo => true,
            Evidence::Signature => false,
        }
    }

    /// Until when, or since when no longer, what is remembered of it is fresh.
    pub fn fresh_until(&self, digest: &TokenDigest) -> Option<Instant> {
        self.server.fresh_until(digest)
    }

    /// For how long an answer about it is believed.
    pub fn lifetime_of_answers(&self) -> Duration {
        self.server.settings().introspection.cache_ttl
    }

    /// Whether the key that verified it has been taken from the key set.
    pub fn has_lost_its_key(&self, digest: &TokenDigest) -> bool {
        !self.is_asked_about() && self.server.has_withdrawn_key_of(digest)
    }

    /// Whether it says the same as another, byte for byte in memory.
    pub fn is_same(&self, other: &Self) -> bool {
        std::sync::Arc::ptr_eq(&self.facts, &other.facts)
    }

    /// Whether it lets its holder do all that another one does.
    pub fn grants_no_less_than(&self, other: &Self) -> bool {
        self.facts.scope.covers(&other.facts.scope) && self.facts.kept == other.facts.kept
    }

    /// Whether it ends later than another one, or at the same time.
    pub fn outlasts(&self, other: &Self) -> bool {
        outlasts(&self.facts, &other.facts)
    }

    /// Whether it takes the place of another token of the same session.
    pub fn is_newer_than(&self, other: &Self) -> bool {
        is_newer(&self.facts, &other.facts)
    }
}

fn is_newer(one: &TokenFacts, other: &TokenFacts) -> bool {
    match (one.issued_at, other.issued_at) {
        (Some(at), Some(other_at)) if (at - other_at).abs() > f64::EPSILON => at > other_at,
        _ => outlasts(one, other),
    }
}

fn outlasts(one: &TokenFacts, other: &TokenFacts) -> bool {
    match (one.expires_at, other.expires_at) {
        (Some(end), Some(other_end)) => end >= other_end,
        (None, _) => true,
        (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authenticate::{claims::Claims, introspection::Rules, tests::settings};

    fn facts(claims: &str) -> TokenFacts {
        let rules = Rules::new(&settings("https://as.example"));
        let claims = Claims::parse(claims.as_bytes()).unwrap();
        TokenFacts::read(&claims, &rules, &TokenDigest::of(b"t")).unwrap()
    }

    #[test]
    fn newer_token_is_the_one_issued_later_and_else_the_one_that_ends_later() {
        for (one, other, is_newer_one) in [
            (r#"{"iat":20,"exp":50}"#, r#"{"iat":10,"exp":90}"#, true),
            (r#"{"iat":10,"exp":90}"#, r#"{"iat":20,"exp":50}"#, false),
            (r#"{"iat":10,"exp":90}"#, r#"{"iat":10,"exp":50}"#, true),
            (r#"{"iat":10,"exp":50}"#, r#"{"iat":10,"exp":90}"#, false),
            (r#"{"exp":90}"#, r#"{"iat":10,"exp":50}"#, true),
            (r#"{"exp":50}"#, r#"{"exp":50}"#, true),
            (r"{}", r#"{"exp":50}"#, true),
            (r#"{"exp":50}"#, r"{}", false),
            (r"{}", r"{}", true),
        ] {
            assert_eq!(is_newer(&facts(one), &facts(other)), is_newer_one, "{one} {other}");
        }
    }
}
