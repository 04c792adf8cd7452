//! Which header fields cross the gateway, in either direction.
//!
//! 1. Every one of a client's fields is judged; those are taken out that are hop-by-hop (RFC 9110
//!    section 7.6.1), named by `Connection`, ours, or dangerous to somebody who trusts them.
//! 2. Names are compared with `_` and `.` read as `-`, for many servers do the same
//!    (advisory CVE-2025-64484).
//! 3. Forwarding fields are believed from trusted proxies only. The way of a request is told in
//!    `X-Forwarded-*` alone: what came as `Forwarded` is said in them, and that field never passes,
//!    lest an upstream that prefers it hear of another way.
//! 4. A response loses what would speak for us or to us: challenges, cookies, CORS, server names.
//!
//! Unknown fields pass in both directions.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::{
    admission::{self, forwarded::Way, mcp},
    traces::context::TraceContext,
};

/// The facts that we tell the upstream about a request.
#[derive(Clone, Debug)]
pub struct Forwarded {
    /// The address of the connection's other end, as text.
    pub peer: HeaderValue,
    /// Whether the connection is behind TLS.
    pub is_secure: bool,
    /// What that says of the way before it, when it is a trusted proxy.
    pub way: Option<Box<Way>>,
    /// What we call the request.
    pub request_id: HeaderValue,
    /// The host that the client addressed.
    pub host: HeaderValue,
    /// The trace that begins here, unless the client continues one.
    pub traceparent: HeaderValue,
    /// Our own span, when the request is recorded.
    pub span: Option<Box<SpanFields>>,
}

/// What an upstream is told of the span that it is called in.
#[derive(Clone, Debug)]
pub struct SpanFields {
    /// `traceparent`, in place of the client's.
    pub traceparent: HeaderValue,
    /// `tracestate`, where the client's context came otherwise than in its header fields.
    pub tracestate: Option<HeaderValue>,
}

/// What the gateway itself says of a request; none of these fields passes as a client sent it.
///
/// Apart from the others, for there is no need to look them up.
#[derive(Clone, Debug)]
pub struct Ours {
    forwarded_for: HeaderValue,
    forwarded_proto: HeaderValue,
    forwarded_host: HeaderValue,
    request_id: HeaderValue,
    /// Unless the configuration says it.
    traceparent: Option<HeaderValue>,
}

impl Ours {
    /// Their names and values.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &HeaderValue)> {
        let fields = [
            ("x-forwarded-for", &self.forwarded_for),
            ("x-forwarded-proto", &self.forwarded_proto),
            ("x-forwarded-host", &self.forwarded_host),
            ("x-request-id", &self.request_id),
        ];
        let traceparent = self.traceparent.iter().map(|value| ("traceparent", value));
        fields.into_iter().chain(traceparent)
    }
}

/// Turns a client's fields into those of the request upstream, which is called `host` there.
pub fn for_upstream(
    mut headers: HeaderMap,
    forwarded: Forwarded,
    host: &HeaderValue,
    configured: &[(HeaderName, HeaderValue)],
) -> (HeaderMap, Ours) {
    let is_trusted = forwarded.way.is_some();
    let (sent_chain, sent_proto) = match forwarded.way {
        Some(way) => (way.chain, way.scheme),
        None => (None, None),
    };
    // Nearly every request has them: they need no place on the list.
    headers.remove(header::AUTHORIZATION);
    headers.remove(header::CONTENT_LENGTH);
    let is_ours = |name: &HeaderName| configured.iter().any(|(ours, _)| is_same_name(ours, name));
    let mut has_trace = false;
    let out = Out::list(&headers, |name| {
        has_trace |= *name == TRACEPARENT || *name == TRACESTATE;
        // The client's Host is overwritten.
        *name == header::HOST || (passes_upstream(name, is_trusted) && !is_ours(name))
    });
    let traceparent = if has_trace { continued(&headers) } else { None };
    out.take_from(&mut headers);
    if has_trace && traceparent.is_none() {
        headers.remove(TRACESTATE);
    }
    let traceparent = match forwarded.span {
        Some(span) => {
            if let (None, Some(tracestate)) = (traceparent, span.tracestate) {
                headers.insert(TRACESTATE, tracestate);
            }
            span.traceparent
        }
        None => traceparent.unwrap_or(forwarded.traceparent),
    };
    let is_configured = configured.iter().any(|(name, _)| *name == TRACEPARENT);
    for (name, value) in configured {
        headers.insert(name, value.clone());
    }
    headers.insert(header::HOST, host.clone());
    let own_proto = if forwarded.is_secure { HTTPS } else { HTTP };
    let ours = Ours {
        forwarded_for: chain(sent_chain, forwarded.peer),
        forwarded_proto: sent_proto.unwrap_or(own_proto),
        forwarded_host: forwarded.host,
        request_id: forwarded.request_id,
        traceparent: (!is_configured).then_some(traceparent),
    };
    (headers, ours)
}

