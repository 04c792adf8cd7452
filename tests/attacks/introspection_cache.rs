//! The memory of introspection: facts of one whole token of one server, judged again by everyone
//! who uses them.

use std::{sync::Arc, time::Duration};

use gatehouse::clock::ManualClock;
use tokio::task::JoinSet;

use crate::{
    harness::{
        NOTES, PING, Parties, World, assert_answered,
        authorization_server::{Answer, StubAuthorizationServer},
        clock::eventually,
        gateway::TestGateway,
        token::Token,
    },
    oracle::{Challenge, refused, untouched},
};

/// A world whose time stands still.
async fn timed(cache: &str) -> (World, Arc<ManualClock>) {
    let parties = Parties::start().await;
    let cache = format!("introspection: {{cache: {{{cache}}}}}\n    client:");
    let yaml = parties.fill(&NOTES.replace("client:", &cache));
    let clock = Arc::new(ManualClock::new());
    let gateway = TestGateway::prepare(&yaml).clock(&clock).start();
    gateway.ready().await;
    let Parties { authorization_server, upstream } = parties;
    (World { gateway, authorization_server, upstream }, clock)
}

/// J16, J25: a failing server is bridged by what it said before, no longer than that is good for;
/// failures are never remembered.
#[tokio::test]
async fn failing_server_is_bridged_for_the_ttl_alone() {
    let (world, clock) = timed("ttl: 60s").await;
    let (known, fresh) = (world.token(), world.token());
    assert_answered(&world.call().bearer(&known).send().await);
    let seen = world.upstream.bytes_received();
    world.authorization_server.answer_with(Answer::status(500));
    for _ in 0..3 {
        let response = world.call().bearer(&fresh).send().await;
        assert_eq!((response.status, response.header("www-authenticate")), (503, None));
    }
    assert_eq!(world.upstream.bytes_received(), seen);
    clock.advance(Duration::from_secs(59));
    assert_answered(&world.call().bearer(&known).send().await);
    clock.advance(Duration::from_secs(1));
    assert_eq!(world.call().bearer(&known).send().await.status, 503);
    world.authorization_server.recover();
    for token in [&known, &fresh] {
        assert_answered(&world.call().bearer(token).send().await);
    }
}

/// J17: many first uses of one token are one question, and each is answered.
#[tokio::test]
async fn herd_of_one_token_is_one_question() {
    let world = World::start().await;
    let token = world.token();
    world.authorization_server.hold();
    let mut calls = JoinSet::new();
    for _ in 0..300 {
        let call = world.call().bearer(&token);
        calls.spawn(async move { call.send().await.status });
    }
    eventually("one question", || match world.authorization_server.introspection_count() {
        1 => Ok(()),
        count => Err(count.to_string()),
    })
    .await;
    untouched(&world, "while the question is open");
    world.authorization_server.release();
    let statuses = calls.join_all().await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    assert_eq!(world.authorization_server.introspection_count(), 1);
}

/// J17, J34: whoever asked first may leave: the others are answered, and nothing stays stuck.
#[tokio::test]
async fn departure_of_the_first_asker_fails_nobody() {
    let world = World::start().await;
    for round in 1..=10 {
        let token = world.token();
        world.authorization_server.hold();
        let first = world.call().bearer(&token).open().await;
        eventually("the question", || match world.authorization_server.introspection_count() {
            count if count == round => Ok(()),
            count => Err(count.to_string()),
        })
        .await;
        let mut others = JoinSet::new();
        for _ in 0..5 {
            let call = world.call().bearer(&token);
            others.spawn(async move { call.send().await.status });
        }
        drop(first);
        world.authorization_server.release();
        let statuses = others.join_all().await;
        assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
        assert_eq!(world.authorization_server.introspection_count(), round, "asked once");
    }
}

