//! What one peer may have: whoever takes too much is refused, and nobody else notices.

use gatehouse::reload::Outcome;
use tokio::task::JoinSet;

use crate::harness::{
    NOTES, PING, World, assert_answered,
    client::{Call, H2Client, RawClient},
    clock::{eventually, eventually_heard},
    raw::RawResponse,
    upstream::{Feed, Reply},
};

/// A world with these limits that believes proxies on loopback.
async fn limited(limits: &str) -> World {
    World::with(&yaml(limits)).await
}

fn yaml(limits: &str) -> String {
    format!("listen: {{trusted_proxies: [127.0.0.1], limits: {{{limits}}}}}\n{NOTES}")
}

fn call_of(world: &World, subject: &str) -> Call {
    world.call().bearer(&world.authorization_server.mint(&world.claims().subject(subject)))
}

fn stream_of(world: &World, subject: &str) -> Call {
    let token = world.authorization_server.mint(&world.claims().subject(subject));
    world.gateway.get("/notes").bearer(&token).header("Accept", "text/event-stream")
}

fn from(call: Call, address: &str) -> Call {
    call.header("X-Forwarded-For", address)
}

/// Sends a call that the upstream begins to answer and does not end.
async fn hold(world: &World, call: &Call) -> (Feed, RawClient) {
    let (feed, reply) = Feed::events();
    world.upstream.next(reply);
    let mut client = call.open().await;
    assert_eq!(client.head().await.status, 200);
    (feed, client)
}

/// Asserts a refusal for having too much, of which the upstream hears nothing.
async fn assert_too_many(world: &World, call: &Call, limit: &str) {
    let series = format!("gatehouse_limit_refusals_total{{limit=\"{limit}\"}}");
    let (heard, counted) = (world.upstream.requests().len(), world.gateway.metric(&series).await);
    assert_busy(&call.send().await);
    assert_eq!(world.upstream.requests().len(), heard);
    world.gateway.counts(&series, counted + 1.0).await;
}

#[track_caller]
fn assert_busy(response: &RawResponse) {
    assert_eq!(response.status, 429, "{response:?}");
    assert_eq!(response.header("retry-after"), Some("5"));
    assert_eq!(response.header("www-authenticate"), None);
    let body = crate::harness::json(&response.text());
    assert_eq!(
        (&body["error"]["code"], &body["error"]["message"]),
        (&(-32000).into(), &"Too Many Requests".into())
    );
}

async fn answered_again(call: &Call) {
    eventually_heard("a place becomes free", async || match call.send().await {
        response if response.status == 200 => Ok(()),
        response => Err(format!("{response:?}")),
    })
    .await;
}

/// S02: requests of one principal; neither others nor the same one afterwards are held up.
#[tokio::test]
async fn requests_of_one_principal_are_bounded() {
    let world = limited("max_requests_per_principal: 2").await;
    let alice = call_of(&world, "alice");
    let mut held = vec![hold(&world, &alice).await, hold(&world, &alice).await];
    assert_too_many(&world, &alice, "too_many_requests_of_principal").await;
    assert_too_many(&world, &stream_of(&world, "alice"), "too_many_requests_of_principal").await;
    for address in ["192.0.2.1", "192.0.2.2"] {
        let elsewhere = from(call_of(&world, "alice"), address);
        assert_too_many(&world, &elsewhere, "too_many_requests_of_principal").await;
    }
    assert_answered(&call_of(&world, "bob").send().await);
    held.pop();
    answered_again(&alice).await;
}

/// S02: requests of one source, whoever sends them and whatever becomes of them.
#[tokio::test]
async fn requests_of_one_source_are_bounded() {
    let world = limited("max_requests_per_source: 2").await;
    let mut held = Vec::new();
    for subject in ["alice", "bob"] {
        held.push(hold(&world, &from(call_of(&world, subject), "192.0.2.1")).await);
    }
    let limit = "too_many_requests_of_source";
    for call in [call_of(&world, "carol"), world.call(), world.call().bearer("junk")] {
        assert_too_many(&world, &from(call, "192.0.2.1"), limit).await;
    }
    assert_eq!(world.authorization_server.introspection_count(), 2, "nobody is asked in vain");
    let spoofed = from(call_of(&world, "carol"), "198.51.100.1, 192.0.2.1");
    assert_too_many(&world, &spoofed, limit).await;
    assert_answered(&from(call_of(&world, "carol"), "192.0.2.2").send().await);
    // A proxy that does not say for whom is nobody.
    for _ in 0..4 {
        held.push(hold(&world, &call_of(&world, "carol")).await);
    }
    held.remove(0);
    answered_again(&from(call_of(&world, "carol"), "192.0.2.1")).await;
}

