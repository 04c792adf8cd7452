//! `gatehouse schema`: the JSON Schema of the configuration file, for editors; and, for people, the
//! references of its keys and of the metrics.

use std::io::{self, Write};

use crate::{config, metrics};

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The JSON Schema.
    Json,
    /// The reference of the keys, `config/REFERENCE.md`.
    Reference,
    /// The reference of the metrics, `config/METRICS.md`.
    Metrics,
}

impl Form {
    /// The form that the flags ask for; they exclude each other.
    pub(super) fn of(reference: bool, metrics: bool) -> Self {
        match (reference, metrics) {
            (true, _) => Self::Reference,
            (false, true) => Self::Metrics,
            (false, false) => Self::Json,
        }
    }
}

/// Prints the schema, or a reference.
///
/// # Errors
///
/// Only when `out` cannot be written to.
pub fn schema(form: Form, out: &mut dyn Write) -> io::Result<()> {
    match form {
        Form::Json => {
            serde_json::to_writer_pretty(&mut *out, &config::schema())?;
            writeln!(out)
        }
        Form::Reference => out.write_all(config::reference().as_bytes()),
        Form::Metrics => out.write_all(metrics::reference().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(form: Form) -> String {
        let mut out = Vec::new();
        schema(form, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn schema_is_json_that_names_its_dialect() {
        let text = printed(Form::Json);
        let schema: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert!(text.ends_with("}\n"));
    }

    /// What is committed is what is printed; CRLF of a checkout does not count.
    fn assert_fresh(file: &str, committed: &str, form: Form, flag: &str) {
        let (committed, printed) = (committed.replace("\r\n", "\n"), printed(form));
        let different = printed.lines().zip(committed.lines()).find(|(new, old)| new != old);
        assert!(
            printed == committed,
            "{file} is stale ({different:?}); renew it: cargo run -- schema {flag} > {file}"
        );
    }

    #[test]
    fn the_reference_of_keys_is_fresh() {
        let committed = include_str!("../../config/REFERENCE.md");
        assert_fresh("config/REFERENCE.md", committed, Form::Reference, "--reference");
    }

    #[test]
    fn the_reference_of_metrics_is_fresh() {
        let committed = include_str!("../../config/METRICS.md");
        assert_fresh("config/METRICS.md", committed, Form::Metrics, "--metrics");
    }
}
