//! Judging what is known of an active token, on every use.
//!
//! In this order: it is an access token; it is bound to no key (until a binding can be checked);
//! its issuer is accepted; its audience is this resource; the time is right. The `exp` of a token that
//! was asked about is exact, since the authorization server itself said "active" by its own clock;
//! that of a JWT, and `nbf` and `iat` of every token, have the configured skew.

mod other_issuer;

use super::{
    Authenticator, TokenIdentity,
    authorization_server::AuthorizationServer,
    jwt::JwtFault,
    provider::{self, Cure, Provider},
    token_facts::{Evidence, TokenFacts},
};
use crate::config::settings::{AccessTokens, AudienceMatch, AuthorizationServerSettings};

/// Why a token is not acceptable.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub struct InvalidToken {
    fault: TokenFault,
    detail: Box<str>,
    identity: Option<Box<TokenIdentity>>,
    misnamed: Option<Box<str>>,
}

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFault {
    /// Its signature does not verify.
    BadSignature,
    /// It is bound to a key, and no proof of that key was asked for.
    Bound,
    /// It expired.
    Expired,
    /// The authorization server says that it is not active.
    Inactive,
    /// It is no well-formed JWT.
    Malformed,
    /// Its time has not come.
    NotYetValid,
    /// It is no access token.
    OtherType,
    /// The key it names is not in the authorization server's key set.
    UnknownKey,
    /// It is signed with an algorithm that is not allowed.
    UnsupportedAlgorithm,
    /// It was issued for another resource, or for none.
    WrongAudience,
    /// It is another issuer's.
    WrongIssuer,
}

impl TokenFault {
    /// Whether a newer token of the same account may be acceptable.
    pub(super) fn is_over(self) -> bool {
        matches!(self, Self::Expired | Self::Inactive)
    }
}

impl InvalidToken {
    /// What is wrong.
    pub fn fault(&self) -> TokenFault {
        self.fault
    }

    /// Whose it is, when the authorization server said so.
    pub fn identity(&self) -> Option<&TokenIdentity> {
        self.identity.as_deref()
    }

    pub(super) fn of(self, identity: TokenIdentity) -> Self {
        Self { identity: Some(Box::new(identity)), ..self }
    }

    /// None of these servers, which were asked, calls the token active.
    pub(super) fn inactive(servers: &[&AuthorizationServer]) -> Self {
        let provider = match servers {
            [one] => one.provider(),
            _ => None,
        };
        let settings = servers.iter().map(|server| server.settings());
        let named: Vec<_> = settings.map(|it| (&*it.name, it.access_tokens)).collect();
        Self::inactive_at(&named, provider)
    }

    fn inactive_at(servers: &[(&str, AccessTokens)], provider: Option<Provider>) -> Self {
        let names: Vec<_> = servers.iter().map(|(name, _)| *name).collect();
        let names = names.join(", ");
        if let [(_, AccessTokens::Userinfo)] = servers {
            let detail = format!(
                "authorization server {names} does not take the token at its userinfo endpoint: it \
                 expired, was revoked, is of another server, or was issued without the scope \
                 openid: the client must log in again, and ask for openid"
            );
            return Self::new(TokenFault::Inactive, detail);
        }
        let who = match servers {
            [_] => "authorization server",
            _ => "each of the authorization servers",
        };
        let detail = format!(
            "{who} {names} says the token is not active: expired, revoked, of another server, or \
             not to be introspected by our client: the client must log in again, or the \
             authorization server must let our client introspect{}",
            in_its_words(provider, Cure::Introspection)
        );
        Self::new(TokenFault::Inactive, detail)
    }

    fn new(fault: TokenFault, detail: String) -> Self {
        Self { fault, detail: detail.into(), identity: None, misnamed: None }
    }
}

impl From<&JwtFault> for InvalidToken {
    fn from(fault: &JwtFault) -> Self {
        Self::new(fault.token_fault(), fault.to_string())
    }
}

