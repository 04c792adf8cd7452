//! Lines that fail between the gateway and its counterparts: nobody gets in by that, nobody gets
//! another's answer, and half an answer is never a whole one.

use std::time::Duration;

use crate::harness::{
    NOTES, PING, Parties, World, assert_answered,
    faulty_line::{Fault, FaultyLine},
    raw::RawResponse,
    upstream::Reply,
};

/// A world with faulty lines to the authorization server's introspection and to the upstream.
async fn world() -> (World, FaultyLine, FaultyLine) {
    let parties = Parties::start().await;
    let server = format!("127.0.0.1:{}", parties.authorization_server.port());
    let (asking, forwarding) =
        (FaultyLine::to(&server).await, FaultyLine::to(&parties.upstream.authority()).await);
    let metadata = format!(
        "metadata: {{introspection_endpoint: 'http://{}/introspect'}}\n    introspection: {{timeout: 400ms}}\n    client:",
        asking.authority()
    );
    let upstream = format!("http://{}/mcp", forwarding.authority());
    let yaml = NOTES.replace("    client:", &format!("    {metadata}"));
    let yaml = yaml.replace(
        "upstream: UPSTREAM",
        &format!("upstream: {{urls: ['{upstream}'], response_timeout: 400ms}}"),
    );
    (parties.with(&yaml).await, asking, forwarding)
}

fn body(who: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"who":"{who}","text":"{}"}}}}"#, "x".repeat(64))
}

/// A call of somebody whom the upstream answers by name.
async fn call(world: &World, token: &str, who: &str) -> RawResponse {
    world.call().bearer(token).header("X-Who", who).send().await
}

/// T08: wherever the answer of the authorization server is cut, a token is good only by a whole one.
#[tokio::test]
async fn half_an_introspection_answer_lets_nobody_in() {
    let (world, asking, _forwarding) = world().await;
    let mut let_in = 0;
    // The answer's head and body are shorter than this.
    for limit in (1..600).step_by(13) {
        let token = world.token();
        asking.set(Fault::Cut(limit));
        let seen = world.upstream.requests().len();
        let response = call(&world, &token, "ada").await;
        match response.status {
            200 => {
                assert!(limit > world.claims().json().len(), "let in by {limit} bytes");
                let_in += 1;
            }
            503 => {
                assert_eq!(response.header("www-authenticate"), None);
                assert_eq!(world.upstream.requests().len(), seen, "cut after {limit}");
            }
            other => panic!("{other} when cut after {limit}: {response:?}"),
        }
    }
    assert!(let_in > 0, "the whole answer was never let through");
    asking.set(Fault::Partition);
    let token = world.token();
    assert_eq!(call(&world, &token, "ada").await.status, 503);
    asking.set(Fault::None);
    assert_eq!(call(&world, &token, "ada").await.status, 200);
}

/// T08: wherever the upstream's answer is cut, its client does not take it for whole, and others get
/// their own.
#[tokio::test]
async fn cut_answer_is_whole_for_nobody() {
    let (world, _asking, forwarding) = world().await;
    world
        .upstream
        .answer(|request| Reply::json(&body(request.header("x-who").unwrap_or_default())));
    let (ada, grace) = (world.token(), world.token());
    let (mut whole, mut broken) = (0, 0);
    for limit in (1..400).step_by(11) {
        forwarding.set(Fault::Cut(limit));
        let (one, other) = tokio::join!(call(&world, &ada, "ada"), call(&world, &grace, "grace"));
        for (who, response) in [("ada", one), ("grace", other)] {
            if response.status == 200 && response.is_whole {
                assert_eq!(response.text(), body(who), "cut after {limit}");
                assert!(limit > body(who).len(), "whole after {limit}");
                whole += 1;
            } else {
                assert!(matches!(response.status, 200 | 502), "{response:?}");
                let text = response.text();
                assert!(response.status == 502 || body(who).starts_with(&*text), "{text}");
                broken += 1;
            }
        }
    }
    assert!(whole > 0 && broken > 0, "{whole} {broken}");
    forwarding.set(Fault::Partition);
    assert_eq!(call(&world, &ada, "ada").await.status, 504);
    forwarding.set(Fault::None);
    assert_eq!(call(&world, &ada, "ada").await.text(), body("ada"));
}

/// T08: slow lines make slow answers, and nothing else.
#[tokio::test]
async fn slow_lines_change_no_answer() {
    let (world, asking, forwarding) = world().await;
    world
        .upstream
        .answer(|request| Reply::json(&body(request.header("x-who").unwrap_or_default())));
    asking.set(Fault::Slow(40, Duration::from_millis(2)));
    forwarding.set(Fault::Slow(3, Duration::from_millis(1)));
    let (ada, grace) = (world.token(), world.token());
    for _ in 0..3 {
        let (one, other) = tokio::join!(call(&world, &ada, "ada"), call(&world, &grace, "grace"));
        assert_eq!((one.status, one.text()), (200, body("ada")));
        assert_eq!((other.status, other.text()), (200, body("grace")));
    }
    let junk = world.call().bearer("junk").body(PING).send().await;
    assert_eq!(junk.status, 401);
}

/// T06: an upstream whose connections end as soon as they are made: 502, and others do not notice.
#[tokio::test]
async fn upstream_that_flaps_disturbs_nobody_else() {
    let (world, _asking, forwarding) = world().await;
    let yaml = format!(
        "{}  steady: {{path: /steady, upstream: '{}', required_scopes: []}}\n",
        NOTES.replace("UPSTREAM", &format!("http://{}/mcp", forwarding.authority())),
        world.upstream.url()
    );
    assert_eq!(world.reload(&yaml), gatehouse::reload::Outcome::Applied);
    world.gateway.ready().await;
    let steady = world.claims().audience(&world.gateway.url("/steady"));
    let (token, steady) = (world.token(), world.authorization_server.mint(&steady));
    for round in 0..100 {
        forwarding.set(if round % 2 == 0 { Fault::Cut(1) } else { Fault::None });
        let status = call(&world, &token, "ada").await.status;
        assert!(matches!(status, 200 | 502), "{status}");
        let response = world.gateway.post("/steady").bearer(&steady).body(PING).send().await;
        assert_answered(&response);
    }
    forwarding.set(Fault::None);
    assert_eq!(call(&world, &token, "ada").await.status, 200);
}
