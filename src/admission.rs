//! Admission: the strict check of a parsed request head, before anything is routed.
//!
//! 1. What the connection has against a request (framing, bare line feeds, slow heads) arrives as a
//!    finding and ends the request here.
//! 2. At most 100 fields, whatever the protocol.
//! 3. Singleton fields come at most once (RFC 9110 section 5.3) and, where we act on them, in
//!    visible ASCII.
//! 4. `Connection` names no field that carries meaning end to end (RFC 9110 section 7.6.1).
//! 5. The request target is one canonical path and the authority is one host; see [`Target`].
//!
//! Nothing is repaired: what is ambiguous is refused. `Authorization` is not looked at, for its
//! refusals carry a challenge. HTTP methods are the router's business.

pub mod forwarded;
mod target;

use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};

pub use target::{Authority, Target};

/// Field names of the Model Context Protocol's HTTP transports.
pub mod mcp {
    use http::HeaderName;

    /// `Mcp-Session-Id` (to revision 2025-11-25).
    pub const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
    /// `MCP-Protocol-Version` (from revision 2025-06-18).
    pub const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
    /// `Mcp-Method` (revision 2026-07-28).
    pub const METHOD: HeaderName = HeaderName::from_static("mcp-method");
    /// `Mcp-Name` (revision 2026-07-28).
    pub const NAME: HeaderName = HeaderName::from_static("mcp-name");
    /// `Last-Event-ID` (WHATWG server-sent events).
    pub const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

    /// Whether a revision is 2026-07-28 or later: without sessions, with mirrored headers.
    /// Revisions are dates; later ones compare greater.
    pub fn is_modern_revision(version: &[u8]) -> bool {
        let is_dash = |at| matches!(at, 4 | 7);
        let is_date = |(at, byte): (usize, &u8)| {
            if is_dash(at) { *byte == b'-' } else { byte.is_ascii_digit() }
        };
        version.len() == 10
            && version.iter().enumerate().all(is_date)
            && version >= b"2026-07-28".as_slice()
    }
}

/// Why a request head is refused before routing; the connection closes afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Inadmissible {
    /// A header field is repeated, unreadable or names what it must not.
    #[error("ambiguous header field: {0}")]
    Field(&'static str),
    /// Message framing is ambiguous (RFC 9112 section 6).
    #[error("ambiguous framing: {0}")]
    Framing(&'static str),
    /// The head did not arrive in time.
    #[error("the request head did not arrive within listen.limits.header_timeout")]
    HeadTimeout,
    /// The head is larger than `listen.limits.max_header_bytes`.
    #[error("request head too large: listen.limits.max_header_bytes")]
    HeadTooLarge,
    /// The request target or the authority is ambiguous.
    #[error("ambiguous request target: {0}")]
    Target(&'static str),
    /// The request target is longer than anybody needs.
    #[error("the request target is longer than 8 KiB")]
    TargetTooLong,
    /// The head has more header fields than anybody needs.
    #[error("request head too large: more than {MAX_FIELDS} fields")]
    TooManyFields,
}

impl Inadmissible {
    /// Whether the request is a stand-in, so that nothing of the head is the client's.
    pub fn hides_the_request(self) -> bool {
        self != Self::CHUNK_SYNTAX
    }

    /// The one finding about a body: the head before it was the client's.
    pub const CHUNK_SYNTAX: Self = Self::Framing("chunk syntax");
}

/// Checks a request head and reads its target.
///
/// `finding` is what the connection layer knows against it; `usual` the authority that most requests
/// name.
pub fn admit(
    parts: &Parts,
    finding: Option<Inadmissible>,
    usual: Option<&Authority>,
) -> Result<Target, Inadmissible> {
    if let Some(finding) = finding {
        return Err(finding);
    }
    if parts.headers.len() > MAX_FIELDS {
        return Err(Inadmissible::TooManyFields);
    }
    // Without any repeated field, the usual case, there is nothing to look for.
    if parts.headers.len() != parts.headers.keys_len() {
        let check = |name| only_value(&parts.headers, name).map_err(|Repeated| name_of(name));
        SINGLETONS
            .iter()
            .try_for_each(|name| check(name).map(drop).map_err(Inadmissible::Field))?;
    }
    for (name, value) in &parts.headers {
        if VISIBLE_ASCII.contains(name) && !is_visible_ascii(value) {
            return Err(Inadmissible::Field(name_of(name)));
        }
        if *name == header::CONNECTION {
            check_connection(value)?;
        }
    }
    Target::read(parts, usual)
}

/// A field that may come once came more often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated;

/// The one way to read a singleton field.
pub fn only_value<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a HeaderValue>, Repeated> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() { Err(Repeated) } else { Ok(first) }
}

/// Whether every byte is visible ASCII (0x21 to 0x7E), spaces between them allowed.
fn is_visible_ascii(value: &HeaderValue) -> bool {
    value.as_bytes().iter().all(|byte| matches!(byte, b' '..=b'~'))
}

fn check_connection(value: &HeaderValue) -> Result<(), Inadmissible> {
    let options = value.to_str().map_err(|_| Inadmissible::Field("connection"))?;
    for option in options.split(',').map(str::trim) {
        if END_TO_END.iter().any(|name| option.eq_ignore_ascii_case(name.as_str())) {
            return Err(Inadmissible::Field("connection names an end-to-end field"));
        }
    }
    Ok(())
}

fn name_of(name: &HeaderName) -> &'static str {
    match name.as_str() {
        "content-encoding" => "content-encoding",
        "content-length" => "content-length",
        "content-type" => "content-type",
        "expect" => "expect",
        "host" => "host",
        "last-event-id" => "last-event-id",
        "mcp-method" => "mcp-method",
        "mcp-name" => "mcp-name",
        "mcp-protocol-version" => "mcp-protocol-version",
        "mcp-session-id" => "mcp-session-id",
        "origin" => "origin",
        _ => "transfer-encoding",
    }
}

