//! Connections that shall end, and clients that will not hear of it.

use super::{END_HEADERS, END_STREAM, Framed, GOAWAY, HEADERS, RST_STREAM, frame, get, streams};
use crate::harness::{NOTES, World, assert_answered};

/// D13, E03: after a farewell a client that never acknowledges it is served for no longer than a
/// head may take to arrive, however many streams it opens.
#[tokio::test]
async fn farewell_that_is_not_acknowledged() {
    let limits = "limits: {idle_timeout: 300ms, header_timeout: 300ms}";
    let world = World::with(&format!("listen: {{{limits}}}\n{NOTES}")).await;
    let mut client = Framed::open(&world).await;
    client.first(GOAWAY).await;
    let block = get(&world);
    let (mut served, mut is_reset) = (0, false);
    for stream in streams() {
        client.send(&frame(HEADERS, END_HEADERS | END_STREAM, stream, &block)).await;
        let answer = loop {
            match client.frame().await {
                Some(frame) if frame.kind == HEADERS || frame.kind == RST_STREAM => {
                    break frame.kind;
                }
                Some(_) => {}
                None => panic!("closed after {served} without a reset"),
            }
        };
        if answer == RST_STREAM {
            is_reset = true;
            break;
        }
        served += 1;
    }
    assert!(is_reset, "{served} requests were served");
    assert_eq!(world.upstream.requests().len(), served);
    client.ended().await;
    world.gateway.counts("gatehouse_connections", 0.0).await;
    assert_answered(&world.authorized().send().await);
}
