//! Back-pressure and departure: a slow reader slows its writer, and whoever leaves is missed.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::{
    harness::{
        PING, World, assert_answered,
        client::{Call, RawClient},
        clock::eventually,
        upstream::Feed,
    },
    oracle::still_serves,
};

fn get(world: &World) -> Call {
    world.gateway.get("/notes").bearer(&world.token()).header("Accept", "text/event-stream")
}

/// Feeds far more than anybody buffers, and returns how much was taken when nobody reads.
pub(crate) async fn taken_from(feed: &Feed) -> usize {
    let event = format!("data: {}\n\n", "x".repeat(64 * 1024 - 8));
    for _ in 0..512 {
        feed.chunk(&event);
    }
    // Stalled: nothing more is taken for a while.
    let mut last = 0;
    let mut quiet = 0;
    eventually("the upstream stalls", || {
        let now = feed.written();
        quiet = if now == last { quiet + 1 } else { 0 };
        last = now;
        if quiet >= 60 { Ok(now) } else { Err(now.to_string()) }
    })
    .await
}

/// E05: a client that stops reading stops the upstream: nothing piles up in between.
#[tokio::test]
async fn client_that_stops_reading_stops_the_upstream() {
    let world = World::start().await;
    for call in [get(&world), world.authorized()] {
        let (feed, reply) = Feed::events();
        world.upstream.next(reply);
        let mut client = call.open().await;
        assert_eq!(client.head().await.status, 200);
        let taken = taken_from(&feed).await;
        // 32 MiB were offered; the sockets' own buffers on loopback hold a few.
        assert!(taken < 16 * 1024 * 1024, "{taken} bytes were taken");
        // And it goes on where it stopped, with every byte.
        let mut read = 0;
        while read < taken + 1024 * 1024 {
            read += client.chunk().await.expect("a chunk").len();
        }
        drop(client);
        feed.gone().await;
    }
}

/// E09: an endless answer that is no stream is not collected either.
#[tokio::test]
async fn cve_2026_26998_endless_answer_is_not_collected() {
    let world = World::start().await;
    let (feed, reply) = Feed::chunks(&[("Content-Type", "application/json")]);
    world.upstream.next(reply);
    let mut client = world.authorized().open().await;
    assert_eq!(client.head().await.status, 200);
    let taken = taken_from(&feed).await;
    assert!(taken < 16 * 1024 * 1024, "{taken} bytes were taken");
    drop(client);
    feed.gone().await;
}

/// E05: a stalled reader slows nobody else.
#[tokio::test]
async fn stalled_reader_slows_nobody_else() {
    let world = World::start().await;
    let mut held = Vec::new();
    for _ in 0..20 {
        let (feed, reply) = Feed::events();
        world.upstream.next(reply);
        let mut client = get(&world).open().await;
        assert_eq!(client.head().await.status, 200);
        feed.chunk(&format!("data: {}\n\n", "x".repeat(4 * 1024 * 1024)));
        held.push((feed, client));
    }
    for _ in 0..20 {
        assert_answered(&world.authorized().send().await);
    }
}

/// E11: who leaves an answer or a stream ends it upstream, and a request that waits as well.
#[tokio::test]
async fn client_that_leaves_cancels_the_upstream_request() {
    let world = World::start().await;
    for call in [get(&world), world.authorized()] {
        for chunk in ["", "data: x\n\n"] {
            let (feed, reply) = Feed::events();
            world.upstream.next(reply);
            let mut client = call.open().await;
            assert_eq!(client.head().await.status, 200);
            if !chunk.is_empty() {
                feed.chunk(chunk);
                assert_eq!(client.events(chunk).await, chunk);
            }
            drop(client);
            feed.gone().await;
        }
    }
    let (feed, silent) = Feed::after(Vec::new());
    world.upstream.next(silent);
    let client = world.authorized().header("X-Mark", "waits").open().await;
    world.upstream.saw("waits").await;
    drop(client);
    feed.gone().await;
}

/// E11: bytes pipelined behind a request do not hide that the client has left.
#[tokio::test]
async fn pipelined_bytes_hide_no_departure() {
    let world = World::start().await;
    for extra in [&b"X"[..], b"GET ", &world.authorized().bytes()] {
        let (feed, reply) = Feed::events();
        world.upstream.next(reply);
        let mut client = get(&world).open().await;
        assert_eq!(client.head().await.status, 200);
        client.send(extra).await;
        drop(client);
        feed.gone().await;
    }
}

/// E16, D13: connections that end anyhow leave nothing behind.
#[tokio::test]
async fn connections_that_break_off_leave_nothing_behind() {
    let world = World::start().await;
    let bytes = world.call().bytes();
    let mut clients = JoinSet::new();
    for n in 0..300 {
        let (address, part) = (world.gateway.address(), bytes[..n % bytes.len()].to_vec());
        clients.spawn(async move {
            let mut client = RawClient::connect(address).await;
            client.try_send(part).await;
        });
    }
    clients.join_all().await;
    let mut open = f64::MAX;
    for _ in 0..1000 {
        open = world.gateway.metric("gatehouse_connections").await;
        if open < 0.5 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(open < 0.5, "{open} connections are still counted");
    still_serves(&world).await;
}

/// F27: a client that leaves in mid-body never completes a call.
#[tokio::test]
async fn call_that_breaks_off_is_never_made() {
    let world = World::start().await;
    let long = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{}"}}"#, "x".repeat(200_000));
    for (body, length) in [(PING, 20), (PING, 39), (&long, 70_000), (&long, 150_000)] {
        let call = world.authorized().header("X-Mark", "broken").body(body);
        let mut client = RawClient::connect(world.gateway.address()).await;
        client.send(call.head_bytes()).await;
        client.send(&body[..length]).await;
        drop(client);
    }
    assert_answered(&world.authorized().header("X-Mark", "whole").send().await);
    let whole = |request: &crate::harness::raw::Received| request.header("x-mark") == Some("whole");
    assert!(world.upstream.requests().iter().all(whole), "{:?}", world.upstream.requests());
}
