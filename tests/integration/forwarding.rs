//! Forwarding (the contract's section 3.4): what reaches the upstream, and what comes back.

mod bodies;
mod endpoints;
mod failures;
mod http2;
mod sessions;
mod streams;

use crate::harness::{EXPOSED, NOTES, World, assert_answered, upstream::Reply};

#[tokio::test]
async fn bytes_that_were_judged_are_the_bytes_that_are_sent() {
    let world = World::start().await;
    let token = world.token();
    for body in [
        "{\"jsonrpc\":\"2.0\",\"id\":1e0,\"method\":\"ping\",\"x\":1.0,\"x\":2}",
        " {\t\"id\" : 12345678901234567890123 ,\r\n\"method\":\"a\\u0062\\/\" } \n",
        "{\"id\":\"\\ud800\",\"method\":\"\u{e9}\u{1f600}\"}",
        "[{\"id\":1},{\"id\":2}]",
        "not JSON",
        "",
    ] {
        let call = world.gateway.post("/notes").bearer(&token).body(body);
        assert_answered(&call.send().await);
        assert_eq!(world.upstream.requests().last().unwrap().text(), body);
    }
    let bytes: Vec<u8> = (0..=255).collect();
    assert_answered(&world.gateway.post("/notes").bearer(&token).body(bytes.clone()).send().await);
    assert_eq!(world.upstream.requests().last().unwrap().body, bytes);
}

#[tokio::test]
async fn answer_passes_unchanged() {
    let world = World::start().await;
    let odd = "{\"jsonrpc\":\"2.0\", \"id\":1.0,\"id\":2,\n\"result\":{\"x\":\"\\u0041\"}}\n";
    world.upstream.next(Reply::with(
        200,
        &[("Content-Type", "application/json; charset=utf-8"), ("X-Own", "1"), ("x-own", "2")],
        odd,
    ));
    let response = world.authorized().send().await;
    assert_eq!((response.status, response.text()), (200, odd.to_owned()));
    assert_eq!(response.header("content-type"), Some("application/json; charset=utf-8"));
    let own: Vec<_> = response.headers.iter().filter(|(name, _)| name == "x-own").collect();
    assert_eq!(own.len(), 2);
    assert_eq!(response.header("access-control-expose-headers"), Some(EXPOSED));
    assert!(response.header("x-request-id").is_some());
}

#[tokio::test]
async fn clients_credentials_and_hop_by_hop_fields_stay_behind() {
    let world = World::start().await;
    let call = [
        ("Cookie", "a=b"),
        ("Origin", "http://localhost:1"),
        ("Proxy-Authorization", "Basic x"),
        ("Proxy-Connection", "keep-alive"),
        ("Connection", "keep-alive, x-hop"),
        ("X-Hop", "1"),
        ("Keep-Alive", "timeout=5"),
        ("TE", "trailers"),
        ("Trailer", "X-Later"),
        ("Upgrade", "h2c"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("X_HTTP_Method_Override", "DELETE"),
        ("X-Original-URL", "/admin"),
        ("X-Rewrite-URL", "/admin"),
        ("X-Gatehouse-Assertion", "forged"),
        ("X_Gatehouse_Assertion", "forged"),
        ("X-Forwarded-For", "9.9.9.9"),
        ("X_Forwarded_For", "9.9.9.9"),
        ("X-Forwarded-Prefix", "/evil"),
        ("Forwarded", "for=9.9.9.9"),
        ("X-Request-Id", "mine"),
    ]
    .into_iter()
    .fold(world.authorized(), |call, (name, value)| call.header(name, value));
    assert_answered(&call.send().await);
    let mut names: Vec<String> =
        world.upstream.only_request().headers.into_iter().map(|(name, _)| name).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "accept",
            "content-length",
            "content-type",
            "host",
            "traceparent",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-request-id",
        ]
    );
    assert!(!world.upstream.log().contains("opaque-"), "the token stays here");
}

