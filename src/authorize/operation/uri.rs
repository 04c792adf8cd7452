//! Whether every reader takes a URI for the same resource, so that rules about it mean one thing.
//!
//! 1. No dot segments, no upper case in the scheme; in escapes nothing that need not be escaped,
//!    and digits in upper case (RFC 3986 section 6.2.2).
//! 2. What the URL Standard's parser makes of it is what was written: servers look resources up by
//!    that parser's result, to which `file:/a`, `file://localhost/a` and `file:///a` are one.
//!
//! Of equivalent forms it picks none: whoever sends another than the plain one is told so. The
//! punctuation that RFC 3986 reserves may stand there escaped or not; patterns must mind both.

use url::Url;

/// Whether nobody would rewrite it. Braces are those of a template's variables.
pub(super) fn is_plain(uri: &str) -> bool {
    let has_dots = uri.split(['/', '?', '#']).any(|segment| matches!(segment, "." | ".."));
    let is_scheme_lower = uri
        .split_once(':')
        .is_none_or(|(scheme, _)| !scheme.bytes().any(|byte| byte.is_ascii_uppercase()));
    !has_dots
        && is_scheme_lower
        && !uri.contains(['\\', ' '])
        && uri.split('%').skip(1).all(is_needed)
        && !is_rewritten(uri)
}

/// Whether an escape, behind its percent sign, is one that must be there: unreserved characters,
/// slashes and percent signs have no business in one.
fn is_needed(escape: &str) -> bool {
    let digits =
        escape.get(..2).filter(|digits| !digits.contains(|c: char| c.is_ascii_lowercase()));
    let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
    byte.is_some_and(|byte| {
        !(byte.is_ascii_alphanumeric()
            || byte < b' '
            || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/' | b'\\' | b'%' | 0x7f))
    })
}

/// Whether the URL Standard's parser makes something else of it. What it does not take for a URL
/// it does not rewrite.
fn is_rewritten(uri: &str) -> bool {
    // The parser escapes the braces of templates, which no reader of templates does.
    let uri = uri.replace(['{', '}'], "_");
    Url::parse(&uri).is_ok_and(|url| url.as_str() != uri)
}
