//! Public documents and challenges: everything in them is configured, nothing is the client's.

use serde_json::{Value, json};

use crate::{
    harness::{NOTES, PING, World, json, token::now},
    oracle::{Challenge, refused, still_serves, untouched},
};

const DOCUMENTS: [&str; 4] = [
    "/.well-known/oauth-protected-resource/notes",
    "/.well-known/oauth-protected-resource",
    "/notes/.well-known/oauth-protected-resource",
    "/.well-known/notes/oauth-protected-resource",
];

fn expected(world: &World) -> Value {
    json!({
        "resource": world.gateway.url("/notes"),
        "authorization_servers": [world.authorization_server.issuer()],
        "scopes_supported": ["notes.read"],
        "bearer_methods_supported": ["header"],
    })
}

/// L01: whatever a request claims about itself, documents and challenges stay as configured.
#[tokio::test]
async fn document_and_challenge_are_not_made_from_the_request() {
    let world = World::start().await;
    for (name, value) in [
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Port", "1"),
        ("X-Forwarded-Prefix", "/evil"),
        ("Forwarded", "host=evil.example;proto=https"),
        ("X-Original-Host", "evil.example"),
        ("X-Host", "evil.example"),
        ("Origin", "http://localhost:1"),
        ("Referer", "http://evil.example/"),
    ] {
        for path in DOCUMENTS {
            let response = world.gateway.get(path).header(name, value).send().await;
            assert_eq!(response.status, 200, "{path} {name}");
            assert_eq!(json(&response.text()), expected(&world), "{path} {name}");
        }
        let response = world.call().header(name, value).send().await;
        refused(&world, name, &response, 401, Challenge::Plain);
        assert!(!format!("{response:?}").contains("evil"), "{name}: {response:?}");
    }
    for host in ["localhost", "[::1]", "127.0.0.1:9"] {
        let response = world.gateway.get(DOCUMENTS[0]).host(host).send().await;
        assert_eq!(json(&response.text()), expected(&world), "{host}");
        let response = world.call().host(host).send().await;
        refused(&world, host, &response, 401, Challenge::Plain);
    }
    for host in ["evil.example", "127.0.0.1.evil.example"] {
        let response = world.gateway.get(DOCUMENTS[0]).host(host).send().await;
        refused(&world, host, &response, 421, Challenge::Without);
        assert!(!response.text().contains(world.gateway.origin()), "{response:?}");
    }
    still_serves(&world).await;
}

/// L02: the challenge leads to the document, and the document to the resource.
#[tokio::test]
async fn challenge_leads_to_the_document_of_the_resource() {
    let other =
        "  other:\n    path: /deep/other\n    upstream: UPSTREAM\n    required_scopes: []\n";
    let world = World::with(&format!("{NOTES}{other}")).await;
    for path in ["/notes", "/deep/other"] {
        let response = world.gateway.post(path).body(PING).send().await;
        let challenge = response.header("www-authenticate").unwrap();
        let url =
            challenge.split("resource_metadata=\"").nth(1).unwrap().split('"').next().unwrap();
        let target = url.strip_prefix(world.gateway.origin()).expect("our own origin");
        let document = world.gateway.get(target).send().await;
        assert_eq!(document.status, 200, "{url}");
        assert_eq!(json(&document.text())["resource"], world.gateway.url(path));
    }
    untouched(&world, "documents");
}

/// L02: documents are at exact paths.
#[tokio::test]
async fn paths_that_resemble_a_document() {
    let world = World::start().await;
    for (path, status) in [
        ("/.well-known/oauth-protected-resource/", 404),
        ("/.well-known/oauth-protected-resource/notes/", 404),
        ("/.well-known/oauth-protected-resource/NOTES", 404),
        ("/.well-known/oauth-protected-resource/note", 404),
        ("/.well-known/oauth-protected-resource/notes/x", 404),
        ("/.well-known/oauth-protected-resource%2fnotes", 400),
        ("/.well-known/oauth-protected-resource//notes", 400),
        ("/.well-known/oauth-protected-resource/notes;x", 400),
        ("/.well-known/../.well-known/oauth-protected-resource", 400),
        ("/.WELL-KNOWN/oauth-protected-resource", 404),
        ("/x/.well-known/oauth-protected-resource", 404),
        ("/.well-known/oauth-authorization-server", 404),
        ("/.well-known/jwks.json", 404),
    ] {
        let response = world.gateway.get(path).send().await;
        refused(&world, path, &response, status, Challenge::Without);
    }
    let with_query = world.gateway.get(&format!("{}?resource=x", DOCUMENTS[0])).send().await;
    assert_eq!(json(&with_query.text()), expected(&world));
}

