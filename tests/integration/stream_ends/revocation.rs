//! What the authorization server says meanwhile, at the pace of the cache.

use super::Timed;
use crate::harness::{
    NOTES, assert_answered,
    authorization_server::Answer,
    client::{H2Client, RawClient},
    clock::{eventually, within},
    upstream::Feed,
};

#[tokio::test]
async fn revoked_token_ends_its_streams_at_the_pace_of_the_cache() {
    let timed = Timed::start().await;
    let token = timed.token(3600);
    let session = timed.session(&token, "one").await;
    let mut streams = vec![
        timed.stream_of(&token, &session).await,
        timed.legacy(&token, "/messages?sessionId=1").await.0,
        timed.stream(&token).await,
        timed.listen(&token).await,
    ];
    assert_eq!(timed.asked(), 1);
    for round in 2..5 {
        timed.pass(60);
        timed.asked_so_often(round).await;
    }
    for stream in &mut streams {
        stream.passes("data: 1\n\n").await;
    }
    timed.world.authorization_server.revoke(&token);
    let witness = timed.listen(&timed.token(30)).await;
    let before = timed.asked();
    timed.pass(50);
    witness.ends().await;
    assert_eq!(timed.asked(), before, "what is remembered is fresh");
    for stream in &mut streams {
        stream.passes("data: 2\n\n").await;
    }
    timed.pass(10);
    for stream in streams {
        stream.ends().await;
    }
    assert_eq!(timed.asked(), before + 1);
    assert_eq!(timed.post(&token, None).await.status, 401);
    assert_eq!(timed.asked(), before + 1, "what the stream learnt the request knows");
}

/// What a request learns the streams know: nobody asks twice.
#[tokio::test]
async fn request_that_asks_meanwhile_asks_for_the_streams_too() {
    let timed = Timed::start().await;
    let token = timed.token(3600);
    let mut stream = timed.stream(&token).await;
    timed.pass(60);
    timed.asked_so_often(2).await;
    timed.pass(59);
    assert_answered(&timed.post(&token, None).await);
    assert_eq!(timed.asked(), 2);
    stream.passes("data: 1\n\n").await;
    // The older token is revoked when it is refreshed: it matters no more.
    let refreshed = timed.token(3600);
    assert_answered(&timed.post(&refreshed, None).await);
    timed.world.authorization_server.revoke(&token);
    assert_eq!(timed.asked(), 3);
    timed.pass(60);
    timed.asked_so_often(4).await;
    stream.passes("data: 2\n\n").await;
}

/// A right that the stream uses is gone.
#[tokio::test]
async fn token_that_no_longer_suffices_ends_its_streams() {
    let timed = Timed::start().await;
    let world = &timed.world;
    for (what, claims) in [
        ("scope", timed.claims(3600).scope("other")),
        ("audience", timed.claims(3600).audience("https://elsewhere.example")),
        ("type", timed.claims(3600).with("token_type", "refresh_token")),
        ("binding", timed.claims(3600).with("cnf", serde_json::json!({"jkt": "x"}))),
        ("expiry", timed.claims(30)),
    ] {
        let token = timed.token(3600);
        let (stream, subscription) = (timed.stream(&token).await, timed.listen(&token).await);
        world.authorization_server.know(&token, &claims.json());
        timed.pass(60);
        within(what, stream.ends()).await;
        within(what, subscription.ends()).await;
    }
}

/// What a subscription was let in for may have been any of its token's scopes.
#[tokio::test]
async fn token_that_grants_less_ends_subscriptions_alone() {
    let timed = Timed::start().await;
    let world = &timed.world;
    let token =
        world.authorization_server.mint(&timed.claims(3600).scope("notes.read notes.write"));
    let (mut stream, subscription) = (timed.stream(&token).await, timed.listen(&token).await);
    world.authorization_server.know(&token, &timed.claims(3600).json());
    timed.pass(60);
    subscription.ends().await;
    stream.passes("data: 1\n\n").await;
    let mut again = timed.listen(&token).await;
    let witness = timed.listen(&timed.token(10)).await;
    timed.pass(11);
    witness.ends().await;
    again.passes("data: 1\n\n").await;
}

