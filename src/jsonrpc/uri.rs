//! URIs of resources: whether every reader takes one for the same resource, and what it may be read
//! as, so that rules about it mean one thing.
//!
//! 1. A plain URI has no dot segments, no upper case in the scheme; in escapes nothing that need not
//!    be escaped, nothing that is no UTF-8, and digits in upper case (RFC 3986 section 6.2.2).
//! 2. What the URL Standard's parser makes of it is what was written: servers look resources up by
//!    that parser's result, to which `file:/a`, `file://localhost/a` and `file:///a` are one.
//! 3. What is plain may still be read in several ways, for the punctuation that RFC 3986 reserves may
//!    stand there escaped or not, and servers drop what they have no use for. [`spellings`] are all
//!    those readings; rules about any of them count.
//!
//! Of equivalent forms it picks none: whoever sends another than the plain one is told so. It knows
//! no file system: names that one takes for the same (by case, by links) are different here.

use std::{borrow::Cow, fmt::Write};

use url::{Position, Url};

/// Whether nobody would rewrite it. Braces are those of a template's variables.
pub fn is_plain(uri: &str) -> bool {
    if uri.len() > MAX_BYTES || uri.contains(['\\', ' ']) || is_rewritten(uri) {
        return false;
    }
    let Ok(decoded) = String::from_utf8(unescaped(uri)) else { return false };
    let is_trimmed = |text: &str| {
        let name = text.split(['?', '#']).next().unwrap_or_default();
        text.starts_with(char::is_whitespace) || name.ends_with(char::is_whitespace)
    };
    let is_ambiguous = |text: &str| has_dots(text) || has_bar_for_colon(text);
    uri.split('%').skip(1).all(is_needed)
        && !scheme(uri).is_some_and(|scheme| scheme.bytes().any(|byte| byte.is_ascii_uppercase()))
        && scheme(uri) == scheme(&decoded)
        && !is_ambiguous(uri)
        && !is_ambiguous(&decoded)
        && !is_trimmed(&decoded)
        && keeps_authority(&decoded)
        && !has_idle_parts(uri)
        && !decoded.chars().any(char::is_control)
}

/// Whether a text has the form of a scheme (RFC 3986 section 3.1).
pub fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// The plain form of a URI that is not, when it has one.
pub fn plain(uri: &str) -> Option<String> {
    let mut parts = uri.split('%');
    let mut text = parts.next()?.to_owned();
    for escape in parts {
        let byte = escape.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok())?;
        if byte.is_ascii_graphic() && byte != b'%' && !is_needed(&format!("{byte:02X}")) {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
        text.push_str(escape.get(2..)?);
    }
    let text = Url::parse(&text).map_or(text, String::from);
    is_plain(&text).then_some(text)
}

/// Everything that a server may take a URI for.
///
/// As written, as the URL Standard's parser writes it, without its fragment, of a file also without
/// query, host and needless slashes, and each of them unescaped, with `+` as itself and as a space,
/// and with its host in lower case.
///
/// One that is too long to be plain is read as it is: nobody is let through to it.
pub fn spellings(uri: &str) -> Vec<Cow<'_, str>> {
    let mut all = vec![Cow::Borrowed(uri)];
    if uri.len() > MAX_BYTES || has_one_reading(uri) {
        return all;
    }
    add(&mut all, |text| Url::parse(text).map(String::from).ok());
    let cuts: [Reading; 2] = [without_fragment, without_file_query];
    // The cuts once more behind the others: a server may unescape first.
    for read in cuts.into_iter().chain(READINGS).chain(cuts).chain([file_path as Reading]) {
        add(&mut all, read);
    }
    all
}

/// Whether nothing in it is ever read in another way; so it is with most, and quickly seen.
fn has_one_reading(uri: &str) -> bool {
    let is_special = scheme(uri).is_none_or(|scheme| SPECIAL.contains(&scheme));
    !is_special
        && !uri.contains("/.")
        && uri.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._~:/@".contains(&byte)
        })
}

/// One way of reading a text; `None` when it is read as it is.
pub type Reading = fn(&str) -> Option<String>;

/// What part of a URI is read as, beside what is written: each reading works on those before it.
pub const READINGS: [Reading; 3] = [decoded, with_spaces, with_lower_host];

fn decoded(text: &str) -> Option<String> {
    text.contains('%').then(|| String::from_utf8_lossy(&unescaped(text)).into_owned())
}

/// As forms are written (URL Standard, `application/x-www-form-urlencoded`).
fn with_spaces(text: &str) -> Option<String> {
    text.contains('+').then(|| text.replace('+', " "))
}