/// L03: read with GET and HEAD alone, by any page, without credentials.
#[tokio::test]
async fn documents_are_read_only_and_for_everybody() {
    let world = World::start().await;
    for path in DOCUMENTS {
        let get = world.gateway.get(path).header("Origin", "https://anyone.example").send().await;
        assert_eq!(get.header("content-type"), Some("application/json"));
        assert_eq!(get.header("access-control-allow-origin"), Some("*"));
        assert_eq!(get.header("access-control-allow-credentials"), None);
        assert_eq!(get.header("www-authenticate"), None);
        assert_eq!(get.header("cache-control"), Some("public, max-age=300"));
        let bad = world.gateway.get(path).bearer("junk").bearer("junk").send().await;
        assert_eq!(bad.status, 200, "credentials mean nothing here");
        let head = world.gateway.request("HEAD", path).send().await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "get"] {
            let response = world.gateway.request(method, path).bearer(&world.token()).send().await;
            refused(&world, method, &response, 405, Challenge::Without);
            assert!(response.header("allow").is_some(), "{method}");
        }
    }
    assert_eq!(world.authorization_server.introspection_count(), 0);
    still_serves(&world).await;
}

/// L04, H19: neither a document nor a refusal says where the upstream is or what else there is.
#[tokio::test]
async fn nothing_public_names_what_is_behind() {
    let hidden = "  hidden:\n    path: /hidden-route\n    upstream: UPSTREAM\n    required_scopes: [hidden.scope]\n";
    let world = World::with(&format!("{NOTES}{hidden}")).await;
    let upstream = world.upstream.authority();
    let secrets = [&*upstream, "hidden", "introspection-secret", "gatehouse.yaml", "rustc"];
    let mut responses = Vec::new();
    for path in [DOCUMENTS[0], DOCUMENTS[2], "/nowhere", "/.well-known/x", "/metrics", "//"] {
        responses.push(world.gateway.get(path).send().await);
    }
    let poor = world.authorization_server.mint(&world.claims().scope("other"));
    responses.push(world.call().send().await);
    responses.push(world.call().bearer("unknown").send().await);
    responses.push(world.call().bearer(&poor).send().await);
    responses.push(world.authorized().host("evil.example").send().await);
    responses.push(world.authorized().header("Origin", "http://evil.example").send().await);
    for response in responses {
        let text = format!("{response:?}");
        for secret in secrets {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
    untouched(&world, "documents and refusals");
}

/// L05: nothing of a request stands in a challenge, and a body quotes it as JSON or not at all.
#[tokio::test]
async fn header_injection_finds_no_place() {
    let world = World::start().await;
    let poor = world.authorization_server.mint(&world.claims().scope("other"));
    for name in [
        r#"x\", error=\"canary"#,
        r"x\r\nSet-Cookie: canary=1",
        r"x\u0000canary",
        r"\u202ecanary",
        r"</script>canary",
    ] {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":"{name}","method":"tools/call","params":{{"name":"{name}"}}}}"#
        );
        let response = world.gateway.post("/notes").bearer(&poor).body(body).send().await;
        refused(&world, name, &response, 403, Challenge::Error("insufficient_scope"));
        for (field, value) in &response.headers {
            assert!(!field.contains("canary") && !value.contains("canary"), "{field}: {value}");
        }
        let answer = json(&response.text());
        let sent: Value = serde_json::from_str(&format!("\"{name}\"")).unwrap();
        assert_eq!(answer["id"], sent);
    }
    still_serves(&world).await;
}

/// L06: all scopes of the operation at once, the granted ones too, in the configured order.
#[tokio::test]
async fn challenge_names_all_scopes_at_once() {
    let scopes = "required_scopes: [notes.read, notes.list, notes.meta]";
    let world = World::but("required_scopes: [notes.read]", scopes).await;
    for granted in ["", "notes.read", "notes.meta notes.read", "notes.list other"] {
        let token = world.authorization_server.mint(&world.claims().scope(granted));
        let response = world.call().bearer(&token).send().await;
        assert_eq!(response.status, 403, "{granted}");
        let challenge = response.header("www-authenticate").unwrap();
        assert!(challenge.ends_with(r#"scope="notes.read notes.list notes.meta""#), "{challenge}");
    }
    untouched(&world, "short of scope");
}

/// L08: one challenge on every 401, none on anything that is not 401 or 403 or 400.
#[tokio::test]
async fn every_401_has_exactly_one_challenge() {
    let world = World::start().await;
    let reference = format!("/notes/{}", "A".repeat(200));
    for (method, path) in
        [("GET", "/notes"), ("POST", "/notes"), ("DELETE", "/notes"), ("POST", &*reference)]
    {
        for token in ["", "unknown"] {
            let call = world.gateway.request(method, path);
            let call = if token.is_empty() { call } else { call.bearer(token) };
            let challenge =
                if token.is_empty() { Challenge::Plain } else { Challenge::Error("invalid_token") };
            refused(&world, &format!("{method} {path}"), &call.send().await, 401, challenge);
        }
    }
    still_serves(&world).await;
}

/// L09: the id comes back as it was written, or as null.
#[tokio::test]
async fn id_of_a_refusal_is_the_requests_own() {
    let world = World::start().await;
    let poor = world.authorization_server.mint(&world.claims().scope("other"));
    for (body, id) in [
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, "1"),
        (r#"{"jsonrpc":"2.0","id":"1","method":"ping"}"#, r#""1""#),
        (r#"{"id":1.50e+3,"method":"ping"}"#, "1.50e+3"),
        (r#"{"id":123456789012345678901234567890}"#, "123456789012345678901234567890"),
        (r#"{"id":-0}"#, "-0"),
        (r#"{"id":"\u0061\n"}"#, r#""\u0061\n""#),
        (r#"{"params":{"id":2,"name":7},"id":3,"method":5}"#, "3"),
        (r#"{"id":3,"params":[1,{"id":4}],"method":"x"}"#, "3"),
        (r#"{"id":3,"params":null}"#, "3"),
        (r#"{"id":3,"params":"text"}"#, "3"),
        (r#"{"id":null}"#, "null"),
        (r#"{"id":true}"#, "null"),
        (r#"{"id":[1]}"#, "null"),
        (r#"{"id":{"id":1}}"#, "null"),
        (r#"{"id":1,"id":2}"#, "null"),
        (r#"[{"id":1}]"#, "null"),
        (r#"{"id":1"#, "null"),
        (r#"{"id":1} {"id":2}"#, "null"),
        ("", "null"),
        ("not JSON", "null"),
    ] {
        for token in [None, Some(&poor)] {
            let call = world.gateway.post("/notes").body(body);
            let call = token.iter().fold(call, |call, token| call.bearer(token));
            let response = call.send().await;
            assert!(matches!(response.status, 401 | 403), "{body}: {response:?}");
            let start = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":"#);
            assert!(response.text().starts_with(&start), "{body}: {response:?}");
            untouched(&world, body);
        }
    }
}

/// L10: what is wrong with a token is told from a closed set; unknown, revoked and foreign tokens
/// cannot be told apart.
#[tokio::test]
async fn refused_tokens_are_no_oracle() {
    let world = World::start().await;
    let revoked = world.token();
    world.authorization_server.revoke(&revoked);
    let plain = |response: crate::harness::raw::RawResponse| {
        let id = response.header("x-request-id").unwrap().to_owned();
        let headers: Vec<_> =
            response.headers.iter().filter(|(name, _)| name != "date").cloned().collect();
        format!("{} {headers:?} {}", response.status, response.text()).replace(&id, "ID")
    };
    let unknown = plain(world.call().bearer("unknown").send().await);
    for claims in [
        world.claims().with("active", false),
        world.claims().with("iss", "https://evil.example"),
        world.claims().with("nbf", now() + 3600),
        world.claims().with("token_type", "refresh_token"),
    ] {
        let token = world.authorization_server.mint(&claims);
        assert_eq!(plain(world.call().bearer(&token).send().await), unknown, "{}", claims.json());
    }
    assert_eq!(plain(world.call().bearer(&revoked).send().await), unknown);
    assert!(!unknown.contains("alice") && !unknown.contains("evil"), "{unknown}");
    still_serves(&world).await;
}

/// L13: documents and challenges cost nobody behind us anything.
#[tokio::test]
async fn documents_and_challenges_ask_nobody() {
    let world = World::start().await;
    let asked = world.authorization_server.received().len();
    for _ in 0..200 {
        assert_eq!(world.gateway.get(DOCUMENTS[0]).send().await.status, 200);
        assert_eq!(world.call().send().await.status, 401);
    }
    assert_eq!(world.authorization_server.received().len(), asked);
    still_serves(&world).await;
}
