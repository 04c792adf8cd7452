//! Clients that take nothing: what they hold must be little, however much they ask for.

use super::{
    DATA, END_HEADERS, END_STREAM, Framed, HEADERS, SETTINGS, WINDOW_UPDATE, block, frame, get,
    good, streams,
};
use crate::{
    back_pressure::taken_from,
    descriptors::Limited,
    harness::{World, assert_answered, upstream::Feed},
};

/// Every stream's window is nothing.
const NO_WINDOW: [u8; 6] = [0, 4, 0, 0, 0, 0];

/// D07: what a client has no window for stays with the upstream, and a byte of window is a byte.
#[tokio::test]
async fn cve_2019_9517_window_that_is_withheld() {
    let world = World::start().await;
    let (feed, reply) = Feed::events();
    world.upstream.next(reply);
    let mut client = Framed::open(&world).await;
    client.send(&frame(SETTINGS, 0, 0, &NO_WINDOW)).await;
    client.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &get(&world))).await;
    client.first(HEADERS).await;
    let taken = taken_from(&feed).await;
    // 32 MiB were offered; the sockets' own buffers on loopback hold a few.
    assert!(taken < 16 * 1024 * 1024, "{taken} bytes were taken");
    for _ in 0..64 {
        client.send(&frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1])).await;
        assert_eq!(client.first(DATA).await.payload.len(), 1);
    }
    assert!(feed.written() <= taken + 64 * 1024, "a drip of window makes no room for more");
    drop(client);
    feed.gone().await;
    assert_answered(&world.authorized().send().await);
}

/// D04: heads of a few bytes that unfold to thousands, on streams that cannot be answered: what is
/// kept of them is next to nothing.
#[tokio::test]
async fn cve_2026_49975_heads_that_unfold() {
    let limited = Limited::start("-n 1000").await;
    assert_answered(&limited.call().send().await);
    let authority = limited.address.to_string();
    let authorization = format!("Bearer {}", limited.token);
    let mut head = block(&good(&authority, &authorization, "GET"));
    // `cookie` without a value, of the static table: one byte for 38 (RFC 7541 section 4.1).
    head.extend([0xa0; 800]);
    let before = limited.process.resident_bytes();
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = Framed::connect(limited.address).await;
        client.send(&frame(SETTINGS, 0, 0, &NO_WINDOW)).await;
        for stream in streams().take(100) {
            assert!(client.send(&frame(HEADERS, END_HEADERS | END_STREAM, stream, &head)).await);
        }
        for _ in 0..100 {
            client.first(HEADERS).await;
        }
        clients.push(client);
    }
    let grown = limited.process.resident_bytes().saturating_sub(before);
    // Unfolded they are 60 MB of text alone.
    assert!(grown < 30 * 1024 * 1024, "{grown} bytes more than before");
    assert_eq!(limited.parties.upstream.requests().len(), 1);
    assert_answered(&limited.call().send().await);
}
