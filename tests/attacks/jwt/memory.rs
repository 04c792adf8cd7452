//! What is remembered of a token, on other routes and under pressure.

use std::{sync::Arc, time::Duration};

use gatehouse::clock::ManualClock;
use serde_json::json;

use super::{CLIENT, NOT_VALID, call, claims, claims_but, world};
use crate::harness::{
    NOTES, PING, Parties, World, assert_answered,
    authorization_server::Answer,
    gateway::TestGateway,
    jwt::{SigningKey, key_set},
};

/// J19, lua-resty-openidc #399: remembered on one route, judged anew on the next, by its audience and
/// its scopes.
#[tokio::test]
async fn remembered_token_is_judged_by_each_route() {
    let key = SigningKey::generate("ES256");
    let parties = Parties::start().await;
    parties.authorization_server.publish_keys(&[key.jwk()]);
    let more = "  files:
    path: /files
    upstream: UPSTREAM
  admin:
    path: /admin
    upstream: UPSTREAM
    audiences: ['GATEWAY/notes']
    required_scopes: [admin]
";
    let yaml = format!("{}{more}", NOTES.replace(CLIENT, "access_tokens: jwt"));
    let world = parties.with(&yaml).await;
    let token = key.token(&claims(&world));
    let on = async |path: &str| world.gateway.post(path).bearer(&token).body(PING).send().await;
    for _ in 0..2 {
        assert_answered(&on("/notes").await);
    }
    let before = world.upstream.bytes_received();
    for _ in 0..2 {
        let elsewhere = on("/files").await;
        assert_eq!(elsewhere.status, 401);
        let challenge = elsewhere.header("www-authenticate").unwrap();
        assert!(challenge.contains("was not issued for this resource"), "{challenge}");
        let short = on("/admin").await;
        assert_eq!(short.status, 403);
        assert!(short.header("www-authenticate").unwrap().ends_with(r#"scope="admin""#));
    }
    assert_eq!(world.upstream.bytes_received(), before);
}

/// J18: tokens that differ in their last characters only, while one of them is remembered.
#[tokio::test]
async fn token_that_resembles_a_remembered_one_is_judged_alone() {
    let key = SigningKey::generate("ES256");
    let world = world(&[key.jwk()]).await;
    let good = key.token(&claims(&world));
    assert_answered(&call(&world, &good).await);
    let before = world.upstream.bytes_received();
    for last in ["A", "Q", "g", "w", "_", "-"] {
        let token = format!("{}{last}", &good[..good.len() - 1]);
        if token != good {
            assert_eq!(call(&world, &token).await.status, 401, "{last}");
        }
    }
    for cut in 1..4 {
        assert_eq!(call(&world, &good[..good.len() - cut]).await.status, 401);
    }
    assert_eq!(world.upstream.bytes_received(), before);
    assert_answered(&call(&world, &good).await);
}

/// I22: many claims, deep claims and long ones cost a refusal or are read; never the process.
#[tokio::test]
async fn bombs_of_claims_are_bounded() {
    let key = SigningKey::generate("ES256");
    let world = world(&[key.jwk()]).await;
    let header = key.header().to_string();
    let text = claims(&world).to_string();
    for deep in [format!("{}1{}", "[".repeat(3000), "]".repeat(3000)), "[".repeat(8000)] {
        let payload = text.replacen('{', &format!(r#"{{"deep":{deep},"#), 1);
        world.assert_invalid_token(&call(&world, &key.sign(&header, &payload)).await, NOT_VALID);
    }
    let groups: Vec<_> = (0..800).map(|n| format!("group-{n}")).collect();
    let many = claims_but(&world, &json!({"groups": groups, "jti": 2}));
    assert_answered(&call(&world, &key.token(&many)).await);
    let before = world.upstream.bytes_received();
    for (length, status) in [(13_000, 400), (40_000, 431)] {
        let long = claims_but(&world, &json!({"x": "x".repeat(length)}));
        let response = call(&world, &key.token(&long)).await;
        assert_eq!(response.status, status, "{response:?}");
    }
    assert_eq!(world.upstream.bytes_received(), before);
}

/// I26: whoever uses the budget for unknown keys up, the server's real change is seen in time.
#[tokio::test]
async fn flood_does_not_keep_regular_fetches_from_seeing_a_rotation() {
    let (old, new) = (SigningKey::generate("ES256"), SigningKey::generate("ES256").named("key-2"));
    let clock = Arc::new(ManualClock::new());
    let world = super::with_clock(&clock, &[old.jwk()]).await;
    let flood = async |world: &World, round: u32| {
        for n in 0..20 {
            let token = new.named(&format!("junk-{round}-{n}")).token(&claims(world));
            let status = if n == 0 { 401 } else { 429 };
            assert_eq!(call(world, &token).await.status, status);
        }
    };
    for round in 0..8 {
        flood(&world, round).await;
        clock.advance(Duration::from_secs(30));
    }
    // The budget is spent again just before the keys change.
    flood(&world, 8).await;
    let published = key_set(&[old.jwk(), new.jwk()]);
    world.authorization_server.answer_keys_with(Answer::json(&published));
    assert_eq!(call(&world, &new.token(&claims(&world))).await.status, 429);
    clock.advance(Duration::from_secs(30));
    assert_answered(&call(&world, &new.token(&claims(&world))).await);
}

/// J36, CVE-2026-59822: with `auto` the name of the issuer decides, and what was decided
/// stays so, whatever the introspection endpoint would say.
#[tokio::test]
async fn auto_never_asks_about_what_it_verifies() {
    let (key, other) = (SigningKey::generate("ES256"), SigningKey::generate("ES256"));
    let parties = Parties::start().await;
    parties.authorization_server.publish_keys(&[key.jwk()]);
    let yaml = NOTES.replace(CLIENT, &format!("access_tokens: auto\n    {CLIENT}"));
    let gateway = TestGateway::start(&parties.fill(&yaml));
    gateway.ready().await;
    let Parties { authorization_server, upstream } = parties;
    let world = World { gateway, authorization_server, upstream };
    // The endpoint calls everything active.
    world.authorization_server.answer_with(Answer::json(&world.claims().json()));
    for token in [
        other.token(&claims(&world)),
        key.token(&claims_but(&world, &json!({"exp": 1}))),
        format!("{}=", key.token(&claims(&world))),
        key.token_with(&json!({"typ": "id+jwt"}), &claims(&world)),
    ] {
        let response = call(&world, &token).await;
        assert_eq!(response.status, 401, "{response:?}");
        assert_eq!(world.upstream.bytes_received(), 0);
    }
    assert_eq!(world.authorization_server.introspection_count(), 0);
    assert_answered(&call(&world, &key.token(&claims(&world))).await);
    assert_answered(&call(&world, "opaque").await);
    assert_eq!(world.authorization_server.introspection_count(), 1);
}
