//! A strict scanner of JSON (RFC 8259): it walks over values and builds nothing.
//!
//! 1. The grammar is RFC 8259's and nothing more: no comments, no trailing commas, no byte order
//!    mark, no lone surrogates in escapes (section 8.2 leaves those to chance) but where they are asked for.
//! 2. Depth is bounded and costs no stack.
//! 3. Every byte is looked at once; strings without escapes are borrowed from the text.
//!
//! It does not look for members that come twice: whoever asks for an object's members judges them.

mod text;

pub use self::text::Text;

/// How deep values may be nested.
pub const MAX_DEPTH: u32 = 64;

/// A place in a JSON text.
#[derive(Clone, Debug)]
pub struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
    passes_halves: bool,
}

/// Why a text is not scanned further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It ends too early.
    #[error("it breaks off")]
    Cut,
    /// Values are nested deeper than [`MAX_DEPTH`].
    #[error("it is nested deeper than {MAX_DEPTH}")]
    Depth,
    /// It is not JSON.
    #[error("it is not JSON")]
    Syntax,
}

/// What kind of value stands here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `[`
    Array,
    /// A number.
    Number,
    /// `{`
    Object,
    /// A string.
    String,
    /// `true`, `false` or `null`.
    Word,
}

impl<'a> Scanner<'a> {
    /// Begins at the beginning.
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0, passes_halves: false }
    }

    /// Begins at the beginning of a text in whose passed-over values escapes may be halves of
    /// surrogate pairs: servers that cut a text in the middle of a character write them.
    pub fn passing_halves(text: &'a str) -> Self {
        Self { passes_halves: true, ..Self::new(text) }
    }

    /// How far it came, in bytes.
    pub fn position(&self) -> usize {
        self.at
    }

    /// What kind of value comes next.
    #[inline]
    pub fn kind(&mut self) -> Result<Kind, Fault> {
        self.skip_whitespace();
        match self.peek().ok_or(Fault::Cut)? {
            b'[' => Ok(Kind::Array),
            b'{' => Ok(Kind::Object),
            b'"' => Ok(Kind::String),
            b'-' | b'0'..=b'9' => Ok(Kind::Number),
            b't' | b'f' | b'n' => Ok(Kind::Word),
            _ => Err(Fault::Syntax),
        }
    }

    /// Reads an object; `member` is given each name and must take its value.
    pub fn object<E: From<Fault>>(
        &mut self,
        mut member: impl FnMut(&mut Self, Text<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'{')?;
        if self.closes(b'}') {
            return Ok(());
        }
        loop {
            let name = self.name()?;
            member(self, name)?;
            if !self.goes_on(b'}')? {
                return Ok(());
            }
        }
    }

    /// Reads an array; `element` must take each element.
    pub fn array<E: From<Fault>>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'[')?;
        if self.closes(b']') {
            return Ok(());
        }
        loop {
            element(self)?;
            if !self.goes_on(b']')? {
                return Ok(());
            }
        }
    }

    /// Reads a string.
    #[inline]
    pub fn string(&mut self) -> Result<Text<'a>, Fault> {
        self.skip_whitespace();
        self.expect(b'"')?;
        let start = self.at;
        let has_escape = self.skip_string(false)?;
        let raw = self.text.get(start..self.at - 1).ok_or(Fault::Syntax)?;
        Ok(Text::new(raw, start, has_escape))
    }

    /// Passes over a value and returns its text.
    pub fn value(&mut self) -> Result<&'a str, Fault> {
        self.skip_whitespace();
        let start = self.at;
        self.skip_value()?;
        self.text.get(start..self.at).ok_or(Fault::Syntax)
    }

    /// Makes sure that nothing but whitespace follows.
    pub fn end(mut self) -> Result<(), Fault> {
        self.skip_whitespace();
        if self.peek().is_none() { Ok(()) } else { Err(Fault::Syntax) }
    }

    /// Passes over a value of any kind, without recursion.
    pub fn skip_value(&mut self) -> Result<(), Fault> {
        let base = self.depth;
        // One bit for each open value: whether it is an object.
        let mut objects = 0_u64;
        let mut is_named = false;
        loop {
            self.skip_whitespace();
            if is_named {
                self.expect(b'"')?;
                self.skip_string(false)?;
                self.skip_whitespace();
                self.expect(b':')?;
                self.skip_whitespace();
            }
            match self.next().ok_or(Fault::Cut)? {
                b'"' => drop(self.skip_string(self.passes_halves)?),
                open @ (b'{' | b'[') => {
                    self.deepen()?;
                    is_named = open == b'{';
                    objects = objects << 1 | u64::from(is_named);
                    if !self.closes(if is_named { b'}' } else { b']' }) {
                        continue;
                    }
                    objects >>= 1;
                }
                first @ (b'-' | b'0'..=b'9') => self.skip_number(first)?,
                b't' => self.word(b"rue")?,
                b'f' => self.word(b"alse")?,
                b'n' => self.word(b"ull")?,
                _ => return Err(Fault::Syntax),
            }
            loop {
                if self.depth == base {
                    return Ok(());
                }
                is_named = objects & 1 == 1;
                if self.goes_on(if is_named { b'}' } else { b']' })? {
                    break;
                }
                objects >>= 1;
            }
        }
    }

    #[inline]
    fn name(&mut self) -> Result<Text<'a>, Fault> {
        let name = self.string()?;
        self.skip_whitespace();
        self.expect(b':')?;
        Ok(name)
    }

    fn open(&mut self, bracket: u8) -> Result<(), Fault> {
        self.skip_whitespace();
        self.expect(bracket)?;
        self.deepen()
    }

    #[inline]
    fn deepen(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(Fault::Depth) } else { Ok(()) }
    }

    /// Whether the value that was just opened is empty.
    #[inline]
    fn closes(&mut self, bracket: u8) -> bool {
        self.skip_whitespace();
        let closes = self.peek() == Some(bracket);
        if closes {
            self.at += 1;
            self.depth -= 1;
        }
        closes
    }

    /// Behind an element: whether another one follows.
    #[inline]
    fn goes_on(&mut self, bracket: u8) -> Result<bool, Fault> {
        self.skip_whitespace();
        match self.next().ok_or(Fault::Cut)? {
            b',' => Ok(true),
            byte if byte == bracket => {
                self.depth -= 1;
                Ok(false)
            }
            _ => Err(Fault::Syntax),
        }
    }

    /// Behind an opening quotation mark: passes the closing one; says whether there were escapes.
    #[inline]
    fn skip_string(&mut self, passes_halves: bool) -> Result<bool, Fault> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        self.at += plain_length(rest);
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(false);
        }
        self.skip_escapes(passes_halves)
    }

    /// The rest of a string that has escapes, or is none.
    fn skip_escapes(&mut self, passes_halves: bool) -> Result<bool, Fault> {
        let mut has_escape = false;
        loop {
            match self.next().ok_or(Fault::Cut)? {
                b'"' => return Ok(has_escape),
                b'\\' => {
                    has_escape = true;
                    self.skip_escape(passes_halves)?;
                }
                // RFC 8259 section 7: control characters must be escaped.
                _ => return Err(Fault::Syntax),
            }
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            self.at += plain_length(rest);
        }
    }

    fn skip_escape(&mut self, passes_halves: bool) -> Result<(), Fault> {
        match self.next().ok_or(Fault::Cut)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => match self.four_digits()? {
                _ if passes_halves => Ok(()),
                0xd800..=0xdbff => {
                    self.expect(b'\\')?;
                    self.expect(b'u')?;
                    let is_low = matches!(self.four_digits()?, 0xdc00..=0xdfff);
                    if is_low { Ok(()) } else { Err(Fault::Syntax) }
                }
                0xdc00..=0xdfff => Err(Fault::Syntax),
                _ => Ok(()),
            },
            _ => Err(Fault::Syntax),
        }
    }

    fn four_digits(&mut self) -> Result<u32, Fault> {
        (0..4).try_fold(0, |number, _| {
            let digit = char::from(self.next().ok_or(Fault::Cut)?).to_digit(16);
            Ok(number << 4 | digit.ok_or(Fault::Syntax)?)
        })
    }

    fn skip_number(&mut self, mut first: u8) -> Result<(), Fault> {
        if first == b'-' {
            first = self.next().ok_or(Fault::Cut)?;
        }
        match first {
            b'0' => {}
            b'1'..=b'9' => self.skip_digits(),
            _ => return Err(Fault::Syntax),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// At least one digit.
    fn digits(&mut self) -> Result<(), Fault> {
        match self.next().ok_or(Fault::Cut)? {
            b'0'..=b'9' => {
                self.skip_digits();
                Ok(())
            }
            _ => Err(Fault::Syntax),
        }
    }

    fn skip_digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn word(&mut self, rest: &[u8]) -> Result<(), Fault> {
        rest.iter().try_for_each(|&byte| self.expect(byte))
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        if self.next().ok_or(Fault::Cut)? == byte { Ok(()) } else { Err(Fault::Syntax) }
    }

    #[inline]
    fn skip_whitespace(&mut self) {
        // Compact texts have none.
        if self.peek().is_some_and(|byte| byte > b' ') {
            return;
        }
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }
}

/// How many bytes come before the first quotation mark, backslash or control character.
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGH: u64 = ONES << 7;
    let mut length = 0;
    let mut rest = bytes;
    // Eight at once: a byte of `word - ONES` that lost its high bit to a borrow was zero before.
    while let Some((chunk, behind)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
        let quotes = zeros(word ^ (ONES * u64::from(b'"')));
        let escapes = zeros(word ^ (ONES * u64::from(b'\\')));
        let controls = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let found = quotes | escapes | controls;
        if found != 0 {
            // Borrows reach upwards only: the lowest mark is always true.
            return length + (found.trailing_zeros() / 8) as usize;
        }
        length += 8;
        rest = behind;
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    length + rest.iter().position(is_special).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests;
