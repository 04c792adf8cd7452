//! Finds the content in a message's body, and its end.
//!
//! 1. A body of known length ends after that many bytes (RFC 9112 section 6.2).
//! 2. A chunk line is 1 to 16 hexadecimal digits, then extensions, then CRLF; no whitespace
//!    anywhere, and no more zeros in front, unless the sender is known to pad (section 7.1).
//! 3. Extensions are `;name`, `;name=token` or `;name="quoted"`, 16 KiB in all (section 7.1.1); where
//!    a sender may pad, they may be anything but a line's end.
//! 4. Chunk data ends in CRLF; trailers are well-formed field lines, 16 KiB and 100 lines in all
//!    (section 7.1.2). They are dropped.
//!
//! It keeps none of the bytes: it says where in them the content lies.

use super::syntax::{is_token_byte, is_value_byte};

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// A chunked body.
    Chunked,
    /// A body of this many bytes; none when zero.
    Length(u64),
    /// The body of a response that ends with its connection.
    UntilClose,
}

/// Where in a body the bytes seen so far have led.
#[derive(Debug)]
pub struct BodyDecoder(State);

#[derive(Debug)]
enum State {
    /// This many bytes are left.
    Length(u64),
    Chunked(Chunks),
    UntilClose,
}

/// What lies next in the bytes that were shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// Bytes of framing, to be passed over.
    pub framing: usize,
    /// Bytes of content behind them.
    pub content: usize,
}

/// A chunk line, a chunk's end or a trailer is not what RFC 9112 section 7.1 says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the chunked body is malformed")]
pub struct Malformed;

impl BodyDecoder {
    /// For the body of a request.
    pub fn new(framing: Framing) -> Self {
        Self::by(framing, false)
    }

    /// For the body of a response: some servers pad their chunk lines with blanks (RFC 9112
    /// section 7.1.1), and what they send reaches nobody else as they framed it.
    pub fn lenient(framing: Framing) -> Self {
        Self::by(framing, true)
    }

    fn by(framing: Framing, may_pad: bool) -> Self {
        Self(match framing {
            Framing::Chunked => State::Chunked(Chunks { may_pad, ..Chunks::default() }),
            Framing::Length(length) => State::Length(length),
            Framing::UntilClose => State::UntilClose,
        })
    }

    /// Whether the body has ended; one that ends with its connection never has.
    pub fn is_done(&self) -> bool {
        match &self.0 {
            State::Length(left) => *left == 0,
            State::Chunked(chunks) => chunks.place == Place::Done,
            State::UntilClose => false,
        }
    }

    /// How many bytes of content are to come, where that is known.
    pub fn left(&self) -> Option<u64> {
        match &self.0 {
            State::Length(left) => Some(*left),
            State::Chunked(chunks) => (chunks.place == Place::Done).then_some(0),
            State::UntilClose => None,
        }
    }

    /// Finds the next content in `bytes`, which follow those of earlier calls; both lengths are
    /// zero where nothing is left of the body, or of `bytes`.
    ///
    /// # Errors
    ///
    /// When the bytes are no chunked body.
    pub fn next(&mut self, bytes: &[u8]) -> Result<Piece, Malformed> {
        match &mut self.0 {
            State::Length(left) => {
                let content = clamp(*left, bytes.len());
                *left -= content as u64;
                Ok(Piece { framing: 0, content })
            }
            State::Chunked(chunks) => chunks.next(bytes),
            State::UntilClose => Ok(Piece { framing: 0, content: bytes.len() }),
        }
    }
}

/// The place in a chunked body, and what was spent of its bounds.
#[derive(Debug, Default)]
struct Chunks {
    /// Whether blanks behind a size are overlooked.
    may_pad: bool,
    place: Place,
    /// The size read so far on a chunk line; the bytes left in the chunk's data.
    size: u64,
    digits: u8,
    /// Of this chunk line.
    padding_bytes: u16,
    extension_bytes: u16,
    trailer_bytes: u16,
    trailer_lines: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Size,
    Padding,
    ExtensionAnything,
    ExtensionNameStart,
    ExtensionName,
    ExtensionValueStart,
    ExtensionToken,
    ExtensionQuoted,
    ExtensionEscaped,
    ExtensionEnd,
    SizeLineFeed,
    Data,
    DataCarriageReturn,
    DataLineFeed,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLineFeed,
    LastLineFeed,
    Done,
}

impl Chunks {
    fn next(&mut self, bytes: &[u8]) -> Result<Piece, Malformed> {
        let mut rest = bytes;
        while self.place != Place::Done && self.place != Place::Data {
            let Some((&byte, behind)) = rest.split_first() else { break };
            self.place = self.step(byte).ok_or(Malformed)?;
            rest = behind;
        }
        let framing = bytes.len() - rest.len();
        if self.place != Place::Data {
            return Ok(Piece { framing, content: 0 });
        }
        let content = clamp(self.size, rest.len());
        self.size -= content as u64;
        if self.size == 0 {
            self.place = Place::DataCarriageReturn;
        }
        Ok(Piece { framing, content })
    }

