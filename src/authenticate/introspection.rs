//! Asking an authorization server about a token (RFC 7662).
//!
//! 1. Only status 200, `application/json` and `"active": true` with well-typed claims make a token
//!    active; only `"active": false` makes it inactive.
//! 2. 400 `unsupported_token_type` is an answer about this token: inactive.
//! 3. Everything else, refusal of our own credentials included, is the server's failure: no answer
//!    about the token, so neither a 401 for the client nor an entry in a cache.
//! 4. The answer is bounded in size and time; redirects are not followed.

use http::{HeaderValue, StatusCode};
use url::{Url, form_urlencoded};

use super::{
    claims::Claims,
    client_assertion::NotSigned,
    client_authentication::Client,
    outbound::{Outbound, OutboundError},
    token_facts::TokenFacts,
};
use crate::{
    config::settings::{AuthorizationServerSettings, ClaimNames},
    oauth::{BearerToken, Issuer, TokenDigest},
};

/// How one server's answers are read.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Whether to say what kind of token is asked about (RFC 7662 section 2.1).
    pub sends_token_type_hint: bool,
    /// The configured issuer.
    pub issuer: Issuer,
    /// Further `iss` values its endpoint may answer with.
    pub accepted_issuers: Vec<Box<str>>,
    /// Where to read what.
    pub claims: ClaimNames,
}

impl Rules {
    /// The rules that a configuration sets.
    pub fn new(settings: &AuthorizationServerSettings) -> Self {
        Self {
            sends_token_type_hint: settings.introspection.sends_token_type_hint,
            issuer: settings.issuer.clone(),
            accepted_issuers: settings.introspection.accepted_issuers.clone(),
            claims: settings.claims.clone(),
        }
    }
}

/// What the server said of a token.
#[derive(Debug)]
pub enum Introspected {
    /// It is active, and this is known of it.
    Active(Box<TokenFacts>),
    /// It is not active.
    Inactive,
}

/// Why the server said nothing about the token.
#[derive(Clone, Debug, thiserror::Error)]
pub enum IntrospectionError {
    /// It refused our own credentials.
    #[error(
        "the authorization server refused our own credentials (HTTP {0}): check client.id, \
         client.authentication, and the secret, key or token that goes with it"
    )]
    ClientRefused(StatusCode),
    /// Its answer breaks RFC 7662 section 2.2.
    #[error("the introspection answer is malformed: {0}")]
    Malformed(Box<str>),
    /// It could not be reached, or broke off.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// There was no assertion to authenticate with.
    #[error(transparent)]
    NotSigned(#[from] NotSigned),
    /// It answered with an unexpected status.
    #[error("the introspection endpoint answered HTTP {0}")]
    Status(StatusCode),
}

/// Sends one introspection request and reads the answer.
pub async fn introspect(
    outbound: &Outbound,
    endpoint: &Url,
    client: &Client,
    token: &BearerToken,
    rules: &Rules,
) -> Result<Introspected, IntrospectionError> {
    let (form, authorization) = request(endpoint, client, token, rules)?;
    let answer = outbound.post_form(endpoint, form, authorization).await?;
    read(answer.status, answer.is_json, &answer.body, rules, &token.digest())
}

/// The form of RFC 7662 section 2.1, and our `Authorization` when our credentials go there.
fn request(
    endpoint: &Url,
    client: &Client,
    token: &BearerToken,
    rules: &Rules,
) -> Result<(String, Option<HeaderValue>), NotSigned> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("token", token.expose());
    if rules.sends_token_type_hint {
        form.append_pair("token_type_hint", "access_token");
    }
    let authorization = client.apply(endpoint, &mut form)?;
    Ok((form.finish(), authorization))
}

