//! Follows the framing of a request body to its last byte, without keeping any of it.
//!
//! 1. A body of known length ends after that many bytes (RFC 9112 section 6.2).
//! 2. A chunk line is 1 to 16 hexadecimal digits, then extensions, then CRLF; no whitespace
//!    anywhere (section 7.1).
//! 3. Extensions are `;name`, `;name=token` or `;name="quoted"`, 16 KiB in all (section 7.1.1).
//! 4. Chunk data ends in CRLF; trailers are well-formed field lines, 16 KiB and 100 lines in all
//!    (section 7.1.2).
//!
//! It does not decode: the bytes go on to the parser above as they came.

use super::{
    fault::WireFault,
    head::{Framing, is_token_byte, is_value_byte},
};

/// Where in a body the bytes seen so far have led.
#[derive(Debug)]
pub(super) enum BodyFraming {
    /// This many bytes are left.
    Length(u64),
    /// In a chunked body.
    Chunked(Chunks),
}

impl BodyFraming {
    pub(super) fn new(framing: Framing) -> Self {
        match framing {
            Framing::Chunked => Self::Chunked(Chunks::default()),
            Framing::Length(length) => Self::Length(length),
        }
    }

    /// Whether the body has ended.
    pub(super) fn is_done(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunks) => chunks.place == Place::Done,
        }
    }

    /// Follows the body through `bytes`; says how many of them belong to it.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Result<usize, WireFault> {
        match self {
            Self::Length(left) => {
                let taken = clamp(*left, bytes.len());
                *left -= taken as u64;
                Ok(taken)
            }
            Self::Chunked(chunks) => chunks.follow(bytes),
        }
    }
}

/// The place in a chunked body, and what was spent of its bounds.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    place: Place,
    /// The size read so far on a chunk line; the bytes left in the chunk's data.
    size: u64,
    digits: u8,
    extension_bytes: u16,
    trailer_bytes: u16,
    trailer_lines: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Size,
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
    fn follow(&mut self, bytes: &[u8]) -> Result<usize, WireFault> {
        let mut rest = bytes;
        while self.place != Place::Done {
            if self.place == Place::Data {
                let taken = clamp(self.size, rest.len());
                self.size -= taken as u64;
                rest = rest.get(taken..).unwrap_or_default();
                if self.size > 0 {
                    break;
                }
                self.place = Place::DataCarriageReturn;
            }
            let Some((&byte, behind)) = rest.split_first() else { break };
            self.place = self.step(byte).ok_or(WireFault::ChunkSyntax)?;
            rest = behind;
        }
        Ok(bytes.len() - rest.len())
    }

    /// One byte outside chunk data; `None` where it must not stand.
    fn step(&mut self, byte: u8) -> Option<Place> {
        match self.place {
            Place::Size => self.size_byte(byte),
            Place::ExtensionNameStart
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
            self.digits += 1;
            self.size = (self.size << 4) | u64::from(digit);
            return (self.digits <= MAX_SIZE_DIGITS).then_some(Place::Size);
        }
        match byte {
            b';' if self.digits > 0 => Some(Place::ExtensionNameStart),
            b'\r' if self.digits > 0 => Some(Place::SizeLineFeed),
            _ => None,
        }
    }

    fn extension_byte(&mut self, byte: u8) -> Option<Place> {
        self.extension_bytes += 1;
        if self.extension_bytes > MAX_EXTENSION_BYTES {
            return None;
        }
        match (self.place, byte) {
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
const MAX_EXTENSION_BYTES: u16 = 16 * 1024;
const MAX_TRAILER_BYTES: u16 = 16 * 1024;
const MAX_TRAILER_LINES: u8 = 100;

#[cfg(test)]
mod tests;
