//! Fields that an upstream may trust: ours are ours alone, in every spelling, and a client's claims
//! about its address stay behind.

use crate::{
    harness::{
        NOTES, PING, World, assert_answered,
        client::{Call, RawClient},
        raw::Received,
    },
    oracle::{Challenge, refused, rest, still_serves},
};

/// The usual route and a public one, whose upstream gets two fields of ours.
async fn world() -> World {
    let ours = "upstream: {urls: [UPSTREAM], headers: {X-Auth-Subject: ours, X-Api-Key: secret}}";
    let open = format!("  open:\n    path: /open\n    {ours}\n    access: public\n");
    World::with(&format!("{}{open}", NOTES.replace("upstream: UPSTREAM", ours))).await
}

/// The same fields on both routes, sent; returns what the upstream received.
async fn received(world: &World, fields: &[(&str, &str)]) -> Vec<Received> {
    let add = |call: Call| fields.iter().fold(call, |call, (name, value)| call.header(name, value));
    for call in [world.authorized(), world.gateway.post("/open").body(PING)] {
        assert_answered(&add(call).send().await);
    }
    let requests = world.upstream.requests();
    requests[requests.len() - 2..].to_vec()
}

#[track_caller]
fn assert_ours_alone(request: &Received, what: &str) {
    for (ours, value) in [("x-auth-subject", "ours"), ("x-api-key", "secret")] {
        let normal = |name: &str| name.replace(['_', '.'], "-");
        let all: Vec<_> = request.headers.iter().filter(|(name, _)| normal(name) == ours).collect();
        assert_eq!(all.len(), 1, "{what}: {all:?}");
        assert_eq!((&*all[0].0, &*all[0].1), (ours, value), "{what}");
    }
}

/// N01, N02, N03: a field that we set has one value, ours, on every route and in every spelling.
#[tokio::test]
async fn cve_2026_30851_field_of_ours_sent_by_a_client() {
    let world = world().await;
    for name in [
        "X-Auth-Subject",
        "x-auth-subject",
        "X_Auth_Subject",
        "x-auth_subject",
        "X.Auth.Subject",
        "X-AUTH-SUBJECT",
        "X_Api_Key",
        "x.api-key",
    ] {
        let forged = [(name, "forged"), (name, "forged"), (name, "")];
        for request in received(&world, &forged).await {
            assert_ours_alone(&request, name);
        }
    }
    assert!(!world.upstream.log().contains("forged"));
    let spaced = world.authorized().header("X-Auth-Subject ", "forged").send().await;
    assert_eq!(spaced.status, 400);
}

/// N04: `Connection` strikes a client's own fields before ours are added, and never ours.
#[tokio::test]
async fn cve_2026_29054_connection_names_our_fields() {
    let world = world().await;
    let options = "x-auth-subject, X-Api-Key, x-forwarded-for, X-Forwarded-Host, x-request-id, traceparent, user-agent";
    let fields = [("Connection", options), ("User-Agent", "struck"), ("X-Auth-Subject", "forged")];
    for request in received(&world, &fields).await {
        assert_ours_alone(&request, options);
        for name in ["x-forwarded-for", "x-forwarded-host", "x-request-id", "traceparent"] {
            assert!(request.header(name).is_some(), "{name} is gone");
        }
        assert_eq!(request.header("user-agent"), None);
    }
}

/// N04: what decides about the message cannot be named.
#[tokio::test]
async fn cve_2024_45410_connection_names_end_to_end_fields() {
    let world = World::start().await;
    for name in [
        "authorization",
        "content-type",
        "content-length",
        "content-encoding",
        "host",
        "origin",
        "accept",
        "mcp-session-id",
        "mcp-protocol-version",
        "mcp-method",
        "mcp-name",
        "last-event-id",
        "Mcp-Session-Id",
    ] {
        for value in [name.to_owned(), format!("close, {name}"), format!("{name} ,keep-alive")] {
            let response = world.authorized().header("Connection", &value).send().await;
            refused(&world, &value, &response, 400, Challenge::Without);
        }
        let second = world.authorized().header("Connection", "keep-alive");
        let response = second.header("Connection", name).send().await;
        refused(&world, name, &response, 400, Challenge::Without);
    }
    still_serves(&world).await;
}

/// N05: what belongs to the client's hop ends there.
#[tokio::test]
async fn hop_by_hop_fields_stay_behind() {
    let world = world().await;
    let names = [
        "Keep-Alive",
        "Proxy-Connection",
        "Proxy-Authorization",
        "Proxy-Anything",
        "TE",
        "Trailer",
        "Upgrade",
        "HTTP2-Settings",
        "X-Named",
        "Expect_",
        "Keep_Alive",
        "Proxy_Authorization",
    ];
    let mut fields: Vec<(&str, &str)> = names.iter().map(|name| (*name, "canary")).collect();
    fields.retain(|(name, _)| *name != "Expect_");
    fields.push(("Connection", "X-Named, keep-alive"));
    for request in received(&world, &fields).await {
        assert!(!format!("{request:?}").contains("canary"), "{request:?}");
        assert_eq!(request.header("connection"), None);
    }
}

