//! The reference of every key, as Markdown, from the JSON Schema and so from the types.
//!
//! 1. Keys stand in the order of the types, each once, under its whole path; `*` stands for a name
//!    that the operator chooses.
//! 2. A section that occurs again is described where it occurred first, and referred to.
//! 3. Each key says what may be written, its default or that it is required, and its doc comment.
//!
//! It says nothing that the schema does not say: bounds and effects belong into the doc comments.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::Value;

/// The reference of the keys of `schema`.
pub(super) fn of(schema: &Value) -> String {
    let mut writer = Writer { root: schema, out: INTRODUCTION.to_owned(), seen: BTreeMap::new() };
    writer.section("", schema);
    writer.out
}

struct Writer<'s> {
    root: &'s Value,
    out: String,
    /// Under which path each named section was described.
    seen: BTreeMap<&'s str, String>,
}

impl<'s> Writer<'s> {
    /// All keys of a section.
    fn section(&mut self, path: &str, section: &'s Value) {
        let required = section["required"].as_array().map(Vec::as_slice).unwrap_or_default();
        for (key, value) in section["properties"].as_object().into_iter().flatten() {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            self.key(&path, value, required.iter().any(|name| *name == **key));
        }
    }

    fn key(&mut self, path: &str, key: &'s Value, is_required: bool) {
        let level = if path.contains('.') { "###" } else { "##" };
        let value = self.value(key);
        let default = match &key["default"] {
            _ if is_required => "- Required\n".to_owned(),
            Value::Null => "- Default: none\n".to_owned(),
            // A section has the defaults of its keys.
            Value::Object(_) => String::new(),
            written @ (Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
                format!("- Default: `{}`\n", as_yaml(written))
            }
        };
        let about = key["description"].as_str().unwrap_or_default();
        self.write(format_args!("\n{level} `{path}`\n\n- Value: {value}\n{default}\n{about}\n"));
        self.below(path, key);
    }

    /// The keys below a key, whatever the other forms it may have.
    fn below(&mut self, path: &str, key: &'s Value) {
        for form in self.forms(key) {
            let entries = &form["additionalProperties"];
            if entries.is_object() {
                self.below(&format!("{path}.*"), entries);
            } else if kind(form) == Some("array") {
                self.below(&format!("{path}[]"), &form["items"]);
            } else if let Some((name, section)) = self.section_of(form) {
                if let Some(first) = self.seen.get(name).cloned() {
                    let link = anchor(&first);
                    self.write(format_args!(
                        "\nThe keys below `{path}` are those below [`{first}`](#{link}).\n"
                    ));
                } else {
                    self.seen.insert(name, path.to_owned());
                    self.section(path, section);
                }
            }
        }
    }

    /// What may be written, in words.
    fn value(&self, schema: &'s Value) -> String {
        let words: Vec<_> = self.forms(schema).into_iter().map(|form| self.form(form)).collect();
        words.join(", or ")
    }

    fn form(&self, form: &'s Value) -> String {
        if let Some(words) = form["enum"].as_array() {
            let words: Vec<_> = words.iter().map(|word| format!("`{}`", as_yaml(word))).collect();
            return words.join(", ");
        }
        if let Some(title) = form["title"].as_str() {
            return title.replace('*', "\\*");
        }
        match kind(form) {
            Some("array") => format!("a list, each item: {}", self.value(&form["items"])),
            Some("boolean") => "`true` or `false`".to_owned(),
            Some("integer") => "a whole number".to_owned(),
            Some("object") if form["additionalProperties"].is_object() => {
                format!("names, each with: {}", self.value(&form["additionalProperties"]))
            }
            _ if self.section_of(form).is_some() => "keys, see below".to_owned(),
            _ => "any value".to_owned(),
        }
    }

    /// The forms a value may have; `null` is what is absent, and a variable may stand everywhere.
    fn forms(&self, schema: &'s Value) -> Vec<&'s Value> {
        let is_left_out =
            |form: &Value| form["type"] == "null" || form["pattern"].as_str() == Some("\\$\\{");
        if is_left_out(schema) {
            return Vec::new();
        }
        let target = self.resolve(schema);
        match target["anyOf"].as_array().filter(|_| target["title"].is_null()) {
            Some(forms) => forms.iter().flat_map(|form| self.forms(form)).collect(),
            None if self.section_of(schema).is_some() => vec![schema],
            None => vec![target],
        }
    }

    /// A reference to a section with keys: its name and itself.
    fn section_of(&self, schema: &'s Value) -> Option<(&'s str, &'s Value)> {
        let target = self.resolve(schema);
        let name = schema["$ref"].as_str()?;
        target["properties"].is_object().then_some((name, target))
    }

    fn resolve(&self, schema: &'s Value) -> &'s Value {
        let target = schema["$ref"].as_str().and_then(|name| self.root.pointer(name.get(1..)?));
        target.unwrap_or(schema)
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to memory does not fail.
        let _ = self.out.write_fmt(text);
    }
}

/// What a value is, beside `null`.
fn kind(form: &Value) -> Option<&str> {
    let kinds = form["type"].as_array().map_or(std::slice::from_ref(&form["type"]), Vec::as_slice);
    kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null")
}

/// A value as one would write it into the file, on one line.
fn as_yaml(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(as_yaml).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

/// The fragment that a page of Markdown gives a heading: letters, digits, `_` and `-` stay.
fn anchor(path: &str) -> String {
    path.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')).collect()
}

const INTRODUCTION: &str = "\
# Every key of the configuration

Generated from the types that read the file: change their doc comments in `src/config/file/`, then

```sh
cargo run -- schema --reference > config/REFERENCE.md
```

- `*` in a path stands for a name of your choice, `[]` for each item of a list.
- A duration is a whole number with its unit: `500ms`, `2s`, `5m`, `1h`.
- A relative path of a file starts at the folder of the configuration.
- `${NAME}` in a value comes from the environment, `${NAME:-default}` too, with a default; `$${` is a
  literal `${`.
- An unknown key, a key without a value, a key written twice and a value out of its bounds are errors;
  `gatehouse check` names all of them at once, with their places.
- A running gateway puts changes in force by itself ([how](GUIDE.md#changing-the-configuration)); a key that
  needs a restart says so.

[`full.yaml`](full.yaml) shows the keys in one file, and the others beside it show situations.
";
