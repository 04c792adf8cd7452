//! How the tour looks: short, readable, in colour only when told that this is a terminal.
//!
//! 1. Tokens, codes and secrets are shown by their first characters only: terminals are recorded.
//! 2. Control characters of an answer never reach the terminal.

use std::io::{self, Write};

use serde_json::Value;
use url::Url;

use super::exchange::{Answer, Call};

/// Where the tour is written to.
pub struct Screen<'a> {
    out: &'a mut dyn Write,
    has_colour: bool,
}

impl<'a> Screen<'a> {
    /// Writes to `out`, with colours when it is a terminal.
    pub fn new(out: &'a mut dyn Write, has_colour: bool) -> Self {
        Self { out, has_colour }
    }

    /// The same screen, lent.
    pub(in crate::demo) fn lend(&mut self) -> Screen<'_> {
        Screen { out: &mut *self.out, has_colour: self.has_colour }
    }

    /// A line of plain text.
    pub(in crate::demo) fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", printable(text))?;
        self.out.flush()
    }

    /// A heading.
    pub(in crate::demo) fn heading(&mut self, text: &str) -> io::Result<()> {
        self.painted("\x1b[1m", &format!("\n{text}"))
    }

    pub(super) fn verdict(&mut self, text: &str) -> io::Result<()> {
        self.painted("\x1b[32m", &format!("   ok: {text}"))
    }

    pub(in crate::demo) fn failure(&mut self, text: &str) -> io::Result<()> {
        self.painted("\x1b[31m", &format!("   FAILED: {text}"))
    }

    pub(super) fn exchange(&mut self, call: &Call, answer: &Answer) -> io::Result<()> {
        let note = if call.note.is_empty() { String::new() } else { format!("  ({})", call.note) };
        self.painted("\x1b[36m", &format!("   > {} {}{note}", call.method, shown_url(&call.url)))?;
        if let Some(token) = &call.token {
            self.line(&format!("     Authorization: Bearer {}", shortened_secret(token)))?;
        }
        let colour = if answer.status < 400 { "\x1b[32m" } else { "\x1b[33m" };
        self.painted(colour, &format!("   < {}", answer.status))?;
        for name in ["www-authenticate", "location", "mcp-session-id"] {
            for value in answer.header_values(name) {
                let value = match name {
                    "location" => shown_url(value),
                    "mcp-session-id" => shortened_secret(value),
                    _ => value.to_owned(),
                };
                self.line(&format!("     {name}: {value}"))?;
            }
        }
        for line in shown_body(&answer.body).lines() {
            self.line(&format!("     {line}"))?;
        }
        Ok(())
    }

    /// An event that came on an open stream.
    pub(super) fn event(&mut self, event: &str) -> io::Result<()> {
        self.painted("\x1b[32m", "   < an event on the open stream")?;
        for line in event.lines() {
            let (name, value) = line.split_once(": ").unwrap_or((line, ""));
            let value = if name == "data" { shown_body(value) } else { value.to_owned() };
            self.line(&format!("     {name}: {}", value.replace('\n', " / ")))?;
        }
        Ok(())
    }

    /// Both sides in one line, for what has been shown in full before.
    pub(super) fn brief_exchange(&mut self, call: &Call, answer: &Answer) -> io::Result<()> {
        let (address, _) = call.url.split_once('?').unwrap_or((&call.url, ""));
        let note = if call.note.is_empty() { String::new() } else { format!("  ({})", call.note) };
        let text = format!("   > {} {address}{note}  < {}", call.method, answer.status);
        self.painted("\x1b[2m", &text)
    }

    fn painted(&mut self, colour: &str, text: &str) -> io::Result<()> {
        if !self.has_colour {
            return self.line(text);
        }
        writeln!(self.out, "{colour}{}\x1b[0m", printable(text))?;
        self.out.flush()
    }
}

/// The text of an event or a tool result, otherwise the JSON with its secrets shortened; pages not
/// at all.
fn shown_body(body: &str) -> String {
    let Ok(mut json) = serde_json::from_str::<Value>(body) else {
        return if body.is_empty() { String::new() } else { "(a page)".to_owned() };
    };
    if let Value::String(text) = json {
        return text;
    }
    if let Some(text) = json.pointer("/result/content/0/text").and_then(Value::as_str) {
        return text.to_owned();
    }
    hide_secrets(&mut json);
    let text = json.to_string();
    let shown: String = text.chars().take(MAX_BODY_CHARACTERS).collect();
    if shown.len() < text.len() { format!("{shown}…") } else { shown }
}

fn hide_secrets(json: &mut Value) {
    let Some(object) = json.as_object_mut() else { return };
    for name in ["access_token", "refresh_token", "client_secret"] {
        if let Some(Value::String(secret)) = object.get_mut(name) {
            *secret = shortened_secret(secret);
        }
    }
}

/// A URL with the values shortened that are secret or say nothing to a reader.
fn shown_url(url: &str) -> String {
    let Ok(parsed) = Url::parse(url) else { return url.to_owned() };
    let query: Vec<String> = parsed
        .query_pairs()
        .map(|(name, value)| match name.as_ref() {
            "client_id" | "code" | "code_challenge" | "state" => {
                format!("{name}={}", shortened_secret(&value))
            }
            _ => format!("{name}={value}"),
        })
        .collect();
    let mark = if query.is_empty() { "" } else { "?" };
    let origin = parsed.origin().ascii_serialization();
    format!("{origin}{}{mark}{}", parsed.path(), query.join("&"))
}

fn shortened_secret(secret: &str) -> String {
    format!("{}…", secret.chars().take(6).collect::<String>())
}

fn printable(text: &str) -> String {
    text.chars().map(|it| if it.is_control() && it != '\n' { '\u{fffd}' } else { it }).collect()
}

const MAX_BODY_CHARACTERS: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_shortened() {
        let shown = shown_body(r#"{"access_token":"abcdefghijkl","refresh_token":"mnopqrstuvwx"}"#);
        assert_eq!(shown, r#"{"access_token":"abcdef…","refresh_token":"mnopqr…"}"#);
        let shown = shown_url("http://127.0.0.1/callback?code=abcdefghijkl&iss=http%3A%2F%2Fx");
        assert_eq!(shown, "http://127.0.0.1/callback?code=abcdef…&iss=http://x");
    }

    #[test]
    fn colours_and_control_characters_stay_out_of_a_file() {
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out, false);
        screen.heading("one").unwrap();
        screen.line("two\x1b[2J\r").unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "\none\ntwo\u{fffd}[2J\u{fffd}\n");
    }
}
