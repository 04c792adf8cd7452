//! Which key may have signed a token, and what an attacker can make the gateway fetch.

use std::{
    io::ErrorKind,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use gatehouse::clock::ManualClock;
use serde_json::{Value, json};

use gatehouse::clock::Clock as _;

use super::{NOT_VALID, all_refused_in_time, call, claims, with_clock};
use crate::harness::{
    NOTES, Parties, assert_answered,
    authorization_server::Answer,
    gateway::TestGateway,
    jwt::{SigningKey, key_set},
    refusal,
};

/// I04, CVE-2018-0114: a token brings no key along, and nothing is fetched for it.
#[tokio::test]
async fn keys_that_a_token_brings_or_names_are_ignored() {
    let (key, evil) = (SigningKey::generate("ES256"), SigningKey::generate("ES256").named("evil"));
    let clock = Arc::new(ManualClock::new());
    let world = with_clock(&clock, &[key.jwk()]).await;
    // Whoever connects waits in its queue, so that it can be asked in the end.
    let canary = TcpListener::bind("127.0.0.1:0").unwrap();
    canary.set_nonblocking(true).unwrap();
    let url = format!("http://{}/jwks", canary.local_addr().unwrap());
    let claims = claims(&world);
    let mut tokens = Vec::new();
    for name in ["evil", "key-1"] {
        for more in [
            json!({"jku": url}),
            json!({"x5u": url}),
            json!({"jwk": evil.jwk()}),
            json!({"x5c": ["MIIB"]}),
            json!({"x5t": "AAAA", "x5t#S256": "AAAA"}),
            json!({"jku": url, "x5u": url, "jwk": evil.jwk(), "kid": url}),
        ] {
            tokens.push((more.to_string(), evil.named(name).token_with(&more, &claims)));
        }
    }
    all_refused_in_time((&world, &clock), &key, NOT_VALID, &tokens).await;
    // They spoil nothing either: the key is that of the set.
    let token = key.token_with(&json!({"jku": url, "jwk": evil.jwk(), "x5c": ["MIIB"]}), &claims);
    assert_answered(&call(&world, &token).await);
    let nobody = canary.accept().unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::WouldBlock, "something was fetched for a token");
}

/// I05: a `kid` is compared, and is no path, query or command.
#[tokio::test]
async fn key_ids_are_names_and_nothing_else() {
    let (key, evil) = (SigningKey::generate("ES256"), SigningKey::generate("ES256"));
    let clock = Arc::new(ManualClock::new());
    let world = with_clock(&clock, &[key.jwk()]).await;
    let claims = claims(&world);
    let long = "k".repeat(5000);
    let mut tokens = Vec::new();
    for kid in [
        "../../../../dev/null",
        "/dev/null",
        "x' UNION SELECT 'key",
        "|sleep 10",
        "$(id)",
        "key-1\0",
        "KEY-1",
        "key-1 ",
        "",
        "\n\u{1b}[31m",
        &long,
    ] {
        tokens.push((kid.to_owned(), evil.named(kid).token(&claims)));
        tokens.push((kid.to_owned(), key.named(kid).token(&claims)));
    }
    all_refused_in_time((&world, &clock), &key, NOT_VALID, &tokens).await;
}

/// I09, I24: keys that prove nothing are not used, and spoil no other.
#[tokio::test]
async fn unfit_keys_of_a_set_verify_nothing() {
    let key = SigningKey::generate("ES256");
    let other = |name: &str| SigningKey::generate("ES256").named(name);
    let with = |key: &SigningKey, more: Value| {
        let mut jwk = key.jwk();
        for (name, value) in more.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        jwk
    };
    let (enc, sign, alg, private) = (other("enc"), other("sign"), other("alg"), other("private"));
    let weak = json!({"kty": "RSA", "kid": "weak", "e": "AQAB", "n": "A".repeat(171)});
    let clock = Arc::new(ManualClock::new());
    let set = [
        weak,
        with(&enc, json!({"use": "enc"})),
        with(&sign, json!({"key_ops": ["sign"]})),
        with(&alg, json!({"alg": "ES384"})),
        with(&private, json!({"d": "AAAA"})),
        json!({"kty": "EC"}),
        json!("key"),
        key.jwk(),
    ];
    let world = with_clock(&clock, &set).await;
    let claims = claims(&world);
    let tokens =
        [enc, sign, alg, private].map(|key| (key.header().to_string(), key.token(&claims)));
    all_refused_in_time((&world, &clock), &key, NOT_VALID, &tokens).await;
}

