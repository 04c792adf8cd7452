//! Asking a token endpoint for a token with client credentials (RFC 6749 section 4.4, RFC 8707).
//!
//! 1. Only status 200, `application/json`, `token_type` Bearer and a well-formed token are an answer.
//! 2. 401, and 400 or 403 with an error code that is about the client or what it wants, are a
//!    refusal; it is named by a code of a closed set, never by the server's own words.
//! 3. Everything else is the server's failure and says nothing about the credentials; where it has
//!    one of RFC 6749's other codes, it is named as well.

use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::{
    basic::ServiceAccount,
    client_authentication,
    outbound::{Answer, Outbound, OutboundError},
    service_account::Wanted,
};
use crate::oauth::{BearerToken, Scope};

/// A token as granted.
#[derive(Debug)]
pub struct Granted {
    /// The token.
    pub access_token: BearerToken,
    /// How long it lives, when the server said so.
    pub expires_in: Option<Duration>,
    /// What was granted, when the server said so; it must where that is not what was asked for.
    pub scope: Option<Scope>,
}

/// Why no token was granted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TokenRequestError {
    /// The answer breaks RFC 6749 section 5.1.
    #[error("the token endpoint's answer is malformed: {0}")]
    Malformed(&'static str),
    /// The server could not be reached, or broke off.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// The client is refused, with this error code.
    #[error("the token endpoint refused the client: {0}")]
    Refused(&'static str),
    /// Our request is not one that it takes, with this error code.
    #[error("the token endpoint answered HTTP {0}: {1}")]
    RequestRefused(StatusCode, &'static str),
    /// It answered with an unexpected status.
    #[error("the token endpoint answered HTTP {0}")]
    Status(StatusCode),
}

/// Sends one token request and reads the answer.
pub(super) async fn send(
    outbound: &Outbound,
    endpoint: &Url,
    account: &ServiceAccount,
    wanted: &Wanted,
) -> Result<Granted, TokenRequestError> {
    let authorization = client_authentication::basic(&account.id, &account.secret);
    let answer = outbound.post_form(endpoint, form(wanted), authorization).await?;
    read(&answer)
}

fn form(wanted: &Wanted) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    if !wanted.scope.is_empty() {
        form.append_pair("scope", &wanted.scope.to_string());
    }
    form.append_pair("resource", wanted.resource.as_str());
    form.finish()
}

#[derive(Deserialize)]
struct Response {
    access_token: String,
    token_type: String,
    expires_in: Option<Value>,
    scope: Option<Value>,
}

#[derive(Deserialize)]
struct ErrorResponse {
    error: String,
}

/// Reads a token endpoint's answer.
pub fn read(answer: &Answer) -> Result<Granted, TokenRequestError> {
    use TokenRequestError::{Malformed, Refused, Status};
    match answer.status {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED => return Err(Refused("invalid_client")),
        status @ (StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN) => {
            return Err(refusal(status, &answer.body));
        }
        status => return Err(Status(status)),
    }
    if !answer.is_json {
        return Err(Malformed("its type is not application/json"));
    }
    let response: Response = serde_json::from_slice(&answer.body)
        .map_err(|_| Malformed("it is no JSON object with access_token and token_type"))?;
    if !response.token_type.eq_ignore_ascii_case("bearer") {
        return Err(Malformed("its token_type is not Bearer"));
    }
    let access_token = BearerToken::parse(response.access_token.as_bytes())
        .map_err(|_| Malformed("its access_token is no bearer token"))?;
    // Some servers write the number as a text.
    let expires_in = response.expires_in.and_then(|value| match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        Value::Array(_) | Value::Bool(_) | Value::Null | Value::Object(_) => None,
    });
    let scope = response.scope.as_ref().and_then(Value::as_str);
    let scope = scope.and_then(|scope| Scope::parse(scope).ok());
    Ok(Granted { access_token, expires_in: expires_in.map(Duration::from_secs), scope })
}

