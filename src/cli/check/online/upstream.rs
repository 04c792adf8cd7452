//! An upstream, asked as the gateway would ask it: is it there, and what does it speak?
//!
//! 1. A handshake first, then `server/discover`, then the stream of HTTP+SSE.
//! 2. What it refuses with says what is wrong: a redirect, credentials of its own, another path, a
//!    `Host` that it does not serve.

use std::{error::Error as _, sync::Arc};

use http::{HeaderValue, StatusCode, header};
use serde_json::Value;

use super::finding::{Findings, quoted};
use crate::{
    cli::line::{Answered, Line, Silence, mcp},
    clock::Clock,
    config::settings::RouteSettings,
    forward::{Addresses, pool::SendError},
};

/// Checks one route's upstream.
pub(super) async fn check(
    route: &RouteSettings,
    clock: &Arc<dyn Clock>,
    findings: &mut Findings<'_>,
) {
    let key = if findings.is_written("upstream.urls") { "upstream.urls" } else { "upstream" };
    let url = &route.upstream.url;
    let Some(line) = Line::to(route, clock) else {
        let write = "write another URL, or install a CA bundle on this machine";
        return findings.error("reachable", "no TLS towards it can be prepared", key, write);
    };
    let [newest, older @ ..] = mcp::WITH_HANDSHAKE;
    let answered = match mcp::initialize(&line, newest).await {
        Ok(answered) => answered,
        Err(silence) => return silent(url, &silence, key, findings),
    };
    let mut revisions = discovered(&line).await;
    if let Some(first) = agreed(&answered) {
        let mut with_handshake = vec![first];
        for revision in older {
            let answer = mcp::initialize(&line, revision).await.ok();
            with_handshake.extend(answer.and_then(|answer| agreed(&answer)));
        }
        revisions.append(&mut with_handshake);
    }
    revisions.sort_unstable_by(|one, other| other.cmp(one));
    revisions.dedup();
    if !revisions.is_empty() {
        findings.ok("reachable", format!("{url} answers"));
        findings.ok("transport", "Streamable HTTP");
        return findings.ok("revisions", format!("speaks {}", revisions.join(", ")));
    }
    if may_be_sse(answered.status)
        && let Some(endpoint) = mcp::endpoint_event(&line).await
    {
        findings.ok("reachable", format!("{url} answers"));
        let seen =
            format!("HTTP+SSE, with its message endpoint at {}", quoted(without_query(&endpoint)));
        findings.ok("transport", seen);
        return findings.ok("revisions", "speaks 2024-11-05");
    }
    refused(route, &line, &answered, (key, findings)).await;
}

/// The revision of a completed handshake.
fn agreed(answered: &Answered) -> Option<String> {
    let message = answered.message()?;
    let version = message.get("result")?.get("protocolVersion")?.as_str()?;
    is_revision(version).then(|| version.to_owned())
}

/// What `server/discover` brings, or the error of a server that speaks other revisions.
async fn discovered(line: &Line) -> Vec<String> {
    let message = mcp::discover(line).await.ok().and_then(|answered| answered.message());
    let Some(message) = message else { return Vec::new() };
    let versions = ["/result/supportedVersions", "/error/data/supported"]
        .into_iter()
        .find_map(|place| message.pointer(place)?.as_array());
    let texts = versions.into_iter().flatten().filter_map(Value::as_str);
    texts.filter(|text| is_revision(text)).map(ToOwned::to_owned).collect()
}

fn is_revision(text: &str) -> bool {
    text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Servers of HTTP+SSE refuse a POST to their stream's path in many ways.
fn may_be_sse(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_REQUEST
            | StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::NOT_ACCEPTABLE
            | StatusCode::UNSUPPORTED_MEDIA_TYPE
    )
}

