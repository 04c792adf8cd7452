//! Every relative link of the documents leads to a file, and its fragment to a heading there; every
//! reason that the guide explains is one that a refusal can have.
//!
//! It reads inline links outside code; links to other hosts are not followed.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The Markdown files of the repository, apart from what is installed or built.
fn documents(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_foreign = ["target", "node_modules", ".git", ".work", ".venv"].contains(&name);
        if path.is_dir() && !is_foreign {
            documents(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// The lines that are not code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// What follows `](` up to `)`, code spans left out.
fn links(line: &str) -> Vec<&str> {
    let targets = line.split("](").skip(1);
    targets.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target).collect()
}

/// The fragment that a page gives a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().chars().filter_map(|c| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        _ => c.is_alphanumeric().then(|| c.to_ascii_lowercase()),
    });
    kept.collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    prose(text).filter(|line| line.starts_with('#')).map(anchor).collect()
}

/// Why a link leads nowhere, when it does.
fn objection(document: &Path, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, fragment) = target.split_once('#').unwrap_or((target, ""));
    let path = match file {
        "" => document.to_owned(),
        file => document.parent().unwrap().join(file),
    };
    if !path.exists() {
        return Some(format!("there is no {}", path.display()));
    }
    if fragment.is_empty() || path.extension().is_none_or(|extension| extension != "md") {
        return None;
    }
    let is_there = anchors(&fs::read_to_string(&path).unwrap()).contains(fragment);
    (!is_there).then(|| format!("{} has no heading for #{fragment}", path.display()))
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let mut found = Vec::new();
    documents(Path::new(env!("CARGO_MANIFEST_DIR")), &mut found);
    let (mut number, mut objections) = (0, Vec::new());
    for document in &found {
        let text = fs::read_to_string(document).unwrap();
        for target in prose(&text).flat_map(links) {
            number += 1;
            if let Some(why) = objection(document, target) {
                objections.push(format!("{}: ({target}): {why}", document.display()));
            }
        }
    }
    assert!(objections.is_empty(), "{}", objections.join("\n"));
    assert!(found.len() >= 5 && number > 50, "{number} links in {found:?}");
}

#[test]
fn every_reason_of_the_guide_can_come() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap();
    let code = ["limits", "rejection", "rejection/operation", "rejection/rows", "rejection/token"]
        .map(|module| read(&format!("src/{module}.rs")));
    let guide = read("config/GUIDE.md");
    let (_, section) = guide.split_once("### Reasons\n").unwrap();
    let rows = section.lines().take_while(|line| !line.starts_with('#'));
    let named = rows.filter_map(|row| row.strip_prefix("| `")?.split_once(" |"));
    let reasons: Vec<_> = named.flat_map(|(names, _)| names.split([',', ' ', '`'])).collect();
    let reasons: BTreeSet<_> = reasons.into_iter().filter(|name| !name.is_empty()).collect();
    assert!(reasons.len() > 30, "{reasons:?}");
    for reason in reasons {
        let literal = format!("\"{reason}\"");
        assert!(code.iter().any(|text| text.contains(&literal)), "no refusal has {reason}");
    }
}

#[test]
fn link_that_leads_nowhere_is_found() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    assert_eq!(objection(&readme, "config/README.md#keycloak"), None);
    assert_eq!(objection(&readme, "https://a.example/b"), None);
    for target in ["config/NONE.md", "config/README.md#no-such-heading", "#no-such-heading"] {
        assert!(objection(&readme, target).is_some(), "{target}");
    }
    assert_eq!(links("a [b](c.md) and [`d`](e.md#f)."), ["c.md", "e.md#f"]);
    assert_eq!(anchor("### `listen.limits.max_body_bytes`"), "listenlimitsmax_body_bytes");
    assert_eq!(anchor("## Who's there? HTTP+SSE"), "whos-there-httpsse");
}
