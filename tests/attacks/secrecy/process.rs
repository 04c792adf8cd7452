//! A gateway in a process of its own, with all that it writes.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use super::CONFIGURATION;
use crate::harness::{
    PING, Parties, client::Call, clock::eventually, gateway::free_port, token::Token,
};

/// A gateway in its own process, ended when it is dropped.
pub(super) struct Process {
    pub(super) child: Child,
    pub(super) directory: PathBuf,
    pub(super) address: SocketAddr,
    pub(super) admin: SocketAddr,
    pub(super) parties: Parties,
}

impl Process {
    /// Starts it; `proxy` is where the environment says that a proxy is.
    pub(super) async fn start(name: &str, proxy: &str) -> Self {
        Self::start_with(name, proxy, CONFIGURATION, &[]).await
    }

    /// Starts it with another configuration, and files beside it.
    pub(super) async fn start_with(
        name: &str,
        proxy: &str,
        yaml: &str,
        files: &[(&str, &str)],
    ) -> Self {
        Self::start_between(Parties::start().await, name, proxy, yaml, files).await
    }

    pub(super) async fn start_between(
        parties: Parties,
        name: &str,
        proxy: &str,
        yaml: &str,
        files: &[(&str, &str)],
    ) -> Self {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let (address, admin) = (local(free_port()), local(free_port()));
        let yaml = parties.fill(yaml);
        let yaml =
            yaml.replace("ADDRESS", &address.to_string()).replace("ADMIN", &admin.to_string());
        let directory = format!("{}/{name}-{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
        let directory = PathBuf::from(directory);
        fs::create_dir_all(&directory).unwrap();
        let file = directory.join("gatehouse.yaml");
        fs::write(&file, yaml).unwrap();
        for (name, text) in files {
            fs::write(directory.join(name), text).unwrap();
        }
        let output = |name| Stdio::from(File::create(directory.join(name)).unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatehouse"));
        command.arg("serve").arg("-c").arg(&file).stdin(Stdio::null());
        for variable in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
            command.env(variable, proxy);
        }
        for variable in ["RUST_LOG", "GATEHOUSE_LOG"] {
            command.env(variable, "trace");
        }
        let child = command.stdout(output("out")).stderr(output("err")).spawn().unwrap();
        let process = Self { child, directory, address, admin, parties };
        process.ready().await;
        process
    }

    pub(super) async fn ready(&self) {
        for _ in 0..2000 {
            if tokio::net::TcpStream::connect(self.admin).await.is_ok()
                && Call::new(self.admin, "GET", "/readyz").send().await.status == 200
            {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("never ready: {}", self.log());
    }

    /// Everything it has written so far.
    pub(super) fn log(&self) -> String {
        let read = |name| fs::read(self.directory.join(name)).unwrap();
        String::from_utf8_lossy(&[read("out"), read("err")].concat()).into_owned()
    }

    /// The lines about requests.
    pub(super) fn access_log(&self) -> Vec<String> {
        let log = self.log();
        log.lines().filter(|line| line.contains("\"request_id\"")).map(ToOwned::to_owned).collect()
    }

    /// The log, once it has this many lines about requests.
    pub(super) async fn logged(&self, count: usize) -> Vec<String> {
        eventually("the log", || match self.access_log() {
            lines if lines.len() >= count => Ok(lines),
            lines => Err(format!("{} of {count}", lines.len())),
        })
        .await
    }

    pub(super) fn post(&self, target: &str) -> Call {
        Call::new(self.address, "POST", target)
            .header("Content-Type", "application/json")
            .body(PING)
    }

    pub(super) fn claims(&self) -> Token {
        Token::new().audience(&format!("http://{}/notes", self.address)).scope("notes.read")
    }

    /// Makes the authorization server know a token.
    pub(super) fn know(&self, token: &str, claims: &Token) {
        self.parties.authorization_server.know(token, &claims.json());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}
