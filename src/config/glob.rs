//! Globs over names: tools, prompts, resource URIs, methods.
//!
//! 1. `*` stands for any text, empty text and slashes included; `?` for any one character; `[a-z_]`
//!    for one of these and `[!a-z]` for one of the others; `\` takes the next character as it is.
//! 2. A glob matches a whole name, character by character, case and all.
//! 3. Matching takes no longer than the product of both lengths, whatever stands in them.

use std::str::FromStr;

/// A pattern over whole names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    text: Box<str>,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// `*`
    Any,
    /// One character of the listed ranges, or of none of them.
    Class { ranges: Vec<(char, char)>, is_negated: bool },
    /// This character.
    Literal(char),
    /// `?`
    One,
}

/// The text is no glob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGlob {
    /// A backslash stands at its end.
    #[error("ends in a backslash; write \\\\ for a backslash itself")]
    Backslash,
    /// A bracket is not closed, or nothing stands in it.
    #[error("has an unclosed or empty [...]; write \\[ for a bracket itself")]
    Class,
    /// Nothing matches it.
    #[error("is empty")]
    Empty,
    /// It is longer than any name.
    #[error("is longer than {MAX_BYTES} bytes")]
    Long,
}

impl Glob {
    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The one name that it matches, when it matches only one.
    pub fn exact(&self) -> Option<String> {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Literal(character) => Some(*character),
                Part::Any | Part::Class { .. } | Part::One => None,
            })
            .collect()
    }

    /// The first character of every name that it matches, when they share one.
    pub fn first(&self) -> Option<char> {
        match self.parts.first() {
            Some(Part::Literal(character)) => Some(*character),
            Some(Part::Any | Part::Class { .. } | Part::One) | None => None,
        }
    }

    /// The text that every name it matches begins with.
    pub fn beginning(&self) -> String {
        let literal = |part: &Part| match part {
            Part::Literal(character) => Some(*character),
            Part::Any | Part::Class { .. } | Part::One => None,
        };
        self.parts.iter().map_while(literal).collect()
    }

    /// The glob with other literal text: what stands there is rewritten piece by piece.
    #[must_use]
    pub fn rewritten(&self, rewrite: impl Fn(&str) -> String) -> Self {
        let mut parts = Vec::with_capacity(self.parts.len());
        let mut literal = String::new();
        let is_literal =
            |one: &Part, other: &Part| matches!((one, other), (Part::Literal(_), Part::Literal(_)));
        for run in self.parts.chunk_by(is_literal) {
            literal.extend(run.iter().filter_map(|part| match part {
                Part::Literal(character) => Some(*character),
                Part::Any | Part::Class { .. } | Part::One => None,
            }));
            if literal.is_empty() {
                parts.extend_from_slice(run);
            } else {
                parts.extend(rewrite(&literal).chars().map(Part::Literal));
                literal.clear();
            }
        }
        Self { text: self.text.clone(), parts }
    }

    /// How much of a name it prescribes: an exact name beats every glob, then more beats less.
    pub fn specificity(&self) -> (bool, usize) {
        let has_literal = |part: &&Part| matches!(part, Part::Literal(_));
        let literals = self.parts.iter().filter(has_literal).count();
        (literals == self.parts.len(), literals)
    }

    /// Whether it surely matches every name that another one matches; `false`: unknown.
    pub fn covers(&self, other: &Self) -> bool {
        if let Some(name) = other.exact() {
            return self.matches(&name);
        }
        let all = |own: &[Part], others: &[Part]| {
            own.iter().zip(others).all(|(part, other)| part.covers(other))
        };
        let is_open = |part: Option<&Part>| part == Some(&Part::Any);
        let length = self.parts.len().saturating_sub(1);
        // What stands before its last star, the other one begins with; or the other way round.
        let begins = || {
            is_open(self.parts.last())
                && other.parts.len() >= length
                && all(&self.parts, other.parts.get(..length).unwrap_or_default())
        };
        let ends = || {
            let from = other.parts.len().checked_sub(length);
            is_open(self.parts.first())
                && from.is_some_and(|from| {
                    let own = self.parts.get(1..).unwrap_or_default();
                    all(own, other.parts.get(from..).unwrap_or_default())
                })
        };
        let is_alike = self.parts.len() == other.parts.len() && all(&self.parts, &other.parts);
        is_alike || begins() || ends()
    }

    /// Whether it matches the whole of a name.
    pub fn matches(&self, name: &str) -> bool {
        let mut parts = self.parts.as_slice();
        let mut rest = name.chars();
        // Where to go on when what follows the last `*` does not match: one character further.
        let mut retry: Option<(&[Part], std::str::Chars<'_>)> = None;
        loop {
            if let Some((Part::Any, behind)) = parts.split_first() {
                parts = behind;
                retry = Some((behind, rest.clone()));
                continue;
            }
            let here = rest.clone().next();
            match (parts.split_first(), here) {
                (None, None) => return true,
                (Some((part, behind)), Some(character)) if part.takes(character) => {
                    parts = behind;
                    rest.next();
                    continue;
                }
                _ => {}
            }
            let Some((behind, from)) = &mut retry else { return false };
            if from.next().is_none() {
                return false;
            }
            parts = behind;
            rest = from.clone();
        }
    }
}