/// RFC 3986 section 3.2.2: hosts are the same in either case.
fn with_lower_host(text: &str) -> Option<String> {
    let start = text.find("://")? + "://".len();
    let rest = text.get(start..)?;
    let end = rest.find(['/', '?', '#']).map_or(text.len(), |length| start + length);
    let mut text = text.to_owned();
    text.get_mut(start..end)?.make_ascii_lowercase();
    Some(text)
}

/// The path alone of a file's URI, as a file system reads it; `None` when it is no such URI.
pub fn file_path(uri: &str) -> Option<String> {
    let rest = uri.strip_prefix("file:")?;
    let path = match rest.strip_prefix("//") {
        Some(behind) => behind.get(behind.find('/')?..)?,
        None => rest,
    };
    let mut text = String::from("file:///");
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        text.push_str(segment);
        text.push('/');
    }
    text.pop().filter(|_| text.len() > "file://".len())?;
    Some(text)
}

fn add(all: &mut Vec<Cow<'_, str>>, read: impl Fn(&str) -> Option<String>) {
    let new: Vec<String> = all.iter().filter_map(|text| read(text)).collect();
    for text in new {
        if !all.contains(&Cow::Borrowed(&*text)) {
            all.push(text.into());
        }
    }
}

fn without_fragment(uri: &str) -> Option<String> {
    uri.split_once('#').map(|(before, _)| before.to_owned())
}

/// A query is part of what a resource is, but not of what a file is.
fn without_file_query(uri: &str) -> Option<String> {
    uri.starts_with("file:").then(|| uri.split_once('?'))?.map(|(before, _)| before.to_owned())
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(part.get(2..).unwrap_or_default().as_bytes());
            }
            None => bytes.extend(b"%".iter().chain(part.as_bytes())),
        }
    }
    bytes
}

fn scheme(uri: &str) -> Option<&str> {
    uri.split_once(':').map(|(scheme, _)| scheme).filter(|scheme| is_scheme(scheme))
}

/// Whether who fetches it would leave parts of it out: who asks, the root's dot behind a host, an empty
/// query.
fn has_idle_parts(uri: &str) -> bool {
    let is_fetched =
        scheme(uri).is_some_and(|scheme| scheme != "file" && SPECIAL.contains(&scheme));
    is_fetched
        && Url::parse(uri).is_ok_and(|url| {
            let has_dot = url.host_str().is_some_and(|host| host.ends_with('.'));
            let has_user = !url.username().is_empty() || url.password().is_some();
            has_dot || has_user || url.query() == Some("")
        })
}

/// Whether a segment is `.` or `..`, by itself or for who drops its parameters or trims it.
fn has_dots(uri: &str) -> bool {
    uri.split(['/', '?', '#']).any(|segment| {
        let name = segment.split(';').next().unwrap_or_default().trim();
        matches!(name, "." | "..")
    })
}

/// Whether a bar stands for the colon of a drive letter.
fn has_bar_for_colon(uri: &str) -> bool {
    uri.starts_with("file:")
        && uri.split(['/', '?', '#']).any(
            |segment| matches!(segment.as_bytes(), [letter, b'|'] if letter.is_ascii_alphabetic()),
        )
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
/// it does not rewrite; but whoever reads one of its own schemes otherwise reads it in a way of its
/// own.
fn is_rewritten(uri: &str) -> bool {
    // The parser escapes the braces of templates, which no reader of templates does.
    let text = uri.replace(['{', '}'], "_");
    match Url::parse(&text) {
        Ok(url) => url.as_str() != text,
        Err(_) => text == uri && scheme(uri).is_some_and(|scheme| SPECIAL.contains(&scheme)),
    }
}

/// Whether the URL Standard's parser keeps scheme and authority of an unescaped URI.
fn keeps_authority(decoded: &str) -> bool {
    let text = decoded.replace(['{', '}'], "_");
    let Ok(url) = Url::parse(&text) else { return true };
    let unescaped = |part: &str| String::from_utf8_lossy(&unescaped(part)).into_owned();
    let (before, path) = (&url[..Position::BeforePath], &url[Position::BeforePath..]);
    let rest = text.strip_prefix(&*unescaped(before));
    rest.is_some_and(|rest| rest.chars().next() == unescaped(path).chars().next())
}

/// No server looks up what is longer, and every reading of it is compared with every rule.
pub const MAX_BYTES: usize = 2048;
/// URL Standard, "special scheme".
const SPECIAL: [&str; 6] = ["file", "ftp", "http", "https", "ws", "wss"];

#[cfg(test)]
mod tests;
