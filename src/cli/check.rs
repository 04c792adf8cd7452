//! `gatehouse check`: every problem of a configuration, with its place; with `--online` also what
//! the authorization servers and upstreams say.
//!
//! 1. For people, problems go to standard error and results to standard output; with `--json` one
//!    object goes to standard output.
//! 2. Warnings are shown and do not fail; an error in the file is exit status 2, one that was found
//!    online is 1.
//! 3. Nobody is contacted unless asked for, and only when the file has no error.

pub(super) mod online;

use std::{
    io::{self, Write},
    path::Path,
    sync::Arc,
};

use serde::Serialize;

use self::online::{Finding, Verdict};
use super::{DONE, FAILED, WRONG_USE};
use crate::{
    authorize::rule_tests,
    clock::SystemClock,
    config::{Environment, Loaded, Problem, Severity},
};

/// What to check, and how to say it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asking {
    /// Whether one JSON object is printed.
    pub is_json: bool,
    /// Whether others are asked.
    pub is_online: bool,
}

/// What `--json` prints; `findings` only with `--online`.
#[derive(Serialize)]
struct Verdicts<'a> {
    ok: bool,
    problems: &'a [Problem],
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<&'a [Finding]>,
}

/// Checks a configuration file and returns the exit status.
///
/// # Errors
///
/// When `out` or `err` cannot be written to, or no runtime can be had.
pub fn check(
    path: &Path,
    asking: Asking,
    environment: &dyn Environment,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<u8> {
    let loaded = rule_tests::load(path, environment);
    let findings = match &loaded {
        Ok(loaded) if asking.is_online => Some(ask(loaded)?),
        Ok(_) | Err(_) => None,
    };
    let (is_usable, problems) = match loaded {
        Ok(loaded) => (true, loaded.warnings),
        Err(problems) => (false, problems),
    };
    let found = findings.as_deref().unwrap_or_default();
    let errors = number(found, Verdict::Error);
    if asking.is_json {
        let ok = is_usable && errors == 0;
        let findings = findings.as_deref();
        let verdicts = Verdicts { ok, problems: &problems, findings };
        serde_json::to_writer_pretty(&mut *out, &verdicts)?;
        writeln!(out)?;
    } else {
        report(path, &problems, is_usable, (&mut *out, err))?;
        if findings.is_some() {
            online::finding::print(found, out)?;
            let (errors, warnings) =
                (counted(errors, "error"), counted(number(found, Verdict::Warning), "warning"));
            writeln!(out, "online: {errors}, {warnings}")?;
        }
    }
    Ok(match (is_usable, errors) {
        (false, _) => WRONG_USE,
        (true, 0) => DONE,
        (true, _) => FAILED,
    })
}

fn ask(loaded: &Loaded) -> io::Result<Vec<Finding>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let clock: Arc<dyn crate::clock::Clock> = Arc::new(SystemClock);
    Ok(runtime.block_on(online::ask(loaded, &clock)))
}

fn number(findings: &[Finding], verdict: Verdict) -> usize {
    findings.iter().filter(|finding| finding.verdict == verdict).count()
}

fn report(
    path: &Path,
    problems: &[Problem],
    is_usable: bool,
    (out, err): (&mut dyn Write, &mut dyn Write),
) -> io::Result<()> {
    for problem in problems {
        writeln!(err, "{problem}")?;
    }
    let warnings = problems.iter().filter(|problem| problem.severity == Severity::Warning).count();
    let errors = counted(problems.len() - warnings, "error");
    let warnings = counted(warnings, "warning");
    if is_usable {
        writeln!(out, "{}: fine, {warnings}", path.display())
    } else {
        writeln!(err, "{}: {errors}, {warnings}", path.display())
    }
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
        let asking = Asking { is_json, is_online: false };
        let status =
            check(Path::new("g.yaml"), asking, &OneFile(text), &mut out, &mut err).unwrap();
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
