//! Reads a `WWW-Authenticate: Bearer` challenge, strictly.

/// The parameters of the one Bearer challenge, in their order; `None` when it is anything else.
pub(super) fn parameters(header: &str) -> Option<Vec<(String, String)>> {
    let mut rest = header.strip_prefix("Bearer ")?;
    let mut parameters = Vec::new();
    loop {
        let (name, after_name) = rest.split_once("=\"")?;
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || !name.bytes().all(is_token) {
            return None;
        }
        let (value, after_value) = quoted_text(after_name)?;
        parameters.push((name.to_owned(), value));
        if after_value.is_empty() {
            return Some(parameters);
        }
        rest = after_value.strip_prefix(", ")?;
    }
}

/// A quoted string (RFC 9110 section 5.6.4) after its opening quote, and what follows it.
fn quoted_text(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.chars();
    loop {
        match characters.next()? {
            '"' => return Some((value, characters.as_str())),
            '\\' => value.push(characters.next()?),
            other => value.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_come_in_order_and_unescaped() {
        let read = parameters(r#"Bearer realm="a\"b", scope="x y""#).unwrap();
        assert_eq!(read, [("realm".into(), "a\"b".into()), ("scope".into(), "x y".into())]);
    }

    #[test]
    fn anything_else_is_no_challenge() {
        for header in [
            "",
            "Bearer",
            "Bearer realm=x",
            "Basic realm=\"x\"",
            "Bearer realm=\"x\", ",
            "Bearer realm=\"x",
            "Bearer realm=\"x\" scope=\"y\"",
        ] {
            assert_eq!(parameters(header), None, "{header}");
        }
    }
}
