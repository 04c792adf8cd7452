//! The JSON Schema and the reader know the same keys and the same defaults.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{MINIMAL, TestEnvironment, read};
use crate::config::{
    file::ConfigFile,
    node::{self, Kind, Node},
    problem::Report,
    reader::{At, Read as _, Source},
    schema,
};

/// The schema a `$ref` leads to, or itself.
fn resolve<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    match schema["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

/// The object among the forms a value may have.
fn object_of<'s>(root: &'s Value, schema: &'s Value) -> Option<&'s Value> {
    let schema = resolve(root, schema);
    if schema["type"] == "object" {
        return Some(schema);
    }
    schema["anyOf"].as_array()?.iter().find_map(|form| object_of(root, form))
}

/// Every key of the schema, and a document that has them all.
fn walk(root: &Value, schema: &Value, path: &str, keys: &mut BTreeSet<String>) -> Value {
    let Some(object) = object_of(root, schema) else { return json!("x") };
    let mut document = Map::new();
    for (key, below) in object["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        keys.insert(path.clone());
        document.insert(key.clone(), walk(root, below, &path, keys));
    }
    if object["additionalProperties"].is_object()
        && object_of(root, &object["additionalProperties"]).is_some()
    {
        let path = format!("{path}.*");
        document.insert("*".into(), walk(root, &object["additionalProperties"], &path, keys));
    }
    Value::Object(document)
}

#[test]
fn every_key_of_the_schema_is_read_and_no_other() {
    let schema = schema();
    let mut keys = BTreeSet::new();
    let document = walk(&schema, &schema, "", &mut keys);
    assert!(keys.len() > 60, "{keys:?}");
    let environment = TestEnvironment::default();
    let mut report = Report::new("g.yaml");
    let root = node::parse(&document.to_string(), &mut report).unwrap();
    let mut source = Source::new(&environment, "".into(), report);
    ConfigFile::read(&At::root(&root), &mut source);
    assert_eq!(source.asked, keys);
    let unknown = |message: &str| message.starts_with("unknown key");
    assert!(!source.report.finish().iter().any(|problem| unknown(&problem.message)));
}

#[test]
fn a_key_the_schema_does_not_know_is_refused_by_both() {
    let text = MINIMAL.replace("upstream:", "upstrem:");
    assert!(read(&text).is_err());
    let schema = schema();
    assert_eq!(
        object_of(&schema, &schema["properties"]["routes"]["additionalProperties"]).unwrap()["additionalProperties"],
        false
    );
}

#[test]
fn secrets_have_no_default_in_the_schema() {
    let text = schema().to_string();
    assert!(text.contains("\"default\":\"30s\""));
    assert!(!text.contains("Secret("));
}

/// The four kinds of rules are of one type: what one of them shows need not be shown again.
fn one_kind_of_rules(path: &str) -> String {
    let [tools, others @ ..] = KINDS;
    let rest = others.iter().find_map(|kind| path.strip_prefix(kind)).unwrap_or_default();
    if rest.is_empty() { path.to_owned() } else { format!("{tools}{rest}") }
}

const KINDS: [&str; 4] =
    ["routes.*.tools", "routes.*.prompts", "routes.*.resources", "routes.*.methods"];

/// The keys of a document, named as the schema's are.
fn written(node: &Node, path: &str, keys: &mut BTreeSet<String>) {
    let Kind::Mapping(entries) = &node.kind else { return };
    for entry in entries {
        let is_named = matches!(path, "authorization_servers" | "routes")
            || path.ends_with(".headers")
            || KINDS.contains(&path);
        let key = if is_named { "*" } else { &entry.key };
        let path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        written(&entry.value, &path, keys);
        keys.insert(one_kind_of_rules(&path));
    }
}

#[test]
fn every_key_of_the_schema_stands_in_the_full_example() {
    let schema = schema();
    let (mut known, mut found) = (BTreeSet::new(), BTreeSet::new());
    walk(&schema, &schema, "", &mut known);
    let mut report = Report::new("full.yaml");
    let full = include_str!("../../../config/full.yaml");
    written(&node::parse(full, &mut report).unwrap(), "", &mut found);
    let known: BTreeSet<_> = known.iter().map(|key| one_kind_of_rules(key)).collect();
    let missing: Vec<_> = known.difference(&found).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
