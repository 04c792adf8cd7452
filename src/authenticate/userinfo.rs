//! Asking whose a token is (OpenID Connect Core 1.0 section 5.3), for servers that can neither
//! introspect nor issue JWTs.
//!
//! 1. The token is sent as a bearer token (RFC 6750 section 2.1) to the userinfo endpoint, and
//!    nothing of ours with it.
//! 2. Only status 200, `application/json` and an object with a subject make a token active; only 401,
//!    and 403 with the error `insufficient_scope` (RFC 6750 section 3.1), make it inactive: of a
//!    token without the scope `openid` this endpoint never says more. The subject is `sub`, or what `claims.subject` names where the endpoint is
//!    of another kind.
//! 3. Everything else, a signed answer included, is no answer about the token.
//! 4. The answer names neither audience nor scopes unless it has such claims: a route that takes
//!    these tokens has to say `audience_match: off`, which compiling the configuration checks.

use http::{HeaderValue, StatusCode, header};
use url::Url;

use super::{
    claims::Claims,
    introspection::{Introspected, Rules},
    outbound::{Answer, Outbound, OutboundError},
    token_facts::{Evidence, TokenFacts},
};
use crate::oauth::{BearerToken, TokenDigest};

/// Why the server said nothing about the token.
#[derive(Clone, Debug, thiserror::Error)]
pub enum UserinfoError {
    /// Its answer is not what OpenID Connect Core 1.0 section 5.3.2 says.
    #[error("the userinfo answer is malformed: {0}")]
    Malformed(Box<str>),
    /// It could not be reached, or broke off.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// It signs what it answers.
    #[error(
        "the userinfo answer is signed (application/jwt), which cannot be read: have the server \
         answer our requests with plain JSON (userinfo_signed_response_alg of the client)"
    )]
    Signed,
    /// It answered with an unexpected status.
    #[error(
        "the userinfo endpoint answered HTTP {0}: only 200, 401 and 403 with the error \
         insufficient_scope say something about a token"
    )]
    Status(StatusCode),
}

/// Shows a token to the userinfo endpoint and reads the answer.
pub(super) async fn ask(
    outbound: &Outbound,
    endpoint: &Url,
    token: &BearerToken,
    rules: &Rules,
) -> Result<Introspected, UserinfoError> {
    // A b64token is visible ASCII, so this is always a header value.
    let mut authorization = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
        .map_err(|_| UserinfoError::Malformed("the token is no header value".into()))?;
    authorization.set_sensitive(true);
    let answer = outbound.fetch_with(endpoint, authorization).await?;
    read(&answer, rules, &token.digest())
}

fn read(
    answer: &Answer,
    rules: &Rules,
    token: &TokenDigest,
) -> Result<Introspected, UserinfoError> {
    let malformed = |why: &str| UserinfoError::Malformed(why.into());
    match answer.status {
        StatusCode::OK if answer.is_jwt => return Err(UserinfoError::Signed),
        StatusCode::OK if !answer.is_json => {
            return Err(malformed("its type is not application/json"));
        }
        StatusCode::OK => {}
        // RFC 6750 section 3.1: `invalid_token` is 401.
        StatusCode::UNAUTHORIZED => return Ok(Introspected::Inactive),
        StatusCode::FORBIDDEN if lacks_scope(answer) => return Ok(Introspected::Inactive),
        other => return Err(UserinfoError::Status(other)),
    }
    let claims = Claims::parse(&answer.body).map_err(|error| malformed(&error.to_string()))?;
    let facts = TokenFacts::read(&claims, rules, token)
        .map(|facts| TokenFacts { evidence: Evidence::Userinfo, ..facts })
        .map_err(|error| malformed(&error.to_string()))?;
    // OpenID Connect Core 1.0 section 5.3.2: the subject is always there.
    if facts.subject.is_none() {
        return Err(malformed(&format!("it has no {}", rules.claims.subject.join(" and no "))));
    }
    Ok(Introspected::Active(Box::new(facts)))
}

