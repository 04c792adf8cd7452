//! Every refusal, to the byte: one test per row of the contract's table (section 3.3). Each also
//! asserts that the upstream saw nothing; rows that the upstream causes are in `forwarding`.

mod ids;
mod limits;
mod order;

use crate::harness::{NOTES, World, assert_answered, client::Call, refusal};

#[tokio::test]
async fn acceptable_request_reaches_the_upstream() {
    let world = World::start().await;
    assert_answered(&world.authorized().send().await);
    assert_eq!(world.upstream.only_request().target, "/mcp");
}

#[tokio::test]
async fn ambiguous_target_is_refused_and_the_connection_closed() {
    let world = World::start().await;
    for target in [
        "//notes",
        "/notes//",
        "/notes/.",
        "/notes/../notes",
        "/notes%2f",
        "/notes%2F",
        "/notes%5c",
        "/notes/%2e",
        "/notes%25",
        "/notes%00",
        "/notes%7f",
        "/notes%zz",
        "/notes%c3%a9",
        "/notes\\",
        "/notes;a=b",
        "http://evil.example/notes",
        "*",
    ] {
        let call = world.gateway.post(target).bearer(&world.token()).body("{}");
        let response = call.send().await;
        let body = refusal("null", -32600, "Invalid Request");
        world.assert_refused(&response, 400, None, &body);
        assert_eq!(response.header("connection"), Some("close"), "{target}");
    }
}

#[tokio::test]
async fn ambiguous_header_or_framing_is_refused_and_the_connection_closed() {
    let world = World::start().await;
    let token = world.token();
    let host = world.gateway.address();
    for fields in [
        format!("Host: {host}\r\nHost: {host}\r\nContent-Length: 2\r\n"),
        "Host: \r\nContent-Length: 2\r\n".to_owned(),
        "Host: a b\r\nContent-Length: 2\r\n".to_owned(),
        "Host: user@127.0.0.1\r\nContent-Length: 2\r\n".to_owned(),
        "Content-Length: 2\r\n".to_owned(),
        format!("Host: {host}\r\nContent-Length: 2\r\nContent-Length: 2\r\n"),
        format!("Host: {host}\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n"),
        format!("Host: {host}\r\nTransfer-Encoding: gzip, chunked\r\n"),
        format!("Host: {host}\r\nContent-Length: 2\r\nMcp-Session-Id: a\r\nMcp-Session-Id: a\r\n"),
        format!("Host: {host}\r\nContent-Length: 2\r\nConnection: Mcp-Session-Id\r\n"),
        format!("Host: {host}\r\nContent-Length: 2\nX: y\r\n"),
    ] {
        let mut client = crate::harness::client::RawClient::connect(host).await;
        let head = format!("POST /notes HTTP/1.1\r\nAuthorization: Bearer {token}\r\n{fields}\r\n");
        client.send(format!("{head}{{}}")).await;
        let response = client.response().await;
        assert_eq!(response.status, 400, "{fields}");
        assert_eq!(response.header("connection"), Some("close"), "{fields}");
        assert_eq!(world.upstream.bytes_received(), 0, "{fields}");
        client.closed().await;
    }
}

#[tokio::test]
async fn request_without_credentials_is_challenged_without_error() {
    let world = World::start().await;
    let body = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"Unauthorized","data":{"resource_metadata":"GATEWAY/.well-known/oauth-protected-resource/notes","required_scopes":["notes.read"],"request_id":"ID"}}}"#;
    let with = |value| world.call().header("Authorization", value);
    for call in [
        world.call(),
        with(""),
        with("Bearer"),
        with("Bearer "),
        with("Basic dXNlcjpwYXNz"),
        with("DPoP abc"),
        world.call().header("Cookie", "access_token=abc"),
        world.call().header("X-Api-Key", "abc"),
    ] {
        let challenge = world.challenge("");
        world.assert_refused(&call.send().await, 401, Some(&challenge), body);
    }
}

#[tokio::test]
async fn challenge_of_a_route_without_scopes_names_none() {
    let world = World::but("required_scopes: [notes.read]", "required_scopes: []").await;
    world.assert_refused(
        &world.call().send().await,
        401,
        Some(r#"Bearer realm="notes", resource_metadata="GATEWAY/.well-known/oauth-protected-resource/notes""#),
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"Unauthorized","data":{"resource_metadata":"GATEWAY/.well-known/oauth-protected-resource/notes","request_id":"ID"}}}"#,
    );
}

