//! `rate_limit` of a route: who is counted, where, and what a refusal says.

use std::{sync::Arc, time::Duration};

use gatehouse::{clock::ManualClock, reload::Outcome};

use crate::harness::{
    NOTES, Parties, World, assert_answered, client::Call, gateway::TestGateway, raw::RawResponse,
    refusal,
};

/// The usual route with a rate limit, believing proxies on loopback, on a clock of its own.
async fn limited(limit: &str) -> (World, Arc<ManualClock>) {
    with(&yaml(limit)).await
}

fn yaml(limit: &str) -> String {
    let route = NOTES.replace("    path:", &format!("    rate_limit: {{{limit}}}\n    path:"));
    format!("listen: {{trusted_proxies: [127.0.0.1]}}\n{route}")
}

async fn with(yaml: &str) -> (World, Arc<ManualClock>) {
    let (parties, clock) = (Parties::start().await, Arc::new(ManualClock::new()));
    let gateway = TestGateway::prepare(&parties.fill(yaml)).clock(&clock).start();
    gateway.ready().await;
    let Parties { authorization_server, upstream } = parties;
    (World { gateway, authorization_server, upstream }, clock)
}

/// A call of this subject by this client.
fn call_of(world: &World, subject: &str, client: &str) -> Call {
    let claims = world.claims().subject(subject).with("client_id", client);
    world.call().bearer(&world.authorization_server.mint(&claims))
}

