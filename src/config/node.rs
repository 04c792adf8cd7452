//! From YAML text to a tree of nodes that know their place.
//!
//! 1. The tree is bounded: bytes, depth and number of nodes.
//! 2. One document. Anchors, aliases, merge keys, tags and directives are refused: a configuration
//!    that means what it shows needs none of them.
//! 3. Keys are scalars, and none is written twice in one mapping.
//! 4. A syntax error is reported alone, by its kind and place; its text is never quoted.
//!
//! It resolves no types: a scalar is its text and whether it was written plain. Nodes may hold
//! secrets and have no `Debug`.

use std::collections::HashSet;

use serde_yaml::granit_parser::{
    ErrorKind, Event, Marker, Options, Parser, ScalarStyle, ScanError, Span,
};

use super::problem::{Place, Report, join};

/// A value of the file.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) mark: Mark,
    pub(super) kind: Kind,
}

/// What a node is.
#[derive(Clone)]
pub(super) enum Kind {
    Mapping(Vec<Entry>),
    Scalar { text: String, is_plain: bool },
    Sequence(Vec<Node>),
}

/// A key with its value.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_mark: Mark,
    pub(super) value: Node,
}

/// Line and column, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Mark {
    pub(super) fn at(self, path: &str) -> Place {
        Place { line: self.line, column: self.column, path: path.to_owned() }
    }
}

impl From<Marker> for Mark {
    fn from(marker: Marker) -> Self {
        Self { line: marker.line().max(1), column: marker.col() + 1 }
    }
}

/// Reads a file's text; `None` when a problem ended the reading.
pub(super) fn parse(text: &str, report: &mut Report<'_>) -> Option<Node> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > MAX_BYTES {
        report.error(&Place::default(), format!("longer than {MAX_BYTES} bytes"));
        return None;
    }
    match Tree::default().read(text) {
        Ok(Some(root)) => {
            report_repeated_keys(&root, "", report);
            Some(root)
        }
        Ok(None) => {
            report.error(&Mark { line: 1, column: 1 }.at(""), "the file is empty");
            None
        }
        Err(refusal) => {
            report.error(&refusal.mark.at(""), refusal.message);
            None
        }
    }
}

/// Files longer than this are refused unread.
pub(super) const MAX_BYTES: usize = 1024 * 1024;
const MAX_DEPTH: usize = 32;
const MAX_NODES: usize = 100_000;

struct Refusal {
    mark: Mark,
    message: String,
}

/// A collection that is being filled.
enum Open {
    Mapping { entries: Vec<Entry>, key: Option<(String, Mark)> },
    Sequence(Vec<Node>),
}

#[derive(Default)]
struct Tree {
    open: Vec<(Mark, Open)>,
    root: Option<Node>,
    nodes: usize,
}

