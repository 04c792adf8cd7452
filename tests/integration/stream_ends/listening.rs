//! What may be a subscription ends with its token, however its request is written: only a message
//! that everybody reads as something else may have an answer without end.

use super::{Stream, Timed};
use crate::harness::{
    NOTES,
    clock::within,
    upstream::{Feed, Reply},
};

const LISTEN: &str = r#""method":"subscriptions/listen""#;

/// Longer than what is read before anything is sent.
fn long() -> String {
    "x".repeat(70_000)
}

/// Bodies in which some server may read that method.
fn subscriptions() -> Vec<String> {
    let long = long();
    vec![
        format!(r#"{{"jsonrpc":"2.0","id":1,{LISTEN}}}"#),
        r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions\/\u006cisten"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"Subscriptions/Listen"}"#.to_owned(),
        // Of two members most readers take the last.
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{}},{LISTEN}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":1,"id":2,{LISTEN}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":1,{LISTEN},"params":{{}},"params":{{}}}}"#),
        r#"{"jsonrpc":"2.0","id":1,"Method":"subscriptions/listen"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","METHOD":"subscriptions/listen"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","meth\u006fd":"subscriptions/listen"}"#
            .to_owned(),
        format!(r#"[{{"jsonrpc":"2.0","id":1,{LISTEN}}}]"#),
        format!("\u{feff}{{{LISTEN}}}"),
        format!(r#"{{{LISTEN},"x":NaN}}"#),
        // Longer ones.
        format!(r#"{{"jsonrpc":"2.0","id":1,"params":{{"x":"{long}"}},{LISTEN}}}"#),
        format!(r#"{{"jsonrpc":"2.0","id":1,{LISTEN}}}{}"#, " ".repeat(70_000)),
        format!(r#"{{"jsonrpc":"2.0","id":1,{LISTEN},"params":{{"x":"{long}"}}}}"#),
        format!(r#"{{"id":1,"method":"ping","params":{{"x":"{long}"}},{LISTEN}}}"#),
        format!(r#"{{"id":1,"method":"ping","params":{{"x":"{long}{long}"}},"Method":"x"}}"#),
        format!(r#"[{{"jsonrpc":"2.0","id":1,"params":{{"x":"{long}"}},{LISTEN}}}]"#),
    ]
}

/// Bodies that ask for something else, whoever reads them.
fn calls() -> Vec<String> {
    let (long, deep) = (long(), format!("{}{}", "[".repeat(60), "]".repeat(60)));
    let call = |arguments: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"x","arguments":{{"x":{arguments}}}}}}}"#
        )
    };
    vec![
        call("1"),
        call(r#"{"method":"subscriptions/listen","Method":1,"x":"\"method\":"}"#),
        call(&deep),
        call(&format!("\"{}\"", "x".repeat(65_400))),
        call(&format!("\"{long}\"")),
        call(&format!(r#"{{"y":"{long}{long}","method":"subscriptions/listen"}}"#)),
        format!("{}{}", call("1"), " ".repeat(70_000)),
        r#"{"jsonrpc":"2.0","id":1,"result":{"method":"subscriptions/listen"}}"#.to_owned(),
    ]
}

async fn post(timed: &Timed, token: &str, body: &str) -> Stream {
    timed.open(timed.world.gateway.post("/notes").bearer(token).body(body)).await
}

async fn post_all(timed: &Timed, token: &str, bodies: &[String]) -> Vec<Stream> {
    let mut streams = Vec::with_capacity(bodies.len());
    for body in bodies {
        streams.push(post(timed, token, body).await);
    }
    streams
}

fn beginning(body: &str) -> String {
    body.chars().take(80).collect()
}

#[tokio::test]
async fn whatever_may_be_a_subscription_ends_with_its_token() {
    let timed = Timed::start().await;
    let (expired, revoked, bodies) = (timed.token(30), timed.token(3600), subscriptions());
    let expiring = post_all(&timed, &expired, &bodies).await;
    let mut others = post_all(&timed, &revoked, &bodies).await;
    timed.pass(31);
    for (stream, body) in expiring.into_iter().zip(&bodies) {
        within(&beginning(body), stream.ends()).await;
    }
    for stream in &mut others {
        stream.passes("data: 1\n\n").await;
    }
    timed.world.authorization_server.revoke(&revoked);
    timed.pass(60);
    for (stream, body) in others.into_iter().zip(&bodies) {
        within(&beginning(body), stream.ends()).await;
    }
}

#[tokio::test]
async fn whatever_may_be_a_subscription_ends_with_the_drain() {
    let mut timed = Timed::start().await;
    let (token, bodies) = (timed.token(3600), subscriptions());
    let streams = post_all(&timed, &token, &bodies).await;
    let mut draining = tokio::task::JoinSet::new();
    draining.spawn(timed.world.gateway.take_app().shutdown());
    for (stream, body) in streams.into_iter().zip(&bodies) {
        within(&beginning(body), stream.ends()).await;
    }
    within("draining", draining.join_next()).await.unwrap().unwrap();
}

/// Servers read what the Content-Type says, and decode what is encoded.
#[tokio::test]
async fn message_in_another_charset_may_be_a_subscription() {
    let timed = Timed::start().await;
    let token = timed.token(30);
    let mut streams = Vec::new();
    for (name, value) in [
        ("Content-Type", "application/json; charset=utf-7"),
        ("Content-Type", "application/json; charset=utf-16"),
        ("Content-Encoding", "br"),
    ] {
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"+AHM-ubscriptions/listen"}"#;
        let call = timed.world.gateway.post("/notes").without(name).header(name, value);
        streams.push(timed.open(call.bearer(&token).body(body)).await);
    }
    timed.pass(31);
    for stream in streams {
        within("its end", stream.ends()).await;
    }
}

/// Answers to calls finish, however long they are and however long they take.
#[tokio::test]
async fn what_is_surely_a_call_is_tied_to_nothing() {
    let timed = Timed::start().await;
    let (token, bodies) = (timed.token(30), calls());
    let mut streams = post_all(&timed, &token, &bodies).await;
    let witness = timed.listen(&token).await;
    timed.pass(31);
    witness.ends().await;
    for (stream, body) in streams.iter_mut().zip(&bodies) {
        within(&beginning(body), stream.passes("data: 1\n\n")).await;
        stream.feed.end();
        assert_eq!(stream.client.chunk().await, Some(Vec::new()));
    }
}

/// Where rules have every message read, what was read counts.
#[tokio::test]
async fn batch_with_a_subscription_in_it_ends_with_its_token() {
    let yaml = format!("{NOTES}    tools: {{\"debug_*\": {{deny: true}}}}\n");
    let timed = Timed::with(&yaml, 1).await;
    let (token, long) = (timed.token(30), long());
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}"#;
    let listen = format!(r#"{{"jsonrpc":"2.0","id":2,{LISTEN}}}"#);
    let streams = [
        post(&timed, &token, &listen).await,
        post(&timed, &token, &format!("[{call},{listen}]")).await,
        post(&timed, &token, &format!(r#"{{"jsonrpc":"2.0","id":1,"x":"{long}",{LISTEN}}}"#)).await,
    ];
    let mut kept = post(&timed, &token, &format!("[{call},{call}]")).await;
    timed.pass(31);
    for stream in streams {
        stream.ends().await;
    }
    kept.passes("data: 1\n\n").await;
}

/// A coding would hide where events end: none is asked for, and none passes.
#[tokio::test]
async fn subscription_is_not_encoded() {
    let timed = Timed::start().await;
    let token = timed.token(3600);
    for body in subscriptions() {
        let call = timed.world.gateway.post("/notes").bearer(&token).body(body.as_str());
        let call = call.header("Accept-Encoding", "gzip");
        for types in [&["text/event-stream"][..], &["application/json", "text/event-stream"]] {
            let mut fields = vec![("Content-Encoding", "gzip"), ("X-C", "canary")];
            fields.extend(types.iter().map(|each| ("Content-Type", *each)));
            timed.world.upstream.next(Reply::with(200, &fields, "canary"));
            let response = call.send().await;
            assert_eq!(response.status, 502, "{}: {response:?}", beginning(&body));
            assert!(!format!("{response:?}").contains("canary"));
        }
    }
    let listen = format!(r#"{{"jsonrpc":"2.0","id":1,{LISTEN}}}"#);
    let call = timed.world.gateway.post("/notes").bearer(&token).body(listen);
    let stream = timed.open(call.header("Accept-Encoding", "gzip")).await;
    let asked = timed.world.upstream.requests().pop().unwrap();
    assert_eq!(asked.header("accept-encoding"), Some("identity"));
    drop(stream);
}

/// Each takes one of the streams that a principal may have; a call takes none.
#[tokio::test]
async fn whatever_may_be_a_subscription_takes_the_place_of_a_stream() {
    let yaml = format!("listen: {{limits: {{max_streams_per_principal: 1}}}}\n{NOTES}");
    let timed = Timed::with(&yaml, 1).await;
    let token = timed.token(3600);
    let held = timed.listen(&token).await;
    // One that turns out to be doubtful on its way is counted no more: it was let in.
    let late = |body: &String| body.contains(r#""method":"ping","params":{"x""#);
    for body in subscriptions().into_iter().filter(|body| !late(body)) {
        let call = timed.world.gateway.post("/notes").bearer(&token).body(body.as_str());
        assert_eq!(call.send().await.status, 429, "{}", beginning(&body));
    }
    for body in calls() {
        let (feed, reply) = Feed::events();
        timed.world.upstream.next(reply);
        feed.end();
        let call = timed.world.gateway.post("/notes").bearer(&token).body(body.as_str());
        assert_eq!(call.send().await.status, 200, "{}", beginning(&body));
    }
    drop(held);
}
