//! Names for requests: unique, and cheap to make.
//!
//! A request's id is 128 bits from a random seed and a counter, mixed so that neighbours look
//! unrelated. It serves as trace id too when a request begins a trace (W3C Trace Context), so that
//! log and trace can be joined. It is a name, not a secret.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use bytes::{Bytes, BytesMut};
use http::HeaderValue;

use crate::forward::headers::hex_digits;

/// Makes the ids of one worker's requests.
#[derive(Debug)]
pub(super) struct Ids {
    seeds: [u64; 2],
    count: AtomicU64,
    /// Where the texts of the next ones are written: many share one allocation.
    sheet: Mutex<BytesMut>,
}

/// What a new request is called.
#[derive(Debug)]
pub(super) struct NewId {
    /// `X-Request-Id`.
    pub(super) request_id: HeaderValue,
    /// `traceparent`, for a request that brings none.
    pub(super) traceparent: HeaderValue,
    /// The trace id in it.
    pub(super) trace_id: u128,
    /// The parent id in it: the request's own span, should it be recorded.
    pub(super) span_id: u64,
}

impl Ids {
    /// Ids that no other worker or process makes.
    pub(super) fn new() -> Self {
        let mut random = [[0; 8]; 2];
        // Without randomness ids repeat after a restart: a nuisance in the log, no danger.
        let _ = aws_lc_rs::rand::fill(random.as_flattened_mut());
        let sheet = Mutex::new(BytesMut::with_capacity(SHEET_BYTES));
        Self { seeds: random.map(u64::from_ne_bytes), count: AtomicU64::new(0), sheet }
    }

    fn write(&self, text: &[u8]) -> Bytes {
        let mut sheet = self.sheet.lock().unwrap_or_else(PoisonError::into_inner);
        // When it is full this begins another one of the same size.
        sheet.extend_from_slice(text);
        sheet.split().freeze()
    }

    /// The next id.
    pub(super) fn next(&self) -> NewId {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let [first, second] = self.seeds;
        // The low half never repeats within a worker, the high half tells workers apart.
        let low = mix(second.wrapping_add(count));
        let high = mix(first ^ low);
        let parent = mix(low ^ second);
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        for (place, number) in [(3..19, high), (19..35, low), (36..52, parent)] {
            if let Some(digits) = text.get_mut(place) {
                digits.copy_from_slice(&hex_digits(number));
            }
        }
        let value = |bytes| {
            let value = HeaderValue::from_maybe_shared(bytes);
            value.unwrap_or_else(|_| HeaderValue::from_static("none"))
        };
        let text = self.write(&text);
        NewId {
            request_id: value(text.slice(3..35)),
            traceparent: value(text),
            trace_id: (u128::from(high) << 64) | u128::from(low),
            span_id: parent,
        }
    }
}

/// Small, for a text that is kept keeps its sheet.
const SHEET_BYTES: usize = 2048;

/// A bijection whose outputs look unrelated (the finalizer of `SplitMix64`).
pub(super) fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_hexadecimal_and_do_not_repeat() {
        let (one, other) = (Ids::new(), Ids::new());
        let made: HashSet<String> = (0..1000)
            .flat_map(|_| [one.next(), other.next()])
            .map(|id| id.request_id.to_str().unwrap().to_owned())
            .collect();
        assert_eq!(made.len(), 2000);
        let is_hex = |id: &String| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
        assert!(made.iter().all(is_hex));
    }

    #[test]
    fn digits_are_those_of_the_number() {
        for number in [0, 1, 9, 10, 15, 16, 0x0123_4567_89ab_cdef, u64::MAX, u64::MAX / 7] {
            assert_eq!(hex_digits(number), format!("{number:016x}").as_bytes());
        }
    }

    #[test]
    fn new_trace_is_named_like_its_request() {
        let id = Ids::new().next();
        let (trace, request) = (id.traceparent.to_str().unwrap(), id.request_id.to_str().unwrap());
        let parts: Vec<&str> = trace.split('-').collect();
        assert_eq!((parts[0], parts[1], parts[2].len(), parts[3]), ("00", request, 16, "00"));
        assert_eq!(
            format!("{:032x}-{:016x}", id.trace_id, id.span_id),
            format!("{request}-{}", parts[2])
        );
    }
}