impl Tree {
    fn read(mut self, text: &str) -> Result<Option<Node>, Refusal> {
        let mut options = Options::default();
        options.disallow_directives = true;
        options.emit_unresolved_aliases = true;
        options.flow_nesting_limit = MAX_DEPTH;
        options.block_nesting_limit = MAX_DEPTH;
        let mut parser = Parser::new_from_str_with_options(text, options);
        let mut documents = 0;
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| syntax_error(&error))?;
            let mark = self.place_of(&event, span);
            if matches!(event, Event::DocumentStart(..)) {
                documents += 1;
                if documents > 1 {
                    return Err(refuse(mark, "a second YAML document: only one may stand here"));
                }
            }
            self.take(event, mark)?;
        }
        Ok(self.root)
    }

    fn take(&mut self, event: Event<'_>, mark: Mark) -> Result<(), Refusal> {
        if event.is_node() {
            self.nodes += 1;
            if self.nodes > MAX_NODES || self.open.len() > MAX_DEPTH {
                return Err(refuse(mark, "more or deeper values than a configuration has"));
            }
        }
        if event.is_alias() || matches!(event, Event::UnresolvedAlias(_)) {
            return Err(refuse(
                mark,
                "a YAML alias (`*name`): write the value out; a text that begins with `*` needs quotes",
            ));
        }
        if event.anchor_id().is_some_and(|id| id != 0) {
            return Err(refuse(
                mark,
                "a YAML anchor (`&name`): write the value out where it is used",
            ));
        }
        if event.tag().is_some() {
            return Err(refuse(
                mark,
                "a YAML tag (`!name`) has no meaning here; a text that begins with `!` needs quotes",
            ));
        }
        if let Event::Scalar(text, style, ..) = event {
            return self.scalar(text.into_owned(), style == ScalarStyle::Plain, mark);
        }
        if matches!(event, Event::SequenceStart(..)) {
            return self.start(Open::Sequence(Vec::new()), mark);
        }
        if matches!(event, Event::MappingStart(..)) {
            return self.start(Open::Mapping { entries: Vec::new(), key: None }, mark);
        }
        if matches!(event, Event::SequenceEnd | Event::MappingEnd) {
            self.end();
        }
        Ok(())
    }

    fn start(&mut self, open: Open, mark: Mark) -> Result<(), Refusal> {
        if self.awaits_key() {
            return Err(refuse(mark, "a key must be a text"));
        }
        self.open.push((mark, open));
        Ok(())
    }

    fn end(&mut self) {
        let Some((mark, open)) = self.open.pop() else { return };
        let kind = match open {
            Open::Mapping { entries, .. } => Kind::Mapping(entries),
            Open::Sequence(items) => Kind::Sequence(items),
        };
        self.add(Node { mark, kind });
    }

    fn scalar(&mut self, text: String, is_plain: bool, mark: Mark) -> Result<(), Refusal> {
        if let Some((_, Open::Mapping { key: key @ None, .. })) = self.open.last_mut() {
            if is_plain && text == "<<" {
                return Err(refuse(mark, "a YAML merge key (`<<`): write the keys out"));
            }
            *key = Some((text, mark));
        } else {
            self.add(Node { mark, kind: Kind::Scalar { text, is_plain } });
        }
        Ok(())
    }

    fn awaits_key(&self) -> bool {
        matches!(self.open.last(), Some((_, Open::Mapping { key: None, .. })))
    }

    fn add(&mut self, node: Node) {
        match self.open.last_mut() {
            Some((_, Open::Mapping { entries, key })) => {
                if let Some((key, key_mark)) = key.take() {
                    entries.push(Entry { key, key_mark, value: node });
                }
            }
            Some((_, Open::Sequence(items))) => items.push(node),
            None => self.root = Some(node),
        }
    }

    /// Where a value stands; one that is missing stands at its key.
    fn place_of(&self, event: &Event<'_>, span: Span) -> Mark {
        match self.open.last() {
            Some((_, Open::Mapping { key: Some((_, mark)), .. }))
                if matches!(event, Event::Scalar(..)) && span.start.index() == span.end.index() =>
            {
                *mark
            }
            _ => span.start.into(),
        }
    }
}

fn refuse(mark: Mark, message: &str) -> Refusal {
    Refusal { mark, message: message.to_owned() }
}

fn syntax_error(error: &ScanError) -> Refusal {
    let mark = Mark::from(*error.marker());
    // The only kinds whose text comes out of the file.
    let is_quoting =
        matches!(error.kind(), ErrorKind::UnexpectedCharacter { .. } | ErrorKind::Custom(_));
    let what =
        if is_quoting { "unexpected character".to_owned() } else { error.kind().to_string() };
    Refusal { mark, message: format!("not valid YAML: {what}") }
}

fn report_repeated_keys(node: &Node, path: &str, report: &mut Report<'_>) {
    match &node.kind {
        Kind::Mapping(entries) => {
            let mut seen = HashSet::new();
            for entry in entries {
                let path = join(path, &entry.key);
                if !seen.insert(entry.key.as_str()) {
                    report.error(&entry.key_mark.at(&path), "this key is written twice; keep one");
                }
                report_repeated_keys(&entry.value, &path, report);
            }
        }
        Kind::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                report_repeated_keys(item, &format!("{path}[{index}]"), report);
            }
        }
        Kind::Scalar { .. } => {}
    }
}
