//! What can be wrong with an upstream, and what a good one is seen to speak.

use super::{Checked, ROUTE, parties};
use crate::{
    harness::{
        NOTES,
        authorization_server::StubAuthorizationServer,
        upstream::{Feed, Reply},
    },
    introspection::tls::Authority,
};

const MODERN: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"supportedVersions":["2026-07-28"]}}"#;

#[tokio::test]
async fn redirect_is_named_with_where_to() {
    let parties = parties().await;
    parties.upstream.answer(|_| Reply::with(307, &[("Location", "/mcp/?token=x")], ""));
    let checked = Checked::of(&parties.fill(NOTES)).await;
    let write = format!("write {:?}", format!("{}/", parties.upstream.url()));
    checked.blames(
        ROUTE,
        "redirect",
        "error",
        [r#"redirects (307) to "/mcp/""#, "upstream", &write],
    );
}

#[tokio::test]
async fn path_without_mcp_server() {
    let parties = parties().await;
    parties.upstream.answer(|_| Reply::with(404, &[], "not found"));
    let yaml =
        parties.fill(NOTES).replace("upstream: ", "upstream: {urls: [").replace("/mcp", "/mcp]}");
    let checked = Checked::of(&yaml).await;
    let expected = ["answered 404 to an MCP initialize", "upstream.urls", "path included"];
    checked.blames(ROUTE, "path", "error", expected);
}

#[tokio::test]
async fn credentials_of_its_own() {
    let parties = parties().await;
    parties.upstream.answer(|_| Reply::with(401, &[("WWW-Authenticate", "Bearer")], ""));
    let checked = Checked::of(&parties.fill(NOTES)).await;
    let expected = ["credentials of its own (401)", "upstream.headers", "switch its own"];
    checked.blames(ROUTE, "credentials", "error", expected);
}

#[tokio::test]
async fn host_that_the_upstream_refuses() {
    for status in [403, 421] {
        let parties = parties().await;
        let port = parties.upstream.authority().rsplit(':').next().unwrap().to_owned();
        let localhost = format!("localhost:{port}");
        let allowed = localhost.clone();
        parties.upstream.answer(move |request| {
            if request.header("host") == Some(&*allowed) {
                Reply::json(r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-06-18"}}"#)
            } else {
                Reply::with(status, &[], "Invalid Host header")
            }
        });
        let checked = Checked::of(&parties.fill(NOTES)).await;
        let seen = format!("refuses ({status}) the Host {:?}", parties.upstream.authority());
        let write = format!("write {localhost:?}");
        checked.blames(ROUTE, "host", "error", [&seen, "upstream.host", &write]);
    }
}

#[tokio::test]
async fn upstream_that_is_down() {
    let parties = parties().await;
    let yaml = NOTES.replace("UPSTREAM", "http://127.0.0.1:1/mcp");
    let checked = Checked::of(&parties.fill(&yaml)).await;
    let expected = ["http://127.0.0.1:1/mcp: cannot connect", "upstream", "start the server"];
    checked.blames(ROUTE, "reachable", "error", expected);
}

#[tokio::test]
async fn certificate_that_nobody_trusts() {
    let parties = parties().await;
    let server = StubAuthorizationServer::start_tls(Authority::new().acceptor("localhost")).await;
    let yaml = NOTES.replace("UPSTREAM", &format!("{}/mcp", server.issuer()));
    let checked = Checked::of(&parties.fill(&yaml)).await;
    let expected = ["TLS failed: invalid peer certificate", "upstream", "this machine trusts"];
    checked.blames(ROUTE, "tls", "error", expected);
}

#[tokio::test]
async fn what_is_no_mcp_server_is_told_so() {
    let parties = parties().await;
    parties.upstream.answer(|_| Reply::with(200, &[("Content-Type", "text/html")], "<html>"));
    let checked = Checked::of(&parties.fill(NOTES)).await;
    let expected = [r#"answered 200 "text/html""#, "upstream", "MCP endpoint"];
    checked.blames(ROUTE, "answers", "error", expected);
}

#[tokio::test]
async fn both_eras_are_seen_and_sessions_closed() {
    let parties = parties().await;
    parties.upstream.answer(|request| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        if body.contains("server/discover") {
            return Reply::json(MODERN);
        }
        let known = ["2025-11-25", "2025-03-26"];
        let version = known.into_iter().find(|version| body.contains(*version)).unwrap_or(known[0]);
        let event = format!(
            "event: message\ndata: {{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{{\"protocolVersion\":\"{version}\"}}}}\n\n"
        );
        let fields = [("Content-Type", "text/event-stream"), ("Mcp-Session-Id", "s-1")];
        Reply::with(200, &fields, &event)
    });
    let checked = Checked::of(&parties.fill(NOTES)).await;
    let seen = &checked.one(ROUTE, "revisions")["seen"];
    assert_eq!(seen, "speaks 2026-07-28, 2025-11-25, 2025-03-26");
    let closed =
        parties.upstream.requests().into_iter().filter(|request| request.method == "DELETE");
    assert!(closed.clone().all(|request| request.header("mcp-session-id") == Some("s-1")));
    assert_eq!(closed.count(), 4);
}

#[tokio::test]
async fn server_without_handshake_is_fine() {
    let parties = parties().await;
    parties.upstream.answer(|request| {
        if request.header("mcp-method") == Some("server/discover") {
            return Reply::json(MODERN);
        }
        Reply::with(400, &[("Content-Type", "application/json")], "{}")
    });
    let checked = Checked::of(&parties.fill(NOTES)).await;
    assert_eq!(checked.one(ROUTE, "revisions")["seen"], "speaks 2026-07-28");
}

#[tokio::test]
async fn stream_with_an_endpoint_event_is_http_sse() {
    let parties = parties().await;
    parties.upstream.answer(|request| {
        if request.method != "GET" {
            return Reply::with(405, &[], "");
        }
        let (feed, reply) = Feed::events();
        feed.chunk("event: endpoint\ndata: /messages?session_id=secret\n\n");
        // The stream stays open, as such streams do.
        std::mem::forget(feed);
        reply
    });
    let checked = Checked::of(&parties.fill(NOTES)).await;
    let seen = &checked.one(ROUTE, "transport")["seen"];
    assert_eq!(seen, "HTTP+SSE, with its message endpoint at \"/messages\"");
    checked.is_fine(ROUTE, "revisions");
}
