//! The audit stream: one line per decision, apart from the log.
//!
//! 1. It goes to standard output, or to a file that is only ever appended to, created for its owner
//!    alone (mode 0600).
//! 2. Writing never blocks serving: a queue and a thread of its own. A line that cannot be written
//!    is counted (`gatehouse_audit_lines_dropped_total`) and logged, and the stream says where lines
//!    are missing, and how many: what it does not say so of is complete.
//! 3. A file is opened anew on request, as after a log rotation. One that cannot be is said, and the
//!    one that is open goes on.
//!
//! What is in a line is not known here.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use prometheus::IntCounter;
use tracing::{error, info, warn};

use super::{queue::LineQueue, visible};
use crate::metrics::Metrics;

/// Where decisions are written.
#[derive(Debug)]
pub struct AuditStream {
    queue: LineQueue,
    not_taken: IntCounter,
    is_reopen_due: Arc<AtomicBool>,
}

impl AuditStream {
    /// Opens it: a file, or standard output.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened for appending, or is none.
    pub fn open(file: Option<&Path>, metrics: &Metrics) -> io::Result<Arc<Self>> {
        let [not_taken, failed] = counters(metrics);
        let is_reopen_due = Arc::<AtomicBool>::default();
        let queue = match file {
            Some(path) => {
                let output = AuditFile {
                    file: open(path)?,
                    path: path.to_owned(),
                    is_reopen_due: Arc::clone(&is_reopen_due),
                };
                start(Watched::new(output, failed))
            }
            None => start(Watched::new(io::stdout(), failed)),
        };
        Ok(Arc::new(Self { queue, not_taken, is_reopen_due }))
    }

    /// How many lines were lost so far.
    pub fn dropped(metrics: &Metrics) -> u64 {
        counters(metrics).iter().map(IntCounter::get).sum()
    }

    /// Has one line written, without its line break.
    pub fn write(&self, mut line: Vec<u8>) {
        line.push(b'\n');
        if !self.queue.send(visible(line)) {
            self.not_taken.inc();
        }
    }

    /// Has the file opened anew.
    pub fn reopen(&self) {
        self.is_reopen_due.store(true, Ordering::Release);
        // It need not be waited for.
        drop(self.queue.wake());
    }

    /// Waits, not for long, until what was written so far is in the file.
    pub fn flush(&self) {
        self.queue.flush();
    }
}

/// Of lines that did not fit into the queue, and of those that could not be written.
fn counters(metrics: &Metrics) -> [IntCounter; 2] {
    ["queue_full", "write_failed"]
        .map(|reason| metrics.audit_lines_dropped.with_label_values(&[reason]))
}

fn start(output: impl Write + Send + 'static) -> LineQueue {
    LineQueue::start("audit", gap, output)
}

/// Of lines that found no place in the queue.
fn gap(lost: u64) -> String {
    warn!(count = lost, "audit lines dropped: the audit stream does not keep up");
    gap_line(lost)
}

/// Says in the stream that lines are missing there.
fn gap_line(lost: u64) -> String {
    format!("{GAP}{lost}}}\n")
}

/// How many lines a gap tells of, if it is one.
fn told(line: &[u8]) -> Option<u64> {
    let number = line.strip_prefix(GAP.as_bytes())?.strip_suffix(b"}\n")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

const GAP: &str = "{\"type\":\"audit_gap\",\"dropped\":";

/// Counts what an output loses, and keeps its lines apart.
struct Watched<W> {
    output: W,
    failed: IntCounter,
    /// Lines lost since it last worked.
    lost: u64,
    /// Whether it broke off within a line.
    is_broken_off: bool,
}

impl<W: Write> Watched<W> {
    fn new(output: W, failed: IntCounter) -> Self {
        Self { output, failed, lost: 0, is_broken_off: false }
    }

    fn write_batch(&mut self, batch: &[u8]) -> io::Result<()> {
        if batch.is_empty() {
            return self.output.flush();
        }
        if let Err(error) = self.resume() {
            self.lose(batch);
            return Err(error);
        }
        let mut rest = batch;
        while !rest.is_empty() {
            let written = match self.output.write(rest) {
                Ok(0) => Err(io::ErrorKind::WriteZero.into()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other,
            };
            let position = batch.len() - rest.len();
            match written {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) => {
                    self.is_broken_off = position > 0 && batch.get(position - 1) != Some(&b'\n');
                    self.lose(rest);
                    return Err(error);
                }
            }
        }
        self.output.flush()
    }

    /// Ends the line that was broken off, and says what is missing.
    fn resume(&mut self) -> io::Result<()> {
        if self.is_broken_off {
            self.output.write_all(b"\n")?;
            self.is_broken_off = false;
        }
        if self.lost > 0 {
            let text = gap_line(self.lost);
            let mut rest = text.as_bytes();
            while !rest.is_empty() {
                match self.output.write(rest) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(count) => {
                        rest = rest.get(count..).unwrap_or_default();
                        self.is_broken_off = !rest.is_empty();
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            self.lost = 0;
        }
        Ok(())
    }

    fn lose(&mut self, lines: &[u8]) {
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            // What a lost gap tells of is counted already.
            let told = told(line);
            self.failed.inc_by(u64::from(told.is_none()));
            self.lost += told.unwrap_or(1);
        }
    }
}

impl<W: Write> Write for Watched<W> {
    fn write(&mut self, batch: &[u8]) -> io::Result<usize> {
        let lost = self.lost;
        match self.write_batch(batch) {
            Ok(()) if lost > 0 => info!(count = lost, "the audit stream can be written again"),
            Err(error) if lost == 0 => {
                error!(error = %error, "the audit stream cannot be written; lines are lost");
            }
            Ok(()) | Err(_) => {}
        }
        // Tried once: what failed is counted, and must not be written twice.
        Ok(batch.len())
    }

    fn write_all(&mut self, batch: &[u8]) -> io::Result<()> {
        self.write(batch).map(drop)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that can be opened anew.
struct AuditFile {
    file: File,
    path: PathBuf,
    is_reopen_due: Arc<AtomicBool>,
}

impl AuditFile {
    fn reopen_if_due(&mut self) {
        if !self.is_reopen_due.swap(false, Ordering::AcqRel) {
            return;
        }
        match open(&self.path) {
            Ok(file) => {
                self.file = file;
                info!("the file of telemetry.audit was opened anew");
            }
            Err(error) => warn!(
                error = %error,
                "the file of telemetry.audit cannot be opened anew; the old one goes on"
            ),
        }
    }
}

impl Write for AuditFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.reopen_if_due();
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.reopen_if_due();
        self.file.flush()
    }
}

fn open(path: &Path) -> io::Result<File> {
    // Opening a pipe would wait for its reader.
    if path.metadata().is_ok_and(|found| found.file_type().is_fifo()) {
        return Err(io::Error::other("it is a pipe; use `stdout`"));
    }
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests;
