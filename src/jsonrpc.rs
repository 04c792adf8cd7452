//! JSON-RPC 2.0 as far as a proxy needs it: reading requests, and the errors we write.
//!
//! 1. A text is walked over once, strictly, by [`scanner`].
//! 2. [`Glance`] serves the log, the `id` of a refusal, and what follows for an answer's length where
//!    nobody read more; no rule may rest on it. [`watch`] looks after what it did not see.
//! 3. Errors are written once, here, in one member order.

pub mod message;
pub mod names;
pub mod plain;
pub mod scanner;
pub mod uri;
pub mod watch;

mod glance;

use serde::Serialize;

pub use self::glance::Glance;

/// A JSON-RPC error code that this gateway writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// -32020: headers say something else than the body (MCP 2026-07-28).
    HeaderMismatch,
    /// -32603: a defect of ours.
    InternalError,
    /// -32602.
    InvalidParams,
    /// -32600.
    InvalidRequest,
    /// -32601.
    MethodNotFound,
    /// -32700.
    ParseError,
    /// -32000: we, or somebody behind us, cannot serve now.
    Unavailable,
    /// -32001: refused for want of authorization.
    Unauthorized,
}

impl ErrorCode {
    /// The number on the wire.
    pub fn number(self) -> i32 {
        match self {
            Self::HeaderMismatch => -32020,
            Self::InternalError => -32603,
            Self::InvalidParams => -32602,
            Self::InvalidRequest => -32600,
            Self::MethodNotFound => -32601,
            Self::ParseError => -32700,
            Self::Unavailable => -32000,
            Self::Unauthorized => -32001,
        }
    }
}

/// Writes an error response; `id` is JSON text as it came, `None` for `null`.
pub fn error_response(
    id: Option<&str>,
    code: ErrorCode,
    message: &str,
    data: &impl Serialize,
) -> Vec<u8> {
    #[derive(Serialize)]
    struct Error<'a, D> {
        code: i32,
        message: &'a str,
        data: &'a D,
    }
    let error = Error { code: code.number(), message, data };
    let error = serde_json::to_string(&error).unwrap_or_else(|_| "null".to_owned());
    let id = id.unwrap_or("null");
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#).into_bytes()
}

/// Writes an error response as a server would, without data.
pub fn bare_error_response(id: Option<&str>, code: ErrorCode, message: &str) -> Vec<u8> {
    let error = serde_json::json!({ "code": code.number(), "message": message });
    let id = id.unwrap_or("null");
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#).into_bytes()
}

/// Writes a result; `id` is JSON text as it came.
pub fn result_response(id: Option<&str>, result: &serde_json::Value) -> Vec<u8> {
    let id = id.unwrap_or("null");
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_echoes_the_id_as_written() {
        let body = error_response(Some("1.50"), ErrorCode::Unauthorized, "m", &[1]);
        let expected =
            r#"{"jsonrpc":"2.0","id":1.50,"error":{"code":-32001,"message":"m","data":[1]}}"#;
        assert_eq!(String::from_utf8(body).unwrap(), expected);
    }
}
