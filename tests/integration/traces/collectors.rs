//! Collectors: a slow or broken one costs spans, never requests; and they change with a reload.

use gatehouse::reload::Outcome;

use super::traced;
use crate::{
    harness::{
        NOTES, Parties, World, assert_answered,
        authorization_server::{Answer, StubAuthorizationServer},
        client::Call,
        clock::eventually,
        collector::Collector,
        gateway::{TestGateway, free_port},
        process::{Process, command, file},
        token::Token,
        upstream::Reply,
    },
    introspection::tls::Authority,
};

fn spans(outcome: &str) -> String {
    format!(r#"gatehouse_trace_spans_total{{outcome="{outcome}"}}"#)
}

#[tokio::test]
async fn collector_that_says_nothing_delays_nobody() {
    let (world, collector) = traced("").await;
    collector.server.answer(|_| Reply::Silence);
    let call = world.authorized();
    assert_answered(&call.send().await);
    eventually("the first spans", || {
        if collector.received().is_empty() { Err("nothing".to_owned()) } else { Ok(()) }
    })
    .await;
    for _ in 0..50 {
        assert_answered(&call.send().await);
    }
    assert_eq!(collector.received().len(), 1, "one request at a time");
    // The end of the process waits for it, but not for ever.
    world.gateway.shut_down().await;
}

#[tokio::test]
async fn what_fails_for_now_is_sent_again_and_what_fails_for_good_is_not() {
    let (world, collector) = traced("").await;
    collector.server.next(Reply::with(503, &[("Retry-After", "2")], ""));
    assert_answered(&world.authorized().send().await);
    world.gateway.counts(&spans("exported"), 5.0).await;
    assert_eq!(collector.received().len(), 2);
    let bodies: Vec<_> = collector.received().into_iter().map(|request| request.body).collect();
    assert_eq!(bodies[0], bodies[1]);
    collector.server.next(Reply::with(400, &[], "no"));
    assert_answered(&world.authorized().send().await);
    world.gateway.counts(&spans("failed"), 5.0).await;
    assert_eq!(collector.received().len(), 3);
    assert_eq!(world.gateway.metric(&spans("queue_full")).await.to_string(), "0");
}

#[tokio::test]
async fn spans_that_a_collector_rejects_are_counted() {
    let (world, collector) = traced("").await;
    // ExportTraceServiceResponse: partial_success { rejected_spans: 2 }
    let answer = "\u{a}\u{2}\u{8}\u{2}";
    collector.server.next(Reply::with(200, &[("Content-Type", "application/x-protobuf")], answer));
    assert_answered(&world.authorized().send().await);
    world.gateway.counts(&spans("rejected"), 2.0).await;
    world.gateway.counts(&spans("exported"), 3.0).await;
}

#[tokio::test]
async fn redirect_is_not_followed() {
    let (world, collector) = traced(", headers: {Authorization: Bearer collector-key}").await;
    let elsewhere = Collector::start().await;
    let place = format!("{}/v1/traces", elsewhere.url());
    collector.server.next(Reply::with(307, &[("Location", &place)], ""));
    assert_answered(&world.authorized().send().await);
    world.gateway.counts(&spans("failed"), 5.0).await;
    assert_eq!(elsewhere.server.bytes_received(), 0);
    assert_eq!(collector.received()[0].header("authorization"), Some("Bearer collector-key"));
}

/// The platform's certificates do not count where others are named, nor those where none are.
#[tokio::test]
async fn collector_behind_tls_is_trusted_by_the_named_authority_alone() {
    let (authority, other) = (Authority::new(), Authority::new());
    for (tls, is_trusted) in
        [(", tls: {ca: /test/ca.pem}", true), (", tls: {ca: /test/other.pem}", false), ("", false)]
    {
        let collector = StubAuthorizationServer::start_tls(authority.acceptor("localhost")).await;
        collector.publish("/v1/traces", Answer::status(200));
        let parties = Parties::start().await;
        let url = collector.issuer();
        let traces = format!("telemetry: {{traces: {{otlp_endpoint: '{url}'{tls}}}}}");
        let gateway = TestGateway::prepare(&format!("{traces}\n{}", parties.fill(NOTES)))
            .file("/test/ca.pem", authority.pem.as_str())
            .file("/test/other.pem", other.pem.as_str())
            .start();
        gateway.ready().await;
        assert_eq!(gateway.post("/notes").send().await.status, 401);
        // Its end has no patience, so that what fails is given up at once.
        gateway.shut_down().await;
        let received = collector.received();
        assert_eq!(received.len(), usize::from(is_trusted), "{tls}");
        assert!(received.iter().all(|request| request.target == "/v1/traces"));
    }
}

#[tokio::test]
async fn reload_begins_moves_and_ends_it() {
    let (first, second) = (Collector::start().await, Collector::start().await);
    let world = World::start().await;
    assert_answered(&world.authorized().send().await);
    for (collector, outcome) in
        [(&first, Outcome::Applied), (&first, Outcome::Unchanged), (&second, Outcome::Applied)]
    {
        assert_eq!(world.reload(&format!("{}{NOTES}", collector.section(""))), outcome);
        assert_answered(&world.authorized().send().await);
    }
    // The former sends what it has, then ends.
    first.requests(2).await;
    second.requests(1).await;
    assert_eq!(world.reload(NOTES), Outcome::Applied);
    assert_answered(&world.authorized().send().await);
    world.gateway.shut_down().await;
    let served = |collector: &Collector| collector.spans().iter().filter(|s| s.kind == 2).count();
    assert_eq!((served(&first), served(&second)), (2, 1));
}

/// The binary: one warning for an outage, the trace in the log line, and SIGTERM.
#[tokio::test]
async fn outage_is_warned_of_once_and_what_waits_is_sent_at_the_end() {
    let (parties, collector) = (Parties::start().await, Collector::start().await);
    let (port, admin) = (free_port(), free_port());
    let yaml = format!(
        "public_url: http://127.0.0.1:{port}\nlisten: {{address: '127.0.0.1:{port}'}}\nadmin: {{address: '127.0.0.1:{admin}'}}\n{}{}",
        collector.section(""),
        parties.fill(NOTES)
    );
    let path = file(&yaml);
    let mut process = Process::serve(command(&["serve", "-c", path.to_str().unwrap()])).await;
    process.event("authorization server metadata found").await;
    let claims = Token::new().audience(&format!("http://127.0.0.1:{port}/notes"));
    let token = parties.authorization_server.mint(&claims.scope("notes.read"));
    let call = Call::new(([127, 0, 0, 1], port).into(), "POST", "/notes").bearer(&token);
    let call = call.body(crate::harness::PING);
    collector.server.answer(|_| Reply::with(400, &[], "no"));
    for number in 1..=2 {
        assert_answered(&call.send().await);
        let arrived = || match collector.received().len() {
            found if found == number => Ok(()),
            found => Err(found.to_string()),
        };
        eventually("an attempt", arrived).await;
    }
    let warned = "traces cannot be exported; what is recorded meanwhile may be lost, requests are served as before";
    let warning = process.event(warned).await;
    assert_eq!(warning["collector"], collector.url());
    assert_eq!(warning["error"], "HTTP 400 Bad Request");
    collector.server.answer(|_| Reply::with(200, &[], ""));
    assert_answered(&call.send().await);
    assert_eq!(process.event("traces are exported again").await["lost"], 5 + 4);
    assert_eq!(process.events(warned).len(), 1);
    assert_answered(&call.send().await);
    process.signal("TERM");
    assert!(process.ended().await.success());
    let spans = collector.spans();
    let last = spans.iter().rfind(|span| span.kind == 2).unwrap();
    assert_eq!(process.events("request").last().unwrap()["trace_id"], last.trace_id);
    assert_eq!(spans.iter().filter(|span| span.kind == 2).count(), 4);
}