/// S02: streams, by source and by principal; calls beside them go on.
#[tokio::test]
async fn open_streams_are_bounded() {
    let by_principal = "max_streams_per_principal: 2";
    let by_source = "max_streams_per_source: 2";
    for (limits, limit) in
        [(by_principal, "too_many_streams_of_principal"), (by_source, "too_many_streams_of_source")]
    {
        let world = limited(limits).await;
        let alice = from(stream_of(&world, "alice"), "192.0.2.1");
        let mut held = vec![hold(&world, &alice).await, hold(&world, &alice).await];
        assert_too_many(&world, &alice, limit).await;
        let subscribing = r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen"}"#;
        let subscribing = from(call_of(&world, "alice").body(subscribing), "192.0.2.1");
        assert_too_many(&world, &subscribing, limit).await;
        assert_answered(&from(call_of(&world, "alice"), "192.0.2.1").send().await);
        held.push(hold(&world, &from(stream_of(&world, "bob"), "192.0.2.2")).await);
        // One that ends by itself, and one whose client leaves.
        let (feed, mut client) = held.remove(0);
        feed.end();
        assert_eq!(client.chunk().await, Some(Vec::new()));
        world.gateway.counts(OPEN, 2.0).await;
        let (feed, client) = hold(&world, &alice).await;
        drop(client);
        feed.gone().await;
        world.gateway.counts(OPEN, 2.0).await;
        held.push(hold(&world, &alice).await);
        assert_too_many(&world, &alice, limit).await;
    }
}

/// S02: however a request ends, its place is free again.
#[tokio::test]
async fn every_way_out_gives_the_place_back() {
    let limits = "max_requests_per_principal: 1, max_requests_per_source: 1, \
                  max_streams_per_principal: 1, max_streams_per_source: 1, body_timeout: 200ms";
    let world = limited(limits).await;
    let call = || from(call_of(&world, "alice"), "192.0.2.1");
    let stream = || from(stream_of(&world, "alice"), "192.0.2.1");
    for round in 0..3 {
        // Answered, and refused at each stage.
        answered_again(&call()).await;
        for (refused, status) in [
            (from(world.call(), "192.0.2.1"), 401),
            (from(world.call().bearer("junk"), "192.0.2.1"), 401),
            (call().header("Mcp-Session-Id", "forged"), 404),
            (from(world.gateway.post("/elsewhere"), "192.0.2.1"), 404),
        ] {
            assert_eq!(refused.send().await.status, status, "round {round}");
        }
        // A body that never comes.
        let slow = from(world.gateway.post("/notes"), "192.0.2.1");
        let slow = slow.bearer(&world.token()).header("Content-Length", "10");
        assert_eq!(slow.open().await.response().await.status, 408);
        // An upstream that fails, before and within its answer.
        for reply in [Reply::CloseAtOnce, Reply::RawThenClose(b"HTTP/1.1 200 OK\r\nContent".into())]
        {
            world.upstream.next(reply);
            assert_eq!(call().send().await.status, 502, "round {round}");
        }
        let (feed, mut client) = hold(&world, &stream()).await;
        feed.chunk("data: x");
        feed.cut();
        while client.chunk().await.is_some_and(|chunk| !chunk.is_empty()) {}
        // A client that leaves before the answer, and within it.
        let (feed, silent) = Feed::after(Vec::new());
        let mark = format!("waits-{round}");
        eventually_heard("a place", async || match call().send().await.status {
            200 => Ok(()),
            status => Err(status.to_string()),
        })
        .await;
        world.upstream.next(silent);
        let client = call().header("X-Mark", &mark).open().await;
        world.upstream.saw(&mark).await;
        drop(client);
        feed.gone().await;
        answered_again(&call()).await;
        let (feed, client) = hold(&world, &stream()).await;
        drop(client);
        feed.gone().await;
    }
    answered_again(&call()).await;
}

/// S02: over HTTP/2 a source has as many requests as over HTTP/1, on however many connections.
#[tokio::test]
async fn requests_of_one_source_are_bounded_over_http2() {
    let world =
        World::with(&format!("listen: {{limits: {{max_requests_per_source: 3}}}}\n{NOTES}")).await;
    let bearer = format!("Bearer {}", world.token());
    let fields = [("authorization", &*bearer), ("accept", "text/event-stream")];
    let mut clients = [
        H2Client::connect(world.gateway.address()).await,
        H2Client::connect(world.gateway.address()).await,
    ];
    let mut held = Vec::new();
    for n in 0..3 {
        let (feed, reply) = Feed::events();
        world.upstream.next(reply);
        let response = clients[n % 2].open("GET", "/notes", &fields, "").await;
        assert_eq!(response.status(), 200);
        held.push((feed, response));
    }
    for client in &mut clients {
        let response = client.open("GET", "/notes", &fields, "").await;
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "5");
    }
    let (feed, response) = held.remove(0);
    drop(response);
    feed.gone().await;
    eventually_heard("a place becomes free", async || {
        let fields = [("authorization", &*bearer), ("content-type", "application/json")];
        match clients[0].open("POST", "/notes", &fields, PING).await.status().as_u16() {
            200 => Ok(()),
            status => Err(status.to_string()),
        }
    })
    .await;
}

