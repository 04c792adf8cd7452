//! Forgetting what is remembered of tokens: for whoever revoked some and cannot wait.
//!
//! 1. There is no such path unless `admin.token_file` is configured.
//! 2. It takes a POST with that token as the one bearer token; the comparison takes the same time
//!    wherever they differ. A browser sends none by itself, so that no page can have it done.
//! 3. What is forgotten is asked about or verified anew with the next request; nobody is let in or
//!    refused for it. A question that is under way may still be remembered.

use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{SHA256, digest},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use tracing::{info, warn};

use super::{Admin, text};
use crate::{admission, oauth::Secret};

impl Admin {
    /// Forgets, and says how much; nothing when there is no such path.
    pub(super) fn forget_tokens(
        &self,
        request: &Request<Incoming>,
    ) -> Option<Response<Full<Bytes>>> {
        let snapshot = self.in_force.load();
        let token = snapshot.settings.admin.token.as_ref()?;
        if *request.method() != Method::POST {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "POST only\n");
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
            return Some(response);
        }
        if !shows(request.headers(), token) {
            warn!("tokens not forgotten: the token of admin.token_file was not shown");
            let mut response = text(StatusCode::UNAUTHORIZED, "the token of admin.token_file\n");
            let challenge = HeaderValue::from_static("Bearer realm=\"gatehouse admin\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            return Some(response);
        }
        let query = request.uri().query().unwrap_or_default();
        let mut fields = url::form_urlencoded::parse(query.as_bytes());
        let name = fields.find(|(name, _)| name == "authorization_server").map(|(_, name)| name);
        let is_meant = |known: &str| name.as_deref().is_none_or(|name| *name == *known);
        let servers = snapshot.authorization_servers.iter();
        let meant: Vec<_> = servers.filter(|server| is_meant(&server.settings().name)).collect();
        if meant.is_empty() {
            return Some(text(StatusCode::NOT_FOUND, "no such authorization server is in use\n"));
        }
        let mut count = 0;
        for server in meant {
            let forgotten = server.forget_tokens();
            info!(authorization_server = &*server.settings().name, forgotten, "tokens forgotten");
            count += forgotten;
        }
        Some(text(StatusCode::OK, format!("{count} forgotten\n")))
    }
}

fn shows(headers: &HeaderMap, token: &Secret) -> bool {
    let value = admission::only_value(headers, &header::AUTHORIZATION).ok().flatten();
    let shown = value.and_then(|value| value.to_str().ok()).and_then(|value| {
        let (scheme, shown) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(shown)
    });
    let Some(shown) = shown else { return false };
    // Digests are of one length.
    let of = |text: &str| digest(&SHA256, text.as_bytes());
    verify_slices_are_equal(of(shown).as_ref(), of(token.expose()).as_ref()).is_ok()
}
