//! The leaves of rules: patterns, choices, listed values and what a rule test expects.

use std::{borrow::Cow, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::{or_variable, titled};
use crate::{
    config::{
        glob::Glob,
        node::Kind,
        reader::{At, Json, Read, Source},
        settings::{Expectation, FilterLists, WhenDenied},
        suggest::closest,
    },
    oauth::{InvalidScopeToken, Scope},
};

text_leaf!(Glob, "a pattern such as tools/list or completion/*", { "type": "string", "minLength": 1 });

choice!(FilterLists {
    "denied" => Self::Denied,
    "scopes" => Self::Scopes,
    "off" => Self::Off,
});

choice!(WhenDenied {
    "challenge" => Self::Challenge,
    "hide" => Self::Hide,
    "in_band" => Self::InBand,
});

/// `unlisted_tools`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum UnlistedTools {
    Allow,
    Deny,
}

choice!(UnlistedTools { "allow" => Self::Allow, "deny" => Self::Deny });

/// Scopes with spaces between them, as a token has them; empty: none.
#[derive(Clone, Debug)]
pub(in crate::config) struct Granted(pub(in crate::config) Scope);

impl FromStr for Granted {
    type Err = InvalidScopeToken;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Scope::parse(text).map(Self)
    }
}

text_leaf!(Granted, "scopes with spaces between them", { "type": "string" });

/// One value or several, each a text, a number, `true`, `false` or `null`.
#[derive(Clone, Debug)]
pub(in crate::config) struct Values(pub(in crate::config) Vec<Value>);

impl Read for Values {
    fn read(at: &At<'_>, source: &mut Source<'_>) -> Option<Self> {
        match &at.node.kind {
            Kind::Sequence(items) => {
                let mut values = Vec::new();
                for (index, node) in items.iter().enumerate() {
                    let path = format!("{}[{index}]", at.path);
                    values.push(listed(&At { node, path, key_mark: node.mark }, source));
                }
                values.into_iter().collect::<Option<_>>().map(Self)
            }
            Kind::Scalar { .. } => {
                let value = listed(at, source)?;
                if value.is_null() {
                    // More likely a value that was forgotten.
                    source.report.error(&at.place(), "no value; write [null] if null is meant");
                    return None;
                }
                Some(Self(vec![value]))
            }
            Kind::Mapping(_) => {
                at.wrong_type("a value or a list of values", source);
                None
            }
        }
    }
}

fn listed(at: &At<'_>, source: &mut Source<'_>) -> Option<Value> {
    if matches!(at.node.kind, Kind::Scalar { .. }) {
        return Json::read(at, source).map(|Json(value)| value);
    }
    at.wrong_type("a text, a number, true, false or null", source);
    None
}

impl JsonSchema for Values {
    fn schema_name() -> Cow<'static, str> {
        "Values".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let any = json!({ "type": ["string", "number", "boolean", "null"] });
        let one = json!({ "type": ["string", "number", "boolean"] });
        let title = "a text, a number, `true` or `false`, or a list of them";
        json_schema!({ "title": title, "anyOf": [one, { "type": "array", "items": any }] })
    }
}

impl Read for Expectation {
    fn read(at: &At<'_>, source: &mut Source<'_>) -> Option<Self> {
        let words = Self::WORDS.map(|(word, _)| word);
        let wanted = format!("one of {}", words.join(", "));
        let scalar = at.scalar(&wanted, source)?;
        let known = Self::WORDS.into_iter().find(|(word, _)| *word == scalar.text);
        if known.is_none() {
            // One number is as close to another as to a third.
            let is_word = scalar.text.parse::<u16>().is_err();
            let why = match closest(&scalar.text, words).filter(|_| is_word) {
                Some(word) => format!("probably `{word}` is meant"),
                None => "nothing that can come of a request".to_owned(),
            };
            source.report.error(&at.place(), format!("{why}; expected {wanted}"));
        }
        known.map(|(_, expected)| expected)
    }
}

impl JsonSchema for Expectation {
    fn schema_name() -> Cow<'static, str> {
        "Expectation".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let written =
            |word: &str| word.parse().map_or_else(|_| json!(word), |code: u16| json!(code));
        let known: Vec<Value> = Self::WORDS.into_iter().map(|(word, _)| written(word)).collect();
        or_variable(json!({ "enum": known }))
    }
}
