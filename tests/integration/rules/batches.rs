//! Batches of revision 2025-03-26: judged message by message, refused as a whole.

use super::{post, world};
use crate::harness::{assert_answered, refusal};

fn call(id: u32, name: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{name}"}}}}"#)
}

fn batch(messages: &[String]) -> String {
    format!("[{}]", messages.join(" , "))
}

#[tokio::test]
async fn batch_that_may_pass_is_passed_on_as_it_is() {
    let world = world("").await;
    let body = batch(&[call(1, "read_note"), call(2, "write_note")]);
    assert_answered(&post(&world, "notes.read notes.write", &body).send().await);
    assert_eq!(world.upstream.only_request().text(), body);
}

#[tokio::test]
async fn one_refused_message_refuses_the_batch_with_all_missing_scopes() {
    let world = world("").await;
    let body = batch(&[call(1, "read_note"), call(2, "write_note"), call(3, "delete_all")]);
    let response = post(&world, "notes.read", &body).send().await;
    assert_eq!(response.status, 403);
    let challenge = response.header("www-authenticate").unwrap();
    assert!(challenge.ends_with(r#"scope="notes.read notes.write notes.delete""#), "{challenge}");
    assert!(response.text().starts_with(r#"{"jsonrpc":"2.0","id":null,"#), "{}", response.text());
    assert_eq!(world.upstream.bytes_received(), 0);
}

#[tokio::test]
async fn hidden_tool_in_a_batch_is_forbidden() {
    let world = world("").await;
    let body = batch(&[call(1, "read_note"), call(2, "debug_dump")]);
    let response = post(&world, "notes.read", &body).send().await;
    world.assert_refused(&response, 403, None, &refusal("null", -32001, "Forbidden"));
}

#[tokio::test]
async fn other_revisions_have_no_batches() {
    let world = world("").await;
    for version in ["2025-06-18", "2025-11-25", "2026-07-28"] {
        let call = post(&world, "notes.read", &batch(&[call(1, "read_note")]));
        let response = call.header("MCP-Protocol-Version", version).send().await;
        world.assert_refused(&response, 400, None, &refusal("null", -32600, "Invalid Request"));
    }
}
