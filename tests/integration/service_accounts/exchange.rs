//! When a token is asked for, and when one that was obtained serves.

use std::{sync::Arc, time::Duration};

use gatehouse::clock::ManualClock;

use super::{ID, NOT_VALID, asked, basic, call, challenges, grant, grant_claims, right, world};
use crate::harness::{
    NOTES, Parties, World, assert_answered,
    authorization_server::{Answer, StubAuthorizationServer},
    clock::eventually,
    gateway::{TestGateway, free_port},
    refusal,
    token::now,
    upstream::StubUpstream,
};

#[tokio::test]
async fn hundred_first_uses_at_once_are_one_exchange() {
    let (world, _clock) = world().await;
    world.authorization_server.hold();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let call = world.call().header("Authorization", &right());
        calls.spawn(async move { call.send().await });
    }
    eventually("the exchange", || match asked(&world) {
        0 => Err("nobody asked".to_owned()),
        asked => Ok(asked),
    })
    .await;
    world.authorization_server.release();
    while let Some(response) = calls.join_next().await {
        assert_answered(&response.unwrap());
    }
    assert_eq!((asked(&world), world.authorization_server.introspection_count()), (1, 1));
}

#[tokio::test]
async fn token_serves_until_shortly_before_it_expires() {
    let (world, clock) = world().await;
    grant(&world, 100);
    for (pause, exchanges) in [(0, 1), (89, 1), (1, 2), (89, 2), (1, 3)] {
        clock.advance(Duration::from_secs(pause));
        assert_answered(&call(&world, &right()).await);
        assert_eq!(asked(&world), exchanges);
    }
}

#[tokio::test]
async fn revoked_token_is_exchanged_anew_without_a_failed_call() {
    let (world, clock) = world().await;
    assert_answered(&call(&world, &right()).await);
    world.authorization_server.revoke("granted-0");
    // The answer about it is believed for a minute.
    clock.advance(Duration::from_mins(1));
    assert_answered(&call(&world, &right()).await);
    assert_eq!(asked(&world), 2);
}

#[tokio::test]
async fn server_whose_tokens_are_never_good_is_not_asked_for_one_after_the_other() {
    let (world, clock) = world().await;
    (0..5).for_each(|number| world.authorization_server.revoke(&format!("granted-{number}")));
    for (pause, exchanges) in [(0, 1), (1, 1), (8, 1), (1, 2), (1, 2)] {
        clock.advance(Duration::from_secs(pause));
        world.assert_invalid_token(&call(&world, &right()).await, NOT_VALID);
        assert_eq!(asked(&world), exchanges);
    }
}

#[tokio::test]
async fn refusal_is_remembered_for_ten_seconds() {
    let (world, clock) = world().await;
    for (pause, exchanges) in [(0, 1), (5, 1), (4, 1), (1, 2)] {
        clock.advance(Duration::from_secs(pause));
        for _ in 0..20 {
            let response = call(&world, &basic(ID, "wrong")).await;
            world.assert_invalid_token(&response, NOT_VALID);
        }
        assert_eq!(asked(&world), exchanges);
    }
}

#[tokio::test]
async fn flood_of_wrong_secrets_is_bounded_and_keeps_no_right_one_out() {
    let (world, clock) = world().await;
    grant(&world, 100);
    for number in 0..5 {
        let response = call(&world, &basic(ID, &format!("wrong-{number}"))).await;
        world.assert_invalid_token(&response, NOT_VALID);
    }
    for number in 5..100 {
        let response = call(&world, &basic(ID, &format!("wrong-{number}"))).await;
        assert_eq!(response.status, 429);
        assert!(challenges(&response).is_empty(), "{response:?}");
        assert_eq!(response.header("retry-after"), Some("5"));
        let id = response.header("x-request-id").unwrap();
        let expected = refusal("1", -32000, "Too Many Requests");
        assert_eq!(response.text().replace(id, "ID"), expected);
    }
    assert_eq!((asked(&world), world.upstream.bytes_received()), (5, 0));
    // Another client is not concerned, nor is this one a moment later.
    assert_eq!(call(&world, &basic("other", "wrong")).await.status, 401);
    clock.advance(Duration::from_secs(1));
    assert_answered(&call(&world, &right()).await);
    assert_eq!(asked(&world), 7);
    // Credentials that were good are not held up, not even when their token has expired.
    for number in 100..200 {
        call(&world, &basic(ID, &format!("wrong-{number}"))).await;
    }
    clock.advance(Duration::from_secs(100));
    for number in 200..300 {
        call(&world, &basic(ID, &format!("wrong-{number}"))).await;
    }
    assert_answered(&call(&world, &right()).await);
    assert!(asked(&world) <= 7 + 1 + 5 + 1, "{}", asked(&world));
}

