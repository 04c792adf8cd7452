//! Events as JSON, one object a line.
//!
//! 1. `timestamp` (RFC 3339, UTC), `level` and `message` come first, then the event's fields in
//!    their order; a field without a value is left out.
//! 2. What is no text or number to JSON (an infinite number, say) is `null`.
//! 3. Spans are not shown: every line reads alone.
//!
//! Our own, and not the formatter of `tracing-subscriber`: that one needs half as many instructions
//! for the line of a request as the gateway for everything else that it does with the request.

use std::{
    error::Error,
    fmt::{self, Debug},
};

use serde::Serialize;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Layer};

use super::{queue::LineQueue, visible};
use crate::clock::{Clock as _, SystemClock, rfc3339};

/// Writes events to a queue of lines.
#[derive(Debug)]
pub(super) struct JsonLines(pub(super) LineQueue);

impl<S: Subscriber> Layer<S> for JsonLines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = JsonLine(Vec::with_capacity(TYPICAL_LINE_BYTES));
        line.0.extend_from_slice(b"{\"timestamp\":");
        line.value(rfc3339(SystemClock.unix_seconds()));
        line.member("level", event.metadata().level().as_str());
        event.record(&mut line);
        line.0.extend_from_slice(b"}\n");
        self.0.send(visible(line.0));
    }
}

/// A line that is being written.
struct JsonLine(Vec<u8>);

impl JsonLine {
    fn member(&mut self, name: &str, value: impl Serialize) {
        self.0.push(b',');
        // A raw identifier is written without its mark.
        self.value(name.strip_prefix("r#").unwrap_or(name));
        self.0.push(b':');
        self.value(value);
    }

    fn value(&mut self, value: impl Serialize) {
        let begin = self.0.len();
        // Writing to memory cannot fail; a value that cannot be said leaves no half of itself.
        if serde_json::to_writer(&mut self.0, &value).is_err() {
            self.0.truncate(begin);
            self.0.extend_from_slice(b"null");
        }
    }
}

impl Visit for JsonLine {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.member(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.member(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.member(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.member(field.name(), value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.member(field.name(), value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.member(field.name(), Text(format_args!("{value}")));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.member(field.name(), Text(format_args!("{value:?}")));
    }
}

/// A text that is written without being put together first, unless it has to be.
struct Text<'a>(fmt::Arguments<'a>);

impl Serialize for Text<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_str() {
            Some(text) => serializer.serialize_str(text),
            None => serializer.collect_str(&self.0),
        }
    }
}

const TYPICAL_LINE_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use serde_json::{Value, json};
    use tracing::{error, info, warn};
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::{super::queue::tests::Output, *};

    /// What is written of the events that `log` makes.
    fn lines(log: impl FnOnce()) -> Vec<Value> {
        let (sender, written) = channel();
        let queue = LineQueue::start("lines", |_| String::new(), Output(sender));
        let subscriber = tracing_subscriber::registry().with(JsonLines(queue.clone()));
        tracing::subscriber::with_default(subscriber, log);
        queue.flush();
        drop(queue);
        let text = written.iter().collect::<Vec<_>>().concat();
        let text = String::from_utf8(text).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn fields_follow_the_message_in_their_order() {
        let (sender, written) = channel();
        let queue = LineQueue::start("lines", |_| String::new(), Output(sender));
        let subscriber = tracing_subscriber::registry().with(JsonLines(queue.clone()));
        tracing::subscriber::with_default(subscriber, || {
            let none: Option<&str> = None;
            info!(route = "notes", none, status = 200_u16, duration_ms = 1.5, ok = true, "request");
        });
        queue.flush();
        drop(queue);
        let line = String::from_utf8(written.iter().collect::<Vec<_>>().concat()).unwrap();
        let (time, rest) = line.split_at(r#"{"timestamp":"2026-11-22T04:14:10.123Z""#.len());
        assert!(time.starts_with(r#"{"timestamp":"2"#) && time.ends_with("Z\""), "{time}");
        let expected = r#","level":"INFO","message":"request","route":"notes","status":200,"duration_ms":1.5,"ok":true}"#;
        assert_eq!(rest, format!("{expected}\n"));
    }

    #[test]
    fn values_of_every_kind_are_json() {
        let wrong = "x".parse::<u8>().unwrap_err();
        let wrong: &(dyn Error + 'static) = &wrong;
        let lines = lines(|| {
            info!(big = u64::MAX, small = i64::MIN, infinite = f64::INFINITY, "numbers");
            warn!(error = wrong, shown = %"a\"b", debug = ?Some("c"), "texts {}", 1 + 1);
            error!(text = "\u{1b}[31m\r\n\u{0}\u{202e}é", "control characters");
        });
        let but_times: Vec<Value> = lines
            .into_iter()
            .map(|mut line| {
                assert!(line.as_object_mut().unwrap().remove("timestamp").is_some());
                line
            })
            .collect();
        let expected = [
            json!({"level": "INFO", "message": "numbers", "big": u64::MAX, "small": i64::MIN, "infinite": null}),
            json!({"level": "WARN", "message": "texts 2", "error": "invalid digit found in string", "shown": "a\"b", "debug": "Some(\"c\")"}),
            json!({"level": "ERROR", "message": "control characters", "text": "\u{1b}[31m\r\n\u{0}\u{202e}é"}),
        ];
        assert_eq!(but_times, expected);
    }
}
