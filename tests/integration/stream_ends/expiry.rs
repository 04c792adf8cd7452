//! Expiry, as every request is judged.

use serde_json::{Value, json};

use super::Timed;
use crate::harness::{
    NOTES, Parties, assert_answered,
    authorization_server::Answer,
    clock::eventually,
    jwt::{SigningKey, key_set},
};

/// E15: every kind of stream ends when its token expires, and what came before is whole.
#[tokio::test]
async fn streams_end_when_their_token_expires() {
    let timed = Timed::start().await;
    let token = timed.token(30);
    let session = timed.session(&token, "one").await;
    let mut streams = vec![
        timed.stream(&token).await,
        timed.stream_of(&token, &session).await,
        timed.legacy(&token, "/messages?sessionId=1").await.0,
        timed.listen(&token).await,
    ];
    timed.pass(28);
    for stream in &mut streams {
        stream.passes("id: 1\ndata: before\n\n").await;
    }
    timed.pass(2);
    for stream in streams {
        stream.ends().await;
    }
    let again = timed.get(&token).send().await;
    assert_eq!(again.status, 401);
    assert!(again.text().contains("The access token expired"), "{again:?}");
    let idle = r#"gatehouse_active_streams{route="notes"}"#;
    timed.world.gateway.counts(idle, 0.0).await;
}

/// E15: a stream in the middle of an event ends after it.
#[tokio::test]
async fn event_that_has_begun_is_finished_first() {
    let timed = Timed::start().await;
    let token = timed.token(30);
    let witness = timed.stream(&token).await;
    let mut streams = vec![timed.stream(&token).await, timed.listen(&token).await];
    for stream in &mut streams {
        stream.passes("data: 1\n\n").await;
        stream.feed.chunk("data: ha");
    }
    assert_eq!(streams[1].client.events("data: ha").await, "data: ha");
    eventually("the half event is taken", || match streams[0].feed.written() {
        0..25 => Err("not yet".to_owned()),
        _ => Ok(()),
    })
    .await;
    timed.pass(31);
    witness.ends().await;
    for (mut stream, rest) in streams.into_iter().zip(["data: half\n\n", "lf\n\n"]) {
        assert!(!stream.feed.is_gone());
        stream.feed.chunk("lf\n\n");
        assert_eq!(stream.client.events(rest).await, rest);
        stream.ends().await;
    }
}

/// Responses to calls may finish, however long after the token's end.
#[tokio::test]
async fn response_to_a_call_finishes() {
    let timed = Timed::start().await;
    let token = timed.token(30);
    let witness = timed.stream(&token).await;
    let mut answer = timed.open(timed.world.call().bearer(&token)).await;
    answer.passes("data: 1\n\n").await;
    timed.pass(31);
    witness.ends().await;
    answer.passes("data: 2\n\n").await;
    answer.feed.end();
    assert_eq!(answer.client.chunk().await, Some(Vec::new()));
}

#[tokio::test]
async fn stream_of_a_public_route_has_no_end() {
    let yaml =
        format!("{NOTES}  open:\n    path: /open\n    upstream: UPSTREAM\n    access: public\n");
    let timed = Timed::with(&yaml, 1).await;
    let token = timed.token(30);
    let witness = timed.stream(&token).await;
    let mut public = timed.open(timed.world.gateway.get("/open").bearer(&token)).await;
    timed.pass(100_000);
    witness.ends().await;
    public.passes("data: 1\n\n").await;
}

/// A token without `exp` has no end, and is asked about all the same.
#[tokio::test]
async fn token_without_exp_keeps_its_stream_while_it_is_active() {
    let timed = Timed::start().await;
    let claims = timed.claims(0).without("exp");
    let endless = timed.world.authorization_server.mint(&claims);
    let mut stream = timed.stream(&endless).await;
    let witness = timed.listen(&timed.token(30)).await;
    timed.pass(1_000_000);
    witness.ends().await;
    stream.passes("data: 1\n\n").await;
    timed.asked_so_often(3).await;
    timed.world.authorization_server.revoke(&endless);
    timed.pass(61);
    stream.ends().await;
}

/// Clients refresh when their token has expired: for that long the stream waits for them.
#[tokio::test]
async fn stream_outlives_its_token_by_the_skew_so_that_a_newer_one_can_be_shown() {
    let yaml = NOTES.replace("    client:", "    clock_skew: 20s\n    client:");
    let timed = Timed::with(&yaml, 1).await;
    let first = timed.token(100);
    let witness = timed.listen(&timed.token(84)).await;
    let (mut kept, path) = timed.legacy(&first, "/messages?sessionId=1").await;
    let (mut lost, other) = timed.legacy(&first, "/messages?sessionId=2").await;
    timed.pass(102);
    timed.world.authorization_server.revoke(&first);
    for path in [&path, &other] {
        assert_eq!(timed.message(&first, path).await.status, 401);
    }
    timed.pass(3);
    witness.ends().await;
    lost.passes("data: 1\n\n").await;
    kept.passes("data: 1\n\n").await;
    assert_answered(&timed.message(&timed.token(300), &path).await);
    timed.pass(20);
    lost.ends().await;
    kept.passes("data: 2\n\n").await;
}

/// The skew of requests is that of streams.
#[tokio::test]
async fn jwt_ends_its_stream_with_the_skew_of_requests_and_with_its_key() {
    let parties = Parties::start().await;
    let (old, new) = (SigningKey::generate("ES256"), SigningKey::generate("ES256").named("new"));
    parties.authorization_server.publish_keys(&[old.jwk(), new.jwk()]);
    let client = "client: {id: gatehouse, secret: introspection-secret}";
    let yaml = NOTES.replace(client, "access_tokens: jwt\n    clock_skew: 20s");
    let timed = Timed::of(parties, &yaml, 1).await;
    let world = &timed.world;
    let jwt = |key: &SigningKey, seconds: i64| {
        let mut claims: Value = serde_json::from_str(&timed.claims(seconds).json()).unwrap();
        claims["iss"] = json!(world.authorization_server.issuer());
        key.token(&claims)
    };
    let (short, long, signed_by_old) = (jwt(&new, 30), jwt(&new, 3000), jwt(&old, 3000));
    let mut stream = timed.stream(&short).await;
    timed.pass(48);
    stream.passes("data: 1\n\n").await;
    assert_answered(&world.call().bearer(&short).send().await);
    timed.pass(2);
    stream.ends().await;
    assert_eq!(world.call().bearer(&short).send().await.status, 401);

    let mut kept = timed.listen(&long).await;
    let lost = timed.listen(&signed_by_old).await;
    let keys = Answer::json(&key_set(&[new.jwk()]));
    world.authorization_server.answer_keys_with(keys);
    // A token that names an unknown key has the keys fetched anew.
    assert_eq!(timed.post(&jwt(&old.named("unknown"), 30), None).await.status, 401);
    assert_eq!(world.authorization_server.key_fetches(), 2);
    timed.pass(5);
    lost.ends().await;
    kept.passes("data: 1\n\n").await;
    assert_eq!(timed.asked(), 0);
}
