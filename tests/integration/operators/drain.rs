//! Draining: not ready, nothing new, requests finish, streams end between events.

use gatehouse::app::App;
use tokio::task::JoinSet;

use crate::harness::{
    NOTES, World, assert_answered,
    client::{Call, RawClient},
    clock::within,
    upstream::Feed,
};

/// Begins to drain; the task ends when nothing runs any more.
fn drain(world: &mut World) -> JoinSet<()> {
    let mut draining = JoinSet::new();
    let app: App = world.gateway.take_app();
    draining.spawn(app.shutdown());
    draining
}

/// Begins to drain while something is held, and waits until operators see it.
async fn drain_visibly(world: &mut World) -> JoinSet<()> {
    let draining = drain(world);
    world.gateway.readiness(503, "draining\n").await;
    draining
}

async fn ended(mut draining: JoinSet<()>) {
    within("draining", draining.join_next()).await.unwrap().unwrap();
}

async fn open(world: &World, call: &Call) -> (Feed, RawClient) {
    let (feed, reply) = Feed::events();
    world.upstream.next(reply);
    let mut client = call.open().await;
    assert_eq!(client.head().await.status, 200);
    (feed, client)
}

fn stream(world: &World) -> Call {
    world.gateway.get("/notes").bearer(&world.token())
}

#[tokio::test]
async fn request_in_flight_finishes() {
    let mut world = World::start().await;
    let (feed, mut client) = open(&world, &world.authorized()).await;
    let draining = drain_visibly(&mut world).await;
    feed.chunk("data: 1\n\n");
    assert_eq!(client.events("data: 1\n\n").await, "data: 1\n\n");
    feed.chunk("data: 2\n\n");
    feed.end();
    assert_eq!(client.events("data: 2\n\n").await, "data: 2\n\n");
    assert_eq!(client.chunk().await, Some(Vec::new()), "whole");
    client.closed().await;
    ended(draining).await;
}

#[tokio::test]
async fn stream_ends_cleanly_between_events() {
    let mut world = World::start().await;
    let (feed, mut client) = open(&world, &stream(&world)).await;
    feed.chunk("data: 1\n\n");
    assert_eq!(client.events("data: 1\n\n").await, "data: 1\n\n");
    let draining = drain(&mut world);
    assert_eq!(client.chunk().await, Some(Vec::new()), "a proper end");
    feed.gone().await;
    ended(draining).await;
}

#[tokio::test]
async fn stream_in_the_middle_of_an_event_ends_after_it() {
    let mut world = World::start().await;
    let (feed, mut client) = open(&world, &stream(&world)).await;
    feed.chunk("data: 1\n\ndata: 2");
    assert_eq!(client.events("data: 1\n\n").await, "data: 1\n\n");
    let draining = drain_visibly(&mut world).await;
    assert!(!feed.is_gone());
    feed.chunk("\n\n");
    assert_eq!(client.events("data: 2\n\n").await, "data: 2\n\n");
    assert_eq!(client.chunk().await, Some(Vec::new()));
    ended(draining).await;
}

#[tokio::test]
async fn idle_connection_is_closed_and_none_is_accepted() {
    let mut world = World::start().await;
    let (feed, mut busy) = open(&world, &world.authorized()).await;
    let mut idle = world.authorized().open().await;
    assert_answered(&idle.response().await);
    let address = world.gateway.address();
    let draining = drain_visibly(&mut world).await;
    idle.closed().await;
    // A connection that the system had accepted already is closed unanswered.
    if let Ok(mut stream) = tokio::net::TcpStream::connect(address).await {
        let mut byte = [0];
        let read = within("the end", tokio::io::AsyncReadExt::read(&mut stream, &mut byte));
        assert!(matches!(read.await, Ok(0) | Err(_)));
    }
    feed.end();
    assert_eq!(busy.chunk().await, Some(Vec::new()));
    ended(draining).await;
}

#[tokio::test]
async fn what_outlives_the_timeout_is_cut() {
    let mut world = World::with(&format!("listen: {{drain_timeout: 300ms}}\n{NOTES}")).await;
    let (feed, mut client) = open(&world, &world.authorized()).await;
    let draining = drain(&mut world);
    ended(draining).await;
    assert_eq!(client.chunk().await, None, "cut, not ended");
    feed.gone().await;
}
