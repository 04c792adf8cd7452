//! The world around the file: environment variables and the files a configuration names.
//!
//! 1. Only here does the crate read the environment; all else asks an [`Environment`].
//! 2. A file is read up to a bound and never quoted.
//! 3. A pipe or a device is no file, for reading it again may take for ever; below `/dev` it is what
//!    was asked for (`/dev/stdin`).
//! 4. A file that will be written is looked for, and neither made nor opened.
//! 5. A secret file loses its trailing line breaks; an empty one is refused.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::{
    clock::{Clock as _, SystemClock},
    oauth::Secret,
};

/// Where `${NAME}` and `*_file` come from.
pub trait Environment {
    /// The value of an environment variable, when it is set.
    fn variable(&self, name: &str) -> Option<OsString>;

    /// The bytes of a file; an error of kind [`io::ErrorKind::FileTooLarge`] beyond `limit` bytes.
    fn read_file(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>>;

    /// Whether there is a file at this path.
    fn has_file(&self, path: &Path) -> bool;

    /// Why no file can be written at this path, as far as can be told without touching it.
    fn unwritable(&self, _path: &Path) -> Option<&'static str> {
        None
    }

    /// Seconds since the Unix epoch: what a certificate's validity is judged by.
    fn unix_seconds(&self) -> f64 {
        SystemClock.unix_seconds()
    }

    /// When a file was last written, as far as can be told.
    fn modified(&self, _path: &Path) -> Option<SystemTime> {
        None
    }

    /// Whether everybody on this machine may read a file, as far as can be told.
    fn is_open_to_all(&self, _path: &Path) -> bool {
        false
    }
}

/// The process's own environment and file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn variable(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }

    fn read_file(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        let is_other = path.metadata().is_ok_and(|file| !file.is_file() && !file.is_dir());
        if is_other && !path.starts_with("/dev") {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        let mut bytes = Vec::new();
        File::open(path)?.take(bound).read_to_end(&mut bytes)?;
        if bytes.len() > limit { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
    }

    fn has_file(&self, path: &Path) -> bool {
        path.exists()
    }

    #[cfg(unix)]
    fn unwritable(&self, path: &Path) -> Option<&'static str> {
        use std::os::unix::fs::FileTypeExt as _;
        let is_absent = |error: &io::Error| {
            matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        };
        match path.metadata().map(|found| found.file_type()) {
            Ok(found) if found.is_dir() => Some("a folder; name a file in it"),
            Ok(found) if found.is_fifo() => Some("a pipe; expected a file, or `stdout` for audit"),
            Ok(found) if found.is_file() || path.starts_with("/dev") => None,
            Ok(_) => Some("not a regular file"),
            // It will be made, but not its folder.
            Err(error) if is_absent(&error) => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let is_there = folder.is_none_or(Path::is_dir);
                (!is_there).then_some("the folder of this file does not exist; make it first")
            }
            Err(_) => None,
        }
    }

    fn modified(&self, path: &Path) -> Option<SystemTime> {
        path.metadata().and_then(|file| file.modified()).ok()
    }

    #[cfg(unix)]
    fn is_open_to_all(&self, path: &Path) -> bool {
        use std::os::unix::fs::PermissionsExt as _;
        path.metadata().is_ok_and(|file| file.permissions().mode() & 0o004 != 0)
    }
}

/// Why a secret could not be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnreadableSecret {
    #[error("the file is empty")]
    Empty,
    #[error("the file is not UTF-8 text")]
    NotText,
    #[error("the file cannot be read ({})", describe(.0))]
    Unreadable(io::Error),
}

/// Reads the secret a file holds.
pub(super) fn read_secret(
    environment: &dyn Environment,
    path: &Path,
) -> Result<Secret, UnreadableSecret> {
    let bytes =
        environment.read_file(path, MAX_SECRET_BYTES).map_err(UnreadableSecret::Unreadable)?;
    let text = String::from_utf8(bytes).map_err(|_| UnreadableSecret::NotText)?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() { Err(UnreadableSecret::Empty) } else { Ok(Secret::new(text)) }
}

/// A path of the file: relative ones start at the file's own folder.
pub(super) fn resolve_path(folder: &Path, path: &str) -> PathBuf {
    folder.join(path)
}

/// What the operating system says, without anything that was written in the file.
pub(super) fn describe(error: &io::Error) -> String {
    let known = [
        (io::ErrorKind::FileTooLarge, "too large"),
        (io::ErrorKind::NotFound, "no such file"),
        (io::ErrorKind::PermissionDenied, "permission denied"),
        (io::ErrorKind::Unsupported, "not a regular file"),
    ];
    let found = known.iter().find(|(kind, _)| *kind == error.kind());
    found.map_or_else(|| error.kind().to_string(), |(_, text)| (*text).to_owned())
}

const MAX_SECRET_BYTES: usize = 64 * 1024;