fn read(
    status: StatusCode,
    is_json: bool,
    body: &[u8],
    rules: &Rules,
    token: &TokenDigest,
) -> Result<Introspected, IntrospectionError> {
    let malformed = |why: &str| IntrospectionError::Malformed(why.into());
    match status {
        StatusCode::OK if !is_json => return Err(malformed("its type is not application/json")),
        StatusCode::OK => {}
        StatusCode::BAD_REQUEST if is_unsupported_token_type(body) => {
            return Ok(Introspected::Inactive);
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            return Err(IntrospectionError::ClientRefused(status));
        }
        StatusCode::BAD_REQUEST if error_code_is(body, "invalid_client") => {
            return Err(IntrospectionError::ClientRefused(status));
        }
        other => return Err(IntrospectionError::Status(other)),
    }
    let claims = Claims::parse(body).map_err(|error| malformed(&error.to_string()))?;
    // RFC 7662 section 2.2: `active` is a REQUIRED boolean; absent or "true" is no answer.
    match claims.boolean("active") {
        Ok(Some(true)) => TokenFacts::read(&claims, rules, token)
            .map(|facts| Introspected::Active(Box::new(facts)))
            .map_err(|error| malformed(&error.to_string())),
        Ok(Some(false)) => Ok(Introspected::Inactive),
        Ok(None) => Err(malformed("`active` is missing")),
        Err(error) => Err(malformed(&error.to_string())),
    }
}

fn is_unsupported_token_type(body: &[u8]) -> bool {
    error_code_is(body, "unsupported_token_type")
}

