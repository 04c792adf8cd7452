//! The names of an object's members: each once, and none that could be taken for another.

use std::{borrow::Cow, collections::HashSet};

use super::message::MessageFault;

/// The names seen in one object.
#[derive(Debug)]
pub struct Names<'k, 'a> {
    known: &'k [&'k str],
    /// Which of the known ones came, one bit each.
    seen: u32,
    /// The first few others: nearly all objects have no more.
    few: Vec<Cow<'a, str>>,
    /// All others, once they are more than a few: looking through them takes no longer for many.
    many: HashSet<Cow<'a, str>>,
}

impl<'k, 'a> Names<'k, 'a> {
    /// Nothing seen yet; at most 32 names are known.
    pub fn new(known: &'k [&'k str]) -> Self {
        Self { known, seen: 0, few: Vec::new(), many: HashSet::new() }
    }

    /// Adds a name where all names are printable ASCII.
    pub fn add_plain(&mut self, name: Cow<'a, str>) -> Result<(), MessageFault> {
        if !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(MessageFault::Invalid("a member's name is not printable ASCII"));
        }
        // Where objects are merged, its members become members of the object around it.
        if name == "__proto__" {
            return Err(LOOKS_LIKE);
        }
        self.add_unless(name, is_same_in_any_style)
    }

    /// Adds a name where any text is a name. A known one in another style (`outFmt` for `out_fmt`)
    /// is one that a server may take by its alias.
    pub fn add(&mut self, name: Cow<'a, str>) -> Result<(), MessageFault> {
        let in_any_style = |name: &str| {
            // What begins with one is another name: `_id` is nobody's alias of `id`.
            let start = name.len() - name.trim_start_matches(['_', '-']).len();
            let (start, rest) = name.split_at_checked(start).unwrap_or_default();
            format!("{start}{}", fold(rest).replace(['_', '-'], ""))
        };
        let folded = in_any_style(&name);
        self.add_unless(name, |known, _| in_any_style(known) == folded)
    }

    /// Adds a name where only the known ones matter, which are printable ASCII: others may be any
    /// text, and may repeat.
    pub fn add_known(&mut self, name: &str) -> Result<(), MessageFault> {
        // Of two plain names one is the other's likeness by case alone.
        let is_plain = name.bytes().all(|byte| byte.is_ascii_graphic());
        let looks_like = |known: &str| {
            if is_plain { known.eq_ignore_ascii_case(name) } else { fold(known) == fold(name) }
        };
        self.add_if_known(name, |known, _| looks_like(known)).map(drop)
    }

    fn add_unless(
        &mut self,
        name: Cow<'a, str>,
        looks_like: impl Fn(&str, &str) -> bool,
    ) -> Result<(), MessageFault> {
        if self.add_if_known(&name, looks_like)? {
            return Ok(());
        }
        if self.few.contains(&name) {
            return Err(TWICE);
        }
        if self.few.len() < FEW {
            self.few.push(name);
            return Ok(());
        }
        if self.many.insert(name) { Ok(()) } else { Err(TWICE) }
    }

    /// Whether it was a known one.
    fn add_if_known(
        &mut self,
        name: &str,
        looks_like: impl Fn(&str, &str) -> bool,
    ) -> Result<bool, MessageFault> {
        if let Some(index) = self.known.iter().position(|known| *known == name) {
            let bit = 1 << (index % 32);
            let is_new = self.seen & bit == 0;
            self.seen |= bit;
            return if is_new { Ok(true) } else { Err(TWICE) };
        }
        if self.known.iter().any(|known| looks_like(known, name)) {
            return Err(LOOKS_LIKE);
        }
        Ok(false)
    }
}

/// Whether two names are one in camel case, snake case and kebab case, whatever the case of their
/// letters: readers exist that take a field by either name.
fn is_same_in_any_style(one: &str, other: &str) -> bool {
    letters(one).eq(letters(other))
}

fn letters(name: &str) -> impl Iterator<Item = u8> {
    let letters = name.bytes().filter(|byte| !matches!(byte, b'_' | b'-'));
    letters.map(|byte| byte.to_ascii_lowercase())
}

const FEW: usize = 8;
const LOOKS_LIKE: MessageFault = MessageFault::Invalid("a member's name looks like another's");
const TWICE: MessageFault = MessageFault::Invalid("a member stands there twice");

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_known_names_each_comes_once_and_nothing_looks_like_one() {
        const KNOWN: [&str; 2] = ["tools", "nextCursor"];
        let add = |names: &[&str]| {
            let mut seen = Names::new(&KNOWN);
            names.iter().try_for_each(|name| seen.add_known(name)).is_ok()
        };
        assert!(add(&["tools", "nextCursor", "other", "other", "t\u{f6}\u{f6}ls", ""]));
        for names in [
            ["tools", "tools"],
            ["tools", "Tools"],
            ["x", "TOOLS"],
            ["x", "tools\0"],
            ["x", " tools"],
            ["x", "tool\u{17f}"],
            ["x", "to\u{200b}ols"],
            ["x", "nextcursor"],
        ] {
            assert!(!add(&names), "{names:?}");
        }
    }
}
