//! The walk over a message: it finds the lists and notes what must change.

use std::ops::Range;

use super::{Exchange, FilterError, ListKind, RequestId, edits::Edits, item::Item};
use crate::jsonrpc::{
    message::MessageFault,
    names::Names,
    scanner::{Kind, Scanner},
};

/// Walks over one body.
pub(super) struct Walk<'e> {
    exchange: &'e Exchange,
    edits: Edits,
}

/// What a message is.
#[derive(Default)]
struct Envelope<'t> {
    id: Option<&'t str>,
    /// Whether it is something else than a result.
    is_other: bool,
    /// Whether it has members that no message needs.
    has_more: bool,
    result: Option<Found>,
}

/// What a result holds.
#[derive(Default)]
struct Found {
    is_object: bool,
    /// Members with the name of a list that are none.
    no_lists: Vec<ListKind>,
}

/// What a result says of caching, and where.
#[derive(Default)]
struct Hints {
    /// `cacheScope`
    scope: Option<Range<usize>>,
    /// `ttlMs`, and its value when it is a number.
    ttl: Option<(Range<usize>, Option<f64>)>,
    /// Whether the revision has hints in every list.
    is_expected: bool,
}

impl<'e> Walk<'e> {
    /// What must change in a body: a message, or an array of them.
    pub(super) fn read(exchange: &'e Exchange, text: &str) -> Result<Edits, FilterError> {
        let mut walk = Self { exchange, edits: Edits::default() };
        let mut scanner = Scanner::passing_halves(text);
        if scanner.kind()? == Kind::Array {
            scanner.array(|scanner| walk.message(scanner))?;
        } else {
            walk.message(&mut scanner)?;
        }
        scanner.end()?;
        Ok(walk.edits)
    }

    fn message(&mut self, scanner: &mut Scanner<'_>) -> Result<(), FilterError> {
        if scanner.kind()? != Kind::Object {
            return invalid("a message is no object");
        }
        let mut envelope = Envelope::default();
        members(scanner, &ENVELOPE, |scanner, name| {
            match name {
                "id" => envelope.id = Some(scanner.value()?),
                "result" => envelope.result = Some(self.result(scanner)?),
                "error" | "method" => {
                    envelope.is_other = true;
                    scanner.skip_value()?;
                }
                "jsonrpc" => scanner.skip_value()?,
                _ => {
                    envelope.has_more = true;
                    scanner.skip_value()?;
                }
            }
            Ok(())
        })?;
        let Some(found) = envelope.result else {
            // Whoever reads a list in it reads what nobody filtered.
            let is_none = envelope.has_more && !envelope.is_other;
            return if is_none { invalid("neither result, error nor method") } else { Ok(()) };
        };
        if envelope.is_other {
            return invalid("a result that is something else as well");
        }
        let id = envelope.id.and_then(RequestId::read);
        let mut asked = self.exchange.asked.iter().filter(|(asked, _)| Some(asked) == id.as_ref());
        if asked.any(|(_, kind)| !found.is_object || found.no_lists.contains(kind)) {
            return invalid("the list that was asked for is no array");
        }
        Ok(())
    }

    fn result(&mut self, scanner: &mut Scanner<'_>) -> Result<Found, FilterError> {
        let mut found = Found::default();
        if scanner.kind()? != Kind::Object {
            scanner.skip_value()?;
            return Ok(found);
        }
        found.is_object = true;
        let mut hints = Hints::default();
        let mut is_filtered = false;
        members(scanner, &RESULT, |scanner, name| {
            match (ListKind::of_member(name), name) {
                (Some(kind), _) if scanner.kind()? != Kind::Array => {
                    found.no_lists.push(kind);
                    scanner.skip_value()?;
                }
                (Some(kind), _) if self.exchange.concerns(kind) => {
                    is_filtered |= self.exchange.sight.filters(kind.object());
                    self.list(scanner, kind)?;
                }
                (None, "cacheScope") => hints.scope = Some(span(scanner)?),
                (None, "ttlMs") => {
                    let is_number = scanner.kind()? == Kind::Number;
                    let start = scanner.position();
                    let number = scanner.value()?.parse().ok().filter(|_| is_number);
                    hints.ttl = Some((start..scanner.position(), number));
                }
                (None, "resultType") => {
                    hints.is_expected = true;
                    scanner.skip_value()?;
                }
                _ => scanner.skip_value()?,
            }
            Ok(())
        })?;
        if is_filtered {
            self.restrict_caching(hints, scanner.position() - 1);
        }
        Ok(found)
    }

