//! `claims`: where scopes, subject and client are read, and which scopes count.

use serde_json::{Value, json};

use super::bare;
use crate::harness::{World, assert_answered, token::Token};

/// The usual world with this `claims` section.
async fn world(claims: &str) -> World {
    World::but("client:", &format!("claims: {claims}\n    client:")).await
}

async fn status(world: &World, claims: Token) -> u16 {
    let claims = claims.audience(&world.gateway.url("/notes"));
    let token = world.authorization_server.mint(&claims);
    world.call().bearer(&token).send().await.status
}

#[tokio::test]
async fn scopes_are_found_by_pointer_and_the_first_present_name_wins() {
    let world = world("{scope: [/realm_access/roles, '/x~1y', scope]}").await;
    let roles = |roles: Value| bare().with("realm_access", json!({ "roles": roles }));
    for (claims, expected) in [
        (roles(json!(["notes.read"])), 200),
        (roles(json!(["a role with spaces", "notes.read", "r\u{f4}le"])), 200),
        (roles(json!("other notes.read")), 200),
        (roles(json!(["other"])), 403),
        (roles(json!(["not notes.read"])), 403),
        (roles(json!([])).scope("notes.read"), 403),
        (roles(Value::Null).scope("notes.read"), 200),
        (bare().with("realm_access", "notes.read").scope("notes.read"), 200),
        (bare().with("realm_access", "notes.read"), 403),
        (bare().with("x/y", "notes.read"), 200),
        (bare().with("/realm_access/roles", "notes.read"), 403),
        (bare().scope("notes.read"), 200),
    ] {
        assert_eq!(status(&world, claims.clone()).await, expected, "{}", claims.json());
    }
}

#[tokio::test]
async fn claim_of_the_wrong_type_behind_a_pointer_is_the_servers_failure() {
    let world = world("{scope: [/realm_access/roles]}").await;
    for roles in [json!(7), json!({"notes.read": true}), json!(["notes.read", 7]), json!("a\tb")] {
        let claims = world.claims().with("realm_access", json!({ "roles": roles }));
        let token = world.authorization_server.mint(&claims);
        world.assert_unavailable(&world.call().bearer(&token).send().await);
    }
    // RFC 8259 leaves a member that is there twice to each reader; here neither counts.
    let audience = world.gateway.url("/notes");
    let text = format!(
        r#"{{"active":true,"aud":"{audience}","realm_access":{{"roles":[],"roles":["notes.read"]}}}}"#
    );
    world.authorization_server.know("twice", &text);
    world.assert_unavailable(&world.call().bearer("twice").send().await);
}

#[tokio::test]
async fn scope_counts_with_and_without_a_configured_prefix() {
    let world = world("{scope_prefixes: ['api://notes/', 'x:']}").await;
    for (scope, expected) in [
        ("api://notes/notes.read", 200),
        ("x:notes.read", 200),
        ("notes.read", 200),
        ("api://other/notes.read", 403),
        ("x:api://notes/notes.read", 403),
        ("api://notes/", 403),
        ("API://notes/notes.read", 403),
    ] {
        assert_eq!(status(&world, bare().scope(scope)).await, expected, "{scope}");
    }
    let world =
        World::but("required_scopes: [notes.read]", "required_scopes: ['api://notes/notes.read']")
            .await;
    assert_eq!(status(&world, bare().scope("notes.read")).await, 403, "not configured");
}

#[tokio::test]
async fn scope_that_clients_must_ask_for_in_full_may_be_granted_short() {
    let yaml = crate::harness::NOTES
        .replace("client:", "claims: {scope_prefixes: ['api://notes/']}\n    client:")
        .replace("[notes.read]", "['api://notes/notes.read']");
    let world = World::with(&yaml).await;
    assert_eq!(status(&world, bare().with("scp", "notes.read")).await, 200);
    assert_eq!(status(&world, bare().with("scp", "notes.write")).await, 403);
    let challenge = world.call().send().await.header("www-authenticate").unwrap().to_owned();
    assert!(challenge.ends_with(r#"scope="api://notes/notes.read""#), "{challenge}");
}

#[tokio::test]
async fn client_found_by_pointer_is_the_one_an_audience_is_compared_with() {
    let yaml = crate::harness::NOTES
        .replace("client:", "claims: {client_id: [/app/id, azp]}\n    client:")
        .replace("required_scopes", "audience_match: client_id\n    required_scopes");
    let world = World::with(&yaml).await;
    let of = |app: &str| bare().scope("notes.read").with("app", json!({ "id": app }));
    let token = world.authorization_server.mint(&of("app-1").audience("app-1"));
    for claims in [
        of("app-1").audience("app-2"),
        of("app-1").audience(&world.gateway.url("/notes")),
        of("app-1").with("aud", Value::Null),
        // The first that is present wins, and `client_id` is not among the names.
        of("app-1").with("azp", "app-2").audience("app-2"),
        bare().scope("notes.read").audience("client-1"),
    ] {
        let refused = world.authorization_server.mint(&claims);
        let response = world.call().bearer(&refused).send().await;
        world.assert_invalid_token(&response, "The access token was not issued for this resource");
    }
    assert_answered(&world.call().bearer(&token).send().await);
}