/// J: an authorization server that is down revokes nothing; `exp` holds all the same.
#[tokio::test]
async fn authorization_server_that_is_down_ends_nothing_before_expiry() {
    let timed = Timed::start().await;
    let token = timed.token(300);
    let mut stream = timed.stream(&token).await;
    timed.world.authorization_server.answer_with(Answer::status(500));
    for round in 0..3 {
        let before = timed.asked();
        timed.pass(60);
        eventually("a question", || match timed.asked() {
            same if same == before => Err(format!("{same} in round {round}")),
            _ => Ok(()),
        })
        .await;
        stream.passes("data: 1\n\n").await;
    }
    timed.pass(121);
    stream.ends().await;
}

#[tokio::test]
async fn authorization_server_that_recovers_is_heard() {
    let timed = Timed::start().await;
    let token = timed.token(3600);
    let mut stream = timed.stream(&token).await;
    timed.world.authorization_server.answer_with(Answer::status(500));
    timed.pass(60);
    timed.asked_so_often(2).await;
    stream.passes("data: 1\n\n").await;
    timed.world.authorization_server.revoke(&token);
    timed.world.authorization_server.recover();
    timed.pass(10);
    stream.ends().await;
}

/// Where nothing is remembered, streams are no flood of questions.
#[tokio::test]
async fn without_a_cache_streams_ask_every_few_seconds() {
    let yaml = NOTES
        .replace("client:", "introspection: {cache: {ttl: 0s, negative_ttl: 0s}}\n    client:");
    let timed = Timed::with(&yaml, 1).await;
    let token = timed.token(3600);
    let stream = timed.stream(&token).await;
    assert_eq!(timed.asked(), 1);
    timed.pass(5);
    timed.asked_so_often(2).await;
    timed.world.authorization_server.revoke(&token);
    timed.pass(5);
    stream.ends().await;
    assert_eq!(timed.asked(), 3);
}

/// A thousand streams of one token cost one question, and end together.
#[tokio::test]
async fn streams_of_one_token_ask_once() {
    const STREAMS: usize = 1000;
    let yaml = format!("listen: {{limits: {{max_connections: 16000}}}}\n{NOTES}");
    let timed = Timed::with(&yaml, 1).await;
    let token = timed.token(3600);
    let mut streams = Vec::with_capacity(STREAMS);
    for _ in 0..STREAMS {
        streams.push(timed.stream(&token).await);
    }
    assert_eq!(timed.asked(), 1);
    timed.pass(60);
    timed.asked_so_often(2).await;
    timed.world.authorization_server.revoke(&token);
    timed.pass(60);
    for stream in streams {
        stream.ends().await;
    }
    assert_eq!(timed.asked(), 3);
}

/// Over HTTP/2 as over HTTP/1.
#[tokio::test]
async fn stream_of_an_http2_connection_ends_alone() {
    use http_body_util::BodyExt as _;
    let timed = Timed::start().await;
    let (short, long) = (timed.token(30), timed.token(300));
    let mut connection = H2Client::connect(timed.world.gateway.address()).await;
    let mut bodies = Vec::new();
    for token in [&short, &long] {
        let (feed, reply) = Feed::events();
        timed.world.upstream.next(reply);
        let bearer = format!("Bearer {token}");
        let listen = r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen"}"#;
        let headers = [("authorization", &*bearer), ("content-type", "application/json")];
        bodies.push((feed, connection.open("POST", "/notes", &headers, listen).await.into_body()));
    }
    timed.pass(31);
    let (feed, body) = bodies.remove(0);
    let rest = within("the end", body.collect()).await.expect("a proper end").to_bytes();
    assert!(rest.is_empty(), "{rest:?}");
    feed.gone().await;
    let (feed, mut body) = bodies.remove(0);
    feed.chunk("data: 1\n\n");
    let frame = within("an event", body.frame()).await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "data: 1\n\n");
    let mut other = RawClient::connect(timed.world.gateway.address()).await;
    other.send(timed.world.call().bearer(&long).bytes()).await;
    assert_answered(&other.response().await);
}
