//! Leaves of `telemetry.traces`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::json;

use super::or_variable;
use crate::config::{
    reader::{At, Read, Source},
    settings::CallerDecides,
    suggest::closest,
};

choice!(CallerDecides {
    "trusted_proxies" => Self::TrustedProxies,
    "everybody" => Self::Everybody,
});

/// A number from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::config) struct Ratio(pub(in crate::config) f64);

impl Read for Ratio {
    fn read(at: &At<'_>, source: &mut Source<'_>) -> Option<Self> {
        let wanted = "a number from 0 to 1";
        let number = at.scalar(wanted, source)?.to_json().and_then(|value| value.as_f64());
        match number {
            Some(number) if (0.0..=1.0).contains(&number) => return Some(Self(number)),
            Some(_) => source.report.error(&at.place(), "must be from 0 to 1"),
            None => at.wrong_type(wanted, source),
        }
        None
    }
}

leaf_schema!(Ratio, json!({ "type": "number", "minimum": 0, "maximum": 1 }));
