//! Rewriting the `endpoint` event of the HTTP+SSE transport (revision 2024-11-05).
//!
//! 1. Every event named `endpoint` on a GET stream is rewritten: the URL it names must be on the
//!    upstream's own origin, and the client sees our sealed reference instead.
//! 2. An event is held until it is whole, up to 64 KiB; a longer one is passed on as it comes and
//!    may not turn out to be an `endpoint` event at its end.
//! 3. An event named almost like it (other case, more white space) ends the stream: some clients
//!    are lenient enough to take it for one.
//! 4. Every other event keeps its bytes: line ends, comments, ids, order.
//! 5. A stream that ends inside an event ends as an error.
//!
//! Line ends are CR, LF or CRLF, as the server-sent events specification has them.

use bytes::{Bytes, BytesMut};

/// Cuts a stream into events and rewrites those named `endpoint`.
#[derive(Debug, Default)]
pub struct EndpointRewriter {
    held: BytesMut,
    /// How many bytes of `held` have been looked at.
    scanned: usize,
    scanner: EventScanner,
    is_passing_long_event: bool,
}

/// Why a stream of events cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The stream ended inside an event.
    #[error("the upstream's event stream was cut inside an event")]
    Cut,
    /// An `endpoint` event is malformed, too long, or names another origin.
    #[error("the upstream named a message endpoint that is not its own")]
    Endpoint,
}

impl EndpointRewriter {
    /// Takes the next bytes; returns what may be passed on now, perhaps nothing.
    ///
    /// `rewrite` turns the URL of an `endpoint` event into the one the client sees.
    pub fn push(
        &mut self,
        chunk: &[u8],
        mut rewrite: impl FnMut(&str) -> Option<String>,
    ) -> Result<Bytes, EventError> {
        self.held.extend_from_slice(chunk);
        let mut out = BytesMut::new();
        while let Some(end) = self.scanner.next_end(&self.held, &mut self.scanned) {
            let event = self.held.split_to(end.at);
            self.scanned = 0;
            match (end.is_endpoint, std::mem::take(&mut self.is_passing_long_event)) {
                (true, true) => return Err(EventError::Endpoint),
                (true, false) => {
                    let rewritten = rewrite_event(&event, &mut rewrite);
                    out.extend_from_slice(&rewritten.ok_or(EventError::Endpoint)?);
                }
                (false, _) if out.is_empty() => out = event,
                (false, _) => out.unsplit(event),
            }
        }
        if self.scanner.is_lookalike {
            return Err(EventError::Endpoint);
        }
        // Comments, and the line feed of a CRLF that was cut, belong to no event: nothing to hold.
        let is_no_event = self.scanner.is_between_events();
        if is_no_event || self.is_passing_long_event || self.held.len() > MAX_HELD_BYTES {
            if self.scanner.is_endpoint {
                return Err(EventError::Endpoint);
            }
            self.is_passing_long_event = !is_no_event;
            self.scanned = 0;
            out.unsplit(self.held.split());
        }
        Ok(out.freeze())
    }

    /// Whether the stream stands between two events.
    pub fn is_between_events(&self) -> bool {
        self.held.is_empty() && self.scanner.is_between_events()
    }
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
    is_endpoint: bool,
    /// An event is named almost like `endpoint`, so that a lenient reader would take it for one.
    is_lookalike: bool,
    is_past_start: bool,
}

#[derive(Clone, Copy, Debug)]
struct EventEnd {
    at: usize,
    is_endpoint: bool,
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
    fn next_end(&mut self, bytes: &[u8], scanned: &mut usize) -> Option<EventEnd> {
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
        let line = if self.is_past_start { line } else { line.strip_prefix(BOM).unwrap_or(line) };
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
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    match line.strip_prefix(name)? {
        [] => Some(&[]),
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        _ => None,
    }
}

/// Replaces the URL in an `endpoint` event, keeping everything around it.
fn rewrite_event(
    event: &[u8],
    rewrite: &mut impl FnMut(&str) -> Option<String>,
) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(event.len() + 256);
    let mut has_data = false;
    for line in lines(event) {
        let content = line.trim_ascii_end_of_line();
        match field(content.strip_prefix(BOM).unwrap_or(content), b"data") {
            Some(_) if std::mem::replace(&mut has_data, true) => return None,
            Some(url) => {
                let url = std::str::from_utf8(url).ok().filter(|url| url.len() <= MAX_URL_BYTES)?;
                out.extend_from_slice(b"data: ");
                out.extend_from_slice(rewrite(url)?.as_bytes());
                out.extend_from_slice(line.get(content.len()..)?);
            }
            None => out.extend_from_slice(line),
        }
    }
    has_data.then_some(out)
}

