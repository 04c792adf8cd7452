//! When to read the configuration again: its file and every file that it names are looked at.
//!
//! 1. What is in the files is compared, not when it was written: a symlink that is swapped, a file that is renamed over
//!    another, a permission that is lost all count, and a file that is only touched does not.
//! 2. Which files there are is learnt from reading the configuration: whatever is asked of its
//!    [`Environment`], missing files too.
//! 3. A change is acted upon when nothing was written between three looks and the reading: a file
//!    being written is not read half-way. Whoever sends SIGHUP is not kept waiting.
//! 4. What was refused is not read again until a file changes.
//!
//! Looking is done every second and reads each file: with the few kilobytes there are, it costs less
//! than being told by the system, and works wherever files do.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, SystemTime},
};

use aws_lc_rs::digest::{SHA256, digest};

use super::Reloader;
use crate::{
    authorize::rule_tests,
    config::{Environment, Loaded, Overrides, Problem},
};

/// Where a configuration comes from.
pub struct Source {
    path: PathBuf,
    overrides: Overrides,
    environment: Box<dyn Environment + Send>,
}

/// The files that a configuration was read from, and what was in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files(BTreeMap<PathBuf, Content>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Content {
    /// What was there: the digest of all bytes.
    found: Result<Box<[u8]>, io::ErrorKind>,
    limit: usize,
    /// When it was written; for telling whether somebody still writes.
    modified: Option<SystemTime>,
}

impl Files {
    /// Whether the same is in all files, whenever it was written.
    fn say_the_same_as(&self, other: &Self) -> bool {
        let found = |files: &Self| files.0.values().map(|each| each.found.clone()).collect();
        let (ours, theirs): (Vec<_>, Vec<_>) = (found(self), found(other));
        ours == theirs && self.0.keys().eq(other.0.keys())
    }
}

impl Source {
    /// A file in its surroundings, with addresses that win over the file's.
    pub fn new(
        path: PathBuf,
        overrides: Overrides,
        environment: Box<dyn Environment + Send>,
    ) -> Self {
        Self { path, overrides, environment }
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it, and remembers of which files.
    pub fn read(&self) -> (Result<Loaded, Vec<Problem>>, Files) {
        let recorder = Recorder { inner: &*self.environment, files: RefCell::default() };
        let mut loaded = rule_tests::load(&self.path, &recorder);
        if let Ok(loaded) = &mut loaded {
            self.overrides.apply(&mut loaded.settings);
        }
        (loaded, recorder.files.into_inner())
    }

    /// Looks at the same files again.
    fn look(&self, files: &Files) -> Files {
        let look = |(path, content): (&PathBuf, &Content)| {
            (path.clone(), Content::read(&*self.environment, path, content.limit).1)
        };
        Files(files.0.iter().map(look).collect())
    }

    /// Reads it again whenever its files change or `asked` says so, until `asked` is closed.
    pub fn follow(&self, files: Files, reloader: &Reloader, asked: &Receiver<()>) {
        let mut changes = Changes::since(files);
        let mut pause = CALM_PAUSE;
        loop {
            let is_asked = match asked.recv_timeout(pause) {
                Ok(()) => true,
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let change = changes.look(self.look(&changes.known));
            pause = if change == Change::UnderWay { PAUSE } else { CALM_PAUSE };
            if !is_asked && change != Change::Done {
                continue;
            }
            let (loaded, read) = self.read();
            // Somebody writes after all.
            if !is_asked && !changes.have_rested_at(&read) {
                pause = PAUSE;
                continue;
            }
            reloader.apply(loaded);
            (changes, pause) = (Changes::since(read), CALM_PAUSE);
        }
    }
}

impl Content {
    fn read(
        environment: &dyn Environment,
        path: &Path,
        limit: usize,
    ) -> (io::Result<Vec<u8>>, Self) {
        // Before it is read: what is written meanwhile has a later time.
        let modified = environment.modified(path);
        let bytes = environment.read_file(path, limit);
        let found = match &bytes {
            Ok(bytes) => Ok(digest(&SHA256, bytes).as_ref().into()),
            Err(error) => Err(error.kind()),
        };
        (bytes, Self { found, limit, modified })
    }
}

/// Remembers which files were read, and what was in them.
struct Recorder<'e> {
    inner: &'e dyn Environment,
    files: RefCell<Files>,
}

impl Environment for Recorder<'_> {
    fn variable(&self, name: &str) -> Option<OsString> {
        self.inner.variable(name)
    }

    fn read_file(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        let (bytes, content) = Content::read(self.inner, path, limit);
        self.files.borrow_mut().0.insert(path.to_owned(), content);
        bytes
    }

    fn has_file(&self, path: &Path) -> bool {
        self.inner.has_file(path)
    }

    fn unwritable(&self, path: &Path) -> Option<&'static str> {
        self.inner.unwritable(path)
    }

    fn modified(&self, path: &Path) -> Option<SystemTime> {
        self.inner.modified(path)
    }

    fn is_open_to_all(&self, path: &Path) -> bool {
        self.inner.is_open_to_all(path)
    }
}

/// Files that may be about to change.
struct Changes {
    /// As they were read.
    known: Files,
    /// As they are while they change, and for how many looks they have been so.
    latest: Option<(Files, u32)>,
}

/// What a look at the files tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// They changed, and have come to rest.
    Done,
    /// They are as they were read.
    None,
    /// They are changing.
    UnderWay,
}

impl Changes {
    fn since(known: Files) -> Self {
        Self { known, latest: None }
    }

    fn look(&mut self, seen: Files) -> Change {
        if seen.say_the_same_as(&self.known) {
            self.latest = None;
            return Change::None;
        }
        let rested = match self.latest.take() {
            Some((latest, rested)) if latest == seen => rested + 1,
            _ => 0,
        };
        self.latest = Some((seen, rested));
        if rested >= LOOKS { Change::Done } else { Change::UnderWay }
    }

    /// Whether what was read is what the last look saw, as far as it looked.
    fn have_rested_at(&self, read: &Files) -> bool {
        self.latest.as_ref().is_some_and(|(latest, _)| {
            latest.0.iter().all(|(path, seen)| read.0.get(path).is_none_or(|read| read == seen))
        })
    }
}

/// A thread that follows a configuration; `here` tells whoever waits that it is still there.
pub fn start(
    (source, files): (Source, Files),
    reloader: Arc<Reloader>,
    asked: Receiver<()>,
    here: impl Send + 'static,
) -> io::Result<()> {
    let thread = std::thread::Builder::new().name("reload".to_owned());
    let follow = move || {
        let here = here;
        source.follow(files, &reloader, &asked);
        drop(here);
    };
    thread.spawn(follow).map(drop)
}

const CALM_PAUSE: Duration = Duration::from_secs(1);
/// Between two looks at files that are changing.
const PAUSE: Duration = Duration::from_millis(250);
/// How many more looks must see the same.
const LOOKS: u32 = 2;

#[cfg(test)]
mod tests;
