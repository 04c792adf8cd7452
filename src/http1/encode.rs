//! Frames a body on its way out.
//!
//! 1. A body of declared length is exactly as long, or its message is never completed
//!    (RFC 9112 section 8).
//! 2. A chunked body is completed by its last chunk; without it the peer knows that it was cut
//!    (section 7.1).

use bytes::Bytes;

use super::outbox::Outbox;

/// How a body is framed, and what is left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyEncoder {
    /// In chunks.
    Chunked,
    /// By its length; so much of it is left.
    Length(u64),
    /// By the end of the connection, for HTTP/1.0.
    UntilClose,
}

/// A body is not as long as was declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body is not as long as was declared")]
pub struct WrongLength;

impl BodyEncoder {
    /// Puts a piece of the body into the outbox.
    ///
    /// # Errors
    ///
    /// When the body is longer than was declared; nothing of the piece is sent.
    pub fn data(&mut self, data: Bytes, outbox: &mut Outbox) -> Result<(), WrongLength> {
        // An empty chunk would be the last one.
        if data.is_empty() {
            return Ok(());
        }
        match self {
            Self::Chunked => {
                hexadecimal(data.len(), outbox.short());
                outbox.push(data, b"\r\n");
            }
            Self::Length(left) => {
                *left = left.checked_sub(data.len() as u64).ok_or(WrongLength)?;
                outbox.push(data, b"");
            }
            Self::UntilClose => outbox.push(data, b""),
        }
        Ok(())
    }

    /// Completes the body.
    ///
    /// # Errors
    ///
    /// When it is shorter than was declared.
    pub fn end(&self, outbox: &mut Outbox) -> Result<(), WrongLength> {
        match self {
            Self::Chunked => outbox.short().extend_from_slice(b"0\r\n\r\n"),
            Self::Length(0) | Self::UntilClose => {}
            Self::Length(_) => return Err(WrongLength),
        }
        Ok(())
    }
}

/// A chunk's first line.
fn hexadecimal(size: usize, out: &mut Vec<u8>) {
    let digits = (usize::BITS - size.leading_zeros()).div_ceil(4).max(1);
    for place in (0..digits).rev() {
        let digit = u32::try_from((size >> (place * 4)) & 0xf).unwrap_or(0);
        out.extend(char::from_digit(digit, 16).map(|digit| digit as u8));
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(outbox: &mut Outbox) -> String {
        String::from_utf8(std::mem::take(outbox.short())).unwrap()
    }

    #[test]
    fn chunks_say_how_long_they_are() {
        let mut outbox = Outbox::default();
        let mut encoder = BodyEncoder::Chunked;
        for (length, line) in [(1, "1"), (15, "f"), (16, "10"), (255, "ff"), (4096, "1000")] {
            encoder.data(Bytes::from("x".repeat(length)), &mut outbox).unwrap();
            assert_eq!(sent(&mut outbox), format!("{line}\r\n{}\r\n", "x".repeat(length)));
        }
        encoder.data(Bytes::new(), &mut outbox).unwrap();
        assert!(outbox.is_sent(), "an empty chunk would end the body");
        encoder.end(&mut outbox).unwrap();
        assert_eq!(sent(&mut outbox), "0\r\n\r\n");
    }

    #[test]
    fn body_of_known_length_is_exactly_as_long() {
        let mut outbox = Outbox::default();
        let mut encoder = BodyEncoder::Length(3);
        encoder.data(Bytes::from("ab"), &mut outbox).unwrap();
        assert_eq!(encoder.end(&mut outbox), Err(WrongLength));
        assert_eq!(encoder.data(Bytes::from("cd"), &mut outbox), Err(WrongLength));
        encoder.data(Bytes::from("c"), &mut outbox).unwrap();
        assert_eq!((encoder.end(&mut outbox), sent(&mut outbox)), (Ok(()), "abc".to_owned()));
    }
}