    /// `close`: where the result's closing brace stands.
    fn restrict_caching(&mut self, hints: Hints, close: usize) {
        match hints.scope {
            Some(place) => self.edits.replace(place, PRIVATE),
            None if hints.is_expected || hints.ttl.is_some() => {
                self.edits.insert(close, format!(r#","cacheScope":{PRIVATE}"#));
            }
            None => {}
        }
        let Some((place, ttl)) = hints.ttl else { return };
        match (ttl, self.exchange.milliseconds_left()) {
            (None, _) => self.edits.replace(place, "0"),
            (Some(ttl), Some(left)) if ttl > left => {
                self.edits.replace(place, format!("{left:.0}"));
            }
            (Some(_), _) => {}
        }
    }

    fn list(&mut self, scanner: &mut Scanner<'_>, kind: ListKind) -> Result<(), FilterError> {
        let mut is_any_kept = false;
        // Where hidden items begin that no item comes before.
        let mut hidden_from = None;
        let mut end_before = 0;
        scanner.array(|scanner| {
            if scanner.kind()? != Kind::Object {
                return invalid("an item of a list is no object");
            }
            let start = scanner.position();
            let item = Item::read(scanner, kind, self.exchange.annotates(kind))?;
            let end = scanner.position();
            if !self.exchange.hides(kind, &item.key) {
                if let Some(from) = hidden_from.take() {
                    self.edits.cut(from..start);
                }
                is_any_kept = true;
                if self.exchange.annotates(kind) {
                    let needed = self.exchange.sight.needed_scopes(&item.key);
                    item.annotate(&needed.unwrap_or_default(), &mut self.edits)?;
                }
            } else if is_any_kept {
                // With the comma before it.
                self.edits.cut(end_before..end);
            } else {
                hidden_from.get_or_insert(start);
            }
            end_before = end;
            Ok(())
        })?;
        if let Some(from) = hidden_from {
            self.edits.cut(from..end_before);
        }
        Ok(())
    }
}

/// Reads an object of whose members the known ones must not be mistaken.
pub(super) fn members<'t>(
    scanner: &mut Scanner<'t>,
    known: &[&str],
    mut member: impl FnMut(&mut Scanner<'t>, &str) -> Result<(), FilterError>,
) -> Result<(), FilterError> {
    let mut names = Names::new(known);
    scanner.object(|scanner, name| {
        let name = name.value();
        names.add_known(&name)?;
        member(scanner, &name)
    })
}

/// Passes over a value and says where it stands.
pub(super) fn span(scanner: &mut Scanner<'_>) -> Result<Range<usize>, FilterError> {
    scanner.kind()?;
    let start = scanner.position();
    scanner.skip_value()?;
    Ok(start..scanner.position())
}

/// Refuses what could be read in several ways.
pub(super) fn invalid<T>(why: &'static str) -> Result<T, FilterError> {
    Err(MessageFault::Invalid(why).into())
}

const ENVELOPE: [&str; 4] = ["id", "result", "error", "method"];
const RESULT: [&str; 9] = [
    "tools",
    "prompts",
    "resources",
    "resourceTemplates",
    "nextCursor",
    "_meta",
    "cacheScope",
    "ttlMs",
    "resultType",
];
const PRIVATE: &str = r#""private""#;