/// I25, GO-OIDC #482: a flood of unknown names costs one fetch per cooldown, and nobody else anything.
/// A name that nobody has looked for is not called unknown: its owner would log in anew.
#[tokio::test]
async fn flood_of_unknown_keys_is_one_fetch_per_cooldown() {
    let (key, evil) = (SigningKey::generate("ES256"), SigningKey::generate("ES256"));
    let clock = Arc::new(ManualClock::new());
    let world = with_clock(&clock, &[key.jwk()]).await;
    let good = key.token(&claims(&world));
    assert_eq!(world.authorization_server.key_fetches(), 1);
    for round in 1..=3 {
        for n in 0..100 {
            let token = evil.named(&format!("{round}-{n}")).token(&claims(&world));
            let response = call(&world, &token).await;
            if n == 0 {
                assert_eq!(response.status, 401, "looked for");
            } else {
                assert_eq!(response.status, 429);
                assert_eq!(response.header("www-authenticate"), None);
            }
            let same = evil.named("repeated").token(&claims(&world));
            let expected = if round == 1 { 429 } else { 401 };
            assert_eq!(call(&world, &same).await.status, expected, "round {round}");
        }
        assert_answered(&call(&world, &good).await);
        assert_answered(&call(&world, &key.token(&claims(&world))).await);
        assert_eq!(world.authorization_server.key_fetches(), 1 + round, "round {round}");
        clock.advance(Duration::from_secs(30));
    }
    let refused = world.upstream.requests().len();
    assert_eq!(refused, 6, "none of the flood went upstream");
}

/// I26, I27: whoever damages a signature, or floods with names, has nobody's new key called unknown.
#[tokio::test]
async fn rotation_under_attack_sends_nobody_to_a_login() {
    let (key, evil) = (SigningKey::generate("ES256"), SigningKey::generate("ES256"));
    let next = SigningKey::generate("ES256").named("next");
    for name in ["key-1", "nobodys"] {
        let clock = Arc::new(ManualClock::new());
        let world = with_clock(&clock, &[key.jwk()]).await;
        let forged = evil.named(name).token(&claims(&world));
        assert_eq!(call(&world, &forged).await.status, 401);
        let published = key_set(&[key.jwk(), next.jwk()]);
        world.authorization_server.answer_keys_with(Answer::json(&published));
        let good = next.token(&claims(&world));
        if name == "nobodys" {
            let response = call(&world, &good).await;
            let answer = refusal("1", -32000, "Too Many Requests");
            world.assert_refused(&response, 429, None, &answer);
            clock.advance(Duration::from_secs(30));
        }
        assert_answered(&call(&world, &good).await);
        assert_answered(&call(&world, &key.token(&claims(&world))).await);
    }
}

/// A token that says itself that it is over is refused by any key: whoever holds one is sent to log
/// in, however many unknown keys others name.
#[tokio::test]
async fn expired_tokens_of_keys_that_are_gone_are_refused_at_once() {
    let (key, gone) = (SigningKey::generate("ES256"), SigningKey::generate("ES256").named("gone"));
    let clock = Arc::new(ManualClock::new());
    let world = with_clock(&clock, &[key.jwk()]).await;
    let junk = gone.named("junk").token(&claims(&world));
    assert_eq!(call(&world, &junk).await.status, 401, "the budget is spent");
    let over = |seconds: i64| {
        let mut claims = claims(&world);
        claims["exp"] = json!(crate::harness::token::now() - seconds);
        gone.token(&claims)
    };
    world.assert_invalid_token(&call(&world, &over(60)).await, NOT_VALID);
    assert_eq!(call(&world, &over(-60)).await.status, 429, "it may be good by a new key");
    // Of a name that keeps coming it is known after the next fetch, and stays so.
    for _ in 0..3 {
        clock.advance(Duration::from_secs(30));
        let other = gone.named(&format!("{:?}", clock.instant())).token(&claims(&world));
        assert_eq!(call(&world, &other).await.status, 401, "this one is looked for");
        assert_eq!(call(&world, &over(-600)).await.status, 401);
    }
    assert_eq!(world.upstream.bytes_received(), 0);
}

