//! Targets, hosts and methods: one reading of each, and nothing that merely looks like a route.

use crate::{
    harness::{NOTES, PING, World, assert_answered, client::RawClient},
    oracle::{Challenge, refused, refused_and_closed, still_serves},
};

/// Sends a good POST to each target and asserts 400 and the end of the connection.
async fn assert_targets_refused(targets: &[&str]) {
    let world = World::start().await;
    for target in targets {
        let call = world.gateway.post(target).bearer(&world.token()).body(PING);
        let response = refused_and_closed(&world, target, &call.bytes()).await;
        refused(&world, target, &response, 400, Challenge::Without);
        assert_eq!(response.header("connection"), Some("close"), "{target}");
    }
    still_serves(&world).await;
}

/// B01: an empty segment, which some readers take for an authority.
#[tokio::test]
async fn cve_2021_29492_empty_segments() {
    let targets =
        ["//notes", "/notes//", "///", "//evil.example/notes", "/notes//x", "//127.0.0.1/notes"];
    assert_targets_refused(&targets).await;
}

/// B02: dot segments are refused, not resolved.
#[tokio::test]
async fn cve_2019_9901_dot_segments() {
    let targets = ["/a/../notes", "/notes/..", "/./notes", "/notes/.", "/..", "/../notes", "/."];
    assert_targets_refused(&targets).await;
}

/// B03: no spelling of a dot, once or twice escaped.
#[tokio::test]
async fn cve_2025_66490_escaped_dots() {
    let targets = [
        "/%2e%2e/notes",
        "/notes/%2E%2E/x",
        "/.%2e/notes",
        "/%2e./notes",
        "/%2e/notes",
        "/%252e%252e/notes",
        "/notes%2e",
        "/n%6ftes/%2e%2e",
    ];
    assert_targets_refused(&targets).await;
}

/// B04: no spelling of a slash or backslash.
#[tokio::test]
async fn cve_2026_52844_escaped_slashes_and_backslashes() {
    let targets = [
        "/%2fnotes",
        "/notes%2f",
        "/notes%2Fx",
        "/notes%5cx",
        "/notes%5Cx",
        "/notes\\x",
        "\\notes",
        "/notes%252fx",
        "/\\evil.example/notes",
    ];
    assert_targets_refused(&targets).await;
}

/// B05: path parameters, which some readers cut off.
#[tokio::test]
async fn cve_2026_73511_semicolons() {
    let targets = ["/notes;x=1", "/pub;/../notes", "/notes;/x", "/;/notes", "/notes;", "/;a=b"];
    assert_targets_refused(&targets).await;
}

/// B06: a fragment is dropped by URL libraries, so it is refused where the bytes are still there.
#[tokio::test]
async fn cve_2026_41059_fragments() {
    let targets = ["/notes#x", "/admin#/notes", "/notes#", "#/notes", "/notes?a#b", "/#/notes"];
    assert_targets_refused(&targets).await;
}

/// B10: bytes that no path has.
#[tokio::test]
async fn bytes_that_no_target_has() {
    let targets = [
        "/notes%00",
        "/notes%0d%0a",
        "/notes%20%7f",
        "/notes%zz",
        "/notes%",
        "/notes%4",
        "/notes%c3%a9",
        "/n\u{f6}tes",
        "/notes\"",
        "/notes{}",
        "/notes<",
        "/notes|x",
        "/notes^",
        "/notes`",
        "/notes?a\"b",
        "/notes?a\\b",
        "/notes?\u{e9}",
        "/notes\0",
        "/notes\t",
        "notes",
        "",
        "?a=b",
    ];
    assert_targets_refused(&targets).await;
}

/// B11, B12, B15: absolute forms of other hosts, user information, and forms that name no path.
#[tokio::test]
async fn absolute_and_other_forms() {
    let targets = [
        "http://evil.example/notes",
        "https://evil.example:8443/notes",
        "http://user:pass@127.0.0.1/notes",
        "http://user@evil.example/notes",
        "http:///notes",
        "http:notes",
        "http://127.0.0.1:0/notes",
        "file:///notes",
        "127.0.0.1:80",
        "evil.example:443",
        "*",
    ];
    assert_targets_refused(&targets).await;
    let world = World::start().await;
    let own = world.gateway.url("/notes");
    assert_answered(&world.gateway.post(&own).bearer(&world.token()).body(PING).send().await);
    assert_eq!(world.upstream.only_request().target, "/mcp");
}