impl Part {
    fn takes(&self, character: char) -> bool {
        match self {
            Self::Any => false,
            Self::Class { ranges, is_negated } => {
                let is_listed =
                    ranges.iter().any(|(first, last)| (*first..=*last).contains(&character));
                is_listed != *is_negated
            }
            Self::Literal(literal) => *literal == character,
            Self::One => true,
        }
    }
}

impl Part {
    /// Whether it takes whatever the other takes; stars only each other.
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::One, Self::Class { .. } | Self::Literal(_) | Self::One) => true,
            (Self::Class { .. }, Self::Literal(character)) => self.takes(*character),
            _ => self == other,
        }
    }
}

impl FromStr for Glob {
    type Err = InvalidGlob;

    fn from_str(text: &str) -> Result<Self, InvalidGlob> {
        if text.is_empty() {
            return Err(InvalidGlob::Empty);
        }
        if text.len() > MAX_BYTES {
            return Err(InvalidGlob::Long);
        }
        let mut parts = Vec::new();
        let mut rest = text.chars();
        while let Some(character) = rest.next() {
            parts.push(match character {
                // Two stars match what one does.
                '*' if parts.last() == Some(&Part::Any) => continue,
                '*' => Part::Any,
                '?' => Part::One,
                '[' => class(&mut rest)?,
                '\\' => Part::Literal(rest.next().ok_or(InvalidGlob::Backslash)?),
                literal => Part::Literal(literal),
            });
        }
        Ok(Self { text: text.into(), parts })
    }
}

/// Behind an opening bracket.
fn class(rest: &mut std::str::Chars<'_>) -> Result<Part, InvalidGlob> {
    let mut next = rest.next();
    let is_negated = matches!(next, Some('!' | '^'));
    if is_negated {
        next = rest.next();
    }
    let mut ranges = Vec::new();
    loop {
        let first = match next.ok_or(InvalidGlob::Class)? {
            ']' if ranges.is_empty() => return Err(InvalidGlob::Class),
            ']' => return Ok(Part::Class { ranges, is_negated }),
            '\\' => rest.next().ok_or(InvalidGlob::Class)?,
            character => character,
        };
        let mut last = first;
        let mut ahead = rest.clone();
        if ahead.next() == Some('-') && !matches!(ahead.next(), None | Some(']')) {
            rest.next();
            last = match rest.next().ok_or(InvalidGlob::Class)? {
                '\\' => rest.next().ok_or(InvalidGlob::Class)?,
                character => character,
            };
        }
        if last < first {
            return Err(InvalidGlob::Class);
        }
        ranges.push((first, last));
        next = rest.next();
    }
}

