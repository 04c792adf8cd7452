//! Field lines: from the wire into a header map, and from a header map to the wire.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Adds a field as it came.
///
/// `None` when it is not well-formed, or one too many.
pub fn append(headers: &mut HeaderMap, name: &[u8], value: Bytes) -> Option<()> {
    let name = HeaderName::from_bytes(name).ok()?;
    let value = HeaderValue::from_maybe_shared(value).ok()?;
    headers.try_append(name, value).ok()?;
    Some(())
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
    fn lengths_are_written_in_full() {
        for length in [0, 7, 10, 302, u64::MAX] {
            let mut out = Vec::new();
            content_length(length, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), format!("content-length: {length}\r\n"));
        }
    }
}
