//! Imports point downwards: a module uses lower rows only, and within an ordered row only what
//! stands to its right. The rows are those of the crate documentation.
//!
//! 1. Counted are all paths that begin at the crate's root: `crate::x`, groups of them, and
//!    `super::` chains that reach the root; in `main.rs` also `gatehouse::x`.
//! 2. Comments, strings and whatever is `#[cfg(test)]` do not count.
//! 3. Every module has a row and a line in the crate documentation.
//!
//! It reads text, it does not resolve names: a path that a macro of another crate makes is not seen.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The rows, lowest first; in those marked `true` a module may use what stands to its right.
const ROWS: [(bool, &[&str]); 8] = [
    (false, &["oauth", "jsonrpc", "clock", "http1"]),
    (true, &["traces", "config", "logging", "metrics"]),
    (true, &["router", "resource", "forward", "authorize", "authenticate", "admission", "limits"]),
    (false, &["rejection", "snapshot"]),
    (false, &["gateway"]),
    (false, &["listener", "admin", "reload"]),
    (true, &["demo", "app"]),
    (true, &["main", "cli"]),
];

/// What the text of one file uses and declares.
#[derive(Debug, Default, PartialEq)]
struct Scan {
    /// Names directly below the crate's root, with their lines.
    uses: BTreeSet<(usize, String)>,
    /// Modules in files of their own that exist in tests only.
    test_modules: Vec<String>,
}

struct Token<'a> {
    text: &'a str,
    line: usize,
}

fn place(module: &str) -> Option<(usize, usize)> {
    ROWS.iter().enumerate().find_map(|(row, (_, modules))| {
        modules.iter().position(|name| *name == module).map(|column| (row, column))
    })
}

/// Why `from` may not use `to`, when it may not.
fn objection(from: &str, to: &str) -> Option<String> {
    if from == to {
        return None;
    }
    let Some((from_row, from_column)) = place(from) else {
        return Some(format!("module {from} has no row"));
    };
    let Some((to_row, to_column)) = place(to) else {
        return Some(format!("{from} uses {to}, which has no row"));
    };
    let is_ordered = ROWS[from_row].0;
    let may = to_row < from_row || (to_row == from_row && is_ordered && to_column > from_column);
    (!may).then(|| format!("{from} (row {from_row}) may not use {to} (row {to_row})"))
}

/// Splits Rust text into identifiers, `::` and single characters, without comments and literals.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let (length, is_token) = match first {
            '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), false),
            '/' if rest.starts_with("/*") => (block_comment(rest), false),
            '"' => (string(rest), false),
            '\'' => (quote(rest), false),
            ':' if rest.starts_with("::") => (2, true),
            first if is_identifier(first) => {
                let name = rest.find(|c| !is_identifier(c)).unwrap_or(rest.len());
                literal(rest, name).map_or((name, true), |length| (length, false))
            }
            first => (first.len_utf8(), !first.is_whitespace()),
        };
        if is_token {
            found.push(Token { text: &rest[..length], line });
        }
        line += rest[..length].matches('\n').count();
        at += length;
    }
    found
}