fn error_code_is(body: &[u8], code: &str) -> bool {
    Claims::parse(body).is_ok_and(|claims| claims.string("error") == Ok(Some(code)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        let names = |names: &[&str]| names.iter().map(|&name| name.into()).collect();
        Rules {
            sends_token_type_hint: false,
            issuer: "https://as.example".parse().unwrap(),
            accepted_issuers: vec!["https://as.example/".into()],
            claims: ClaimNames {
                scope: names(&["scope", "scp"]),
                subject: names(&["sub"]),
                client_id: names(&["client_id", "azp"]),
                kept: Vec::new(),
                scope_prefixes: Vec::new(),
            },
        }
    }

    fn read_ok(body: &str) -> Result<Introspected, IntrospectionError> {
        read(StatusCode::OK, true, body.as_bytes(), &rules(), &TokenDigest::of(b"t"))
    }

    fn facts(body: &str) -> TokenFacts {
        match read_ok(body).unwrap() {
            Introspected::Active(facts) => *facts,
            Introspected::Inactive => panic!("inactive: {body}"),
        }
    }

    #[test]
    fn cve_2026_11717_missing_active_is_no_answer() {
        for body in [
            "{}",
            r#"{"active":"true"}"#,
            r#"{"active":1}"#,
            r#"{"active":null}"#,
            r#"{"active":[]}"#,
            r#"{"active":{}}"#,
            r#"{"active":false,"active":true}"#,
            "",
            "[true]",
        ] {
            let answer = read_ok(body);
            assert!(matches!(answer, Err(IntrospectionError::Malformed(_))), "{body}: {answer:?}");
        }
    }

    #[test]
    fn inactive_is_inactive_whatever_else_is_said() {
        let body = r#"{"active":false,"scope":"notes.read","exp":99999999999}"#;
        assert!(matches!(read_ok(body), Ok(Introspected::Inactive)));
    }

    #[test]
    fn claims_of_the_wrong_type_are_the_servers_failure() {
        for claim in [
            r#""exp":"1""#,
            r#""nbf":true"#,
            r#""iat":[]"#,
            r#""aud":{}"#,
            r#""aud":["a",7]"#,
            r#""scope":7"#,
            r#""scope":"a\tb""#,
            r#""iss":1"#,
            r#""sub":{}"#,
            r#""token_type":1"#,
        ] {
            let answer = read_ok(&format!(r#"{{"active":true,{claim}}}"#));
            assert!(matches!(answer, Err(IntrospectionError::Malformed(_))), "{claim}");
        }
    }

    #[test]
    fn times_may_have_fractions_and_null_is_absent() {
        let facts =
            facts(r#"{"active":true,"exp":10.5,"iat":1,"nbf":null,"aud":null,"scp":["a","b c"]}"#);
        assert_eq!(
            (facts.expires_at, facts.issued_at, facts.not_before),
            (Some(10.5), Some(1.0), None)
        );
        assert_eq!(facts.scope.to_string(), "a", "a scope has no space in it");
        assert!(facts.audience.is_empty());
    }

    #[test]
    fn scopes_are_space_separated_or_one_each() {
        let scope = |claim: &str| facts(&format!(r#"{{"active":true,{claim}}}"#)).scope.to_string();
        assert_eq!(scope(r#""scope":" a  b ""#), "a b");
        assert_eq!(scope(r#""scp":["a","","not a","b\"","\u00e4","b"]"#), "a b");
        assert_eq!(scope(r#""scope":[]"#), "");
        assert_eq!(scope(r#""scope":"","scp":"a""#), "", "present, though empty");
        assert_eq!(scope(r#""scope":null,"scp":"a""#), "a");
    }

    #[test]
    fn scope_counts_with_and_without_its_prefix() {
        let mut rules = rules();
        rules.claims.scope_prefixes = vec!["api://a/".into(), "api://a/b/".into()];
        let scope = |granted: &str| {
            let body = format!(r#"{{"active":true,"scope":"{granted}"}}"#);
            let answer =
                read(StatusCode::OK, true, body.as_bytes(), &rules, &TokenDigest::of(b"t"));
            let Ok(Introspected::Active(facts)) = answer else { panic!("{answer:?}") };
            facts.scope.to_string()
        };
        assert_eq!(scope("api://a/read"), "api://a/read read");
        assert_eq!(scope("api://a/b/read"), "api://a/b/read read", "the longest prefix");
        assert_eq!(scope("read"), "read api://a/read api://a/b/read");
        assert_eq!(scope("api://a/"), "api://a/", "nothing is left");
        assert_eq!(
            scope("x-api://a/read"),
            "x-api://a/read api://a/x-api://a/read api://a/b/x-api://a/read"
        );
    }

    #[test]
    fn issuer_is_compared_byte_for_byte() {
        let foreign = |iss| facts(&format!(r#"{{"active":true,"iss":"{iss}"}}"#)).foreign_issuer;
        assert_eq!(foreign("https://as.example"), None);
        assert_eq!(foreign("https://as.example/"), None, "an accepted issuer");
        assert!(foreign("https://AS.example").is_some());
        assert!(foreign("https://as.example//").is_some());
    }

    #[test]
    fn bound_tokens_and_other_types_are_told() {
        assert!(facts(r#"{"active":true,"cnf":{"jkt":"x"}}"#).is_bound);
        assert!(facts(r#"{"active":true,"token_type":"DPoP"}"#).is_bound);
        assert!(!facts(r#"{"active":true,"token_type":"bearer","cnf":null}"#).is_bound);
        for claim in [
            r#""token_type":"refresh_token""#,
            r#""typ":"ID""#,
            r#""token_use":"id""#,
            r#""tokenType":"refresh-token""#,
        ] {
            assert!(
                facts(&format!(r#"{{"active":true,{claim}}}"#)).other_type.is_some(),
                "{claim}"
            );
        }
        assert!(
            facts(r#"{"active":true,"token_type":"Bearer","typ":"Bearer"}"#).other_type.is_none()
        );
    }

    #[test]
    fn principal_is_issuer_subject_and_client() {
        let principal = |claims: &str| facts(&format!(r#"{{"active":true{claims}}}"#)).principal;
        let alice = principal(r#","sub":"alice","client_id":"a""#);
        assert_eq!(alice, principal(r#","sub":"alice","azp":"a","scope":"x""#));
        assert_ne!(alice, principal(r#","sub":"alice","client_id":"b""#));
        assert_ne!(alice, principal(r#","sub":"bob","client_id":"a""#));
        assert_ne!(principal(r#","sub":"a""#), principal(r#","client_id":"a""#));
        assert_eq!(principal(""), principal(r#","sub":"""#), "the token's own digest");
    }

    #[test]
    fn statuses_other_than_200_say_nothing_about_the_token() {
        let read = |status: u16, body: &str| {
            let status = StatusCode::from_u16(status).unwrap();
            read(status, true, body.as_bytes(), &rules(), &TokenDigest::of(b"t"))
        };
        for status in [201, 204, 301, 302, 307, 400, 404, 429, 500, 502, 503] {
            let answer = read(status, r#"{"active":true}"#);
            assert!(matches!(answer, Err(IntrospectionError::Status(_))), "{status}: {answer:?}");
        }
        for status in [401, 403] {
            assert!(matches!(read(status, "{}"), Err(IntrospectionError::ClientRefused(_))));
        }
        let unsupported = r#"{"error":"unsupported_token_type"}"#;
        assert!(matches!(read(400, unsupported), Ok(Introspected::Inactive)));
        assert!(matches!(read(500, unsupported), Err(IntrospectionError::Status(_))));
    }
}
