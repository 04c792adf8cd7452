//! Headers that mirror the body (revision 2026-07-28, Streamable HTTP, "Server Validation").
//!
//! 1. `MCP-Protocol-Version`, `Mcp-Method` and `Mcp-Name` must say what the body says; whoever
//!    believes a header then believes the truth.
//! 2. They are required when the body itself speaks 2026-07-28, and never of older clients.
//! 3. `Mcp-Name` mirrors `params.name`, `params.uri` or, of `tasks/*`, `params.taskId` (Tasks
//!    extension). It may be in the Base64 form; its markers are case-sensitive.
//!
//! A header decides nothing here, and `Mcp-Param-*` are for the server that knows them.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName};

use crate::{
    admission::mcp,
    jsonrpc::{message::Message, scanner::Text},
};

/// A header and the body say different things, or a required header is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{header} {fault}")]
pub struct HeaderMismatch {
    header: &'static str,
    fault: &'static str,
}

/// Whether the request says that it speaks 2026-07-28 or later.
pub(super) fn is_modern(headers: &HeaderMap) -> bool {
    headers
        .get(mcp::PROTOCOL_VERSION)
        .is_some_and(|version| mcp::is_modern_revision(version.as_bytes()))
}

/// Compares the mirrored headers with one message of the body.
pub(super) fn check(
    headers: &HeaderMap,
    message: &Message<'_>,
    is_batch: bool,
) -> Result<(), HeaderMismatch> {
    let version = message.params.protocol_version.as_ref();
    let is_modern_body =
        version.is_some_and(|version| mcp::is_modern_revision(version.value().as_bytes()));
    check_version(headers, version)?;

    let method = Mirror { headers, name: &mcp::METHOD, called: "Mcp-Method" };
    method.check(message.method.as_ref(), is_modern_body, is_batch, false)?;

    let params = &message.params;
    let is_task =
        message.method.as_ref().is_some_and(|method| method.value().starts_with("tasks/"));
    let task = params.task_id.as_ref().filter(|_| is_task);
    let object = task.or(params.name.as_ref()).or(params.uri.as_ref());
    let is_named = message.method.as_ref().is_some_and(|method| {
        ["tools/call", "resources/read", "prompts/get"].iter().any(|known| method.is(known))
    });
    let name = Mirror { headers, name: &mcp::NAME, called: "Mcp-Name" };
    name.check(object, is_modern_body && is_named, is_batch, true)
}

fn check_version(headers: &HeaderMap, version: Option<&Text<'_>>) -> Result<(), HeaderMismatch> {
    let mismatch = |fault| Err(HeaderMismatch { header: "MCP-Protocol-Version", fault });
    let sent = headers.get(mcp::PROTOCOL_VERSION).and_then(|value| value.to_str().ok());
    match (sent, version) {
        (Some(sent), Some(version)) if version.is(sent) => Ok(()),
        (Some(_), Some(_)) => mismatch("differs from the body"),
        (None, Some(version)) if mcp::is_modern_revision(version.value().as_bytes()) => {
            mismatch("is missing")
        }
        // A body that names no revision contradicts nothing. Where one is required the server says
        // so in its own words (-32602), and rules are judged alike in every revision.
        (None, _) | (Some(_), None) => Ok(()),
    }
}

/// One header that mirrors something.
struct Mirror<'a> {
    headers: &'a HeaderMap,
    name: &'a HeaderName,
    called: &'static str,
}

impl Mirror<'_> {
    fn check(
        &self,
        body: Option<&Text<'_>>,
        is_required: bool,
        is_batch: bool,
        may_encode: bool,
    ) -> Result<(), HeaderMismatch> {
        let mismatch = |fault| Err(HeaderMismatch { header: self.called, fault });
        let Some(value) = self.headers.get(self.name) else {
            return if is_required { mismatch("is missing") } else { Ok(()) };
        };
        if is_batch {
            return mismatch("cannot mirror a batch");
        }
        // RFC 9110 section 5.5: what surrounds the value is no part of it.
        let Ok(sent) = value.to_str().map(str::trim) else { return mismatch("is not ASCII") };
        let sent = if may_encode {
            match decoded(sent) {
                Some(sent) => sent,
                None => return mismatch("is not well-formed Base64"),
            }
        } else {
            Cow::Borrowed(sent)
        };
        match body {
            Some(body) if body.is(&sent) => Ok(()),
            Some(_) => mismatch("differs from the body"),
            None => mismatch("is not in the body"),
        }
    }
}

/// The value behind `=?base64?...?=`; anything else stands for itself.
fn decoded(sent: &str) -> Option<Cow<'_, str>> {
    let Some(rest) = sent.strip_prefix("=?base64?") else { return Some(sent.into()) };
    let text = STANDARD.decode(rest.strip_suffix("?=")?).ok()?;
    String::from_utf8(text).ok().map(Into::into)
}
