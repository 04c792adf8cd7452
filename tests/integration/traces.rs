//! Traces: what a collector is told of requests, read with the published types.

mod collectors;
mod parents;
mod sampling;

use crate::harness::{
    NOTES, World, assert_answered,
    authorization_server::Answer,
    collector::{Collector, Exported, attributes, named},
    upstream::Reply,
};

/// A world whose collector takes everything; `more` goes on in `telemetry.traces`.
async fn traced(more: &str) -> (World, Collector) {
    let collector = Collector::start().await;
    let world = World::with(&format!("{}{NOTES}", collector.section(more))).await;
    (world, collector)
}

const CALL: &str = r#"{"jsonrpc":"2.0","id":"a-7","method":"tools/call","params":{"name":"weather","arguments":{"city":"argument-canary"}}}"#;

/// The texts of some attributes.
fn texts<const N: usize>(span: &Exported, keys: [&str; N]) -> [String; N] {
    keys.map(|key| span.attribute(key).to_owned())
}

#[tokio::test]
async fn call_is_a_span_with_a_child_for_each_stage() {
    let (world, collector) = traced("").await;
    let call = world.authorized().header("MCP-Protocol-Version", "2025-06-18").body(CALL);
    let response = call.send().await;
    assert_answered(&response);
    let spans = collector.requests(1).await;
    let request = named(&spans, "POST /notes");
    let names: Vec<_> = spans.iter().map(|span| &*span.name).collect();
    assert_eq!(names, ["POST /notes", "authenticate", "introspect", "authorize", "upstream"]);
    assert_eq!(Some(&*request.trace_id), response.header("x-request-id"), "the log's id");
    assert!(spans.iter().all(|span| span.trace_id == request.trace_id && !span.is_error));
    assert_eq!((&*request.parent, request.kind, request.flags), ("", 2, 0x001));
    for (name, kind, parent) in [
        ("authenticate", 1, "POST /notes"),
        ("introspect", 3, "authenticate"),
        ("authorize", 1, "POST /notes"),
        ("upstream", 3, "POST /notes"),
    ] {
        let (span, parent) = (named(&spans, name), named(&spans, parent));
        assert_eq!((span.kind, &span.parent, span.flags), (kind, &parent.id, 0x101), "{name}");
        assert!(parent.times.0 <= span.times.0 && span.times.1 <= parent.times.1, "{spans:?}");
    }
    let upstream = named(&spans, "upstream");
    let told = world.upstream.only_request().header("traceparent").unwrap().to_owned();
    assert_eq!(told, format!("00-{}-{}-01", request.trace_id, upstream.id));
}

