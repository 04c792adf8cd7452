//! A bounded queue of lines, and the thread that writes them.
//!
//! 1. Who has a line never waits: what does not fit is dropped and counted, and the count is said
//!    in the stream itself, where the lines are missing.
//! 2. Lines of about the same time go out in one write: the thread waits a moment for more, unless
//!    it is behind. Waking it and writing cost more than putting a line together.
//! 3. An output that fails is tried again with the next lines.

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

/// The sending end of a queue of lines.
#[derive(Clone, Debug)]
pub(super) struct LineQueue {
    entries: SyncSender<Entry>,
    waiting: Arc<Waiting>,
}

/// What the thread has yet to do.
#[derive(Debug, Default)]
struct Waiting {
    /// Bytes of the lines in the queue.
    bytes: AtomicUsize,
    /// Lines that found no place since the last one was written.
    dropped: AtomicU64,
}

/// What goes through a queue.
#[derive(Debug)]
enum Entry {
    /// A line to write.
    Line(Vec<u8>),
    /// Somebody waits until everything before is written.
    Flush(SyncSender<()>),
}

impl LineQueue {
    /// Starts a thread that writes; `gap` is the line that says how many are missing.
    pub(super) fn start(
        name: &str,
        gap: fn(u64) -> String,
        output: impl Write + Send + 'static,
    ) -> Self {
        let (queue, received) = Self::unwritten(MAX_LINES);
        let waiting = Arc::clone(&queue.waiting);
        let writer = thread::Builder::new().name(name.to_owned());
        // Without the thread the queue fills up and lines are dropped: serving goes on.
        let _ = writer.spawn(move || write_lines(&received, (&waiting, gap), output));
        queue
    }

    fn unwritten(max_lines: usize) -> (Self, Receiver<Entry>) {
        let (entries, received) = sync_channel(max_lines);
        (Self { entries, waiting: Arc::default() }, received)
    }

    /// Has a line written, which ends with its line break; `false` when it was dropped.
    pub(super) fn send(&self, line: Vec<u8>) -> bool {
        let bytes = line.capacity();
        let fits = self.waiting.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= MAX_BYTES;
        let is_taken = fits && self.entries.try_send(Entry::Line(line)).is_ok();
        if !is_taken {
            self.waiting.bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.waiting.dropped.fetch_add(1, Ordering::Relaxed);
        }
        is_taken
    }

    /// Waits, not for long, until what was sent so far is written.
    pub(super) fn flush(&self) {
        // An output that takes nothing must not keep the process from ending.
        for _ in 0..FLUSH_ATTEMPTS {
            if let Some(is_written) = self.wake() {
                let _ = is_written.recv_timeout(FLUSH_PATIENCE);
                return;
            }
            // Full: what is in it is to be written too.
            thread::sleep(GATHERING);
        }
    }

    /// Has the output called although there may be nothing to write; full, it will be anyway.
    pub(super) fn wake(&self) -> Option<Receiver<()>> {
        let (written, is_written) = sync_channel(1);
        self.entries.try_send(Entry::Flush(written)).is_ok().then_some(is_written)
    }
}

fn write_lines(
    entries: &Receiver<Entry>,
    (queue, gap): (&Waiting, fn(u64) -> String),
    mut output: impl Write,
) {
    let mut is_behind = false;
    while let Ok(first) = entries.recv() {
        if !is_behind {
            thread::sleep(GATHERING);
        }
        let (mut batch, mut waiting) = (Vec::new(), Vec::new());
        let mut next = Some(first);
        while let Some(entry) = next {
            match entry {
                Entry::Line(line) => {
                    queue.bytes.fetch_sub(line.capacity(), Ordering::Relaxed);
                    batch.extend_from_slice(&line);
                }
                Entry::Flush(written) => waiting.push(written),
            }
            next = if batch.len() < MAX_BATCH_BYTES { entries.try_recv().ok() } else { None };
        }
        is_behind = batch.len() >= MAX_BATCH_BYTES;
        let lost = queue.dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            batch.extend_from_slice(gap(lost).as_bytes());
        }
        // A closed or full output is nobody's fault here; the next line tries again.
        let _ = output.write_all(&batch).and_then(|()| output.flush());
        // Who asked may have given up.
        for written in waiting {
            let _ = written.send(());
        }
    }
}

/// In which a queue of a million lines a second does not fill up.
const GATHERING: Duration = Duration::from_millis(2);
const FLUSH_PATIENCE: Duration = Duration::from_millis(500);
const MAX_BATCH_BYTES: usize = 64 * 1024;
/// About half a second.
const FLUSH_ATTEMPTS: u32 = 250;
/// Of all lines in a queue: many long ones cost as much as they say, and no more.
const MAX_BYTES: usize = 16 * 1024 * 1024;
const MAX_LINES: usize = 8192;

#[cfg(test)]
pub(super) mod tests {
    use std::{
        io,
        sync::mpsc::{Sender, channel},
    };

    use super::*;

    pub(in crate::logging) struct Output(pub(in crate::logging) Sender<Vec<u8>>);

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn gap(count: u64) -> String {
        format!("{count} missing\n")
    }

    #[test]
    fn lines_arrive_whole_and_in_order() {
        let (sender, received) = channel();
        let queue = LineQueue::start("lines", gap, Output(sender));
        for n in 0..3 {
            assert!(queue.send(format!("line {n}\n").into()));
        }
        let mut text = Vec::new();
        while text.len() < 21 {
            text.extend(received.recv_timeout(Duration::from_secs(5)).unwrap());
        }
        assert_eq!(String::from_utf8(text).unwrap(), "line 0\nline 1\nline 2\n");
    }

    #[test]
    fn full_queue_drops_lines_and_does_not_block() {
        let (queue, _received) = LineQueue::unwritten(1);
        let taken = (0..5).filter(|_| queue.send(b"line\n".to_vec())).count();
        assert_eq!((taken, queue.waiting.dropped.load(Ordering::Relaxed)), (1, 4));
        queue.flush();
    }

    #[test]
    fn queue_holds_no_more_bytes_than_it_may() {
        let (queue, received) = LineQueue::unwritten(MAX_LINES);
        let line = || vec![b'-'; MAX_BYTES / 4];
        let taken = (0..8).filter(|_| queue.send(line())).count();
        assert_eq!(taken, 4);
        let waiting = Arc::clone(&queue.waiting);
        drop(queue);
        let (sender, written) = channel();
        write_lines(&received, (&waiting, gap), Output(sender));
        assert_eq!(written.iter().flatten().filter(|byte| *byte == b'-').count(), MAX_BYTES);
        assert_eq!(waiting.bytes.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn stream_says_how_many_lines_are_missing_and_goes_on() {
        let (queue, received) = LineQueue::unwritten(2);
        for n in 0..5 {
            queue.send(format!("line {n}\n").into());
        }
        let waiting = Arc::clone(&queue.waiting);
        let (sender, written) = channel();
        drop(queue);
        write_lines(&received, (&waiting, gap), Output(sender));
        let text = written.iter().collect::<Vec<_>>().concat();
        assert_eq!(String::from_utf8(text).unwrap(), "line 0\nline 1\n3 missing\n");
    }
}
