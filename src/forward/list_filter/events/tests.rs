//! Event streams, named after the rows of group H that they prove.

use super::*;
use crate::forward::list_filter::tests::hides_x;

const LIST: &str = r#"{"id":1,"result":{"tools":[{"name":"x"},{"name":"é"}]}}"#;
const KEPT: &str = r#"{"id":1,"result":{"tools":[{"name":"é"}]}}"#;

/// What comes of a stream that is cut into pieces of this size.
fn pass(stream: &[u8], size: usize) -> Result<String, EventError> {
    let mut filter = EventFilter::new(hides_x());
    let mut out = Vec::new();
    for piece in stream.chunks(size) {
        out.extend_from_slice(&filter.push(piece)?);
    }
    Ok(String::from_utf8(out).unwrap())
}

fn passes_as(stream: &str, expected: &str) {
    for size in (1..40).chain([stream.len()]) {
        let passed = pass(stream.as_bytes(), size).unwrap();
        assert_eq!(passed, expected, "{size} {stream:?}");
    }
}

#[test]
fn h01_list_is_filtered_in_one_data_line_or_in_many() {
    passes_as(&format!("data: {LIST}\n\n"), &format!("data: {KEPT}\n\n"));
    let pretty = "event: message\nid: 7\ndata: {\"result\":{\ndata: \"tools\":[\ndata:  {\"name\":\"x\"},\n\
        data: {\"name\":\n: between\ndata: \"a\"}]}}\nretry: 5\n\n";
    passes_as(
        pretty,
        "event: message\nid: 7\ndata: {\"result\":{ \"tools\":[  {\"name\": \"a\"}]}}\n: between\n\
         retry: 5\n\n",
    );
}

#[test]
fn h02_other_events_pass_around_the_list() {
    let notification = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{}}"#;
    let around = format!(
        ": ping\n\nevent: message\ndata: {notification}\n\nevent: custom\ndata: not JSON\n\n\
         id: 1\ndata:\n\nretry: 10\n\nevent: endpoint\ndata: /messages\n\n"
    );
    passes_as(
        &format!("{around}data: {LIST}\n\n{around}"),
        &format!("{around}data: {KEPT}\n\n{around}"),
    );
}

#[test]
fn h02_what_cannot_be_understood_never_passes() {
    for event in [
        "data: not JSON\n\n",
        "event: message\ndata: {\"result\":{\"tools\":[{\"name\":\"a\"}]}\n\n",
        "data: {\"result\":{\"tools\":[],\"Tools\":[{\"name\":\"x\"}]}}\n\n",
        "data: {}\ndata: {}\n\n",
        "Data: {}\n\n",
        " data: {}\n\n",
        // JSON in the name of an event stream.
        "{\"result\":{\"tools\":[{\"name\":\"x\"}]}}\n\n",
        "event: custom\n{\n \"result\": {}\n}\n\n",
        "[\n\n",
        "event: custom\ndata\0: {}\n\n",
        "event: custom\nevent:\ndata: not JSON\n\n",
        "event: message\nevent: custom\ndata: not JSON\n\n",
        "Event: message\nevent: custom\ndata: not JSON\n\n",
        "event:  Message \ndata: not JSON\n\n",
        ": first\n\u{feff}data: {}\n\n",
    ] {
        for size in [1, 7, event.len()] {
            let error = pass(event.as_bytes(), size).unwrap_err();
            assert!(matches!(error, EventError::List(_)), "{event:?}: {error}");
        }
    }
    assert!(pass(b"data: \"\xff\"\n\n", 3).is_err());
}

#[test]
fn h11_line_ends_marks_and_cuts_change_nothing_else() {
    for end in ["\n", "\r", "\r\n"] {
        let stream = |list: &str| {
            ["\u{feff}data:", list, end, "id:9", end, end, ":c", end, "data: {}", end, end].concat()
        };
        passes_as(&stream(LIST), &stream(&format!(" {KEPT}")));
        let untouched = stream(&KEPT.replace('\u{e9}', "\u{1f600}"));
        passes_as(&untouched, &untouched);
    }
}

#[test]
fn whole_events_pass_at_once_and_comments_too() {
    let mut filter = EventFilter::new(hides_x());
    let mut push = |piece: &str| filter.push(piece.as_bytes()).unwrap().len();
    assert_eq!(push("data: {}\n"), 0);
    assert_eq!(push("\n"), 10);
    assert_eq!(push(": ping\n"), 7);
    assert_eq!(push("data: {}\r\n\r"), 11);
    assert_eq!(push("\n"), 1);
    assert!(filter.is_between_events());
    filter.push(b"data: ").unwrap();
    assert!(!filter.is_between_events());
}

#[test]
fn an_event_is_bounded() {
    let mut filter = EventFilter::new(hides_x());
    filter.push(b"data: \"").unwrap();
    let piece = vec![b'a'; 1024 * 1024];
    let mut pushed = (0..8).map(|_| filter.push(&piece));
    assert_eq!(pushed.find(Result::is_err), Some(Err(EventError::TooLong)));
    let mut at_once =
        format!("data: {{\"method\":\"{}\"}}\n\n", "a".repeat(MAX_EVENT_BYTES)).into_bytes();
    assert_eq!(EventFilter::new(hides_x()).push(&at_once), Err(EventError::TooLong));
    at_once.drain(20..60);
    assert_eq!(EventFilter::new(hides_x()).push(&at_once).unwrap().len(), at_once.len());
}
