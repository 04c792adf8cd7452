//! The built binary in a process of its own: for its log, its exit status and its signals.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use serde_json::Value;

use super::clock::eventually;

/// A running `gatehouse`, killed when dropped.
pub(crate) struct Process {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    reading: thread::JoinHandle<()>,
}

/// What a command that ended said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A configuration file of a test's own.
pub(crate) fn file(yaml: &str) -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let path = folder.join(format!("{}-{number}.yaml", std::process::id()));
    fs::write(&path, yaml).unwrap();
    path
}

/// The binary, without what the surroundings say of its configuration.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatehouse"));
    command.args(arguments);
    for name in ["GATEHOUSE_CONFIG", "GATEHOUSE_LISTEN_ADDRESS", "GATEHOUSE_ADMIN_ADDRESS"] {
        command.env_remove(name);
    }
    command
}

/// Runs a command that ends by itself.
pub(crate) fn say(arguments: &[&str]) -> Said {
    let output = command(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

impl Process {
    /// Starts a command and waits until it serves.
    pub(crate) async fn serve(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let (out, sink) = (child.stdout.take().unwrap(), Arc::clone(&lines));
        let reading = thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                sink.lock().unwrap().push(line);
            }
        });
        let process = Self { child, lines, reading };
        process.event("serving").await;
        process
    }

    /// Every line it has logged.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Every logged event with this message.
    pub(crate) fn events(&self, message: &str) -> Vec<Value> {
        let lines = self.lines();
        let events = lines.iter().map(|line| serde_json::from_str(line).unwrap());
        events.filter(|event: &Value| event["message"] == message).collect()
    }

    /// Waits for an event with this message.
    pub(crate) async fn event(&self, message: &str) -> Value {
        let look = || self.events(message).pop().ok_or_else(|| self.lines().join("\n"));
        eventually(message, look).await
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How many descriptors and threads it has.
    pub(crate) fn resources(&self) -> (usize, usize) {
        let count = |what: &str| {
            let folder = format!("/proc/{}/{what}", self.child.id());
            fs::read_dir(folder).map_or(0, Iterator::count)
        };
        (count("fd"), count("task"))
    }

    /// How much memory it has.
    pub(crate) fn resident_bytes(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let script = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
    }

    /// Waits for its end, and until the last line of its log was read.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let Self { child, reading, .. } = self;
        eventually("the process ends", || match child.try_wait().unwrap() {
            Some(status) if reading.is_finished() => Ok(status),
            other => Err(format!("{other:?}")),
        })
        .await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
