//! What a token that was good means for what stays open longer than its request.
//!
//! 1. When it ends is decided by the one function that judges `exp` on every request.
//! 2. A token that its authorization server was asked about is asked about again the usual way,
//!    with the usual memory: nobody is asked while what is remembered is fresh.
//! 3. Of two tokens the newer is the one issued later; where they do not say, the one that ends
//!    later.
//!
//! What stays open, and for how long, is not known here.

use std::time::{Duration, Instant};

use super::{
    AuthenticateError, Authenticator, TokenIdentity, VerifiedToken,
    judge::ends_at,
    token_facts::{Evidence, TokenFacts},
};
use crate::oauth::{BearerToken, TokenDigest};

impl Authenticator {
    /// Judges a token once more, as if it had come with a request.
    pub async fn verify_again(
        &self,
        token: BearerToken,
    ) -> Result<VerifiedToken, AuthenticateError> {
        self.verify(token).await
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
        if !std::sync::Arc::ptr_eq(server, &identity.server) {
            return Renewed::Asked;
        }
        if self.judge(identity).is_ok() { Renewed::Taken } else { Renewed::Refused }
    }
}

impl TokenIdentity {
    /// When it ends, by the wall clock; `None` when it does not say.
    pub fn ends_at(&self) -> Option<f64> {
        ends_at(&self.facts, self.server.settings().clock_skew.as_secs_f64())
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

    /// Whether it takes the place of another token of the same principal.
    pub fn is_newer_than(&self, other: &Self) -> bool {
        is_newer(&self.facts, self.ends_at(), (&other.facts, other.ends_at()))
    }
}

fn is_newer(
    facts: &TokenFacts,
    end: Option<f64>,
    (other, other_end): (&TokenFacts, Option<f64>),
) -> bool {
    match (facts.issued_at, other.issued_at) {
        (Some(one), Some(another)) if (one - another).abs() > f64::EPSILON => one > another,
        _ => match (end, other_end) {
            (Some(end), Some(other_end)) => end >= other_end,
            (None, _) => true,
            (Some(_), None) => false,
        },
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
            let (one_facts, other_facts) = (facts(one), facts(other));
            let (end, other_end) = (ends_at(&one_facts, 0.0), ends_at(&other_facts, 0.0));
            let found = is_newer(&one_facts, end, (&other_facts, other_end));
            assert_eq!(found, is_newer_one, "{one} {other}");
        }
    }
}