#[tokio::test]
async fn malformed_credentials_are_an_invalid_request() {
    let world = World::start().await;
    let token = world.token();
    let twice = world.call().bearer(&token).bearer(&token);
    let in_query =
        |query: &str| world.gateway.post(&format!("/notes?{query}")).body(crate::harness::PING);
    let syntax = "The Authorization header is malformed";
    let query = "An access token in the query is not accepted";
    for (call, why) in [
        (twice, "More than one Authorization header was sent"),
        (world.call().bearer("a b"), syntax),
        (world.call().bearer("a,b"), syntax),
        (world.call().header("Authorization", &format!("Bearer  {token}")), syntax),
        (in_query("access_token=x"), query),
        (in_query(&format!("access_token={token}")), query),
        (in_query("access%5Ftoken=x").bearer(&token), query),
    ] {
        let error = format!(r#", error="invalid_request", error_description="{why}""#);
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":-32001,"message":"Unauthorized","data":{{"error":"invalid_request","error_description":"{why}","resource_metadata":"GATEWAY/.well-known/oauth-protected-resource/notes","required_scopes":["notes.read"],"request_id":"ID"}}}}}}"#
        );
        world.assert_refused(&call.send().await, 400, Some(&world.challenge(&error)), &body);
    }
    assert_eq!(world.authorization_server.introspection_count(), 0);
}

#[tokio::test]
async fn token_that_is_not_acceptable_is_told_why_from_a_closed_set() {
    let world = World::start().await;
    let now = crate::harness::token::now();
    let claims = || world.claims();
    for (token, description) in [
        (claims().with("active", false), "The access token is not valid"),
        (claims().with("exp", now - 1), "The access token expired"),
        (claims().audience("https://other"), "The access token was not issued for this resource"),
        (
            claims().with("cnf", serde_json::json!({"jkt": "x"})),
            "The access token is bound to a key that was not shown",
        ),
        (claims().with("iss", "https://other"), "The access token is not valid"),
        (claims().with("nbf", now + 3600), "The access token is not valid"),
        (claims().with("token_type", "refresh_token"), "The access token is not valid"),
    ] {
        let token = world.authorization_server.mint(&token);
        world.assert_invalid_token(&world.call().bearer(&token).send().await, description);
    }
    world.assert_invalid_token(
        &world.call().bearer("unknown").send().await,
        "The access token is not valid",
    );
}

