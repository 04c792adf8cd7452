//! Public documents (the contract's section 3.1): where they are, what they say, how they are
//! fetched.

use crate::harness::{
    EXPOSED, NOTES, Parties, World,
    authorization_server::{Answer, StubAuthorizationServer},
    gateway::TestGateway,
    json,
    raw::RawResponse,
    refusal,
};

const RESOURCE: &str = "/.well-known/oauth-protected-resource";
const LEGACY: &str = "/.well-known/oauth-authorization-server";

async fn get(world: &World, path: &str) -> RawResponse {
    world.gateway.get(path).send().await
}

/// Two protected routes and a public one.
const TWO: &str = "\
authorization_servers:
  corp:
    issuer: ISSUER
    client: {id: gatehouse, secret: introspection-secret}
routes:
  notes:
    path: /notes
    upstream: UPSTREAM
    required_scopes: [notes.read]
  team:
    path: /team/files
    upstream: UPSTREAM
    required_scopes: []
  open:
    path: /open
    upstream: UPSTREAM
    access: public
";

#[tokio::test]
async fn document_says_what_clients_need_and_nothing_else() {
    let world =
        World::but("upstream:", "metadata: {resource_name: Notes, x_y: [1]}\n    upstream:");
    let world = world.await;
    let response = get(&world, &format!("{RESOURCE}/notes")).await;
    assert_eq!(response.status, 200);
    let issuer = world.authorization_server.issuer();
    let resource = world.gateway.url("/notes");
    assert_eq!(
        response.text(),
        format!(
            r#"{{"resource":"{resource}","authorization_servers":["{issuer}"],"scopes_supported":["notes.read"],"bearer_methods_supported":["header"],"resource_name":"Notes","x_y":[1]}}"#
        )
    );
    for (name, value) in [
        ("content-type", "application/json"),
        ("cache-control", "public, max-age=300"),
        ("access-control-allow-origin", "*"),
        ("access-control-expose-headers", EXPOSED),
    ] {
        assert_eq!(response.header(name), Some(value), "{name}");
    }
    assert_eq!(world.upstream.bytes_received(), 0);
}

#[tokio::test]
async fn empty_scope_list_is_left_out() {
    let world = World::with(TWO).await;
    let document = json(&get(&world, &format!("{RESOURCE}/team/files")).await.text());
    assert_eq!(document.get("scopes_supported"), None);
    assert_eq!(document["resource"], world.gateway.url("/team/files"));
}

#[tokio::test]
async fn published_scopes_may_differ_from_required_ones() {
    let world =
        World::but("required_scopes", "scopes_supported: [notes.read, more]\n    required_scopes");
    let document = json(&get(&world.await, &format!("{RESOURCE}/notes")).await.text());
    assert_eq!(document["scopes_supported"], serde_json::json!(["notes.read", "more"]));
}

#[tokio::test]
async fn every_alias_serves_the_same_document() {
    let world = World::with(TWO).await;
    for (path, name) in [("/notes", "notes"), ("/team/files", "team")] {
        let document = get(&world, &format!("{RESOURCE}{path}")).await;
        assert_eq!(document.status, 200);
        for alias in
            [format!("{path}{RESOURCE}"), format!("/.well-known/{name}/oauth-protected-resource")]
        {
            let same = get(&world, &alias).await;
            assert_eq!((same.status, same.text()), (200, document.text()), "{alias}");
            assert_eq!(same.header("etag"), document.header("etag"));
        }
    }
}

