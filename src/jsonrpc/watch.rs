//! Watching a message go by that is not gathered: is the `method` that was glanced at its only one?
//!
//! 1. Only the names of the outermost object are looked at; of all else, where strings end and how
//!    deep it is.
//! 2. In doubt is a message with two members that somebody could read as `method`, with an escape in
//!    a name, with something behind its end, or that is no object.
//!
//! It refuses nothing, and knows no grammar: of a text that is not JSON it may miss something.

/// A text as far as it went by.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    depth: usize,
    has_begun: bool,
    place: Place,
    /// How many letters of a name are those of `method` so far; `None` once one is not.
    letters: Option<usize>,
    methods: usize,
    is_in_doubt: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Where a name of the outermost object may begin.
    BeforeName,
    #[default]
    Elsewhere,
    /// Behind a backslash.
    Escape,
    /// Within a name of the outermost object.
    Name,
    /// Within any other string.
    String,
}

impl Watch {
    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        loop {
            if self.place == Place::String {
                // Long strings are what makes a message long.
                let end = memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
                rest = rest.get(end..).unwrap_or_default();
            }
            let Some((byte, behind)) = rest.split_first() else { return };
            rest = behind;
            self.step(*byte);
        }
    }

    /// Whether somebody might read another method in it than was glanced at.
    pub fn is_in_doubt(&self) -> bool {
        self.is_in_doubt || self.methods > 1
    }

    fn step(&mut self, byte: u8) {
        self.place = match (self.place, byte) {
            (Place::Name | Place::String, b'\\') => {
                self.is_in_doubt |= self.place == Place::Name;
                Place::Escape
            }
            (Place::Name, b'"') => {
                self.methods += usize::from(self.letters == Some(METHOD.len()));
                Place::Elsewhere
            }
            (Place::String, b'"') => Place::Elsewhere,
            (Place::Name, byte) => {
                self.letters = self.letters.and_then(|letters| agrees(letters, byte));
                Place::Name
            }
            (Place::Escape | Place::String, _) => Place::String,
            (Place::BeforeName | Place::Elsewhere, byte) => self.outside_of_strings(byte),
        };
    }

    fn outside_of_strings(&mut self, byte: u8) -> Place {
        if byte.is_ascii_whitespace() {
            return self.place;
        }
        self.is_in_doubt |= self.depth == 0 && (self.has_begun || byte != b'{');
        match byte {
            b'{' | b'[' => {
                self.depth += 1;
                let is_first = !std::mem::replace(&mut self.has_begun, true);
                if is_first { Place::BeforeName } else { Place::Elsewhere }
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                Place::Elsewhere
            }
            b',' if self.depth == 1 => Place::BeforeName,
            b'"' if self.place == Place::BeforeName => {
                self.letters = Some(0);
                Place::Name
            }
            b'"' => Place::String,
            _ => Place::Elsewhere,
        }
    }
}

/// Whether somebody might read a name as `method`: readers exist that fold case, and that drop what
/// is no letter.
pub(super) fn is_read_as_method(name: &str) -> bool {
    let letters = name.bytes().try_fold(0, agrees);
    letters == Some(METHOD.len())
}

/// How many letters are those of `method`, with one byte more.
fn agrees(letters: usize, byte: u8) -> Option<usize> {
    if !byte.is_ascii_alphanumeric() {
        return Some(letters);
    }
    let next = METHOD.get(letters)?;
    (byte.to_ascii_lowercase() == *next).then_some(letters + 1)
}

const METHOD: &[u8] = b"method";

#[cfg(test)]
mod tests {
    use super::*;

    fn is_in_doubt(text: &str) -> bool {
        let mut whole = Watch::default();
        whole.push(text.as_bytes());
        for size in [1, 2, 3, 7] {
            let mut pieces = Watch::default();
            text.as_bytes().chunks(size).for_each(|piece| pieces.push(piece));
            assert_eq!(pieces.is_in_doubt(), whole.is_in_doubt(), "{text} by {size}");
        }
        whole.is_in_doubt()
    }

    #[test]
    fn plain_messages_are_in_no_doubt() {
        for text in [
            r#"{"method":"a"}"#,
            r#" { "id" : 1 , "method" : "a" , "params" : { } } "#,
            r#"{"method":"a","params":{"method":"b","x":[{"method":1},"method",{}],"method":"c"}}"#,
            r#"{"method":"a","params":{"t":"\",\"method\":\"b\"","u":"}\\"},"methods":1,"meth":2}"#,
            r#"{"method":"a","params":["{","}",",\"method\":"],"x":"\\\\\"","thod":1,"Xmethod":"b"}"#,
            r#"{"result":"method","id":1}"#,
            "",
        ] {
            assert!(!is_in_doubt(text), "{text}");
        }
    }

    #[test]
    fn second_methods_are_seen_wherever_they_stand() {
        for text in [
            r#"{"method":"a","method":"b"}"#,
            r#"{"method":"a","params":{"x":["}","\\"]},"method":"b"}"#,
            r#"{"method":"a","x":"\"","Method":"b"}"#,
            r#"{"method":"a","x":{"y":[1,{}]},"me_thod":"b"}"#,
            "{\"method\":\"a\",\"meth\u{200b}od\":\"b\"}",
            r#"{"method":"a","me\u0074hod":"b"}"#,
            r#"{"method":"a","\"":"b"}"#,
            r#"{"method":"a"}{"method":"b"}"#,
            r#"{"method":"a"} x"#,
            r#"[{"method":"a"}]"#,
            "\u{feff}{}",
        ] {
            assert!(is_in_doubt(text), "{text}");
        }
    }
}