fn silent(url: &url::Url, silence: &Silence, key: &str, findings: &mut Findings<'_>) {
    let error = match silence {
        Silence::Timeout => {
            let write = "is it the right address? A firewall that drops packets looks like this";
            return findings.error(
                "reachable",
                format!("{url} did not answer in time"),
                key,
                write,
            );
        }
        Silence::Send(error) => error,
    };
    if let SendError::Connect(io) = error
        && let Some(tls) = io.get_ref().filter(|cause| cause.is::<rustls::Error>())
    {
        let seen = format!("{url}: TLS failed: {tls}");
        let write = "give the upstream a certificate for this name that this machine trusts, or \
                     write the URL by the name in its certificate (http: when it speaks no TLS)";
        return findings.error("tls", seen, key, write);
    }
    let cause = error.source().and_then(std::error::Error::source);
    let cause = cause.map_or(String::new(), |cause| format!(": {cause}"));
    let write = match error {
        SendError::Http(_) => "it speaks no HTTP/1.1 there: is it https, or another port?",
        SendError::Connect(_) | SendError::ConnectTimeout => {
            "start the server, or write the address that it listens on"
        }
    };
    findings.error("reachable", format!("{url}: {error}{cause}"), key, write);
}

/// Says what a refusal means.
async fn refused(
    route: &RouteSettings,
    line: &Line,
    answered: &Answered,
    (key, findings): (&str, &mut Findings<'_>),
) {
    let (url, status) = (&route.upstream.url, answered.status);
    let code = status.as_u16();
    match status {
        status if status.is_redirection() => {
            let to = super::location(&answered.headers);
            let target = answered.headers.get(header::LOCATION).and_then(|to| to.to_str().ok());
            let target = target.and_then(|target| url.join(target).ok()).map(|mut target| {
                target.set_query(None);
                target.set_fragment(None);
                target.to_string()
            });
            let seen = format!("{url} redirects ({code}) to {to}; the gateway answers 502 to that");
            let write = format!("write {}", quoted(target.as_deref().unwrap_or("the final URL")));
            findings.error("redirect", seen, key, write);
        }
        StatusCode::UNAUTHORIZED => {
            let seen = format!("{url} asks for credentials of its own ({code})");
            let write = "switch its own authentication off, for the gateway is in front of it, or \
                         give it its credential here";
            findings.error("credentials", seen, "upstream.headers", write);
        }
        StatusCode::FORBIDDEN | StatusCode::MISDIRECTED_REQUEST => {
            host_refused(route, line, code, findings).await;
        }
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            let seen =
                format!("{url} answered {code} to an MCP initialize: no MCP server is there");
            let write =
                "write the whole URL of the MCP endpoint, path included (often /mcp or /sse)";
            findings.error("path", seen, key, write);
        }
        status if status.is_server_error() => {
            let seen = format!("{url} answered {code} to an MCP initialize");
            findings.error("answers", seen, key, "see the upstream's own log");
        }
        _ => {
            let message = answered.message();
            let error = message.as_ref().and_then(|message| message.pointer("/error/message"));
            let said = error
                .and_then(Value::as_str)
                .map_or(String::new(), |said| format!(", saying {}", quoted(said)));
            let kind =
                answered.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
            let kind = quoted(kind.unwrap_or_default());
            let seen =
                format!("{url} answered {code} {kind} to an MCP initialize{said}: no MCP result");
            findings.error("answers", seen, key, "is this the URL of an MCP endpoint?");
        }
    }
}

/// Whether a 403 or 421 is about `Host`: asked again by a loopback name.
async fn host_refused(route: &RouteSettings, line: &Line, code: u16, findings: &mut Findings<'_>) {
    let url = &route.upstream.url;
    let host = quoted(line.host());
    let port =
        Addresses::of(url).and_then(|to| to.socket.rsplit(':').next().map(ToOwned::to_owned));
    for name in ["localhost", "127.0.0.1"] {
        let other = format!("{name}:{}", port.as_deref().unwrap_or_default());
        let Ok(value) = HeaderValue::from_str(&other) else { continue };
        let answer = mcp::initialize(&line.called(value), mcp::WITH_HANDSHAKE[0]).await;
        if answer.is_ok_and(|answer| answer.status.is_success()) {
            let seen = format!("{url} refuses ({code}) the Host {host}, and serves {other:?}");
            let write = format!("write {other:?}, or have the upstream allow {host}");
            return findings.error("host", seen, "upstream.host", write);
        }
    }
    let seen = format!("{url} answered {code} to the Host {host}, without credentials of its own");
    let write = "write the Host that the upstream allows (its DNS rebinding protection), or give it \
                 its credential in upstream.headers";
    findings.error("host", seen, "upstream.host", write);
}

fn without_query(endpoint: &str) -> &str {
    endpoint.split(['?', '#']).next().unwrap_or_default()
}