impl Authenticator {
    pub(super) fn judge(&self, identity: &TokenIdentity) -> Result<(), InvalidToken> {
        let (facts, server) = (&identity.facts, identity.server.settings());
        if let Some(kind) = &facts.other_type {
            let detail = format!(
                "the token is of type {:?}, not an access token: the client must send the access \
                 token",
                shown(kind)
            );
            return Err(InvalidToken::new(TokenFault::OtherType, detail));
        }
        if facts.is_bound {
            let detail = "the token is bound to a key (DPoP or mTLS), which this route cannot \
                          check: have a plain bearer token issued";
            return Err(InvalidToken::new(TokenFault::Bound, detail.to_owned()));
        }
        if let Some(iss) = &facts.foreign_issuer {
            let name = &server.name;
            let detail = format!(
                "iss is {:?}, not the issuer: if the server is right, add it to \
                 authorization_servers.{name}.introspection.accepted_issuers{}",
                shown(iss),
                in_its_words(identity.server.provider(), Cure::Issuer)
            );
            return Err(InvalidToken::new(TokenFault::WrongIssuer, detail));
        }
        self.judge_audience(identity)?;
        judge_kind(facts)?;
        self.judge_time(facts, server)
    }

    fn judge_audience(&self, identity: &TokenIdentity) -> Result<(), InvalidToken> {
        let facts = &identity.facts;
        if has_audience(facts, self.audience_match, &self.audiences) {
            return Ok(());
        }
        let detail = format!(
            "aud is [{}]; this route accepts [{}]: {}, or routes.{}.audiences",
            listed(&facts.audience),
            self.audiences.join(", "),
            provider::remedy(identity.server.provider(), Cure::Audience),
            self.route
        );
        Err(InvalidToken::new(TokenFault::WrongAudience, detail))
    }

    fn judge_time(
        &self,
        facts: &TokenFacts,
        server: &AuthorizationServerSettings,
    ) -> Result<(), InvalidToken> {
        let now = self.clock.unix_seconds();
        let skew = server.clock_skew.as_secs_f64();
        if let Some(exp) = passed_expiry(facts, now, skew) {
            let detail = format!(
                "the token expired {:.0} s ago (exp {exp:.0}): the client must refresh it",
                now - exp
            );
            return Err(InvalidToken::new(TokenFault::Expired, detail));
        }
        for (claim, time) in [("nbf", facts.not_before), ("iat", facts.issued_at)] {
            if let Some(time) = time.filter(|time| *time > now + skew) {
                let detail = format!(
                    "{claim} lies {:.0} s ahead, more than clock_skew allows: compare the clocks",
                    time - now
                );
                return Err(InvalidToken::new(TokenFault::NotYetValid, detail));
            }
        }
        Ok(())
    }
}

/// Whether a token is for one of these audiences, compared in this way.
pub fn has_audience(facts: &TokenFacts, how: AudienceMatch, audiences: &[Box<str>]) -> bool {
    let accepts = |aud: &str| match how {
        AudienceMatch::ClientId => {
            facts.client_id.as_ref().is_some_and(|client| client.as_str() == aud)
        }
        AudienceMatch::Exact => audiences.iter().any(|accepted| **accepted == *aud),
        AudienceMatch::Off => true,
        AudienceMatch::Prefix => audiences.iter().any(|accepted| is_segment_prefix(aud, accepted)),
    };
    how == AudienceMatch::Off || facts.audience.iter().any(|aud| accepts(aud))
}

/// Refuses what may be an ID token.
fn judge_kind(facts: &TokenFacts) -> Result<(), InvalidToken> {
    if facts.is_surely_access {
        return Ok(());
    }
    let detail = "the token is for its own client, as ID tokens are, and has neither scopes nor a type \
                  that says it is an access token: the client must send the access token, or the \
                  authorization server must mark it (`typ: at+jwt`, RFC 9068)";
    Err(InvalidToken::new(TokenFault::OtherType, detail.to_owned()))
}

/// What else is to be said where the product is known.
fn in_its_words(provider: Option<Provider>, cure: Cure) -> String {
    let Some(provider) = provider else { return String::new() };
    format!(" ({})", provider::remedy(Some(provider), cure))
}

/// `exp`, when it has passed.
fn passed_expiry(facts: &TokenFacts, now: f64, skew: f64) -> Option<f64> {
    let lenience = match facts.evidence {
        Evidence::Introspection | Evidence::Userinfo => 0.0,
        Evidence::Signature => skew,
    };
    facts.expires_at.filter(|exp| *exp + lenience <= now)
}