#[tokio::test]
async fn missing_scope_is_answered_with_all_that_are_needed() {
    let scopes = "required_scopes: [notes.read, notes.list]";
    let world = World::but("required_scopes: [notes.read]", scopes).await;
    let token = world.authorization_server.mint(&world.claims().scope("other notes.read"));
    let description = "The access token lacks a scope that this needs";
    let challenge = format!(
        r#"Bearer realm="notes", resource_metadata="GATEWAY/.well-known/oauth-protected-resource/notes", error="insufficient_scope", error_description="{description}", scope="notes.read notes.list""#
    );
    for (request, what) in [
        (r#""method":"ping""#, r#""method":"ping""#),
        (r#""method":"tools/call","params":{"name":"add"}"#, r#""tool":"add""#),
        (r#""method":"prompts/get","params":{"name":"p"}"#, r#""prompt":"p""#),
        (r#""method":"resources/read","params":{"uri":"u:1"}"#, r#""resource":"u:1""#),
    ] {
        let call = world.gateway.post("/notes").bearer(&token);
        let request =
            format!(r#"{{"jsonrpc":"2.0","id":"x","{}}}"#, request.trim_start_matches('"'));
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":"x","error":{{"code":-32001,"message":"insufficient_scope","data":{{"error":"insufficient_scope","error_description":"{description}","resource_metadata":"GATEWAY/.well-known/oauth-protected-resource/notes","required_scopes":["notes.read","notes.list"],{what},"granted_scopes":["other","notes.read"],"request_id":"ID"}}}}}}"#
        );
        world.assert_refused(&call.body(request).send().await, 403, Some(&challenge), &body);
    }
}

#[tokio::test]
async fn scope_is_compared_whole() {
    let world = World::start().await;
    for scope in ["notes.readwrite", "notes.rea", "NOTES.READ", "xnotes.read", "notes"] {
        let token = world.authorization_server.mint(&world.claims().scope(scope));
        assert_eq!(world.call().bearer(&token).send().await.status, 403, "{scope}");
    }
    let none = world.authorization_server.mint(&world.claims().without("scope"));
    assert_eq!(world.call().bearer(&none).send().await.status, 403);
    assert_eq!(world.upstream.bytes_received(), 0);
}

#[tokio::test]
async fn stream_and_delete_pass_the_same_door() {
    let world = World::start().await;
    for method in ["GET", "DELETE"] {
        let call = world.gateway.request(method, "/notes");
        let response = call.send().await;
        let body = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Unauthorized","data":{"resource_metadata":"GATEWAY/.well-known/oauth-protected-resource/notes","required_scopes":["notes.read"],"request_id":"ID"}}}"#;
        world.assert_refused(&response, 401, Some(&world.challenge("")), body);
        let poor = world.authorization_server.mint(&world.claims().scope("other"));
        assert_eq!(call.bearer(&poor).send().await.status, 403);
    }
    assert_eq!(world.upstream.bytes_received(), 0);
}

#[tokio::test]
async fn foreign_web_origin_is_forbidden() {
    let world =
        World::with(&format!("listen: {{allowed_origins: ['https://app.example']}}\n{NOTES}"))
            .await;
    let forbidden = refusal("1", -32001, "Forbidden");
    for origin in ["https://evil.example", "null", "https://app.example:8443", ""] {
        let response = world.authorized().header("Origin", origin).send().await;
        world.assert_refused(&response, 403, None, &forbidden);
        assert_eq!(response.header("access-control-allow-origin"), None);
    }
    for origin in ["https://app.example", "http://localhost:6274", world.gateway.origin()] {
        let response = world.authorized().header("Origin", origin).send().await;
        assert_answered(&response);
        assert_eq!(response.header("access-control-allow-origin"), Some(origin));
        assert_eq!(response.header("vary"), Some("Origin"));
        assert_eq!(response.header("access-control-allow-credentials"), None);
    }
    let challenged = world.call().header("Origin", "https://app.example").send().await;
    assert_eq!(challenged.status, 401);
    let allowed = challenged.header("access-control-allow-origin");
    assert_eq!(allowed, Some("https://app.example"), "a page must see the challenge");
}

#[tokio::test]
async fn other_methods_are_not_allowed() {
    let world = World::start().await;
    for method in ["PUT", "PATCH", "TRACE", "PROPFIND", "post"] {
        let call = world.gateway.request(method, "/notes").bearer(&world.token());
        let response = call.send().await;
        world.assert_refused(&response, 405, None, &refusal("null", -32600, "Method Not Allowed"));
        assert_eq!(response.header("allow"), Some("GET, POST, DELETE, OPTIONS"));
    }
    let head = world.gateway.request("HEAD", "/notes").bearer(&world.token()).send().await;
    assert_eq!(head.status, 405);
}

#[tokio::test]
async fn get_or_delete_with_a_body_is_refused() {
    let world = World::start().await;
    for method in ["GET", "DELETE"] {
        let call = world.gateway.request(method, "/notes").bearer(&world.token()).body("{}");
        let body = refusal("null", -32600, "Invalid Request");
        world.assert_refused(&call.send().await, 400, None, &body);
    }
}

#[tokio::test]
async fn unavailable_authorization_server_is_no_reason_to_log_in_again() {
    let world = World::start().await;
    world
        .authorization_server
        .answer_with(crate::harness::authorization_server::Answer::status(500));
    let response = world.authorized().send().await;
    world.assert_unavailable(&response);
    assert_eq!(response.header("retry-after"), Some("5"));
}

#[tokio::test]
async fn foreign_host_is_misdirected() {
    let world = World::start().await;
    let misdirected = refusal("1", -32600, "Misdirected Request");
    for host in ["evil.example", "127.0.0.1.evil.example", "evil.example:80"] {
        let response = world.authorized().host(host).send().await;
        world.assert_refused(&response, 421, None, &misdirected);
    }
    let port = world.gateway.port();
    for host in [format!("localhost:{port}"), format!("[::1]:{port}"), "127.0.0.1".to_owned()] {
        assert_answered(&world.authorized().host(&host).send().await);
    }
}

#[tokio::test]
async fn unknown_route_is_not_found() {
    let world = World::start().await;
    let not_found = refusal("1", -32600, "Not Found");
    for path in ["/", "/other", "/note", "/notess", "/Notes", "/notes/x", "/notes/x/y"] {
        let call: Call = world.gateway.post(path).bearer(&world.token());
        let response = call.body(crate::harness::PING).send().await;
        world.assert_refused(&response, 404, None, &not_found);
    }
    assert_answered(&world.gateway.post("/notes/").bearer(&world.token()).body("{}").send().await);
}

#[tokio::test]
async fn unknown_session_is_not_found() {
    let world = World::start().await;
    let body = refusal("1", -32600, "Session not found");
    let endpoint = "A".repeat(200);
    for session in ["1", "upstream-session", &endpoint] {
        let response = world.authorized().header("Mcp-Session-Id", session).send().await;
        world.assert_refused(&response, 404, None, &body);
    }
    let call = world.gateway.post(&format!("/notes/{endpoint}")).bearer(&world.token());
    let response = call.body(crate::harness::PING).send().await;
    world.assert_refused(&response, 404, None, &body);
}