/// Asserts that a call is refused for its rate, and that the upstream hears nothing of it.
async fn assert_limited(world: &World, call: &Call, seconds: &str) -> RawResponse {
    let heard = world.upstream.requests().len();
    let response = call.send().await;
    assert_eq!(response.status, 429, "{response:?}");
    assert_eq!(response.header("retry-after"), Some(seconds), "{response:?}");
    assert_eq!(response.header("www-authenticate"), None, "{response:?}");
    let request_id = response.header("x-request-id").unwrap();
    let body =
        refusal("1", -32000, "Too Many Requests").replace(r#""ID""#, &format!("{request_id:?}"));
    assert_eq!(response.text(), body);
    assert_eq!(world.upstream.requests().len(), heard);
    response
}

#[tokio::test]
async fn subject_is_limited_whatever_its_token_and_client() {
    let (world, clock) = limited("requests: 1, per: 10s, burst: 2").await;
    assert_answered(&call_of(&world, "alice", "one").send().await);
    assert_answered(&call_of(&world, "alice", "two").send().await);
    assert_limited(&world, &call_of(&world, "alice", "three"), "10").await;
    assert_answered(&call_of(&world, "bob", "one").send().await);
    clock.advance(Duration::from_millis(8500));
    assert_limited(&world, &call_of(&world, "alice", "one"), "2").await;
    clock.advance(Duration::from_millis(1500));
    assert_answered(&call_of(&world, "alice", "one").send().await);
    assert_limited(&world, &call_of(&world, "alice", "one"), "10").await;
    let refusals = r#"gatehouse_limit_refusals_total{limit="rate_limited"}"#;
    world.gateway.counts(refusals, 3.0).await;
    let denied =
        r#"gatehouse_auth_decisions_total{outcome="denied",reason="rate_limited",route="notes"}"#;
    assert!(world.gateway.metric(denied).await < 0.1, "it says nothing of a token");
}

#[tokio::test]
async fn client_is_limited_whoever_uses_it() {
    let (world, _clock) = limited("requests: 1, per: 1h, by: client_id").await;
    assert_answered(&call_of(&world, "alice", "one").send().await);
    assert_limited(&world, &call_of(&world, "bob", "one"), "3600").await;
    assert_answered(&call_of(&world, "alice", "two").send().await);
}

#[tokio::test]
async fn token_that_names_nobody_counts_for_its_principal() {
    let (world, _clock) = limited("requests: 1, per: 1h").await;
    let nameless = |client: &str| {
        let claims = world.claims().without("sub").with("client_id", client);
        world.call().bearer(&world.authorization_server.mint(&claims))
    };
    assert_answered(&nameless("one").send().await);
    assert_limited(&world, &nameless("one"), "3600").await;
    assert_answered(&nameless("two").send().await);
}

#[tokio::test]
async fn address_is_limited_before_anybody_is_asked_about_a_token() {
    let (world, _clock) = limited("requests: 2, per: 1h, by: address").await;
    let from =
        |address: &str, token: &str| world.call().bearer(token).header("X-Forwarded-For", address);
    assert_eq!(from("192.0.2.1", "junk").send().await.status, 401);
    assert_answered(&from("192.0.2.1", &world.token()).send().await);
    let asked = world.authorization_server.introspection_count();
    assert_limited(&world, &from("192.0.2.1", "other-junk"), "1800").await;
    assert_limited(&world, &from("198.51.100.7, 192.0.2.1", &world.token()), "1800").await;
    assert_eq!(world.authorization_server.introspection_count(), asked);
    assert_answered(&from("192.0.2.2", &world.token()).send().await);
    for n in 0..2 {
        let call = from(&format!("2001:db8:1:2::{n}"), &world.token());
        assert_answered(&call.send().await);
    }
    assert_limited(&world, &from("2001:db8:1:2:ffff::1", &world.token()), "1800").await;
    assert_answered(&from("2001:db8:1:3::1", &world.token()).send().await);
    // The proxy itself is nobody, and so is whoever it does not name.
    for _ in 0..4 {
        assert_answered(&world.authorized().send().await);
    }
}

#[tokio::test]
async fn request_that_needs_no_token_counts_by_its_address_with_its_body_unread() {
    let limit = yaml("requests: 1, per: 1h");
    let limit = limit.replace("    path:", "    anonymous_methods: [ping]\n    path:");
    let (world, _clock) = with(&limit).await;
    let from = |address: &str| world.call().header("X-Forwarded-For", address);
    assert_answered(&from("192.0.2.1").send().await);
    assert_limited(&world, &from("192.0.2.1"), "3600").await;
    assert_answered(&from("192.0.2.2").send().await);
    assert_answered(&from("192.0.2.1").bearer(&world.token()).send().await);
}

#[tokio::test]
async fn long_body_of_a_limited_request_is_not_read() {
    let (world, _clock) = limited("requests: 1, per: 1h").await;
    assert_answered(&world.authorized().send().await);
    let call = world.gateway.post("/notes").bearer(&world.token());
    let call = call.header("Content-Length", "1000000");
    let response = call.open().await.response().await;
    assert_eq!(response.status, 429, "{response:?}");
    assert_eq!(response.header("connection"), Some("close"));
    assert_eq!(world.upstream.requests().len(), 1);
}

#[tokio::test]
async fn reload_keeps_what_was_used_as_long_as_the_limit_stays() {
    let (world, _clock) = limited("requests: 1, per: 1h").await;
    let call = world.authorized();
    assert_answered(&call.send().await);
    let other = yaml("requests: 1, per: 1h").replace("trusted", "drain_timeout: 5s, trusted");
    assert_eq!(world.reload(&other), Outcome::Applied);
    assert_limited(&world, &call, "3600").await;
    let scopes = other.replace("[notes.read]", "[notes.read]\n    shadow: true");
    assert_eq!(world.reload(&scopes), Outcome::Applied);
    assert_limited(&world, &call, "3600").await;
    assert_eq!(world.reload(&yaml("requests: 2, per: 1h")), Outcome::Applied);
    assert_answered(&call.send().await);
    assert_answered(&call.send().await);
    assert_limited(&world, &call, "1800").await;
    assert_eq!(world.reload(NOTES), Outcome::Applied);
    assert_answered(&call.send().await);
}

#[tokio::test]
async fn each_route_has_a_limit_of_its_own_and_others_none() {
    let second = "  tasks:
    path: /tasks
    upstream: UPSTREAM
    required_scopes: [notes.read]
    audiences: ['GATEWAY/notes']
    rate_limit: {requests: 1, per: 1h}
";
    let (world, _clock) = with(&format!("{}{second}", yaml("requests: 1, per: 1h"))).await;
    let token = world.token();
    let tasks = world.gateway.post("/tasks").body(crate::harness::PING).bearer(&token);
    assert_answered(&world.call().bearer(&token).send().await);
    assert_answered(&tasks.send().await);
    assert_limited(&world, &tasks, "3600").await;
}

/// P04: however many callers there are, there are as many series as before.
#[tokio::test]
async fn callers_make_no_series() {
    let (world, _clock) = limited("requests: 1, per: 1h, by: address").await;
    let series = async || world.gateway.operate("/metrics").await.text().lines().count();
    let call = async |n: usize| {
        let address = format!("192.0.2.{}", n % 100);
        world.call().header("X-Forwarded-For", &address).send().await.status
    };
    assert_eq!((call(0).await, call(0).await), (401, 429));
    let before = series().await;
    for n in 1..200 {
        assert_eq!(call(n).await, if n < 100 { 401 } else { 429 });
    }
    assert_eq!(series().await, before);
}
