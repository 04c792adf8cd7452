//! The binary: exit statuses, signals, `healthcheck`.

use std::net::{Ipv4Addr, TcpListener};

use crate::harness::{
    NOTES, Parties,
    client::Call,
    gateway::free_port,
    process::{Process, Said, command, file, say},
    upstream::Feed,
};

/// A configuration on free ports, and the port of the public listener.
fn config(parties: &Parties, listen: &str) -> (String, u16) {
    let (port, admin) = (free_port(), free_port());
    let yaml = format!(
        "public_url: http://127.0.0.1:{port}\nlisten: {{address: '127.0.0.1:{port}'{listen}}}\nadmin: {{address: '127.0.0.1:{admin}'}}\n{}",
        parties.fill(NOTES)
    );
    (file(&yaml).to_str().unwrap().to_owned(), port)
}

#[test]
fn wrong_configuration_is_status_2_with_every_problem() {
    let path = file(
        "public_url: ftp://x\nlisten: {adress: 1}\nroutes:\n  Notes: {path: notes, upstream: ''}\n",
    );
    let path = path.to_str().unwrap();
    for command in
        [vec!["serve", "-c", path], vec!["check", "-c", path], vec!["healthcheck", "-c", path]]
    {
        let Said { code, out: _, err } = say(&command);
        assert_eq!(code, Some(2), "{command:?}: {err}");
        if command[0] == "serve" {
            for place in [":1:13: public_url: ", ":2:10: listen.adress: ", "routes.Notes"] {
                assert!(err.contains(place), "{place} in {err}");
            }
            assert!(err.lines().all(|line| line.starts_with(path)), "{err}");
        }
    }
}

#[test]
fn audit_file_that_cannot_be_is_a_problem_at_its_place_and_nothing_is_made() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let made = folder.join("not-made.jsonl");
    let regular = file("");
    let below_a_file = regular.join("audit.jsonl");
    for (audit, why) in [
        ("/nonexistent/x.jsonl", Some("the folder of this file does not exist")),
        (below_a_file.to_str().unwrap(), Some("the folder of this file does not exist")),
        (folder.to_str().unwrap(), Some("a folder; name a file in it")),
        (made.to_str().unwrap(), None),
    ] {
        let path = file(&format!(
            "public_url: http://127.0.0.1:1\nauthorization_servers: {{corp: {{issuer: https://auth.example, client: {{id: g, secret: s}}}}}}\nroutes: {{notes: {{path: /, upstream: http://127.0.0.1:1/, required_scopes: [a]}}}}\ntelemetry:\n  audit:\n    file: {audit}\n"
        ));
        let path = path.to_str().unwrap();
        let commands =
            ["check", "serve"].into_iter().filter(|each| why.is_some() || *each == "check");
        for command in commands {
            let Said { code, out: _, err } = say(&[command, "-c", path]);
            let expected = why.map(|why| format!("{path}:6:11: telemetry.audit.file: {why}"));
            assert_eq!(code, Some(if why.is_some() { 2 } else { 0 }), "{audit}: {err}");
            assert!(err.contains(&expected.unwrap_or_default()), "{audit}: {err}");
        }
    }
    assert!(!made.exists() && !below_a_file.exists());
}

#[test]
fn wrong_command_line_is_status_2() {
    for arguments in [&["serve", "--nonsense"][..], &["nonsense"], &[], &["serve", "--listen", "x"]]
    {
        let Said { code, out, err } = say(arguments);
        assert_eq!((code, &*out), (Some(2), ""), "{arguments:?}");
        assert!(!err.is_empty());
    }
    let Said { code, err, .. } = say(&["serve", "-c", "/nowhere/gatehouse.yaml"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("/nowhere/gatehouse.yaml"), "{err}");
}

#[test]
fn help_and_version_are_results() {
    for arguments in [["--help"], ["--version"]] {
        let Said { code, out, err } = say(&arguments);
        assert_eq!((code, &*err), (Some(0), ""));
        assert!(out.contains("gatehouse"));
    }
}

#[tokio::test]
async fn address_in_use_is_status_1_and_says_which() {
    let parties = Parties::start().await;
    for (flag, key) in [("--listen", "listen.address"), ("--admin", "admin.address")] {
        let (path, _) = config(&parties, "");
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, free_port())).unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let Said { code, err, .. } = say(&["serve", "-c", &path, flag, &address]);
        assert_eq!(code, Some(1), "{err}");
        assert!(err.contains(&address) && err.contains(key), "{err}");
    }
}

#[tokio::test]
async fn second_gateway_on_the_same_address_does_not_start() {
    let parties = Parties::start().await;
    let (path, port) = config(&parties, "");
    let _first = Process::serve(command(&["serve", "-c", &path])).await;
    let Said { code, err, .. } = say(&["serve", "-c", &path]);
    assert_eq!(code, Some(1));
    assert!(err.contains(&format!("127.0.0.1:{port}")), "{err}");
}

