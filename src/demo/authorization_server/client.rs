//! Clients: who they are, how they authenticate, where they may be redirected to.
//!
//! 1. RFC 6749 section 2.3: a client uses exactly one authentication method, the registered one.
//! 2. RFC 6749 section 2.3.1: credentials in HTTP Basic are form-encoded first.
//! 3. RFC 9700 section 2.1: redirect URIs are compared byte for byte; RFC 8252 section 7.3 leaves
//!    the port of a loopback URI open.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, header};
use url::{Url, form_urlencoded};

use super::{answer::OAuthError, parameters::Parameters, storage::Storage};
use crate::oauth::{Secret, TokenDigest, is_loopback};

/// One registered or configured client.
#[derive(Clone, Debug)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// What the consent page calls it.
    pub name: String,
    /// How it authenticates.
    pub authentication: ClientAuthentication,
    /// Where its users may be sent back to.
    pub redirect_uris: Vec<String>,
    /// Whether refresh tokens are issued to it.
    pub may_refresh: bool,
    /// Whether it gets tokens for itself (RFC 6749 section 4.4).
    pub may_use_client_credentials: bool,
    /// Whether it may ask about any token (RFC 7662): a protected resource.
    pub may_introspect: bool,
}

/// How a client authenticates at the token, introspection and revocation endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// `client_secret_basic`.
    Basic(Secret),
    /// `none`: a public client.
    None,
    /// `client_secret_post`.
    Post(Secret),
}

impl Client {
    /// A confidential client for machines: introspection or client credentials, no redirects.
    pub fn confidential(id: &str, secret: &Secret) -> Self {
        Self {
            id: id.to_owned(),
            name: id.to_owned(),
            authentication: ClientAuthentication::Basic(secret.clone()),
            redirect_uris: Vec::new(),
            may_refresh: false,
            may_use_client_credentials: false,
            may_introspect: false,
        }
    }

    /// Whether the user may be sent to `presented`.
    pub(super) fn may_redirect_to(&self, presented: &str) -> bool {
        self.redirect_uris.iter().any(|registered| {
            registered == presented
                || without_loopback_port(registered)
                    .is_some_and(|stripped| without_loopback_port(presented) == Some(stripped))
        })
    }
}

/// Host and rest of an `http:` loopback URI, as written, without its port.
///
/// Textual on purpose: a URL parser would also equate other spellings of the path.
fn without_loopback_port(uri: &str) -> Option<(&str, &str)> {
    let after_scheme = uri.strip_prefix("http://")?;
    let end = after_scheme.find(['/', '?', '#']).unwrap_or(after_scheme.len());
    let (authority, rest) = after_scheme.split_at(end);
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) | None => authority,
    };
    let is_plain = !authority.contains(['@', '\\']);
    (is_plain && Url::parse(uri).is_ok_and(|url| is_loopback(&url))).then_some((host, rest))
}

/// Finds out which client is calling.
pub(super) fn authenticate_client(
    headers: &HeaderMap,
    form: &Parameters,
    storage: &Storage,
) -> Result<Client, OAuthError> {
    let presented = Presented::read(headers, form)?;
    let client = storage.client(&presented.id).ok_or(OAuthError::InvalidClient)?;
    let expected = match (&client.authentication, presented.method) {
        (ClientAuthentication::Basic(secret), Method::Basic)
        | (ClientAuthentication::Post(secret), Method::Post) => secret,
        (ClientAuthentication::None, Method::None) => return Ok(client),
        (
            ClientAuthentication::Basic(_)
            | ClientAuthentication::None
            | ClientAuthentication::Post(_),
            _,
        ) => return Err(OAuthError::InvalidClient),
    };
    if is_same_secret(expected.expose(), &presented.secret) {
        Ok(client)
    } else {
        Err(OAuthError::InvalidClient)
    }
}

/// Compares two secrets without telling by the time taken where they differ.
pub(super) fn is_same_secret(expected: &str, presented: &str) -> bool {
    let expected = TokenDigest::of(expected.as_bytes());
    let presented = TokenDigest::of(presented.as_bytes());
    verify_slices_are_equal(expected.as_bytes(), presented.as_bytes()).is_ok()
}

