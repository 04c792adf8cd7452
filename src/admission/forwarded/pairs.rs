//! The elements of `Forwarded` and their pairs (RFC 7239 section 4).
//!
//! 1. `token=value` with a token or a quoted string, joined by `;` without white space; elements
//!    are joined by `,` with white space or without.
//! 2. No name comes twice in an element, and no element is without a pair.
//!
//! The value of a quoted string is handed on as it stands between the quotes: what has an escape in
//! it is no address and no scheme.

/// A name and its value.
pub(super) type Pair<'a> = (&'a str, &'a str);

/// Each element's pairs; `None` is one that breaks the grammar, and the last.
pub(super) fn elements(text: &str) -> impl Iterator<Item = Option<Vec<Pair<'_>>>> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let Some((pairs, behind)) = element(trim(text)) else { return Some(None) };
        let behind = trim(behind);
        if !behind.is_empty() {
            let Some(next) = behind.strip_prefix(',') else { return Some(None) };
            rest = Some(next);
        }
        Some(Some(pairs))
    })
}

/// The first element's pairs, and what stands behind them.
fn element(mut text: &str) -> Option<(Vec<Pair<'_>>, &str)> {
    let mut pairs: Vec<Pair<'_>> = Vec::new();
    loop {
        if !text.starts_with([';', ',', ' ', '\t']) && !text.is_empty() {
            let (found, behind) = pair(text)?;
            let is_repeated = pairs.iter().any(|(name, _)| name.eq_ignore_ascii_case(found.0));
            (!is_repeated && pairs.len() < MAX_PAIRS).then_some(())?;
            pairs.push(found);
            text = behind;
        }
        match text.strip_prefix(';') {
            Some(behind) => text = behind,
            None => return (!pairs.is_empty()).then_some((pairs, text)),
        }
    }
}

fn pair(text: &str) -> Option<(Pair<'_>, &str)> {
    let (name, behind) = token(text)?;
    let behind = behind.strip_prefix('=')?;
    let (value, behind) = match behind.strip_prefix('"') {
        Some(quoted) => quoted_string(quoted)?,
        None => token(behind)?,
    };
    Some(((name, value), behind))
}

/// RFC 9110 section 5.6.2.
fn token(text: &str) -> Option<(&str, &str)> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let length = text.bytes().take_while(is_part).count();
    text.split_at_checked(length).filter(|(token, _)| !token.is_empty())
}

/// What stands before the closing quote, and behind it (RFC 9110 section 5.6.4).
fn quoted_string(text: &str) -> Option<(&str, &str)> {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' if !is_escaped => return Some((text.get(..at)?, text.get(at + 1..)?)),
            b'\\' if !is_escaped => is_escaped = true,
            b'\t' | b' '..=b'~' => is_escaped = false,
            _ => return None,
        }
    }
    None
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Four are registered.
const MAX_PAIRS: usize = 16;
