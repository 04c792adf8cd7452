//! Writing HTML: markup is what stands in this program, everything else is escaped.

use crate::{clock::rfc3339, logging::visible_to_people};

/// A page being written.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Markup, which is never put together at run time.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// A text, also within a quoted attribute.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for character in visible_to_people(text).chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                other => self.0.push(other),
            }
        }
        self
    }

    /// A text of this program's, where `backticks` set off what is written as it stands.
    pub(super) fn prose(&mut self, text: &'static str) -> &mut Self {
        for (index, part) in text.split('`').enumerate() {
            if index % 2 == 1 {
                self.raw("<code>").text(part).raw("</code>");
            } else {
                self.text(part);
            }
        }
        self
    }

    /// A text where there is one, and a dash where there is none.
    pub(super) fn text_or_dash(&mut self, text: Option<&str>) -> &mut Self {
        self.text(text.unwrap_or("\u{2013}"))
    }

    /// A number.
    pub(super) fn number(&mut self, number: impl Into<i128>) -> &mut Self {
        self.0.push_str(&number.into().to_string());
        self
    }

    /// A term and what it stands for.
    pub(super) fn fact(&mut self, term: &'static str, text: &str) -> &mut Self {
        self.raw("<div><dt>").raw(term).raw("</dt><dd>").text(text).raw("</dd></div>\n")
    }

    /// A time, to the second.
    pub(super) fn time(&mut self, unix_seconds: f64) -> &mut Self {
        match rfc3339(unix_seconds) {
            Some(time) => self.written_time(&time),
            None => self.text_or_dash(None),
        }
    }

    /// A time that is written already.
    pub(super) fn written_time(&mut self, time: &str) -> &mut Self {
        self.raw("<time datetime=\"").text(time).raw("\">").text(&readable(time)).raw("</time>")
    }

    /// The page.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// `2026-11-22 04:05:06 UTC` for a time as RFC 3339 has it.
pub(super) fn readable(time: &str) -> String {
    let to_the_second = time.split('.').next().unwrap_or(time);
    format!("{} UTC", to_the_second.replace('T', " "))
}

/// How long something takes, to two units.
pub(super) fn duration(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest} s"),
        (0, 0, _) => format!("{minutes} min {rest} s"),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}