    /// One byte outside chunk data; `None` where it must not stand.
    fn step(&mut self, byte: u8) -> Option<Place> {
        match self.place {
            Place::Size => self.size_byte(byte),
            Place::Padding => self.padding_byte(byte),
            Place::ExtensionAnything
            | Place::ExtensionNameStart
            | Place::ExtensionName
            | Place::ExtensionValueStart
            | Place::ExtensionToken
            | Place::ExtensionQuoted
            | Place::ExtensionEscaped
            | Place::ExtensionEnd => self.extension_byte(byte),
            Place::SizeLineFeed if byte == b'\n' => Some(self.chunk_line_end()),
            Place::DataCarriageReturn if byte == b'\r' => Some(Place::DataLineFeed),
            Place::DataLineFeed if byte == b'\n' => Some(Place::Size),
            Place::TrailerStart | Place::TrailerName | Place::TrailerValue => {
                self.trailer_byte(byte)
            }
            Place::TrailerLineFeed if byte == b'\n' => Some(Place::TrailerStart),
            Place::LastLineFeed if byte == b'\n' => Some(Place::Done),
            Place::SizeLineFeed
            | Place::Data
            | Place::DataCarriageReturn
            | Place::DataLineFeed
            | Place::TrailerLineFeed
            | Place::LastLineFeed
            | Place::Done => None,
        }
    }

    fn size_byte(&mut self, byte: u8) -> Option<Place> {
        if let Some(digit) = char::from(byte).to_digit(16) {
            if self.may_pad && self.digits > 0 && self.size == 0 && digit == 0 {
                return self.pads().then_some(Place::Size);
            }
            self.digits += 1;
            self.size = (self.size << 4) | u64::from(digit);
            return (self.digits <= MAX_SIZE_DIGITS).then_some(Place::Size);
        }
        match byte {
            b';' if self.digits > 0 => Some(self.extension_start()),
            b'\r' if self.digits > 0 => Some(Place::SizeLineFeed),
            b' ' | b'\t' if self.digits > 0 && self.may_pad => Some(Place::Padding),
            _ => None,
        }
    }

    /// Behind blanks that were overlooked.
    fn padding_byte(&mut self, byte: u8) -> Option<Place> {
        if !self.pads() {
            return None;
        }
        match byte {
            b' ' | b'\t' => Some(Place::Padding),
            b';' => Some(self.extension_start()),
            b'\r' => Some(Place::SizeLineFeed),
            _ => None,
        }
    }

    /// Counts a byte that means nothing; whether there may be so many on a line.
    fn pads(&mut self) -> bool {
        self.padding_bytes += 1;
        self.padding_bytes <= MAX_PADDING_BYTES
    }

    fn extension_start(&self) -> Place {
        if self.may_pad { Place::ExtensionAnything } else { Place::ExtensionNameStart }
    }

    fn extension_byte(&mut self, byte: u8) -> Option<Place> {
        self.extension_bytes += 1;
        if self.extension_bytes > MAX_EXTENSION_BYTES {
            return None;
        }
        match (self.place, byte) {
            (Place::ExtensionAnything, b'\r') => Some(Place::SizeLineFeed),
            (Place::ExtensionAnything, _) if byte != b'\n' => Some(Place::ExtensionAnything),
            (Place::ExtensionNameStart | Place::ExtensionName, _) if is_token_byte(byte) => {
                Some(Place::ExtensionName)
            }
            (Place::ExtensionName, b'=') => Some(Place::ExtensionValueStart),
            (Place::ExtensionValueStart, b'"') => Some(Place::ExtensionQuoted),
            (Place::ExtensionValueStart | Place::ExtensionToken, _) if is_token_byte(byte) => {
                Some(Place::ExtensionToken)
            }
            (Place::ExtensionQuoted, b'"') => Some(Place::ExtensionEnd),
            (Place::ExtensionQuoted, b'\\') => Some(Place::ExtensionEscaped),
            (Place::ExtensionQuoted | Place::ExtensionEscaped, _) if is_value_byte(byte) => {
                Some(Place::ExtensionQuoted)
            }
            (Place::ExtensionName | Place::ExtensionToken | Place::ExtensionEnd, b';') => {
                Some(Place::ExtensionNameStart)
            }
            (Place::ExtensionName | Place::ExtensionToken | Place::ExtensionEnd, b'\r') => {
                Some(Place::SizeLineFeed)
            }
            _ => None,
        }
    }

    fn chunk_line_end(&mut self) -> Place {
        self.digits = 0;
        self.padding_bytes = 0;
        if self.size == 0 { Place::TrailerStart } else { Place::Data }
    }

    fn trailer_byte(&mut self, byte: u8) -> Option<Place> {
        self.trailer_bytes += 1;
        if self.trailer_bytes > MAX_TRAILER_BYTES {
            return None;
        }
        match (self.place, byte) {
            (Place::TrailerStart, b'\r') => Some(Place::LastLineFeed),
            (Place::TrailerStart, _) if is_token_byte(byte) => {
                self.trailer_lines += 1;
                (self.trailer_lines <= MAX_TRAILER_LINES).then_some(Place::TrailerName)
            }
            (Place::TrailerName, _) if is_token_byte(byte) => Some(Place::TrailerName),
            (Place::TrailerName, b':') => Some(Place::TrailerValue),
            (Place::TrailerValue, b'\r') => Some(Place::TrailerLineFeed),
            (Place::TrailerValue, _) if is_value_byte(byte) => Some(Place::TrailerValue),
            _ => None,
        }
    }
}

/// The smaller of the two, as a length.
fn clamp(left: u64, available: usize) -> usize {
    usize::try_from(left).map_or(available, |left| left.min(available))
}

const MAX_SIZE_DIGITS: u8 = 16;
const MAX_PADDING_BYTES: u16 = 4 * 1024;
const MAX_EXTENSION_BYTES: u16 = 16 * 1024;
const MAX_TRAILER_BYTES: u16 = 16 * 1024;
const MAX_TRAILER_LINES: u8 = 100;

#[cfg(test)]
mod tests;
