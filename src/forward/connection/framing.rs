//! What a response's head says of its body, and of what comes behind it (RFC 9112 sections 6 and 9).
//!
//! 1. `Transfer-Encoding` goes before `Content-Length`; a response with both, or with another coding
//!    than `chunked`, is refused by `response_head`, and its connection never used again.
//! 2. A length that is given several times is given alike each time.
//! 3. Fields that end here are not handed on: the length, which is the body's to say, the usual
//!    options of `Connection`, and `Server`, which nobody asks for.
//! 4. HTTP/1.1 keeps a connection unless told otherwise, HTTP/1.0 only when told so; `close` is heard
//!    wherever it is said.

use super::error::ExchangeError;
use crate::http1::body::Framing;

/// What the fields of a head say of its message.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// The minor version.
    pub(super) version: u8,
    length: Length,
    /// Whether the last of the codings is `chunked`, where there are any.
    is_chunked: Option<bool>,
    is_ambiguous: bool,
    says_close: bool,
    says_keep_alive: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Length {
    #[default]
    Unknown,
    Known(u64),
    Invalid,
}

impl Fields {
    /// Takes note of a field; says whether it has no meaning beyond this.
    pub(super) fn note(&mut self, name: &[u8], value: &[u8]) -> bool {
        // Most fields are none of these, which their lengths tell.
        match name.len() {
            6 => name.eq_ignore_ascii_case(b"server"),
            10 if name.eq_ignore_ascii_case(b"connection") => self.note_options(value),
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                self.length = elements(value).map(digits).fold(self.length, Length::and);
                true
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                self.is_ambiguous |=
                    self.is_chunked.is_some() || !value.eq_ignore_ascii_case(b"chunked");
                let last = elements(value).next_back().unwrap_or_default();
                self.is_chunked = Some(last.eq_ignore_ascii_case(b"chunked"));
                false
            }
            _ => false,
        }
    }

    /// Options that are neither of the usual ones name fields that end here as well.
    fn note_options(&mut self, value: &[u8]) -> bool {
        for option in elements(value) {
            self.says_close |= option.eq_ignore_ascii_case(b"close");
            self.says_keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
        [&b"close"[..], b"keep-alive"].iter().any(|usual| value.eq_ignore_ascii_case(usual))
    }

    /// Whether the length is not the only thing that is said of the body's end.
    pub(super) fn is_contradictory(&self) -> bool {
        self.is_chunked.is_some() && self.length != Length::Unknown
    }

    /// Whether another response may follow.
    pub(super) fn keeps_alive(&self) -> bool {
        let keeps = self.version == 1 || self.says_keep_alive;
        keeps && !self.says_close && !self.is_ambiguous && !self.is_contradictory()
    }

    /// How the body of a response that may have one ends.
    pub(super) fn framing(&self) -> Result<Framing, ExchangeError> {
        match (self.is_chunked, self.length) {
            (Some(_), _) if self.version == 0 => {
                Err(ExchangeError::Framing("Transfer-Encoding in HTTP/1.0"))
            }
            (Some(true), _) => Ok(Framing::Chunked),
            (None, Length::Known(length)) => Ok(Framing::Length(length)),
            (None, Length::Invalid) => Err(ExchangeError::Framing("invalid Content-Length")),
            (Some(false), _) | (None, Length::Unknown) => Ok(Framing::UntilClose),
        }
    }
}

impl Length {
    fn and(self, other: Option<u64>) -> Self {
        match (self, other) {
            (Self::Unknown, Some(length)) if length <= MAX_LENGTH => Self::Known(length),
            (Self::Known(known), Some(length)) if known == length => self,
            _ => Self::Invalid,
        }
    }
}

fn elements(value: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// Digits and nothing else, as a number.
fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = char::from(*byte).to_digit(10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Longer ones are not passed on either.
const MAX_LENGTH: u64 = u64::MAX - 2;
