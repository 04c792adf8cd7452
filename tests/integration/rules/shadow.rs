//! A shadowed route judges and counts, and refuses nothing for want of scopes.

use super::{post, tool, world};
use crate::harness::{assert_answered, refusal};

#[tokio::test]
async fn want_of_scopes_is_counted_and_lets_pass() {
    let world = world("    shadow: true\n").await;
    assert_answered(&post(&world, "notes.read", &tool("write_note")).send().await);
    assert_answered(&post(&world, "other", &tool("read_note")).send().await);
    assert_answered(&post(&world, "notes.read", &tool("read_note")).send().await);
    world.gateway.counts("gatehouse_shadow_denials_total{route=\"notes\"}", 2.0).await;
}

#[tokio::test]
async fn denials_and_bad_tokens_are_refused_all_the_same() {
    let world = world("    shadow: true\n").await;
    let response = post(&world, "notes.read", &tool("debug_shown")).send().await;
    world.assert_refused(&response, 403, None, &refusal("1", -32001, "Forbidden"));
    let response = world.gateway.post("/notes").bearer("unknown").body(tool("x")).send().await;
    assert_eq!(response.status, 401);
    assert_eq!(world.upstream.bytes_received(), 0);
}
