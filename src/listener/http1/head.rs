//! The strict check of an HTTP/1 request head, on its raw bytes and as they arrive.
//!
//! 1. Lines end in CRLF, nothing else does; at most one empty line stands before the request line
//!    (RFC 9112 section 2.2).
//! 2. The request line is `method SP target SP version`: a token, visible ASCII without `#`,
//!    `HTTP/1.1` or `HTTP/1.0` (sections 2.3 and 3).
//! 3. A field line is `name ":" value` with a token as name; no folding, no control bytes
//!    (sections 5.1 and 5.2).
//! 4. Exactly one `Host`, none only in HTTP/1.0 (section 3.2).
//! 5. The framing leaves no choice: one `Content-Length` of 1 to 19 digits, or one
//!    `Transfer-Encoding: chunked`, or neither (sections 6.1 to 6.3).
//!
//! It does not judge what a target or a value means, and lets bytes from 0x80 pass in values:
//! that is for admission.

use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri, Version, request::Parts};
use memchr::memchr;

use super::fault::WireFault;
use crate::http1::{
    body::Framing,
    fields,
    syntax::{is_token, is_token_byte, is_value},
};

/// A head that passed: where it ends in the received bytes, and what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CheckedHead {
    pub(super) end: usize,
    pub(super) framing: Framing,
    /// Whether the client would send further requests (RFC 9112 section 9.3).
    pub(super) keeps_alive: bool,
    /// Whether it waits for 100 before it sends the body (RFC 9110 section 10.1.1).
    pub(super) expects_continue: bool,
}

/// Checks one head line by line; it remembers how far it came, so that no byte is read twice.
#[derive(Debug, Default)]
pub(super) struct HeadCheck {
    /// Where the request line begins: behind an empty line, if there was one.
    start: usize,
    line_start: usize,
    scanned: usize,
    lines: usize,
    facts: Facts,
    method: Range<usize>,
    target: Range<usize>,
    fields: Vec<Field>,
}

/// Where a field lies in the received bytes.
#[derive(Debug)]
struct Field {
    name: Range<usize>,
    value: Range<usize>,
}

/// What the lines seen so far said about the connection, about framing and authority.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent fact of the head")]
struct Facts {
    is_http_10: bool,
    has_host: bool,
    length: Option<u64>,
    is_chunked: bool,
    says_close: bool,
    says_keep_alive: bool,
    expects_continue: bool,
}

impl HeadCheck {
    /// Goes on with all bytes received so far; `None` while the head has not ended.
    pub(super) fn advance(
        &mut self,
        received: &[u8],
        max_header_bytes: usize,
    ) -> Result<Option<CheckedHead>, WireFault> {
        while let Some(offset) = memchr(b'\n', received.get(self.scanned..).unwrap_or_default()) {
            let line_feed = self.scanned + offset;
            let line = received.get(self.line_start..line_feed).unwrap_or_default();
            let Some((b'\r', line)) = line.split_last() else {
                return Err(WireFault::LineEnding);
            };
            self.scanned = line_feed + 1;
            self.line_start = self.scanned;
            if self.scanned - self.start > max_header_bytes {
                return Err(WireFault::HeadTooLarge);
            }
            let begin = line_feed - 1 - line.len();
            match (self.lines, line.is_empty()) {
                // RFC 9112 section 2.2: an empty line before the request line is ignored; one.
                (0, true) if self.start == 0 => self.start = self.scanned,
                (0, _) => {
                    let (method, target) = self.facts.request_line(line)?;
                    let method_end = begin + method;
                    self.method = begin..method_end;
                    self.target = method_end + 1..method_end + 1 + target;
                    self.lines = 1;
                }
                (_, true) => {
                    return self.facts.conclude(self.scanned).map(Some);
                }
                (lines, false) => {
                    if lines > MAX_FIELDS {
                        return Err(WireFault::TooManyFields);
                    }
                    let (name, value) = self.facts.field_line(line)?;
                    let value = begin + value.start..begin + value.end;
                    self.fields.push(Field { name: begin..begin + name, value });
                    self.lines += 1;
                }
            }
        }
        self.scanned = received.len();
        let unfinished = received.len().saturating_sub(self.line_start);
        if self.lines == 0 && unfinished > MAX_REQUEST_LINE_BYTES {
            return Err(WireFault::TargetTooLong);
        }
        if received.len().saturating_sub(self.start) > max_header_bytes {
            return Err(WireFault::HeadTooLarge);
        }
        Ok(None)
    }

    /// The head as a request's parts; `head` is what was received up to its end, and `headers` an
    /// empty map.
    ///
    /// # Errors
    ///
    /// When the target is none.
    pub(super) fn parts(&self, head: &Bytes, headers: HeaderMap) -> Result<Parts, WireFault> {
        let method = head.get(self.method.clone()).unwrap_or_default();
        let target = head.slice_ref(head.get(self.target.clone()).unwrap_or_default());
        let mut request = Request::new(());
        *request.method_mut() = Method::from_bytes(method).map_err(|_| WireFault::RequestLine)?;
        *request.uri_mut() = Uri::from_maybe_shared(target).map_err(|_| WireFault::RequestLine)?;
        let version = if self.facts.is_http_10 { Version::HTTP_10 } else { Version::HTTP_11 };
        *request.version_mut() = version;
        *request.headers_mut() = headers;
        request.headers_mut().reserve(self.fields.len());
        for Field { name, value } in &self.fields {
            let name = head.get(name.clone()).unwrap_or_default();
            let value = head.slice_ref(head.get(value.clone()).unwrap_or_default());
            fields::append(request.headers_mut(), name, value).ok_or(WireFault::FieldSyntax)?;
        }
        Ok(request.into_parts().0)
    }