/// B11: the absolute form and `Host` agree, or nobody knows which host was meant.
#[tokio::test]
async fn absolute_form_that_differs_from_host() {
    let world = World::start().await;
    let own = world.gateway.url("/notes");
    for host in ["evil.example", "localhost", "127.0.0.1", ""] {
        let call = world.gateway.post(&own).bearer(&world.token()).host(host).body(PING);
        let response = refused_and_closed(&world, host, &call.bytes()).await;
        refused(&world, host, &response, 400, Challenge::Without);
    }
    still_serves(&world).await;
}

/// B13: one `Host`, and one that is a host.
#[tokio::test]
async fn host_that_is_none_or_ambiguous() {
    let world = World::start().await;
    let own = world.gateway.address();
    let mut lines: Vec<String> = [
        "",
        "Host:\r\n",
        "Host: a b\r\n",
        "Host: OWN,evil\r\n",
        "Host: OWN, OWN\r\n",
        "Host: 127.0.0.1:0\r\n",
        "Host: 127.0.0.1:\r\n",
        "Host: 127.0.0.1:65536\r\n",
        "Host: 127.0.0.1:evil\r\n",
        "Host: 127.0.0.1:80@evil.example\r\n",
        "Host: 127.0.0.1.\r\n",
        "Host: localhost.\r\n",
        "Host: [::1\r\n",
        "Host: [fe80::1%25eth0]\r\n",
        "Host: user@OWN\r\n",
        "Host: OWN/notes\r\n",
        "Host: OWN?x\r\n",
        "Host: OWN#x\r\n",
        "Host: http://OWN\r\n",
        "Host: \"OWN\"\r\n",
        "Host: OWN\r\nHost: OWN\r\n",
        "Host: OWN\r\nhost: evil.example\r\n",
        "Host: evil.example\r\nHost: OWN\r\n",
        "Host : OWN\r\n",
    ]
    .map(|line| line.replace("OWN", &own.to_string()))
    .to_vec();
    lines.push("Host: l\u{f6}calhost\r\n".to_owned());
    for line in &lines {
        let head = format!(
            "POST /notes HTTP/1.1\r\n{line}Authorization: Bearer {}\r\nContent-Length: 2\r\n\r\n{{}}",
            world.token()
        );
        let response = refused_and_closed(&world, line, head.as_bytes()).await;
        refused(&world, line, &response, 400, Challenge::Without);
    }
    still_serves(&world).await;
}

/// B07, B08, B09, B21, B24: a route is its path, byte for byte; nothing else leads to it.
#[tokio::test]
async fn cve_2026_27587_paths_that_resemble_a_route() {
    let world = World::start().await;
    for path in [
        "/NOTES",
        "/Notes",
        "/note",
        "/notes2",
        "/notes-admin",
        "/notes.json",
        "/notes~",
        "/notes,x",
        "/notes:80",
        "/notes/anything",
        "/notes/message",
        "/notes/messages",
        "/message",
        "/messages",
        "/sse",
        "/mcp",
        "/n%6ftes",
        "/",
        "/other?x=/notes",
        "/admin?/notes",
        "/?path=/notes",
        "/metrics",
        "/readyz",
        "/livez",
        "/status",
    ] {
        let response = world.gateway.post(path).bearer(&world.token()).body(PING).send().await;
        refused(&world, path, &response, 404, Challenge::Without);
        assert!(!response.text().contains("notes"), "{path}: {response:?}");
    }
    still_serves(&world).await;
}

/// B20: anonymous are exact document paths alone; whatever the body holds is never forwarded.
#[tokio::test]
async fn well_known_paths_open_nothing() {
    let world = World::start().await;
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete"}}"#;
    for (path, status) in [
        ("/.well-known/oauth-protected-resource/notes", 405),
        ("/.well-known/oauth-protected-resource", 405),
        ("/notes/.well-known/oauth-protected-resource", 405),
        ("/.well-known/notes/oauth-protected-resource", 405),
        ("/.well-known/oauth-protected-resource/../../notes", 400),
        ("/.well-known/%2e%2e/notes", 400),
        ("/.well-known//notes", 400),
        ("/.well-known/", 404),
        ("/.well-known/x", 404),
        ("/.well-known/notes", 404),
        ("/.well-known/oauth-protected-resource/notes/x", 404),
        ("/.well-known/oauth-protected-resource/other", 404),
        ("/notes/.well-known/x", 404),
        ("/notes/.well-known/oauth-protected-resource/x", 404),
        ("/.well-known/oauth-authorization-server", 404),
        ("/.well-known/openid-configuration", 404),
    ] {
        for token in [None, Some(world.token())] {
            let request = world.gateway.post(path).body(call);
            let request = token.iter().fold(request, |request, token| request.bearer(token));
            refused(&world, path, &request.send().await, status, Challenge::Without);
        }
    }
    still_serves(&world).await;
}