#[tokio::test]
async fn upstream_is_told_who_asks_and_what_it_asked_for() {
    let world = World::start().await;
    let call = world.authorized().header("Mcp-Method", "ping").header("X-Other", "1");
    let response = call.send().await;
    let request = world.upstream.only_request();
    assert_eq!(request.header("host"), Some(&*world.upstream.authority()));
    assert_eq!(request.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(request.header("x-forwarded-proto"), Some("http"));
    assert_eq!(request.header("x-forwarded-host"), Some(&*world.gateway.address().to_string()));
    assert_eq!(request.header("x-request-id"), response.header("x-request-id"));
    assert_eq!(request.header("mcp-method"), Some("ping"));
    assert_eq!(request.header("x-other"), Some("1"));
    assert_eq!(request.header("accept"), Some("application/json, text/event-stream"));
}

#[tokio::test]
async fn valid_trace_goes_on_and_another_begins_anew() {
    let world = World::start().await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let call = world.authorized().header("traceparent", trace).header("tracestate", "a=b");
    assert_answered(&call.send().await);
    let request = world.upstream.only_request();
    assert!(request.header("traceparent").unwrap().contains(&trace[3..35]));
    assert_eq!(request.header("tracestate"), Some("a=b"));
    let call = world.authorized().header("traceparent", "00-0-0-0").header("tracestate", "a=b");
    assert_answered(&call.send().await);
    let request = world.upstream.requests().pop().unwrap();
    assert_eq!(request.header("traceparent").unwrap().len(), 55);
    assert_eq!(request.header("tracestate"), None);
    // Who names two continues neither.
    let other = trace.replace("4bf9", "0000");
    let call = world.authorized().header("traceparent", trace).header("traceparent", &other);
    assert_answered(&call.header("tracestate", "a=b").send().await);
    let request = world.upstream.requests().pop().unwrap();
    let told = request.header("traceparent").unwrap();
    assert!(told.len() == 55 && ![&trace[3..35], &other[3..35]].contains(&&told[3..35]), "{told}");
    assert_eq!(request.header("tracestate"), None);
}

#[tokio::test]
async fn trusted_proxy_is_believed() {
    let world =
        World::with(&format!("listen: {{trusted_proxies: ['127.0.0.0/8']}}\n{NOTES}")).await;
    let call = world
        .authorized()
        .header("X-Forwarded-For", "9.9.9.9, 10.0.0.1")
        .header("X-Forwarded-Proto", "https")
        .header("X-Request-Id", "from-the-proxy");
    let response = call.send().await;
    assert_answered(&response);
    let request = world.upstream.only_request();
    assert_eq!(request.header("x-forwarded-for"), Some("9.9.9.9, 10.0.0.1, 127.0.0.1"));
    assert_eq!(request.header("x-forwarded-proto"), Some("https"));
    assert_eq!(request.header("x-request-id"), Some("from-the-proxy"));
    assert_eq!(response.header("x-request-id"), Some("from-the-proxy"));
    for odd in ["a b", "", "a,b", &"x".repeat(129)] {
        let response = world.authorized().header("X-Request-Id", odd).send().await;
        assert_ne!(response.header("x-request-id"), Some(odd));
    }
}

#[tokio::test]
async fn configured_headers_replace_the_clients() {
    let upstream = "upstream: {urls: [UPSTREAM], host: notes.internal, headers: {X-Api-Key: ours, Authorization: Basic eA==}}";
    let yaml = NOTES.replace("upstream: UPSTREAM", upstream);
    let world = World::with(&yaml).await;
    let call = world.authorized().header("X-Api-Key", "theirs").header("x_api_key", "theirs");
    assert_answered(&call.send().await);
    let request = world.upstream.only_request();
    assert_eq!(request.header("x-api-key"), Some("ours"));
    assert_eq!(request.header("authorization"), Some("Basic eA=="));
    assert_eq!(request.header("host"), Some("notes.internal"));
    assert!(!world.upstream.log().contains("theirs"));
}

#[tokio::test]
async fn query_is_passed_on() {
    let world = World::start().await;
    let call = world.gateway.post("/notes?a=b&c=%2F..%2F&d").bearer(&world.token()).body("{}");
    assert_answered(&call.send().await);
    assert_eq!(world.upstream.only_request().target, "/mcp?a=b&c=%2F..%2F&d");
}

#[tokio::test]
async fn subpaths_are_forwarded_where_that_is_configured() {
    let world = World::but("upstream:", "forward_subpaths: true\n    upstream:").await;
    let token = world.token();
    for (path, target) in [
        ("/notes", "/mcp"),
        ("/notes/", "/mcp"),
        ("/notes/a/b?c=d", "/mcp/a/b?c=d"),
        ("/notes/a/", "/mcp/a/"),
        ("/notes/a%20b", "/mcp/a%20b"),
    ] {
        assert_answered(&world.gateway.post(path).bearer(&token).body("{}").send().await);
        assert_eq!(world.upstream.requests().last().unwrap().target, target);
    }
    for path in ["/notesx", "/notes/../x", "/notes/%2e%2e/x"] {
        let response = world.gateway.post(path).bearer(&token).body("{}").send().await;
        assert!(matches!(response.status, 400 | 404), "{path}");
    }
    let forged = format!("/notes/{}", "A".repeat(200));
    let response = world.gateway.post(&forged).bearer(&token).body("{}").send().await;
    assert_eq!(response.status, 404, "a reference is nobody's path");
    assert_eq!(world.upstream.requests().len(), 5);
    let uncounted = r#"gatehouse_requests_total{method="POST",route="_none",status="404"}"#;
    assert!(world.gateway.metric(uncounted).await > 0.5, "/notesx has no route");
}

#[tokio::test]
async fn longest_route_wins() {
    let yaml = format!(
        "{NOTES}  deep:\n    path: /notes/deep\n    upstream: UPSTREAM?deep\n    access: public\n"
    )
    .replace("UPSTREAM?deep", "UPSTREAM/deep");
    let world = World::with(&yaml).await;
    assert_answered(&world.gateway.post("/notes/deep").body("{}").send().await);
    assert_eq!(world.upstream.only_request().target, "/mcp/deep");
    assert_eq!(world.call().send().await.status, 401);
}

#[tokio::test]
async fn public_route_needs_no_token_and_strips_the_one_it_gets() {
    let world = World::with(
        "authorization_servers: {}\nroutes: {open: {path: /open, upstream: UPSTREAM, access: public}}\n",
    )
    .await;
    assert_answered(&world.gateway.post("/open").body("{}").send().await);
    assert_answered(&world.gateway.post("/open").bearer("secret-token").body("{}").send().await);
    assert!(!world.upstream.log().contains("secret-token"));
    let origin = world.gateway.post("/open").header("Origin", "https://evil.example").body("{}");
    assert_eq!(origin.send().await.status, 403, "a public route is not for every page");
}

#[tokio::test]
async fn connection_to_the_upstream_is_used_again() {
    let world = World::start().await;
    let mut client = world.authorized().open().await;
    assert_answered(&client.response().await);
    for _ in 0..10 {
        client.send(world.authorized().bytes()).await;
        assert_answered(&client.response().await);
    }
    assert_eq!(world.upstream.connections(), 1);
}
