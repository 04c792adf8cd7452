//! Tests of the whole way from text to settings.

mod environment;
mod good;

pub(super) use environment::TestEnvironment;

use super::{Loaded, Problem, parse};

/// Parses with the usual variables and files.
fn read(text: &str) -> Result<Loaded, Vec<Problem>> {
    parse("g.yaml", text, &TestEnvironment::default())
}

/// The problems and warnings of a text, one a line.
fn problems(text: &str) -> String {
    let problems = match read(text) {
        Ok(loaded) => loaded.warnings,
        Err(problems) => problems,
    };
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

const MINIMAL: &str = include_str!("../../config/minimal.yaml");
