//! The binary while its configuration changes: with a token it has asked about, and a stream it has
//! opened, so that a test sees what a reload costs.

use std::{fs, path::PathBuf};

use super::{
    NOTES, PING, Parties, TASKS, assert_answered,
    client::{Call, RawClient},
    clock::eventually_heard,
    gateway::free_port,
    process::{Process, command},
    token::Token,
    upstream::Feed,
};

/// The binary, a folder for its files, a token it has asked about and a stream it has opened.
pub(crate) struct Running {
    pub(crate) process: Process,
    pub(crate) parties: Parties,
    pub(crate) folder: PathBuf,
    pub(crate) port: u16,
    pub(crate) admin: u16,
    pub(crate) token: String,
    pub(crate) stream: (Feed, RawClient),
}

fn yaml(parties: &Parties, port: u16, admin: u16) -> String {
    format!(
        "public_url: http://127.0.0.1:{port}\nlisten: {{address: '127.0.0.1:{port}'}}\nadmin: {{address: '127.0.0.1:{admin}'}}\n{}",
        parties.fill(NOTES)
    )
}

impl Running {
    /// Starts it after `lay` has laid out the folder, given the text of the configuration; the
    /// configuration is `gatehouse.yaml` in it.
    pub(crate) async fn start(name: &str, lay: impl Fn(&PathBuf, &str)) -> Self {
        let parties = Parties::start().await;
        let (port, admin) = (free_port(), free_port());
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("reload-{name}-{}", std::process::id()));
        // Left behind by an earlier run, if at all.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        lay(&folder, &yaml(&parties, port, admin));
        let path = folder.join("gatehouse.yaml");
        let process = Process::serve(command(&["serve", "-c", path.to_str().unwrap()])).await;
        process.event("authorization server metadata found").await;
        let url = format!("http://127.0.0.1:{port}/notes");
        let claims = Token::new().audience(&url).scope("notes.read");
        let token = parties.authorization_server.mint(&claims);
        let (feed, reply) = Feed::events();
        parties.upstream.next(reply);
        let call = Call::new(([127, 0, 0, 1], port).into(), "GET", "/notes").bearer(&token);
        let mut client = call.header("Accept", "text/event-stream").open().await;
        assert_eq!(client.head().await.status, 200);
        let stream = (feed, client);
        Self { process, parties, folder, port, admin, token, stream }
    }

    /// One that was laid out as a single file.
    pub(crate) async fn plain(name: &str) -> Self {
        Self::start(name, |folder, yaml| fs::write(folder.join("gatehouse.yaml"), yaml).unwrap())
            .await
    }

    fn yaml(&self) -> String {
        yaml(&self.parties, self.port, self.admin)
    }

    pub(crate) fn with_tasks(&self) -> String {
        format!("{}{}", self.yaml(), self.parties.fill(TASKS))
    }

    pub(crate) fn write(&self, text: &str) {
        fs::write(self.folder.join("gatehouse.yaml"), text).unwrap();
    }

    pub(crate) fn post(&self, path: &str) -> Call {
        Call::new(([127, 0, 0, 1], self.port).into(), "POST", path).bearer(&self.token).body(PING)
    }

    /// Waits until `/tasks` is there, or is not: a route asks for a token, nothing is 404.
    pub(crate) async fn has_tasks(&self, status: u16) {
        let call = Call::new(([127, 0, 0, 1], self.port).into(), "POST", "/tasks").body(PING);
        eventually_heard("the route", async || {
            let found = call.send().await.status;
            if found == status { Ok(()) } else { Err(found.to_string()) }
        })
        .await;
    }

    pub(crate) async fn outcomes(&self, outcome: &str, expected: u32) {
        let line = format!(r#"gatehouse_config_reloads_total{{outcome="{outcome}"}} {expected}"#);
        let call = Call::new(([127, 0, 0, 1], self.admin).into(), "GET", "/metrics");
        eventually_heard(&line, async || {
            let text = call.send().await.text();
            if text.lines().any(|each| each == line) { Ok(()) } else { Err(text) }
        })
        .await;
    }

    /// Nobody noticed: the token is known, the stream is open.
    pub(crate) async fn assert_nothing_lost(&mut self) {
        assert_answered(&self.post("/notes").send().await);
        let (feed, client) = &mut self.stream;
        feed.chunk("data: still here\n\n");
        assert_eq!(client.chunk().await.as_deref(), Some(&b"data: still here\n\n"[..]));
        assert_eq!(self.parties.authorization_server.introspection_count(), 1);
    }
}
