//! `upstream` of a route.

use std::collections::HashSet;

use http::{HeaderName, HeaderValue};

use super::bounds::{DAY, MINUTE, SHORTEST, duration};
use crate::config::{
    file::{Header, Upstream},
    problem::{Place, Report},
    reader::{Entries, Placed},
    settings::UpstreamSettings,
    web::UpstreamUrl,
};

pub(super) fn upstream(
    file: &Placed<Upstream>,
    report: &mut Report<'_>,
) -> Option<UpstreamSettings> {
    let rest = &file.value.rest;
    let url = match &file.value.alone {
        Some(url) => Some(url),
        None => rest.urls.placed().and_then(|urls| only_url(urls, report)),
    };
    let headers = rest.headers.value().and_then(|file| headers(file, report));
    let connect_timeout = duration(&rest.connect_timeout, SHORTEST..=5 * MINUTE, report);
    let response_timeout = duration(&rest.response_timeout, SHORTEST..=DAY, report);
    Some(UpstreamSettings {
        url: url?.value.0.clone(),
        headers: headers?,
        host: rest.host.value()?.as_ref().map(|host| host.0.clone()),
        connect_timeout: connect_timeout?,
        response_timeout: response_timeout?,
    })
}

fn only_url<'f>(
    urls: &'f Placed<Vec<Placed<UpstreamUrl>>>,
    report: &mut Report<'_>,
) -> Option<&'f Placed<UpstreamUrl>> {
    match urls.value.as_slice() {
        [url] => Some(url),
        [] => {
            report.error(&urls.place, "needs one URL");
            None
        }
        [_, second, ..] => {
            report.error(&second.place, "this version supports one URL for each upstream");
            None
        }
    }
}

/// Headers that the gateway sets on requests of its own making.
pub(super) fn headers(
    file: &Entries<Header>,
    report: &mut Report<'_>,
) -> Option<Vec<(HeaderName, HeaderValue)>> {
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    for (name, value) in &file.0 {
        let parsed = header_name(&name.value, &name.place, report);
        if let Some(parsed) = &parsed
            && !seen.insert(look_alike(parsed.as_str()))
        {
            report.error(&name.place, "this header is written twice (case, `-` and `_` are alike)");
        }
        let value = value.placed().and_then(|value| header_value(value, report));
        all.push(parsed.zip(value));
    }
    all.into_iter().collect()
}

fn header_name(name: &str, place: &Place, report: &mut Report<'_>) -> Option<HeaderName> {
    let Ok(parsed) = HeaderName::try_from(name) else {
        report.error(place, "not a header name");
        return None;
    };
    let plain = look_alike(parsed.as_str());
    let is_reserved = RESERVED.contains(&plain.as_str())
        || RESERVED_PREFIXES.iter().any(|prefix| plain.starts_with(prefix));
    if is_reserved {
        report.error(place, "the gateway itself sets, checks or removes this header");
        return None;
    }
    Some(parsed)
}

fn header_value(value: &Placed<Header>, report: &mut Report<'_>) -> Option<HeaderValue> {
    let secret = match &value.value {
        Header::File(file) => &file.file.value()?.0,
        Header::Text(text) => &text.0,
    };
    let text = secret.expose();
    let is_sendable = text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
        && text.trim_matches([' ', '\t']) == text;
    let Some(mut parsed) = HeaderValue::from_str(text).ok().filter(|_| is_sendable) else {
        let message = "not a header value: printable ASCII without line breaks, and without \
                       spaces at its ends";
        report.error(&value.place, message);
        return None;
    };
    // It is often a credential; its Debug then shows nothing.
    parsed.set_sensitive(true);
    Some(parsed)
}

/// Servers that map `-` to `_`, as CGI does, see the same header in both spellings.
fn look_alike(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

/// Hop-by-hop (RFC 9110 section 7.6.1), framing, and what says something about the judged body.
const RESERVED: [&str; 21] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "last-event-id",
    "origin",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-http-method-override",
    "x-original-url",
    "x-request-id",
];
const RESERVED_PREFIXES: [&str; 2] = ["mcp-", "x-forwarded-"];
