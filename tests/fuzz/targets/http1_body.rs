//! Bodies of HTTP/1 messages, strictly and leniently framed, in pieces.
//!
//! Holds: however a body is cut, the same content comes out, its end is in the same place, and what
//! the strict reader takes the lenient one reads alike.
#![no_main]

use gatehouse::http1::body::{BodyDecoder, Framing, Malformed, Piece};
use libfuzzer_sys::fuzz_target;

/// The content of a body, how many bytes belong to it, and whether it has ended.
fn decode(mut decoder: BodyDecoder, pieces: &[&[u8]]) -> Result<(Vec<u8>, usize, bool), Malformed> {
    let (mut content, mut taken) = (Vec::new(), 0);
    for bytes in pieces {
        let mut rest = *bytes;
        loop {
            let piece = decoder.next(rest)?;
            if piece == Piece::default() {
                break;
            }
            content.extend_from_slice(&rest[piece.framing..piece.framing + piece.content]);
            rest = &rest[piece.framing + piece.content..];
            taken += piece.framing + piece.content;
        }
        assert!(rest.is_empty() || decoder.is_done());
    }
    Ok((content, taken, decoder.is_done()))
}

fuzz_target!(|data: &[u8]| {
    let Some((&first, data)) = data.split_first() else { return };
    let (start, end) = data.split_at(usize::from(first) % (data.len() + 1));
    for framing in [Framing::Chunked, Framing::Length(data.len() as u64 / 2), Framing::UntilClose] {
        let strict = decode(BodyDecoder::new(framing), &[data]);
        assert_eq!(decode(BodyDecoder::new(framing), &[start, end]), strict);
        let lenient = decode(BodyDecoder::lenient(framing), &[data]);
        assert_eq!(decode(BodyDecoder::lenient(framing), &[start, end]), lenient);
        if strict.is_ok() {
            assert_eq!(strict, lenient);
        }
    }
});
