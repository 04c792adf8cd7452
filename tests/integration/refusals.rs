//! Every refusal, to the byte (the contract's section 3.3).

use crate::harness::{World, assert_answered};

#[tokio::test]
async fn acceptable_request_reaches_the_upstream() {
    let world = World::start().await;
    assert_answered(&world.authorized().send().await);
    assert_eq!(world.upstream.only_request().target, "/mcp");
}

#[tokio::test]
async fn request_without_credentials_is_challenged_without_error() {
    let world = World::start().await;
    world.assert_refused(
        &world.call().send().await,
        401,
        Some(&world.challenge("")),
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"Unauthorized","data":{"resource_metadata":"GATEWAY/.well-known/oauth-protected-resource/notes","required_scopes":["notes.read"],"request_id":"ID"}}}"#,
    );
}

#[tokio::test]
async fn unknown_token_is_invalid() {
    let world = World::start().await;
    let response = world.call().bearer("unknown").send().await;
    world.assert_invalid_token(&response, "The access token is not valid");
}
