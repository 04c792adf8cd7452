//! Reading client credentials of service accounts (RFC 7617), on routes that take them.
//!
//! 1. What is no single `Basic` field is the bearer reader's business, with its rules: a token in
//!    the query, more than one field, other schemes; `Basic` alone is no credentials.
//! 2. What follows `Basic` and one space is canonical base64 of `id:secret` in UTF-8 without control
//!    characters, neither of them empty, or the request is malformed.
//! 3. Both are taken as they are (RFC 7617): the form-encoding of RFC 6749 section 2.3.1 is for a
//!    token endpoint, which this is not. So an identifier here has no colon.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderMap, header};

use super::bearer::{self, CredentialsError};
use crate::oauth::{BearerToken, ClientId, Secret};

/// What came with a request.
#[derive(Debug)]
pub(super) enum Credentials {
    /// Client credentials.
    Basic(ServiceAccount),
    /// A token.
    Bearer(BearerToken),
}

/// The credentials of a service account, checked for form only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServiceAccount {
    pub(super) id: ClientId,
    pub(super) secret: Secret,
}

/// Reads the one bearer token or pair of client credentials of a request.
pub(super) fn read(
    headers: &HeaderMap,
    query: Option<&str>,
) -> Result<Credentials, CredentialsError> {
    bearer::check_query(query)?;
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    if let (Some(value), None) = (values.next(), values.next())
        && let Some((scheme, rest)) = value.as_bytes().split_at_checked(SCHEME.len())
        && scheme.eq_ignore_ascii_case(SCHEME)
    {
        match rest {
            rest if rest.trim_ascii().is_empty() => return Err(CredentialsError::Missing),
            [b' ', pair @ ..] => {
                return account(pair).map(Credentials::Basic).ok_or(CredentialsError::BasicSyntax);
            }
            // Another scheme, that begins alike.
            [byte, ..] if byte.is_ascii_alphanumeric() => {}
            _ => return Err(CredentialsError::BasicSyntax),
        }
    }
    bearer::read(headers, query).map(Credentials::Bearer)
}

fn account(pair: &[u8]) -> Option<ServiceAccount> {
    let pair = String::from_utf8(BASE64_STANDARD.decode(pair).ok()?).ok()?;
    if pair.chars().any(char::is_control) {
        return None;
    }
    let (id, secret) = pair.split_once(':').filter(|(_, secret)| !secret.is_empty())?;
    Some(ServiceAccount { id: ClientId::new(id)?, secret: Secret::new(secret) })
}

const SCHEME: &[u8] = b"basic";

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read_fields(values: &[&[u8]]) -> Result<Credentials, CredentialsError> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        read(&headers, None)
    }

    fn basic(pair: &[u8]) -> Vec<u8> {
        format!("Basic {}", BASE64_STANDARD.encode(pair)).into_bytes()
    }

    #[test]
    fn pair_is_taken_as_it_is() {
        for (pair, id, secret) in
            [("a:b", "a", "b"), ("a:b:c", "a", "b:c"), ("a%3A+:ü%20", "a%3A+", "ü%20")]
        {
            let Ok(Credentials::Basic(account)) = read_fields(&[&basic(pair.as_bytes())]) else {
                panic!("{pair}")
            };
            assert_eq!((account.id.as_str(), account.secret.expose()), (id, secret));
            assert!(!format!("{account:?}").contains(secret), "{account:?}");
        }
        for scheme in ["basic", "BASIC", "bAsIc"] {
            let value = format!("{scheme} YTpi");
            assert!(matches!(read_fields(&[value.as_bytes()]), Ok(Credentials::Basic(_))));
        }
    }

    #[test]
    fn malformed_pairs_are_refused() {
        let pairs: [&[u8]; 8] = [b"ab", b":b", b"a:", b":", b"", b"a\n:b", b"a:b\0", b"a:\xff"];
        for pair in pairs.into_iter().filter(|pair| !pair.is_empty()) {
            let read = read_fields(&[&basic(pair)]);
            assert_eq!(read.unwrap_err(), CredentialsError::BasicSyntax, "{pair:?}");
        }
        let values: [&[u8]; 11] = [
            b"Basic\tYTpi",
            b"Basic:YTpi",
            b"Basic  YTpi",
            b"Basic YTpi ",
            b"Basic YTpi YTpi",
            b"Basic YTpiYw",
            b"Basic YTpiYx==",
            b"Basic YTp_",
            b"Basic YT\tpi",
            b"Basic Y",
            b"Basic YTpi, Bearer a",
        ];
        for value in values {
            let text = String::from_utf8_lossy(value);
            assert_eq!(read_fields(&[value]).unwrap_err(), CredentialsError::BasicSyntax, "{text}");
        }
    }

    #[test]
    fn the_rest_is_as_with_bearer_tokens_alone() {
        for value in ["", "Basic", "Basic ", "Basics YTpi", "Basicx", "DPoP a", "Bearer"] {
            let read = read_fields(&[value.as_bytes()]);
            assert_eq!(read.unwrap_err(), CredentialsError::Missing, "{value}");
        }
        for values in [
            [&b"Basic YTpi"[..], b"Basic YTpi"],
            [b"Basic YTpi", b"Bearer a"],
            [b"Bearer a", b"Basic YTpi"],
        ] {
            assert_eq!(read_fields(&values).unwrap_err(), CredentialsError::Repeated);
        }
        assert!(matches!(read_fields(&[b"Bearer a"]), Ok(Credentials::Bearer(_))));
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("Basic YTpi"));
        let read = read(&headers, Some("access_token=x"));
        assert_eq!(read.unwrap_err(), CredentialsError::InQuery);
    }
}