/// N08: whoever is no trusted proxy says nothing about where a request came from.
#[tokio::test]
async fn cve_2026_54764_forwarding_fields_of_a_client() {
    let world = world().await;
    let names = [
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "X-Forwarded-Port",
        "X-Forwarded-User",
        "X-Forwarded-Email",
        "X-Forwarded-Client-Cert",
        "X-Forwarded-Access-Token",
        "X_Forwarded_For",
        "X.Forwarded.User",
        "x-forwarded_user",
        "Forwarded",
        "X-Request-Id",
        "X-Gatehouse-Anything",
        "X_Gatehouse_Anything",
    ];
    let fields: Vec<(&str, &str)> = names.iter().map(|name| (*name, "9.9.9.9")).collect();
    for request in received(&world, &fields).await {
        assert!(!format!("{request:?}").contains("9.9.9.9"), "{request:?}");
        assert_eq!(request.header("x-forwarded-for"), Some("127.0.0.1"));
        assert_eq!(request.header("x-forwarded-proto"), Some("http"));
        let host = world.gateway.address().to_string();
        assert_eq!(request.header("x-forwarded-host"), Some(&*host));
    }
}

/// N08: a trusted proxy is believed in one spelling and in what it may say.
#[tokio::test]
async fn forwarding_fields_of_a_trusted_proxy() {
    let trusted = "listen: {trusted_proxies: ['127.0.0.0/8']}";
    let world = World::with(&format!("{trusted}\n{NOTES}")).await;
    for (name, value) in [
        ("X_Forwarded_For", "9.9.9.9"),
        ("X.Forwarded.For", "9.9.9.9"),
        ("X-Forwarded-Proto", "gopher"),
        ("X_Forwarded_Proto", "https"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Request-Id", "a b"),
        ("X-Gatehouse-Anything", "x"),
    ] {
        assert_answered(&world.authorized().header(name, value).send().await);
        let request = world.upstream.requests().pop().unwrap();
        let values: Vec<_> = request.headers.iter().map(|(_, value)| &**value).collect();
        assert!(!values.contains(&value), "{name}: {request:?}");
        assert_eq!(request.header("x-forwarded-proto"), Some("http"), "{name}");
    }
    let call = world.authorized().header("X-Forwarded-For", "9.9.9.9, 8.8.8.8");
    assert_answered(&call.header("X-Forwarded-For", "7.7.7.7").send().await);
    let request = world.upstream.requests().pop().unwrap();
    assert_eq!(request.header("x-forwarded-for"), Some("9.9.9.9, 8.8.8.8, 7.7.7.7, 127.0.0.1"));
}

/// N09: where no network is named, the PROXY protocol is not spoken: its bytes are no request.
#[tokio::test]
async fn proxy_protocol_is_not_spoken() {
    let world = World::start().await;
    let v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\x09\x09\x09\x09\x7f\0\0\x01\x30\x39\x00\x50";
    for preamble in [&b"PROXY TCP4 9.9.9.9 127.0.0.1 1 2\r\n"[..], b"PROXY UNKNOWN\r\n", v2] {
        let mut client = RawClient::connect(world.gateway.address()).await;
        client.try_send([preamble, &world.authorized().bytes()].concat()).await;
        let response = client.response().await;
        let what = preamble.escape_ascii().to_string();
        refused(&world, &what, &response, 400, Challenge::Without);
        assert!(rest(&mut client.reader).await.is_empty(), "{what}");
    }
    still_serves(&world).await;
}

/// G12: the protocol's own fields count in their own spelling.
#[tokio::test]
async fn protocol_fields_in_another_spelling() {
    let world = World::start().await;
    for name in [
        "Mcp_Session_Id",
        "MCP_Protocol_Version",
        "Mcp_Method",
        "Mcp.Name",
        "Content_Type",
        "Content_Encoding",
        "Content_Length",
        "Transfer_Encoding",
    ] {
        assert_answered(&world.authorized().header(name, "canary").send().await);
        assert!(!world.upstream.log().contains("canary"), "{name}");
    }
}

/// F30, G06: fields that decide about the body come once.
#[tokio::test]
async fn protocol_fields_sent_twice() {
    let world = World::start().await;
    for name in [
        "Content-Type",
        "Content-Encoding",
        "Mcp-Session-Id",
        "MCP-Protocol-Version",
        "Mcp-Method",
        "Mcp-Name",
        "Last-Event-ID",
        "Origin",
        "Expect",
    ] {
        for pair in [["a", "a"], ["a", "b"]] {
            let call = world.gateway.request("POST", "/notes").bearer(&world.token()).body(PING);
            let call = call.header(name, pair[0]).header(&name.to_lowercase(), pair[1]);
            refused(&world, name, &call.send().await, 400, Challenge::Without);
        }
    }
    still_serves(&world).await;
}
