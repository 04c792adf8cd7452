//! Where log lines go and in which form.
//!
//! 1. One line per event on standard output: JSON, or text for people.
//! 2. Writing never blocks serving: lines go through a bounded queue to a thread of their own
//!    (`queue`); what does not fit is dropped and counted, and the count is logged.
//! 3. A closed output ends no request.
//! 4. Characters that would change how a terminal or a viewer shows a line are escaped; in JSON the
//!    value stays the same.

pub mod audit;
mod json;
mod queue;

use std::{
    borrow::Cow,
    fmt::Write as _,
    io::{self, Write},
    panic, thread,
};

use tracing::{Level, error};
use tracing_subscriber::{
    filter::LevelFilter, fmt::MakeWriter, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use self::{json::JsonLines, queue::LineQueue};

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

/// Starts logging for the whole process; a second call changes nothing.
///
/// `has_colour`: whether the output is a terminal, for the form that people read.
pub fn start(
    format: LogFormat,
    level: Level,
    output: impl Write + Send + 'static,
    has_colour: bool,
) -> Log {
    let queue = LineQueue::start("log", gap, output);
    let log = Log(queue.clone());
    let filter = LevelFilter::from_level(level);
    // Fails only when a subscriber is set already, as in a test binary.
    let _ = match format {
        LogFormat::Json => {
            tracing_subscriber::registry().with(filter).with(JsonLines(queue)).try_init()
        }
        LogFormat::Pretty => tracing_subscriber::fmt()
            .with_max_level(filter)
            .with_target(false)
            .with_ansi(has_colour)
            .with_writer(LogQueue(queue))
            .compact()
            .finish()
            .try_init(),
    };
    log
}

/// Has panics logged, of whatever thread, instead of written to standard error.
///
/// Their place alone: a message may quote what the code worked on, a token among it.
pub fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = thread::current();
        error!(place, thread = thread.name().unwrap_or_default(), "a defect: panicked");
    }));
}

/// The log's thread, as the process that ends needs it.
#[derive(Debug)]
pub struct Log(LineQueue);

impl Log {
    /// Waits, not for long, until what was logged so far is written.
    pub fn flush(&self) {
        self.0.flush();
    }
}

fn gap(lost: u64) -> String {
    format!("{{\"level\":\"WARN\",\"message\":\"log lines dropped\",\"count\":{lost}}}\n")
}

/// Where lines that are formatted go.
#[derive(Clone, Debug)]
struct LogQueue(LineQueue);

impl<'a> MakeWriter<'a> for LogQueue {
    type Writer = LogLine<'a>;

    fn make_writer(&'a self) -> LogLine<'a> {
        LogLine { queue: &self.0, line: Vec::with_capacity(512) }
    }
}

/// One line being written; sent when it is complete.
struct LogLine<'a> {
    queue: &'a LineQueue,
    line: Vec<u8>,
}

impl Write for LogLine<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogLine<'_> {
    fn drop(&mut self) {
        self.queue.send(visible(std::mem::take(&mut self.line)));
    }
}

/// Escapes control and format characters beyond ASCII, as JSON does; those of ASCII are escaped
/// where a line is formatted.
fn visible(line: Vec<u8>) -> Vec<u8> {
    if line.is_ascii() {
        return line;
    }
    let text = String::from_utf8_lossy(&line);
    visible_text(&text, is_invisible).into_owned().into_bytes()
}

/// A text for people, with what would change how it or its surroundings look written as `\u202e`.
pub fn visible_to_people(text: &str) -> Cow<'_, str> {
    visible_text(text, |character| character.is_control() || is_invisible(character))
}

fn visible_text(text: &str, is_invisible: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_invisible) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_invisible(character) {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\u{:04x}", u32::from(character));
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

/// C1 controls, separators, and what changes the direction or width of text; all of four digits.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{80}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_change_how_a_line_looks_are_escaped() {
        let line = "a\u{202e}b\u{9b}c\u{2028}\u{feff}\u{e9}\u{1f600}".as_bytes().to_vec();
        let expected = "a\\u202eb\\u009bc\\u2028\\ufeff\u{e9}\u{1f600}";
        assert_eq!(String::from_utf8(visible(line)).unwrap(), expected);
    }

    #[test]
    fn people_see_line_breaks_and_escapes_as_text() {
        assert_eq!(visible_to_people("a\nb\u{1b}[0m\u{202e}"), "a\\u000ab\\u001b[0m\\u202e");
        assert_eq!(visible_to_people("plain \u{e9}"), "plain \u{e9}");
    }
}