/// J18: tokens that share a prefix, a length or an end are different tokens.
#[tokio::test]
async fn cve_2026_35030_tokens_with_a_common_prefix_are_judged_alone() {
    let world = World::start().await;
    let prefix = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.".repeat(4);
    let good = format!("{prefix}good");
    world.authorization_server.know(&good, &world.claims().json());
    assert_answered(&world.call().bearer(&good).send().await);
    let seen = world.upstream.bytes_received();
    for token in [
        format!("{prefix}evil"),
        format!("{prefix}gooe"),
        format!("{good}x"),
        format!("{good}="),
        good[..good.len() - 1].to_owned(),
        good[1..].to_owned(),
        good[..20].to_owned(),
        good.to_uppercase(),
        prefix.clone(),
    ] {
        let response = world.call().bearer(&token).send().await;
        assert_eq!(response.status, 401, "{token}");
        assert_eq!(world.upstream.bytes_received(), seen, "{token}");
    }
    assert_answered(&world.call().bearer(&good).send().await);
}

/// J18: a herd of different tokens at once: each has its own answer.
#[tokio::test]
async fn cve_2026_71326_herd_of_different_tokens_is_judged_one_by_one() {
    let world = World::start().await;
    world.upstream.answer(|request| {
        crate::harness::upstream::Reply::json(request.header("x-number").unwrap_or("none"))
    });
    world.authorization_server.hold();
    let mut calls = JoinSet::new();
    for n in 0..300_u16 {
        let token = format!("herd-{n:04}");
        let (claims, status) = match n % 3 {
            0 => (world.claims(), 200),
            1 => (world.claims().with("active", false), 401),
            _ => (world.claims().scope("other"), 403),
        };
        world.authorization_server.know(&token, &claims.json());
        let call = world.call().bearer(&token).header("X-Number", &n.to_string());
        calls.spawn(async move { (n, status, call.send().await) });
    }
    world.authorization_server.release();
    for (n, status, response) in calls.join_all().await {
        assert_eq!(response.status, status, "{n}");
        if status == 200 {
            assert_eq!(response.text(), n.to_string());
        }
    }
    assert_eq!(world.upstream.requests().len(), 100);
}

/// J19, O05: what one route learned of a token, another judges for itself.
#[tokio::test]
async fn lua_resty_openidc_399_audience_is_judged_on_a_cache_hit() {
    let other = "  other:\n    path: /other\n    upstream: UPSTREAM\n    required_scopes: []\n";
    let wide = "  wide:\n    path: /wide\n    upstream: UPSTREAM\n    audiences: [GATEWAY/notes]\n    required_scopes: [wide]\n";
    let world = World::with(&format!("{NOTES}{other}{wide}")).await;
    let token = world.token();
    for _ in 0..3 {
        assert_answered(&world.call().bearer(&token).send().await);
        let seen = world.upstream.bytes_received();
        for (path, status) in [("/other", 401), ("/wide", 403)] {
            let call = world.gateway.post(path).bearer(&token).body(PING);
            assert_eq!(call.send().await.status, status, "{path}");
        }
        assert_eq!(world.upstream.bytes_received(), seen);
    }
    assert_eq!(world.authorization_server.introspection_count(), 1);
}

/// J21: the same text is another token at another server.
#[tokio::test]
async fn answers_of_two_servers_do_not_mix() {
    let second = StubAuthorizationServer::start().await;
    let servers = format!(
        "  second:\n    issuer: {}\n    client: {{id: gatehouse, secret: introspection-secret}}\nroutes:",
        second.issuer()
    );
    let route = "  second:\n    path: /second\n    upstream: UPSTREAM\n    authorization_servers: [second]\n    audiences: [GATEWAY/notes]\n    required_scopes: []\n";
    let yaml = NOTES
        .replace("routes:", &servers)
        .replace("    path: /notes", "    authorization_servers: [corp]\n    path: /notes");
    let world = World::with(&format!("{yaml}{route}")).await;
    world.authorization_server.know("shared", &world.claims().json());
    assert_answered(&world.call().bearer("shared").send().await);
    let at_second = || world.gateway.post("/second").bearer("shared").body(PING);
    let seen = world.upstream.bytes_received();
    assert_eq!(at_second().send().await.status, 401);
    assert_eq!(world.upstream.bytes_received(), seen);
    assert_eq!(
        (world.authorization_server.introspection_count(), second.introspection_count()),
        (1, 1)
    );
}

