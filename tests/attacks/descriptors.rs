//! More connections than the process has descriptors for. The limit is the process's own, so the
//! binary runs in one of its own.

use std::{net::SocketAddr, process::Command};

use crate::harness::{
    NOTES, PING, Parties, assert_answered,
    client::{Call, RawClient},
    clock::eventually_heard,
    gateway::free_port,
    process::{Process, file},
    raw::RawResponse,
    token::Token,
};

/// The binary, with so many open files at most.
pub(crate) struct Limited {
    pub(crate) process: Process,
    pub(crate) parties: Parties,
    pub(crate) address: SocketAddr,
    admin: SocketAddr,
    pub(crate) token: String,
}

impl Limited {
    pub(crate) async fn start(open_files: &str) -> Self {
        let parties = Parties::start().await;
        let [address, admin] = [(); 2].map(|()| SocketAddr::from(([127, 0, 0, 1], free_port())));
        let yaml = format!(
            "public_url: http://{address}\nlisten: {{address: '{address}', limits: {{max_connections_per_source: 10000}}}}\nadmin: {{address: '{admin}'}}\n{}",
            parties.fill(NOTES)
        );
        let path = file(&yaml);
        let script = format!("ulimit {open_files} && exec \"$0\" serve -c \"$1\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_gatehouse"), path.to_str().unwrap()]);
        let process = Process::serve(command).await;
        process.event("authorization server metadata found").await;
        let claims = Token::new().audience(&format!("http://{address}/notes")).scope("notes.read");
        let token = parties.authorization_server.mint(&claims);
        Self { process, parties, address, admin, token }
    }

    pub(crate) fn call(&self) -> Call {
        let call = Call::new(self.address, "POST", "/notes").bearer(&self.token);
        call.header("Content-Type", "application/json").body(PING)
    }

    async fn operate(&self, path: &str) -> RawResponse {
        Call::new(self.admin, "GET", path).send().await
    }

    async fn connections(&self) -> usize {
        self.gauge("gatehouse_connections ").await
    }

    async fn gauge(&self, start: &str) -> usize {
        let text = self.operate("/metrics").await.text();
        text.lines().find_map(|line| line.strip_prefix(start)).unwrap().parse().unwrap()
    }

    async fn connections_become(&self, what: &str, is_so: impl Fn(usize) -> bool) {
        eventually_heard(what, async || {
            let found = self.connections().await;
            if is_so(found) { Ok(()) } else { Err(found.to_string()) }
        })
        .await;
    }

    /// Sets the soft limit of the running process.
    fn limit(&self, open_files: usize) {
        let pid = self.process.id().to_string();
        let limit = format!("--nofile={open_files}:");
        assert!(Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap().success());
    }
}

/// S01: what there is no room for is shed, operators are answered all the while, and it recovers.
#[tokio::test]
async fn more_connections_than_descriptors() {
    let limited = Limited::start("-n 300").await;
    let warned = limited.process.lines();
    let said = warned.iter().any(|line| line.contains("more than the limit of open files"));
    assert!(said, "{warned:?}");
    let served = limited.gauge("gatehouse_connections_limit ").await;
    assert!((1..=(300 - 128) / 2).contains(&served), "{served} are served at once");
    let status: serde_json::Value =
        serde_json::from_slice(&limited.operate("/status.json").await.body).unwrap();
    assert_eq!(status["listeners"]["max_connections"], served);
    assert_answered(&limited.call().send().await);
    let mut held = Vec::new();
    let mut most = 0;
    for round in 0..8 {
        for _ in 0..100 {
            held.push(RawClient::connect(limited.address).await);
        }
        assert_eq!(limited.operate("/readyz").await.status, 200, "{round}");
        let open = limited.connections().await;
        assert!(open <= served, "{open} connections");
        most = most.max(open);
        assert!(limited.process.resources().0 < 300);
    }
    assert!(most >= 32, "{most} connections");
    assert!(limited.process.events("accepting a connection failed; trying again").is_empty());
    held.clear();
    limited.connections_become("nobody", |open| open == 0).await;
    assert_answered(&limited.call().send().await);
    assert_eq!(limited.parties.upstream.requests().len(), 2);
}

/// E18: out of descriptors altogether, connections wait, are not spun on, and are served when there
/// are descriptors again.
#[tokio::test]
async fn no_descriptors_at_all() {
    let limited = Limited::start("-n 1000").await;
    assert_answered(&limited.call().send().await);
    limited.connections_become("nobody", |open| open == 0).await;
    limited.limit(limited.process.resources().0 + 4);
    let mut waiting = Vec::new();
    for _ in 0..32 {
        waiting.push(limited.call().open().await);
    }
    let failed = "accepting a connection failed; trying again";
    let error = limited.process.event(failed).await["error"].to_string();
    assert!(error.contains("os error 24"), "{error}");
    // One worker for each core; each says it once, however often it tries.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let workers = std::thread::available_parallelism().unwrap().get();
    assert!(limited.process.events(failed).len() <= workers);
    limited.limit(1000);
    for mut client in waiting {
        // Its request may have met an upstream that could not be connected to.
        let status = client.response().await.status;
        assert!([200, 502].contains(&status), "{status}");
    }
    assert_answered(&limited.call().send().await);
    assert_eq!(limited.operate("/readyz").await.status, 200);
}

/// The soft limit is raised to the hard one.
#[tokio::test]
async fn limit_is_raised() {
    let limited = Limited::start("-S -n 64").await;
    let mut held = Vec::new();
    for _ in 0..100 {
        let mut client = limited.call().open().await;
        assert_answered(&client.response().await);
        held.push(client);
    }
    limited.connections_become("all", |open| open == 100).await;
}
