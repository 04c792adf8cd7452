//! Lists that come as events: in an answer, and on a GET stream to which they were not asked.

use super::{SEEN, TOOLS, asking, list, world};
use crate::harness::{client::RawClient, upstream::Feed, upstream::Reply};

/// Reads until this much text has come, which is what was expected.
async fn comes(client: &mut RawClient, expected: &str) {
    assert_eq!(client.events(expected).await, expected);
}

#[tokio::test]
async fn events_of_an_answer_pass_at_once_and_the_list_among_them_filtered() {
    let world = world().await;
    let (feed, reply) = Feed::events();
    world.upstream.next(reply);
    let mut client = list(&world, "tools/list").open().await;
    let head = client.head().await;
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    assert_eq!(head.header("cache-control"), Some("private, no-store"));
    let progress = "id: 1\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n";
    for event in [": ping\n", progress, "event: custom\ndata: not JSON\n\n"] {
        feed.chunk(event);
        comes(&mut client, event).await;
    }
    let (start, rest) = TOOLS.split_at(50);
    feed.chunk(&format!("event: message\r\nid: 2\r\ndata: {start}"));
    feed.chunk(&format!("{rest}\r\n\r"));
    comes(&mut client, &format!("event: message\r\nid: 2\r\ndata: {SEEN}\r\n\r")).await;
    feed.chunk("\n");
    comes(&mut client, "\n").await;
    feed.end();
    assert_eq!(client.chunk().await, Some(Vec::new()));
}

#[tokio::test]
async fn answers_that_are_no_lists_stream_byte_by_byte() {
    let world = world().await;
    let (feed, reply) = Feed::events();
    world.upstream.next(reply);
    let mut client = list(&world, "ping").open().await;
    client.head().await;
    for piece in ["data: {\"resu", "lt\":", "{}}", "\n\n"] {
        feed.chunk(piece);
        comes(&mut client, piece).await;
    }
}

/// HTTP+SSE, 2024-11-05: the message goes by POST, its answer comes on the GET stream.
#[tokio::test]
async fn list_on_the_stream_of_the_old_transport_is_filtered() {
    let world = world().await;
    let (feed, reply) = Feed::events();
    world.upstream.next(reply);
    let get = || world.gateway.get("/notes").bearer(&world.token());
    let mut client = get().header("Accept", "text/event-stream").open().await;
    client.head().await;
    feed.chunk("event: endpoint\ndata: /messages?session_id=1\n\n");
    let event = String::from_utf8(client.chunk().await.unwrap()).unwrap();
    let path = event.strip_prefix("event: endpoint\ndata: ").unwrap().trim_end().to_owned();
    let token = world.authorization_server.mint(&world.claims());
    for _ in 0..2 {
        world.upstream.next(Reply::with(202, &[], "Accepted"));
        let post = world.gateway.post(&path).bearer(&token).body(asking("tools/list"));
        let accepted = post.send().await;
        assert_eq!((accepted.status, &*accepted.text()), (202, ""), "{accepted:?}");
    }
    assert_eq!(world.upstream.connections(), 2, "the stream, and one for the messages");
    feed.chunk(&format!("event: message\ndata: {TOOLS}\n\n: ping\n"));
    comes(&mut client, &format!("event: message\ndata: {SEEN}\n\n: ping\n")).await;
    // Another event is rewritten still.
    feed.chunk("event: endpoint\ndata: http://evil.example/\n\n");
    assert_eq!(client.chunk().await, None);
}

#[tokio::test]
async fn lists_on_a_resumed_stream_are_filtered_for_who_resumes_it() {
    let world = world().await;
    for (department, sees_admin) in [("ops", true), ("sales", false)] {
        let (feed, reply) = Feed::events();
        world.upstream.next(reply);
        let claims = world.claims().with("department", department);
        let token = world.authorization_server.mint(&claims);
        let get = world.gateway.get("/notes").bearer(&token).header("Last-Event-ID", "7");
        let mut client = get.open().await;
        client.head().await;
        feed.chunk(&format!("id: 8\ndata: {TOOLS}\n\n"));
        let event = String::from_utf8(client.chunk().await.unwrap()).unwrap();
        assert_eq!(event.contains("admin_reset"), sees_admin, "{event}");
        assert!(event.starts_with("id: 8\ndata: {") && !event.contains("debug"), "{event}");
    }
}