/// J22, J26: a flood of junk is bounded, and pushes no good token out.
#[tokio::test]
async fn flood_of_unknown_tokens_evicts_no_good_one() {
    let (world, _clock) = timed("max_entries: 20").await;
    let good: Vec<String> = (0..5).map(|_| world.token()).collect();
    for token in &good {
        for _ in 0..3 {
            assert_answered(&world.call().bearer(token).send().await);
        }
    }
    let asked = |token: &str| {
        let asks = |request: &crate::harness::raw::Received| request.text().contains(token);
        world.authorization_server.introspections().iter().filter(|request| asks(request)).count()
    };
    for n in 0..500 {
        let response = world.call().bearer(&format!("junk-{n}")).send().await;
        assert_eq!(response.status, 401);
    }
    for token in &good {
        assert_answered(&world.call().bearer(token).send().await);
        assert_eq!(asked(token), 1, "{token}");
    }
    let entries = r#"gatehouse_token_cache_entries{authorization_server="corp"}"#;
    let entries = world.gateway.metric(entries).await;
    assert!(entries < 100.0, "{entries} entries");
}

/// J23: a token that becomes good is not kept out for longer than `negative_ttl`.
#[tokio::test]
async fn token_asked_about_too_early_is_soon_good() {
    let (world, clock) = timed("negative_ttl: 5s").await;
    let early = world.call().bearer("early").send().await;
    refused(&world, "early", &early, 401, Challenge::Error("invalid_token"));
    world.authorization_server.know("early", &world.claims().json());
    clock.advance(Duration::from_secs(5));
    assert_answered(&world.call().bearer("early").send().await);
}

/// J32: of a server whose nodes disagree the last answer counts, until the next.
#[tokio::test]
async fn last_answer_of_a_server_that_alternates_counts() {
    let (world, clock) = timed("ttl: 60s, negative_ttl: 10s").await;
    let token = world.token();
    for _ in 0..2 {
        assert_answered(&world.call().bearer(&token).send().await);
        let seen = world.upstream.bytes_received();
        world.authorization_server.revoke(&token);
        clock.advance(Duration::from_mins(1));
        for _ in 0..2 {
            assert_eq!(world.call().bearer(&token).send().await.status, 401);
        }
        assert_eq!(world.upstream.bytes_received(), seen);
        world.authorization_server.know(&token, &world.claims().json());
        clock.advance(Duration::from_secs(10));
    }
    assert_eq!(world.authorization_server.introspection_count(), 4);
}

/// J24: revocation is seen when the ttl is over, and at once without one.
#[tokio::test]
async fn revoked_token_ends_with_the_ttl() {
    for (cache, pause) in [("ttl: 60s", 60), ("ttl: 0s", 0)] {
        let (world, clock) = timed(cache).await;
        let token = world.token();
        assert_answered(&world.call().bearer(&token).send().await);
        let seen = world.upstream.bytes_received();
        world.authorization_server.revoke(&token);
        clock.advance(Duration::from_secs(pause));
        let response = world.call().bearer(&token).send().await;
        assert_eq!(response.status, 401, "{cache}");
        assert_eq!(world.upstream.bytes_received(), seen, "{cache}");
    }
}

/// J33, I33: a remembered token expires when it expires, not when the memory does.
#[tokio::test]
async fn remembered_token_expires_on_time() {
    use gatehouse::clock::Clock as _;
    let (world, clock) = timed("ttl: 1h").await;
    let claims: Token = world.claims().with("exp", clock.unix_seconds().floor() + 30.0);
    let token = world.authorization_server.mint(&claims);
    for (pause, status) in [(0, 200), (28, 200), (2, 401), (3600, 401)] {
        clock.advance(Duration::from_secs(pause));
        let seen = world.upstream.bytes_received();
        let response = world.call().bearer(&token).send().await;
        assert_eq!(response.status, status, "after {pause} more seconds");
        assert_eq!(world.upstream.bytes_received() > seen, status == 200);
    }
}
