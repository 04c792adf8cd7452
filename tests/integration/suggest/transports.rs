//! Every revision and transport that an upstream may speak, and what goes wrong with it.

use std::sync::{Arc, Mutex};

use serde_json::json;

use super::{assert_proposed, configuration, message, response, result, suggest, with_sessions};
use crate::harness::{
    NOTES, Parties,
    upstream::{Feed, Reply},
};

#[tokio::test]
async fn session_is_used_and_closed() {
    let parties = Parties::start().await;
    parties.upstream.answer(with_sessions);
    let said = suggest(&configuration(&parties, ""), &[]).await;
    assert_eq!(assert_proposed(&said), "2025-11-25");
    let requests = parties.upstream.requests();
    let methods: Vec<String> = requests
        .iter()
        .map(|request| message(request)["method"].as_str().unwrap_or("-").to_owned())
        .collect();
    let expected = [
        "initialize",
        "notifications/initialized",
        "tools/list",
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
        "-",
    ];
    assert_eq!(methods, expected);
    assert_eq!(requests.last().unwrap().method, "DELETE");
    assert!(requests.iter().all(|request| request.header("authorization").is_none()));
}

#[tokio::test]
async fn answers_may_be_events() {
    let parties = Parties::start().await;
    parties.upstream.answer(|request| {
        let message = message(request);
        if message["id"].is_null() {
            return Reply::with(202, &[], "");
        }
        let ping = json!({"jsonrpc": "2.0", "id": 99, "method": "ping"});
        let events = format!("data: {ping}\n\nevent: message\ndata: {}\n\n", response(&message));
        Reply::with(200, &[("Content-Type", "text/event-stream")], &events)
    });
    assert_proposed(&suggest(&configuration(&parties, ""), &[]).await);
}

#[tokio::test]
async fn server_without_handshake_gets_what_its_revision_asks_for() {
    let parties = Parties::start().await;
    parties.upstream.answer(|request| {
        let message = message(request);
        let method = message["method"].as_str().unwrap_or_default();
        let version = &message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"];
        if method == "initialize" {
            return Reply::with(400, &[("Content-Type", "application/json")], "{}");
        }
        assert_eq!(request.header("mcp-method"), Some(method));
        assert_eq!(request.header("mcp-protocol-version"), Some("2026-07-28"));
        assert_eq!(version, "2026-07-28");
        if method == "server/discover" {
            let result =
                json!({"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}});
            let answer = json!({"jsonrpc": "2.0", "id": message["id"], "result": result});
            return Reply::json(&answer.to_string());
        }
        Reply::json(&response(&message))
    });
    let said = suggest(&configuration(&parties, ""), &[]).await;
    assert_eq!(assert_proposed(&said), "2026-07-28");
}

#[tokio::test]
async fn server_of_http_sse_answers_on_its_stream() {
    let parties = Parties::start().await;
    let open = Arc::new(Mutex::new(None::<Feed>));
    parties.upstream.answer(move |request| {
        let mut open = open.lock().unwrap();
        if request.method == "GET" {
            let (feed, reply) = Feed::events();
            feed.chunk("event: endpoint\ndata: /messages?session=1\n\n");
            *open = Some(feed);
            return reply;
        }
        if request.target != "/messages?session=1" {
            return Reply::with(405, &[], "");
        }
        let message = message(request);
        if !message["id"].is_null() {
            let event = format!("event: message\ndata: {}\n\n", response(&message));
            open.as_ref().unwrap().chunk(&event);
        }
        Reply::with(202, &[], "Accepted")
    });
    let said = suggest(&configuration(&parties, ""), &[]).await;
    assert_eq!(assert_proposed(&said), "2024-11-05");
}

#[tokio::test]
async fn upstream_that_gives_no_lists_is_exit_status_1() {
    let parties = Parties::start().await;
    let yaml = configuration(&parties, "");
    parties.upstream.answer(|_| Reply::with(401, &[], ""));
    let said = suggest(&yaml, &[]).await;
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{said:?}");
    assert!(said.err.contains("answered 401 Unauthorized to initialize"), "{said:?}");

    parties.upstream.answer(|request| {
        let mut message = message(request);
        // A cursor that leads to itself.
        if message["method"] == "tools/list" {
            message["params"] = json!({});
        }
        Reply::json(&response(&message))
    });
    let said = suggest(&yaml, &[]).await;
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{said:?}");
    assert!(said.err.contains("its list tools/list does not end"), "{said:?}");

    parties.upstream.answer(|request| {
        let message = message(request);
        let error = json!({"code": -32000, "message": "closed\ntoday"});
        let answer = match message["method"].as_str() {
            Some("tools/list") => json!({"jsonrpc": "2.0", "id": message["id"], "error": error}),
            _ => json!({"jsonrpc": "2.0", "id": message["id"], "result": result(&message)}),
        };
        Reply::json(&answer.to_string())
    });
    let said = suggest(&yaml, &[]).await;
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{said:?}");
    assert!(said.err.contains(r#"refuses tools/list: "closed\ntoday" (-32000)"#), "{said:?}");

    let yaml = yaml.replace(&parties.upstream.url(), "http://127.0.0.1:1/mcp");
    let said = suggest(&yaml, &[]).await;
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{said:?}");
    assert!(said.err.contains("http://127.0.0.1:1/mcp: cannot connect"), "{said:?}");
}

#[tokio::test]
async fn headers_and_host_are_those_of_the_route() {
    let parties = Parties::start().await;
    parties.upstream.answer(with_sessions);
    let object = format!(
        "upstream: {{urls: [{}], host: notes.internal, headers: {{X-Api-Key: k-1}}}}",
        parties.upstream.url()
    );
    let yaml = parties.fill(&NOTES.replace("upstream: UPSTREAM", &object));
    let said = suggest(&format!("public_url: http://127.0.0.1:8080\n{yaml}"), &[]).await;
    assert_proposed(&said);
    for request in parties.upstream.requests() {
        assert_eq!(request.header("x-api-key"), Some("k-1"));
        assert_eq!(request.header("host"), Some("notes.internal"));
    }
}
