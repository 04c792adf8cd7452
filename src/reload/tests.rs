//! Many reloads in one process: nothing of what was replaced stays.

use std::sync::{Arc, Weak};

use tokio::runtime::Handle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::*;
use crate::{
    authenticate::{
        authorization_server::AuthorizationServer, background::Background, outbound::Network,
    },
    clock::ManualClock,
    config::{self, ProcessEnvironment},
    limits::Limits,
    metrics::Metrics,
    resource::ProtectedResource,
};

/// A configuration that differs from all others in its authorization server, its routes or both.
fn configuration(number: usize) -> Loaded {
    let (secret, extra) = (number / 3, number % 5);
    let kind = ["introspection", "jwt", "auto"][number % 3];
    let yaml = format!(
        "public_url: http://127.0.0.1:1
authorization_servers:
  corp:
    issuer: http://127.0.0.1:2
    access_tokens: {kind}
    client: {{id: gatehouse, secret: secret-{secret}}}
routes:
  notes: {{path: /notes, upstream: 'http://127.0.0.1:3/', required_scopes: []}}
  extra-{extra}: {{path: /extra, upstream: 'http://127.0.0.1:4/{number}', required_scopes: [a]}}
"
    );
    config::parse("gatehouse.yaml", &yaml, &ProcessEnvironment).unwrap()
}

#[test]
fn problem_of_a_whole_file_has_no_line() {
    let problem = |line| Problem {
        file: "g.yaml".into(),
        line,
        column: line,
        path: String::new(),
        message: "cannot be read".into(),
        severity: Severity::Error,
    };
    assert_eq!((&*place(&problem(0)), &*place(&problem(2))), ("g.yaml", "g.yaml:2:2"));
}

/// Q12: whoever is replaced goes, with all tasks, and so does whoever was never put in force.
#[tokio::test]
async fn many_reloads_keep_nothing_of_what_they_replace() {
    let tasks = TaskTracker::new();
    let metrics = Metrics::new().unwrap();
    let around = Surroundings {
        limits: Limits::new(&metrics),
        metrics,
        clock: Arc::new(ManualClock::new()),
        background: Background::new(Handle::current(), tasks.clone(), CancellationToken::new()),
        network: Network::Offline(None),
        workers: 1,
        is_audited: false,
    };
    let first = Snapshot::build(configuration(0).settings, &around).unwrap();
    let in_force = InForce::new(first);
    let reloader = Reloader::new(Arc::clone(&in_force), None, around);
    let mut servers: Vec<Weak<AuthorizationServer>> = Vec::new();
    let mut resources: Vec<Weak<ProtectedResource>> = Vec::new();
    let mut most_tasks = 0;
    for number in 1..=200 {
        let current = in_force.load();
        servers.extend(current.authorization_servers.iter().map(Arc::downgrade));
        resources.extend(current.resources.iter().map(Arc::downgrade));
        drop(current);
        assert_eq!(reloader.apply(Ok(configuration(number))), Outcome::Applied, "{number}");
        let bad = config::parse("gatehouse.yaml", "routes: [", &ProcessEnvironment);
        assert_eq!(reloader.apply(bad), Outcome::Rejected);
        // Tasks that are told to end do so when they have their turn.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        most_tasks = most_tasks.max(tasks.len());
    }
    let left = |alive: usize, what: &str| assert_eq!(alive, 0, "{what} are still there");
    left(servers.iter().filter(|server| server.strong_count() > 0).count(), "servers");
    left(resources.iter().filter(|resource| resource.strong_count() > 0).count(), "routes");
    // The search for metadata and the keeping of a key set, of one server.
    assert!(most_tasks <= 4, "{most_tasks} tasks");
}
