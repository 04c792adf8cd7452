//! The spans of one request, before they are written as OTLP.

use std::time::{Duration, Instant};

use super::context::TraceContext;

/// What was recorded of one request.
#[derive(Debug)]
pub struct Recorded {
    /// The trace they all belong to.
    pub trace_id: u128,
    /// The request's own span first, then its children.
    pub spans: Vec<Span>,
}

/// One piece of work.
#[derive(Debug)]
pub struct Span {
    /// Its id; not zero.
    pub id: u64,
    /// Whose child it is.
    pub parent: Option<Parent>,
    /// Another span that has to do with it.
    pub link: Option<TraceContext>,
    /// What was done.
    pub name: Box<str>,
    /// From whose side.
    pub kind: Kind,
    /// When, in nanoseconds since the Unix epoch.
    pub start: u64,
    /// When it was done.
    pub end: u64,
    /// What else is known.
    pub attributes: Vec<(&'static str, Value)>,
    /// Whether it failed.
    pub is_error: bool,
}

/// The parent of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parent {
    /// A span of this process.
    Own(u64),
    /// The caller's.
    Remote(u64),
}

/// From whose side a span is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of who asks somebody else.
    Client,
    /// Within the process.
    Internal,
    /// Of who answers.
    Server,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A truth.
    Flag(bool),
    /// A number.
    Number(i64),
    /// A text.
    Text(Box<str>),
    /// A text of ours.
    Word(&'static str),
}

/// Turns moments into times of day: those that one reading of both clocks gives them.
#[derive(Clone, Copy, Debug)]
pub struct Calendar {
    /// A moment.
    pub instant: Instant,
    /// Its seconds since the Unix epoch.
    pub unix_seconds: f64,
}

impl Calendar {
    /// Nanoseconds since the Unix epoch at a moment that is not later.
    pub fn nanoseconds(self, at: Instant) -> u64 {
        let present = Duration::try_from_secs_f64(self.unix_seconds).unwrap_or_default();
        let ago = self.instant.saturating_duration_since(at);
        u64::try_from(present.saturating_sub(ago).as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The beginning of a text, as much of it as an attribute holds.
pub fn short(text: &str) -> Value {
    Value::Text(text.get(..text.floor_char_boundary(MAX_TEXT_BYTES)).unwrap_or_default().into())
}

/// Bytes of a text from a request; names of tools are shorter, and nothing longer is a name.
const MAX_TEXT_BYTES: usize = 128;