#[tokio::test]
async fn wrong_secrets_at_once_are_bounded_as_those_one_after_the_other() {
    let (world, _clock) = world().await;
    world.authorization_server.hold();
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..100 {
        let pair = basic(ID, &format!("wrong-{number}"));
        let call = world.call().header("Authorization", &pair);
        calls.spawn(async move { call.send().await.status });
    }
    // All but those under way are answered while the server is not.
    let mut statuses = Vec::new();
    for _ in 0..95 {
        statuses.push(calls.join_next().await.unwrap().unwrap());
    }
    assert_eq!(statuses, [429; 95]);
    world.authorization_server.release();
    while let Some(status) = calls.join_next().await {
        assert_eq!(status.unwrap(), 401);
    }
    assert_eq!((asked(&world), world.upstream.bytes_received()), (5, 0));
}

#[tokio::test]
async fn exchange_survives_the_caller_that_began_it() {
    let (world, _clock) = world().await;
    world.authorization_server.hold();
    let first = world.call().header("Authorization", &right()).open().await;
    eventually("the exchange", || match asked(&world) {
        1 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    drop(first);
    world.authorization_server.release();
    assert_answered(&call(&world, &right()).await);
    assert_eq!(asked(&world), 1);
}

#[tokio::test]
async fn rotated_secret_is_noticed_when_the_token_is_over() {
    let (world, clock) = world().await;
    grant(&world, 100);
    assert_answered(&call(&world, &right()).await);
    world.authorization_server.grant(|_| Answer::error(401, "invalid_client"));
    assert_answered(&call(&world, &right()).await);
    clock.advance(Duration::from_secs(100));
    let response = call(&world, &right()).await;
    assert_eq!((response.status, challenges(&response).len()), (401, 2));
}

#[tokio::test]
async fn accounts_of_two_routes_have_a_token_each() {
    let upstream = StubUpstream::start().await;
    let authorization_server = StubAuthorizationServer::start().await;
    let route = |name: &str| {
        format!(
            "  {name}:\n    path: /{name}\n    upstream: {}\n    basic_client_credentials: true\n    required_scopes: [notes.read]\n",
            upstream.url()
        )
    };
    let head = NOTES.split("  notes:").next().unwrap();
    let yaml = format!("{head}{}{}", route("notes"), route("other"));
    let yaml = yaml.replace("ISSUER", authorization_server.issuer());
    let gateway = TestGateway::start(&yaml);
    gateway.ready().await;
    let world = World { gateway, authorization_server, upstream };
    grant_claims(&world, 100, &world.claims());
    assert_answered(&call(&world, &right()).await);
    let other = world.gateway.post("/other").header("Authorization", &right()).body("{}");
    assert_eq!(other.send().await.status, 401, "the stub's tokens are for the first route");
    let resources: Vec<_> = world
        .authorization_server
        .token_requests()
        .iter()
        .map(|request| request.form().pop().unwrap().1)
        .collect();
    assert_eq!(resources, [world.gateway.url("/notes"), world.gateway.url("/other")]);
}

/// Two servers on one route; the first is `first`.
async fn two(first: &str, second: StubAuthorizationServer) -> World {
    let upstream = StubUpstream::start().await;
    let yaml = NOTES
        .replace(
            "routes:",
            "  second:\n    issuer: SECOND\n    client: {id: gatehouse, secret: introspection-secret}\nroutes:",
        )
        .replace(
            "required_scopes",
            "authorization_servers: [corp, second]\n    basic_client_credentials: true\n    required_scopes",
        )
        .replace("ISSUER", first)
        .replace("SECOND", second.issuer())
        .replace("UPSTREAM", &upstream.url());
    let gateway = TestGateway::start(&yaml);
    let world = World { gateway, authorization_server: second, upstream };
    grant(&world, 100);
    world
}

#[tokio::test]
async fn first_listed_server_with_a_token_endpoint_is_asked() {
    let first = StubAuthorizationServer::start().await;
    let issuer = first.issuer();
    let metadata =
        format!(r#"{{"issuer":"{issuer}","introspection_endpoint":"{issuer}/introspect"}}"#);
    first.publish("/.well-known/oauth-authorization-server", Answer::json(&metadata));
    let world = two(issuer, StubAuthorizationServer::start().await).await;
    world.gateway.ready().await;
    assert_answered(&call(&world, &right()).await);
    assert_eq!((asked(&world), first.token_requests().len()), (1, 0));
}

#[tokio::test]
async fn secret_goes_to_no_other_server_while_the_first_is_unknown() {
    let first = format!("http://127.0.0.1:{}", free_port());
    let world = two(&first, StubAuthorizationServer::start().await).await;
    world.gateway.readiness(503, "corp").await;
    eventually("the second server's metadata", || {
        match world.authorization_server.fetched().len() {
            0 => Err("not asked".to_owned()),
            _ => Ok(()),
        }
    })
    .await;
    world.assert_unavailable(&call(&world, &right()).await);
    assert_eq!(asked(&world), 0);
}

/// A program cannot step up: it is given all that the route offers, or what it requires.
#[tokio::test]
async fn offered_scopes_are_asked_for_and_required_ones_where_that_is_too_much() {
    let line = "basic_client_credentials: true\n    tools: {delete: [notes.write]}\n    \
                scopes_supported: [notes.read, notes.write, offline_access]\n    required_scopes";
    let Parties { authorization_server, upstream } = Parties::start().await;
    let yaml = NOTES
        .replace("required_scopes", line)
        .replace("ISSUER", authorization_server.issuer())
        .replace("UPSTREAM", &upstream.url());
    let clock = Arc::new(ManualClock::new());
    let gateway = TestGateway::prepare(&yaml).clock(&clock).start();
    gateway.ready().await;
    let world = World { gateway, authorization_server, upstream };
    for (token, scope) in [("narrow", "notes.read"), ("wide", "notes.read notes.write")] {
        let claims = world.claims().subject("robot").scope(scope).with("exp", now() + 100_000);
        world.authorization_server.know(token, &claims.json());
    }
    // All or nothing, and nothing at first.
    world.authorization_server.grant(|request| {
        if String::from_utf8_lossy(&request.body).contains("notes.write") {
            return Answer::error(400, "invalid_scope");
        }
        Answer::json(r#"{"access_token":"narrow","token_type":"Bearer","expires_in":3600}"#)
    });
    let delete = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete"}}"#;
    let deletes = async || {
        let call = world.call().header("Authorization", &right()).body(delete);
        call.send().await.status
    };
    assert_answered(&call(&world, &right()).await);
    assert_eq!(deletes().await, 403);
    let scopes = |index: usize| {
        let body = world.authorization_server.token_requests()[index].body.clone();
        let form: Vec<_> = url::form_urlencoded::parse(&body).into_owned().collect();
        form.into_iter().find(|(name, _)| name == "scope").unwrap().1
    };
    assert_eq!(
        (asked(&world), &*scopes(0), &*scopes(1)),
        (2, "notes.read notes.write", "notes.read")
    );
    // Less than was asked for, said so, serves for ten minutes.
    world.authorization_server.grant(|_| {
        Answer::json(
            r#"{"access_token":"narrow","token_type":"Bearer","expires_in":3600,"scope":"notes.read"}"#,
        )
    });
    clock.advance(Duration::from_hours(1));
    assert_eq!(deletes().await, 403);
    assert_eq!((asked(&world), deletes().await), (3, 403));
    world.authorization_server.grant(|_| {
        Answer::json(r#"{"access_token":"wide","token_type":"Bearer","expires_in":3600}"#)
    });
    clock.advance(Duration::from_mins(10));
    assert_eq!((deletes().await, asked(&world)), (200, 4));
}
