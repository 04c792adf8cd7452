//! The names of an object's members: each once, and none that could be taken for another.

use std::collections::HashSet;

use super::MessageFault;

/// The names seen in one object.
pub(super) struct Names<'k> {
    known: &'k [&'k str],
    /// Which of the known ones came, one bit each.
    seen: u32,
    others: HashSet<Box<str>>,
}

impl<'k> Names<'k> {
    /// Nothing seen yet; at most 32 names are known.
    pub(super) fn new(known: &'k [&'k str]) -> Self {
        Self { known, seen: 0, others: HashSet::new() }
    }

    /// Adds a name where all names are printable ASCII.
    pub(super) fn add_plain(&mut self, name: &str) -> Result<(), MessageFault> {
        if !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(MessageFault::Invalid("a member's name is not printable ASCII"));
        }
        self.add_unless(name, |known| known.eq_ignore_ascii_case(name))
    }

    /// Adds a name where any text is a name.
    pub(super) fn add(&mut self, name: &str) -> Result<(), MessageFault> {
        let folded = fold(name);
        self.add_unless(name, |known| fold(known) == folded)
    }

    fn add_unless(
        &mut self,
        name: &str,
        looks_like: impl Fn(&str) -> bool,
    ) -> Result<(), MessageFault> {
        const TWICE: MessageFault = MessageFault::Invalid("a member stands there twice");
        for (index, known) in self.known.iter().enumerate() {
            if *known == name {
                let bit = 1 << (index % 32);
                let is_new = self.seen & bit == 0;
                self.seen |= bit;
                return if is_new { Ok(()) } else { Err(TWICE) };
            }
            if looks_like(known) {
                return Err(MessageFault::Invalid("a member's name looks like another's"));
            }
        }
        if self.others.insert(name.into()) { Ok(()) } else { Err(TWICE) }
    }
}

/// What a reader that folds case and strips what is not seen might make of a name.
fn fold(name: &str) -> String {
    let is_seen = |c: &char| {
        let is_invisible =
            matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}');
        !c.is_control() && !c.is_whitespace() && !is_invisible
    };
    // To upper case first: U+017F is lower case and becomes S; U+212A is upper case and becomes k.
    let upper = name.chars().filter(is_seen).flat_map(char::to_uppercase);
    upper.flat_map(char::to_lowercase).collect()
}
