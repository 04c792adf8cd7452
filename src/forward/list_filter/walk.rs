//! The walk over a message: it finds the lists and notes what must change.

use std::{ops::Range, sync::Arc};

use super::{FilterError, ListFilter, ListKind, RequestId, View, edits::Edits, item::Item};
use crate::jsonrpc::{
    message::MessageFault,
    names::Names,
    scanner::{Fault, Kind, Scanner},
};

/// Walks over one body.
pub(super) struct Walk<'f> {
    filter: &'f ListFilter,
    /// Of whoever asked for the message at hand.
    view: Arc<View>,
    /// Whether there is one message, and no array of them.
    is_alone: bool,
    edits: Edits,
}

/// What a message is.
#[derive(Default)]
struct Envelope<'t> {
    id: Option<&'t str>,
    /// Whether it is something else than a result.
    is_other: bool,
    /// Whether it has a list where a message has none.
    has_list: bool,
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

impl<'f> Walk<'f> {
    /// What must change in a body: a message, or an array of them.
    pub(super) fn read(filter: &'f ListFilter, text: &str) -> Result<Edits, FilterError> {
        let view = Arc::clone(&filter.view);
        let mut scanner = Scanner::passing_halves(text);
        let is_alone = scanner.kind()? != Kind::Array;
        let mut walk = Self { filter, view, is_alone, edits: Edits::default() };
        if is_alone {
            walk.message(&mut scanner)?;
        } else {
            scanner.array(|scanner| walk.message(scanner))?;
        }
        scanner.end()?;
        Ok(walk.edits)
    }

    fn message(&mut self, scanner: &mut Scanner<'_>) -> Result<(), FilterError> {
        if scanner.kind()? != Kind::Object {
            return invalid("a message is no object");
        }
        let noted = self.turn_to_asker(scanner);
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
                name => {
                    envelope.has_list |= LISTS.iter().any(|list| name.eq_ignore_ascii_case(list));
                    envelope.has_more = true;
                    scanner.skip_value()?;
                }
            }
            Ok(())
        })?;
        let Some(found) = envelope.result else {
            // Whoever takes it for the answer reads what nobody filtered. A greeting on an open stream
            // answers nobody.
            let is_greeting = self.filter.elsewhere.is_some()
                && self.is_alone
                && !envelope.has_list
                && envelope.id.is_none();
            let is_none = envelope.has_more && !envelope.is_other && !is_greeting;
            return if is_none { invalid("neither result, error nor method") } else { Ok(()) };
        };
        if envelope.is_other {
            return invalid("a result that is something else as well");
        }
        let id = envelope.id.and_then(RequestId::read);
        let asked = self.filter.asked.iter().filter(|(asked, _)| Some(asked) == id.as_ref());
        let mut kinds = asked.map(|(_, kind)| *kind).chain(noted);
        if kinds.any(|kind| !found.is_object || found.no_lists.contains(&kind)) {
            return invalid("the list that was asked for is no array");
        }
        Ok(())
    }

    /// Filters the message that comes next for whoever asked for it, and says for which list that
    /// was, where others ask for what is answered here.
    fn turn_to_asker(&mut self, scanner: &Scanner<'_>) -> Option<ListKind> {
        let (view, kind) = self.filter.elsewhere.as_ref()?.asker(|| id_ahead(scanner.clone()));
        self.view = view.unwrap_or_else(|| Arc::clone(&self.filter.view));
        kind
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
                (Some(kind), _) if self.view.concerns(kind) => {
                    is_filtered |= self.view.sight.filters(kind.object());
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
        match (ttl, self.view.milliseconds_left()) {
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
            let item = Item::read(scanner, kind, self.view.annotates(kind))?;
            let end = scanner.position();
            if !self.view.hides(kind, &item.key) {
                if let Some(from) = hidden_from.take() {
                    self.edits.cut(from..start);
                }
                is_any_kept = true;
                if self.view.annotates(kind) {
                    let needed = self.view.sight.needed_scopes(&item.key);
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

/// The `id` of the message that comes next; what is wrong with it is found when it is read.
fn id_ahead(mut scanner: Scanner<'_>) -> Option<RequestId> {
    let mut id = None;
    let read: Result<(), Fault> = scanner.object(|scanner, name| {
        let value = scanner.value()?;
        if name.is("id") {
            id = RequestId::read(value);
        }
        Ok(())
    });
    read.ok().and(id)
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

/// The members of a result that hold lists.
const LISTS: [&str; 4] = ["prompts", "resources", "resourceTemplates", "tools"];
