//! HTTP+SSE (revision 2024-11-05): `endpoint` events are rewritten, and the message POST finds
//! its way back.

use crate::harness::{NOTES, World, assert_answered, client::RawClient, upstream::Feed};

/// Opens a GET stream with this token.
async fn open(world: &World, token: &str) -> (Feed, RawClient) {
    let (feed, reply) = Feed::events();
    world.upstream.next(reply);
    let call = world.gateway.get("/notes").bearer(token).header("Accept", "text/event-stream");
    let mut client = call.open().await;
    assert_eq!(client.head().await.status, 200);
    (feed, client)
}

/// What the client sees for an `endpoint` event that names this URL.
async fn endpoint(world: &World, token: &str, named: &str) -> (Feed, RawClient, String) {
    let (feed, mut client) = open(world, token).await;
    feed.chunk(&format!("event: endpoint\ndata: {named}\n\n"));
    let event = String::from_utf8(client.chunk().await.unwrap()).unwrap();
    let path =
        event.strip_prefix("event: endpoint\ndata: ").and_then(|rest| rest.strip_suffix("\n\n"));
    let path = path.unwrap_or_else(|| panic!("{event:?}")).to_owned();
    (feed, client, path)
}

#[tokio::test]
async fn endpoint_is_rewritten_and_messages_find_it() {
    let world = World::start().await;
    let token = world.token();
    let origin = format!("http://{}", world.upstream.authority());
    for (named, target) in [
        ("/messages/?session_id=abc", "/messages/?session_id=abc"),
        ("messages?x=1", "/messages?x=1"),
        (&*format!("{origin}/absolute"), "/absolute"),
        ("?sessionId=1", "/mcp?sessionId=1"),
    ] {
        let (feed, mut client, path) = endpoint(&world, &token, named).await;
        let reference = path.strip_prefix("/notes/").expect("below the route");
        assert!(!reference.contains(['/', '?', '#']), "{path}");
        assert!(!path.contains("session"), "{path}");
        let call = world.gateway.post(&path).bearer(&token).body(crate::harness::PING);
        assert_answered(&call.send().await);
        let request = world.upstream.requests().pop().unwrap();
        assert_eq!((&*request.method, &*request.target), ("POST", target));
        feed.chunk("event: message\ndata: {\"id\":1}\n\n");
        let event = "event: message\ndata: {\"id\":1}\n\n";
        assert_eq!(client.events(event).await, event);
    }
}

#[tokio::test]
async fn message_is_checked_like_any_other_request() {
    let world = World::start().await;
    let token = world.token();
    let (_feed, _client, path) = endpoint(&world, &token, "/messages").await;
    let seen = world.upstream.bytes_received();
    let post = || world.gateway.post(&path).body(crate::harness::PING);
    let anonymous = post().send().await;
    assert_eq!(anonymous.status, 401);
    assert_eq!(anonymous.header("www-authenticate"), Some(&*world.challenge("")));
    let poor = world.authorization_server.mint(&world.claims().scope("other"));
    assert_eq!(post().bearer(&poor).send().await.status, 403);
    let bob = world.authorization_server.mint(&world.claims().subject("bob"));
    assert_eq!(post().bearer(&bob).send().await.status, 404);
    let foreign = post().bearer(&token).header("Origin", "https://evil.example");
    assert_eq!(foreign.send().await.status, 403);
    assert_eq!(world.upstream.bytes_received(), seen);
}

#[tokio::test]
async fn endpoint_is_exact() {
    let world = World::start().await;
    let token = world.token();
    let (_feed, _client, path) = endpoint(&world, &token, "/messages").await;
    let seen = world.upstream.bytes_received();
    for (other, status) in [
        (format!("{path}?x=1"), 404),
        (format!("{path}/x"), 404),
        (format!("{path}A"), 404),
        (path.replace("/notes/", "/other/"), 404),
        (path[..path.len() - 1].to_owned(), 404),
    ] {
        let response = world.gateway.post(&other).bearer(&token).body("{}").send().await;
        assert_eq!(response.status, status, "{other}");
    }
    for method in ["GET", "DELETE"] {
        let response = world.gateway.request(method, &path).bearer(&token).send().await;
        assert_eq!((response.status, response.header("allow")), (405, Some("POST, OPTIONS")));
    }
    assert_eq!(world.upstream.bytes_received(), seen);
}

#[tokio::test]
async fn endpoint_is_of_one_route() {
    let yaml = format!(
        "{NOTES}  other:\n    path: /other\n    upstream: UPSTREAM\n    audiences: [GATEWAY/notes]\n    required_scopes: []\n"
    );
    let world = World::with(&yaml).await;
    let token = world.token();
    let (_feed, _client, path) = endpoint(&world, &token, "/messages").await;
    let other = path.replace("/notes/", "/other/");
    assert_eq!(world.gateway.post(&other).bearer(&token).body("{}").send().await.status, 404);
}

#[tokio::test]
async fn every_spelling_of_an_endpoint_event_is_rewritten() {
    let world = World::start().await;
    let token = world.token();
    let (feed, mut client) = open(&world, &token).await;
    for event in [
        "event:endpoint\ndata:/m\n\n",
        "event: endpoint\r\ndata: /m\r\n\r\n",
        "event: endpoint\rdata: /m\r\r",
        "id: 1\ndata: /m\nevent: endpoint\n\n",
        ": comment\nevent: endpoint\ndata: /m\nretry: 5\n\n",
    ] {
        feed.chunk(event);
        let seen = String::from_utf8(client.chunk().await.unwrap()).unwrap();
        assert!(seen.contains("/notes/"), "{event:?} became {seen:?}");
        assert!(!seen.contains("/m\n") && !seen.contains("/m\r"), "{event:?} became {seen:?}");
    }
}

#[tokio::test]
async fn endpoint_event_in_pieces_is_rewritten() {
    let world = World::start().await;
    let (feed, mut client) = open(&world, &world.token()).await;
    for byte in "event: endpoint\ndata: /messages\n\n".chars() {
        feed.chunk(&byte.to_string());
    }
    let seen = String::from_utf8(client.chunk().await.unwrap()).unwrap();
    assert!(seen.starts_with("event: endpoint\ndata: /notes/"), "{seen:?}");
}

#[tokio::test]
async fn endpoint_of_another_origin_ends_the_stream() {
    let world = World::start().await;
    let token = world.token();
    for named in
        ["http://evil.example/m", "//evil.example/m", "http://127.0.0.1:1/m", "\\\\evil", ""]
    {
        let (feed, mut client) = open(&world, &token).await;
        feed.chunk(&format!("event: endpoint\ndata: {named}\n\n"));
        assert_eq!(client.chunk().await, None, "{named}");
        feed.gone().await;
    }
}

#[tokio::test]
async fn endpoint_below_the_root_route() {
    let world = World::but("path: /notes", "path: /\n    audiences: [a]").await;
    let token = world.authorization_server.mint(&world.claims().audience("a"));
    let (feed, reply) = Feed::events();
    world.upstream.next(reply);
    let mut client = world.gateway.get("/").bearer(&token).open().await;
    assert_eq!(client.head().await.status, 200);
    feed.chunk("event: endpoint\ndata: /messages\n\n");
    let event = String::from_utf8(client.chunk().await.unwrap()).unwrap();
    let path = event.strip_prefix("event: endpoint\ndata: ").unwrap().trim_end();
    assert!(path.starts_with('/') && path.matches('/').count() == 1, "{path}");
    assert_answered(&world.gateway.post(path).bearer(&token).body("{}").send().await);
    assert_eq!(world.upstream.requests().pop().unwrap().target, "/messages");
}
