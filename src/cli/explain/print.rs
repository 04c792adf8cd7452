//! The answer for people.

use std::{
    io::{self, Write},
    time::{Duration, UNIX_EPOCH},
};

use super::{
    super::check::online::finding::{listed, quoted},
    answer::{Answer, Token},
    question::Question,
};
use crate::gateway::rehearsal::Stage;

/// Prints what would happen, decision by decision.
pub(super) fn print(answer: &Answer, question: &Question, out: &mut dyn Write) -> io::Result<()> {
    let parts = &question.parts;
    let host = parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
    let path = parts.uri.path();
    writeln!(out, "{} {}{path}", parts.method, host.unwrap_or_default())?;
    for (index, step) in answer.steps.iter().enumerate() {
        let number = index + 1;
        writeln!(out, "{number:3}. {:11}  {:7}  {}", step.step, step.ruling, step.why)?;
        // Which of its rules a route went by is worth a line of its own.
        if step.ruling != "passed" || step.step == Stage::Scopes.as_str() {
            writeln!(out, "{:18}{}", "", step.place)?;
        }
    }
    if let Some(token) = &answer.token {
        writeln!(out)?;
        print_token(token, out)?;
    }
    writeln!(out)?;
    match (answer.status, &answer.upstream) {
        (None, upstream) => {
            writeln!(
                out,
                "{}: forwarded to {}",
                answer.decision,
                upstream.as_deref().unwrap_or_default()
            )
        }
        (Some(status), _) => {
            let reason = answer.reason.map_or(String::new(), |reason| format!(", {reason}"));
            writeln!(out, "{}: {status}{reason}", answer.decision)?;
            for [name, value] in &answer.headers {
                writeln!(out, "  {name}: {value}")?;
            }
            Ok(())
        }
    }
}

fn print_token(token: &Token, out: &mut dyn Write) -> io::Result<()> {
    let or_none = |text: &Option<String>| text.as_ref().map_or("none".to_owned(), quoted);
    writeln!(out, "token of {} ({})", token.authorization_server, token.issuer)?;
    writeln!(out, "  subject    {}", or_none(&token.subject))?;
    writeln!(out, "  client     {}", or_none(&token.client_id))?;
    writeln!(out, "  audience   {}", listed(&token.audience))?;
    writeln!(out, "  scope      {}", listed(&token.scope))?;
    for (name, time) in [
        ("issued", token.issued_at),
        ("not before", token.not_before),
        ("expires", token.expires_at),
    ] {
        if let Some(time) = time.and_then(date) {
            writeln!(out, "  {name:10} {time}")?;
        }
    }
    match token.expires_in {
        Some(left) if left > 0.0 => writeln!(out, "  left       {}", span(left)),
        Some(left) => writeln!(out, "  left       none: it expired {} ago", span(-left)),
        None => writeln!(out, "  left       it does not say when it expires"),
    }
}

fn date(seconds: f64) -> Option<String> {
    let since = Duration::try_from_secs_f64(seconds).ok()?;
    // Later dates than HTTP can write are of no use to anybody.
    let date = UNIX_EPOCH.checked_add(since).filter(|_| seconds < LAST_SECOND)?;
    Some(httpdate::fmt_http_date(date))
}

/// A length of time in one or two units.
pub(super) fn span(seconds: f64) -> String {
    let days = seconds / 86_400.0;
    match seconds {
        seconds if seconds < 120.0 => format!("{:.0} s", seconds.max(0.0)),
        seconds if seconds < 7_200.0 => format!("{:.0} min", (seconds / 60.0).floor()),
        seconds if seconds < 172_800.0 => format!("{:.0} h", (seconds / 3_600.0).floor()),
        _ => format!("{:.0} days", days.floor()),
    }
}

/// The end of the year 9999.
const LAST_SECOND: f64 = 253_402_300_800.0;
