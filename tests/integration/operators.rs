//! What operators meet (the contract's section 4).

mod audit;
mod drain;
mod log;
mod process;
mod rule_tests;
mod status;

use crate::harness::{
    NOTES, Parties, World, assert_answered, authorization_server::Answer, client::Call,
    gateway::TestGateway,
};

#[tokio::test]
async fn liveness_asks_nobody() {
    let parties = Parties::start().await;
    parties.authorization_server.unpublish_all();
    let gateway = TestGateway::start(&parties.fill(NOTES));
    let response = gateway.operate("/livez").await;
    assert_eq!((response.status, &*response.text()), (200, "ok\n"));
}

#[tokio::test]
async fn gateway_is_ready_when_its_authorization_server_has_been_reached() {
    let parties = Parties::start().await;
    let server = &parties.authorization_server;
    server.unpublish_all();
    let gateway = TestGateway::start(&parties.fill(NOTES));
    let response = gateway.operate("/readyz").await;
    assert_eq!(response.status, 503);
    assert!(response.text().starts_with("authorization server corp: "), "{response:?}");
    server.publish("/.well-known/openid-configuration", Answer::json(&server.metadata()));
    gateway.ready().await;
    server.unpublish_all();
    assert_eq!(gateway.operate("/readyz").await.status, 200, "once is enough");
}

#[tokio::test]
async fn gateway_that_needs_no_discovery_is_ready_at_once() {
    let yaml = NOTES
        .replace("client:", "metadata: {introspection_endpoint: ISSUER/introspect}\n    client:");
    let parties = Parties::start().await;
    let gateway = TestGateway::start(&parties.fill(&yaml));
    assert_eq!(gateway.operate("/readyz").await.status, 200);
}

#[tokio::test]
async fn operators_listener_serves_loopback_names_and_exact_paths() {
    let world = World::start().await;
    let ask = |method: &str, path: &str| Call::new(world.gateway.admin(), method, path);
    for host in ["localhost", "localhost:9464", "127.0.0.1", "[::1]:1", "127.9.9.9"] {
        assert_eq!(ask("GET", "/livez").host(host).send().await.status, 200, "{host}");
    }
    for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1"] {
        assert_eq!(ask("GET", "/metrics").host(host).send().await.status, 421, "{host}");
    }
    for path in ["/", "/metrics/", "/livez/x", "/Metrics", "//metrics", "/notes", "/status/"] {
        assert_eq!(ask("GET", path).send().await.status, 404, "{path}");
    }
    for method in ["POST", "DELETE", "PUT", "OPTIONS"] {
        let response = ask(method, "/metrics").send().await;
        assert_eq!((response.status, response.header("allow")), (405, Some("GET, HEAD")));
    }
    assert_eq!(ask("HEAD", "/readyz").send().await.status, 200);
    for path in ["/livez", "/readyz", "/metrics", "/status", "/status.json"] {
        let response = world.gateway.get(path).send().await;
        assert_eq!(response.status, 404, "{path} is not for clients");
    }
}

#[tokio::test]
async fn metrics_have_the_names_and_labels_that_operators_query() {
    let world = World::start().await;
    assert_answered(&world.authorized().send().await);
    assert_eq!(world.call().send().await.status, 401);
    assert_eq!(world.call().bearer("unknown").send().await.status, 401);
    let poor = world.authorization_server.mint(&world.claims().scope("other"));
    assert_eq!(world.call().bearer(&poor).send().await.status, 403);
    let response = world.gateway.operate("/metrics").await;
    assert_eq!(response.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = response.text();
    for line in [
        r#"gatehouse_requests_total{method="POST",route="notes",status="200"} 1"#,
        r#"gatehouse_requests_total{method="POST",route="notes",status="401"} 2"#,
        r#"gatehouse_requests_total{method="POST",route="notes",status="403"} 1"#,
        r#"gatehouse_request_duration_seconds_count{route="notes"} 4"#,
        r#"gatehouse_auth_decisions_total{outcome="allowed",reason="none",route="notes"} 1"#,
        r#"gatehouse_auth_decisions_total{outcome="denied",reason="missing_token",route="notes"} 1"#,
        r#"gatehouse_auth_decisions_total{outcome="denied",reason="inactive",route="notes"} 1"#,
        r#"gatehouse_auth_decisions_total{outcome="denied",reason="insufficient_scope",route="notes"} 1"#,
        r#"gatehouse_token_cache_lookups_total{authorization_server="corp",result="miss"} 3"#,
        r#"gatehouse_introspection_requests_total{authorization_server="corp",outcome="active"} 2"#,
        r#"gatehouse_introspection_requests_total{authorization_server="corp",outcome="inactive"} 1"#,
        r#"gatehouse_introspection_duration_seconds_count{authorization_server="corp"} 3"#,
        r#"gatehouse_upstream_requests_total{outcome="response",route="notes"} 1"#,
        r#"gatehouse_upstream_duration_seconds_count{route="notes"} 1"#,
        r#"gatehouse_active_streams{route="notes"} 0"#,
    ] {
        assert!(text.lines().any(|each| each == line), "{line} in\n{text}");
    }
    for name in
        ["gatehouse_connections ", "gatehouse_build_info{", "gatehouse_token_cache_entries{"]
    {
        assert!(text.lines().any(|line| line.starts_with(name)), "{name} in\n{text}");
    }
    for line in text.lines() {
        let name = line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ");
        assert!(name.starts_with("gatehouse_"), "{line}");
    }
}

#[tokio::test]
async fn nothing_of_a_request_becomes_a_label() {
    let world = World::start().await;
    let token = world.token();
    for call in [
        world.gateway.request("CANARY", "/notes"),
        world.gateway.get("/canary"),
        world.call().host("canary.example"),
        world.call().bearer("canary"),
        world.gateway.post("/notes").bearer(&token).body(r#"{"id":1,"method":"canary"}"#),
    ] {
        call.send().await;
    }
    let text = world.gateway.operate("/metrics").await.text();
    assert!(!text.to_lowercase().contains("canary"), "{text}");
    assert!(text.contains(r#"method="other""#));
}

#[tokio::test]
async fn connections_are_counted_while_they_last() {
    let world = World::start().await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = world.authorized().open().await;
        assert_answered(&client.response().await);
        clients.push(client);
    }
    world.gateway.counts("gatehouse_connections", 3.0).await;
    drop(clients);
    world.gateway.counts("gatehouse_connections", 0.0).await;
}

#[tokio::test]
async fn several_workers_share_one_address_and_one_cache() {
    let parties = Parties::start().await;
    let gateway = TestGateway::prepare(&parties.fill(NOTES)).workers(3).start();
    gateway.ready().await;
    let Parties { authorization_server, upstream } = parties;
    let world = World { gateway, authorization_server, upstream };
    let token = world.token();
    let mut clients = Vec::new();
    for _ in 0..12 {
        let mut client = world.call().bearer(&token).open().await;
        assert_answered(&client.response().await);
        clients.push(client);
    }
    assert_eq!(world.authorization_server.introspection_count(), 1);
    assert!(world.upstream.connections() > 1, "each worker has connections of its own");
}
