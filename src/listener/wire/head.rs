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
//! that is for the check of the parsed head.

use std::ops::Range;

use memchr::memchr;

use super::fault::WireFault;

/// How the end of a request's body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// A chunked body.
    Chunked,
    /// A body of this many bytes; none when zero.
    Length(u64),
}

/// A head that passed: where it lies in the received bytes, and what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CheckedHead {
    pub(super) span: Range<usize>,
    pub(super) framing: Framing,
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
}

/// What the lines seen so far said about framing and authority.
#[derive(Debug, Default)]
struct Facts {
    is_http_10: bool,
    has_host: bool,
    length: Option<u64>,
    is_chunked: bool,
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
            match (self.lines, line.is_empty()) {
                // RFC 9112 section 2.2: an empty line before the request line is ignored; one.
                (0, true) if self.start == 0 => self.start = self.scanned,
                (0, _) => {
                    self.facts.request_line(line)?;
                    self.lines = 1;
                }
                (_, true) => {
                    let framing = self.facts.conclude()?;
                    return Ok(Some(CheckedHead { span: self.start..self.scanned, framing }));
                }
                (lines, false) => {
                    if lines > MAX_FIELDS {
                        return Err(WireFault::TooManyFields);
                    }
                    self.facts.field_line(line)?;
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
}

impl Facts {
    fn request_line(&mut self, line: &[u8]) -> Result<(), WireFault> {
        if line.contains(&b'\r') {
            return Err(WireFault::LineEnding);
        }
        let mut parts = line.split(|&byte| byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(WireFault::RequestLine);
        };
        if target.len() > MAX_TARGET_BYTES {
            return Err(WireFault::TargetTooLong);
        }
        // A fragment never belongs on the wire, and the URI type above would drop it silently.
        let is_target_byte = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
        self.is_http_10 = version == b"HTTP/1.0";
        let is_well_formed = is_token(method)
            && method.len() <= MAX_METHOD_BYTES
            && !target.is_empty()
            && every(target, is_target_byte)
            && (self.is_http_10 || version == b"HTTP/1.1");
        if is_well_formed { Ok(()) } else { Err(WireFault::RequestLine) }
    }

    fn field_line(&mut self, line: &[u8]) -> Result<(), WireFault> {
        let malformed = || match memchr(b'\r', line) {
            Some(_) => WireFault::LineEnding,
            None => WireFault::FieldSyntax,
        };
        let name_end = line.iter().position(|&byte| !is_token_byte(byte)).ok_or_else(malformed)?;
        let (name, value) = line.split_at_checked(name_end).ok_or_else(malformed)?;
        let Some((b':', value)) = value.split_first() else { return Err(malformed()) };
        if name.is_empty() || !every(value, is_value_byte) {
            return Err(malformed());
        }
        // The length is compared first: most names match none of the three.
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.host(),
            14 if name.eq_ignore_ascii_case(b"content-length") => self.content_length(value),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.transfer_encoding(value),
            _ => Ok(()),
        }
    }

    fn host(&mut self) -> Result<(), WireFault> {
        if std::mem::replace(&mut self.has_host, true) {
            return Err(WireFault::HostCount);
        }
        Ok(())
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), WireFault> {
        let digits = value.trim_ascii();
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
        let is_chunked = value.trim_ascii().eq_ignore_ascii_case(b"chunked");
        // RFC 9112 section 6.1: HTTP/1.0 has no transfer codings.
        if !is_chunked || self.is_http_10 || std::mem::replace(&mut self.is_chunked, true) {
            return Err(WireFault::TransferCoding);
        }
        Ok(())
    }

    fn conclude(&self) -> Result<Framing, WireFault> {
        if !self.has_host && !self.is_http_10 {
            return Err(WireFault::HostCount);
        }
        match (self.is_chunked, self.length) {
            (true, Some(_)) => Err(WireFault::BothLengths),
            (true, None) => Ok(Framing::Chunked),
            (false, length) => Ok(Framing::Length(length.unwrap_or(0))),
        }
    }
}

/// RFC 9110 section 5.6.2.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && every(bytes, is_token_byte)
}

/// `tchar` of RFC 9110 section 5.6.2.
pub(super) fn is_token_byte(byte: u8) -> bool {
    // Looked up: compared one by one they would cost more than all else that is done to a name.
    TOKEN_BYTES.get(usize::from(byte)).copied().unwrap_or(false)
}

#[expect(clippy::indexing_slicing, reason = "a byte is within 256, and it is compile time")]
static TOKEN_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut rest = "!#$%&'*+-.^_`|~0123456789\
        ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
        .as_bytes();
    while let [byte, behind @ ..] = rest {
        table[*byte as usize] = true;
        rest = behind;
    }
    table
};

/// Looks at every byte, without stopping at the first that fails: almost none does, and a loop
/// without an exit is done many bytes at a time.
fn every(bytes: &[u8], holds: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(true, |all, &byte| all & holds(byte))
}

/// What may stand in a field value: no control byte but the tab (RFC 9110 section 5.5).
pub(super) fn is_value_byte(byte: u8) -> bool {
    (byte >= b' ' && byte != 0x7f) || byte == b'\t'
}

const MAX_FIELDS: usize = 100;
const MAX_LENGTH_DIGITS: usize = 19;
const MAX_METHOD_BYTES: usize = 32;
const MAX_TARGET_BYTES: usize = 8 * 1024;
const MAX_REQUEST_LINE_BYTES: usize = MAX_METHOD_BYTES + MAX_TARGET_BYTES + "  HTTP/1.1\r\n".len();

#[cfg(test)]
mod tests;
