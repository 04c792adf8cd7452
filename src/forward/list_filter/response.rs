//! What becomes of a response head and a whole body where lists are filtered.
//!
//! 1. The media type is read by RFC 9110 section 8.3: one field, case aside, parameters behind
//!    semicolons; another charset than UTF-8 would make another text of the same bytes.
//! 2. JSON and event streams are filtered whatever the status. Of anything else, an error and a 202
//!    keep their status and lose a body that cannot be filtered; all others must not pass.
//! 3. No coding was asked for (section 12.5.3), and none may come.
//! 4. Nobody may keep the response for somebody else: `Cache-Control: private, no-store`, and no
//!    field by which a kept one would be asked for again (RFC 9111, RFC 9110 section 8.8), or that
//!    speaks of bytes that may have changed.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::FilterError;

/// How a response is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::forward) enum Reading {
    /// Its body is left out.
    Bodiless,
    /// As server-sent events.
    Events,
    /// As one JSON text.
    Json,
}

/// Says how a response is to be read; `has_body`: something may come behind its head.
pub(in crate::forward) fn reading(
    status: StatusCode,
    headers: &HeaderMap,
    has_body: bool,
) -> Result<Reading, FilterError> {
    if !has_body {
        return Ok(Reading::Bodiless);
    }
    let identity = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(header::CONTENT_ENCODING).iter().all(identity) {
        return Err(FilterError::Form("it has a Content-Encoding that nobody asked for"));
    }
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let first = types.next().and_then(|value| value.to_str().ok());
    match first.filter(|_| types.next().is_none()).and_then(known_type) {
        Some(reading) => Ok(reading),
        None if may_lose_body(status) => Ok(Reading::Bodiless),
        None => Err(FilterError::Form(
            "its Content-Type is neither application/json nor text/event-stream, in UTF-8",
        )),
    }
}

/// Whether a response may lose its body and still say what it says: an error, or the word that the
/// answer comes on another stream.
pub(in crate::forward) fn may_lose_body(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error() || status == StatusCode::ACCEPTED
}

fn known_type(value: &str) -> Option<Reading> {
    let mut parts = value.split(';').map(str::trim_ascii);
    let essence = parts.next()?;
    let is_utf8 = |parameter: &str| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let value = value.trim_matches('"');
        !name.trim_ascii().eq_ignore_ascii_case("charset")
            || ["utf-8", "utf8", "us-ascii"].iter().any(|utf8| value.eq_ignore_ascii_case(utf8))
    };
    if !parts.all(is_utf8) {
        return None;
    }
    if essence.eq_ignore_ascii_case("application/json") {
        return Some(Reading::Json);
    }
    essence.eq_ignore_ascii_case("text/event-stream").then_some(Reading::Events)
}

/// Takes from a request what would bring an answer that cannot be read, or none.
pub(in crate::forward) fn restrict_request(headers: &mut HeaderMap) {
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    for name in [
        header::IF_MATCH,
        header::IF_MODIFIED_SINCE,
        header::IF_NONE_MATCH,
        header::IF_RANGE,
        header::IF_UNMODIFIED_SINCE,
        header::RANGE,
    ] {
        headers.remove(name);
    }
}

/// Keeps caches from a filtered response.
pub(in crate::forward) fn restrict_caching(headers: &mut HeaderMap) {
    for name in [
        header::ACCEPT_RANGES,
        header::AGE,
        header::CONTENT_ENCODING,
        header::CONTENT_RANGE,
        header::ETAG,
        header::EXPIRES,
        header::LAST_MODIFIED,
        header::PRAGMA,
    ] {
        headers.remove(name);
    }
    for name in DIGESTS {
        headers.remove(name);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
}

/// Caches' own words, and digests of a body as it was (RFC 9530 and what came before).
const DIGESTS: [HeaderName; 6] = [
    HeaderName::from_static("cdn-cache-control"),
    HeaderName::from_static("surrogate-control"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("repr-digest"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, fields: &[(&str, &str)]) -> Result<Reading, FilterError> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        reading(StatusCode::from_u16(status).unwrap(), &headers, true)
    }

    #[test]
    fn h03_media_types_are_read_as_they_are_meant() {
        for (value, expected) in [
            ("application/json", Some(Reading::Json)),
            ("Application/JSON", Some(Reading::Json)),
            ("application/json ; charset=utf-8", Some(Reading::Json)),
            ("application/json;Charset=\"UTF-8\"", Some(Reading::Json)),
            ("text/event-stream;x=y", Some(Reading::Events)),
            ("TEXT/Event-Stream", Some(Reading::Events)),
            ("application/json; charset=utf-7", None),
            ("application/json; charset", None),
            ("text/event-stream; charset=utf-16", None),
            ("application/json, text/plain", None),
            ("application/jsonx", None),
            ("application/problem+json", None),
            ("text/plain", None),
            ("text/html;application/json", None),
            ("", None),
        ] {
            let fields = [("content-type", value)];
            assert_eq!(read(200, &fields).ok(), expected, "{value}");
            let bodiless = Some(expected.unwrap_or(Reading::Bodiless));
            assert_eq!(read(404, &fields).ok(), bodiless, "{value}");
        }
        assert!(read(200, &[]).is_err());
        let twice = [("content-type", "application/json"), ("content-type", "text/plain")];
        assert!(read(200, &twice).is_err());
    }

    #[test]
    fn h04_status_decides_nothing_about_what_can_be_read() {
        for status in [200, 201, 202, 203, 206, 299, 400, 404, 500, 599] {
            let json = read(status, &[("content-type", "application/json")]);
            assert_eq!(json, Ok(Reading::Json), "{status}");
            assert_eq!(read(status, &[]).is_ok(), status >= 400 || status == 202, "{status}");
        }
        let nothing = reading(StatusCode::ACCEPTED, &HeaderMap::new(), false);
        assert_eq!(nothing, Ok(Reading::Bodiless));
    }

    #[test]
    fn h05_encoded_answers_are_refused() {
        for coding in ["gzip", "br", "zstd", "identity, gzip", ""] {
            let fields = [("content-type", "application/json"), ("content-encoding", coding)];
            assert!(read(200, &fields).is_err(), "{coding}");
            assert!(read(500, &fields).is_err(), "{coding}");
        }
        let twice = [("content-encoding", "identity"), ("content-encoding", "gzip")];
        assert!(read(200, &twice).is_err());
        let fields = [("content-type", "application/json"), ("content-encoding", "Identity")];
        assert_eq!(read(200, &fields), Ok(Reading::Json));
    }
}
