//! A place in a trace, as `traceparent` says it (W3C Trace Context, level 1, section 3.2).
//!
//! Only version 00 is read; whatever else stands there is as if nothing did.

use std::fmt;

use http::HeaderValue;

/// A span of somebody's that others can be children of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// `trace-id`; not zero.
    pub trace_id: u128,
    /// `parent-id`; not zero.
    pub span_id: u64,
    /// `trace-flags`.
    pub flags: u8,
}

impl TraceContext {
    /// Reads `00-<trace id>-<parent id>-<flags>`.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let mut parts = text.split('-');
        let mut part = |length: usize| {
            let part = parts.next().filter(|part| part.len() == length)?;
            let is_hex = part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            is_hex.then_some(part)
        };
        let (version, trace, parent, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        let trace_id = u128::from_str_radix(trace, 16).ok()?;
        let span_id = u64::from_str_radix(parent, 16).ok()?;
        let flags = u8::from_str_radix(flags, 16).ok()?;
        let is_good = version == "00" && parts.next().is_none() && trace_id != 0 && span_id != 0;
        is_good.then_some(Self { trace_id, span_id, flags })
    }

    /// Whether its caller recorded it.
    pub fn is_sampled(self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The context of a recorded span of ours, in the same trace.
    #[must_use]
    pub fn recorded(trace_id: u128, span_id: u64, parent: Option<Self>) -> Self {
        // How the trace id was made is known to whoever made it.
        let flags = parent.map_or(0, |parent| parent.flags & RANDOM_TRACE_ID) | SAMPLED;
        Self { trace_id, span_id, flags }
    }

    /// The value of `traceparent`.
    pub fn to_header(self) -> Option<HeaderValue> {
        HeaderValue::try_from(self.to_string()).ok()
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

/// A `tracestate` that came elsewhere than in a header, when it can be one.
pub fn tracestate(text: &str) -> Option<HeaderValue> {
    let is_printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let is_usable = is_printable && text.contains('=') && text.len() <= MAX_TRACESTATE_BYTES;
    HeaderValue::from_str(text).ok().filter(|_| is_usable)
}

const SAMPLED: u8 = 0b01;
/// Level 2 of the specification.
const RANDOM_TRACE_ID: u8 = 0b10;
/// Section 3.3.1.5: what everybody should pass on.
const MAX_TRACESTATE_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_is_read_and_written() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
        let context = TraceContext::parse(text.as_bytes()).unwrap();
        assert_eq!(context.trace_id, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
        assert_eq!(context.span_id, 0x00f0_67aa_0ba9_02b7);
        assert!(context.is_sampled());
        assert_eq!(context.to_string(), text);
    }

    #[test]
    fn whatever_else_stands_there_is_nothing() {
        for text in [
            "",
            "00",
            "01-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
            "ff-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
            "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7",
            "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01-",
            "00-0AF7651916CD43DD8448EB211C80319C-00f067aa0ba902b7-01",
            "00-+af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-1",
            " 00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceContext::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(TraceContext::parse(b"00-\xff"), None);
    }

    #[test]
    fn own_span_is_sampled_and_keeps_how_the_trace_id_was_made() {
        let caller = TraceContext { trace_id: 7, span_id: 8, flags: 0b1111_1110 };
        let own = TraceContext::recorded(7, 9, Some(caller));
        assert_eq!((own.span_id, own.flags), (9, 0b11));
        assert_eq!(TraceContext::recorded(7, 9, None).flags, 0b01);
    }

    #[test]
    fn tracestate_is_what_a_header_can_hold() {
        assert!(tracestate("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE").is_some());
        for text in
            ["", "rojo", "a=b\r\nX-Injected: 1", "a=\u{e4}", &format!("a={}", "b".repeat(511))]
        {
            assert_eq!(tracestate(text), None, "{text}");
        }
    }
}