/// S02, S01: connections of one source; a trusted proxy's are not counted for itself.
#[tokio::test]
async fn connections_of_one_source_are_bounded() {
    let limits = "listen: {limits: {max_connections_per_source: 3}}\n";
    let world = World::with(&format!("{limits}{NOTES}")).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut client = world.authorized().open().await;
        assert_answered(&client.response().await);
        held.push(client);
    }
    let mut refused = world.authorized().open().await;
    let response = refused.response().await;
    assert_eq!(response.status, 503, "{response:?}");
    assert!(response.header("retry-after").is_some());
    let body = crate::harness::json(&response.text());
    assert_eq!(
        (&body["error"]["code"], &body["error"]["message"]),
        (&(-32000).into(), &"Overloaded".into())
    );
    refused.closed().await;
    assert_eq!(world.upstream.requests().len(), 3);
    let series = r#"gatehouse_limit_refusals_total{limit="too_many_connections_of_source"}"#;
    world.gateway.counts(series, 1.0).await;
    held.pop();
    answered_again(&world.authorized()).await;
    // From here on its address is a proxy's.
    let trusting = limits.replace("{limits", "{trusted_proxies: [127.0.0.1], limits");
    assert_eq!(world.reload(&format!("{trusting}{NOTES}")), Outcome::Applied);
    for _ in 0..8 {
        let mut client = world.authorized().open().await;
        assert_answered(&client.response().await);
        held.push(client);
    }
}

/// J22: a flood of unknown tokens from one source leaves room for the questions of others.
#[tokio::test]
async fn unknown_tokens_of_one_source_leave_room_for_others() {
    let slow = "introspection: {timeout: 4s}\n    client:";
    let world = World::with(&yaml("max_questions_per_source: 3").replace("client:", slow)).await;
    let known = call_of(&world, "known");
    assert_answered(&from(known.clone(), "192.0.2.1").send().await);
    world.authorization_server.hold();
    let asked = world.authorization_server.introspection_count();
    let junk = |n: usize| from(world.call().bearer(&format!("junk-{n}")), "192.0.2.1");
    let mut waiting = Vec::new();
    for n in 0..3 {
        waiting.push(junk(n).open().await);
    }
    let count = || world.authorization_server.introspection_count() - asked;
    eventually("three questions", || if count() == 3 { Ok(()) } else { Err(count().to_string()) })
        .await;
    // Leaving does not free a place: the question is still asked.
    drop(waiting.pop());
    let mut more = Vec::new();
    for n in 3..9 {
        more.push(junk(n).open().await);
    }
    assert_answered(&from(known, "192.0.2.1").send().await);
    let mut good = from(call_of(&world, "new"), "192.0.2.2").open().await;
    eventually("its question", || if count() == 4 { Ok(()) } else { Err(count().to_string()) })
        .await;
    for mut client in more {
        assert_busy(&client.response().await);
    }
    let series = r#"gatehouse_limit_refusals_total{limit="too_many_questions_of_source"}"#;
    world.gateway.counts(series, 6.0).await;
    assert_eq!(count(), 4);
    world.authorization_server.release();
    assert_answered(&good.response().await);
    for mut client in waiting {
        assert_eq!(client.response().await.status, 401);
    }
    assert_eq!(junk(10).send().await.status, 401);
}

/// J22: many good tokens at once wait for each other, and each is served.
#[tokio::test]
async fn herd_of_one_source_waits_and_is_served() {
    let world = limited("max_questions_per_source: 2").await;
    let mut calls = JoinSet::new();
    for n in 0..100 {
        let call = from(call_of(&world, &format!("subject-{n}")), "192.0.2.1");
        calls.spawn(async move { call.send().await });
    }
    while let Some(response) = calls.join_next().await {
        assert_answered(&response.unwrap());
    }
    assert_eq!(world.authorization_server.introspection_count(), 100);
}

/// S02: a lower limit holds for what comes, and takes nothing from what is there.
#[tokio::test]
async fn reload_changes_the_shares() {
    let world = limited("max_requests_per_principal: 3").await;
    let alice = call_of(&world, "alice");
    let held = [hold(&world, &alice).await, hold(&world, &alice).await];
    assert_answered(&alice.send().await);
    assert_eq!(world.reload(&yaml("max_requests_per_principal: 1")), Outcome::Applied);
    assert_too_many(&world, &alice, "too_many_requests_of_principal").await;
    for (feed, mut client) in held {
        feed.chunk("data: still\n\n");
        assert_eq!(client.events("data: still\n\n").await, "data: still\n\n");
    }
    answered_again(&alice).await;
}

const OPEN: &str = r#"gatehouse_active_streams{route="notes"}"#;
