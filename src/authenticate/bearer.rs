//! Reading the credentials of a request (RFC 6750 section 2.1, RFC 9110 section 11).
//!
//! 1. A token in the query is refused whatever else there is: the Model Context Protocol forbids
//!    it, and URLs end up in logs.
//! 2. More than one `Authorization` field is refused; neither the first nor the last wins.
//! 3. No field, an empty one, another scheme, or `Bearer` alone are no credentials: a client that
//!    sent none starts a login.
//! 4. What follows `Bearer` and one space is a `b64token` or the request is malformed. The scheme
//!    is case-insensitive.
//!
//! Cookies, bodies, trailers and other fields never carry credentials here.

use http::{HeaderMap, header};

use crate::oauth::BearerToken;

/// Why a request has no usable credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// What stands where client credentials should be is none.
    #[error(
        "the client credentials are malformed: send `Authorization: Basic` and the base64 of \
         id:secret, neither of them empty (RFC 7617)"
    )]
    BasicSyntax,
    /// A token stands in the query (`access_token`).
    #[error("an access token in the query is not accepted: send it in the Authorization header")]
    InQuery,
    /// None came, or none of a scheme that we take.
    #[error("no bearer token came with the request: the client must log in, as the challenge says")]
    Missing,
    /// More than one `Authorization` field came.
    #[error("more than one Authorization header: send one")]
    Repeated,
    /// What stands where the token should be is none.
    #[error("the Authorization header is malformed: send `Authorization: Bearer <token>`")]
    Syntax,
}

/// Reads the one bearer token of a request.
pub fn read(headers: &HeaderMap, query: Option<&str>) -> Result<BearerToken, CredentialsError> {
    check_query(query)?;
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(CredentialsError::Missing)?;
    if values.next().is_some() {
        return Err(CredentialsError::Repeated);
    }
    let value = value.as_bytes();
    if value.trim_ascii().is_empty() {
        return Err(CredentialsError::Missing);
    }
    let scheme_end = value.iter().position(|byte| !byte.is_ascii_alphanumeric());
    let (scheme, rest) =
        value.split_at_checked(scheme_end.unwrap_or(value.len())).unwrap_or_default();
    match (scheme.eq_ignore_ascii_case(b"bearer"), rest) {
        // HTTP/2 keeps white space that HTTP/1.1 parsers trim: a value that begins with it.
        (false, _) if scheme.is_empty() => Err(CredentialsError::Syntax),
        (false, _) => Err(CredentialsError::Missing),
        (true, rest) if rest.trim_ascii().is_empty() => Err(CredentialsError::Missing),
        (true, [b' ', token @ ..]) => {
            BearerToken::parse(token).map_err(|_| CredentialsError::Syntax)
        }
        (true, _) => Err(CredentialsError::Syntax),
    }
}

/// Refuses a token in the query, as every route does, whether it takes tokens or not.
pub fn check_query(query: Option<&str>) -> Result<(), CredentialsError> {
    if query.is_some_and(has_access_token) { Err(CredentialsError::InQuery) } else { Ok(()) }
}

fn has_access_token(query: &str) -> bool {
    // Some servers take `;` for `&`, as HTML once advised.
    let parameters = query.split(['&', ';']);
    parameters.into_iter().any(|parameter| {
        let mut pairs = url::form_urlencoded::parse(parameter.as_bytes());
        pairs.any(|(name, _)| name == "access_token")
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read_fields(values: &[&[u8]]) -> Result<String, CredentialsError> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        read(&headers, None).map(|token| token.expose().to_owned())
    }

    #[test]
    fn scheme_is_case_insensitive() {
        for scheme in ["Bearer", "bearer", "BEARER", "BeArEr"] {
            assert_eq!(read_fields(&[format!("{scheme} abc").as_bytes()]), Ok("abc".to_owned()));
        }
    }

    #[test]
    fn what_carries_no_credentials_is_missing() {
        assert_eq!(read_fields(&[]), Err(CredentialsError::Missing));
        for value in ["", "  ", "Bearer", "Bearer ", "Bearertok", "Basic YTpi", "DPoP abc", "abc"] {
            assert_eq!(read_fields(&[value.as_bytes()]), Err(CredentialsError::Missing), "{value}");
        }
    }

    #[test]
    fn malformed_values_are_told_apart_from_missing_ones() {
        let values: [&[u8]; 13] = [
            b"Bearer  a",
            b"Bearer\ta",
            b" Bearer a",
            b"Bearer a ",
            b"Bearer a b",
            b"Bearer a,b",
            b"Bearer a, Bearer b",
            b"Bearer \"a\"",
            b"Bearer a;b",
            b"Bearer a%b",
            b"Bearer a\xffb",
            b"Bearer a=b",
            b"Bearer:a",
        ];
        for value in values {
            let text = String::from_utf8_lossy(value).into_owned();
            assert_eq!(read_fields(&[value]), Err(CredentialsError::Syntax), "{text}");
        }
    }

    #[test]
    fn two_authorization_fields_are_refused_in_any_order() {
        for values in [[b"Bearer a", b"Bearer b"], [b"Bearer a", b"Bearer a"]] {
            let values = values.map(<[u8; 8]>::as_slice);
            assert_eq!(read_fields(&values), Err(CredentialsError::Repeated));
        }
        assert_eq!(read_fields(&[b"Basic YTpi", b"Bearer a"]), Err(CredentialsError::Repeated));
    }

    #[test]
    fn token_in_the_query_is_refused_whatever_else_there_is() {
        let mut headers = HeaderMap::new();
        for query in [
            "access_token=x",
            "a=b&access_token=",
            "access%5Ftoken=x",
            "access_token",
            "a=1;access_token=x",
        ] {
            assert_eq!(read(&headers, Some(query)), Err(CredentialsError::InQuery), "{query}");
        }
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer good"));
        assert_eq!(read(&headers, Some("access_token=x")), Err(CredentialsError::InQuery));
        assert!(read(&headers, Some("my_access_token=x")).is_ok());
    }
}
