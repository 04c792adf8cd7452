//! Which heads are read, and how much of them.

use super::*;

#[tokio::test]
async fn heads_are_read_as_servers_write_them() {
    for (bytes, status, value) in [
        ("HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 0\r\n\r\n", 200, "y"),
        ("HTTP/1.1 200\r\nX: y\r\nContent-Length: 0\r\n\r\n", 200, "y"),
        ("HTTP/1.1 200 \r\nX:y\r\nContent-Length: 0\r\n\r\n", 200, "y"),
        ("HTTP/1.0 500 Internal \u{e9}rror\r\nx: \t y \t\r\nContent-Length: 0\r\n\r\n", 500, "y"),
        ("HTTP/1.1 299 OK\nX: y\nContent-Length: 0\n\n", 299, "y"),
        ("\r\n\r\nHTTP/1.1 200 OK\r\nX: y z\r\nContent-Length: 0\r\n\r\n", 200, "y z"),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 0\r\n\r\n",
            200,
            "y",
        ),
        (
            "HTTP/1.1 103 Hint\r\nX: n\r\n\r\nHTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 0\r\n\r\n",
            200,
            "y",
        ),
    ] {
        let line = Line::new().await;
        let (answer, _stream) = line.answered(&Method::GET, bytes.as_bytes()).await;
        let answer = answer.unwrap();
        assert_eq!(answer.status, status, "{bytes:?}");
        let values: Vec<_> = answer.headers.get_all("x").iter().collect();
        assert_eq!(values, [value], "{bytes:?}");
        assert_eq!(answer.headers.len(), 1, "nothing of the request's map is left");
    }
}

/// What is understood here is not handed on, unless it says too much.
#[tokio::test]
async fn fields_that_end_here_are_not_handed_on() {
    for (fields, expected) in [
        ("Server: x\r\nContent-Length: 0\r\nDate: z\r\nConnection: Keep-Alive\r\n", &["date"][..]),
        ("Connection: close\r\nContent-Length: 0\r\n", &[]),
        ("Connection: close, x-hop\r\nContent-Length: 0\r\n", &["connection"]),
        ("Transfer-Encoding: chunked\r\n", &["transfer-encoding"]),
        (
            "content-length: 3\r\nTransfer-Encoding: chunked\r\n",
            &["content-length", "transfer-encoding"],
        ),
        (
            "Transfer-Encoding: gzip, chunked\r\nContent-Length: 3\r\n",
            &["content-length", "transfer-encoding"],
        ),
    ] {
        let line = Line::new().await;
        let bytes = format!("{OK}{fields}\r\n0\r\n\r\n");
        let (answer, _stream) = line.answered(&Method::GET, bytes.as_bytes()).await;
        let mut names: Vec<_> = answer.unwrap().headers.keys().map(ToString::to_string).collect();
        names.sort_unstable();
        assert_eq!(names, expected, "{fields:?}");
    }
}

/// Whoever speaks something else is not waited for, though its connection stays open.
#[tokio::test]
async fn what_is_no_head_is_an_error_at_once() {
    for (bytes, why) in [
        ("SSH-2.0-OpenSSH_9.0\r\n", "invalid HTTP version"),
        ("\x15\x03\x01\x00\x02\x02\x16", "invalid HTTP version"),
        ("HTTP/2 200\r\n\r\n", "invalid HTTP version"),
        ("HTTP/1.1 999999 OK\r\n\r\n", "invalid response status"),
        ("HTTP/1.1 099 OK\r\n\r\n", "invalid response status"),
        ("HTTP/1.1 200 OK\r\nno field\r\n", "invalid header name"),
        ("HTTP/1.1 200 OK\r\nX : y\r\n\r\n", "invalid header name"),
        ("HTTP/1.1 200 OK\r\nX: y\r\n folded\r\n\r\n", "invalid header name"),
        ("HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n", "invalid header value"),
        ("HTTP/1.1 200 OK\r\nX: a\rb: c\r\n\r\n", "invalid header value"),
    ] {
        let line = Line::new().await;
        let (answer, mut stream) = line.answered(&Method::GET, bytes.as_bytes()).await;
        let error = format!("the exchange failed: invalid response head: {why}");
        assert_eq!(answer.unwrap_err(), error, "{bytes:?}");
        gone(&mut stream).await;
    }
}

#[tokio::test]
async fn heads_are_bounded() {
    let field = |length: usize| format!("X: {}\r\n", "x".repeat(length - "X: \r\n".len()));
    let ending = "Content-Length: 0\r\n\r\n";
    let room = 16 * 1024 - OK.len() - ending.len();
    let too_large = Some("the exchange failed: the response head is too large".to_owned());
    let too_many = Some("the exchange failed: invalid response head: too many headers".to_owned());
    for (head, expected) in [
        (format!("{OK}{}{ending}", field(room)), None),
        (format!("{OK}{}{ending}", field(room + 1)), too_large.clone()),
        (format!("{OK}{}", field(100_000)), too_large.clone()),
        ("\r\n".repeat(100_000), too_large.clone()),
        (format!("{OK}{}{ending}", "X: y\r\n".repeat(99)), None),
        (format!("{OK}{}{ending}", "X: y\r\n".repeat(100)), too_many),
    ] {
        let line = Line::new().await;
        let seen = line.answered_and_closed(&Method::GET, head.as_bytes()).await.err();
        assert_eq!(seen, expected, "{} bytes", head.len());
    }
}

/// C16: a few interim responses, not a flood.
#[tokio::test]
async fn interim_responses_are_bounded() {
    let interim = "HTTP/1.1 102 Processing\r\nConnection: close\r\nContent-Length: 7\r\n\r\n";
    let last = format!("{OK}Content-Length: 0\r\n\r\n");
    let line = Line::new().await;
    let few = format!("{}{last}", interim.repeat(32));
    let (answer, _stream) = line.answered(&Method::GET, few.as_bytes()).await;
    assert_eq!(answer.unwrap().status, 200);
    assert_eq!(line.pool.idle(), 1, "an interim response's fields are its own");
    let line = Line::new().await;
    let many = format!("{}{last}", interim.repeat(33));
    let (answer, _stream) = line.answered(&Method::GET, many.as_bytes()).await;
    assert_eq!(answer.unwrap_err(), "the exchange failed: too many interim responses");
}