/// The lines of an event with their ends.
fn lines(event: &[u8]) -> impl Iterator<Item = &[u8]> {
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

trait LineExt {
    fn trim_ascii_end_of_line(&self) -> &[u8];
}

impl LineExt for [u8] {
    fn trim_ascii_end_of_line(&self) -> &[u8] {
        let end = self.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n'));
        self.get(..end.map_or(0, |last| last + 1)).unwrap_or_default()
    }
}

const BOM: &[u8] = b"\xef\xbb\xbf";
/// Room for a byte order mark and `event: endpoint`, with a byte more to tell longer lines.
const LINE_BYTES: usize = 24;
const MAX_HELD_BYTES: usize = 64 * 1024;
const MAX_URL_BYTES: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// Pushes in pieces of `size` and returns everything passed on.
    fn pass(input: &[u8], size: usize) -> Result<Vec<u8>, EventError> {
        let mut rewriter = EndpointRewriter::default();
        let mut out = Vec::new();
        for piece in input.chunks(size) {
            let rewrite = |url: &str| (!url.contains("evil")).then(|| format!("<{url}>"));
            out.extend_from_slice(&rewriter.push(piece, rewrite)?);
        }
        assert!(rewriter.is_between_events(), "{:?} is held", rewriter.held);
        Ok(out)
    }

    #[test]
    fn endpoint_event_is_rewritten_however_it_is_cut_and_ended() {
        for end in ["\n", "\r", "\r\n"] {
            let text = |url: &str| {
                [": hi", "", "event: endpoint", url, "id: 1", "", "data: x", "", ""].join(end)
            };
            for size in 1..text("data: /m?s=1").len() {
                let out = pass(text("data: /m?s=1").as_bytes(), size).unwrap();
                assert_eq!(
                    String::from_utf8(out).unwrap(),
                    text("data: </m?s=1>"),
                    "{size} {end:?}"
                );
            }
        }
    }

    #[test]
    fn name_may_stand_in_any_form_and_place() {
        for (event, rewritten) in [
            ("data:/m\nevent:endpoint\n\n", "data: </m>\nevent:endpoint\n\n"),
            (
                "event: x\nevent: endpoint\ndata: /m\n\n",
                "event: x\nevent: endpoint\ndata: </m>\n\n",
            ),
            ("\u{feff}event: endpoint\ndata: /m\n\n", "\u{feff}event: endpoint\ndata: </m>\n\n"),
        ] {
            assert_eq!(pass(event.as_bytes(), 3).unwrap(), rewritten.as_bytes());
        }
        for event in [
            "event: endpoint\nevent: message\ndata: /m\n\n",
            "event: endpoints\ndata: /m\n\n",
            "data: event: endpoint\n\n",
            "event: endpoint\nevent: a-name-longer-than-the-line-that-is-kept\ndata: /m\n\n",
        ] {
            assert_eq!(pass(event.as_bytes(), 5).unwrap(), event.as_bytes());
        }
    }

    #[test]
    fn foreign_missing_or_doubled_endpoint_ends_the_stream() {
        for event in [
            "event: endpoint\ndata: http://evil/\n\n".to_owned(),
            "event: endpoint\n\n".to_owned(),
            "event:  endpoint\ndata: /m\n\n".to_owned(),
            "event: endpoint \ndata: /m\n\n".to_owned(),
            "event: Endpoint\ndata: /m\n\n".to_owned(),
            "event: endpoint\ndata: /a\ndata: /b\n\n".to_owned(),
            format!("event: endpoint\ndata: /{}\n\n", "a".repeat(MAX_URL_BYTES)),
            format!("data: {}\nevent: endpoint\n\n", "a".repeat(MAX_HELD_BYTES)),
            format!("event: endpoint\ndata: {}\n\n", "a".repeat(MAX_HELD_BYTES)),
        ] {
            assert_eq!(pass(event.as_bytes(), 1000), Err(EventError::Endpoint));
        }
    }

    #[test]
    fn long_event_is_passed_on_as_it_comes() {
        let event = format!("data: {}\n\ndata: y\n\n", "a".repeat(3 * MAX_HELD_BYTES));
        let mut rewriter = EndpointRewriter::default();
        let (first, rest) = event.as_bytes().split_at(MAX_HELD_BYTES + 1);
        assert_eq!(rewriter.push(first, |_| None).unwrap().len(), first.len());
        assert!(!rewriter.is_between_events());
        assert_eq!(rewriter.push(rest, |_| None).unwrap().len(), rest.len());
        assert!(rewriter.is_between_events());
        assert_eq!(pass(event.as_bytes(), 777).unwrap(), event.as_bytes());
    }

    #[test]
    fn line_feed_that_comes_apart_from_its_carriage_return_is_passed_on() {
        let mut rewriter = EndpointRewriter::default();
        for piece in ["data: x\r\n\r", "\n", "event: endpoint\r\ndata: /m\r\n\r", "\n: hi\r\n\r\n"]
        {
            rewriter.push(piece.as_bytes(), |_| Some("/r".to_owned())).unwrap();
            assert!(rewriter.is_between_events(), "{piece:?}");
        }
        assert_eq!(*rewriter.push(b"\n", |_| None).unwrap(), *b"\n");
    }

    #[test]
    fn comments_pass_at_once() {
        let mut rewriter = EndpointRewriter::default();
        for comment in [":\n", ": ping\r\n", ": a comment that is longer than what is kept of it\n"]
        {
            let passed = rewriter.push(comment.as_bytes(), |_| None).unwrap();
            assert_eq!(passed, comment.as_bytes());
            assert!(rewriter.is_between_events());
        }
        assert!(rewriter.push(b"data: x\n", |_| None).unwrap().is_empty());
    }

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
