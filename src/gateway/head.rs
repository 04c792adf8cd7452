//! What the pipeline keeps of a request's head, stage by stage.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Version, header, request::Parts};

use crate::{
    admission::{Target, forwarded::Way, mcp},
    authenticate::token_facts::Principal,
    forward::{
        self, Outgoing,
        headers::{Forwarded, X_REQUEST_ID},
        list_filter::ListFilter,
        open_streams::Tenancy,
        request_body::RequestBody,
    },
    limits::{InFlight, buffer::Room, tally::Key},
    rejection::Rejection,
    resource::ProtectedResource,
    router::Below,
    snapshot::Snapshot,
};

/// What several stages ask of a head's fields, from one look at all of them.
#[derive(Debug, Default)]
pub(super) struct Noted {
    pub(super) origin: Option<HeaderValue>,
    /// The host that the client addressed, as it wrote it.
    pub(super) host: Option<HeaderValue>,
    pub(super) expects_continue: bool,
    pub(super) has_session: bool,
    /// Whether it says, in the usual words, that its body is JSON.
    pub(super) is_json: bool,
}

impl Noted {
    pub(super) fn at(headers: &HeaderMap) -> Self {
        let mut noted = Self::default();
        let mut is_encoded = false;
        for (name, value) in headers {
            if *name == header::CONTENT_TYPE {
                noted.is_json = value == "application/json";
            } else if *name == header::HOST {
                noted.host = Some(value.clone());
            } else if *name == header::CONTENT_ENCODING {
                is_encoded = true;
            } else if *name == header::ORIGIN {
                noted.origin = Some(value.clone());
            } else if *name == header::EXPECT {
                noted.expects_continue = true;
            } else if *name == mcp::SESSION_ID {
                noted.has_session = true;
            }
        }
        noted.is_json &= !is_encoded;
        noted
    }
}

/// An admitted request head.
pub(super) struct Head {
    pub(super) parts: Parts,
    pub(super) target: Target,
    pub(super) noted: Noted,
    pub(super) peer: HeaderValue,
    pub(super) is_secure: bool,
    /// What a trusted proxy says of the way before it.
    pub(super) way: Option<Box<Way>>,
    pub(super) traceparent: HeaderValue,
    /// Where it comes from, as far as limits go.
    pub(super) source: Option<Key>,
    /// Its place among the requests that are being answered.
    pub(super) in_flight: Option<InFlight>,
}

impl Head {
    /// Opens the session reference, when there is one.
    pub(super) fn open_session(
        &self,
        resource: &ProtectedResource,
        principal: &Principal,
    ) -> Result<Option<String>, forward::UnknownSession> {
        if !self.noted.has_session {
            return Ok(None);
        }
        resource.upstream.open_session(&self.parts.headers, principal)
    }

    /// The request that goes upstream, once it is permitted.
    pub(super) fn outgoing(
        self: Box<Self>,
        request_id: HeaderValue,
        (destination, session): (forward::Destination, Option<String>),
        (body, filter): (RequestBody, Option<ListFilter>),
        (is_listening, holder): (bool, Option<Key>),
    ) -> Box<Outgoing> {
        let Self { parts, target, noted, peer, is_secure, way, traceparent, .. } = *self;
        let host = noted.host.unwrap_or_else(|| {
            let text = target.authority().to_string();
            HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
        });
        let forwarded =
            Forwarded { peer, is_secure, way, request_id, host, traceparent, span: None };
        let Parts { method, headers, .. } = parts;
        Box::new(Outgoing {
            method,
            headers,
            target,
            destination,
            body,
            forwarded,
            session,
            is_listening,
            tenancy: Tenancy::None,
            filter,
            holder,
        })
    }
}

/// A route, and where on its upstream a request would go.
pub(super) struct Stage<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) resource: &'a Arc<ProtectedResource>,
    pub(super) destination: Unopened,
}

/// Where a request would go, before its reference is opened.
pub(super) enum Unopened {
    Known(forward::Destination),
    Reference { reference: Box<str>, has_query: bool },
}

pub(super) fn destination(below: Below, has_query: bool) -> Unopened {
    match below {
        Below::Nothing => Unopened::Known(forward::Destination::Main),
        Below::Path(path) => Unopened::Known(forward::Destination::Below(path)),
        Below::Reference(reference) => Unopened::Reference { reference, has_query },
    }
}

impl Unopened {
    /// Opens the reference, for the principal it was given to alone.
    pub(super) fn open(
        self,
        resource: &ProtectedResource,
        principal: &Principal,
    ) -> Result<forward::Destination, Rejection> {
        let (reference, has_query) = match self {
            Self::Known(destination) => return Ok(destination),
            Self::Reference { reference, has_query } => (reference, has_query),
        };
        let opened = resource.upstream.open_endpoint(&reference, principal);
        match opened {
            Ok(destination) if !has_query => Ok(destination),
            // Not even where subpaths are forwarded: a foreign reference is as if it had never been.
            _ => Err(forward::UnknownSession.into()),
        }
    }
}

/// What a refusal must remember of a request head.
pub(super) struct Refusable<'a> {
    pub(super) origin: Option<HeaderValue>,
    /// Whether a body with this method can be a call at all.
    pub(super) may_call: bool,
    pub(super) expects_continue: bool,
    pub(super) is_http1: bool,
    /// For its body, should that be read for its id.
    pub(super) room: &'a Room,
}

impl<'a> Refusable<'a> {
    pub(super) fn new(parts: &Parts, noted: &Noted, room: &'a Room) -> Self {
        Self {
            origin: noted.origin.clone(),
            may_call: !matches!(
                parts.method,
                Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS
            ),
            expects_continue: noted.expects_continue,
            is_http1: parts.version < Version::HTTP_2,
            room,
        }
    }
}

/// A trusted proxy's own id for a request.
pub(super) fn sent_request_id(parts: &Parts, is_trusted: bool) -> Option<HeaderValue> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    let is_usable = |value: &&HeaderValue| {
        (1..=128).contains(&value.len()) && value.as_bytes().iter().all(is_plain)
    };
    let sent = if is_trusted { parts.headers.get(X_REQUEST_ID) } else { None };
    sent.filter(is_usable).cloned()
}
