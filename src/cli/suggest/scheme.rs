//! Names for scopes, after the ones that a route has.
//!
//! 1. A required scope with a word for reading in it gives the pattern: `notes.read` makes
//!    `notes.write` and `notes.delete`, `read:notes` makes `write:notes`, `Notes.Read` makes
//!    `Notes.Write`. Without one, the route's name makes `NAME.read` and so on.
//! 2. What a tool's hints say decides, and what they leave out is what the specification takes for
//!    it: a tool that says nothing may change and destroy things.
//! 3. Reading needs `read`, changing `write`, destroying `delete`. A tool that changes things and
//!    says that it reaches out into the world needs `external` as well.
//!
//! `idempotentHint` names no scope: repeating a call takes no further permission.

use super::inventory::Hints;
use crate::oauth::{Scope, ScopeToken};

/// How scopes are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scheme {
    before: String,
    after: String,
    is_capitalised: bool,
    /// The scope that reads.
    read: String,
}

/// What using a tool comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// It reads.
    Reads,
    /// It changes things and destroys none.
    Changes,
    /// It may destroy.
    Destroys,
    /// Its server says nothing about it.
    Unknown,
}

impl Class {
    /// All of them, in the order in which they are shown.
    pub(super) const ALL: [Self; 4] = [Self::Reads, Self::Changes, Self::Destroys, Self::Unknown];

    /// What the hints say.
    pub(super) fn of(hints: Hints) -> Self {
        match (hints.read_only, hints.destructive) {
            (None, None) => Self::Unknown,
            (Some(true), _) => Self::Reads,
            (Some(false) | None, Some(false)) => Self::Changes,
            (Some(false), None) | (Some(false) | None, Some(true)) => Self::Destroys,
        }
    }
}

impl Scheme {
    /// After the required scopes of a route, or its name.
    pub(super) fn of(required: &Scope, route: &str) -> Self {
        let first = required.iter().find_map(|scope| Self::after(scope.as_str()));
        first.unwrap_or_else(|| Self {
            before: format!("{route}."),
            after: String::new(),
            is_capitalised: false,
            read: format!("{route}.read"),
        })
    }

    fn after(scope: &str) -> Option<Self> {
        let is_separator = |character: char| matches!(character, '.' | ':' | '/' | '-' | '_');
        let is_read = |word: &str| READING.iter().any(|known| known.eq_ignore_ascii_case(word));
        let mut start = 0;
        // The last word first: `read:notes.read` is about reading either way.
        let mut words = Vec::new();
        for word in scope.split_inclusive(is_separator) {
            let bare = word.trim_end_matches(is_separator);
            words.push((start, bare));
            start += word.len();
        }
        let (start, word) = words.into_iter().rev().find(|(_, word)| is_read(word))?;
        let before = scope.get(..start)?.to_owned();
        let after = scope.get(start + word.len()..)?.to_owned();
        let is_capitalised = word.chars().next().is_some_and(char::is_uppercase);
        Some(Self { before, after, is_capitalised, read: scope.to_owned() })
    }

    /// The scopes that a tool needs.
    pub(super) fn scopes(&self, hints: Hints) -> Vec<String> {
        let class = Class::of(hints);
        let mut scopes = vec![match class {
            Class::Reads => self.read(),
            Class::Changes => self.named("write"),
            Class::Destroys | Class::Unknown => self.named("delete"),
        }];
        if hints.open_world == Some(true) && class != Class::Reads {
            scopes.push(self.named("external"));
        }
        scopes
    }

    /// The scope that reads.
    pub(super) fn read(&self) -> String {
        self.read.clone()
    }

    /// Which scopes stand for which others.
    pub(super) fn implications(&self) -> [(String, String); 2] {
        let [write, delete] = ["write", "delete"].map(|word| self.named(word));
        [(delete, write.clone()), (write, self.read())]
    }

    fn named(&self, word: &str) -> String {
        let mut word = word.to_owned();
        if self.is_capitalised
            && let Some(first) = word.get_mut(..1)
        {
            first.make_ascii_uppercase();
        }
        let Self { before, after, .. } = self;
        let scope = format!("{before}{word}{after}");
        // Made of a scope: it is one.
        scope.parse::<ScopeToken>().map_or(word, |scope| scope.as_str().to_owned())
    }
}

const READING: [&str; 6] = ["read", "readonly", "view", "list", "get", "query"];

#[cfg(test)]
mod tests {
    use super::*;

    fn scheme(required: &str) -> Scheme {
        Scheme::of(&Scope::parse(required).unwrap(), "notes")
    }

    fn hints(hints: [Option<bool>; 2]) -> Hints {
        let [read_only, destructive] = hints;
        Hints { read_only, destructive, ..Hints::default() }
    }

    #[test]
    fn scopes_are_named_after_the_one_that_reads() {
        for (required, read, write) in [
            ("notes.read", "notes.read", "notes.write"),
            ("openid mcp:read", "mcp:read", "mcp:write"),
            ("read:notes", "read:notes", "write:notes"),
            ("api://x/Notes.Read", "api://x/Notes.Read", "api://x/Notes.Write"),
            ("notes.readonly", "notes.readonly", "notes.write"),
            ("read", "read", "write"),
            ("notes", "notes.read", "notes.write"),
            ("ready.notes", "notes.read", "notes.write"),
            ("", "notes.read", "notes.write"),
        ] {
            let scheme = scheme(required);
            assert_eq!((scheme.read(), scheme.named("write")), (read.into(), write.into()));
        }
    }

    #[test]
    fn hints_decide_and_silence_is_no_promise() {
        let scheme = scheme("notes.read");
        for (said, class, scope) in [
            ([Some(true), None], Class::Reads, "notes.read"),
            // A contradiction: whoever only reads destroys nothing.
            ([Some(true), Some(true)], Class::Reads, "notes.read"),
            ([Some(false), Some(false)], Class::Changes, "notes.write"),
            ([None, Some(false)], Class::Changes, "notes.write"),
            ([Some(false), Some(true)], Class::Destroys, "notes.delete"),
            ([Some(false), None], Class::Destroys, "notes.delete"),
            ([None, None], Class::Unknown, "notes.delete"),
        ] {
            assert_eq!(Class::of(hints(said)), class, "{said:?}");
            assert_eq!(scheme.scopes(hints(said)), [scope], "{said:?}");
        }
    }

    #[test]
    fn reaching_out_needs_more_where_something_is_changed() {
        let outward = |read_only| Hints {
            read_only: Some(read_only),
            destructive: Some(false),
            open_world: Some(true),
            idempotent: None,
        };
        let scheme = scheme("notes.read");
        assert_eq!(scheme.scopes(outward(true)), ["notes.read"]);
        assert_eq!(scheme.scopes(outward(false)), ["notes.write", "notes.external"]);
    }
}
