//! Lists, mappings with names of the operator's choice, and free JSON values; defaults as nodes.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value};

use super::{At, Field, Placed, Read, Source};
use crate::config::node::{Entry, Kind, Mark, Node};

impl<T: Read> Read for Vec<Placed<T>> {
    fn read(at: &At<'_>, source: &mut Source<'_>) -> Option<Self> {
        let Kind::Sequence(items) = &at.node.kind else {
            at.wrong_type("a list", source);
            return None;
        };
        let mut values = Vec::new();
        for (index, node) in items.iter().enumerate() {
            let path = format!("{}[{index}]", at.path);
            let at = At { node, path, key_mark: node.mark };
            let place = at.place();
            values.push(T::read(&at, source).map(|value| Placed {
                value,
                place,
                is_written: true,
            }));
        }
        values.into_iter().collect()
    }
}

impl<T: JsonSchema> JsonSchema for Placed<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A mapping whose keys the operator chooses, in the file's order.
#[derive(Clone)]
pub(in crate::config) struct Entries<T>(pub(in crate::config) Vec<(Placed<Box<str>>, Field<T>)>);

impl<T: fmt::Debug> fmt::Debug for Entries<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(_, value)| value)).finish()
    }
}

impl<T: Read> Read for Entries<T> {
    fn read(at: &At<'_>, source: &mut Source<'_>) -> Option<Self> {
        let Kind::Mapping(entries) = &at.node.kind else {
            at.wrong_type("keys with values", source);
            return None;
        };
        let read = |entry: &Entry, source: &mut Source<'_>| {
            let below = at.below(entry);
            let key_place = entry.key_mark.at(&below.path);
            let key =
                Placed { value: entry.key.as_str().into(), place: key_place, is_written: true };
            let place = below.place();
            let value = T::read(&below, source);
            (key, Field(value.map(|value| Placed { value, place, is_written: true })))
        };
        Some(Self(entries.iter().map(|entry| read(entry, source)).collect()))
    }
}

impl<T: JsonSchema> JsonSchema for Entries<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Map_of_{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let values = generator.subschema_for::<T>();
        schemars::json_schema!({ "type": "object", "additionalProperties": values })
    }
}

impl Node {
    /// A default, as if written; it stands nowhere.
    pub(super) fn from_default(value: &Value) -> Self {
        let kind = match value {
            Value::Array(items) => Kind::Sequence(items.iter().map(Self::from_default).collect()),
            Value::Object(keys) => Kind::Mapping(keys.iter().map(Entry::from_default).collect()),
            Value::String(text) => Kind::Scalar { text: text.clone(), is_plain: false },
            Value::Null | Value::Bool(_) | Value::Number(_) => {
                Kind::Scalar { text: value.to_string(), is_plain: true }
            }
        };
        Self { mark: Mark::default(), kind }
    }
}

impl Entry {
    fn from_default((key, value): (&String, &Value)) -> Self {
        Self { key: key.clone(), key_mark: Mark::default(), value: Node::from_default(value) }
    }
}

/// A JSON value the operator writes freely.
#[derive(Clone, Debug)]
pub(in crate::config) struct Json(pub(in crate::config) Value);

impl Read for Json {
    fn read(at: &At<'_>, source: &mut Source<'_>) -> Option<Self> {
        let value = match &at.node.kind {
            Kind::Scalar { .. } => {
                let scalar = at.scalar("a value", source)?;
                scalar.to_json().or_else(|| {
                    source.report.error(&at.place(), "this number has no JSON form; quote it");
                    None
                })?
            }
            Kind::Sequence(_) => {
                let items = Vec::<Placed<Json>>::read(at, source)?;
                Value::Array(items.into_iter().map(|item| item.value.0).collect())
            }
            Kind::Mapping(_) => {
                let mut keys = Map::new();
                for (key, value) in Entries::<Json>::read(at, source)?.0 {
                    keys.insert(key.value.into(), value.value()?.0.clone());
                }
                Value::Object(keys)
            }
        };
        Some(Self(value))
    }
}

impl JsonSchema for Json {
    fn schema_name() -> Cow<'static, str> {
        "Json".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        Schema::default()
    }
}
