//! What is remembered of an answer, for how long, and who asks.

use std::{sync::Arc, time::Duration};

use gatehouse::clock::{Clock, ManualClock};

use crate::harness::{
    NOTES, Parties, World, assert_answered, authorization_server::Answer, clock::eventually,
    gateway::TestGateway,
};

/// A world whose time stands still.
async fn timed(yaml: &str) -> (World, Arc<ManualClock>) {
    let Parties { authorization_server, upstream } = Parties::start().await;
    let yaml =
        yaml.replace("ISSUER", authorization_server.issuer()).replace("UPSTREAM", &upstream.url());
    let clock = Arc::new(ManualClock::new());
    let gateway = TestGateway::prepare(&yaml).clock(&clock).start();
    gateway.ready().await;
    (World { gateway, authorization_server, upstream }, clock)
}

fn cached(cache: &str) -> String {
    NOTES.replace("client:", &format!("introspection: {{cache: {{{cache}}}}}\n    client:"))
}

#[expect(clippy::cast_possible_truncation, reason = "seconds since the epoch fit")]
fn in_seconds(clock: &ManualClock, seconds: i64) -> i64 {
    clock.unix_seconds() as i64 + seconds
}

async fn lookups(world: &World, result: &str) -> f64 {
    let series = format!(
        r#"gatehouse_token_cache_lookups_total{{authorization_server="corp",result="{result}"}}"#
    );
    world.gateway.metric(&series).await
}

#[tokio::test]
async fn active_answer_is_believed_for_its_ttl() {
    let (world, clock) = timed(&cached("ttl: 60s")).await;
    let token = world.token();
    for (pause, asked) in [(0, 1), (59, 1), (1, 2), (59, 2), (1, 3)] {
        clock.advance(Duration::from_secs(pause));
        assert_answered(&world.call().bearer(&token).send().await);
        assert_eq!(world.authorization_server.introspection_count(), asked);
    }
    assert!((lookups(&world, "miss").await - 3.0).abs() < 0.1);
    assert!((lookups(&world, "hit").await - 2.0).abs() < 0.1);
}

#[tokio::test]
async fn revoked_token_is_refused_when_the_ttl_is_over() {
    let (world, clock) = timed(&cached("ttl: 60s")).await;
    let token = world.token();
    assert_answered(&world.call().bearer(&token).send().await);
    world.authorization_server.revoke(&token);
    clock.advance(Duration::from_secs(59));
    assert_answered(&world.call().bearer(&token).send().await);
    clock.advance(Duration::from_secs(1));
    assert_eq!(world.call().bearer(&token).send().await.status, 401);
    world.authorization_server.know(&token, &world.claims().json());
    assert_eq!(world.call().bearer(&token).send().await.status, 401, "that is remembered too");
}

#[tokio::test]
async fn inactive_answer_is_believed_for_its_own_short_time() {
    let (world, clock) = timed(&cached("negative_ttl: 10s")).await;
    for _ in 0..3 {
        assert_eq!(world.call().bearer("later").send().await.status, 401);
    }
    assert_eq!(world.authorization_server.introspection_count(), 1);
    assert!((lookups(&world, "negative_hit").await - 2.0).abs() < 0.1);
    world.authorization_server.know("later", &world.claims().json());
    clock.advance(Duration::from_secs(10));
    assert_answered(&world.call().bearer("later").send().await);
}

#[tokio::test]
async fn nothing_is_believed_without_a_ttl() {
    let (world, _clock) = timed(&cached("ttl: 0s, negative_ttl: 0s")).await;
    let token = world.token();
    for asked in 1..4 {
        assert_answered(&world.call().bearer(&token).send().await);
        assert_eq!(world.authorization_server.introspection_count(), asked);
    }
    world.authorization_server.revoke(&token);
    assert_eq!(world.call().bearer(&token).send().await.status, 401);
    world.authorization_server.know(&token, &world.claims().json());
    assert_answered(&world.call().bearer(&token).send().await);
}

#[tokio::test]
async fn remembered_token_expires_to_the_second() {
    let (world, clock) = timed(&cached("ttl: 60s")).await;
    let claims = world.claims().with("exp", in_seconds(&clock, 30));
    let token = world.authorization_server.mint(&claims);
    assert_answered(&world.call().bearer(&token).send().await);
    clock.advance(Duration::from_secs(28));
    assert_answered(&world.call().bearer(&token).send().await);
    clock.advance(Duration::from_secs(2));
    let response = world.call().bearer(&token).send().await;
    assert_eq!(response.status, 401);
    assert!(response.text().contains("The access token expired"), "{response:?}");
    assert_eq!(world.authorization_server.introspection_count(), 1, "known without asking");
}

#[tokio::test]
async fn failures_are_never_remembered() {
    let (world, _clock) = timed(NOTES).await;
    let token = world.token();
    world.authorization_server.answer_with(Answer::status(500));
    for asked in 1..4 {
        world.assert_unavailable(&world.call().bearer(&token).send().await);
        assert_eq!(world.authorization_server.introspection_count(), asked);
    }
    world.authorization_server.recover();
    assert_answered(&world.call().bearer(&token).send().await);
}

#[tokio::test]
async fn remembered_answer_serves_while_the_server_is_down_and_no_longer_than_its_ttl() {
    let (world, clock) = timed(&cached("ttl: 60s")).await;
    let token = world.token();
    assert_answered(&world.call().bearer(&token).send().await);
    world.authorization_server.answer_with(Answer::Close);
    clock.advance(Duration::from_secs(59));
    assert_answered(&world.call().bearer(&token).send().await);
    clock.advance(Duration::from_secs(1));
    assert_eq!(world.call().bearer(&token).send().await.status, 503);
}