/// B16: no tunnel.
#[tokio::test]
async fn cve_2026_71324_connect_opens_no_tunnel() {
    let world = World::start().await;
    let own = world.gateway.address();
    for target in [world.upstream.authority(), own.to_string(), "/notes".to_owned()] {
        let head = format!(
            "CONNECT {target} HTTP/1.1\r\nHost: {own}\r\nAuthorization: Bearer {}\r\n\r\n",
            world.token()
        );
        let mut client = RawClient::connect(own).await;
        client.send(&head).await;
        let response = client.response().await;
        let status = if target.starts_with('/') { 405 } else { 400 };
        refused(&world, &target, &response, status, Challenge::Without);
    }
    still_serves(&world).await;
}

/// B15, B22: methods are compared byte for byte.
#[tokio::test]
async fn other_methods() {
    let world = World::start().await;
    for method in
        ["HEAD", "PUT", "PATCH", "TRACE", "PROPFIND", "get", "Post", "G!T", "LINK", "QUERY", "PRI"]
    {
        let call = world.gateway.request(method, "/notes").bearer(&world.token());
        let response = call.send().await;
        refused(&world, method, &response, 405, Challenge::Without);
        assert_eq!(response.header("allow"), Some("GET, POST, DELETE, OPTIONS"), "{method}");
    }
    let star = world.gateway.request("OPTIONS", "*").send().await;
    refused(&world, "OPTIONS *", &star, 400, Challenge::Without);
    still_serves(&world).await;
}

/// B09, B17, B18, B19, K21: nothing a client adds changes where its request goes or whether it may.
#[tokio::test]
async fn cve_2026_40575_fields_that_claim_another_target() {
    let open = "  open:\n    path: /open\n    upstream: UPSTREAM/open\n    access: public\n";
    let world = World::with(&format!("{NOTES}{open}")).await;
    let fields = [
        ("X-Original-URL", "/open"),
        ("X-Rewrite-URL", "/open"),
        ("X-Forwarded-Uri", "/open"),
        ("X-Forwarded-Path", "/open"),
        ("X-Forwarded-Prefix", "/open"),
        ("X-Envoy-Original-Path", "/open"),
        ("X-HTTP-Method-Override", "OPTIONS"),
        ("X-HTTP-Method", "OPTIONS"),
        ("X-Method-Override", "GET"),
        ("User-Agent", "GoogleHC/1.0"),
        ("User-Agent", "kube-probe/1.30"),
        ("User-Agent", "ELB-HealthChecker/2.0"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-User", "root"),
        ("X-Forwarded-For", "9.9.9.9"),
        ("X-Real-IP", "127.0.0.1"),
        ("X-Gatehouse-Principal", "root"),
        ("Router-Key", "open"),
        ("Mcp-Init-Host", "evil.example"),
    ];
    for (name, value) in fields {
        let response = world.call().header(name, value).send().await;
        refused(&world, name, &response, 401, Challenge::Plain);
    }
    let override_in_query = world.gateway.post("/notes?_method=OPTIONS").body(PING).send().await;
    refused(&world, "_method", &override_in_query, 401, Challenge::Plain);
    for (name, value) in fields {
        let response = world.authorized().header(name, value).send().await;
        assert_answered(&response);
        let request = world.upstream.requests().pop().unwrap();
        assert_eq!((&*request.method, &*request.target), ("POST", "/mcp"), "{name}");
        let lower = name.to_ascii_lowercase();
        // Unknown fields pass: they mean nothing here.
        if !matches!(&*lower, "user-agent" | "router-key" | "mcp-init-host") {
            assert_ne!(request.header(&lower), Some(value), "{name}: {value}");
        }
    }
}

/// B25: what was matched is what is sent, to the byte.
#[tokio::test]
async fn cve_2026_40912_path_is_not_encoded_again() {
    let world = World::but("upstream:", "forward_subpaths: true\n    upstream:").await;
    let token = world.token();
    for rest in ["/a%20b", "/a+b", "/%41", "/a%3Fb", "/a:b@c", "/~a", "/a%23b?c=%2f%2E%2e&d=%zz"] {
        let call = world.gateway.post(&format!("/notes{rest}")).bearer(&token).body(PING);
        assert_answered(&call.send().await);
        assert_eq!(world.upstream.requests().pop().unwrap().target, format!("/mcp{rest}"));
    }
    let seen = world.upstream.bytes_received();
    for rest in ["/%2e%2e/admin", "/..", "/a//b", "/a%2fb", "/a;b", "/a%00", "-admin", "%2f"] {
        let call = world.gateway.post(&format!("/notes{rest}")).bearer(&token).body(PING);
        assert!(matches!(call.send().await.status, 400 | 404), "{rest}");
        assert_eq!(world.upstream.bytes_received(), seen, "{rest}");
    }
}