fn is_identifier(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        match text.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

fn string(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            b'"' if !is_escaped => return at + 1,
            b'\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    text.len()
}

/// The length of a character literal, or of a lifetime's quote.
fn quote(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match (characters.next(), characters.next()) {
        (Some((_, '\\')), Some((escaped, _))) => {
            let after = escaped + 1;
            text[after..].find('\'').map_or(text.len(), |end| after + end + 1)
        }
        (Some(_), Some((end, '\''))) => end + 1,
        _ => 1,
    }
}

/// The length of a prefixed string such as `br#".."#`, when `text` begins with one.
fn literal(text: &str, name: usize) -> Option<usize> {
    let (prefix, rest) = text.split_at(name);
    if !["b", "br", "c", "cr", "r"].contains(&prefix) {
        return None;
    }
    let hashes = rest.bytes().take_while(|byte| *byte == b'#').count();
    if !rest[hashes..].starts_with('"') {
        return None;
    }
    if !prefix.ends_with('r') {
        return Some(name + string(rest));
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let body = name + hashes + 1;
    Some(text[body..].find(&end).map_or(text.len(), |at| body + at + end.len()))
}

/// Reads a file's text; `depth` is how many modules deep the file is, `root` its crate's name.
fn scan(text: &str, depth: usize, root: &str) -> Scan {
    let tokens = tokens(text);
    let is = |at: usize, expected: &[&str]| {
        let texts = tokens.iter().skip(at).map(|token| token.text);
        texts.take(expected.len()).eq(expected.iter().copied())
    };
    let mut scan = Scan::default();
    let mut braces = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if is(at, &["#", "[", "cfg", "(", "test", ")", "]"]) {
            at = skip_item(&tokens, at + 7, &mut scan.test_modules);
            continue;
        }
        match tokens[at].text {
            "{" => braces.push(at >= 2 && tokens[at - 2].text == "mod"),
            "}" => drop(braces.pop()),
            name if (name == "crate" || name == root) && is(at + 1, &["::"]) => {
                names(&tokens, at + 2, &mut scan.uses);
            }
            "super" => {
                let depth = depth + braces.iter().filter(|is_module| **is_module).count();
                let chain =
                    (0..tokens.len()).take_while(|n| is(at + 2 * n, &["super", "::"])).count();
                at += (2 * chain).saturating_sub(1);
                if chain > 0 && chain == depth {
                    names(&tokens, at + 1, &mut scan.uses);
                }
            }
            _ => {}
        }
        at += 1;
    }
    scan
}

/// Skips attributes and one item.
fn skip_item(tokens: &[Token<'_>], start: usize, test_modules: &mut Vec<String>) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while let Some(token) = tokens.get(at) {
        match token.text {
            "mod" if depth == 0 && tokens.get(at + 2).is_some_and(|end| end.text == ";") => {
                test_modules.push(tokens[at + 1].text.to_owned());
            }
            "{" | "(" | "[" => depth += 1,
            "}" if depth == 0 => return at,
            "}" if depth == 1 => return at + 1,
            "}" | ")" | "]" => depth -= 1,
            ";" if depth == 0 => return at + 1,
            _ => {}
        }
        at += 1;
    }
    at
}

/// The first name of a path, or of every path of a group.
fn names(tokens: &[Token<'_>], start: usize, uses: &mut BTreeSet<(usize, String)>) {
    let mut depth = 0;
    let mut is_first = true;
    for token in &tokens[start.min(tokens.len())..] {
        match token.text {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 1 => is_first = true,
            name if is_first => {
                uses.insert((token.line, name.to_owned()));
                is_first = false;
            }
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All files below a folder, but those of test modules.
fn files(folder: &Path, found: &mut Vec<(PathBuf, Scan)>) {
    let mut entries: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries.iter().filter(|path| path.extension().is_some_and(|end| end == "rs")) {
        let parts = path.strip_prefix(source()).unwrap().components().count();
        let is_main = path.ends_with("src/main.rs");
        let is_root = is_main || path.ends_with("src/lib.rs");
        let root = if is_main { "gatehouse" } else { "crate" };
        let text = fs::read_to_string(path).unwrap();
        found.push((path.clone(), scan(&text, if is_root { 0 } else { parts }, root)));
    }
    for folder in entries.iter().filter(|path| path.is_dir()) {
        files(folder, found);
    }
    let hidden: Vec<_> = found
        .iter()
        .flat_map(|(path, scan)| {
            scan.test_modules.iter().map(|name| path.with_extension("").join(name))
        })
        .collect();
    found.retain(|(path, _)| !hidden.iter().any(|test| path.with_extension("").starts_with(test)));
}

fn all_files() -> Vec<(PathBuf, Scan)> {
    let mut found = Vec::new();
    files(&source(), &mut found);
    found
}

/// The module directly below the root that a file belongs to.
fn module(path: &Path) -> String {
    let below = path.strip_prefix(source()).unwrap().with_extension("");
    below.components().next().unwrap().as_os_str().to_str().unwrap().to_owned()
}

#[test]
fn imports_point_downwards() {
    let mut violations = Vec::new();
    for (path, scan) in all_files().iter().filter(|(path, _)| !path.ends_with("src/lib.rs")) {
        let shown = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display();
        for (line, name) in &scan.uses {
            if let Some(why) = objection(&module(path), name) {
                violations.push(format!("{shown}:{line}: {why}"));
            }
        }
    }
    assert!(violations.is_empty(), "imports point upwards:\n{}", violations.join("\n"));
}

#[test]
fn every_module_has_a_row_and_a_line_in_the_crate_documentation() {
    let documentation = fs::read_to_string(source().join("lib.rs")).unwrap();
    let modules: BTreeSet<_> = all_files().iter().map(|(path, _)| module(path)).collect();
    assert!(modules.len() > 15, "{modules:?}");
    for module in modules.iter().filter(|module| *module != "lib") {
        assert!(place(module).is_some(), "{module} has no row");
        let line = documentation.lines().any(|line| {
            line.starts_with("//! | [`") && line.contains(&format!("[`{module}`] |"))
                || line.starts_with("//! | `main`") && module == "main"
        });
        assert!(line, "src/lib.rs has no line for {module}");
    }
}

#[test]
fn test_modules_in_files_of_their_own_are_left_out() {
    let paths: Vec<_> = all_files().into_iter().map(|(path, _)| path).collect();
    assert!(paths.iter().any(|path| path.ends_with("listener/http1/head.rs")), "{paths:?}");
    assert!(!paths.iter().any(|path| path.ends_with("listener/http1/tests.rs")), "{paths:?}");
    assert!(!paths.iter().any(|path| path.ends_with("http1/tests/refusal.rs")), "{paths:?}");
}

#[test]
fn a_planted_violation_is_found() {
    for text in [
        "use crate::gateway::Gateway;",
        "use crate::{\n    clock::Clock,\n    oauth::{Issuer, Scope},\n    gateway,\n};",
        "fn f<'a>(_: &'a str, c: char) -> bool { c == '\"' || crate::gateway::is(c) }",
        "pub(in crate::gateway) struct S;",
        "mod inner { use super::super::gateway; }",
        "use super::gateway as innocent;",
        "const S: &str = r#\"a \" b\"#; // crate::clock\nuse crate::gateway;",
        "#[cfg(test)]\nmod tests { use crate::clock; }\nuse crate::gateway;",
        "#[cfg(test)]\nmod tests;\nuse crate::gateway;",
    ] {
        let uses = scan(text, 1, "crate").uses;
        let objections: Vec<_> =
            uses.iter().filter_map(|(_, name)| objection("authenticate", name)).collect();
        assert_eq!(objections, ["authenticate (row 2) may not use gateway (row 4)"], "{text}");
    }
}

#[test]
fn what_is_allowed_is_not_reported() {
    for text in [
        "//! See [`crate::gateway`].\nuse crate::clock::Clock;",
        "/* crate::gateway /* nested */ crate::gateway */",
        "const S: &str = \"crate::gateway\\\" crate::gateway\";",
        "#[cfg(test)]\nmod tests {\n    use crate::gateway;\n}",
        "#[cfg(test)]\n#[expect(unused, reason = \"{\")]\nuse crate::{gateway, router};",
        "use super::super::gateway;",
        "mod inner { use super::gateway; }",
        "pub(crate) struct S;",
    ] {
        let uses = scan(text, 1, "crate").uses;
        assert!(uses.iter().all(|(_, name)| objection("authenticate", name).is_none()), "{text}");
    }
}

#[test]
fn rows_and_columns_are_judged() {
    assert_eq!(objection("router", "admission"), None);
    assert_eq!(objection("gateway", "clock"), None);
    assert!(objection("admission", "router").is_some());
    assert!(objection("rejection", "snapshot").is_some());
    assert!(objection("metrics", "config").is_some());
    assert!(objection("gateway", "newcomer").is_some());
    let lines = scan("\n\nuse crate::clock;\n", 1, "crate").uses;
    assert_eq!(lines, BTreeSet::from([(3, "clock".to_owned())]));
}