#[tokio::test]
async fn attributes_are_those_of_the_conventions() {
    let (world, collector) = traced(", service_name: edge").await;
    let call = world.authorized().header("MCP-Protocol-Version", "2025-06-18").body(CALL);
    let response = call.send().await;
    let spans = collector.requests(1).await;
    let expected = [
        ("gatehouse.outcome", "allowed"),
        ("gatehouse.request_id", response.header("x-request-id").unwrap()),
        ("gatehouse.route", "notes"),
        ("gen_ai.operation.name", "execute_tool"),
        ("gen_ai.tool.name", "weather"),
        ("http.request.method", "POST"),
        ("http.response.status_code", "200"),
        ("http.route", "/notes"),
        ("jsonrpc.request.id", "a-7"),
        ("mcp.method.name", "tools/call"),
        ("mcp.protocol.version", "2025-06-18"),
        ("network.protocol.name", "http"),
        ("network.protocol.version", "1.1"),
        ("url.scheme", "http"),
    ];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(named(&spans, "POST /notes").attributes, expected.into());
    let keys = ["gatehouse.authorization_server", "gatehouse.answer", "gatehouse.is_shared"];
    assert_eq!(texts(named(&spans, "introspect"), keys), ["corp", "active", "false"]);
    let keys =
        ["http.request.method", "http.response.status_code", "server.address", "server.port"];
    let port = world.upstream.authority().replace("127.0.0.1:", "");
    assert_eq!(texts(named(&spans, "upstream"), keys), ["POST", "200", "127.0.0.1", &port]);
    let resource = collector.groups().remove(0).resource.unwrap();
    let resource = attributes(&resource.attributes);
    assert_eq!(resource["service.name"], "edge");
    assert_eq!(resource["service.version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn authorization_server_is_told_nothing_and_appears_only_when_asked() {
    let (world, collector) = traced("").await;
    let call = world.authorized();
    assert_answered(&call.send().await);
    assert_answered(&call.send().await);
    let spans = collector.requests(2).await;
    named(&spans, "introspect");
    assert_eq!(spans.iter().filter(|span| span.name == "authenticate").count(), 2);
    let asked = world.authorization_server.received();
    assert!(!asked.is_empty());
    for request in asked {
        let (parent, state) = (request.header("traceparent"), request.header("tracestate"));
        assert_eq!((parent, state), (None, None));
    }
}

#[tokio::test]
async fn refusals_say_where_and_why() {
    let (world, collector) = traced("").await;
    let poor = world.authorization_server.mint(&world.claims().scope("other"));
    for (token, status) in [(None, 401), (Some("unknown"), 401), (Some(&*poor), 403)] {
        let call = token.map_or_else(|| world.call(), |token| world.call().bearer(token));
        assert_eq!(call.send().await.status, status);
    }
    assert_eq!(world.upstream.bytes_received(), 0);
    let spans = collector.requests(3).await;
    assert!(spans.iter().all(|span| span.name != "upstream" && !span.is_error), "{spans:?}");
    let of = |name: &str, key: &str| {
        let found = spans.iter().filter(|span| span.name == name);
        found.map(|span| span.attribute(key).to_owned()).collect::<Vec<_>>()
    };
    let statuses = of("POST /notes", "http.response.status_code");
    assert_eq!(statuses, ["401", "401", "403"]);
    let reasons = of("POST /notes", "gatehouse.reason");
    assert_eq!(reasons, ["missing_token", "inactive", "insufficient_scope"]);
    assert_eq!(of("authenticate", "error.type"), ["missing_token", "inactive", ""]);
    assert_eq!(of("introspect", "gatehouse.answer"), ["inactive", "active"]);
    assert_eq!(of("authorize", "gatehouse.reason"), ["insufficient_scope"]);
}

#[tokio::test]
async fn failures_are_errors() {
    let (world, collector) = traced("").await;
    world.upstream.next(Reply::CloseAtOnce);
    assert_eq!(world.authorized().send().await.status, 502);
    world.authorization_server.answer_with(Answer::status(500));
    assert_eq!(world.call().bearer("another").send().await.status, 503);
    let spans = collector.requests(2).await;
    let requests: Vec<_> = spans.iter().filter(|span| span.kind == 2).collect();
    assert!(requests.iter().all(|span| span.is_error), "{requests:?}");
    let upstream = named(&spans, "upstream");
    assert!(upstream.is_error);
    assert_eq!(upstream.attribute("error.type"), "upstream_unreachable");
    let asked: Vec<_> = spans.iter().filter(|span| span.name == "introspect").collect();
    assert_eq!(asked[1].attribute("gatehouse.answer"), "unavailable");
    assert!(asked[1].is_error && !asked[0].is_error);
}

#[tokio::test]
async fn request_whose_client_left_is_recorded() {
    let (world, collector) = traced("").await;
    world.upstream.next(Reply::Silence);
    let client = world.authorized().open().await;
    world.upstream.saw("ping").await;
    drop(client);
    let spans = collector.requests(1).await;
    let request = named(&spans, "POST /notes");
    let keys = ["gatehouse.outcome", "http.response.status_code"];
    assert_eq!(texts(request, keys), ["cancelled", ""]);
    assert_eq!(named(&spans, "upstream").attribute("error.type"), "cancelled");
}

#[tokio::test]
async fn names_from_requests_are_cut_short_and_uris_lose_what_may_be_a_key() {
    let (world, collector) = traced("").await;
    let long = "x".repeat(5000);
    let bodies = [
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{long}"}}}}"#),
        r#"{"jsonrpc":"2.0","id":2,"method":"resources/read","params":{"uri":"db://me:canary@a/b@c?key=canary"}}"#.to_owned(),
        format!(r#"{{"jsonrpc":"2.0","id":3,"method":"prompts/get","params":{{"name":"greet{long}"}}}}"#),
    ];
    for body in bodies {
        world.authorized().body(body).send().await;
    }
    let spans = collector.requests(3).await;
    let find = |key: &str| spans.iter().find_map(|span| span.attributes.get(key)).unwrap();
    assert_eq!(find("gen_ai.tool.name").len(), 128);
    assert_eq!(find("mcp.resource.uri"), "db://a/b@c");
    assert!(find("gen_ai.prompt.name").starts_with("greetxx"));
    let longest = spans.iter().flat_map(|span| span.attributes.values()).map(String::len).max();
    assert_eq!(longest, Some(128));
}
