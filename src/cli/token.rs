//! The access token that a command is given.
//!
//! It comes from an option, a file, or `GATEHOUSE_TOKEN`, in this order.

use std::path::Path;

use crate::{config::Environment, forward::request_body};

/// Reads it; `None` when there is none.
pub(super) fn read(
    option: Option<&str>,
    file: Option<&Path>,
    environment: &dyn Environment,
) -> Result<Option<String>, String> {
    if let Some(token) = option {
        return Ok(Some(token.to_owned()));
    }
    let Some(path) = file else {
        let variable = environment.variable(VARIABLE).filter(|value| !value.is_empty());
        let text = variable.map(|value| value.into_string().map_err(|_| VARIABLE.to_owned()));
        return text.transpose().map_err(|name| format!("{name}: not text"));
    };
    let bytes = environment.read_file(path, MAX_FILE_BYTES);
    let bytes = bytes.map_err(|error| format!("--token-file: {}", error.kind()))?;
    let text = String::from_utf8(bytes).map_err(|_| "--token-file: not text".to_owned())?;
    Ok(Some(text.trim().to_owned()))
}

/// The bound for files that a command line names.
pub(super) const MAX_FILE_BYTES: usize = 4 * request_body::WHOLE_BYTES;
const VARIABLE: &str = "GATEHOUSE_TOKEN";
