//! Where each key of a file stands, so that whoever speaks of a setting can name its place.
//!
//! 1. A key that was written stands where its value does; one that was left out stands at the
//!    nearest key above it that was written.
//! 2. It holds keys and places, never values.

use std::{collections::HashMap, fmt};

use serde::Serialize;

use super::{
    node::{Kind, Mark, Node},
    problem::{Problem, Severity, join},
};

/// The places of one file's keys.
#[derive(Clone, Debug, Default)]
pub struct Places {
    file: Box<str>,
    marks: HashMap<String, Marks>,
}

/// Where a key and its value stand.
#[derive(Clone, Copy, Debug)]
struct Marks {
    key: Mark,
    value: Mark,
}

/// Where a setting stands, or would.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyPlace {
    /// The file, as it was named to us.
    pub file: String,
    /// Line, from 1; 0 when nothing above the key was written either.
    pub line: usize,
    /// Column in characters, from 1; 0 likewise.
    pub column: usize,
    /// Path of the key, such as `routes.notes.required_scopes`.
    pub path: String,
    /// Whether the key was written; otherwise its default is in force.
    pub is_written: bool,
}

impl Places {
    /// Collects the places of a tree.
    pub(super) fn of(file: &str, root: &Node) -> Self {
        let mut places = Self { file: file.into(), marks: HashMap::new() };
        places.collect("", root);
        places
    }

    /// The place of a key, by its path.
    pub fn find(&self, path: &str) -> KeyPlace {
        let mut above = Some(path);
        while let Some(each) = above {
            if let Some(marks) = self.marks.get(each) {
                let is_written = each == path;
                let mark = if is_written { marks.value } else { marks.key };
                return self.place(path, mark, is_written);
            }
            above = each.rfind(['.', '[']).and_then(|end| each.get(..end));
        }
        self.place(path, Mark::default(), false)
    }

    fn place(&self, path: &str, mark: Mark, is_written: bool) -> KeyPlace {
        let Mark { line, column } = mark;
        KeyPlace { file: self.file.to_string(), line, column, path: path.to_owned(), is_written }
    }

    fn collect(&mut self, path: &str, node: &Node) {
        match &node.kind {
            Kind::Mapping(entries) => {
                for entry in entries {
                    let path = join(path, &entry.key);
                    self.collect(&path, &entry.value);
                    self.marks.insert(path, Marks { key: entry.key_mark, value: entry.value.mark });
                }
            }
            Kind::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    let path = format!("{path}[{index}]");
                    self.collect(&path, item);
                    self.marks.insert(path, Marks { key: item.mark, value: item.mark });
                }
            }
            Kind::Scalar { .. } => {}
        }
    }
}

impl KeyPlace {
    /// An error that was found there after the file was read.
    pub fn error(&self, message: String) -> Problem {
        let Self { file, line, column, path, is_written: _ } = self.clone();
        Problem { file, line, column, path, message, severity: Severity::Error }
    }
}

impl fmt::Display for KeyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {}", self.path)?;
        if self.is_written { Ok(()) } else { f.write_str(" (not set)") }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::problem::Report, *};

    const TEXT: &str =
        "public_url: https://a\nroutes:\n  notes:\n    path: /notes\n    scopes: [x, y]\n";

    fn find(path: &str) -> String {
        let root = super::super::node::parse(TEXT, &mut Report::new("g.yaml")).unwrap();
        Places::of("g.yaml", &root).find(path).to_string()
    }

    #[test]
    fn written_key_stands_at_its_value() {
        assert_eq!(find("routes.notes.path"), "g.yaml:4:11: routes.notes.path");
        assert_eq!(find("routes.notes.scopes[1]"), "g.yaml:5:17: routes.notes.scopes[1]");
    }

    #[test]
    fn key_that_was_left_out_stands_at_the_nearest_above_it() {
        assert_eq!(find("routes.notes.audiences"), "g.yaml:3:3: routes.notes.audiences (not set)");
        let deep = "routes.notes.upstream.tls.ca";
        assert_eq!(find(deep), format!("g.yaml:3:3: {deep} (not set)"));
        assert_eq!(find("sessions.keys"), "g.yaml: sessions.keys (not set)");
    }
}