/// A text out of a token, cut short: whoever sent or issued the token wrote it.
fn shown(text: &str) -> String {
    text.chars().take(MAX_SHOWN_CHARACTERS).collect()
}

/// Texts out of a token, each cut short, and a bounded number of them.
fn listed(texts: &[Box<str>]) -> String {
    let mut all: Vec<_> = texts
        .iter()
        .take(MAX_SHOWN_TEXTS)
        .map(|text| shown(text).escape_debug().to_string())
        .collect();
    if texts.len() > MAX_SHOWN_TEXTS {
        all.push(format!("and {} more", texts.len() - MAX_SHOWN_TEXTS));
    }
    all.join(", ")
}

const MAX_SHOWN_CHARACTERS: usize = 120;
const MAX_SHOWN_TEXTS: usize = 5;

/// Whether `prefix` covers `whole`: the same origin, and a path of whole leading segments.
fn is_segment_prefix(prefix: &str, whole: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    // An origin without path has its two slashes before the authority.
    let has_authority = prefix.split_once("://").is_some_and(|(_, rest)| !rest.is_empty());
    match whole.strip_prefix(prefix) {
        Some(rest) => has_authority && (rest.is_empty() || rest.starts_with('/')),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        authenticate::{claims::Claims, introspection::Rules, tests::settings},
        oauth::TokenDigest,
    };

    #[test]
    fn i14_exp_of_a_jwt_has_skew_and_that_of_an_introspected_token_has_none() {
        let rules = Rules::new(&settings("https://as.example"));
        let claims = Claims::parse(br#"{"exp":1000}"#).unwrap();
        let facts = TokenFacts::read(&claims, &rules, &TokenDigest::of(b"t")).unwrap();
        let signed = TokenFacts { evidence: Evidence::Signature, ..facts.clone() };
        for (now, introspected_passed, signed_passed) in [
            (999.9, false, false),
            (1000.0, true, false),
            (1029.9, true, false),
            (1030.0, true, true),
            (5000.0, true, true),
        ] {
            let passed = |facts| passed_expiry(facts, now, 30.0).is_some();
            assert_eq!((passed(&facts), passed(&signed)), (introspected_passed, signed_passed));
        }
    }

    #[test]
    fn detail_names_who_was_asked_and_what_would_be_taken() {
        let asked = [("corp", AccessTokens::Introspection), ("partner", AccessTokens::Userinfo)];
        let detail = InvalidToken::inactive_at(&asked[..1], None).to_string();
        assert!(detail.starts_with("authorization server corp says the token is not active"));
        let detail = InvalidToken::inactive_at(&asked, None).to_string();
        assert!(
            detail.starts_with("each of the authorization servers corp, partner says the token")
        );
        let detail = InvalidToken::inactive_at(&asked[1..], None).to_string();
        assert!(detail.contains("without the scope openid"), "{detail}");
    }

    #[test]
    fn what_a_token_says_is_shown_escaped_and_bounded() {
        let texts = |texts: &[&str]| texts.iter().map(|text| Box::from(*text)).collect::<Vec<_>>();
        assert_eq!(listed(&texts(&["account", "https://a/b"])), "account, https://a/b");
        assert_eq!(listed(&texts(&["\u{1b}[2J\n"])), r"\u{1b}[2J\n");
        let many = vec![Box::from("x".repeat(10_000)); 1000];
        let listed = listed(&many);
        assert!(listed.len() < 700 && listed.ends_with("and 995 more"), "{listed}");
    }

    #[test]
    fn audience_prefix_is_whole_segments_of_one_origin() {
        let whole = "https://mcp.example/notes/team";
        for prefix in
            ["https://mcp.example", "https://mcp.example/", "https://mcp.example/notes", whole]
        {
            assert!(is_segment_prefix(prefix, whole), "{prefix}");
        }
        for prefix in [
            "https://mcp.exam",
            "https://mcp.example/note",
            "https://mcp.example/notes/team/x",
            "https://",
            "https:",
            "",
            "http://mcp.example/notes",
        ] {
            assert!(!is_segment_prefix(prefix, whole), "{prefix}");
        }
    }
}
