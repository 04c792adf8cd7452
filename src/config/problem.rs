//! What is wrong with a configuration, and where.
//!
//! 1. A problem names its place, the path of its key, what is wrong and what would be right.
//! 2. It never quotes a line or a value: either may hold a secret. Key names are shown only when
//!    they look like key names.

use std::fmt;

use serde::Serialize;

use super::places::KeyPlace;

/// One thing wrong with a configuration file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file, as it was named to us.
    pub file: String,
    /// Line, from 1; 0 when the problem has no place inside the file.
    pub line: usize,
    /// Column in characters, from 1; 0 when the problem has no place inside the file.
    pub column: usize,
    /// Path of the key, such as `routes.notes.upstream`; empty for the whole file.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
    /// Whether the file cannot be used.
    pub severity: Severity,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        f.write_str(": ")?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        match self.severity {
            Severity::Error => f.write_str(&self.message),
            Severity::Warning => write!(f, "warning: {}", self.message),
        }
    }
}

/// Whether a problem keeps the configuration from being used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// It is used, and the operator is told.
    Warning,
}

/// Where a value or key stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) path: String,
}

impl Place {
    /// The path one key further down, at the same place.
    pub(super) fn below(&self, key: &str) -> Self {
        Self { path: join(&self.path, key), ..self.clone() }
    }
}

/// Collects the problems of one file.
#[derive(Debug)]
pub(super) struct Report<'a> {
    file: &'a str,
    problems: Vec<Problem>,
}

impl<'a> Report<'a> {
    pub(super) fn new(file: &'a str) -> Self {
        Self { file, problems: Vec::new() }
    }

    pub(super) fn error(&mut self, place: &Place, message: impl Into<String>) {
        self.push(place, message.into(), Severity::Error);
    }

    pub(super) fn warning(&mut self, place: &Place, message: impl Into<String>) {
        self.push(place, message.into(), Severity::Warning);
    }

    /// A problem outside the file, such as an environment variable.
    pub(super) fn outside(&mut self, source: &str, message: impl Into<String>) {
        self.push(&Place::default(), message.into(), Severity::Error);
        if let Some(problem) = self.problems.last_mut() {
            source.clone_into(&mut problem.file);
        }
    }

    /// Names a place for problems that are found later.
    pub(super) fn key_place(&self, place: &Place) -> KeyPlace {
        KeyPlace {
            file: self.file.to_owned(),
            line: place.line,
            column: place.column,
            path: place.path.clone(),
            is_written: true,
        }
    }

    pub(super) fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// All problems, in the file's order.
    pub(super) fn finish(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(|problem| (problem.line, problem.column));
        self.problems
    }

    fn push(&mut self, place: &Place, message: String, severity: Severity) {
        self.problems.push(Problem {
            file: self.file.to_owned(),
            line: place.line,
            column: place.column,
            path: place.path.clone(),
            message,
            severity,
        });
    }
}

/// Appends a key to a path; a key that does not look like one is not shown.
pub(super) fn join(path: &str, key: &str) -> String {
    let is_shown = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./*".contains(&byte);
    let shown = if key.is_empty() || key.len() > MAX_SHOWN_KEY || !key.bytes().all(is_shown) {
        "?"
    } else {
        key
    };
    if path.is_empty() { shown.to_owned() } else { format!("{path}.{shown}") }
}

/// No key of ours, and no sensible name, is longer.
const MAX_SHOWN_KEY: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_as_one_line() {
        let mut report = Report::new("g.yaml");
        report.warning(&Place { line: 2, column: 3, path: "a.b".into() }, "odd");
        report.error(&Place { line: 1, column: 1, path: String::new() }, "bad");
        report.outside("GATEHOUSE_X", "unreadable");
        assert!(report.has_errors());
        let lines: Vec<_> = report.finish().iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            ["GATEHOUSE_X: unreadable", "g.yaml:1:1: bad", "g.yaml:2:3: a.b: warning: odd"]
        );
    }

    #[test]
    fn a_key_that_looks_like_no_key_is_not_shown() {
        assert_eq!(join("a", "b_c-1"), "a.b_c-1");
        assert_eq!(join("a", "p@ss word"), "a.?");
        assert_eq!(join("", &"x".repeat(64)), "?");
    }
}