/// Turns an upstream's fields into those of the response to the client.
pub fn for_client(mut headers: HeaderMap) -> HeaderMap {
    Out::list(&headers, passes_to_client).take_from(&mut headers);
    headers
}

/// The fields of a message that do not pass, to be taken out in place: a message's map serves the
/// next one, and a new map would cost more than all the rest of this.
#[derive(Default)]
struct Out {
    names: Vec<HeaderName>,
    connection: Connection,
}

/// What `Connection` says of other fields.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Connection {
    #[default]
    Absent,
    /// One of the two usual options, which are no fields.
    Usual,
    NamesFields,
}

impl Out {
    fn list(headers: &HeaderMap, mut passes: impl FnMut(&HeaderName) -> bool) -> Self {
        let mut out = Self::default();
        for (name, value) in headers {
            if *name == header::CONNECTION {
                let is_usual = value == "keep-alive" || value == "close";
                let said = if is_usual { Connection::Usual } else { Connection::NamesFields };
                out.connection = out.connection.max(said);
            } else if !passes(name) {
                out.names.push(name.clone());
            }
        }
        out
    }

    /// Takes all values of these names, and of those that `Connection` names.
    fn take_from(self, headers: &mut HeaderMap) {
        if self.connection == Connection::NamesFields {
            for name in named_by_connection(headers) {
                headers.remove(name);
            }
        }
        if self.connection != Connection::Absent {
            headers.remove(header::CONNECTION);
        }
        for name in self.names {
            headers.remove(name);
        }
    }
}

fn passes_upstream(name: &HeaderName, is_trusted: bool) -> bool {
    let text = name.as_str();
    // Nearly every field: what follows is about the others.
    if matches!(text, "accept" | "content-type" | "mcp-protocol-version" | "user-agent") {
        return true;
    }
    let is_plain = !text.bytes().any(|byte| matches!(byte, b'_' | b'.'));
    let normal;
    let text = if is_plain {
        text
    } else {
        normal = text.replace(['_', '.'], "-");
        normal.as_str()
    };
    if is_hop_by_hop(text) || text.starts_with("x-gatehouse-") || text.starts_with("proxy-") {
        return false;
    }
    if text == "x-real-ip" || text.starts_with("x-forwarded-") {
        let is_ours = matches!(text, "x-forwarded-for" | "x-forwarded-host" | "x-forwarded-proto");
        return is_trusted && is_plain && !is_ours;
    }
    // Singleton fields of the protocol in another spelling could be read as the real ones.
    if !is_plain
        && (text.starts_with("mcp-") || matches!(text, "content-type" | "content-encoding"))
    {
        return false;
    }
    !matches!(
        text,
        "authorization"
            | "content-length"
            | "cookie"
            | "expect"
            | "forwarded"
            | "host"
            | "mcp-session-id"
            | "origin"
            | "traceparent"
            | "x-http-method-override"
            | "x-method-override"
            | "x-http-method"
            | "x-original-url"
            | "x-rewrite-url"
            | "x-request-id"
            | "x-envoy-original-path"
    )
}

