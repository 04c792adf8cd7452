//! Putting responses together: documents, preflights, refusals, and what came from upstream.
//!
//! 1. CORS (the contract's section 3.5): public documents for every origin, routes for those
//!    allowed, never with credentials.
//! 2. Every response exposes the fields that browser clients need.

use std::{
    pin::Pin,
    sync::Arc,
    task::{self, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use hyper::body::{Body, Frame, SizeHint};

use crate::{
    forward::response_body::{ResponseBody, ResponseError},
    limits::InFlight,
    rejection::Rejection,
    resource::{ProtectedResource, metadata::Document},
    router::PublicDocument,
};

/// A response body of either origin.
#[derive(Debug)]
pub enum GatewayBody {
    /// Our own words.
    Own(Bytes),
    /// The upstream's, as they come; until they end the request is being answered.
    Upstream(ResponseBody, Option<InFlight>),
}

impl Body for GatewayBody {
    type Data = Bytes;
    type Error = ResponseError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ResponseError>>> {
        match self.get_mut() {
            Self::Own(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Own(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Upstream(body, _) => Poll::Ready(ready!(Pin::new(body).poll_frame(cx))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(bytes) => bytes.is_empty(),
            Self::Upstream(body, _) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Upstream(body, _) => body.size_hint(),
        }
    }
}

/// A public document, or 304; `None` while it is not known.
pub(super) fn document(
    document: &PublicDocument,
    request: &HeaderMap,
) -> Option<Response<GatewayBody>> {
    let mirrored;
    let document = match document {
        PublicDocument::KeySet(document) | PublicDocument::Resource(document) => document,
        PublicDocument::AuthorizationServer(server) => {
            mirrored = Document::new(server.discovered()?.document.clone());
            &mirrored
        }
    };
    let is_known = request.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        let tags = value.to_str().unwrap_or_default().split(',').map(str::trim);
        // RFC 9110 section 13.1.2: the weak comparison.
        tags.map(|tag| tag.strip_prefix("W/").unwrap_or(tag))
            .any(|tag| tag == "*" || tag.as_bytes() == document.etag.as_bytes())
    });
    let mut response = own(if is_known { Bytes::new() } else { document.body.clone() });
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    headers.insert(header::ETAG, document.etag.clone());
    allow_every_origin(headers);
    Some(response)
}

/// The answer to a browser that asks about a public document.
pub(super) fn public_preflight() -> Response<GatewayBody> {
    let mut response = no_content();
    let headers = response.headers_mut();
    let methods = HeaderValue::from_static("GET, HEAD, OPTIONS");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ALLOWED_HEADERS));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    allow_every_origin(headers);
    response
}

/// The answer to a browser that asks what it may send to a route; the origin is allowed already.
pub(super) fn preflight(
    request: &HeaderMap,
    resource: &ProtectedResource,
) -> Response<GatewayBody> {
    let mut response = no_content();
    let headers = response.headers_mut();
    let methods = HeaderValue::from_static("GET, POST, DELETE, OPTIONS");
    headers.insert(header::ALLOW, methods.clone());
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed_headers(request));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    let origin = request.get(header::ORIGIN).filter(|origin| resource.origins.allow(origin));
    allow_origin(headers, origin.cloned());
    response
}

/// The fixed list, and any `Mcp-Param-*` that was asked for (revision 2026-07-28).
fn allowed_headers(request: &HeaderMap) -> HeaderValue {
    let fixed = HeaderValue::from_static(ALLOWED_HEADERS);
    let asked = request.get_all(header::ACCESS_CONTROL_REQUEST_HEADERS).iter();
    let names = asked.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let is_param = |name: &&str| {
        name.get(..PARAM.len()).is_some_and(|start| start.eq_ignore_ascii_case(PARAM))
            && http::HeaderName::try_from(*name).is_ok()
    };
    let mut text = ALLOWED_HEADERS.to_owned();
    for name in names.map(str::trim).filter(is_param).take(MAX_PARAMS) {
        text.push_str(", ");
        text.push_str(name);
    }
    HeaderValue::from_str(&text).unwrap_or(fixed)
}

/// The head alone, as HEAD asks, with the length that its body would have.
pub(super) fn leave_body_out(response: &mut Response<GatewayBody>) {
    if let Some(length) = response.body().size_hint().exact() {
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
    *response.body_mut() = GatewayBody::Own(Bytes::new());
}

/// Where a refused request stood.
pub(super) struct Context<'a> {
    /// The route it is a matter of.
    pub(super) resource: Option<&'a Arc<ProtectedResource>>,
    /// The `Origin` it came with.
    pub(super) origin: Option<HeaderValue>,
}

/// A refusal's response, but for what depends on its connection.
pub(super) fn refusal(
    rejection: Rejection,
    Context { resource, origin }: Context<'_>,
    id: Option<&str>,
    request_id: &str,
) -> Response<GatewayBody> {
    let is_public = rejection.is_public();
    // A public route has no document that a challenge could name.
    let challenged = resource.filter(|resource| resource.authenticator.is_some());
    let parameters = challenged.map(|resource| &resource.challenge);
    let mut response = rejection.into_response(parameters, id, request_id).map(GatewayBody::Own);
    match resource {
        _ if is_public => allow_every_origin(response.headers_mut()),
        Some(resource) => {
            let allowed = origin.filter(|origin| resource.origins.allow(origin));
            allow_origin(response.headers_mut(), allowed);
        }
        None => expose(response.headers_mut()),
    }
    response
}

/// An upstream's response.
pub(super) fn from_upstream(
    response: Response<ResponseBody>,
    in_flight: Option<InFlight>,
) -> Response<GatewayBody> {
    response.map(|body| GatewayBody::Upstream(body, in_flight))
}

/// Lets pages of every origin read a response.
pub(super) fn allow_every_origin(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    expose(headers);
}

/// Lets pages of this origin read a response, when there is one; it is known to be allowed.
pub(super) fn allow_origin(headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    expose(headers);
}

/// Names the fields that a page may read.
pub(super) fn expose(headers: &mut HeaderMap) {
    let exposed = HeaderValue::from_static(EXPOSED_HEADERS);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
}

fn own(body: Bytes) -> Response<GatewayBody> {
    Response::new(GatewayBody::Own(body))
}

fn no_content() -> Response<GatewayBody> {
    let mut response = own(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

const ALLOWED_HEADERS: &str = "Authorization, Content-Type, Accept, Last-Event-ID, \
    Mcp-Session-Id, MCP-Protocol-Version, Mcp-Method, Mcp-Name, DPoP";
const EXPOSED_HEADERS: &str = "WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, \
    DPoP-Nonce, Retry-After, X-Request-Id";
const PARAM: &str = "mcp-param-";
const MAX_PARAMS: usize = 32;
