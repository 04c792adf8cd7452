//! `${NAME}`, `${NAME:-default}` and `$${` in scalar values.
//!
//! 1. A name is `[A-Za-z_][A-Za-z0-9_]*`.
//! 2. The default stands in for a variable that is unset or empty; without one an unset variable
//!    is an error.
//! 3. `$${` is a literal `${`; any other `$` is itself. What a variable holds is not read again.

/// A text after resolution.
#[cfg_attr(test, derive(Debug))]
#[derive(PartialEq, Eq)]
pub(super) struct Resolved {
    pub(super) text: String,
    /// Whether a variable contributed; then quotes around the text no longer make it a text.
    pub(super) has_variable: bool,
}

/// Why a text cannot be resolved. The text itself is not shown.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unresolved {
    #[error(
        "`${{…}}` needs a variable name of letters, digits and `_`; write `$${{` for a literal `${{`"
    )]
    Name,
    #[error("the environment variable {0} is not UTF-8")]
    NotText(String),
    #[error("the environment variable {0} is not set; set it, or write ${{{0}:-default}}")]
    Unset(String),
    #[error("`${{` without `}}`; write `$${{` for a literal `${{`")]
    Unterminated,
}

/// What a look-up of a variable finds: nothing, or its text unless that is no UTF-8.
pub(super) type Found = Option<Result<String, ()>>;

/// Resolves the variables of a text.
pub(super) fn resolve(
    text: &str,
    variable: impl Fn(&str) -> Found,
) -> Result<Resolved, Unresolved> {
    let mut resolved = Resolved { text: String::new(), has_variable: false };
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            resolved.text.push_str(before);
            resolved.text.push_str("${");
            rest = after;
            continue;
        }
        resolved.text.push_str(before);
        let (inside, after) = after.split_once('}').ok_or(Unresolved::Unterminated)?;
        resolved.text.push_str(&value_of(inside, &variable)?);
        resolved.has_variable = true;
        rest = after;
    }
    resolved.text.push_str(rest);
    Ok(resolved)
}

fn value_of(inside: &str, variable: impl Fn(&str) -> Found) -> Result<String, Unresolved> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    if !is_name(name) {
        return Err(Unresolved::Name);
    }
    match (variable(name), default) {
        (Some(Err(())), _) => Err(Unresolved::NotText(name.to_owned())),
        (Some(Ok(text)), None) => Ok(text),
        (Some(Ok(text)), Some(_)) if !text.is_empty() => Ok(text),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err(Unresolved::Unset(name.to_owned())),
    }
}

fn is_name(name: &str) -> bool {
    let is_start = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    name.bytes().next().is_some_and(is_start)
        && name.bytes().all(|byte| is_start(byte) || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str) -> Found {
        match name {
            "PORT" => Some(Ok("8080".into())),
            "EMPTY" => Some(Ok(String::new())),
            "NESTED" => Some(Ok("${PORT}".into())),
            "BINARY" => Some(Err(())),
            _ => None,
        }
    }

    #[test]
    fn variables_are_replaced_once() {
        for (text, expected, has_variable) in [
            ("plain $ text $x", "plain $ text $x", false),
            ("a${PORT}b${PORT}", "a8080b8080", true),
            ("${NESTED}", "${PORT}", true),
            ("${EMPTY}", "", true),
            ("${EMPTY:-x}", "x", true),
            ("${MISSING:-}", "", true),
            ("${MISSING:-a:-b}", "a:-b", true),
            ("${PORT:-1}", "8080", true),
            ("$${PORT}", "${PORT}", false),
            ("$$${PORT}", "$${PORT}", false),
        ] {
            let expected = Resolved { text: expected.into(), has_variable };
            assert_eq!(resolve(text, variable), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_resolved_is_refused() {
        for (text, why) in [
            ("${MISSING}", Unresolved::Unset("MISSING".into())),
            ("${BINARY:-x}", Unresolved::NotText("BINARY".into())),
            ("${PORT", Unresolved::Unterminated),
            ("${}", Unresolved::Name),
            ("${1A}", Unresolved::Name),
            ("${PORT-1}", Unresolved::Name),
            ("${:-x}", Unresolved::Name),
        ] {
            assert_eq!(resolve(text, variable), Err(why), "{text}");
        }
    }
}