    pub(super) fn is_http_10(&self) -> bool {
        self.facts.is_http_10
    }

    /// Ready for the next head.
    pub(super) fn reset(&mut self) {
        let mut fields = std::mem::take(&mut self.fields);
        fields.clear();
        *self = Self { fields, ..Self::default() };
    }
}

impl Facts {
    /// How long method and target are.
    fn request_line(&mut self, line: &[u8]) -> Result<(usize, usize), WireFault> {
        let malformed = || match memchr(b'\r', line) {
            Some(_) => WireFault::LineEnding,
            None => WireFault::RequestLine,
        };
        let (method, behind) = at_space(line).ok_or_else(malformed)?;
        let (target, version) = at_space(behind).ok_or_else(malformed)?;
        if target.len() > MAX_TARGET_BYTES {
            return Err(WireFault::TargetTooLong);
        }
        // A fragment never belongs on the wire, and the URI type above would drop it silently.
        let is_target_byte = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
        self.is_http_10 = version == b"HTTP/1.0";
        let is_well_formed = is_token(method)
            && method.len() <= MAX_METHOD_BYTES
            && !target.is_empty()
            && target.iter().all(|&byte| is_target_byte(byte))
            && (self.is_http_10 || version == b"HTTP/1.1");
        if is_well_formed { Ok((method.len(), target.len())) } else { Err(malformed()) }
    }

    /// How long the name is, and where the value lies, without the blanks around it.
    fn field_line(&mut self, line: &[u8]) -> Result<(usize, Range<usize>), WireFault> {
        let malformed = || match memchr(b'\r', line) {
            Some(_) => WireFault::LineEnding,
            None => WireFault::FieldSyntax,
        };
        let name_end = line.iter().position(|&byte| !is_token_byte(byte)).ok_or_else(malformed)?;
        let (name, value) = line.split_at_checked(name_end).ok_or_else(malformed)?;
        let Some((b':', value)) = value.split_first() else { return Err(malformed()) };
        if name.is_empty() || !is_value(value) {
            return Err(malformed());
        }
        let start = line.len() - value.trim_ascii_start().len();
        let value = value.trim_ascii();
        // The length is compared first: most names match none of these.
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.host()?,
            6 if name.eq_ignore_ascii_case(b"expect") => {
                self.expects_continue = value.eq_ignore_ascii_case(b"100-continue");
            }
            10 if name.eq_ignore_ascii_case(b"connection") => self.connection(value),
            14 if name.eq_ignore_ascii_case(b"content-length") => self.content_length(value)?,
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                self.transfer_encoding(value)?;
            }
            _ => {}
        }
        Ok((name_end, start..start + value.len()))
    }

    fn connection(&mut self, value: &[u8]) {
        for option in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
            self.says_close |= option.eq_ignore_ascii_case(b"close");
            self.says_keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    fn host(&mut self) -> Result<(), WireFault> {
        if std::mem::replace(&mut self.has_host, true) {
            return Err(WireFault::HostCount);
        }
        Ok(())
    }

    fn content_length(&mut self, digits: &[u8]) -> Result<(), WireFault> {
        let is_plain = (1..=MAX_LENGTH_DIGITS).contains(&digits.len())
            && digits.iter().all(u8::is_ascii_digit);
        // RFC 9112 section 6.3 lets equal duplicates pass; nobody needs them but smugglers.
        if !is_plain || self.length.is_some() {
            return Err(WireFault::LengthSyntax);
        }
        self.length = Some(digits.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')));
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), WireFault> {
        let is_chunked = value.eq_ignore_ascii_case(b"chunked");
        // RFC 9112 section 6.1: HTTP/1.0 has no transfer codings.
        if !is_chunked || self.is_http_10 || std::mem::replace(&mut self.is_chunked, true) {
            return Err(WireFault::TransferCoding);
        }
        Ok(())
    }

    fn conclude(&self, end: usize) -> Result<CheckedHead, WireFault> {
        if !self.has_host && !self.is_http_10 {
            return Err(WireFault::HostCount);
        }
        let framing = match (self.is_chunked, self.length) {
            (true, Some(_)) => return Err(WireFault::BothLengths),
            (true, None) => Framing::Chunked,
            (false, length) => Framing::Length(length.unwrap_or(0)),
        };
        // Who says both is believed to close.
        let keeps_alive = !self.says_close && (!self.is_http_10 || self.says_keep_alive);
        // RFC 9110 section 10.1.1: HTTP/1.0 has no expectations.
        let expects_continue = self.expects_continue && !self.is_http_10;
        Ok(CheckedHead { end, framing, keeps_alive, expects_continue })
    }
}

/// What stands before the first space, and behind it.
fn at_space(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (before, behind) = bytes.split_at_checked(memchr(b' ', bytes)?)?;
    Some((before, behind.get(1..)?))
}

const MAX_FIELDS: usize = 100;
const MAX_LENGTH_DIGITS: usize = 19;
const MAX_METHOD_BYTES: usize = 32;
const MAX_TARGET_BYTES: usize = 8 * 1024;
const MAX_REQUEST_LINE_BYTES: usize = MAX_METHOD_BYTES + MAX_TARGET_BYTES + "  HTTP/1.1\r\n".len();

#[cfg(test)]
mod tests;
