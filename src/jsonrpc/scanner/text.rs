//! A string of a JSON text, and what it says.
//!
//! It was scanned before: nothing in it can be wrong any more.

use std::{borrow::Cow, ops::Range};

/// A string as it stands in the text, without its quotation marks.
#[derive(Clone, Debug)]
pub struct Text<'a> {
    raw: &'a str,
    start: usize,
    has_escape: bool,
}

impl<'a> Text<'a> {
    pub(super) fn new(raw: &'a str, start: usize, has_escape: bool) -> Self {
        Self { raw, start, has_escape }
    }

    /// What it says.
    pub fn value(&self) -> Cow<'a, str> {
        if self.has_escape { unescaped(self.raw).into() } else { self.raw.into() }
    }

    /// Whether it says this.
    pub fn is(&self, value: &str) -> bool {
        if self.has_escape { unescaped(self.raw) == value } else { self.raw == value }
    }

    /// Where it stands in the text, when what stands there is what it says.
    pub fn span(&self) -> Option<Range<usize>> {
        (!self.has_escape).then(|| self.start..self.start + self.raw.len())
    }
}

/// What a string with escapes says; it was scanned, so that nothing in it can be wrong.
fn unescaped(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let mut after = escape.chars();
        let kind = after.next();
        rest = after.as_str();
        text.push(match kind {
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let (character, behind) = unicode_escape(rest);
                rest = behind;
                character
            }
            Some(itself) => itself,
            None => char::REPLACEMENT_CHARACTER,
        });
    }
    text.push_str(rest);
    text
}

/// The character of one or two `\u` escapes, behind the first `\u`.
fn unicode_escape(text: &str) -> (char, &str) {
    let unit = |text: &str| text.get(..4).and_then(|digits| u16::from_str_radix(digits, 16).ok());
    let behind = |length| text.get(length..).unwrap_or_default();
    let first = unit(text).unwrap_or_default();
    let second = text.get(6..).and_then(unit).unwrap_or_default();
    let units = if matches!(first, 0xd800..=0xdbff) { vec![first, second] } else { vec![first] };
    let length = if units.len() == 2 { 10 } else { 4 };
    let character = char::decode_utf16(units).next().and_then(Result::ok);
    (character.unwrap_or(char::REPLACEMENT_CHARACTER), behind(length))
}