#[tokio::test]
async fn older_answer_serves_a_failing_server_where_that_is_configured() {
    let (world, clock) = timed(&cached("ttl: 60s, stale_if_error: 120s")).await;
    let token =
        world.authorization_server.mint(&world.claims().with("exp", in_seconds(&clock, 150)));
    let long = world.token();
    for token in [&token, &long] {
        assert_answered(&world.call().bearer(token).send().await);
    }
    clock.advance(Duration::from_secs(100));
    world.authorization_server.answer_with(Answer::status(503));
    assert_answered(&world.call().bearer(&token).send().await);
    assert!((lookups(&world, "stale").await - 1.0).abs() < 0.1);
    clock.advance(Duration::from_secs(50));
    assert_eq!(world.call().bearer(&token).send().await.status, 401, "it expired meanwhile");
    assert_answered(&world.call().bearer(&long).send().await);
    clock.advance(Duration::from_secs(30));
    assert_eq!(world.call().bearer(&long).send().await.status, 503);
    world.authorization_server.recover();
    world.authorization_server.revoke(&long);
    assert_eq!(world.call().bearer(&long).send().await.status, 401, "an answer wins over memory");
}

#[tokio::test]
async fn facts_are_judged_again_by_every_route() {
    let yaml = format!(
        "{NOTES}  other:\n    path: /other\n    upstream: UPSTREAM\n    required_scopes: [other]\n  wide:\n    path: /wide\n    upstream: UPSTREAM\n    audiences: [GATEWAY/notes]\n    required_scopes: [wide]\n"
    );
    let world = World::with(&yaml).await;
    let token = world.token();
    assert_answered(&world.call().bearer(&token).send().await);
    let ask = |path: &str| world.gateway.post(path).bearer(&token).body("{}");
    assert_eq!(ask("/other").send().await.status, 401, "issued for another resource");
    assert_eq!(ask("/wide").send().await.status, 403, "short of scope");
    assert_eq!(world.authorization_server.introspection_count(), 1);
}

#[tokio::test]
async fn thousand_first_uses_of_one_token_are_one_call() {
    let world = World::start().await;
    let token = world.token();
    world.authorization_server.hold();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        let call = world.call().bearer(&token);
        calls.spawn(async move { call.send().await.status });
    }
    let coalesced =
        r#"gatehouse_token_cache_lookups_total{authorization_server="corp",result="coalesced"}"#;
    world.gateway.counts(coalesced, 999.0).await;
    world.authorization_server.release();
    while let Some(status) = calls.join_next().await {
        assert_eq!(status.unwrap(), 200);
    }
    assert_eq!(world.authorization_server.introspection_count(), 1);
}

#[tokio::test]
async fn question_survives_the_caller_that_began_it() {
    let world = World::start().await;
    let token = world.token();
    world.authorization_server.hold();
    let first = world.call().bearer(&token).open().await;
    eventually("the question", || match world.authorization_server.introspection_count() {
        1 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    let mut second = world.call().bearer(&token).open().await;
    drop(first);
    world.gateway.counts("gatehouse_connections", 1.0).await;
    world.authorization_server.release();
    assert_answered(&second.response().await);
    assert_answered(&world.call().bearer(&token).send().await);
    assert_eq!(world.authorization_server.introspection_count(), 1);
    assert_eq!(world.upstream.requests().len(), 2, "the first one was never forwarded");
}

#[tokio::test]
async fn different_tokens_are_asked_about_each() {
    let world = World::start().await;
    let poor = world.claims().scope("other");
    world.authorization_server.know("same-prefix-aaaa", &world.claims().json());
    world.authorization_server.know("same-prefix-aaab", &poor.json());
    for (token, status) in [
        ("same-prefix-aaaa", 200),
        ("same-prefix-aaab", 403),
        ("same-prefix-aaac", 401),
        ("same-prefix-aaa", 401),
        ("SAME-PREFIX-AAAA", 401),
    ] {
        for _ in 0..2 {
            assert_eq!(world.call().bearer(token).send().await.status, status, "{token}");
        }
    }
    assert_eq!(world.authorization_server.introspection_count(), 5);
}

#[tokio::test]
async fn two_servers_remember_apart() {
    let other = crate::harness::authorization_server::StubAuthorizationServer::start().await;
    let parties = Parties::start().await;
    let yaml = parties.fill(NOTES).replace(
        "routes:\n  notes:",
        &format!(
            "  other:\n    issuer: {}\n    client: {{id: gatehouse, secret: introspection-secret}}\nroutes:\n  other:\n    path: /other\n    upstream: {}\n    authorization_servers: [other]\n    required_scopes: []\n  notes:\n    authorization_servers: [corp]",
            other.issuer(),
            parties.upstream.url()
        ),
    );
    let world = parties.with(&yaml).await;
    world.authorization_server.know("same", &world.claims().json());
    assert_answered(&world.call().bearer("same").send().await);
    let response = world.gateway.post("/other").bearer("same").body("{}").send().await;
    assert_eq!(response.status, 401, "the other server does not know it");
    assert_eq!(
        (world.authorization_server.introspection_count(), other.introspection_count()),
        (1, 1)
    );
}
