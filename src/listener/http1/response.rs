//! The head of a response, as it goes out.
//!
//! 1. The length of a body is what the body itself says; `Content-Length` and `Transfer-Encoding` of
//!    the response are not believed. Without a known length it is chunked, or in HTTP/1.0 ended by
//!    the connection (RFC 9112 section 6).
//! 2. An answer to HEAD, 204 and 304 have no body; of these HEAD alone tells a length (RFC 9110
//!    section 8.6).
//! 3. `Connection` says whether another request may follow (RFC 9112 section 9.6); HTTP/1.0 is
//!    answered in its own version.
//! 4. `Date` is added where it is missing (RFC 9110 section 6.6.1).

use http::{HeaderMap, StatusCode, header, response::Parts};
use http_body::Body;

use super::date::DateText;
use crate::http1::{encode::BodyEncoder, fields};

/// What a response must fit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) is_http_10: bool,
    pub(super) is_head: bool,
    /// Whether another request may follow on the connection.
    pub(super) keeps_alive: bool,
}

/// How a response goes on behind its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Begun {
    /// How its body is framed, when it has one.
    pub(super) body: Option<BodyEncoder>,
    /// Whether the connection ends with it.
    pub(super) is_last: bool,
}

/// Writes a response's head.
pub(super) fn begin(
    parts: &Parts,
    body: &impl Body,
    asked: Asked,
    date: &DateText,
    out: &mut Vec<u8>,
) -> Begun {
    status_line(parts.status, asked.is_http_10, out);
    for (name, value) in &parts.headers {
        if !matches!(*name, header::CONNECTION | header::CONTENT_LENGTH | header::TRANSFER_ENCODING)
        {
            fields::line(name.as_str(), value.as_bytes(), out);
        }
    }
    let length = if body.is_end_stream() { Some(0) } else { body.size_hint().exact() };
    let has_body = !asked.is_head
        && !matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let encoder = has_body.then_some(match length {
        Some(length) => BodyEncoder::Length(length),
        None if asked.is_http_10 => BodyEncoder::UntilClose,
        None => BodyEncoder::Chunked,
    });
    let is_last = !asked.keeps_alive
        || encoder == Some(BodyEncoder::UntilClose)
        || says_close(&parts.headers);
    match (is_last, asked.is_http_10) {
        (true, _) => out.extend_from_slice(b"connection: close\r\n"),
        (false, true) => out.extend_from_slice(b"connection: keep-alive\r\n"),
        (false, false) => {}
    }
    match encoder {
        Some(BodyEncoder::Length(length)) => fields::content_length(length, out),
        Some(BodyEncoder::Chunked) => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        None if asked.is_head => {
            if let Some(length) = parts.headers.get(header::CONTENT_LENGTH) {
                fields::line("content-length", length.as_bytes(), out);
            }
        }
        Some(BodyEncoder::UntilClose) | None => {}
    }
    if !parts.headers.contains_key(header::DATE) {
        out.extend_from_slice(b"date: ");
        out.extend_from_slice(date);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    Begun { body: encoder, is_last }
}

fn status_line(status: StatusCode, is_http_10: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(if is_http_10 { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn says_close(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CONNECTION).iter();
    let mut options = values.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
}

#[cfg(test)]
mod tests;
