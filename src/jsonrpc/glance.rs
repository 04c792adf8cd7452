//! A glance at a JSON-RPC request: for the log, the trace and the `id` of a refusal, never for a decision
//! about what is allowed.
//!
//! 1. What is ambiguous (members twice, a batch, something that is no object) is left empty.
//! 2. The `id` is kept as the text it was written in: numbers keep their form.
//! 3. Nothing is copied that stands in the body as it is meant.
//! 4. Whether the answer may be a subscription's is said the other way about: only a body that names
//!    another method, in one way that everybody reads alike, is sure not to ask for one.

use std::ops::Range;

use bytes::Bytes;

use super::{
    scanner::{Fault, Kind, Scanner, Text},
    watch::is_read_as_method,
};

/// What a look at a POST body showed.
#[derive(Clone, Debug, Default)]
pub struct Glance {
    body: Bytes,
    found: Found,
    may_be_listening: bool,
}

#[derive(Clone, Debug, Default)]
struct Found {
    method_seen: MethodSeen,
    id: Option<Range<usize>>,
    method: Option<Words>,
    name: Option<Words>,
    traceparent: Option<Words>,
    tracestate: Option<Words>,
}

/// What the names of the outermost members say about `method`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum MethodSeen {
    /// Somebody might read one that we do not.
    Doubtful,
    #[default]
    Never,
    Once,
}

/// A string that was read: its place in the body, or what it says if it was escaped there.
#[derive(Clone, Debug)]
enum Words {
    Own(Box<str>),
    Place(Range<usize>),
}

impl Glance {
    /// Looks at a whole body.
    pub fn at(body: &Bytes) -> Self {
        let Ok(text) = std::str::from_utf8(body) else { return Self::doubtful() };
        let mut found = Found::default();
        let mut scanner = Scanner::new(text);
        match found.read(&mut scanner).and_then(|()| Ok(scanner.end()?)) {
            Ok(()) => Self::of(body, text, found),
            Err(_) => Self::doubtful(),
        }
    }

    /// Looks at the first part of a longer body: without `id`, which may come again.
    ///
    /// What it says of `method` holds if [`Watch`](super::watch::Watch) is in no doubt about the
    /// whole.
    pub fn at_prefix(prefix: &Bytes) -> Self {
        let text = match std::str::from_utf8(prefix) {
            Ok(text) => text,
            // The cut may go through a character.
            Err(error) if error.error_len().is_none() => {
                let whole = prefix.get(..error.valid_up_to()).unwrap_or_default();
                std::str::from_utf8(whole).unwrap_or_default()
            }
            Err(_) => return Self::doubtful(),
        };
        let mut found = Found::default();
        let mut scanner = Scanner::new(text);
        // Mostly it breaks off somewhere; what came before says something only if that is the reason.
        let is_plain = match found.read(&mut scanner) {
            Ok(()) => scanner.end().is_ok(),
            Err(ambiguous) => ambiguous.is_cut,
        };
        found.id = None;
        if !is_plain {
            return Self::doubtful();
        }
        let is_yet_to_come = found.method.is_none();
        let glance = Self::of(prefix, text, found);
        Self { may_be_listening: glance.may_be_listening || is_yet_to_come, ..glance }
    }

    /// `text`: what of the body was read.
    fn of(body: &Bytes, text: &str, found: Found) -> Self {
        let method = || match found.method.as_ref()? {
            Words::Own(method) => Some(&**method),
            Words::Place(place) => text.get(place.clone()),
        };
        let may_be_listening = match found.method_seen {
            MethodSeen::Doubtful => true,
            MethodSeen::Never => false,
            MethodSeen::Once => method().is_none_or(is_read_as_listen),
        };
        Self { body: body.clone(), found, may_be_listening }
    }

    /// What says nothing in one way only.
    fn doubtful() -> Self {
        Self { may_be_listening: true, ..Self::default() }
    }

    /// Lets go of a body that is not short: what was found is kept, texts cut.
    pub fn let_go(&mut self) {
        let id = self.id().unwrap_or_default();
        if self.body.len() <= SHORT_BODY || id.len() > MAX_KEPT_BYTES {
            return;
        }
        let own = |words: &Option<Words>| {
            let text = self.words(words.as_ref()?)?;
            let kept = text.get(..text.floor_char_boundary(MAX_KEPT_BYTES)).unwrap_or_default();
            Some(Words::Own(kept.into()))
        };
        let found = Found {
            method_seen: self.found.method_seen,
            id: self.found.id.as_ref().map(|_| 0..id.len()),
            method: own(&self.found.method),
            name: own(&self.found.name),
            traceparent: own(&self.found.traceparent),
            tracestate: own(&self.found.tracestate),
        };
        self.body = Bytes::copy_from_slice(id.as_bytes());
        self.found = found;
    }

    /// The request's `id` as written, when it is one string or number.
    pub fn id(&self) -> Option<&str> {
        self.text(self.found.id.as_ref()?)
    }

    /// `method`.
    pub fn method(&self) -> Option<&str> {
        self.words(self.found.method.as_ref()?)
    }

