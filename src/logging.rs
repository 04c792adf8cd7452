//! Where log lines go and in which form.
//!
//! 1. One line per event on standard output: JSON, or text for people.
//! 2. Writing never blocks serving: lines go through a bounded queue to a thread of their own; what
//!    does not fit is dropped and counted, and the count is logged.
//! 3. A closed output ends no request.
//! 4. Characters that would change how a terminal or a viewer shows a line are escaped; in JSON the
//!    value stays the same.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::Duration,
};

use tracing::Level;
use tracing_subscriber::{filter::LevelFilter, fmt::MakeWriter};

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

/// Starts logging for the whole process; a second call changes nothing.
pub fn start(format: LogFormat, level: Level, output: impl Write + Send + 'static) -> Log {
    let queue = LogQueue::start(output);
    let log = Log(queue.entries.clone());
    let builder = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::from_level(level))
        .with_target(false)
        .with_writer(queue);
    // Fails only when a subscriber is set already, as in a test binary.
    let _ = match format {
        LogFormat::Json => {
            builder.json().flatten_event(true).with_current_span(false).try_init_boxed()
        }
        LogFormat::Pretty => builder.compact().try_init_boxed(),
    };
    log
}

/// The log's thread, as the process that ends needs it.
#[derive(Debug)]
pub struct Log(SyncSender<Entry>);

impl Log {
    /// Waits, not for long, until what was logged so far is written.
    pub fn flush(&self) {
        let (written, is_written) = sync_channel(1);
        if self.0.try_send(Entry::Flush(written)).is_ok() {
            // An output that takes nothing must not keep the process from ending.
            let _ = is_written.recv_timeout(FLUSH_PATIENCE);
        }
    }
}

/// What goes through the queue.
#[derive(Debug)]
enum Entry {
    /// A line to write.
    Line(Vec<u8>),
    /// Somebody waits until everything before is written.
    Flush(SyncSender<()>),
}

/// `try_init` with one error type for both formats.
trait TryInit {
    fn try_init_boxed(self) -> Result<(), ()>;
}

impl<S> TryInit for S
where
    S: Into<tracing::Dispatch>,
{
    fn try_init_boxed(self) -> Result<(), ()> {
        tracing::dispatcher::set_global_default(self.into()).map_err(|_| ())
    }
}

/// The sending end of the queue.
#[derive(Clone, Debug)]
struct LogQueue {
    entries: SyncSender<Entry>,
    dropped: Arc<AtomicU64>,
}

impl LogQueue {
    fn start(output: impl Write + Send + 'static) -> Self {
        let (entries, received) = sync_channel(MAX_LINES);
        let dropped = Arc::new(AtomicU64::new(0));
        let queue = Self { entries, dropped: Arc::clone(&dropped) };
        let writer = thread::Builder::new().name("log".to_owned());
        // Without the thread the queue fills up and lines are dropped: serving goes on.
        let _ = writer.spawn(move || write_lines(&received, &dropped, output));
        queue
    }
}

fn write_lines(entries: &Receiver<Entry>, dropped: &AtomicU64, mut output: impl Write) {
    while let Ok(first) = entries.recv() {
        let (mut batch, mut waiting) = (Vec::new(), Vec::new());
        let mut next = Some(first);
        // What has gathered meanwhile goes out in one write.
        while let Some(entry) = next {
            match entry {
                Entry::Line(line) => batch.extend_from_slice(&line),
                Entry::Flush(written) => waiting.push(written),
            }
            next = if batch.len() < MAX_BATCH_BYTES { entries.try_recv().ok() } else { None };
        }
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            batch.extend_from_slice(
                format!(
                    "{{\"level\":\"WARN\",\"message\":\"log lines dropped\",\"count\":{lost}}}\n"
                )
                .as_bytes(),
            );
        }
        // A closed or full output is nobody's fault here; the next line tries again.
        let _ = output.write_all(&batch).and_then(|()| output.flush());
        // Who asked may have given up.
        for written in waiting {
            let _ = written.send(());
        }
    }
}

impl<'a> MakeWriter<'a> for LogQueue {
    type Writer = LogLine<'a>;

    fn make_writer(&'a self) -> LogLine<'a> {
        LogLine { queue: self, line: Vec::with_capacity(512) }
    }
}

/// One line being written; sent when it is complete.
struct LogLine<'a> {
    queue: &'a LogQueue,
    line: Vec<u8>,
}

impl Write for LogLine<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogLine<'_> {
    fn drop(&mut self) {
        let line = visible(std::mem::take(&mut self.line));
        match self.queue.entries.try_send(Entry::Line(line)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.queue.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Escapes control and format characters beyond ASCII, as JSON does; those of ASCII are escaped
/// where a line is formatted.
fn visible(line: Vec<u8>) -> Vec<u8> {
    if line.is_ascii() {
        return line;
    }
    let mut out = Vec::with_capacity(line.len() + 16);
    for character in String::from_utf8_lossy(&line).chars() {
        if is_invisible(character) {
            // Writing to memory cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(character));
        } else {
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    out
}

/// C1 controls, separators, and what changes the direction or width of text; all of four digits.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{80}'..='\u{9f}'
            | '\u{ad}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
    )
}

const FLUSH_PATIENCE: Duration = Duration::from_millis(500);
const MAX_LINES: usize = 8192;
const MAX_BATCH_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    struct Output(std::sync::mpsc::Sender<Vec<u8>>);

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_arrive_whole_and_in_order() {
        let (sender, received) = channel();
        let queue = LogQueue::start(Output(sender));
        for n in 0..3 {
            writeln!(queue.make_writer(), "line {n}").unwrap();
        }
        let mut text = Vec::new();
        while text.len() < 21 {
            text.extend(received.recv_timeout(Duration::from_secs(5)).unwrap());
        }
        assert_eq!(String::from_utf8(text).unwrap(), "line 0\nline 1\nline 2\n");
    }

    #[test]
    fn characters_that_change_how_a_line_looks_are_escaped() {
        let line = "a\u{202e}b\u{9b}c\u{2028}\u{feff}\u{e9}\u{1f600}".as_bytes().to_vec();
        let expected = "a\\u202eb\\u009bc\\u2028\\ufeff\u{e9}\u{1f600}";
        assert_eq!(String::from_utf8(visible(line)).unwrap(), expected);
    }

    #[test]
    fn full_queue_drops_lines_and_does_not_block() {
        let (entries, _received) = sync_channel(1);
        let queue = LogQueue { entries, dropped: Arc::default() };
        for _ in 0..5 {
            writeln!(queue.make_writer(), "line").unwrap();
        }
        assert_eq!(queue.dropped.load(Ordering::Relaxed), 4);
    }
}
