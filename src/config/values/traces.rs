//! Leaves of `telemetry.traces`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::json;

use super::{or_variable, titled};
use crate::config::{
    reader::{At, Read, Source},
    scalar::CoreType,
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
        let scalar = at.scalar(WANTED, source)?;
        let number = scalar.to_json().and_then(|value| value.as_f64());
        match (number, scalar.core_type()) {
            (Some(number), _) if (0.0..=1.0).contains(&number) => return Some(Self(number)),
            // `.nan` and `.inf` are numbers that JSON does not have.
            (Some(_), _) | (None, CoreType::Float | CoreType::Integer) => {
                source.report.error(&at.place(), "must be from 0 to 1");
            }
            (None, _) => at.wrong_type(WANTED, source),
        }
        None
    }
}

leaf_schema!(Ratio, titled(json!({ "type": "number", "minimum": 0, "maximum": 1 }), WANTED));

const WANTED: &str = "a number from 0 to 1";