    /// `params.name`, or `params.uri`.
    pub fn name(&self) -> Option<&str> {
        self.words(self.found.name.as_ref()?)
    }

    /// `params._meta.traceparent`: the span of its caller (MCP, SEP-414).
    pub fn traceparent(&self) -> Option<&str> {
        self.words(self.found.traceparent.as_ref()?)
    }

    /// `params._meta.tracestate`.
    pub fn tracestate(&self) -> Option<&str> {
        self.words(self.found.tracestate.as_ref()?)
    }

    /// Whether the answer may be a stream that never ends by itself (revision 2026-07-28).
    pub fn may_be_listening(&self) -> bool {
        self.may_be_listening
    }

    fn words<'a>(&'a self, words: &'a Words) -> Option<&'a str> {
        match words {
            Words::Own(text) => Some(text),
            Words::Place(place) => self.text(place),
        }
    }

    fn text(&self, place: &Range<usize>) -> Option<&str> {
        std::str::from_utf8(self.body.get(place.clone())?).ok()
    }
}

/// Up to here a body costs no more than what is kept of it.
const SHORT_BODY: usize = 8 * 1024;
/// More than is logged of any text.
const MAX_KEPT_BYTES: usize = 4096;

/// The text is not JSON, or has no one meaning.
struct Ambiguous {
    /// Nothing is wrong with it but that it breaks off.
    is_cut: bool,
}

impl From<Fault> for Ambiguous {
    fn from(fault: Fault) -> Self {
        Self { is_cut: fault == Fault::Cut }
    }
}

impl Found {
    /// Reads the envelope's members as they come.
    fn read(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Ambiguous> {
        let (mut id, mut method, mut params) = (false, false, false);
        scanner.object(|scanner, name| {
            if name.span().is_none() {
                self.method_seen = MethodSeen::Doubtful;
            }
            if name.is("id") {
                once(&mut id)?;
                let is_usable = matches!(scanner.kind()?, Kind::String | Kind::Number);
                let start = scanner.position();
                scanner.skip_value()?;
                self.id = is_usable.then_some(start..scanner.position());
            } else if name.is("method") {
                once(&mut method)?;
                if self.method_seen == MethodSeen::Never {
                    self.method_seen = MethodSeen::Once;
                }
                self.method = words(scanner)?;
            } else if name.is("params") {
                once(&mut params)?;
                self.read_params(scanner)?;
            } else {
                if is_read_as_method(&name.value()) {
                    self.method_seen = MethodSeen::Doubtful;
                }
                scanner.skip_value()?;
            }
            Ok(())
        })
    }

    /// Reads `params.name` or `params.uri`; params of another shape are passed over.
    fn read_params(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Ambiguous> {
        if scanner.kind()? != Kind::Object {
            return Ok(scanner.skip_value()?);
        }
        let (mut named, mut metas) = (0, 0);
        let read = scanner.object(|scanner, name| -> Result<(), Fault> {
            if name.is("name") || name.is("uri") {
                named += 1;
                self.name = words(scanner)?;
                Ok(())
            } else if name.is("_meta") && scanner.kind()? == Kind::Object {
                metas += 1;
                self.read_meta(scanner)
            } else {
                scanner.skip_value()
            }
        });
        if named > 1 {
            self.name = None;
        }
        if metas > 1 {
            (self.traceparent, self.tracestate) = (None, None);
        }
        Ok(read?)
    }

    /// Reads the trace context in `params._meta`.
    fn read_meta(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Fault> {
        let (mut parents, mut states) = (0, 0);
        let read = scanner.object(|scanner, name| -> Result<(), Fault> {
            if name.is("traceparent") {
                parents += 1;
                self.traceparent = words(scanner)?;
            } else if name.is("tracestate") {
                states += 1;
                self.tracestate = words(scanner)?;
            } else {
                scanner.skip_value()?;
            }
            Ok(())
        });
        if parents > 1 || states > 1 {
            (self.traceparent, self.tracestate) = (None, None);
        }
        read
    }
}

/// The string that comes next, if a string comes next.
fn words(scanner: &mut Scanner<'_>) -> Result<Option<Words>, Fault> {
    if scanner.kind()? != Kind::String {
        scanner.skip_value()?;
        return Ok(None);
    }
    let text = scanner.string()?;
    let own = |text: &Text<'_>| Words::Own(text.value().into());
    Ok(Some(text.span().map_or_else(|| own(&text), Words::Place)))
}

fn once(seen: &mut bool) -> Result<(), Ambiguous> {
    if std::mem::replace(seen, true) { Err(Ambiguous { is_cut: false }) } else { Ok(()) }
}

/// Whether somebody might read a method as that of a subscription.
fn is_read_as_listen(method: &str) -> bool {
    let letters = method.bytes().filter(u8::is_ascii_alphanumeric);
    letters.map(|byte| byte.to_ascii_lowercase()).eq(LISTEN.iter().copied())
}

const LISTEN: &[u8] = b"subscriptionslisten";

#[cfg(test)]
mod tests;
