//! Tests of the audit stream's outputs: what is lost is counted and said, files are opened anew.

use std::{collections::VecDeque, fs, os::unix::fs::PermissionsExt as _};

use super::*;

/// Takes as many bytes at a time as it is told to; nothing is a full disk.
struct Disk {
    takes: VecDeque<usize>,
    written: Vec<u8>,
}

impl Write for &mut Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.takes.pop_front().unwrap_or(usize::MAX);
        if room == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let count = room.min(bytes.len());
        self.written.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn written(takes: &[usize], batches: &[&str]) -> (String, u64) {
    let mut disk = Disk { takes: takes.iter().copied().collect(), written: Vec::new() };
    let metrics = Metrics::new().unwrap();
    let failed = metrics.audit_lines_dropped.with_label_values(&["write_failed"]);
    let mut watched = Watched::new(&mut disk, failed.clone());
    for batch in batches {
        watched.write_all(batch.as_bytes()).unwrap();
    }
    (String::from_utf8(disk.written).unwrap(), failed.get())
}

#[test]
fn full_disk_loses_whole_lines_and_says_how_many() {
    let gap = |count| format!("{{\"type\":\"audit_gap\",\"dropped\":{count}}}\n");
    assert_eq!(written(&[], &["a\n", "b\n"]), ("a\nb\n".to_owned(), 0));
    let (text, failed) = written(&[0, 0], &["a\nb\n", "c\n", "d\n"]);
    assert_eq!((&*text, failed), (&*(gap(3) + "d\n"), 3));
}

#[test]
fn line_that_was_cut_ends_before_the_next_begins() {
    let (text, failed) = written(&[6, 0], &["one\ntwo\n", "three\n"]);
    assert_eq!(failed, 1);
    assert_eq!(text, "one\ntw\n{\"type\":\"audit_gap\",\"dropped\":1}\nthree\n");
}

fn folder(name: &str) -> PathBuf {
    let name = format!("gatehouse-audit-{name}-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    // Left behind by an earlier run, if at all.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn file_is_its_owners_appended_to_and_opened_anew() {
    let folder = folder("reopen");
    let path = folder.join("audit.jsonl");
    fs::write(&path, "before\n").unwrap();
    fs::remove_file(&path).unwrap();
    let stream = AuditStream::open(Some(&path), &Metrics::new().unwrap()).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    stream.write(b"one".to_vec());
    stream.flush();
    let rotated = folder.join("audit.jsonl.1");
    fs::rename(&path, &rotated).unwrap();
    stream.write(b"two".to_vec());
    stream.flush();
    assert_eq!(fs::read_to_string(&rotated).unwrap(), "one\ntwo\n", "until told otherwise");
    stream.reopen();
    stream.flush();
    stream.write(b"three".to_vec());
    stream.flush();
    assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
    // Where it cannot be opened anew, the one that is open goes on.
    let moved = folder.join("audit.jsonl.2");
    fs::rename(&path, &moved).unwrap();
    fs::create_dir(&path).unwrap();
    stream.reopen();
    stream.write(b"four".to_vec());
    stream.flush();
    assert_eq!(fs::read_to_string(&moved).unwrap(), "three\nfour\n");
    drop(stream);
    let again = AuditStream::open(Some(&rotated), &Metrics::new().unwrap()).unwrap();
    again.write(b"more".to_vec());
    again.flush();
    assert_eq!(fs::read_to_string(&rotated).unwrap(), "one\ntwo\nmore\n");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = folder("refused");
    let metrics = Metrics::new().unwrap();
    for path in [folder.clone(), folder.join("nowhere/audit.jsonl")] {
        assert!(AuditStream::open(Some(&path), &metrics).is_err(), "{}", path.display());
    }
    let pipe = folder.join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    assert!(AuditStream::open(Some(&pipe), &metrics).is_err(), "it would wait for a reader");
    fs::remove_dir_all(&folder).unwrap();
}

/// Takes nothing until it is told to.
struct Stuck(std::sync::mpsc::Receiver<()>, std::sync::mpsc::Sender<Vec<u8>>);

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Closed: it takes everything from then on.
        let _ = self.0.recv();
        self.1.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// P09: an output that takes nothing keeps nobody waiting; what it lost is said where it is missing.
#[test]
fn output_that_is_stuck_blocks_nobody_and_the_stream_tells_of_every_line() {
    let (release, stuck) = std::sync::mpsc::channel();
    let (sender, written) = std::sync::mpsc::channel();
    let metrics = Metrics::new().unwrap();
    let dropped = |reason| metrics.audit_lines_dropped.with_label_values(&[reason]);
    let output = Watched::new(Stuck(stuck, sender), dropped("write_failed"));
    let not_taken = dropped("queue_full");
    let stream = AuditStream { queue: start(output), not_taken, is_reopen_due: Arc::default() };
    // Long enough that a batch, which is bounded in bytes, has few of them.
    let line = format!("{{\"type\":\"audit\",\"rest\":\"{}\"}}", "-".repeat(500));
    for _ in 0..20_000 {
        stream.write(line.clone().into_bytes());
    }
    let lost = dropped("queue_full").get();
    assert!((20_000 - 2 * 8192..20_000).contains(&lost), "{lost}");
    drop(release);
    drop(stream);
    let text = String::from_utf8(written.iter().collect::<Vec<_>>().concat()).unwrap();
    let lines = text.lines().filter(|written| *written == line).count() as u64;
    let gaps =
        text.lines().filter_map(|line| line.strip_prefix("{\"type\":\"audit_gap\",\"dropped\":"));
    let missing: u64 = gaps.map(|rest| rest.trim_end_matches('}').parse::<u64>().unwrap()).sum();
    assert_eq!((lines + missing, missing), (20_000, lost));
}
