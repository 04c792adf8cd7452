//! What can be wrong with a request before anyone has parsed it.

use thiserror::Error;

/// Why the bytes of a connection are not a request that may be judged.
///
/// The text is for the log. Which response a fault gets is not decided here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum WireFault {
    /// `Content-Length` and `Transfer-Encoding` in one head (RFC 9112 section 6.3).
    #[error("the head has both Content-Length and Transfer-Encoding")]
    BothLengths,
    /// A chunk line, a chunk's end or a trailer (RFC 9112 section 7.1).
    #[error("the chunked body is malformed")]
    ChunkSyntax,
    /// A field line: its name, its colon, a control byte in its value, or a folded line
    /// (RFC 9112 section 5).
    #[error("a field line of the head is malformed")]
    FieldSyntax,
    /// The head did not end in time, counted over the whole head.
    #[error("the head did not arrive in time")]
    HeadTimeout,
    /// The head is larger than the listener allows.
    #[error("the head is too large")]
    HeadTooLarge,
    /// More than one `Host` line, or none in HTTP/1.1 (RFC 9112 section 3.2).
    #[error("the head does not have exactly one Host line")]
    HostCount,
    /// More than one `Content-Length` line, or a value that is not 1 to 19 digits.
    #[error("Content-Length is not exactly one plain number")]
    LengthSyntax,
    /// A line feed or carriage return that is not half of a CRLF (RFC 9112 section 2.2).
    #[error("a line of the head does not end in CRLF")]
    LineEnding,
    /// Method, target or version, or more than one empty line before them (RFC 9112 section 3).
    #[error("the request line is malformed or its version is not HTTP/1.0 or HTTP/1.1")]
    RequestLine,
    /// The request target is longer than 8 KiB.
    #[error("the request target is too long")]
    TargetTooLong,
    /// More than 100 field lines.
    #[error("the head has too many field lines")]
    TooManyFields,
    /// `Transfer-Encoding` other than one `chunked`, or any in HTTP/1.0 (RFC 9112 section 6.1).
    #[error("Transfer-Encoding is not exactly one chunked")]
    TransferCoding,
}
