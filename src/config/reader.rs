//! Takes typed values off nodes, and collects every problem on the way.
//!
//! 1. A value that cannot be read is reported where it stands and is then faulty ([`Field`] holds
//!    nothing); reading goes on with its neighbours.
//! 2. A [`Section`] knows which keys were asked for; the others are reported, with a suggestion.
//! 3. A key with a default is read, when absent, as if the default were written.
//! 4. Variables are resolved here, on scalars, and what they yield is typed as if written plain.

mod collections;

use std::{borrow::Cow, path::PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;

pub(super) use collections::{Entries, Json};

use super::{
    node::{Entry, Kind, Mark, Node},
    problem::{Place, Report, join},
    scalar::{CoreType, Scalar},
    secret::Environment,
    suggest::closest,
    variable,
};

/// What reading needs beside the node.
pub(super) struct Source<'a> {
    pub(super) environment: &'a dyn Environment,
    /// Where relative paths start.
    pub(super) folder: PathBuf,
    pub(super) report: Report<'a>,
    /// Every key that was asked for, with `*` for what the operator names.
    #[cfg(test)]
    pub(super) asked: std::collections::BTreeSet<String>,
}

impl<'a> Source<'a> {
    pub(super) fn new(
        environment: &'a dyn Environment,
        folder: PathBuf,
        report: Report<'a>,
    ) -> Self {
        Self {
            environment,
            folder,
            report,
            #[cfg(test)]
            asked: std::collections::BTreeSet::new(),
        }
    }
}

/// A node and how it is reached.
#[derive(Clone)]
pub(super) struct At<'n> {
    pub(super) node: &'n Node,
    pub(super) path: String,
    /// Where its key stands, for problems that are the key's.
    pub(super) key_mark: Mark,
}

/// What can be read off a node.
pub(super) trait Read: Sized {
    /// The value; `None` after reporting at least one problem.
    fn read(at: &At<'_>, source: &mut Source<'_>) -> Option<Self>;
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) place: Place,
    /// Whether it stands in the file; otherwise it is a default.
    pub(super) is_written: bool,
}

/// A key's value; nothing when a problem with it has been reported.
#[derive(Clone, Debug)]
pub(super) struct Field<T>(Option<Placed<T>>);

impl<T> Field<T> {
    pub(super) fn placed(&self) -> Option<&Placed<T>> {
        self.0.as_ref()
    }

    pub(super) fn value(&self) -> Option<&T> {
        self.0.as_ref().map(|placed| &placed.value)
    }
}

impl<T> Field<Option<T>> {
    /// The value and its place, when there is one.
    pub(super) fn given(&self) -> Option<(&T, &Place)> {
        self.0.as_ref().and_then(|placed| Some((placed.value.as_ref()?, &placed.place)))
    }
}

impl<T> Default for Field<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: JsonSchema> JsonSchema for Field<T> {
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

/// A mapping whose keys are being taken.
pub(super) struct Section<'n> {
    at: At<'n>,
    entries: &'n [Entry],
    asked: Vec<&'static str>,
    is_written: bool,
}

impl<'n> Section<'n> {
    pub(super) fn open(at: &At<'n>, source: &mut Source<'_>) -> Option<Self> {
        let Kind::Mapping(entries) = &at.node.kind else {
            at.wrong_type("keys with values", source);
            return None;
        };
        let is_written = at.node.mark != Mark::default();
        Some(Self { at: at.clone(), entries, asked: Vec::new(), is_written })
    }

    pub(super) fn required<T: Read>(
        &mut self,
        key: &'static str,
        source: &mut Source<'_>,
    ) -> Field<T> {
        let field = self.take(key, source);
        field.unwrap_or_else(|| {
            let place = self.at.key_mark.at(&self.at.path).below(key);
            source.report.error(&place, "this key is required");
            Field(None)
        })
    }

    pub(super) fn optional<T: Read>(
        &mut self,
        key: &'static str,
        default: &Value,
        source: &mut Source<'_>,
    ) -> Field<T> {
        let field = self.take(key, source);
        field.unwrap_or_else(|| {
            let node = Node::from_default(default);
            let at = At { node: &node, path: join(&self.at.path, key), key_mark: self.at.key_mark };
            let place = at.place();
            let value = T::read(&at, source);
            Field(value.map(|value| Placed { value, place, is_written: false }))
        })
    }