#[derive(Clone, Copy)]
enum Method {
    Basic,
    None,
    Post,
}

struct Presented {
    method: Method,
    id: String,
    secret: String,
}

impl Presented {
    fn read(headers: &HeaderMap, form: &Parameters) -> Result<Self, OAuthError> {
        let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
        let authorization = authorizations.next();
        if authorizations.next().is_some() {
            return Err(OAuthError::InvalidRequest("more than one Authorization header"));
        }
        let form_id = form.one("client_id")?;
        let form_secret = form.one("client_secret")?;
        if let Some(authorization) = authorization {
            if form_secret.is_some() {
                return Err(OAuthError::InvalidRequest("more than one client authentication"));
            }
            let presented = authorization.to_str().ok().and_then(Self::basic);
            let presented = presented.ok_or(OAuthError::InvalidClient)?;
            if form_id.is_some_and(|id| id != presented.id) {
                return Err(OAuthError::InvalidRequest("client_id differs from the header's"));
            }
            return Ok(presented);
        }
        let id = form_id.ok_or(OAuthError::InvalidClient)?.to_owned();
        Ok(match form_secret {
            Some(secret) => Self { method: Method::Post, id, secret: secret.to_owned() },
            None => Self { method: Method::None, id, secret: String::new() },
        })
    }

    fn basic(header: &str) -> Option<Self> {
        let (scheme, credentials) = header.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let credentials = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
        let (id, secret) = credentials.split_once(':')?;
        let (id, secret) = (form_decode(id), form_decode(secret));
        Some(Self { method: Method::Basic, id, secret })
    }
}

fn form_decode(text: &str) -> String {
    // `&` and `=` are data here, not separators.
    let escaped = text.replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(escaped.as_bytes())
        .next()
        .map_or_else(String::new, |(key, _)| key.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(redirect_uri: &str) -> Client {
        let mut client = Client::confidential("c", &Secret::new("s"));
        client.redirect_uris = vec![redirect_uri.to_owned()];
        client
    }

    #[test]
    fn redirect_uris_are_exact_but_for_a_loopback_port() {
        let loopback = client("http://127.0.0.1:1234/callback?x=1");
        assert!(loopback.may_redirect_to("http://127.0.0.1:1234/callback?x=1"));
        assert!(loopback.may_redirect_to("http://127.0.0.1:9/callback?x=1"));
        assert!(loopback.may_redirect_to("http://127.0.0.1/callback?x=1"));
        for other in [
            "http://127.0.0.1:1234/callback",
            "http://127.0.0.1:1234/callback/?x=1",
            "http://127.0.0.1:1234/a/../callback?x=1",
            "http://localhost:1234/callback?x=1",
            "http://127.0.0.2:1234/callback?x=1",
            "https://127.0.0.1:1234/callback?x=1",
            "http://127.0.0.1:1@evil.example/callback?x=1",
            "http://127.0.0.1:1234.evil.example/callback?x=1",
        ] {
            assert!(!loopback.may_redirect_to(other), "{other}");
        }
        let remote = client("https://app.example/callback");
        assert!(remote.may_redirect_to("https://app.example/callback"));
        assert!(!remote.may_redirect_to("https://app.example:444/callback"));
        assert!(!remote.may_redirect_to("https://app.example/callback/"));
        assert!(client("http://[::1]/cb").may_redirect_to("http://[::1]:80/cb"));
    }

    #[test]
    fn basic_credentials_are_form_decoded() {
        let encoded = STANDARD.encode("a%3Ab:c%2Bd+e=&f");
        let presented = Presented::basic(&format!("Basic {encoded}")).unwrap();
        assert_eq!((presented.id.as_str(), presented.secret.as_str()), ("a:b", "c+d e=&f"));
        assert!(Presented::basic("Bearer abc").is_none());
        assert!(Presented::basic("Basic %%%").is_none());
    }
}
