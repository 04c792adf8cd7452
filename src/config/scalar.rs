//! Scalars and the types of YAML 1.2's core schema (section 10.3).
//!
//! A plain scalar is null, a boolean, a number or a text by its form; a quoted one is a text.

use serde_json::{Number, Value};

/// A scalar whose variables are resolved.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Scalar {
    pub(super) text: String,
    pub(super) is_plain: bool,
    /// Whether a variable contributed to the text.
    pub(super) is_substituted: bool,
}

/// What a scalar is by its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CoreType {
    Boolean(bool),
    Float,
    Integer,
    Null,
    Text,
}

impl CoreType {
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Boolean(_) => "true or false",
            Self::Float | Self::Integer => "a number",
            Self::Null => "null",
            Self::Text => "a text",
        }
    }
}

impl Scalar {
    pub(super) fn new(text: &str, is_plain: bool) -> Self {
        Self { text: text.to_owned(), is_plain, is_substituted: false }
    }

    pub(super) fn core_type(&self) -> CoreType {
        if !self.is_plain {
            return CoreType::Text;
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => CoreType::Null,
            "true" | "True" | "TRUE" => CoreType::Boolean(true),
            "false" | "False" | "FALSE" => CoreType::Boolean(false),
            text if is_integer(text) => CoreType::Integer,
            text if is_float(text) => CoreType::Float,
            _ => CoreType::Text,
        }
    }

    /// The JSON value; nothing for numbers that JSON or we cannot hold.
    pub(super) fn to_json(&self) -> Option<Value> {
        let text = self.text.strip_prefix('+').unwrap_or(&self.text);
        match self.core_type() {
            CoreType::Boolean(value) => Some(Value::Bool(value)),
            CoreType::Float => Some(Value::Number(Number::from_f64(text.parse().ok()?)?)),
            CoreType::Integer => {
                let number = text.parse::<i64>().map(Number::from);
                let number = number.or_else(|_| text.parse::<u64>().map(Number::from));
                number.ok().map(Value::Number)
            }
            CoreType::Null => Some(Value::Null),
            CoreType::Text => Some(Value::String(self.text.clone())),
        }
    }
}

/// `[-+]? [0-9]+`, or octal or hexadecimal, which are numbers but not of any key of ours.
fn is_integer(text: &str) -> bool {
    let based = |prefix: &str, radix: u32| {
        text.strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|digit| digit.is_digit(radix)))
    };
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    is_digits(digits) || based("0o", 8) || based("0x", 16)
}

/// `[-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`, infinities and not-a-number.
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let is_exponent =
        exponent.is_none_or(|digits| is_digits(digits.strip_prefix(['-', '+']).unwrap_or(digits)));
    let is_mantissa = match mantissa.split_once('.') {
        Some(("", fraction)) => is_digits(fraction),
        Some((whole, fraction)) => is_digits(whole) && (fraction.is_empty() || is_digits(fraction)),
        None => is_digits(mantissa),
    };
    is_mantissa && is_exponent
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_have_the_types_of_the_core_schema() {
        for (text, expected) in [
            ("", CoreType::Null),
            ("~", CoreType::Null),
            ("True", CoreType::Boolean(true)),
            ("false", CoreType::Boolean(false)),
            ("yes", CoreType::Text),
            ("-12", CoreType::Integer),
            ("0o17", CoreType::Integer),
            ("0xfF", CoreType::Integer),
            ("0x", CoreType::Text),
            ("1.", CoreType::Float),
            (".5e-3", CoreType::Float),
            ("1e", CoreType::Text),
            (".", CoreType::Text),
            ("-.inf", CoreType::Float),
            ("30s", CoreType::Text),
            ("127.0.0.1:80", CoreType::Text),
        ] {
            assert_eq!(Scalar::new(text, true).core_type(), expected, "{text}");
            assert_eq!(Scalar::new(text, false).core_type(), CoreType::Text, "{text}");
        }
    }

    #[test]
    fn numbers_without_json_form_are_nothing() {
        for text in [".inf", ".nan", "99999999999999999999", "0x10"] {
            assert_eq!(Scalar::new(text, true).to_json(), None, "{text}");
        }
        assert_eq!(Scalar::new("+7", true).to_json(), Some(7.into()));
        assert_eq!(Scalar::new("18446744073709551615", true).to_json(), Some(u64::MAX.into()));
    }
}
