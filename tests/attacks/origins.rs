//! Web pages: whose may call us, under which name, and what they may read.

use crate::{
    harness::{NOTES, PING, World, assert_answered},
    oracle::{Challenge, refused, still_serves},
};

/// M01: an origin that is not allowed is refused before anything else is looked at.
#[tokio::test]
async fn foreign_origins() {
    let allowed = "listen: {allowed_origins: ['https://app.example', 'https://dev.example:*']}";
    let world = World::with(&format!("{allowed}\n{NOTES}")).await;
    let own = world.gateway.origin().to_owned();
    for origin in [
        "http://evil.example",
        "null",
        "",
        "*",
        "file://",
        "https://APP.example",
        "HTTPS://app.example",
        "http://app.example",
        "https://app.example:8443",
        "https://app.example:443",
        "https://app.example/",
        "https://app.example/path",
        "https://app.example.evil.example",
        "https://evilapp.example",
        "https://user@app.example",
        "https://app.example@evil.example",
        "https://app.example, https://evil.example",
        "https://app.example https://evil.example",
        "https://dev.example:evil",
        "https://dev.example:80@evil.example",
        "http://localhost.evil.example",
        "http://localhost:80@evil.example",
        "http://127.0.0.1.evil.example",
        "http://127.0.0.2",
        "http://0.0.0.0",
        "http://[::]",
        &format!("{own}.evil.example"),
        &format!("{own}/"),
        "chrome-extension://abcdef",
    ] {
        for call in [world.authorized(), world.call(), world.call().bearer("junk").bearer("junk")] {
            let response = call.header("Origin", origin).send().await;
            refused(&world, origin, &response, 403, Challenge::Without);
            assert_eq!(response.header("access-control-allow-origin"), None, "{origin}");
        }
    }
    assert_eq!(world.authorization_server.introspection_count(), 0, "refused before the token");
    for origin in ["https://app.example", "https://dev.example:3000", &own, "http://localhost:6274"]
    {
        let response = world.authorized().header("Origin", origin).send().await;
        assert_answered(&response);
        assert_eq!(response.header("access-control-allow-origin"), Some(origin));
        assert_eq!(response.header("access-control-allow-credentials"), None);
        assert_eq!(response.header("vary"), Some("Origin"));
    }
    assert!(!world.upstream.log().to_lowercase().contains("\r\norigin:"), "it stays here");
}

/// M01: an origin with bytes that none has, or two of them, is ambiguous.
#[tokio::test]
async fn ambiguous_origins() {
    let world = World::start().await;
    let own = world.gateway.origin().to_owned();
    let twice = world.authorized().header("Origin", &own).header("Origin", &own);
    refused(&world, "twice", &twice.send().await, 400, Challenge::Without);
    let mixed = world.authorized().header("Origin", &own).header("origin", "http://evil.example");
    refused(&world, "mixed", &mixed.send().await, 400, Challenge::Without);
    let text = world.authorized().header("Origin", "http://loc\u{e4}lhost").send().await;
    refused(&world, "obs-text", &text, 400, Challenge::Without);
    still_serves(&world).await;
}

/// M01: a route without tokens is not for every page.
#[tokio::test]
async fn foreign_origin_on_a_public_route() {
    let open = "  open:\n    path: /open\n    upstream: UPSTREAM\n    access: public\n";
    let world = World::with(&format!("{NOTES}{open}")).await;
    for method in ["POST", "GET", "DELETE", "OPTIONS"] {
        let call = world.gateway.request(method, "/open").header("Origin", "http://evil.example");
        let response = call.send().await;
        refused(&world, method, &response, 403, Challenge::Without);
        assert_eq!(response.header("access-control-allow-origin"), None);
    }
    assert_answered(&world.gateway.post("/open").body(PING).send().await);
}

