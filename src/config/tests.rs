//! Tests of the whole way from text to settings.

mod environment;
mod good;
mod limits;
mod mistakes;
mod place;
mod reference;
mod rules;
mod schema;
mod secrecy;
mod tls;
mod traces;

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
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

const MINIMAL: &str = include_str!("../../config/minimal.yaml");
