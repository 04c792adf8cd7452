//! `gatehouse check`: every problem of a configuration, with its place.
//!
//! 1. For people, problems go to standard error and the verdict to standard output; with `--json`
//!    one object goes to standard output.
//! 2. Warnings are shown and do not fail; an error is exit status 2.
//!
//! It contacts nobody.

use std::{
    io::{self, Write},
    path::Path,
};

use serde::Serialize;

use crate::{
    authorize::rule_tests,
    config::{Environment, Problem, Severity},
};

/// What `--json` prints.
#[derive(Serialize)]
struct Verdict<'a> {
    ok: bool,
    problems: &'a [Problem],
}

/// Checks a configuration file and returns the exit status.
///
/// # Errors
///
/// Only when `out` or `err` cannot be written to.
pub fn check(
    path: &Path,
    is_json: bool,
    environment: &dyn Environment,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<u8> {
    let (ok, problems) = match rule_tests::load(path, environment) {
        Ok(loaded) => (true, loaded.warnings),
        Err(problems) => (false, problems),
    };
    if is_json {
        serde_json::to_writer_pretty(&mut *out, &Verdict { ok, problems: &problems })?;
        writeln!(out)?;
    } else {
        for problem in &problems {
            writeln!(err, "{problem}")?;
        }
        let warnings =
            problems.iter().filter(|problem| problem.severity == Severity::Warning).count();
        let errors = counted(problems.len() - warnings, "error");
        let warnings = counted(warnings, "warning");
        if ok {
            writeln!(out, "{}: fine, {warnings}", path.display())?;
        } else {
            writeln!(err, "{}: {errors}, {warnings}", path.display())?;
        }
    }
    Ok(if ok { 0 } else { 2 })
}

fn counted(number: usize, what: &str) -> String {
    match number {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    /// One file, whatever its path.
    struct OneFile(&'static str);

    impl Environment for OneFile {
        fn variable(&self, _: &str) -> Option<OsString> {
            None
        }

        fn read_file(&self, _: &Path, _: usize) -> io::Result<Vec<u8>> {
            Ok(self.0.into())
        }

        fn has_file(&self, _: &Path) -> bool {
            true
        }
    }

    const FINE: &str = "\
public_url: https://a.example
listen: {allowed_hosts: ['*']}
routes: {a: {path: /a, upstream: 'http://b', access: public}}
";

    fn run(text: &'static str, is_json: bool) -> (u8, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let status =
            check(Path::new("g.yaml"), is_json, &OneFile(text), &mut out, &mut err).unwrap();
        (status, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn warnings_do_not_fail() {
        let (status, out, err) = run(FINE, false);
        assert_eq!((status, out.as_str()), (0, "g.yaml: fine, 1 warning\n"));
        assert!(err.starts_with("g.yaml:2:26: listen.allowed_hosts[0]: warning: "), "{err}");
    }

    #[test]
    fn errors_are_exit_status_2() {
        let (status, out, err) = run("public_url: x\nroutes: {}\n", false);
        assert_eq!((status, out.as_str()), (2, ""));
        assert!(err.ends_with("g.yaml: 2 errors, no warnings\n"), "{err}");
    }

    #[test]
    fn json_is_one_object_on_standard_output() {
        let (status, out, err) = run("public_url: https://a.example\n", true);
        assert_eq!((status, err.as_str()), (2, ""));
        let verdict: serde_json::Value = serde_json::from_str(&out).unwrap();
        let problem = serde_json::json!({
            "file": "g.yaml", "line": 1, "column": 1, "path": "routes",
            "message": "this key is required", "severity": "error",
        });
        assert_eq!(verdict, serde_json::json!({ "ok": false, "problems": [problem] }));
        assert_eq!(run(FINE, true).0, 0);
    }
}
