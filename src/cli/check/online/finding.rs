//! What was found out, and how it reads.
//!
//! 1. A finding names its subject, a verdict, what was seen and, unless all is well, what to write
//!    and where.
//! 2. Text of others is shown quoted and cut short; bodies, tokens and secrets are never in it.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use crate::config::{KeyPlace, Places};

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::cli) enum Verdict {
    /// As it should be, or at least not wrong.
    Ok,
    /// It works, but not for everybody or not for long.
    Warning,
    /// It does not work.
    Error,
}

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize)]
pub(in crate::cli) struct Finding {
    /// The section it is about, such as `authorization_servers.corp`.
    pub(in crate::cli) subject: String,
    /// What was looked at: a word of a closed set.
    pub(in crate::cli) check: &'static str,
    /// How it is.
    pub(in crate::cli) verdict: Verdict,
    /// What was seen.
    pub(in crate::cli) seen: String,
    /// What to write or do.
    pub(in crate::cli) remedy: Option<String>,
    /// Where to write it.
    pub(in crate::cli) place: Option<KeyPlace>,
}

/// What is found about one subject.
pub(super) struct Findings<'a> {
    subject: String,
    places: &'a Places,
    found: Vec<Finding>,
}

impl<'a> Findings<'a> {
    pub(super) fn about(subject: String, places: &'a Places) -> Self {
        Self { subject, places, found: Vec::new() }
    }

    /// Whether a key, relative to the subject, stands in the file.
    pub(super) fn is_written(&self, key: &str) -> bool {
        self.places.find(&format!("{}.{key}", self.subject)).is_written
    }

    /// As it should be.
    pub(super) fn ok(&mut self, check: &'static str, seen: impl Into<String>) {
        let seen = seen.into();
        let subject = self.subject.clone();
        let verdict = Verdict::Ok;
        self.found.push(Finding { subject, check, verdict, seen, remedy: None, place: None });
    }

    /// It works, but. `key` is relative to the subject.
    pub(super) fn warning(
        &mut self,
        check: &'static str,
        seen: impl Into<String>,
        key: &str,
        remedy: impl Into<String>,
    ) {
        self.add(Verdict::Warning, (check, seen.into()), key, remedy.into());
    }

    /// It does not work. `key` is relative to the subject.
    pub(super) fn error(
        &mut self,
        check: &'static str,
        seen: impl Into<String>,
        key: &str,
        remedy: impl Into<String>,
    ) {
        self.add(Verdict::Error, (check, seen.into()), key, remedy.into());
    }

    fn add(
        &mut self,
        verdict: Verdict,
        (check, seen): (&'static str, String),
        key: &str,
        remedy: String,
    ) {
        let path = match key {
            "" => self.subject.clone(),
            key => format!("{}.{key}", self.subject),
        };
        let place = Some(self.places.find(&path));
        let (subject, remedy) = (self.subject.clone(), Some(remedy));
        self.found.push(Finding { subject, check, verdict, seen, remedy, place });
    }

    pub(super) fn finish(self) -> Vec<Finding> {
        self.found
    }
}

/// Prints findings for people, by subject.
pub(in crate::cli) fn print(findings: &[Finding], out: &mut dyn Write) -> io::Result<()> {
    let mut subject = "";
    for finding in findings {
        if finding.subject != subject {
            subject = &finding.subject;
            writeln!(out, "{subject}")?;
        }
        let verdict = match finding.verdict {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Error => "error",
        };
        writeln!(out, "  {verdict:7}  {}: {}", finding.check, finding.seen)?;
        match (&finding.remedy, &finding.place) {
            (Some(remedy), Some(place)) => writeln!(out, "           {place}: {remedy}")?,
            (Some(remedy), None) => writeln!(out, "           {remedy}")?,
            (None, _) => {}
        }
    }
    Ok(())
}

/// Somebody else's text, quoted and cut short.
pub(in crate::cli) fn quoted(text: impl AsRef<str>) -> String {
    let text = text.as_ref();
    let start = text.get(..text.floor_char_boundary(MAX_TEXT_BYTES)).unwrap_or_default();
    let end = if start.len() < text.len() { "..." } else { "" };
    format!("{start:?}{end}")
}

/// A list of somebody else's texts.
pub(in crate::cli) fn listed(texts: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut shown: Vec<_> = texts.into_iter().take(MAX_ITEMS + 1).map(quoted).collect();
    if let Some(last) = shown.get_mut(MAX_ITEMS) {
        "...".clone_into(last);
    }
    format!("[{}]", shown.join(", "))
}

/// The strings of a JSON array.
pub(super) fn strings(values: &[Value]) -> impl Iterator<Item = &str> {
    values.iter().filter_map(Value::as_str)
}

const MAX_TEXT_BYTES: usize = 200;
const MAX_ITEMS: usize = 20;