const MAX_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(glob: &str, name: &str) -> bool {
        glob.parse::<Glob>().unwrap().matches(name)
    }

    /// Q06: a pattern is of the whole name.
    #[test]
    fn whole_names_are_matched() {
        for (glob, name) in [
            ("delete_note", "delete_note"),
            ("*", ""),
            ("*", "a/b"),
            ("admin_*", "admin_"),
            ("admin_*", "admin_x/y"),
            ("*_x", "a_x_x"),
            ("a*b*c", "a1b2b3c"),
            ("a?c", "aéc"),
            ("[a-c]x", "bx"),
            ("[!a-c]x", "dx"),
            ("[^a]", "b"),
            ("[a-]", "-"),
            ("[\\]]", "]"),
            (r"\*", "*"),
            (r"\[a\]", "[a]"),
            ("file:///*.md", "file:///a/b.md"),
            ("**", "x"),
        ] {
            assert!(matches(glob, name), "{glob} {name}");
        }
        for (glob, name) in [
            ("delete_note", "delete_notes"),
            ("delete_note", "Delete_note"),
            ("delete_note", "delete_note\0"),
            ("admin_*", "xadmin_"),
            ("a?c", "ac"),
            ("a?c", "abbc"),
            ("[a-c]x", "dx"),
            ("[!a-c]x", "ax"),
            ("*_x", "a_y"),
            (r"\*", "a"),
            ("a*b*c", "acb"),
            ("?", ""),
        ] {
            assert!(!matches(glob, name), "{glob} {name}");
        }
    }

    #[test]
    fn inclusion_is_claimed_only_where_it_is_sure() {
        let covers =
            |glob: &str, other: &str| glob.parse::<Glob>().unwrap().covers(&other.parse().unwrap());
        for (glob, other) in [
            ("*", "a*b"),
            ("*", "*"),
            ("a*", "abc"),
            ("a*", "ab*"),
            ("a*", "a*c"),
            ("a*", "a?"),
            ("*_x", "a*_x"),
            ("*_x", "*b_x"),
            ("a?*", "ab*"),
            ("a[bc]*", "ab*"),
            ("a**", "a*"),
            ("[a]", "a"),
            ("a*b*", "a*b*c"),
            ("a?", "a[b-c]"),
        ] {
            assert!(covers(glob, other), "{glob} covers {other}");
        }
        for (glob, other) in [
            ("ab*", "a*"),
            ("abc", "ab*"),
            ("a*", "*"),
            ("a?*", "a*"),
            ("a*c", "a*"),
            ("a[bc]*", "a?*"),
            ("*_x", "*x"),
            ("*ab", "b"),
            ("a", "b"),
            ("a?", "a?*"),
        ] {
            assert!(!covers(glob, other), "{glob} does not cover {other}");
        }
    }

    #[test]
    fn what_is_no_glob_is_refused() {
        for (glob, why) in [
            ("", InvalidGlob::Empty),
            ("a[", InvalidGlob::Class),
            ("[]", InvalidGlob::Class),
            ("[a", InvalidGlob::Class),
            ("[z-a]", InvalidGlob::Class),
            ("[!]", InvalidGlob::Class),
            ("a\\", InvalidGlob::Backslash),
            (&"a".repeat(513), InvalidGlob::Long),
        ] {
            assert_eq!(glob.parse::<Glob>(), Err(why), "{glob}");
        }
    }

    /// Q06, S06: no pattern takes more than linear time for each of its parts.
    #[test]
    fn stars_do_not_multiply_the_time() {
        let glob: Glob = format!("{}b", "a*".repeat(200)).parse().unwrap();
        assert!(!glob.matches(&"a".repeat(20_000)));
    }

    #[test]
    fn exact_names_are_known_as_such() {
        let glob = |text: &str| text.parse::<Glob>().unwrap();
        assert_eq!(glob(r"a\*b").exact().as_deref(), Some("a*b"));
        assert_eq!(glob("a*").exact(), None);
        assert!(glob("abc").specificity() > glob("abcdef*").specificity());
        assert!(glob("abc*").specificity() > glob("ab*").specificity());
        assert_eq!((glob("ab*").first(), glob("?b").first()), (Some('a'), None));
    }
}
