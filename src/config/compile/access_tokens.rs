//! `access_tokens`: how the tokens of an authorization server are judged, and which other keys then
//! have a meaning.
//!
//! 1. Without the key: introspection when there is a `client`, verification by key set otherwise.
//! 2. What needs introspection needs a `client`.
//! 3. A section that the kind never looks at is an error: whoever wrote it expects an effect.

use crate::config::{file::AuthorizationServer, problem::Report, settings::AccessTokens};

/// The kind of an entry; nothing after reporting an error with it.
pub(super) fn access_tokens(
    file: &AuthorizationServer,
    report: &mut Report<'_>,
) -> Option<AccessTokens> {
    let written = file.access_tokens.placed()?;
    let client = file.client.placed()?;
    let has_client = client.value.is_some();
    let default = if has_client { AccessTokens::Introspection } else { AccessTokens::Jwt };
    let kind = written.value.unwrap_or(default);
    if kind.are_introspected() && !has_client {
        let message = "needs introspection, and that needs `client: {id, secret}` beside it, or \
                       `client: {authentication: none}` where the server asks for none";
        report.error(&written.place, message);
        return None;
    }
    if !kind.are_introspected() && has_client {
        let message = format!(
            "with `access_tokens: {}` nothing is introspected and this client has no use; drop one \
             of the two",
            kind.as_str()
        );
        report.warning(&client.place, message);
    }
    let introspection = file.introspection.placed().filter(|section| section.is_written);
    if let Some(section) = introspection.filter(|_| kind == AccessTokens::Jwt) {
        let message = if written.value.is_some() {
            "has no meaning with `access_tokens: jwt`; drop one of the two"
        } else {
            "has no meaning without `client`: tokens are then verified as JWTs; add the client, or \
             drop this"
        };
        report.error(&section.place, message);
    }
    report_unused_jwt(file, kind, report);
    Some(kind)
}

fn report_unused_jwt(file: &AuthorizationServer, kind: AccessTokens, report: &mut Report<'_>) {
    let Some(jwt) = file.jwt.placed().filter(|section| section.is_written) else { return };
    if !kind.are_verified_here() {
        let message = format!(
            "has no meaning with `access_tokens: {}`{}: nothing is verified here; drop it, or write \
             `access_tokens: auto` or `jwt`",
            kind.as_str(),
            if file.access_tokens.given().is_none() { ", the default with a `client`" } else { "" }
        );
        report.error(&jwt.place, message);
    }
}
