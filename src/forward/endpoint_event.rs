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

use bytes::{Bytes, BytesMut};

use super::event_stream::{EventError, EventScanner, field, lines, without_bom, without_end};

/// Cuts a stream into events and rewrites those named `endpoint`.
#[derive(Debug, Default)]
pub struct EndpointRewriter {
    held: BytesMut,
    /// How many bytes of `held` have been looked at.
    scanned: usize,
    scanner: EventScanner,
    is_passing_long_event: bool,
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

/// Replaces the URL in an `endpoint` event, keeping everything around it.
fn rewrite_event(
    event: &[u8],
    rewrite: &mut impl FnMut(&str) -> Option<String>,
) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(event.len() + 256);
    let mut has_data = false;
    for line in lines(event) {
        let content = without_end(line);
        match field(without_bom(content), b"data") {
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
}
