//! What the endpoints answer with: JSON, pages, redirects and the errors of OAuth.
//!
//! 1. Nothing here may be stored by a cache (RFC 6749 section 5.1).
//! 2. Pages cannot be framed and run no script.
//! 3. A redirect after a form is a 303 (RFC 9700 section 4.12): the form is not sent on.

use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::demo::{
    http_server::{Body, plain},
    random::NoRandomness,
};

/// An error as RFC 6749 section 5.2, RFC 7591 section 3.2.2 and RFC 8707 section 2 name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OAuthError {
    AccessDenied,
    InvalidClient,
    InvalidClientMetadata(&'static str),
    InvalidGrant(&'static str),
    InvalidRedirectUri,
    InvalidRequest(&'static str),
    InvalidScope,
    InvalidTarget,
    ServerError,
    UnauthorizedClient,
    UnsupportedGrantType,
    UnsupportedResponseType,
}

impl From<NoRandomness> for OAuthError {
    fn from(_: NoRandomness) -> Self {
        Self::ServerError
    }
}

impl OAuthError {
    /// The `error` code.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::InvalidClient => "invalid_client",
            Self::InvalidClientMetadata(_) => "invalid_client_metadata",
            Self::InvalidGrant(_) => "invalid_grant",
            Self::InvalidRedirectUri => "invalid_redirect_uri",
            Self::InvalidRequest(_) => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::ServerError => "server_error",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
        }
    }

    /// The `error_description`: fixed text, nothing of the request.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::AccessDenied => "the user said no",
            Self::InvalidClient => "the client is unknown or its credentials are wrong",
            Self::InvalidClientMetadata(why)
            | Self::InvalidGrant(why)
            | Self::InvalidRequest(why) => why,
            Self::InvalidRedirectUri => {
                "a redirect URI is https, a loopback http URI, or a private-use scheme"
            }
            Self::InvalidScope => "none of the scopes asked for may be granted",
            Self::InvalidTarget => "`resource` must be one absolute URI, the one that was granted",
            Self::ServerError => "the server failed",
            Self::UnauthorizedClient => "this client may not do that",
            Self::UnsupportedGrantType => {
                "authorization_code, refresh_token and client_credentials are understood"
            }
            Self::UnsupportedResponseType => "only `code` is understood",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::InvalidClient => StatusCode::UNAUTHORIZED,
            Self::AccessDenied => StatusCode::FORBIDDEN,
            Self::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::InvalidClientMetadata(_)
            | Self::InvalidGrant(_)
            | Self::InvalidRedirectUri
            | Self::InvalidRequest(_)
            | Self::InvalidScope
            | Self::InvalidTarget
            | Self::UnauthorizedClient
            | Self::UnsupportedGrantType
            | Self::UnsupportedResponseType => StatusCode::BAD_REQUEST,
        }
    }

    /// The JSON error response of the token, registration, introspection and revocation endpoints.
    pub(super) fn into_response(self) -> Response<Body> {
        let body = json!({"error": self.code(), "error_description": self.description()});
        let mut response = json_response(self.status(), &body);
        if self == Self::InvalidClient {
            // RFC 6749 section 5.2: a 401 names the scheme the client could have used.
            response.headers_mut().insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"gatehouse demo\""),
            );
        }
        response
    }
}

/// A JSON document that no cache keeps.
pub(super) fn json_response(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A page for a person; `body` has been escaped.
pub(super) fn page(status: StatusCode, title: &str, body: &str) -> Response<Body> {
    let text = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <style>body{{font:16px/1.5 sans-serif;max-width:34em;margin:3em auto;padding:0 1em}}\
         .warning{{background:#fde68a;padding:.5em 1em}}label{{display:block;margin:.5em 0}}\
         </style></head><body><p class=\"warning\"><strong>Demo authorization server: not for \
         production.</strong> Everyone who can read this page can log in.</p>{body}</body></html>\n"
    );
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // No `form-action`: browsers apply it to the redirect back to the client as well.
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A 303 to `location`.
pub(super) fn redirect(location: &str) -> Response<Body> {
    let Ok(location) = HeaderValue::from_str(location) else {
        return OAuthError::ServerError.into_response();
    };
    let mut response = plain(StatusCode::SEE_OTHER);
    response.headers_mut().insert(header::LOCATION, location);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Text made safe between tags and inside quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_text_cannot_leave_its_place() {
        assert_eq!(
            escape("<script>alert('x')</script>\" onload=\"y&amp;"),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot; onload=&quot;y&amp;amp;"
        );
    }

    #[test]
    fn redirects_cannot_carry_a_second_header() {
        let response = redirect("https://a.example/\r\nSet-Cookie: x=1");
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