/// M03, M04: a page that reaches us under a name of its own is sent away, also with a good token.
#[tokio::test]
async fn rustsec_2026_0189_hosts_that_are_not_ours() {
    let world = World::with(&format!(
        "listen: {{allowed_hosts: [proxy.internal, 'pinned.internal:81']}}\n{NOTES}"
    ))
    .await;
    let port = world.gateway.port();
    for host in [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        format!("localhost.evil.example:{port}"),
        format!("127.0.0.1.evil.example:{port}"),
        format!("127.0.0.2:{port}"),
        format!("0.0.0.0:{port}"),
        format!("[::]:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        "0x7f000001".to_owned(),
        "2130706433".to_owned(),
        "127.1".to_owned(),
        "proxy.internal.evil.example".to_owned(),
        "xproxy.internal".to_owned(),
        "pinned.internal".to_owned(),
        "pinned.internal:82".to_owned(),
    ] {
        for call in [world.authorized(), world.call()] {
            let response = call.host(&host).send().await;
            refused(&world, &host, &response, 421, Challenge::Without);
        }
    }
    assert_eq!(world.authorization_server.introspection_count(), 0);
    for host in
        ["proxy.internal", "PROXY.internal:99", "pinned.internal:81", "localhost", "[::1]:1"]
    {
        assert_answered(&world.authorized().host(host).send().await);
    }
}

/// M05: a preflight is answered for allowed origins alone, and never reflects what it was asked.
#[tokio::test]
async fn preflights() {
    let world = World::start().await;
    let own = world.gateway.origin().to_owned();
    let ask = |origin: &str, headers: &str| {
        world
            .gateway
            .request("OPTIONS", "/notes")
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", headers)
    };
    for origin in ["http://evil.example", "null", "http://localhost.evil.example"] {
        let response = ask(origin, "authorization").send().await;
        refused(&world, origin, &response, 403, Challenge::Without);
        assert_eq!(response.header("access-control-allow-origin"), None, "{origin}");
        assert_eq!(response.header("access-control-allow-headers"), None, "{origin}");
    }
    for junk in ["x-evil, authorization", "*", "mcp-param-\u{e9}, x", "a b", &"x,".repeat(4000)] {
        let response = ask(&own, junk).send().await;
        assert_eq!(response.status, 204, "{response:?}");
        assert_eq!(response.header("access-control-allow-origin"), Some(&*own));
        assert_eq!(response.header("access-control-allow-credentials"), None);
        let allowed = response.header("access-control-allow-headers").unwrap();
        for name in ["evil", "*", "\u{e9}", "a b", "x,x"] {
            assert!(!allowed.contains(name), "{junk}: {allowed}");
        }
        assert!(response.header("vary").unwrap().contains("Origin"));
    }
    let response = ask(&own, "Mcp-Param-Region, mcp-param-x, authorization").send().await;
    let allowed = response.header("access-control-allow-headers").unwrap().to_owned();
    for name in ["Authorization", "Mcp-Session-Id", "Mcp-Param-Region", "mcp-param-x"] {
        assert!(allowed.contains(name), "{allowed}");
    }
    still_serves(&world).await;
}

/// M06: what clients need to go on is exposed on every response, refusals too.
#[tokio::test]
async fn needed_fields_are_exposed() {
    let world = World::start().await;
    let origin = world.gateway.origin().to_owned();
    for call in [
        world.authorized(),
        world.call(),
        world.call().bearer("unknown"),
        world.authorized().header("Mcp-Session-Id", "unknown"),
        world.gateway.request("PUT", "/notes"),
    ] {
        let response = call.header("Origin", &origin).send().await;
        assert_eq!(response.header("access-control-allow-origin"), Some(&*origin), "{response:?}");
        let exposed = response.header("access-control-expose-headers").unwrap();
        for name in ["WWW-Authenticate", "Mcp-Session-Id", "X-Request-Id"] {
            assert!(exposed.contains(name), "{exposed}");
        }
    }
}

/// M07, M08: a page cannot call without a preflight: no cookie is a credential, and what a form
/// can send comes with a foreign origin or without a token.
#[tokio::test]
async fn cve_2026_33252_simple_cross_site_requests() {
    let world = World::start().await;
    let cookie = format!("access_token={0}; session={0}; token={0}", world.token());
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/json",
    ] {
        let call = world.gateway.request("POST", "/notes").header("Content-Type", kind);
        let call = call.header("Cookie", &cookie).body(PING);
        let foreign = call.clone().header("Origin", "http://evil.example").send().await;
        refused(&world, kind, &foreign, 403, Challenge::Without);
        refused(&world, kind, &call.send().await, 401, Challenge::Plain);
    }
    let stream = world.gateway.get("/notes").header("Cookie", &cookie);
    refused(&world, "EventSource", &stream.send().await, 401, Challenge::Plain);
    let socket = world
        .gateway
        .get("/notes")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Cookie", &cookie);
    refused(&world, "WebSocket", &socket.send().await, 401, Challenge::Plain);
    assert_eq!(world.authorization_server.introspection_count(), 0);
    still_serves(&world).await;
}