const MAX_FIELDS: usize = 100;

static SINGLETONS: [HeaderName; 12] = [
    header::HOST,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::EXPECT,
    header::ORIGIN,
    header::TRANSFER_ENCODING,
    mcp::LAST_EVENT_ID,
    mcp::METHOD,
    mcp::NAME,
    mcp::PROTOCOL_VERSION,
    mcp::SESSION_ID,
];

static VISIBLE_ASCII: [HeaderName; 5] =
    [header::CONTENT_TYPE, header::ORIGIN, mcp::METHOD, mcp::PROTOCOL_VERSION, mcp::SESSION_ID];

/// Fields that `Connection` must not take off a message (advisory CVE-2024-45410).
static END_TO_END: [HeaderName; 12] = [
    header::ACCEPT,
    header::AUTHORIZATION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::HOST,
    header::ORIGIN,
    mcp::LAST_EVENT_ID,
    mcp::METHOD,
    mcp::NAME,
    mcp::PROTOCOL_VERSION,
    mcp::SESSION_ID,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn admit_with(fields: &[(&str, &[u8])]) -> Result<Target, Inadmissible> {
        let mut request = http::Request::post("/mcp").header("host", "gw").body(()).unwrap();
        for (name, value) in fields {
            let name: HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, HeaderValue::from_bytes(value).unwrap());
        }
        admit(&request.into_parts().0, None, None)
    }

    #[test]
    fn singleton_field_sent_twice_is_refused() {
        for name in SINGLETONS.iter().filter(|name| *name != header::HOST) {
            let refused = admit_with(&[(name.as_str(), b"1"), (name.as_str(), b"1")]);
            assert_eq!(refused.err(), Some(Inadmissible::Field(name_of(name))), "{name}");
            assert_eq!(name_of(name), name.as_str());
        }
        assert_eq!(admit_with(&[("host", b"gw")]).err(), Some(Inadmissible::Field("host")));
    }

    #[test]
    fn obs_text_in_a_field_we_act_on_is_refused() {
        assert!(admit_with(&[("mcp-session-id", b"a\xff")]).is_err());
        assert!(admit_with(&[("x-other", b"a\xff")]).is_ok());
    }

    #[test]
    fn connection_may_not_name_an_end_to_end_field() {
        assert!(admit_with(&[("connection", b"close, Mcp-Session-Id")]).is_err());
        assert!(admit_with(&[("connection", b"keep-alive, x-hop")]).is_ok());
    }

    #[test]
    fn more_than_a_hundred_fields_are_refused() {
        let names: Vec<String> = (0..100).map(|n| format!("x-{n}")).collect();
        let fields: Vec<(&str, &[u8])> =
            names.iter().map(|name| (name.as_str(), b"1".as_slice())).collect();
        assert_eq!(admit_with(&fields), Err(Inadmissible::TooManyFields));
        assert!(admit_with(&fields[1..]).is_ok());
    }

    #[test]
    fn finding_of_the_connection_layer_wins() {
        let request = http::Request::get("/").header("host", "gw").body(()).unwrap();
        let finding = Inadmissible::Framing("bare line feed");
        assert_eq!(admit(&request.into_parts().0, Some(finding), None).err(), Some(finding));
    }
}
