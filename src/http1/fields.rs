//! Field lines: from the wire into a header map, and from a header map to the wire.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Adds a field as it came.
///
/// `None` when it is not well-formed, or one too many.
pub fn append(headers: &mut HeaderMap, name: &[u8], value: Bytes) -> Option<()> {
    append_named(headers, self::name(name)?, value)
}

/// Adds a field whose name is known.
///
/// `None` when its value is not well-formed, or it is one too many.
pub fn append_named(headers: &mut HeaderMap, name: HeaderName, value: Bytes) -> Option<()> {
    let value = HeaderValue::from_maybe_shared(value).ok()?;
    headers.try_append(name, value).ok()?;
    Some(())
}

/// A field's name; `None` when it is not well-formed.
pub fn name(bytes: &[u8]) -> Option<HeaderName> {
    let is = |name: &str| bytes.eq_ignore_ascii_case(name.as_bytes());
    // Most messages have no others but these, which their lengths nearly tell.
    let common = match bytes.len() {
        4 if is("host") => header::HOST,
        4 if is("date") => header::DATE,
        4 if is("vary") => header::VARY,
        6 if is("accept") => header::ACCEPT,
        6 if is("server") => header::SERVER,
        6 if is("origin") => header::ORIGIN,
        10 if is("connection") => header::CONNECTION,
        10 if is("user-agent") => header::USER_AGENT,
        12 if is("content-type") => header::CONTENT_TYPE,
        13 if is("authorization") => header::AUTHORIZATION,
        13 if is("cache-control") => header::CACHE_CONTROL,
        14 if is("content-length") => header::CONTENT_LENGTH,
        15 if is("accept-encoding") => header::ACCEPT_ENCODING,
        17 if is("transfer-encoding") => header::TRANSFER_ENCODING,
        _ => return HeaderName::from_bytes(bytes).ok(),
    };
    Some(common)
}

/// Writes all fields, a line each.
pub fn write(headers: &HeaderMap, out: &mut Vec<u8>) {
    for (name, value) in headers {
        line(name.as_str(), value.as_bytes(), out);
    }
}

/// Writes one field line.
pub fn line(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.reserve(name.len() + value.len() + ": \r\n".len());
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Writes a `Content-Length` line.
pub fn content_length(length: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut count = 0;
    let mut rest = length;
    // From the last digit on; formatting would cost more than all other fields.
    for place in digits.iter_mut().rev() {
        *place = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        count += 1;
        if rest == 0 {
            break;
        }
    }
    let start = digits.len() - count;
    line("content-length", digits.get(start..).unwrap_or_default(), out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_they_are_without_a_look() {
        for text in [
            "Host",
            "dAte",
            "VARY",
            "accept",
            "Server",
            "Origin",
            "Connection",
            "User-Agent",
            "Content-Type",
            "Authorization",
            "Cache-Control",
            "Content-Length",
            "Accept-Encoding",
            "Transfer-Encoding",
            "etag",
            "Mcp-Session-Id",
            "Transfer_Encoding",
        ] {
            assert_eq!(name(text.as_bytes()), HeaderName::from_bytes(text.as_bytes()).ok());
        }
        for text in ["", "dat\u{e9}", "con ent-type", "host:"] {
            assert_eq!(name(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn lengths_are_written_in_full() {
        for length in [0, 7, 10, 302, u64::MAX] {
            let mut out = Vec::new();
            content_length(length, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), format!("content-length: {length}\r\n"));
        }
    }
}
