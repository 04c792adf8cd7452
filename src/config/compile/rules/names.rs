//! Patterns over names that no request can have: those are refused before any rule is asked.
//!
//! 1. An exact pattern is looked at by what looks at requests. Of a glob only the text that it
//!    begins with can be, and nothing is said where that is not sure.
//! 2. Where there is a plain spelling, it is named.

use super::{METHODS, RESOURCES, Written};
use crate::{
    config::{
        glob::Glob,
        problem::{Place, Report},
    },
    jsonrpc::{plain, uri},
};

/// Reports a rule for names that never come.
pub(super) fn report(rule: &Written<'_>, report: &mut Report<'_>) {
    match rule.key {
        METHODS => report_method(&rule.pattern, rule.place, report),
        RESOURCES if has_plain_name(&rule.pattern) => report_uri(rule, report),
        _ if !has_plain_name(&rule.pattern) => {
            let message = "never matches: a name with spaces at its ends or control characters is \
                           refused before it is judged";
            report.error(rule.place, message);
        }
        _ => {}
    }
}

/// Reports a pattern over methods that nobody can ask for.
pub(super) fn report_method(pattern: &Glob, place: &Place, report: &mut Report<'_>) {
    let refused =
        |why: &str| format!("never matches: such a method is refused before it is judged; {why}");
    if let Some(name) = pattern.exact() {
        if plain::method_fault(&name).is_some() {
            let why = match plain::known_method(&name) {
                Some(known) => format!("write `{known}`"),
                None => "methods are printable ASCII, without spaces and empty segments".to_owned(),
            };
            report.error(place, refused(&why));
        }
        return;
    }
    let beginning = pattern.beginning();
    let (_, is_in_other_case) = plain::begins_known_methods(&beginning);
    if is_in_other_case {
        report.error(place, refused("known methods begin like this in another case"));
    } else if plain::method_fault(&format!("{beginning}x")).is_some() {
        let why = "methods are printable ASCII, without spaces and empty segments";
        report.error(place, refused(why));
    }
}

fn has_plain_name(pattern: &Glob) -> bool {
    match pattern.exact() {
        Some(name) => plain::is_plain_name(&name),
        None => plain::is_plain_name(&format!("{}x", pattern.beginning())),
    }
}

fn report_uri(rule: &Written<'_>, report: &mut Report<'_>) {
    let refused = "such a URI is refused before it is judged";
    let Some(name) = rule.pattern.exact() else {
        if let Some(plain) = plain_beginning(&rule.pattern.beginning()) {
            let message = format!("{refused}; let the pattern begin with the plain `{plain}`");
            report.error(rule.place, message);
        }
        return;
    };
    if uri::is_plain(&name) {
        return;
    }
    match uri::plain(&name) {
        // What is written unescaped is what the plain form is read as.
        Some(plain) if uri::spellings(&plain).iter().any(|reading| **reading == *name) => {}
        Some(plain) => report.error(rule.place, format!("{refused}; write the plain `{plain}`")),
        None => {
            let message = format!(
                "{refused}: write it without escapes that need not be there, and without double ones"
            );
            report.error(rule.place, message);
        }
    }
}

/// How the URIs begin that a glob means, when those that begin as it does are all refused.
fn plain_beginning(beginning: &str) -> Option<String> {
    let Some((scheme, behind)) = beginning.split_once("://") else {
        // What follows may still make a plain URI of it, whatever stands behind the scheme.
        let (scheme, rest) = beginning.split_once(':')?;
        let is_upper =
            uri::is_scheme(scheme) && scheme.bytes().any(|byte| byte.is_ascii_uppercase());
        return is_upper.then(|| format!("{}:{rest}", scheme.to_ascii_lowercase()));
    };
    // One that goes on in the most harmless way.
    let end = if behind.contains(['/', '?', '#']) { "x" } else { "x/" };
    let one = format!("{scheme}://{behind}{end}");
    if uri::is_plain(&one) {
        return None;
    }
    let plain = uri::plain(&one)?;
    let is_read_so = uri::spellings(&plain).iter().any(|reading| **reading == *one);
    plain.strip_suffix(end).filter(|_| !is_read_so).map(str::to_owned)
}
