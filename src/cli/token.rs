//! The access token that a command is given.
//!
//! 1. It comes from an option, a file, or `GATEHOUSE_TOKEN`, in this order.
//! 2. A file is somebody's paste: what is wrong with it is said, and not what a client would hear of
//!    it. The others are taken as they are, to see what becomes of any text.

use std::path::Path;

use crate::{config::Environment, forward::request_body, oauth::BearerToken};

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
    let wrong = |what: &str| format!("--token-file {}: {what}", path.display());
    let text = String::from_utf8(bytes).map_err(|_| wrong("not UTF-8 text"))?;
    let token = text.trim();
    match fault(token) {
        Some(what) => Err(wrong(what)),
        None => Ok(Some(token.to_owned())),
    }
}

/// What a file holds that is no token, and how to mend it.
fn fault(token: &str) -> Option<&'static str> {
    let scheme = token.split(|c: char| c.is_whitespace() || c == ':').next().unwrap_or_default();
    let is_token = BearerToken::parse(token.as_bytes()).is_ok();
    match scheme.to_ascii_lowercase().as_str() {
        _ if token.is_empty() => Some("it is empty; write the access token into it"),
        _ if token.starts_with('\u{feff}') => {
            Some("it begins with a byte order mark; save it as UTF-8 without one")
        }
        "authorization" | "bearer" if !is_token => {
            Some("it holds a header field; write the token alone into it, without `Bearer`")
        }
        _ if token.contains(char::is_whitespace) => {
            Some("there is white space within the token; write it in one line, and nothing else")
        }
        _ if !is_token => Some(
            "it holds no bearer token: letters, digits and `-._~+/`, then `=` (RFC 6750 section 2.1)",
        ),
        _ => None,
    }
}

/// The bound for files that a command line names.
pub(super) const MAX_FILE_BYTES: usize = 4 * request_body::WHOLE_BYTES;
const VARIABLE: &str = "GATEHOUSE_TOKEN";
