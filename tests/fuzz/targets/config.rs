//! A configuration file.
//!
//! Holds: what is refused comes with at least one problem, each with its place and without the
//! secret from the environment.
#![no_main]

use std::{
    ffi::OsString,
    io::{Error, ErrorKind, Result},
    path::Path,
};

use gatehouse::config::{self, Environment};
use libfuzzer_sys::fuzz_target;

struct OneSecret;

impl Environment for OneSecret {
    fn variable(&self, name: &str) -> Option<OsString> {
        (name == "S").then(|| SECRET.into())
    }

    fn read_file(&self, _: &Path, _: usize) -> Result<Vec<u8>> {
        Err(Error::from(ErrorKind::NotFound))
    }

    fn has_file(&self, _: &Path) -> bool {
        false
    }
}

const SECRET: &str = "b3f0c2d1-never-shown";

fuzz_target!(|text: &str| {
    if text.contains(SECRET) {
        return;
    }
    match config::parse("g.yaml", text, &OneSecret) {
        Ok(loaded) => assert!(!loaded.settings.routes.is_empty()),
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                let shown = problem.to_string();
                assert!(shown.starts_with("g.yaml:"), "{shown}");
                assert!(!shown.contains(SECRET), "{shown}");
            }
        }
    }
});
