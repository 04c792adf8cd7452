//! `gatehouse schema`: the JSON Schema of the configuration file, for editors.

use std::io::{self, Write};

use crate::config;

/// Prints the schema.
///
/// # Errors
///
/// Only when `out` cannot be written to.
pub fn schema(out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &config::schema())?;
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_is_json_that_names_its_dialect() {
        let mut out = Vec::new();
        schema(&mut out).unwrap();
        let schema: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert!(out.ends_with(b"}\n"));
    }
}
