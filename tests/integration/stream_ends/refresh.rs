//! Whose newer token keeps a stream: the same principal's, shown in the same session.

use super::{Stream, Timed};
use crate::harness::{NOTES, assert_answered};

/// K04: a client that refreshes and goes on calling keeps its stream.
#[tokio::test]
async fn refreshed_token_shown_in_the_session_keeps_its_stream() {
    let timed = Timed::start().await;
    let first = timed.token(30);
    let (one, two) = (timed.session(&first, "one").await, timed.session(&first, "two").await);
    let mut kept = timed.stream_of(&first, &one).await;
    let witness = timed.stream_of(&first, &two).await;
    let second = timed.token(60);
    assert_answered(&timed.post(&second, Some(&one)).await);
    timed.pass(31);
    witness.ends().await;
    kept.passes("data: 1\n\n").await;
    // An older token that is shown late takes nothing back.
    let third = timed.token(3000);
    assert_answered(&timed.post(&third, Some(&one)).await);
    assert_answered(&timed.post(&second, Some(&one)).await);
    let witness = timed.stream_of(&second, &two).await;
    timed.pass(31);
    witness.ends().await;
    kept.passes("data: 2\n\n").await;
    timed.pass(3000);
    kept.ends().await;
}

#[tokio::test]
async fn refreshed_token_shown_at_the_message_endpoint_keeps_its_stream() {
    let timed = Timed::start().await;
    let first = timed.token(30);
    let (mut kept, path) = timed.legacy(&first, "/messages?sessionId=1").await;
    let (witness, _) = timed.legacy(&first, "/messages?sessionId=2").await;
    let second = timed.token(300);
    assert_answered(&timed.message(&second, &path).await);
    timed.pass(31);
    witness.ends().await;
    kept.passes("data: 1\n\n").await;
    timed.pass(300);
    kept.ends().await;
}

/// An endpoint that is named later is the stream's session from then on.
#[tokio::test]
async fn later_endpoint_takes_the_place_of_an_earlier_one() {
    let timed = Timed::start().await;
    let first = timed.token(30);
    let (mut kept, old) = timed.legacy(&first, "/messages?sessionId=1").await;
    kept.feed.chunk("event: endpoint\ndata: /messages?sessionId=2\n\n");
    let event = String::from_utf8(kept.client.chunk().await.unwrap()).unwrap();
    let path = event.strip_prefix("event: endpoint\ndata: ").unwrap().trim_end();
    let (witness, _) = timed.legacy(&first, "/messages?sessionId=1").await;
    assert_ne!(path, old);
    assert_answered(&timed.message(&timed.token(300), path).await);
    timed.pass(31);
    witness.ends().await;
    kept.passes("data: 1\n\n").await;
}

/// Where there is no session, every token of the principal on the route counts.
#[tokio::test]
async fn stream_without_session_is_kept_by_any_token_of_its_principal() {
    let timed = Timed::start().await;
    let first = timed.token(30);
    let session = timed.session(&first, "one").await;
    let mut kept = timed.stream(&first).await;
    let witness = timed.listen(&first).await;
    assert_answered(&timed.post(&timed.token(60), None).await);
    timed.pass(31);
    witness.ends().await;
    kept.passes("data: 1\n\n").await;
    let witness = timed.listen(&timed.token(20)).await;
    assert_answered(&timed.post(&timed.token(300), Some(&session)).await);
    timed.pass(31);
    witness.ends().await;
    kept.passes("data: 2\n\n").await;
}

/// K01, K02: nothing that another principal shows keeps a stream, in whatever session.
#[tokio::test]
async fn token_of_another_principal_keeps_nothing() {
    let timed = Timed::start().await;
    let first = timed.token(30);
    let session = timed.session(&first, "one").await;
    let (legacy, path) = timed.legacy(&first, "/messages?sessionId=1").await;
    let streams = [timed.stream(&first).await, timed.stream_of(&first, &session).await, legacy];
    let server = &timed.world.authorization_server;
    for claims in [
        timed.claims(300).subject("bob"),
        timed.claims(300).with("client_id", "client-2"),
        timed.claims(300).without("client_id"),
    ] {
        let token = server.mint(&claims);
        assert_answered(&timed.post(&token, None).await);
        assert_eq!(timed.post(&token, Some(&session)).await.status, 404);
        assert_eq!(timed.message(&token, &path).await.status, 404);
        let own = timed.session(&token, "one").await;
        assert_answered(&timed.post(&token, Some(&own)).await);
    }
    timed.pass(31);
    for stream in streams {
        stream.ends().await;
    }
}

/// A token that the route refuses keeps nothing either, nor does one of another route.
#[tokio::test]
async fn token_that_is_refused_keeps_nothing() {
    let yaml = format!(
        "{NOTES}  other:\n    path: /other\n    upstream: UPSTREAM\n    audiences: [GATEWAY/notes]\n"
    );
    let timed = Timed::with(&yaml, 1).await;
    let first = timed.token(30);
    let session = timed.session(&first, "one").await;
    let streams = [timed.stream(&first).await, timed.stream_of(&first, &session).await];
    let server = &timed.world.authorization_server;
    let poor = server.mint(&timed.claims(300).scope("other"));
    assert_eq!(timed.post(&poor, Some(&session)).await.status, 403);
    let foreign = server.mint(&timed.claims(300).audience("https://elsewhere.example"));
    assert_eq!(timed.post(&foreign, Some(&session)).await.status, 401);
    let elsewhere = timed.world.gateway.post("/other").bearer(&timed.token(300));
    assert_answered(&elsewhere.body(crate::harness::PING).send().await);
    timed.pass(31);
    for stream in streams {
        stream.ends().await;
    }
}

/// A subscription ends with its own token, whatever else is shown.
#[tokio::test]
async fn subscription_is_kept_by_no_other_token() {
    let timed = Timed::start().await;
    let first = timed.token(30);
    let stream = timed.listen(&first).await;
    let mut other = timed.listen(&timed.token(300)).await;
    assert_answered(&timed.post(&timed.token(300), None).await);
    timed.pass(31);
    stream.ends().await;
    other.passes("data: 1\n\n").await;
}

/// A stream opened in a session that has one already shows its token for both.
#[tokio::test]
async fn token_shown_by_another_stream_of_the_session_counts() {
    let timed = Timed::start().await;
    let first = timed.token(30);
    let session = timed.session(&first, "one").await;
    let mut kept = timed.stream_of(&first, &session).await;
    let second = timed.stream_of(&timed.token(300), &session).await;
    let witness = timed.listen(&first).await;
    timed.pass(31);
    witness.ends().await;
    kept.passes("data: 1\n\n").await;
    drop(second);
    kept.passes("data: 2\n\n").await;
    timed.pass(300);
    kept.ends().await;
}

/// The stream may be one worker's and the request another's: connections are spread over both.
#[tokio::test]
async fn token_shown_on_another_worker_counts() {
    let timed = Timed::with(NOTES, 2).await;
    let first = timed.token(30);
    let mut kept: Vec<(Stream, String)> = Vec::new();
    for number in 0..12 {
        kept.push(timed.legacy(&first, &format!("/messages?sessionId={number}")).await);
    }
    let witness = timed.listen(&first).await;
    let second = timed.token(300);
    for (_, path) in &kept {
        assert_answered(&timed.message(&second, path).await);
    }
    timed.pass(31);
    witness.ends().await;
    for (stream, _) in &mut kept {
        stream.passes("data: 1\n\n").await;
    }
    timed.pass(300);
    for (stream, _) in kept {
        stream.ends().await;
    }
}
