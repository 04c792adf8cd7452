//! HTTP/2 with prior knowledge: the same answers, several at once, each cancelled alone.

use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use crate::harness::{
    World,
    client::H2Client,
    clock::within,
    upstream::{Feed, RESULT},
};

#[tokio::test]
async fn http2_is_served_with_prior_knowledge() {
    let world = World::start().await;
    let mut client = H2Client::connect(world.gateway.address()).await;
    let authorization = format!("Bearer {}", world.token());
    let headers = [("authorization", &*authorization), ("content-type", "application/json")];
    for _ in 0..3 {
        let response = client.send("POST", "/notes", &headers, "{\"id\":1}").await;
        assert_eq!((response.status, response.text()), (200, RESULT.to_owned()));
    }
    let response = client.send("POST", "/notes", &headers[1..], crate::harness::PING).await;
    assert_eq!(response.status, 401);
    assert_eq!(response.header("www-authenticate"), Some(&*world.challenge("")));
    assert!(response.text().contains(r#""id":1"#));
    assert_eq!(response.header("connection"), None);
    let response = client.send("POST", "/notes/../notes", &headers, "{}").await;
    assert_eq!(response.status, 400);
    assert_eq!(world.upstream.requests().len(), 3);
}

/// The next piece of a body; `None` at its proper end.
async fn piece(body: &mut Incoming) -> Option<Result<String, hyper::Error>> {
    loop {
        let frame = within("a frame", body.frame()).await?;
        let piece =
            frame.map(|frame| String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap());
        // The last frame may be an empty one.
        if piece.as_ref().map_or(true, |text| !text.is_empty()) {
            return Some(piece);
        }
    }
}

#[tokio::test]
async fn streams_of_one_connection_live_and_end_apart() {
    let world = World::start().await;
    let mut client = H2Client::connect(world.gateway.address()).await;
    let authorization = format!("Bearer {}", world.token());
    let headers = [("authorization", &*authorization)];
    let mut open = Vec::new();
    for method in ["GET", "POST", "GET"] {
        let (feed, reply) = Feed::events();
        world.upstream.next(reply);
        let response = client.open(method, "/notes", &headers, "").await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        open.push((feed, response.into_body()));
    }
    for (feed, body) in &mut open {
        feed.chunk("data: 1\n\n");
        assert_eq!(piece(body).await.unwrap().unwrap(), "data: 1\n\n");
    }
    let (feed, body) = open.remove(0);
    drop(body);
    feed.gone().await;
    let (feed, mut body) = open.remove(0);
    feed.chunk("data: 2\n\n");
    assert_eq!(piece(&mut body).await.unwrap().unwrap(), "data: 2\n\n");
    feed.end();
    assert!(piece(&mut body).await.is_none(), "a proper end");
    let (feed, mut body) = open.remove(0);
    feed.cut();
    assert!(piece(&mut body).await.is_some_and(|piece| piece.is_err()), "a cut is no proper end");
    let response = client.send("POST", "/notes", &headers, "{}").await;
    assert_eq!((response.status, response.text()), (200, RESULT.to_owned()));
}

#[tokio::test]
async fn connection_that_ends_ends_all_its_streams() {
    let world = World::start().await;
    let mut client = H2Client::connect(world.gateway.address()).await;
    let authorization = format!("Bearer {}", world.token());
    let mut feeds = Vec::new();
    let mut bodies = Vec::new();
    for _ in 0..3 {
        let (feed, reply) = Feed::events();
        world.upstream.next(reply);
        let headers = [("authorization", &*authorization)];
        bodies.push(client.open("GET", "/notes", &headers, "").await);
        feeds.push(feed);
    }
    drop((client, bodies));
    for feed in feeds {
        feed.gone().await;
    }
}