fn passes_to_client(name: &HeaderName) -> bool {
    let text = name.as_str();
    !(is_hop_by_hop(text)
        || text.starts_with("access-control-")
        || text.starts_with("proxy-")
        || text.starts_with("x-gatehouse-")
        || matches!(
            text,
            "alt-svc"
                | "clear-site-data"
                | "content-length"
                | "link"
                | "location"
                | "mcp-session-id"
                | "refresh"
                | "server"
                | "set-cookie"
                | "set-cookie2"
                | "strict-transport-security"
                | "www-authenticate"
                | "x-powered-by"
                | "x-request-id"
        ))
}

fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "http2-settings"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

fn is_same_name(ours: &HeaderName, theirs: &HeaderName) -> bool {
    let normal = |byte: u8| if matches!(byte, b'_' | b'.') { b'-' } else { byte };
    let (ours, theirs) = (ours.as_str(), theirs.as_str());
    ours.len() == theirs.len() && ours.bytes().map(normal).eq(theirs.bytes().map(normal))
}

/// The fields that `Connection` declares hop-by-hop.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|v| v.to_str().ok());
    let options = values.flat_map(|value| value.split(',')).map(str::trim);
    options.filter_map(|option| option.parse().ok()).collect()
}

/// The `traceparent` of a client that continues a trace.
fn continued(headers: &HeaderMap) -> Option<HeaderValue> {
    trace_context(headers)?;
    headers.get(TRACEPARENT).cloned()
}

fn chain(sent: Option<String>, peer: HeaderValue) -> HeaderValue {
    let Some(sent) = sent else { return peer };
    let text = format!("{sent}, {}", peer.to_str().unwrap_or_default());
    HeaderValue::from_str(&text).unwrap_or(peer)
}

/// The trace that a client continues, when it says so well; who names two continues none.
pub fn trace_context(headers: &HeaderMap) -> Option<TraceContext> {
    let traceparent = admission::only_value(headers, &TRACEPARENT).ok()??;
    TraceContext::parse(traceparent.as_bytes())
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

/// The sixteen lower-case hexadecimal digits of a number.
pub fn hex_digits(number: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    let (high, low) = digits.split_at_mut(8);
    high.copy_from_slice(&eight_hex_digits(number >> 32));
    low.copy_from_slice(&eight_hex_digits(number & 0xffff_ffff));
    digits
}

/// Eight digits at once, one in each byte of a word.
fn eight_hex_digits(number: u64) -> [u8; 8] {
    let spread = (number | (number << 16)) & 0x0000_ffff_0000_ffff;
    let spread = (spread | (spread << 8)) & 0x00ff_00ff_00ff_00ff;
    let nibbles = (spread | (spread << 4)) & 0x0f0f_0f0f_0f0f_0f0f;
    // 1 in each byte whose nibble is ten or more: its digit is a letter.
    let letters = ((nibbles + 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101;
    let text = nibbles + 0x3030_3030_3030_3030 + letters * u64::from(b'a' - b'9' - 1);
    text.to_be_bytes()
}

/// `X-Request-Id`.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const HTTPS: HeaderValue = HeaderValue::from_static("https");
const HTTP: HeaderValue = HeaderValue::from_static("http");

/// An upstream's `Mcp-Session-Id` is repeated, too long, or not of 0x21 to 0x7E.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnusableSessionId;

/// The upstream's `Mcp-Session-Id`, when it sent one.
pub fn session_id(headers: &HeaderMap) -> Result<Option<&str>, UnusableSessionId> {
    // Mostly there is none, which costs less to see than to look up.
    if !headers.keys().any(|name| *name == mcp::SESSION_ID) {
        return Ok(None);
    }
    let value = admission::only_value(headers, &mcp::SESSION_ID).map_err(|_| UnusableSessionId)?;
    let Some(value) = value else { return Ok(None) };
    let is_visible = value.as_bytes().iter().all(u8::is_ascii_graphic);
    let is_usable = is_visible && (1..=MAX_SESSION_ID_BYTES).contains(&value.len());
    if is_usable {
        value.to_str().map(Some).map_err(|_| UnusableSessionId)
    } else {
        Err(UnusableSessionId)
    }
}

const MAX_SESSION_ID_BYTES: usize = 1024;
