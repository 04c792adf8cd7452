//! The names that requests ask for, as they may be shown: in log, audit, traces and last refusals.
//!
//! The URI of a resource may carry a key (`https://user:key@host/x?token=...`): its userinfo and what
//! stands behind its path are left out. Other names are shown as they are.

use std::borrow::Cow;

/// A name as it may be shown; cut it only afterwards.
pub(super) fn shown<'n>(rpc_method: &str, name: &'n str) -> Cow<'n, str> {
    let is_uri = rpc_method.starts_with("resources/") || name.contains("://");
    if is_uri { without_secrets(name) } else { name.into() }
}

/// A URI without what may be a key: its userinfo (RFC 3986 section 3.2.1), and what stands behind
/// the path.
fn without_secrets(uri: &str) -> Cow<'_, str> {
    let end = uri.find(['?', '#']).unwrap_or(uri.len());
    let uri = uri.get(..end).unwrap_or_default();
    let Some((scheme, rest)) = uri.split_once("://") else { return uri.into() };
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((userinfo, _)) => {
            let behind = rest.get(userinfo.len() + 1..).unwrap_or_default();
            format!("{scheme}://{behind}").into()
        }
        None => uri.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn uris_lose_what_may_be_a_key_and_other_names_nothing() {
        for (method, name, expected) in [
            ("resources/read", "https://user:pw@h/x?token=t", "https://h/x"),
            ("resources/subscribe", "db://a@b:p@c/d@e#f", "db://c/d@e"),
            ("resources/read", "note:1?token=t", "note:1"),
            ("completion/complete", "https://u@h/{x}?k", "https://h/{x}"),
            ("tools/call", "what?#@", "what?#@"),
            ("tools/call", "https://u:p@h", "https://h"),
            ("resources/read", "", ""),
        ] {
            assert_eq!(shown(method, name), expected, "{method} {name}");
        }
    }
}
