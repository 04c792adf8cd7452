//! Headers that mirror the body (revision 2026-07-28): they decide nothing, and they must not lie.

use crate::{
    harness::{NOTES, World, assert_answered, client::Call, refusal},
    oracle::untouched,
};

async fn world() -> World {
    World::with(&format!("{}\n    tools:\n      delete: [notes.delete]\n", NOTES.trim_end())).await
}

/// A call of revision 2026-07-28.
fn modern(tool: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}}}}"#
    )
}

fn call(world: &World, body: &str, fields: &[(&str, &str)]) -> Call {
    fields
        .iter()
        .fold(world.authorized().body(body), |call, (name, value)| call.header(name, value))
}

async fn assert_mismatch(world: &World, body: &str, fields: &[(&str, &str)]) {
    let response = call(world, body, fields).send().await;
    world.assert_refused(&response, 400, None, &refusal("1", -32020, "Header mismatch"));
    untouched(world, &format!("{fields:?}"));
}

const VERSION: (&str, &str) = ("MCP-Protocol-Version", "2026-07-28");
const METHOD: (&str, &str) = ("Mcp-Method", "tools/call");

#[tokio::test]
async fn g01_g02_g03_headers_say_what_the_body_says() {
    let world = world().await;
    let body = modern("read");
    for fields in [
        vec![VERSION, ("Mcp-Method", "tools/list"), ("Mcp-Name", "read")],
        vec![VERSION, METHOD, ("Mcp-Name", "delete")],
        vec![VERSION, METHOD],
        vec![VERSION, ("Mcp-Name", "read")],
        vec![METHOD, ("Mcp-Name", "read")],
        vec![("MCP-Protocol-Version", "2025-11-25"), METHOD, ("Mcp-Name", "read")],
        vec![VERSION, METHOD, ("Mcp-Name", "Read")],
    ] {
        assert_mismatch(&world, &body, &fields).await;
    }
    assert_answered(&call(&world, &body, &[VERSION, METHOD, ("Mcp-Name", "read")]).send().await);
}

#[tokio::test]
async fn g01_rules_go_by_the_body() {
    let world = world().await;
    let fields = [VERSION, METHOD, ("Mcp-Name", "delete")];
    let response = call(&world, &modern("delete"), &fields).send().await;
    assert_eq!(response.status, 403, "{response:?}");
    untouched(&world, "delete");
}

#[tokio::test]
async fn g04_g05_base64_form_is_decoded_or_refused() {
    let world = world().await;
    for name in ["=?BASE64?cmVhZA==?=", "=?base64?cmVhZA==", "=?base64?cmVhZA?=", "=?base64?/w==?="]
    {
        assert_mismatch(&world, &modern("read"), &[VERSION, METHOD, ("Mcp-Name", name)]).await;
    }
    let fields = [VERSION, METHOD, ("Mcp-Name", "=?base64?cmVhZA==?=")];
    assert_answered(&call(&world, &modern("read"), &fields).send().await);
    // What was judged is what is sent: the upstream decodes for itself.
    let sent = world.upstream.only_request();
    assert_eq!(sent.header("mcp-name"), Some("=?base64?cmVhZA==?="));
}

#[tokio::test]
async fn g06_g12_repeated_or_respelled_headers_do_not_pass() {
    let world = world().await;
    let twice = [VERSION, METHOD, ("Mcp-Name", "read"), ("Mcp-Name", "delete")];
    let response = call(&world, &modern("read"), &twice).send().await;
    assert_eq!(response.status, 400);
    untouched(&world, "twice");
    let fields =
        [VERSION, METHOD, ("Mcp-Name", "read"), ("Mcp_Name", "delete"), ("mcp.method", "x")];
    assert_answered(&call(&world, &modern("read"), &fields).send().await);
    let sent = world.upstream.only_request();
    assert_eq!((sent.header("mcp_name"), sent.header("mcp.method")), (None, None));
}

#[tokio::test]
async fn g09_g10_older_clients_are_asked_for_none_and_parameters_pass() {
    let world = world().await;
    let old = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read"}}"#;
    let fields = [("MCP-Protocol-Version", "2025-11-25"), ("Mcp-Param-Region", "eu")];
    assert_answered(&call(&world, old, &fields).send().await);
    assert_eq!(world.upstream.only_request().header("mcp-param-region"), Some("eu"));
    let world = self::world().await;
    assert_mismatch(&world, old, &[("Mcp-Name", "delete")]).await;
    // A body that names no revision contradicts none; what is required of it, the server says.
    assert_answered(&call(&world, old, &[VERSION, METHOD, ("Mcp-Name", "read")]).send().await);
}

#[tokio::test]
async fn g07_names_of_headers_have_no_case_and_their_values_do() {
    let world = world().await;
    let fields = [("mcp-PROTOCOL-version", "2026-07-28"), ("MCP-METHOD", "tools/call")];
    let fields = [fields[0], fields[1], ("mcp-name", "read")];
    assert_answered(&call(&world, &modern("read"), &fields).send().await);
    let world = self::world().await;
    let fields = [VERSION, ("Mcp-Method", "Tools/Call"), ("Mcp-Name", "read")];
    assert_mismatch(&world, &modern("read"), &fields).await;
}

/// What a parameter's header mirrors only the server knows, which is left to compare them.
#[tokio::test]
async fn g11_headers_of_parameters_are_for_the_server() {
    let world = world().await;
    let body = modern("read").replace(r#""_meta""#, r#""arguments":{"region":"us"},"_meta""#);
    let fields = [VERSION, METHOD, ("Mcp-Name", "read"), ("Mcp-Param-Region", "=?base64?%?=")];
    assert_answered(&call(&world, &body, &fields).send().await);
    let sent = world.upstream.only_request();
    assert_eq!(sent.header("mcp-param-region"), Some("=?base64?%?="));
}

#[tokio::test]
async fn g13_revision_without_sessions_has_none_on_routes_with_rules_either() {
    let world = world().await;
    let fields = [VERSION, METHOD, ("Mcp-Name", "read"), ("Mcp-Session-Id", "forged")];
    let response = call(&world, &modern("read"), &fields).send().await;
    assert_answered(&response);
    assert_eq!(world.upstream.only_request().header("mcp-session-id"), None);
    assert_eq!(response.header("mcp-session-id"), None);
}

#[tokio::test]
async fn g14_resource_with_a_name_as_well_is_refused_whichever_the_header_mirrors() {
    let world = world().await;
    let params = r#"{"uri":"note://1","name":"note://2","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#;
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{params}}}"#);
    let method = ("Mcp-Method", "resources/read");
    assert_mismatch(&world, &body, &[VERSION, method, ("Mcp-Name", "note://1")]).await;
    let response = call(&world, &body, &[VERSION, method, ("Mcp-Name", "note://2")]).send().await;
    world.assert_refused(&response, 400, None, &refusal("1", -32600, "Invalid Request"));
}

/// The Tasks extension has clients send the task's id as `Mcp-Name`.
#[tokio::test]
async fn g02_task_is_polled_by_its_id() {
    let world = world().await;
    let params =
        r#"{"taskId":"t-1","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#;
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{params}}}"#);
    let method = ("Mcp-Method", "tasks/get");
    assert_mismatch(&world, &body, &[VERSION, method, ("Mcp-Name", "t-2")]).await;
    assert_answered(&call(&world, &body, &[VERSION, method, ("Mcp-Name", "t-1")]).send().await);
}
