//! What a response's head says of its body, and of what comes behind it (RFC 9112 sections 6 and 9).
//!
//! 1. `Transfer-Encoding` goes before `Content-Length`; a response with both, or with another coding
//!    than `chunked`, is refused by `response_head`, and its connection never used again.
//! 2. A length that is given several times is given alike each time.
//! 3. HTTP/1.1 keeps a connection unless told otherwise, HTTP/1.0 only when told so; `close` is heard
//!    wherever it is said.

use http::{HeaderName, header};

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
    /// Takes note of a field.
    pub(super) fn note(&mut self, name: &HeaderName, value: &[u8]) {
        if *name == header::CONNECTION {
            self.says_close |= lists(value, b"close");
            self.says_keep_alive |= lists(value, b"keep-alive");
        } else if *name == header::CONTENT_LENGTH {
            self.length = elements(value).map(digits).fold(self.length, Length::and);
        } else if *name == header::TRANSFER_ENCODING {
            self.is_ambiguous |=
                self.is_chunked.is_some() || !value.eq_ignore_ascii_case(b"chunked");
            let last = elements(value).next_back().unwrap_or_default();
            self.is_chunked = Some(last.eq_ignore_ascii_case(b"chunked"));
        }
    }

    /// Whether another response may follow.
    pub(super) fn keeps_alive(&self) -> bool {
        let is_contradictory = self.is_chunked.is_some() && self.length != Length::Unknown;
        let keeps = self.version == 1 || self.says_keep_alive;
        keeps && !self.says_close && !self.is_ambiguous && !is_contradictory
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

fn lists(value: &[u8], option: &[u8]) -> bool {
    // Hardly anybody says more than one thing.
    if !value.contains(&b',') {
        return value.eq_ignore_ascii_case(option);
    }
    elements(value).any(|element| element.eq_ignore_ascii_case(option))
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
