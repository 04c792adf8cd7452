//! The lines and events of a stream of server-sent events.
//!
//! 1. Line ends are CR, LF or CRLF, wherever a stream is cut.
//! 2. A blank line ends an event; a comment alone is none.
//! 3. A byte order mark may stand at the beginning.
//!
//! It finds where events begin and end and does not say what is done with them.

use super::list_filter::{FilterError, events::MAX_EVENT_BYTES};

/// Why a stream of events cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The stream ended inside an event.
    #[error("the upstream's event stream was cut inside an event")]
    Cut,
    /// An `endpoint` event is malformed, too long, or names another origin.
    #[error("the upstream named a message endpoint that is not its own")]
    Endpoint,
    /// An event holds a list that cannot be filtered.
    #[error("the upstream's event stream has {0}")]
    List(#[from] FilterError),
    /// An event that must be read is too long.
    #[error(
        "the upstream sent an event longer than {MAX_EVENT_BYTES} bytes where lists are filtered"
    )]
    TooLong,
}

/// Follows the lines of an event stream.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent fact about the stream")]
pub struct EventScanner {
    /// The first bytes of the current line, enough to tell `event: endpoint`.
    line: [u8; LINE_BYTES],
    line_len: usize,
    is_after_cr: bool,
    is_in_event: bool,
    pub(super) is_endpoint: bool,
    /// An event is named almost like `endpoint`, so that a lenient reader would take it for one.
    pub(super) is_lookalike: bool,
    is_past_start: bool,
}

/// Where an event ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct EventEnd {
    /// How far the event reaches, its blank line included.
    pub(super) at: usize,
    /// Whether it is named `endpoint`.
    pub(super) is_endpoint: bool,
}

impl EventScanner {
    /// Follows bytes that are passed on as they are.
    pub fn follow(&mut self, bytes: &[u8]) {
        let mut scanned = 0;
        while self.next_end(bytes, &mut scanned).is_some() {}
    }

    /// Whether the stream stands between two events; a comment alone is no event.
    pub fn is_between_events(&self) -> bool {
        !self.is_in_event && self.line_len == 0
    }

    /// Looks from `scanned` for the end of the current event.
    pub(super) fn next_end(&mut self, bytes: &[u8], scanned: &mut usize) -> Option<EventEnd> {
        loop {
            let rest = bytes.get(*scanned..)?;
            // The line feed of a CRLF whose CR ended the line already.
            if std::mem::take(&mut self.is_after_cr) {
                match rest.first() {
                    Some(b'\n') => {
                        *scanned += 1;
                        continue;
                    }
                    Some(_) => {}
                    None => {
                        self.is_after_cr = true;
                        return None;
                    }
                }
            }
            let Some(length) = memchr::memchr2(b'\r', b'\n', rest) else {
                self.remember(rest);
                *scanned = bytes.len();
                return None;
            };
            let (line, end) = rest.split_at_checked(length)?;
            self.remember(line);
            self.is_after_cr = end.first() == Some(&b'\r');
            *scanned += length + 1;
            if self.end_line() {
                // Take the line feed along when it is here, so that an event keeps its own end.
                if self.is_after_cr && bytes.get(*scanned) == Some(&b'\n') {
                    self.is_after_cr = false;
                    *scanned += 1;
                }
                let is_endpoint = std::mem::take(&mut self.is_endpoint);
                return Some(EventEnd { at: *scanned, is_endpoint });
            }
        }
    }

    fn remember(&mut self, line: &[u8]) {
        if let Some(free) = self.line.get_mut(self.line_len..) {
            free.iter_mut().zip(line).for_each(|(to, from)| *to = *from);
        }
        self.line_len = self.line_len.saturating_add(line.len());
    }

    /// Ends the current line; true when it was the blank one that ends an event.
    fn end_line(&mut self) -> bool {
        let length = std::mem::take(&mut self.line_len);
        let is_cut = length > LINE_BYTES;
        let line = self.line.get(..length.min(LINE_BYTES)).unwrap_or_default();
        let line = if self.is_past_start { line } else { without_bom(line) };
        self.is_past_start = true;
        if length == 0 {
            self.is_in_event = false;
            return true;
        }
        self.is_in_event |= line.first() != Some(&b':');
        if let Some(value) = field(line, b"event") {
            // A later `event` field replaces an earlier one.
            self.is_endpoint = value == b"endpoint" && !is_cut;
            let name = value.trim_ascii().get(..b"endpoint".len()).unwrap_or_default();
            let is_longer = value.trim_ascii().len() > b"endpoint".len();
            let is_alike = name.eq_ignore_ascii_case(b"endpoint") && !is_longer;
            self.is_lookalike |= is_alike && !self.is_endpoint;
        }
        false
    }
}

/// The value of a line's field, when the line has this name.
pub(super) fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    match line.strip_prefix(name)? {
        [] => Some(&[]),
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        _ => None,
    }
}

/// The lines of an event with their ends.
pub(super) fn lines(event: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = event;
    std::iter::from_fn(move || {
        let length = memchr::memchr2(b'\r', b'\n', rest).map_or(rest.len(), |at| {
            let is_crlf = rest.get(at..at + 2) == Some(b"\r\n");
            at + 1 + usize::from(is_crlf)
        });
        let (line, after) = rest.split_at_checked(length)?;
        rest = after;
        (!line.is_empty()).then_some(line)
    })
}

/// A line without its end.
pub(super) fn without_end(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n'));
    line.get(..end.map_or(0, |last| last + 1)).unwrap_or_default()
}

/// A line without the byte order mark that may stand at the beginning of a stream.
pub(super) fn without_bom(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
}

/// Room for a byte order mark and `event: endpoint`, with a byte more to tell longer lines.
const LINE_BYTES: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scanner_knows_when_it_stands_between_events() {
        let mut scanner = EventScanner::default();
        for (bytes, is_between) in [
            ("data: x", false),
            ("\n", false),
            ("\n", true),
            ("data: y\r\n", false),
            ("\r", true),
            ("\n", true),
            (": comment\n", true),
            ("\n", true),
        ] {
            scanner.follow(bytes.as_bytes());
            assert_eq!(scanner.is_between_events(), is_between, "{bytes:?}");
        }
    }
}
