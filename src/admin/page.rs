//! `/status` as a page for people, and as JSON.
//!
//! 1. The page is text and one style sheet of its own: no scripts, no images, nothing from elsewhere;
//!    its Content-Security-Policy allows just that.
//! 2. Whatever comes from a request, a token or a peer is escaped where it is written ([`html`]);
//!    only what stands in this program is markup.
//! 3. Nothing on it changes anything; the one form asks for a request.

mod html;
mod overview;
mod refusals;

use std::sync::OnceLock;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

use self::html::Html;
use super::{status::Status, text};

/// The status as JSON.
pub(super) fn json(status: &Status) -> Response<Full<Bytes>> {
    match serde_json::to_vec_pretty(status) {
        Ok(mut body) => {
            body.push(b'\n');
            respond(body, HeaderValue::from_static("application/json"))
        }
        Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the status cannot be written\n"),
    }
}

/// The status as a page.
pub(super) fn html(status: &Status) -> Response<Full<Bytes>> {
    let body = render(status);
    let mut response =
        respond(body.into_bytes(), HeaderValue::from_static("text/html; charset=utf-8"));
    if let Ok(policy) = HeaderValue::from_str(content_security_policy()) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn respond(body: Vec<u8>, content_type: HeaderValue) -> Response<Full<Bytes>> {
    let mut response = text(StatusCode::OK, body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    response
}

/// Names the style sheet by its digest, and allows nothing else but the form.
fn content_security_policy() -> &'static str {
    static POLICY: OnceLock<String> = OnceLock::new();
    POLICY.get_or_init(|| {
        let style = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
        format!(
            "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; base-uri 'none'; \
             frame-ancestors 'none'"
        )
    })
}

fn render(status: &Status) -> String {
    let mut page = Html::default();
    page.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    page.raw("<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
    page.raw(if status.is_ready { "Gatehouse: ready" } else { "Gatehouse: not ready" });
    page.raw("</title>\n<style>").raw(STYLE).raw("</style>\n</head>\n<body>\n");
    overview::header(&mut page, status);
    page.raw("<main>\n");
    overview::alerts(&mut page, status);
    refusals::lookup(&mut page, status);
    overview::routes(&mut page, status);
    overview::servers(&mut page, status);
    refusals::list(&mut page, status);
    overview::configuration(&mut page, status);
    page.raw("</main>\n</body>\n</html>\n");
    page.finish()
}

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");
const STYLE: &str = include_str!("page/style.css");

#[cfg(test)]
mod tests;