#[tokio::test]
async fn health_is_readiness() {
    let parties = Parties::start().await;
    let (path, _) = config(&parties, "");
    let Said { code, err, .. } = say(&["healthcheck", "-c", &path]);
    assert_eq!(code, Some(1), "nobody is there: {err}");
    parties.authorization_server.unpublish_all();
    let process = Process::serve(command(&["serve", "-c", &path])).await;
    let Said { code, err, .. } = say(&["healthcheck", "-c", &path]);
    assert_eq!(code, Some(1));
    assert!(err.contains("not ready: authorization server corp"), "{err}");
    drop(process);
    let (path, _) = config(&Parties::start().await, "");
    let yaml = std::fs::read_to_string(&path).unwrap();
    let ready = yaml.replace(
        "client:",
        "metadata: {introspection_endpoint: 'http://127.0.0.1:1/'}\n    client:",
    );
    let path = file(&ready);
    let path = path.to_str().unwrap();
    let _process = Process::serve(command(&["serve", "-c", path])).await;
    let Said { code, out, err } = say(&["healthcheck", "-c", path]);
    assert_eq!((code, &*out, &*err), (Some(0), "", ""));
}

#[tokio::test]
async fn flags_and_variables_win_over_the_file() {
    let parties = Parties::start().await;
    let (path, port) = config(&parties, "");
    let (by_flag, by_variable) = (free_port(), free_port());
    let mut command = command(&["serve", "-c", &path, "--listen", &format!("127.0.0.1:{by_flag}")]);
    command.env("GATEHOUSE_LISTEN_ADDRESS", "127.0.0.1:1");
    command.env("GATEHOUSE_ADMIN_ADDRESS", format!("127.0.0.1:{by_variable}"));
    let _process = Process::serve(command).await;
    let ask = |port: u16, path: &str| Call::new(([127, 0, 0, 1], port).into(), "GET", path);
    assert_eq!(ask(by_variable, "/livez").send().await.status, 200);
    assert_eq!(ask(by_flag, "/notes").send().await.status, 401);
    assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok(), "the file's port is free");
}

#[tokio::test]
async fn termination_drains_and_is_status_0() {
    let parties = Parties::start().await;
    for signal in ["TERM", "INT"] {
        let (path, port) = config(&parties, "");
        let mut process = Process::serve(command(&["serve", "-c", &path])).await;
        let call = Call::new(([127, 0, 0, 1], port).into(), "GET", "/notes");
        assert_eq!(call.send().await.status, 401);
        process.signal(signal);
        assert_eq!(process.ended().await.code(), Some(0), "{signal}");
        assert_eq!(process.events("stopped").len(), 1);
    }
}

#[tokio::test]
async fn second_signal_ends_it_at_once() {
    let parties = Parties::start().await;
    let (path, port) = config(&parties, "");
    let mut process = Process::serve(command(&["serve", "-c", &path])).await;
    process.event("authorization server metadata found").await;
    let (_feed, reply) = Feed::events();
    parties.upstream.next(reply);
    let claims = crate::harness::token::Token::new()
        .audience(&format!("http://127.0.0.1:{port}/notes"))
        .scope("notes.read");
    let token = parties.authorization_server.mint(&claims);
    let call = Call::new(([127, 0, 0, 1], port).into(), "POST", "/notes").bearer(&token).body("{}");
    let mut client = call.open().await;
    assert_eq!(client.head().await.status, 200);
    process.signal("TERM");
    process.event("draining").await;
    process.signal("TERM");
    assert_eq!(process.ended().await.code(), Some(1), "what was under way was cut");
    assert_eq!(process.events("stopped").len(), 0, "it did not wait for the request");
}

#[tokio::test]
async fn connection_beyond_the_limit_is_told_so_and_logged() {
    let parties = Parties::start().await;
    let (path, port) = config(&parties, ", limits: {max_connections: 1}");
    let process = Process::serve(command(&["serve", "-c", &path])).await;
    let call = || Call::new(([127, 0, 0, 1], port).into(), "GET", "/notes");
    let mut first = call().open().await;
    assert_eq!(first.head().await.status, 401);
    let response = call().send().await;
    assert_eq!(response.status, 503);
    let id = response.header("x-request-id").expect("a request id").to_owned();
    assert!(response.header("access-control-expose-headers").is_some());
    assert_eq!(response.header("retry-after"), Some("5"));
    let body: serde_json::Value = serde_json::from_slice(&response.body).expect("JSON");
    assert_eq!(
        (&body["error"]["message"], &body["error"]["data"]["request_id"]),
        (&"Overloaded".into(), &id.clone().into())
    );
    process.event("connection turned away").await;
    let said = &process.events("connection turned away")[0];
    assert_eq!((&said["request_id"], &said["reason"]), (&id.into(), &"overloaded".into()));
}