    /// Reports the keys nobody asked for; `later` are those a later version will know.
    pub(super) fn finish(self, later: &[&str], source: &mut Source<'_>) {
        for entry in self.entries {
            if self.asked.contains(&entry.key.as_str()) {
                continue;
            }
            // A key without value may be a value that lost its key: it is not shown.
            let is_bare = matches!(&entry.value.kind, Kind::Scalar { text, is_plain }
                if Scalar::new(text, *is_plain).core_type() == CoreType::Null);
            let is_later = later.contains(&entry.key.as_str());
            let shown = if is_bare && !is_later { "?" } else { &entry.key };
            let place = entry.key_mark.at(&join(&self.at.path, shown));
            let message = if is_later {
                "unknown key: this version does not support it yet".to_owned()
            } else if let Some(key) = closest(&entry.key, self.asked.iter().copied()) {
                format!("unknown key; did you mean `{key}`?")
            } else {
                format!("unknown key; known here: {}", self.asked.join(", "))
            };
            source.report.error(&place, message);
        }
    }

    fn take<T: Read>(&mut self, key: &'static str, source: &mut Source<'_>) -> Option<Field<T>> {
        self.asked.push(key);
        #[cfg(test)]
        source.asked.insert(join(&self.at.path, key));
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        let at = self.at.below(entry);
        let place = at.place();
        let value = T::read(&at, source);
        Some(Field(value.map(|value| Placed { value, place, is_written: self.is_written })))
    }
}

impl<'n> At<'n> {
    pub(super) fn root(node: &'n Node) -> Self {
        Self { node, path: String::new(), key_mark: node.mark }
    }

    pub(super) fn below(&self, entry: &'n Entry) -> Self {
        At { node: &entry.value, path: join(&self.path, &entry.key), key_mark: entry.key_mark }
    }

    /// Where the value stands; a default stands where its section does.
    pub(super) fn place(&self) -> Place {
        let is_default = self.node.mark == Mark::default();
        (if is_default { self.key_mark } else { self.node.mark }).at(&self.path)
    }

    /// Reports that the value is of the wrong type.
    pub(super) fn wrong_type(&self, wanted: &str, source: &mut Source<'_>) {
        let found = match &self.node.kind {
            Kind::Mapping(_) => "keys with values",
            Kind::Sequence(_) => "a list",
            Kind::Scalar { text, is_plain } => Scalar::new(text, *is_plain).core_type().describe(),
        };
        source.report.error(&self.place(), format!("expected {wanted}, found {found}"));
    }

    /// The scalar here with its variables resolved; nothing after reporting a problem.
    pub(super) fn scalar(&self, wanted: &str, source: &mut Source<'_>) -> Option<Scalar> {
        match self.resolve(source) {
            Some(Ok(scalar)) => Some(scalar),
            Some(Err(problem)) => {
                source.report.error(&self.place(), problem.to_string());
                None
            }
            None => {
                self.wrong_type(wanted, source);
                None
            }
        }
    }

    /// Parses the text here; `wanted` ends the sentence of a refusal. A number or `true` is no
    /// text unless a variable yielded it.
    pub(super) fn parse<T>(
        &self,
        wanted: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
        source: &mut Source<'_>,
    ) -> Option<T> {
        let scalar = self.scalar(wanted, source)?;
        let parsed = parse(&scalar.text);
        let core_type = scalar.core_type();
        let message = match parsed {
            Ok(_) | Err(_) if !scalar.is_substituted && core_type == CoreType::Null => {
                format!("expected {wanted}, found null")
            }
            Ok(_) if !scalar.is_substituted && core_type != CoreType::Text => {
                format!("expected {wanted}, found {}; quote it", core_type.describe())
            }
            Ok(value) => return Some(value),
            Err(_) if scalar.text.is_empty() => format!("empty; expected {wanted}"),
            Err(why) => format!("{why}; expected {wanted}"),
        };
        source.report.error(&self.place(), message);
        None
    }

    fn resolve(&self, source: &Source<'_>) -> Option<Result<Scalar, variable::Unresolved>> {
        let Kind::Scalar { text, is_plain } = &self.node.kind else { return None };
        let variable = |name: &str| {
            let value = source.environment.variable(name)?;
            Some(value.into_string().map_err(drop))
        };
        Some(variable::resolve(text, variable).map(|resolved| Scalar {
            text: resolved.text,
            is_plain: *is_plain || resolved.has_variable,
            is_substituted: resolved.has_variable,
        }))
    }
}

impl<T: Read> Read for Option<T> {
    fn read(at: &At<'_>, source: &mut Source<'_>) -> Option<Self> {
        let is_null =
            matches!(at.resolve(source), Some(Ok(scalar)) if scalar.core_type() == CoreType::Null);
        if is_null { Some(None) } else { T::read(at, source).map(Some) }
    }
}
