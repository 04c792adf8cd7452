//! Methods that need no token, and everything that does.

use super::{message, tool, world};
use crate::harness::{PING, World, assert_answered};

const ANONYMOUS: &str = "    anonymous_methods: [initialize, ping, \"*/list\"]\n";

#[track_caller]
fn assert_login_needed(world: &World, response: &crate::harness::raw::RawResponse, id: &str) {
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32001,"message":"Unauthorized","data":{{"resource_metadata":"GATEWAY/.well-known/oauth-protected-resource/notes","required_scopes":["notes.read"],"request_id":"ID"}}}}}}"#
    );
    world.assert_refused(response, 401, Some(&world.challenge("")), &body);
}

#[tokio::test]
async fn listed_methods_pass_without_a_token() {
    let world = world(ANONYMOUS).await;
    for body in [PING.to_owned(), message("tools/list", "{}"), message("initialize", "{}")] {
        assert_answered(&world.gateway.post("/notes").body(body).send().await);
    }
    assert_eq!(world.authorization_server.introspection_count(), 0);
}

#[tokio::test]
async fn everything_else_asks_for_a_login() {
    let world = world(ANONYMOUS).await;
    for body in [tool("read_note"), message("pinG2", "{}")] {
        let response = world.gateway.post("/notes").body(body).send().await;
        assert_login_needed(&world, &response, "1");
    }
    let mixed = format!("[{PING},{}]", tool("read_note"));
    let response = world.gateway.post("/notes").body(mixed).send().await;
    assert_login_needed(&world, &response, "null");
    for method in ["GET", "DELETE"] {
        let response = world.gateway.request(method, "/notes").send().await;
        assert_login_needed(&world, &response, "null");
    }
}

#[tokio::test]
async fn bad_token_is_never_taken_for_none() {
    let world = world(ANONYMOUS).await;
    let response = world.gateway.post("/notes").bearer("unknown").body(PING).send().await;
    world.assert_invalid_token(&response, "The access token is not valid");
    let short = world.authorization_server.mint(&world.claims().scope("other"));
    let response = world.gateway.post("/notes").bearer(&short).body(PING).send().await;
    assert_eq!(response.status, 403);
    assert_eq!(world.upstream.bytes_received(), 0);
}

#[tokio::test]
async fn method_that_rules_close_asks_for_a_login_even_when_it_is_listed() {
    let world = world("    anonymous_methods: [\"logging/*\"]\n").await;
    let body = message("logging/setLevel", r#"{"level":"debug"}"#);
    let response = world.gateway.post("/notes").body(body).send().await;
    assert_login_needed(&world, &response, "1");
}

/// H19: neither a list nor a call without a token tells that a hidden tool is there.
#[tokio::test]
async fn h19_hidden_tool_is_hidden_from_whoever_has_no_token() {
    let hidden = |name: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":-32602,"message":"Unknown tool: {name}"}}}}"#
        )
    };
    for (more, calls_hidden) in [("", true), ("    shadow: true\n", false)] {
        let world = world(&format!("    anonymous_methods: [tools/call]\n{more}")).await;
        let call = |name: &str| world.gateway.post("/notes").body(tool(name));
        let response = call("admin_panel").send().await;
        if calls_hidden {
            world.assert_refused(&response, 200, None, &hidden("admin_panel"));
        } else {
            // Shadowed rules hide nothing, and let nobody in without a token.
            assert_login_needed(&world, &response, "1");
        }
        world.assert_refused(&call("debug_dump").send().await, 200, None, &hidden("debug_dump"));
        assert_login_needed(&world, &call("write_note").send().await, "1");
        assert_login_needed(&world, &call("payroll").send().await, "1");
        assert_answered(&call("read_note").send().await);
    }
}

#[tokio::test]
async fn unreadable_body_without_a_token_is_refused_for_what_it_is() {
    let world = world(ANONYMOUS).await;
    let response = world.gateway.post("/notes").body("{").send().await;
    let body = crate::harness::refusal("null", -32700, "Parse error");
    world.assert_refused(&response, 400, None, &body);
    let long = message("ping", &format!(r#"{{"x":"{}"}}"#, "x".repeat(70_000)));
    let response = world.gateway.post("/notes").body(long).send().await;
    assert_eq!(response.status, 413);
    assert_eq!(world.upstream.bytes_received(), 0);
}

#[tokio::test]
async fn session_begun_without_a_token_goes_on_with_one() {
    let world = world(ANONYMOUS).await;
    let session = [("Mcp-Session-Id", "upstream-session"), ("Content-Type", "application/json")];
    world.upstream.next(crate::harness::upstream::Reply::with(200, &session, "{}"));
    let begun = world.gateway.post("/notes").body(message("initialize", "{}")).send().await;
    let reference = begun.header("mcp-session-id").unwrap().to_owned();
    let call = || world.gateway.post("/notes").header("Mcp-Session-Id", &reference);
    assert_answered(&call().bearer(&world.token()).body(tool("read_note")).send().await);
    let last = world.upstream.requests().pop().unwrap();
    assert_eq!(last.header("mcp-session-id"), Some("upstream-session"));
    assert_answered(&call().body(PING).send().await);
}
