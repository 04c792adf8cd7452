//! Processes that are stopped, killed and starved.
//!
//! Rows of group T that are proven elsewhere: T02 in `integration::operators`, T04 in `streams`, T06 and
//! T08 in `faults`, T13 in `slow_peers`; T01, T02, T03, T05, T11 and T12
//! under load in `tests/soak`. T14 in `gatehouse::authenticate::token_cache`.

use std::{fs, time::Duration};

use gatehouse::{clock::ManualClock, reload::Outcome};

use crate::harness::{
    NOTES, PING, Parties, TASKS, World, assert_answered,
    authorization_server::StubAuthorizationServer,
    client::Call,
    clock::within,
    gateway::{TestGateway, free_port},
    process::{Process, command, file},
    token::Token,
    upstream::{Feed, Reply},
};

/// T01: however many streams are open, each ends cleanly between events, and no event is lost.
#[tokio::test]
async fn drain_ends_every_one_of_many_streams_cleanly() {
    let mut world = World::start().await;
    let token = world.token();
    let mut streams = Vec::new();
    for _ in 0..200 {
        let (feed, reply) = Feed::events();
        world.upstream.next(reply);
        let mut client = world.gateway.get("/notes").bearer(&token).open().await;
        assert_eq!(client.head().await.status, 200);
        streams.push((feed, client));
    }
    for (number, (feed, _)) in streams.iter().enumerate() {
        feed.chunk(&format!("data: {number}\n\n"));
    }
    for (number, (_, client)) in streams.iter_mut().enumerate() {
        let event = format!("data: {number}\n\n");
        assert_eq!(client.events(&event).await, event);
    }
    let mut draining = tokio::task::JoinSet::new();
    draining.spawn(world.gateway.take_app().shutdown());
    for (_, client) in &mut streams {
        assert_eq!(client.chunk().await, Some(Vec::new()), "a proper end");
    }
    within("draining", draining.join_next()).await.unwrap().unwrap();
}

fn configuration(parties: &Parties, port: u16, admin: u16) -> String {
    format!(
        "public_url: http://127.0.0.1:{port}\nlisten: {{address: '127.0.0.1:{port}'}}\nadmin: {{address: '127.0.0.1:{admin}'}}\nsessions: {{keys: ['{}']}}\n{}",
        "k".repeat(43),
        parties.fill(NOTES)
    )
}

/// T03, T15: killed in the middle of a request it starts again on the same address, and sessions of
/// before are still known.
#[tokio::test]
async fn killed_process_is_replaced_and_knows_its_sessions() {
    let parties = Parties::start().await;
    let (port, admin) = (free_port(), free_port());
    let path = file(&configuration(&parties, port, admin));
    let serve = || command(&["serve", "-c", path.to_str().unwrap()]);
    let first = Process::serve(serve()).await;
    first.event("authorization server metadata found").await;
    let url = format!("http://127.0.0.1:{port}/notes");
    let claims = Token::new().audience(&url).scope("notes.read");
    let token = parties.authorization_server.mint(&claims);
    let call =
        || Call::new(([127, 0, 0, 1], port).into(), "POST", "/notes").bearer(&token).body(PING);
    let fields = [("Content-Type", "application/json"), ("Mcp-Session-Id", "upstream-session")];
    parties.upstream.next(Reply::with(200, &fields, "{}"));
    let session = call().send().await.header("mcp-session-id").unwrap().to_owned();
    let (_feed, reply) = Feed::events();
    parties.upstream.next(reply);
    let mut under_way = call().open().await;
    assert_eq!(under_way.head().await.status, 200);
    first.signal("KILL");
    assert_eq!(under_way.chunk().await, None, "cut, and not for whole");
    drop(first);
    let second = Process::serve(serve()).await;
    second.event("authorization server metadata found").await;
    assert_answered(&call().header("Mcp-Session-Id", &session).send().await);
    let seen = parties.upstream.requests();
    assert_eq!(seen.last().unwrap().header("mcp-session-id"), Some("upstream-session"));
}

