//! The configuration: from a YAML file to settings that cannot be wrong.
//!
//! 1. YAML becomes a bounded tree of nodes that know their place (`node`).
//! 2. The tree becomes typed sections (`file`, by `reader`): keys, types, variables and secrets.
//!    The same sections are the JSON Schema.
//! 3. The sections become [`Settings`] (`compile`): defaults of one from another, overlaps,
//!    dangers.
//! 4. Each step collects all problems, each with its place; a YAML syntax error stands alone. No
//!    problem quotes what was written.
//!
//! It opens no connections and starts nothing.

mod compile;
mod file;
pub mod glob;
mod locate;
mod node;
mod places;
mod problem;
mod reader;
mod reference;
mod scalar;
mod secret;
pub mod server_tls;
pub mod settings;
mod suggest;
mod values;
mod variable;
mod web;

#[cfg(test)]
mod tests;

use std::path::Path;

pub use locate::{Overrides, find};
pub use places::{KeyPlace, Places};
pub use problem::{Problem, Severity};
pub use secret::{Environment, ProcessEnvironment};
pub use settings::Settings;

use file::ConfigFile;
use problem::Report;
use reader::{At, Read as _, Source};

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it says.
    pub settings: Settings,
    /// What its operator should know.
    pub warnings: Vec<Problem>,
    /// Where its keys stand.
    pub places: Places,
}

/// Reads a configuration file. `GATEHOUSE_LISTEN_ADDRESS` and `GATEHOUSE_ADMIN_ADDRESS` win over
/// the file. Its rule tests are run by what judges requests
/// ([`load`](crate::authorize::rule_tests::load)).
///
/// # Errors
///
/// All problems of the file, warnings included; at least one is an error.
pub fn load(path: &Path, environment: &dyn Environment) -> Result<Loaded, Vec<Problem>> {
    let name = path.to_string_lossy();
    let refuse = |message: String| {
        let mut report = Report::new(&name);
        report.outside(&name, message);
        Err(report.finish())
    };
    match environment.read_file(path, node::MAX_BYTES) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => parse(&name, &text, environment),
            Err(_) => refuse("the file is not UTF-8 text".to_owned()),
        },
        Err(error) => refuse(format!("the file cannot be read ({})", secret::describe(&error))),
    }
}

/// Reads a configuration's text; relative paths in it start at the folder of `file_name`.
///
/// # Errors
///
/// All problems of the text, warnings included; at least one is an error.
pub fn parse(
    file_name: &str,
    text: &str,
    environment: &dyn Environment,
) -> Result<Loaded, Vec<Problem>> {
    let mut report = Report::new(file_name);
    let Some(root) = node::parse(text, &mut report) else { return Err(report.finish()) };
    let folder = Path::new(file_name).parent().unwrap_or(Path::new("")).to_owned();
    let mut source = Source::new(environment, folder, report);
    let file = ConfigFile::read(&At::root(&root), &mut source);
    let mut report = source.report;
    let settings = file.and_then(|file| compile::compile(&file, &mut report));
    let overrides = Overrides::from_environment(environment, &mut report);
    match settings {
        Some(mut settings) if !report.has_errors() => {
            overrides.apply(&mut settings);
            let places = Places::of(file_name, &root);
            Ok(Loaded { settings, warnings: report.finish(), places })
        }
        _ => {
            if !report.has_errors() {
                // Nothing known leads here; if something does, it must not pass for success.
                report.outside(file_name, "the configuration could not be understood");
            }
            Err(report.finish())
        }
    }
}

/// The JSON Schema of the configuration file, for editors.
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(ConfigFile);
    schema.insert("title".to_owned(), "Gatehouse configuration".into());
    schema.to_value()
}

/// The reference of every key, as Markdown: what `config/REFERENCE.md` has.
pub fn reference() -> String {
    reference::of(&schema())
}
