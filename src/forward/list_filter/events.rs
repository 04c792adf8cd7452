//! Filtering the lists that come as server-sent events.
//!
//! 1. An event named `message`, or without name, holds a message in its data. Some readers are
//!    lenient about names: what one of them could take for such an event is one.
//! 2. Every other event keeps its bytes, and so does one with nothing to hide. A changed one keeps
//!    its other lines; its data stand on one.
//! 3. An event passes as soon as it is whole; one that is too long, or cannot be understood, ends
//!    the stream.

use std::{borrow::Cow, sync::Arc};

use bytes::{Bytes, BytesMut};

use super::{FilterError, ListFilter, asked::AskedLists};
use crate::{
    forward::event_stream::{EventError, EventScanner, lines, without_bom, without_end},
    jsonrpc::message::MessageFault,
    limits::buffer::{Charge, Room},
};

/// Cuts a stream into events and filters those that hold lists.
#[derive(Debug)]
pub struct EventFilter {
    filter: ListFilter,
    held: BytesMut,
    /// How many bytes of `held` have been looked at.
    scanned: usize,
    scanner: EventScanner,
    is_past_start: bool,
    /// Counts what is held, where that is much.
    charge: Option<Charge>,
}

/// What a line says.
enum Line<'a> {
    Data(&'a [u8]),
    Event(&'a [u8]),
    /// A field that only lenient readers take for `event`.
    EventLookalike,
    Other,
}

impl EventFilter {
    /// Filters a stream from its beginning.
    pub fn new(filter: ListFilter) -> Self {
        let scanner = EventScanner::default();
        Self {
            filter,
            held: BytesMut::new(),
            scanned: 0,
            scanner,
            is_past_start: false,
            charge: None,
        }
    }

    /// Counts what it holds.
    #[must_use]
    pub fn within(self, room: &Room) -> Self {
        Self { charge: Some(room.nothing()), ..self }
    }

    /// Others ask there for what is answered on this stream, from now on.
    pub(in crate::forward) fn join(&mut self, elsewhere: Arc<AskedLists>) {
        self.filter.join(elsewhere);
    }

    fn count(&mut self, bytes: usize) -> Result<(), FilterError> {
        let counted = if bytes > MAX_UNCOUNTED_BYTES { bytes } else { 0 };
        self.charge.as_mut().map_or(Ok(()), |charge| charge.grow_to(counted)).map_err(Into::into)
    }

    /// Takes the next bytes; returns what may be passed on now, perhaps nothing.
    pub fn push(&mut self, chunk: &[u8]) -> Result<Bytes, EventError> {
        self.count(self.held.len() + chunk.len())?;
        self.held.extend_from_slice(chunk);
        let mut out = BytesMut::new();
        while let Some(end) = self.scanner.next_end(&self.held, &mut self.scanned) {
            let event = self.held.split_to(end.at);
            self.scanned = 0;
            let is_first = !std::mem::replace(&mut self.is_past_start, true);
            if event.len() > MAX_EVENT_BYTES {
                return Err(EventError::TooLong);
            }
            match filter_event(&self.filter, &event, is_first)? {
                Some(filtered) => out.extend_from_slice(&filtered),
                None => out.unsplit(event),
            }
        }
        // Comments, and the line feed of a CRLF that was cut, belong to no event: nothing to hold.
        if self.scanner.is_between_events() && !self.held.is_empty() {
            self.is_past_start = true;
            self.scanned = 0;
            out.unsplit(self.held.split());
        }
        if self.held.len() > MAX_EVENT_BYTES {
            return Err(EventError::TooLong);
        }
        self.count(self.held.len())?;
        Ok(out.freeze())
    }

    /// Whether the stream stands between two events.
    pub fn is_between_events(&self) -> bool {
        self.held.is_empty() && self.scanner.is_between_events()
    }
}

/// The event without what is hidden; `None` when it passes as it is.
fn filter_event(
    filter: &ListFilter,
    event: &[u8],
    is_first: bool,
) -> Result<Option<Vec<u8>>, FilterError> {
    let mut data = Vec::new();
    let (mut is_named, mut is_message) = (false, false);
    let mut may_have_mark = is_first;
    for line in lines(event) {
        match Line::read(line, std::mem::take(&mut may_have_mark))? {
            Line::Data(value) => data.push(value),
            Line::Event(name) => {
                let name = name.trim_ascii();
                is_named = true;
                is_message |= name.is_empty() || name.eq_ignore_ascii_case(b"message");
            }
            Line::EventLookalike => is_message = true,
            Line::Other => {}
        }
    }
    // Without data an event does not exist.
    let has_data = data.iter().any(|value| !value.trim_ascii().is_empty());
    if !has_data || (is_named && !is_message) {
        return Ok(None);
    }
    let message: Cow<'_, [u8]> = match data.as_slice() {
        [only] => Cow::Borrowed(only),
        lines => Cow::Owned(lines.join(&b'\n')),
    };
    let Some(filtered) = filter.json(&message)? else { return Ok(None) };
    Ok(Some(rewritten(event, &filtered, is_first)))
}

/// The event with other data, on one line where the first one stood.
fn rewritten(event: &[u8], data: &[u8], is_first: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(event.len() + 64);
    let (mut may_have_mark, mut has_data) = (is_first, false);
    for line in lines(event) {
        let may_have_mark = std::mem::take(&mut may_have_mark);
        if !matches!(Line::read(line, may_have_mark), Ok(Line::Data(_))) {
            out.extend_from_slice(line);
            continue;
        }
        let content = without_end(line);
        if may_have_mark && without_bom(content).len() < content.len() {
            out.extend_from_slice(BOM);
        }
        if std::mem::replace(&mut has_data, true) {
            continue;
        }
        out.extend_from_slice(b"data: ");
        // Within strings they are escaped: these are white space.
        let is_break = |byte: &u8| matches!(byte, b'\r' | b'\n');
        out.extend(data.iter().map(|byte| if is_break(byte) { b' ' } else { *byte }));
        out.extend_from_slice(line.get(content.len()..).unwrap_or_default());
    }
    out
}

impl<'a> Line<'a> {
    fn read(line: &'a [u8], may_have_mark: bool) -> Result<Self, FilterError> {
        let content = without_end(line);
        let content = if may_have_mark { without_bom(content) } else { content };
        let (name, value) = match memchr::memchr(b':', content) {
            Some(colon) => {
                let (name, value) = content.split_at_checked(colon).unwrap_or_default();
                (name, value.get(1..).unwrap_or_default())
            }
            None => (content, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        if name == b"data" {
            return Ok(Self::Data(value));
        }
        if name == b"event" {
            return Ok(Self::Event(value));
        }
        let looks_like = |known: &[u8]| {
            let is_seen = |byte: &&u8| byte.is_ascii_graphic();
            let seen = name.iter().filter(is_seen).map(u8::to_ascii_lowercase);
            seen.eq(known.iter().copied())
        };
        if looks_like(b"data") {
            return Err(MessageFault::Invalid("a field that looks like data").into());
        }
        // JSON in the name of an event stream: no field, so that nobody need look for a list in it.
        if name.iter().any(|byte| matches!(byte, b'"' | b'[' | b'{')) {
            return Err(MessageFault::Invalid("a line that is no field").into());
        }
        Ok(if looks_like(b"event") { Self::EventLookalike } else { Self::Other })
    }
}

const BOM: &[u8] = b"\xef\xbb\xbf";

/// How long an event may be where lists are filtered.
pub const MAX_EVENT_BYTES: usize = 8 * 1024 * 1024;

/// Most events are short: what is held of them is not worth counting.
const MAX_UNCOUNTED_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests;
