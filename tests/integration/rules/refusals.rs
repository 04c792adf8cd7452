//! Refusals of operations, to the byte, with an upstream that saw nothing.

use super::{message, post, tool, world};
use crate::harness::{NOTES, World, assert_answered, raw::RawResponse, refusal};

/// Asserts a 403 for want of scopes: `named` is what `data` says of the object.
#[track_caller]
fn assert_insufficient(
    world: &World,
    response: &RawResponse,
    needed: &str,
    named: &str,
    granted: &str,
) {
    assert_lacks(world, response, ("scope", needed), named, granted);
}

/// The same for want of a scope or of a claim, and with these scopes in the challenge.
#[track_caller]
fn assert_lacks(
    world: &World,
    response: &RawResponse,
    (what, needed): (&str, &str),
    named: &str,
    granted: &str,
) {
    let description = format!("The access token lacks a {what} that this needs");
    let error = format!(r#", error="insufficient_scope", error_description="{description}""#);
    let challenge =
        world.challenge(&error).replace(r#"scope="notes.read""#, &format!(r#"scope="{needed}""#));
    let list = |scopes: &str| {
        let scopes = scopes.split_whitespace().map(|scope| format!("{scope:?}"));
        scopes.collect::<Vec<_>>().join(",")
    };
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":-32001,"message":"insufficient_scope","data":{{"error":"insufficient_scope","error_description":"{description}","resource_metadata":"GATEWAY/.well-known/oauth-protected-resource/notes","required_scopes":[{}],{named},"granted_scopes":[{}],"request_id":"ID"}}}}}}"#,
        list(needed),
        list(granted),
    );
    world.assert_refused(response, 403, Some(&challenge), &body);
}

/// F32: with its white space, escapes and numbers.
#[tokio::test]
async fn what_scopes_allow_reaches_the_upstream_byte_for_byte() {
    let world = world("").await;
    let odd = "{ \"jsonrpc\":\"2.0\", \"params\" : {\"arguments\":{\"n\":1.0,\"N\":-0,\"n\":12345678901234567890}\n,\"name\":\"write\\u005fnote\"},\"id\":\"\\u0041\" ,\"method\":\"tools\\/call\"}";
    assert_answered(&post(&world, "notes.read notes.write", odd).send().await);
    assert_eq!(world.upstream.only_request().text(), odd);
}

#[tokio::test]
async fn all_scopes_of_an_operation_are_named_at_once() {
    let world = world("").await;
    for (granted, name, needed) in [
        ("notes.read", "write_note", "notes.read notes.write"),
        ("notes.read", "delete_note", "notes.read notes.delete notes.write"),
        ("notes.read notes.write", "delete_note", "notes.read notes.delete notes.write"),
        ("notes.write", "write_note", "notes.read notes.write"),
        ("notes.read", "delete_all", "notes.read notes.delete"),
        ("notes.read", "export", "notes.read notes.export"),
    ] {
        let body = if name == "export" {
            message("tools/call", r#"{"name":"export","arguments":{"format":"csv"}}"#)
        } else {
            tool(name)
        };
        let response = post(&world, granted, &body).send().await;
        assert_insufficient(&world, &response, needed, &format!(r#""tool":"{name}""#), granted);
    }
    // The wider token that was asked for opens it, and so does a broader scope.
    let wider = post(&world, "notes.read notes.delete notes.write", &tool("delete_note"));
    assert_answered(&wider.send().await);
    let broader = post(&world, "notes.read notes.root", &tool("delete_note"));
    assert_answered(&broader.send().await);
}

#[tokio::test]
async fn every_door_to_an_object_obeys_its_rule() {
    let world = world("").await;
    let secret = r#""prompt":"secret""#;
    let private = r#""resource":"note://private/1""#;
    for (method, params, needed, named) in [
        ("prompts/get", r#"{"name":"secret"}"#, "notes.secret", secret),
        (
            "completion/complete",
            r#"{"ref":{"type":"ref/prompt","name":"secret"},"argument":{"name":"a","value":"b"}}"#,
            "notes.secret",
            secret,
        ),
        ("resources/read", r#"{"uri":"note://private/1"}"#, "notes.private", private),
        ("resources/subscribe", r#"{"uri":"note://private/1"}"#, "notes.private", private),
        ("resources/unsubscribe", r#"{"uri":"note://private/1"}"#, "notes.private", private),
        (
            "completion/complete",
            r#"{"ref":{"type":"ref/resource","uri":"note://private/1"}}"#,
            "notes.private",
            private,
        ),
        (
            "subscriptions/listen",
            r#"{"notifications":{"resourceSubscriptions":["note://open/1","note://private/1"]}}"#,
            "notes.private",
            private,
        ),
        ("logging/setLevel", r#"{"level":"debug"}"#, "notes.log", r#""method":"logging/setLevel""#),
        ("tasks/run", r#"{"name":"write_note"}"#, "notes.write", r#""tool":"write_note""#),
    ] {
        let response = post(&world, "notes.read", &message(method, params)).send().await;
        let needed = format!("notes.read {needed}");
        assert_insufficient(&world, &response, &needed, named, "notes.read");
    }
    for (method, params) in [
        ("prompts/get", r#"{"name":"open"}"#),
        ("resources/read", r#"{"uri":"note://open/1"}"#),
        ("tools/list", "{}"),
        ("vendor/anything", "{}"),
    ] {
        assert_answered(&post(&world, "notes.read", &message(method, params)).send().await);
    }
}

/// Servers that look resources up by the URL Standard's parser take all of these for one.
#[tokio::test]
async fn other_spellings_of_a_resource_reach_nobody() {
    let rules =
        "    resources: {\"file:///secret/*\": {deny: true}, \"https://h/x\": {deny: true}}\n";
    let world = World::with(&format!("{NOTES}{rules}")).await;
    for uri in [
        "file:/secret/a",
        "file:secret/a",
        "file://localhost/secret/a",
        "file:///%73ecret/a",
        "https://H/x",
        "https:/h/x",
        "https://h:443/x",
    ] {
        let body = message("resources/read", &format!(r#"{{"uri":"{uri}"}}"#));
        let response = post(&world, "notes.read", &body).send().await;
        world.assert_refused(&response, 400, None, &refusal("1", -32600, "Invalid Request"));
    }
    let open = message("resources/read", r#"{"uri":"file:///open/a"}"#);
    assert_answered(&post(&world, "notes.read", &open).send().await);
}

#[tokio::test]
async fn expired_and_short_of_scope_is_expired() {
    let world = world("").await;
    let claims = world.claims().scope("notes.read").with("exp", 1);
    let token = world.authorization_server.mint(&claims);
    let response =
        world.gateway.post("/notes").bearer(&token).body(tool("write_note")).send().await;
    world.assert_invalid_token(&response, "The access token expired");
}

#[tokio::test]
async fn hidden_tool_is_one_that_does_not_exist() {
    let world = world("").await;
    for name in ["admin_panel", "debug_dump"] {
        let response = post(&world, "notes.read", &tool(name)).send().await;
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":-32602,"message":"Unknown tool: {name}"}}}}"#
        );
        world.assert_refused(&response, 200, None, &body);
    }
    assert_answered(&post(&world, "notes.read notes.admin", &tool("admin_panel")).send().await);
}

/// Who lacks the route's own scopes gets the same for what is hidden as for what does not exist.
#[tokio::test]
async fn hidden_objects_do_not_show_to_who_may_not_use_the_route() {
    let hidden = "    filter_lists: scopes\n    unlisted_tools: allow\n";
    let rules = super::RULES
        .replace("secret: [notes.secret]", "secret: {deny: true}")
        .replace("/*\": [notes.private]", "/*\": {any_scope: [notes.private], when_denied: hide}")
        .replace("/*\": [notes.log]", "/*\": {deny: true}");
    let world = World::with(&format!("{}{rules}{hidden}", NOTES.trim_end())).await;
    for (hidden, unknown) in [
        (tool("admin_panel"), tool("zzz")),
        (tool("debug_dump"), tool("zzz")),
        (
            message("prompts/get", r#"{"name":"secret"}"#),
            message("prompts/get", r#"{"name":"zzz"}"#),
        ),
        (
            message("resources/read", r#"{"uri":"note://private/1"}"#),
            message("resources/read", r#"{"uri":"note://zzz/1"}"#),
        ),
        (message("logging/setLevel", "{}"), message("vendor/zzz", "{}")),
    ] {
        let mut shown = Vec::new();
        for body in [&hidden, &unknown] {
            let response = post(&world, "zip", body).send().await;
            assert_eq!(response.status, 403, "{body}");
            assert_eq!(world.upstream.bytes_received(), 0);
            let challenge = response.header("www-authenticate").unwrap().to_owned();
            let text = response.text().replace(response.header("x-request-id").unwrap(), "ID");
            let names = ["admin_panel", "debug_dump", "secret", "note://private/1"];
            let names = names.into_iter().chain(["note://zzz/1", "logging/setLevel", "vendor/zzz"]);
            let text = names.fold(text, |text, name| text.replace(name, "zzz"));
            shown.push((challenge, text));
        }
        assert_eq!(shown[0], shown[1], "{hidden}");
        assert!(shown[0].0.ends_with(r#", scope="notes.read""#), "{hidden}");
    }
}

/// A shadowed route refuses what is denied, whatever else is missing.
#[tokio::test]
async fn hidden_tool_is_denied_on_a_shadowed_route_without_its_scopes() {
    let world = world("    shadow: true\n").await;
    let response = post(&world, "zip", &tool("debug_dump")).send().await;
    let body =
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Unknown tool: debug_dump"}}"#;
    world.assert_refused(&response, 200, None, body);
}

#[tokio::test]
async fn hidden_tool_called_by_a_notification_is_refused() {
    let world = world("").await;
    let body = r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"debug_dump"}}"#;
    let response = post(&world, "notes.read", body).send().await;
    world.assert_refused(&response, 403, None, &refusal("null", -32001, "Forbidden"));
}

#[tokio::test]
async fn denied_tool_may_say_so_without_a_challenge() {
    let world = world("").await;
    let response = post(&world, "notes.read notes.root", &tool("debug_shown")).send().await;
    world.assert_refused(&response, 403, None, &refusal("1", -32001, "Forbidden"));
}

#[tokio::test]
async fn refusal_in_band_is_a_result_with_the_challenge() {
    let world = world("").await;
    let response = post(&world, "notes.read", &tool("report")).send().await;
    let error = r#", error="insufficient_scope", error_description="The access token lacks a scope that this needs""#;
    let challenge = world
        .challenge(error)
        .replace(r#"scope="notes.read""#, r#"scope="notes.read notes.report""#)
        .replace(world.gateway.origin(), "GATEWAY")
        .replace('"', "\\\"");
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"result":{{"resultType":"complete","content":[{{"type":"text","text":"report needs the scopes notes.read notes.report, which the access token lacks."}}],"isError":true,"_meta":{{"mcp/www_authenticate":["{challenge}"]}}}}}}"#
    );
    world.assert_refused(&response, 200, None, &body);
}

#[tokio::test]
async fn refusal_in_band_for_want_of_a_claim_names_no_scope() {
    let rules = "    tools: {payroll: {claims: {department: [hr]}, when_denied: in_band}}\n";
    let world = World::with(&format!("{NOTES}{rules}")).await;
    let response = post(&world, "notes.read", &tool("payroll")).send().await;
    let error = r#", error="insufficient_scope", error_description="The access token lacks a claim that this needs""#;
    let challenge =
        world.challenge(error).replace(world.gateway.origin(), "GATEWAY").replace('"', "\\\"");
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"result":{{"resultType":"complete","content":[{{"type":"text","text":"payroll needs a claim that the access token lacks."}}],"isError":true,"_meta":{{"mcp/www_authenticate":["{challenge}"]}}}}}}"#
    );
    world.assert_refused(&response, 200, None, &body);
}

#[tokio::test]
async fn claim_of_the_token_opens_what_no_scope_does() {
    let world = world("").await;
    let call = |department: serde_json::Value| {
        let token = world.authorization_server.mint(&world.claims().with("department", department));
        world.gateway.post("/notes").bearer(&token).body(tool("payroll"))
    };
    let response = call("it".into()).send().await;
    let payroll = r#""tool":"payroll""#;
    assert_lacks(&world, &response, ("claim", "notes.read"), payroll, "notes.read");
    assert_answered(&call(serde_json::json!(["it", "hr"])).send().await);
}

#[tokio::test]
async fn argument_must_have_a_listed_value() {
    let world = world("").await;
    let call = |arguments: &str| {
        let params = format!(r#"{{"name":"export","arguments":{arguments}}}"#);
        post(&world, "notes.read notes.export", &message("tools/call", &params))
    };
    for arguments in [r#"{"format":"xml"}"#, "{}", r#"{"format":"csv","format":"xml"}"#] {
        let response = call(arguments).send().await;
        world.assert_refused(&response, 403, None, &refusal("1", -32001, "Forbidden"));
    }
    assert_answered(&call(r#"{"format":"csv"}"#).send().await);
}

/// F33: a body is judged to its end, however long it is.
#[tokio::test]
async fn argument_far_behind_others_is_judged_all_the_same() {
    let world = world("").await;
    let call = |format: &str| {
        let padding = "x".repeat(200 * 1024);
        let arguments = format!(r#"{{"padding":"{padding}","format":"{format}"}}"#);
        message("tools/call", &format!(r#"{{"arguments":{arguments},"name":"export"}}"#))
    };
    let response = post(&world, "notes.read notes.export", &call("xml")).send().await;
    world.assert_refused(&response, 403, None, &refusal("1", -32001, "Forbidden"));
    assert_answered(&post(&world, "notes.read notes.export", &call("csv")).send().await);
}

/// Q04: `unlisted_tools: deny`; without it they need the route's scopes, as the reference says.
#[tokio::test]
async fn tools_that_no_rule_names_can_be_denied() {
    let world = world("    unlisted_tools: deny\n").await;
    let response = post(&world, "notes.read", &tool("other")).send().await;
    let body =
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"Unknown tool: other"}}"#;
    world.assert_refused(&response, 200, None, body);
    assert_answered(&post(&world, "notes.read notes.write", &tool("write_note")).send().await);
}

#[tokio::test]
async fn tools_that_no_rule_names_can_be_denied_openly() {
    let world = world("    unlisted_tools: {deny: true, when_denied: challenge}\n").await;
    let response = post(&world, "notes.read notes.root", &tool("other")).send().await;
    world.assert_refused(&response, 403, None, &refusal("1", -32001, "Forbidden"));
    assert_answered(&post(&world, "notes.read notes.write", &tool("write_note")).send().await);
    // What is hidden looks the same, whoever asks, or it would be the only thing to look otherwise.
    for scope in ["notes.read", "zip"] {
        let mut shown = Vec::new();
        for name in ["debug_dump", "other"] {
            let response = post(&world, scope, &tool(name)).send().await;
            let id = response.header("x-request-id").unwrap();
            shown.push((response.status, response.text().replace(id, "ID").replace(name, "x")));
        }
        assert!(shown[0] == shown[1] && shown[0].0 == 403, "{scope}: {shown:?}");
    }
}

#[tokio::test]
async fn streams_and_session_ends_need_the_routes_scopes() {
    let world = world("").await;
    for method in ["GET", "DELETE"] {
        let token = world.authorization_server.mint(&world.claims().scope("other"));
        let response = world.gateway.request(method, "/notes").bearer(&token).send().await;
        assert_eq!(response.status, 403, "{method}");
        assert_eq!(world.upstream.bytes_received(), 0);
    }
    assert_eq!(
        world.gateway.request("DELETE", "/notes").bearer(&world.token()).send().await.status,
        200
    );
}

/// F26: no call that is too long reaches the upstream.
#[tokio::test]
async fn body_on_a_route_with_rules_is_read_whole_and_bounded() {
    let world = world("").await;
    let text = "x".repeat(200 * 1024);
    let params = format!(r#"{{"name":"read_note","arguments":{{"text":"{text}"}}}}"#);
    let body = message("tools/call", &params);
    assert_answered(&post(&world, "notes.read", &body).send().await);
    assert_eq!(world.upstream.only_request().text(), body);
    let world = super::world("").await;
    let long =
        message("tools/call", &format!(r#"{{"name":"x","arguments":"{}"}}"#, "x".repeat(4 << 20)));
    let response = post(&world, "notes.read", &long).send().await;
    assert_eq!(response.status, 413);
    assert_eq!(world.upstream.bytes_received(), 0);
}