/// Whether a refusal is for want of a scope; other ones, of a rate limit for instance, say nothing
/// about the token.
fn lacks_scope(answer: &Answer) -> bool {
    let challenges = answer.headers.get_all(header::WWW_AUTHENTICATE);
    let is_challenge = |value: &HeaderValue| {
        value.to_str().is_ok_and(|text| text.contains(r#"error="insufficient_scope""#))
    };
    let body = Claims::parse(&answer.body);
    let error = body.as_ref().ok().and_then(|body| body.string("error").ok().flatten());
    challenges.iter().any(is_challenge) || error == Some("insufficient_scope")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &str) -> Result<Introspected, UserinfoError> {
        let answer = Answer {
            headers: http::HeaderMap::new(),
            status: StatusCode::from_u16(status).unwrap(),
            is_json: true,
            is_jwt: false,
            max_age: None,
            body: body.to_owned().into(),
        };
        read(&answer, &rules(&["sub"]), &TokenDigest::of(b"t"))
    }

    fn rules(subject: &[&str]) -> Rules {
        let mut settings = super::super::tests::settings("https://as.example");
        settings.claims.subject = subject.iter().map(|name| Box::from(*name)).collect();
        Rules::new(&settings)
    }

    #[test]
    fn subject_may_have_another_name() {
        let user = br#"{"id":7,"node_id":"MDQ6","login":"alice"}"#;
        let answered = |subject: &[&str]| {
            let body = user.as_slice().into();
            let answer = Answer {
                status: StatusCode::OK,
                is_json: true,
                is_jwt: false,
                max_age: None,
                headers: http::HeaderMap::new(),
                body,
            };
            read(&answer, &rules(subject), &TokenDigest::of(b"t"))
        };
        let Ok(Introspected::Active(facts)) = answered(&["sub", "node_id"]) else {
            panic!("not active")
        };
        assert_eq!(facts.subject.unwrap().as_str(), "MDQ6");
        for subject in [&["sub"], &["id"]] {
            let answer = answered(subject);
            assert!(matches!(answer, Err(UserinfoError::Malformed(_))), "{subject:?}: {answer:?}");
        }
    }

    #[test]
    fn only_an_object_with_sub_is_active() {
        let Ok(Introspected::Active(facts)) = answered(200, r#"{"sub":"alice","name":"A"}"#) else {
            panic!("not active")
        };
        assert_eq!(facts.subject.unwrap().as_str(), "alice");
        assert_eq!(facts.evidence, Evidence::Userinfo);
        assert!(facts.scope.is_empty() && facts.audience.is_empty() && facts.expires_at.is_none());
        for body in [
            "{}",
            r#"{"sub":""}"#,
            r#"{"sub":null}"#,
            r#"{"sub":7}"#,
            r#"{"sub":"a","sub":"b"}"#,
            r#"["sub"]"#,
            r#"{"active":true}"#,
            r#"{"sub":"a","exp":"never"}"#,
            "",
        ] {
            let answer = answered(200, body);
            assert!(matches!(answer, Err(UserinfoError::Malformed(_))), "{body}: {answer:?}");
        }
    }

    #[test]
    fn only_401_and_403_for_want_of_a_scope_are_inactive() {
        assert!(matches!(answered(401, ""), Ok(Introspected::Inactive)));
        let body = r#"{"error":"insufficient_scope"}"#;
        assert!(matches!(answered(403, body), Ok(Introspected::Inactive)));
        for (challenge, is_inactive) in [
            (r#"Bearer realm="x", error="insufficient_scope", scope="openid""#, true),
            (r#"Bearer error="invalid_token""#, false),
            (r#"Bearer realm="insufficient_scope""#, false),
        ] {
            let mut headers = http::HeaderMap::new();
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
            let (status, body) = (StatusCode::FORBIDDEN, "Forbidden".into());
            let answer =
                Answer { headers, status, is_json: false, is_jwt: false, max_age: None, body };
            let found = read(&answer, &rules(&["sub"]), &TokenDigest::of(b"t"));
            assert_eq!(matches!(found, Ok(Introspected::Inactive)), is_inactive, "{challenge}");
        }
        for status in [201, 204, 302, 400, 403, 404, 429, 500, 503] {
            let answer = answered(status, r#"{"sub":"alice"}"#);
            assert!(matches!(answer, Err(UserinfoError::Status(_))), "{status}: {answer:?}");
        }
    }
}
