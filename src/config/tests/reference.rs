//! The reference of keys has every key, and says something of each.

use crate::config::{reference, schema};

/// The keys of the reference, each with its value, default and text.
fn entries(text: &str) -> Vec<(&str, &str)> {
    let keys = text.split("\n## `").flat_map(|part| part.split("\n### `"));
    keys.skip(1).filter_map(|entry| entry.split_once("`\n")).collect()
}

#[test]
fn every_key_says_what_may_be_written_and_what_it_does() {
    let text = reference();
    let entries = entries(&text);
    assert!(entries.len() > 90, "{}", entries.len());
    for (key, entry) in entries {
        let mut paragraphs = entry.split("\n\n").map(str::trim).filter(|text| !text.is_empty());
        let facts = paragraphs.next().unwrap();
        assert!(facts.starts_with("- Value: ") && !facts.ends_with(": "), "{key}: {facts}");
        assert!(!facts.starts_with("- Value: any value"), "{key}: {facts}");
        let about = paragraphs.next().unwrap_or_default();
        assert!(about.ends_with('.'), "{key}: document it ({about:?})");
    }
}

#[test]
fn each_key_stands_once_and_shared_sections_are_referred_to() {
    let text = reference();
    let mut keys: Vec<_> = entries(&text).into_iter().map(|(key, _)| key).collect();
    for key in ["listen.limits.max_connections", "routes.*.tools.*.deny", "routes.*.tests[].expect"]
    {
        assert_eq!(keys.iter().filter(|known| **known == key).count(), 1, "{key}");
    }
    assert!(text.contains("are those below [`routes.*.tools.*`](#routestools)."));
    let number = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), number);
}

/// A key of the schema that the reference leaves out would have its section left out.
#[test]
fn every_section_of_the_schema_is_in_the_reference() {
    let (schema, text) = (schema(), reference());
    for (name, section) in schema["$defs"].as_object().unwrap() {
        for (key, value) in section["properties"].as_object().into_iter().flatten() {
            let about = value["description"].as_str().unwrap();
            assert!(text.contains(about) && text.contains(&format!(".{key}`\n")), "{name}.{key}");
        }
    }
}
