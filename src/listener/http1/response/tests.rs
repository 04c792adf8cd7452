use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Response;
use http_body::{Frame, SizeHint};

use super::*;

const ASKED: Asked = Asked { is_http_10: false, is_head: false, keeps_alive: true };
const OLD: Asked = Asked { is_http_10: true, ..ASKED };

/// A body of this length, or one whose length nobody knows.
struct Sized(Option<u64>);

impl Body for Sized {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }

    fn size_hint(&self) -> SizeHint {
        self.0.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

/// The head's text without its date, and how the response goes on.
fn head(status: u16, field: (&str, &str), length: Option<u64>, asked: Asked) -> (String, Begun) {
    let mut response = Response::builder().status(status);
    if !field.0.is_empty() {
        response = response.header(field.0, field.1);
    }
    let (parts, ()) = response.body(()).unwrap().into_parts();
    let mut out = Vec::new();
    let date = b"Sun, 06 Nov 1994 08:49:37 GMT";
    let begun = begin(&parts, &Sized(length), asked, date, &mut out);
    let text = String::from_utf8(out).unwrap();
    let text = text.strip_suffix("date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n").expect("a date");
    (text.to_owned(), begun)
}

fn goes_on(body: Option<BodyEncoder>) -> Begun {
    Begun { body, is_last: false }
}

fn ends(body: Option<BodyEncoder>) -> Begun {
    Begun { body, is_last: true }
}

#[test]
fn length_is_what_the_body_says() {
    let (length, chunked) = (BodyEncoder::Length(5), BodyEncoder::Chunked);
    for (field, known, lines, begun) in [
        (("", ""), Some(5), "content-length: 5\r\n", goes_on(Some(length))),
        (("content-length", "7"), Some(5), "content-length: 5\r\n", goes_on(Some(length))),
        (("transfer-encoding", "gzip"), Some(5), "content-length: 5\r\n", goes_on(Some(length))),
        (("content-length", "7"), None, "transfer-encoding: chunked\r\n", goes_on(Some(chunked))),
        (("", ""), Some(0), "content-length: 0\r\n", goes_on(Some(BodyEncoder::Length(0)))),
    ] {
        let expected = (format!("HTTP/1.1 200 OK\r\n{lines}"), begun);
        assert_eq!(head(200, field, known, ASKED), expected, "{field:?}");
    }
}

#[test]
fn answers_without_body_have_none() {
    for status in [204, 304] {
        for (field, known) in [(("content-length", "7"), Some(7)), (("", ""), None)] {
            let (text, begun) = head(status, field, known, ASKED);
            assert_eq!((text.lines().count(), begun), (1, goes_on(None)), "{text:?}");
        }
    }
    let asked = Asked { is_head: true, ..ASKED };
    let (text, begun) = head(200, ("content-length", "7"), Some(0), asked);
    assert_eq!((text.as_str(), begun), ("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n", goes_on(None)));
    assert_eq!(head(200, ("", ""), None, asked), ("HTTP/1.1 200 OK\r\n".to_owned(), goes_on(None)));
}

#[test]
fn connection_says_whether_another_request_may_follow() {
    let length = "content-length: 1\r\n";
    let kept = BodyEncoder::Length(1);
    let leaving = Asked { keeps_alive: false, ..ASKED };
    for (field, asked, version, connection, begun) in [
        (("", ""), ASKED, "1.1", "", goes_on(Some(kept))),
        (("", ""), leaving, "1.1", "connection: close\r\n", ends(Some(kept))),
        (("connection", "x, Close"), ASKED, "1.1", "connection: close\r\n", ends(Some(kept))),
        (("", ""), OLD, "1.0", "connection: keep-alive\r\n", goes_on(Some(kept))),
        (
            ("", ""),
            Asked { keeps_alive: false, ..OLD },
            "1.0",
            "connection: close\r\n",
            ends(Some(kept)),
        ),
    ] {
        let expected = (format!("HTTP/{version} 200 OK\r\n{connection}{length}"), begun);
        assert_eq!(head(200, field, Some(1), asked), expected);
    }
}

#[test]
fn http_1_0_gets_a_body_of_unknown_length_to_the_end_of_the_connection() {
    let (text, begun) = head(200, ("", ""), None, OLD);
    assert_eq!(text, "HTTP/1.0 200 OK\r\nconnection: close\r\n");
    assert_eq!(begun, ends(Some(BodyEncoder::UntilClose)));
}

#[test]
fn status_without_name_has_an_empty_reason() {
    assert!(head(299, ("", ""), Some(1), ASKED).0.starts_with("HTTP/1.1 299 \r\n"));
}
