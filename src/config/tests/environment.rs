//! Variables and files for tests.

use std::{
    collections::HashMap,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

use crate::config::Environment;

/// An environment of its own.
#[derive(Debug)]
pub(in crate::config) struct TestEnvironment {
    pub(in crate::config) variables: HashMap<String, OsString>,
    pub(in crate::config) files: HashMap<PathBuf, Vec<u8>>,
}

impl TestEnvironment {
    pub(in crate::config) fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    pub(in crate::config) fn with_file(mut self, path: &str, bytes: &[u8]) -> Self {
        self.files.insert(path.into(), bytes.into());
        self
    }
}

impl Default for TestEnvironment {
    fn default() -> Self {
        Self { variables: HashMap::new(), files: HashMap::new() }
            .with_variable("INTROSPECTION_SECRET", CANARY)
            .with_variable("NUMBER", "12")
            .with_variable("EMPTY", "")
            .with_file("secret", format!("{CANARY}\n").as_bytes())
            .with_file("empty", b"\r\n")
            .with_file("key", b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY\n")
    }
}

impl Environment for TestEnvironment {
    fn variable(&self, name: &str) -> Option<OsString> {
        self.variables.get(name).cloned()
    }

    fn read_file(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        let bytes = self.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        if bytes.len() > limit {
            Err(io::ErrorKind::FileTooLarge.into())
        } else {
            Ok(bytes.clone())
        }
    }

    fn has_file(&self, path: &Path) -> bool {
        self.files.contains_key(path)
    }
}

/// A secret that must never be seen again.
pub(in crate::config) const CANARY: &str = "hunter2-canary";