/// I25, MOBULA #28: an answer without keys neither replaces good ones nor opens the budget.
#[tokio::test]
async fn flood_while_the_key_set_is_broken_is_one_fetch_and_good_tokens_pass() {
    let (key, evil) = (SigningKey::generate("ES256"), SigningKey::generate("ES256"));
    for broken in [Answer::json(r#"{"keys":[]}"#), Answer::status(500), Answer::json("<html>")] {
        let clock = Arc::new(ManualClock::new());
        let world = with_clock(&clock, &[key.jwk()]).await;
        world.authorization_server.answer_keys_with(broken.clone());
        for n in 0..50 {
            let token = evil.named(&n.to_string()).token(&claims(&world));
            // Whether the server has that key by now, nobody can say while it answers nonsense.
            world.assert_unavailable(&call(&world, &token).await);
        }
        assert_answered(&call(&world, &key.token(&claims(&world))).await);
        let fetches = world.authorization_server.key_fetches();
        // One on demand, and those after a failure, which come with growing pauses.
        assert!((2..=4).contains(&fetches), "{broken:?}: {fetches}");
    }
}

/// I27: calls go on while the server changes its keys, and the old key is then worth nothing.
#[tokio::test]
async fn rotation_under_load_fails_no_call() {
    let keys: Vec<_> =
        (0..3).map(|n| SigningKey::generate("ES256").named(&format!("key-{n}"))).collect();
    let clock = Arc::new(ManualClock::new());
    let world = with_clock(&clock, &[keys[0].jwk()]).await;
    let done = AtomicBool::new(false);
    let serve = async |key: &SigningKey, jti: usize| {
        let mut claims = claims(&world);
        claims["jti"] = json!(jti);
        assert_answered(&call(&world, &key.token(&claims)).await);
    };
    let load = async |worker: usize| {
        let mut calls = 0;
        while !done.load(Ordering::SeqCst) {
            serve(&keys[0], worker * 1_000_000 + calls).await;
            calls += 1;
        }
        calls
    };
    let rotate = async {
        for next in [1, 2] {
            let published: Vec<_> = keys[..=next].iter().map(SigningKey::jwk).collect();
            world.authorization_server.answer_keys_with(Answer::json(&key_set(&published)));
            let new = |jti| serve(&keys[next], jti);
            tokio::join!(new(1), new(2), new(3), new(4));
        }
        done.store(true, Ordering::SeqCst);
    };
    let (first, second, ()) = tokio::join!(load(1), load(2), rotate);
    assert!(first > 0 && second > 0, "there was load");
    assert_eq!(world.authorization_server.key_fetches(), 3, "one for each change");
    // The old ones go: refused as soon as the next regular fetch has been.
    let remembered = keys[0].token(&claims(&world));
    assert_answered(&call(&world, &remembered).await);
    let published = key_set(&[keys[2].jwk()]);
    world.authorization_server.answer_keys_with(Answer::json(&published));
    clock.advance(Duration::from_mins(5));
    assert_eq!(call(&world, &keys[2].token(&claims(&world))).await.status, 200);
    let series = r#"gatehouse_jwks_refreshes_total{authorization_server="corp",outcome="changed"}"#;
    world.gateway.counts(series, 4.0).await;
    assert_eq!(call(&world, &remembered).await.status, 401, "remembered, but its key is gone");
}

/// I28, I29: without keys nobody can say; kept keys serve a day, and then nobody can say again.
#[tokio::test]
async fn keys_that_cannot_be_had_are_no_reason_to_refuse_or_to_accept() {
    let key = SigningKey::generate("ES256");
    let parties = Parties::start().await;
    parties.authorization_server.publish_keys(&[key.jwk()]);
    parties.authorization_server.answer_keys_with(Answer::status(500));
    let yaml = parties.fill(&NOTES.replace(super::CLIENT, "access_tokens: jwt"));
    let clock = Arc::new(ManualClock::new());
    let gateway = TestGateway::prepare(&yaml).clock(&clock).start();
    gateway.readiness(503, "jwks_uri answered HTTP 500").await;
    let Parties { authorization_server, upstream } = parties;
    let world = crate::harness::World { gateway, authorization_server, upstream };
    let token = |life: u64| {
        let mut claims = claims(&world);
        claims["exp"] = json!(crate::harness::token::now().unsigned_abs() + life);
        key.token(&claims)
    };
    world.assert_unavailable(&call(&world, &token(60)).await);
    world.authorization_server.answer_keys_with(Answer::json(&key_set(&[key.jwk()])));
    clock.advance(Duration::from_secs(30));
    world.gateway.ready().await;
    let long = token(200_000);
    assert_answered(&call(&world, &long).await);
    world.authorization_server.answer_keys_with(Answer::Close);
    clock.advance(Duration::from_hours(23));
    assert_answered(&call(&world, &long).await);
    clock.advance(Duration::from_mins(61));
    let before = world.upstream.requests().len();
    let response = call(&world, &long).await;
    assert_eq!((response.status, response.header("www-authenticate")), (503, None));
    assert_eq!(world.upstream.requests().len(), before);
    world.gateway.readiness(503, "not been confirmed").await;
    world.authorization_server.answer_keys_with(Answer::json(&key_set(&[key.jwk()])));
    clock.advance(Duration::from_secs(30));
    world.gateway.ready().await;
    assert_answered(&call(&world, &long).await);
}
