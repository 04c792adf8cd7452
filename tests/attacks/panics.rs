//! A defect of our own that panics while a request is served.

use std::{
    panic,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use gatehouse::clock::{Clock, SystemClock};

use crate::harness::{NOTES, PING, Parties, World, assert_answered, gateway::TestGateway, refusal};

/// A clock that panics when it is next asked for the wall-clock time.
#[derive(Debug, Default)]
struct FaultyClock(AtomicBool);

impl Clock for FaultyClock {
    fn unix_seconds(&self) -> f64 {
        if self.0.swap(false, Ordering::SeqCst) {
            // Past the harness, which takes every other panic for a failed test.
            panic::resume_unwind(Box::new("on purpose"));
        }
        SystemClock.unix_seconds()
    }

    fn instant(&self) -> Instant {
        SystemClock.instant()
    }
}

/// S07: such a request is answered 500 and reaches nobody; the next one is served, also on the same
/// worker, and nothing that it had taken stays taken.
#[tokio::test]
async fn panic_ends_its_request_and_nothing_else() {
    let parties = Parties::start().await;
    let clock = Arc::new(FaultyClock::default());
    let limits = "listen: {limits: {max_requests_per_principal: 1, max_requests_per_source: 1}}\n";
    let yaml = format!("{limits}{}", parties.fill(NOTES));
    let gateway = TestGateway::prepare(&yaml).clock(&clock).workers(1).start();
    gateway.ready().await;
    let Parties { authorization_server, upstream } = parties;
    let world = World { gateway, authorization_server, upstream };
    let token = world.token();
    let call = || world.call().bearer(&token).body(PING);
    assert_answered(&call().send().await);
    for _ in 0..3 {
        clock.0.store(true, Ordering::SeqCst);
        let before = world.upstream.requests().len();
        let response = call().send().await;
        let id = response.header("x-request-id").unwrap();
        let body = refusal("null", -32603, "Internal error").replace("ID", id);
        assert_eq!((response.status, response.text()), (500, body));
        assert_eq!(response.header("www-authenticate"), None);
        assert_eq!(response.header("connection"), Some("close"));
        assert_eq!(world.upstream.requests().len(), before);
        assert_answered(&call().send().await);
    }
    world.gateway.counts("gatehouse_panics_total", 3.0).await;
    world.gateway.counts("gatehouse_connections", 0.0).await;
}