/// T10: a log that cannot be written keeps nobody from being served.
#[tokio::test]
async fn full_disk_under_the_log_stops_nothing() {
    let parties = Parties::start().await;
    let (port, admin) = (free_port(), free_port());
    let path = file(&configuration(&parties, port, admin));
    let mut serving = command(&["serve", "-c", path.to_str().unwrap()]);
    serving.stdout(fs::File::options().write(true).open("/dev/full").unwrap());
    let mut child = serving.spawn().unwrap();
    let ask = |port: u16, path: &str| Call::new(([127, 0, 0, 1], port).into(), "GET", path);
    crate::harness::clock::eventually("it listens", || {
        std::net::TcpStream::connect(("127.0.0.1", admin))
            .map(drop)
            .map_err(|error| error.to_string())
    })
    .await;
    for _ in 0..20 {
        assert_eq!(ask(port, "/notes").send().await.status, 401);
    }
    assert_eq!(ask(admin, "/livez").send().await.status, 200);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Q15: a start that lacks descriptors ends with a status and a reason, the same one however many the
/// process came with.
#[tokio::test]
async fn start_without_descriptors_says_so() {
    let parties = Parties::start().await;
    let path = file(&configuration(&parties, free_port(), free_port()));
    // Whoever runs the tests may have left some that are inherited.
    let counting =
        std::process::Command::new("sh").args(["-c", "ls /proc/self/fd | wc -l"]).output();
    let inherited: usize =
        String::from_utf8(counting.unwrap().stdout).unwrap().trim().parse().unwrap();
    for more in [8, 12, 16, 20, 24, 28] {
        let limit = inherited + more;
        let script = format!("ulimit -n {limit}; exec \"$0\" serve -c \"$1\"");
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_gatehouse"), path.to_str().unwrap()]);
        let output = shell.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{limit}: {said}");
        let reason = format!("gatehouse: the limit of open files is {limit}, ");
        assert!(said.starts_with(&reason), "{limit}: {said}");
    }
}

/// T07: an authorization server that does not answer holds up those alone whose tokens it judges.
#[tokio::test]
async fn slow_authorization_server_holds_up_nobody_else() {
    let world = World::start().await;
    let partner = StubAuthorizationServer::start().await;
    let servers = format!(
        "  partner:\n    issuer: {}\n    client: {{id: gatehouse, secret: introspection-secret}}\nroutes:",
        partner.issuer()
    );
    let yaml = format!(
        "{}    authorization_servers: [corp]\n{TASKS}    authorization_servers: [partner]\n",
        NOTES.replace("routes:", &servers)
    );
    assert_eq!(world.reload(&yaml), Outcome::Applied);
    world.gateway.ready().await;
    world.authorization_server.hold();
    let mut waiting = Vec::new();
    for _ in 0..100 {
        waiting.push(world.authorized().open().await);
    }
    let claims = world.claims().audience(&world.gateway.url("/tasks"));
    for _ in 0..10 {
        let token = partner.mint(&claims);
        assert_answered(&world.gateway.post("/tasks").bearer(&token).body(PING).send().await);
    }
    world.authorization_server.release();
    for client in &mut waiting {
        assert_answered(&client.response().await);
    }
}

/// T09: the wall clock judges tokens, whatever was remembered; the monotonic one judges memories.
#[tokio::test]
async fn clock_that_is_set_moves_expiry_and_no_memory() {
    let parties = Parties::start().await;
    let clock = std::sync::Arc::new(ManualClock::new());
    let gateway = TestGateway::prepare(&parties.fill(NOTES)).clock(&clock).start();
    gateway.ready().await;
    let Parties { authorization_server, upstream } = parties;
    let world = World { gateway, authorization_server, upstream };
    let hour = 3600.0;
    let exp = gatehouse::clock::Clock::unix_seconds(&*clock) + 600.0;
    let token = world.authorization_server.mint(&world.claims().with("exp", exp.floor()));
    let call = world.call().bearer(&token);
    assert_answered(&call.send().await);
    clock.set_wall_clock(hour);
    assert_eq!(call.send().await.status, 401, "an hour later it has expired");
    clock.set_wall_clock(-hour);
    assert_eq!(call.send().await.status, 401, "an hour earlier it has not been issued");
    clock.set_wall_clock(0.0);
    assert_answered(&call.send().await);
    assert_eq!(world.authorization_server.introspection_count(), 1, "and was remembered");
    clock.advance(Duration::from_secs(61));
    assert_answered(&call.send().await);
    assert_eq!(world.authorization_server.introspection_count(), 2, "no longer than its ttl");
}