/// What a failure is by its code (RFC 6749 section 5.2, RFC 8707 section 2): about the client or what
/// it wants, about our request, or about the server.
fn refusal(status: StatusCode, body: &[u8]) -> TokenRequestError {
    let response: Option<ErrorResponse> = serde_json::from_slice(body).ok();
    let code = response.map(|response| response.error).unwrap_or_default();
    let one_of = |codes: &[&'static str]| codes.iter().copied().find(|each| *each == code);
    if let Some(code) = one_of(&REFUSALS) {
        return TokenRequestError::Refused(code);
    }
    match one_of(&OF_THE_REQUEST) {
        Some(code) => TokenRequestError::RequestRefused(status, code),
        None => TokenRequestError::Status(status),
    }
}

const REFUSALS: [&str; 6] = [
    "access_denied",
    "invalid_client",
    "invalid_grant",
    "invalid_scope",
    "invalid_target",
    "unauthorized_client",
];

const OF_THE_REQUEST: [&str; 2] = ["invalid_request", "unsupported_grant_type"];

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Result<Granted, TokenRequestError> {
        let status = StatusCode::from_u16(status).unwrap();
        let (headers, body) = (http::HeaderMap::new(), body.to_owned().into());
        read(&Answer { status, is_json: true, is_jwt: false, headers, max_age: None, body })
    }

    #[test]
    fn request_names_scope_and_resource() {
        let resource = "https://mcp.example/notes".parse().unwrap();
        let scope = Scope::parse("a b").unwrap();
        let mut wanted = Wanted { resource, scope: scope.clone(), least: scope };
        let start = "grant_type=client_credentials&";
        let resource = "resource=https%3A%2F%2Fmcp.example%2Fnotes";
        assert_eq!(form(&wanted), format!("{start}scope=a+b&{resource}"));
        wanted.scope = Scope::default();
        assert_eq!(form(&wanted), format!("{start}{resource}"));
    }

    #[test]
    fn life_is_a_number_or_a_text_or_unknown() {
        for (life, seconds) in [
            ("3600", Some(3600)),
            ("\"3600\"", Some(3600)),
            ("null", None),
            ("-1", None),
            ("1.5", None),
            ("\"x\"", None),
            ("[1]", None),
        ] {
            let body =
                format!(r#"{{"access_token":"a","token_type":"bEARER","expires_in":{life}}}"#);
            let granted = answer(200, &body).unwrap();
            assert_eq!(granted.expires_in, seconds.map(Duration::from_secs), "{life}");
        }
        let granted = answer(200, r#"{"access_token":"a","token_type":"Bearer","x":1}"#).unwrap();
        assert_eq!((granted.access_token.expose(), granted.expires_in), ("a", None));
    }

    #[test]
    fn what_is_no_token_response_is_the_servers_failure() {
        for body in [
            "",
            "[]",
            r#"{"access_token":"a"}"#,
            r#"{"token_type":"Bearer"}"#,
            r#"{"access_token":"a","token_type":"DPoP"}"#,
            r#"{"access_token":"a b","token_type":"Bearer"}"#,
            r#"{"access_token":"","token_type":"Bearer"}"#,
            r#"{"access_token":7,"token_type":"Bearer"}"#,
            r#"{"access_token":"a","access_token":"b","token_type":"Bearer"}"#,
        ] {
            let read = answer(200, body);
            assert!(matches!(read, Err(TokenRequestError::Malformed(_))), "{body}: {read:?}");
        }
        for status in [201, 302, 404, 429, 500, 503] {
            let read = answer(status, r#"{"error":"invalid_client"}"#);
            assert!(matches!(read, Err(TokenRequestError::Status(_))), "{status}: {read:?}");
        }
    }

    #[test]
    fn refusals_are_told_from_failures_by_their_code() {
        for status in [400, 403] {
            for code in REFUSALS {
                let read = answer(status, &format!(r#"{{"error":"{code}"}}"#));
                assert!(
                    matches!(read, Err(TokenRequestError::Refused(found)) if found == code),
                    "{code}: {read:?}"
                );
            }
            for code in OF_THE_REQUEST {
                let failure = answer(status, &format!(r#"{{"error":"{code}"}}"#)).unwrap_err();
                assert!(matches!(failure, TokenRequestError::RequestRefused(..)), "{failure:?}");
                let start = format!("the token endpoint answered HTTP {status} ");
                let said = failure.to_string();
                assert!(said.starts_with(&start) && said.contains(&format!(": {code}")), "{said}");
            }
            for code in ["server_error", "canary"] {
                let read = answer(status, &format!(r#"{{"error":"{code}"}}"#));
                assert!(matches!(read, Err(TokenRequestError::Status(_))), "{code}: {read:?}");
            }
        }
        let refused = answer(401, "").unwrap_err();
        assert!(matches!(refused, TokenRequestError::Refused("invalid_client")), "{refused:?}");
    }
}