#[tokio::test]
async fn challenge_leads_to_the_document_of_its_route() {
    let world = World::with(TWO).await;
    for path in ["/notes", "/team/files"] {
        let challenged = world.gateway.post(path).body("{}").send().await;
        let challenge = challenged.header("www-authenticate").unwrap();
        let url = challenge.split(r#"resource_metadata=""#).nth(1).unwrap();
        let url = url.split('"').next().unwrap();
        let document = get(&world, url.strip_prefix(world.gateway.origin()).unwrap()).await;
        assert_eq!(json(&document.text())["resource"], world.gateway.url(path));
    }
}

#[tokio::test]
async fn root_document_is_that_of_the_only_protected_route() {
    let one = World::start().await;
    let root = get(&one, RESOURCE).await;
    assert_eq!(root.text(), get(&one, &format!("{RESOURCE}/notes")).await.text());
    let two = World::with(TWO).await;
    assert_eq!(get(&two, RESOURCE).await.status, 404, "nobody can tell which is meant");
    let at_root = World::with(&TWO.replace("path: /team/files", "path: /")).await;
    let root = json(&get(&at_root, RESOURCE).await.text());
    assert_eq!(root["resource"], at_root.gateway.origin(), "no trailing slash");
}

#[tokio::test]
async fn everything_else_below_well_known_is_not_found_and_never_forwarded() {
    let world =
        World::with(&TWO.replace("path: /team/files", "path: /\n    forward_subpaths: true")).await;
    let token = world.token();
    for path in [
        "/.well-known/",
        "/.well-known/other",
        "/.well-known/oauth-protected-resource/",
        "/.well-known/oauth-protected-resource/open",
        "/.well-known/oauth-protected-resource/notes/",
        "/.well-known/oauth-protected-resource/notes/x",
        "/.well-known/open/oauth-protected-resource",
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/notes",
        "/.well-known/openid-configuration",
        "/.well-known/jwks.json",
        "/open/.well-known/oauth-protected-resource",
    ] {
        let response = world.gateway.get(path).bearer(&token).send().await;
        world.assert_refused(&response, 404, None, &refusal("null", -32600, "Not Found"));
        assert_eq!(response.header("access-control-allow-origin"), Some("*"), "{path}");
    }
}

#[tokio::test]
async fn document_is_read_with_get_and_head_and_asked_about_with_options() {
    let world = World::start().await;
    let path = format!("{RESOURCE}/notes");
    let whole = get(&world, &path).await;
    let head = world.gateway.request("HEAD", &path).send().await;
    assert_eq!(head.status, 200);
    assert_eq!(head.header("content-length"), Some(&*whole.body.len().to_string()));
    assert_eq!(head.header("etag"), whole.header("etag"));
    for method in ["POST", "PUT", "DELETE"] {
        let response = world.gateway.request(method, &path).send().await;
        world.assert_refused(&response, 405, None, &refusal("null", -32600, "Method Not Allowed"));
        assert_eq!(response.header("allow"), Some("GET, HEAD, OPTIONS"));
        assert_eq!(response.header("access-control-allow-origin"), Some("*"));
    }
    let preflight = world
        .gateway
        .request("OPTIONS", &path)
        .header("Origin", "https://anything.example")
        .header("Access-Control-Request-Method", "GET")
        .header("Access-Control-Request-Headers", "mcp-protocol-version")
        .send()
        .await;
    assert!(matches!(preflight.status, 200 | 204));
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
    assert_eq!(preflight.header("access-control-allow-methods"), Some("GET, HEAD, OPTIONS"));
    let headers = preflight.header("access-control-allow-headers").unwrap();
    assert!(headers.contains("MCP-Protocol-Version"), "{headers}");
}

#[tokio::test]
async fn document_is_for_every_origin_and_needs_no_token() {
    let world = World::start().await;
    let call = world.gateway.get(&format!("{RESOURCE}/notes"));
    let call = call.header("Origin", "https://anything.example").bearer("rubbish, , \"");
    let response = call.send().await;
    assert_eq!(response.status, 200);
    assert_eq!(response.header("access-control-allow-origin"), Some("*"));
    assert_eq!(world.authorization_server.introspection_count(), 0);
}

#[tokio::test]
async fn unchanged_document_is_not_sent_again() {
    let world = World::start().await;
    let call = || world.gateway.get(&format!("{RESOURCE}/notes"));
    let etag = call().send().await.header("etag").unwrap().to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"'), "{etag}");
    for known in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".to_owned()] {
        let response = call().header("If-None-Match", &known).send().await;
        assert_eq!((response.status, response.text()), (304, String::new()), "{known}");
        assert_eq!(response.header("etag"), Some(&*etag));
        assert_eq!(response.header("access-control-allow-origin"), Some("*"));
    }
    assert_eq!(call().header("If-None-Match", "\"other\"").send().await.status, 200);
}

