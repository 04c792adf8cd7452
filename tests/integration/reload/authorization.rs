//! Rights that a new configuration takes away, or does not.

use gatehouse::reload::Outcome;

use super::{assert_passes, stream, with_tasks};
use crate::harness::{
    NOTES, TASKS, World, assert_answered, authorization_server::StubAuthorizationServer,
    jwt::SigningKey,
};

#[tokio::test]
async fn demand_for_more_scope_ends_the_streams_that_lack_it_and_no_others() {
    let world = World::start().await;
    let poor = world.token();
    let rich = world.claims().subject("rich").scope("notes.read notes.write");
    let rich = world.authorization_server.mint(&rich);
    let (poor_feed, mut poor_client) = stream(&world, &poor).await;
    let (rich_feed, mut rich_client) = stream(&world, &rich).await;
    let more = NOTES.replace("[notes.read]", "[notes.read, notes.write]");
    assert_eq!(world.reload(&more), Outcome::Applied);
    assert_eq!(world.call().bearer(&poor).send().await.status, 403);
    assert_eq!(poor_client.chunk().await, Some(Vec::new()), "its token does not suffice any more");
    drop(poor_feed);
    assert_answered(&world.call().bearer(&rich).send().await);
    assert_passes(&rich_feed, &mut rich_client, "still here").await;
    assert_eq!(world.authorization_server.introspection_count(), 2, "each was asked about once");
}

#[tokio::test]
async fn authorization_server_that_a_route_does_not_list_any_more_takes_its_streams_along() {
    let world = World::start().await;
    let token = world.token();
    let (_feed, mut client) = stream(&world, &token).await;
    let partner = StubAuthorizationServer::start().await;
    let yaml = NOTES.replace("ISSUER", partner.issuer()).replace("corp:", "partner:");
    assert_eq!(world.reload(&yaml), Outcome::Applied);
    assert_eq!(client.chunk().await, Some(Vec::new()));
    world.gateway.ready().await;
    let response = world.call().bearer(&token).send().await;
    assert_eq!(response.status, 401, "{response:?}");
    assert_eq!(world.authorization_server.introspection_count(), 1);
}

#[tokio::test]
async fn changed_authorization_server_is_asked_anew_and_serves_at_once() {
    let world = World::start().await;
    let token = world.token();
    assert_answered(&world.call().bearer(&token).send().await);
    let (feed, mut client) = stream(&world, &token).await;
    let yaml = NOTES.replace("    client:", "    introspection: {cache: {ttl: 50s}}\n    client:");
    assert_eq!(world.reload(&yaml), Outcome::Applied);
    let response = world.call().bearer(&token).send().await;
    assert_answered(&response);
    assert_eq!(world.authorization_server.introspection_count(), 2, "once more, by all together");
    assert_passes(&feed, &mut client, "still here").await;
}

#[tokio::test]
async fn key_set_is_kept() {
    let world = World::start().await;
    let key = SigningKey::generate("ES256");
    world.authorization_server.publish_keys(&[key.jwk()]);
    let yaml = NOTES.replace("    client:", "    access_tokens: jwt\n    client:");
    assert_eq!(world.reload(&yaml), Outcome::Applied);
    world.gateway.ready().await;
    let fetches = world.authorization_server.key_fetches();
    let claims = crate::harness::json(
        &world.claims().with("iss", world.authorization_server.issuer()).json(),
    );
    let token = key.token(&claims);
    let (feed, mut client) = stream(&world, &token).await;
    assert_eq!(world.reload(&format!("{yaml}{TASKS}")), Outcome::Applied);
    assert_answered(&world.call().bearer(&token).send().await);
    assert_passes(&feed, &mut client, "still here").await;
    assert_eq!(world.authorization_server.key_fetches(), fetches);
    assert_eq!(world.authorization_server.introspection_count(), 0);
}

#[tokio::test]
async fn route_that_becomes_protected_ends_what_was_opened_without_a_token() {
    let public = NOTES.replace("required_scopes: [notes.read]", "access: public").replace(
        "routes:",
        "routes:\n  other: {path: /other, upstream: UPSTREAM, required_scopes: []}",
    );
    let world = World::with(&public).await;
    let (feed, reply) = crate::harness::upstream::Feed::events();
    world.upstream.next(reply);
    let mut client = world.gateway.get("/notes").header("Accept", "text/event-stream").open().await;
    assert_eq!(client.head().await.status, 200);
    assert_passes(&feed, &mut client, "public").await;
    let protected = public.replace("access: public", "required_scopes: [notes.read]");
    assert_eq!(world.reload(&protected), Outcome::Applied);
    assert_eq!(client.chunk().await, Some(Vec::new()));
    assert_eq!(world.call().send().await.status, 401);
    assert_eq!(world.reload(&with_tasks()), Outcome::Applied);
}
