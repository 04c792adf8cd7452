//! The names that requests ask for, as they may be shown: in log, audit, traces and last refusals.
//!
//! The URI of a resource may carry a key (`https://user:key@host/x?token=...`): its userinfo and what
//! stands behind its path are left out. Other names are shown as they are.

use std::borrow::Cow;

/// A name as it may be shown; cut it only afterwards.
pub(super) fn shown<'n>(rpc_method: &str, name: &'n str) -> Cow<'n, str> {
    let is_of_resources = rpc_method
        .get(..RESOURCES.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(RESOURCES));
    if is_of_resources || name.contains("://") { without_secrets(name) } else { name.into() }
}

/// A URI without what may be a key: its userinfo (RFC 3986 section 3.2.1), and what stands behind
/// the path. Where it cannot be told what is userinfo, its scheme alone.
fn without_secrets(uri: &str) -> Cow<'_, str> {
    let is_scheme =
        |at: &usize| !uri.get(..*at).is_some_and(|before| before.contains(['/', '?', '#']));
    let start = uri.find(':').filter(is_scheme).map_or(0, |at| at + 1);
    let behind = uri.get(start..).unwrap_or_default();
    let start = start + behind.len() - behind.trim_start_matches(['/', '\\']).len();
    let (scheme, rest) = uri.split_at_checked(start).unwrap_or_default();
    let lower = rest.to_ascii_lowercase();
    let authority = lower.split(['/', '\\', '?', '#']).next().unwrap_or_default();
    let user = if scheme.is_empty() { 0 } else { end_of_user(authority) };
    // A password with a delimiter in it ends what looks like host and port.
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit() || byte == b']');
    let is_cut = authority.rsplit_once(':').is_some_and(|(_, port)| !is_port(port));
    if user == 0 && is_cut && !scheme.is_empty() && end_of_user(&lower) > 0 {
        return scheme.into();
    }
    let shown = lower.get(user..).unwrap_or_default();
    let ends = ["?", "#", "%3f", "%23"].into_iter().filter_map(|end| shown.find(end));
    let end = ends.min().map_or(rest.len(), |at| user + at);
    if user == 0 {
        return uri.get(..start + end).unwrap_or_default().into();
    }
    format!("{scheme}{}", rest.get(user..end).unwrap_or_default()).into()
}

/// Where the userinfo of an authority in lower case ends; 0 without one.
fn end_of_user(authority: &str) -> usize {
    let plain = authority.rfind('@').map(|at| at + 1);
    let escaped = authority.rfind("%40").map(|at| at + "%40".len());
    plain.max(escaped).unwrap_or_default()
}

const RESOURCES: &str = "resources/";

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn uris_lose_what_may_be_a_key_and_other_names_nothing() {
        for (method, name, expected) in [
            ("resources/read", "https://user:pw@h/x?token=t", "https://h/x"),
            ("resources/subscribe", "db://a@b:p@c/d@e#f", "db://c/d@e"),
            ("resources/read", "pkg://npm/@scope/name", "pkg://npm/@scope/name"),
            ("resources/read", "https://[::1]:80/a@b?c@d", "https://[::1]:80/a@b"),
            ("resources/read", "https://h/x?token=a@secret", "https://h/x"),
            ("resources/read", "https://h:80?token=a@secret", "https://h:80"),
            ("resources/read", "https:/user:pw@h/x", "https:/h/x"),
            ("resources/read", "https:user:pw@h/x", "https:h/x"),
            ("resources/read", r"https:\\user:pw@h/x", r"https:\\h/x"),
            ("resources/read", "https://user:p/w@h/x", "https://"),
            ("resources/read", "db://user:p#w?x@h/x", "db://"),
            ("resources/read", "https://h/x%3Ftoken=t", "https://h/x"),
            ("resources/read", "https://user%3Apw%40h/x%23t", "https://h/x"),
            ("Resources/Read", "note:1?token=t", "note:1"),
            ("resources/read", "/a/b:c@d?e", "/a/b:c@d"),
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