#[tokio::test]
async fn document_is_chosen_by_host() {
    let own = "path: /team/files\n    public_url: https://files.example.com";
    let world = World::with(&TWO.replace("path: /team/files", own)).await;
    let at = |host: Option<&str>, path: &str| {
        let call = world.gateway.get(path);
        host.map_or(call.clone(), |host| call.host(host))
    };
    let files = Some("files.example.com");
    let document = at(files, &format!("{RESOURCE}/team/files")).send().await;
    assert_eq!(json(&document.text())["resource"], "https://files.example.com/team/files");
    for host in ["files.example.com:443", "FILES.example.com"] {
        assert_eq!(at(Some(host), RESOURCE).send().await.status, 200, "{host}");
    }
    let root = at(None, RESOURCE).send().await;
    assert_eq!(json(&root.text())["resource"], world.gateway.url("/notes"), "the only one here");
    assert_eq!(at(files, &format!("{RESOURCE}/notes")).send().await.status, 404);
    assert_eq!(at(None, &format!("{RESOURCE}/team/files")).send().await.status, 404);
    let challenged = world.gateway.post("/team/files").host("files.example.com").body("{}");
    let challenge = challenged.send().await.header("www-authenticate").unwrap().to_owned();
    assert!(challenge.contains(r#""https://files.example.com/.well-known/oauth"#), "{challenge}");
    assert_eq!(world.gateway.post("/team/files").body("{}").send().await.status, 404);
    assert_eq!(at(Some("evil.example"), RESOURCE).send().await.status, 421);
}

#[tokio::test]
async fn nothing_in_a_document_comes_from_the_request() {
    let world = World::start().await;
    let call = world.gateway.get(&format!("{RESOURCE}/notes"));
    let plain = call.send().await.text();
    let dressed = call
        .host("localhost")
        .header("X-Forwarded-Host", "evil.example")
        .header("X-Forwarded-Proto", "https")
        .header("Forwarded", "host=evil.example")
        .send()
        .await;
    assert_eq!(dressed.text(), plain);
}

#[tokio::test]
async fn issuer_is_published_byte_for_byte() {
    for path in ["", "/", "/tenant", "/tenant/"] {
        let parties = Parties {
            authorization_server: StubAuthorizationServer::start_at(path).await,
            upstream: crate::harness::upstream::StubUpstream::start().await,
        };
        let world = parties.with(NOTES).await;
        let document = json(&get(&world, &format!("{RESOURCE}/notes")).await.text());
        let issuer = world.authorization_server.issuer();
        assert!(issuer.ends_with(path));
        assert_eq!(document["authorization_servers"], serde_json::json!([issuer]));
    }
}

#[tokio::test]
async fn configured_resource_is_published() {
    let line = "resource: GATEWAY/\n    upstream:";
    let world = World::but("upstream:", line).await;
    let document = json(&get(&world, &format!("{RESOURCE}/notes")).await.text());
    assert_eq!(document["resource"], world.gateway.url("/"));
}

#[tokio::test]
async fn legacy_metadata_is_the_authorization_servers_own() {
    let world = World::but("upstream:", "legacy_metadata: true\n    upstream:").await;
    for path in [LEGACY.to_owned(), format!("{LEGACY}/notes")] {
        let response = get(&world, &path).await;
        assert_eq!(response.status, 200, "{path}");
        let own = json(&world.authorization_server.metadata());
        assert_eq!(json(&response.text()), own);
        assert_eq!(response.header("access-control-allow-origin"), Some("*"));
        assert_eq!(response.header("content-type"), Some("application/json"));
        let etag = response.header("etag").unwrap();
        let again = world.gateway.get(&path).header("If-None-Match", etag).send().await;
        assert_eq!(again.status, 304);
    }
    assert_eq!(get(&world, &format!("{LEGACY}/other")).await.status, 404);
}

#[tokio::test]
async fn legacy_metadata_that_is_not_known_yet_is_unavailable() {
    let parties = Parties::start().await;
    parties.authorization_server.unpublish_all();
    let yaml = NOTES.replace("upstream:", "legacy_metadata: true\n    upstream:");
    let gateway = TestGateway::start(&parties.fill(&yaml));
    let response = gateway.get(LEGACY).send().await;
    assert_eq!(response.status, 503, "{response:?}");
    assert_eq!(response.header("access-control-allow-origin"), Some("*"));
    assert!(response.header("retry-after").is_some());
    let resource = gateway.get(&format!("{RESOURCE}/notes")).send().await;
    assert_eq!(resource.status, 200, "what comes from the configuration needs nobody");
    let server = &parties.authorization_server;
    server.publish(LEGACY, Answer::json(&server.metadata()));
    gateway.ready().await;
    assert_eq!(gateway.get(LEGACY).send().await.status, 200);
}

#[tokio::test]
async fn preflight_of_a_route_needs_no_token_and_allows_what_clients_send() {
    let world = World::start().await;
    let ask = |origin: &str| {
        world
            .gateway
            .request("OPTIONS", "/notes")
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "authorization, mcp-param-x, x-evil")
    };
    let response = ask(world.gateway.origin()).send().await;
    assert_eq!(response.status, 204);
    assert_eq!(response.header("access-control-allow-origin"), Some(world.gateway.origin()));
    assert_eq!(response.header("vary"), Some("Origin"));
    let methods = response.header("access-control-allow-methods");
    assert_eq!(methods, Some("GET, POST, DELETE, OPTIONS"));
    assert_eq!(
        response.header("access-control-allow-headers"),
        Some(
            "Authorization, Content-Type, Accept, Last-Event-ID, Mcp-Session-Id, MCP-Protocol-Version, Mcp-Method, Mcp-Name, DPoP, mcp-param-x"
        )
    );
    assert_eq!(response.header("access-control-allow-credentials"), None);
    assert_eq!(ask("https://evil.example").send().await.status, 403);
    assert_eq!(world.upstream.bytes_received(), 0);
}
