//! Where a response's body ends, and what its ending early is.

use super::*;

/// What a response is to be.
struct Case {
    method: Method,
    head: &'static str,
    behind: &'static str,
    /// The body, and the length that is known of it.
    body: Result<&'static str, &'static str>,
    length: Option<u64>,
    /// Whether its connection is kept.
    is_kept: bool,
}

fn case(
    head: &'static str,
    behind: &'static str,
    body: Result<&'static str, &'static str>,
    length: Option<u64>,
) -> Case {
    Case { method: Method::POST, head, behind, body, length, is_kept: body.is_ok() }
}

impl Case {
    fn to(self, method: Method) -> Self {
        Self { method, ..self }
    }

    fn not_kept(self) -> Self {
        Self { is_kept: false, ..self }
    }

    async fn check(self) {
        let bytes = format!("{}\r\n{}", self.head, self.behind);
        let line = Line::new().await;
        let (answer, mut stream) = line.answered(&self.method, bytes.as_bytes()).await;
        let seen = answer.and_then(|answer| answer.body.map(|body| (body, answer.length)));
        let expected = self.body.map(|body| (body.as_bytes().to_vec(), self.length));
        assert_eq!(seen, expected.map_err(str::to_owned), "{bytes:?}");
        assert_eq!(line.pool.idle(), usize::from(self.is_kept), "{bytes:?}");
        if !self.is_kept {
            gone(&mut stream).await;
        }
    }
}

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n";

#[tokio::test]
async fn bodies_end_where_their_heads_say() {
    for case in [
        case("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", "hello", Ok("hello"), Some(5)),
        case("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", "", Ok(""), Some(0)),
        case("HTTP/1.1 200 OK\r\ncontent-length:5 \r\n", "hello", Ok("hello"), Some(5)),
        case("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n", "hello", Ok("hello"), Some(5)),
        case(
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n",
            "hello",
            Ok("hello"),
            Some(5),
        ),
        case(CHUNKED, "5\r\nhello\r\n0\r\n\r\n", Ok("hello"), None),
        case(CHUNKED, "0\r\n\r\n", Ok(""), None),
        case(CHUNKED, "2\r\nhe\r\n3\r\nllo\r\n0\r\nX: y\r\n\r\n", Ok("hello"), None),
        case("HTTP/1.1 200 OK\r\nTRANSFER-ENCODING: Chunked\r\n", "0\r\n\r\n", Ok(""), None),
        case("HTTP/1.1 204 No Content\r\n", "", Ok(""), Some(0)),
        case("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n", "", Ok(""), Some(0)),
        case("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n", "", Ok(""), Some(0)),
        case("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", "", Ok(""), Some(0)).to(Method::HEAD),
        case(CHUNKED, "", Ok(""), Some(0)).to(Method::HEAD),
        case("HTTP/1.1 101 Switching Protocols\r\n", "", Ok(""), Some(0)).not_kept(),
    ] {
        case.check().await;
    }
}

/// C20: what `response_head` refuses comes that far, and no connection outlives it.
#[tokio::test]
async fn ambiguous_framing_keeps_no_connection() {
    let both = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n";
    for case in [
        case(both, "5\r\nhello\r\n0\r\n\r\n", Ok("hello"), None).not_kept(),
        case(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            Ok("hello"),
            None,
        )
        .not_kept(),
        case(both, "", Ok(""), Some(0)).to(Method::HEAD).not_kept(),
    ] {
        case.check().await;
    }
    let line = Line::new().await;
    let gzip = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let answer = line.answered_and_closed(&Method::POST, gzip).await.unwrap();
    assert_eq!(answer.headers[header::TRANSFER_ENCODING], "gzip");
    assert_eq!((answer.length, line.pool.idle()), (None, 0));
}

#[tokio::test]
async fn malformed_framing_is_an_error() {
    let length = Err("the exchange failed: invalid response head: invalid Content-Length");
    let chunks = Err("invalid response body: the chunked body is malformed");
    for case in [
        case("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n", "", length, None),
        case("HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n", "", length, None),
        case("HTTP/1.1 200 OK\r\nContent-Length:\r\n", "", length, None),
        case("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n", "", length, None),
        case("HTTP/1.1 200 OK\r\nContent-Length: 5,\r\n", "", length, None),
        case("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n", "", length, None),
        case("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n", "", length, None),
        case(
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n",
            "",
            Err("the exchange failed: invalid response head: Transfer-Encoding in HTTP/1.0"),
            None,
        ),
        case(CHUNKED, "zz\r\n", chunks, None),
        case(CHUNKED, "5\nhello", chunks, None),
        case(CHUNKED, "5\r\nhelloX", chunks, None),
        case(CHUNKED, "5;a\nb\r\nhello\r\n0\r\n\r\n", chunks, None),
        case(CHUNKED, "5\r\nhello\r\n0\r\nno field\r\n\r\n", chunks, None),
        case(CHUNKED, "10000000000000000\r\n", chunks, None),
    ] {
        case.check().await;
    }
}

/// What servers have been seen to write, and what hyper overlooked.
#[tokio::test]
async fn odd_chunk_lines_are_read() {
    for line in
        ["5  ", "5\t ;a", "5;", "5; a = b", "5;a=\"b", "5;\u{e9}", "00000000000000000000005"]
    {
        let body = format!("{line}\r\nhello\r\n");
        let bytes = format!("{CHUNKED}\r\n{}0\r\n\r\n", body.repeat(300));
        let line = Line::new().await;
        let (answer, _stream) = line.answered(&Method::GET, bytes.as_bytes()).await;
        assert_eq!(answer.unwrap().body, Ok(b"hello".repeat(300)), "{body:?}");
        assert_eq!(line.pool.idle(), 1);
    }
}

#[tokio::test]
async fn body_without_an_end_of_its_own_ends_with_its_connection() {
    for head in ["HTTP/1.1 200 OK\r\n", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"] {
        let line = Line::new().await;
        let bytes = format!("{head}\r\nhello");
        let answer = line.answered_and_closed(&Method::GET, bytes.as_bytes()).await.unwrap();
        assert_eq!((answer.body, answer.length), (Ok(b"hello".to_vec()), None));
        assert!(!answer.is_end_stream);
        assert_eq!(line.pool.idle(), 0);
    }
}

/// A chunked body says that it is over only together with its last content: whoever sees it empty
/// and over at once would frame it by a length.
#[tokio::test]
async fn end_is_known_as_soon_as_it_is_here() {
    for (bytes, at_head, behind_data) in [
        ("Content-Length: 5\r\n\r\nhello", false, true),
        ("Content-Length: 0\r\n\r\n", true, true),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", false, true),
        ("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", false, false),
        ("Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false, false),
    ] {
        let line = Line::new().await;
        let serve = async {
            let mut stream = line.accept().await;
            request(&mut stream).await;
            stream.write_all(format!("{OK}{bytes}").as_bytes()).await.unwrap();
            stream
        };
        let (response, _stream) = tokio::join!(line.send(empty(&Method::POST)), serve);
        let mut body = response.unwrap().into_body();
        assert_eq!(body.is_end_stream(), at_head, "{bytes:?}");
        if !at_head {
            let _ = within(body.frame()).await;
        }
        assert_eq!(body.is_end_stream(), behind_data, "{bytes:?}");
        let rest = if bytes.contains("Transfer") { None } else { Some(0) };
        assert_eq!(body.size_hint().exact(), rest, "{bytes:?}");
    }
}

#[tokio::test]
async fn response_cut_anywhere_is_never_whole() {
    for whole in [
        format!("{OK}Content-Length: 5\r\nX: y\r\n\r\nhello"),
        format!("{OK}Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;a\r\nllo\r\n0\r\nX: y\r\n\r\n"),
        format!("HTTP/1.1 103 Early Hints\r\n\r\n{OK}Content-Length: 0\r\n\r\n"),
    ] {
        for length in 0..whole.len() {
            let line = Line::new().await;
            let part = &whole.as_bytes()[..length];
            let seen = line.answered_and_closed(&Method::POST, part).await;
            match seen.map(|answer| answer.body) {
                Ok(body) => {
                    let text = "the connection was closed within the response body";
                    assert_eq!(body, Err(text.to_owned()), "{length} of {whole:?}");
                }
                Err(error) => {
                    let within =
                        "the exchange failed: the connection was closed within the response head";
                    let before = "the exchange failed: the connection was closed before a response";
                    let is_known = error == within
                        || (error == before && part.ends_with(b"\r\n\r\n"))
                        || (error == before && length == 0);
                    assert!(is_known, "{length} of {whole:?}: {error}");
                }
            }
            assert_eq!(line.pool.idle(), 0);
        }
    }
}

#[tokio::test]
async fn pieces_of_any_size_make_the_same_response() {
    let chunked =
        format!("{OK}Transfer-Encoding: chunked\r\n\r\n2 \r\nhe\r\n3\r\nllo\r\n0\r\n\r\n");
    let blank = format!(
        "\r\n\nHTTP/1.1 103 Early Hints\nLink: </a-rather-long-path>; rel=preload\n\n{OK}Content-Length: 5\n\nhello"
    );
    for whole in [format!("{OK}Content-Length: 5\r\n\r\nhello"), chunked, blank] {
        for size in [1, 2, 3, 7] {
            let line = Line::new().await;
            let serve = async {
                let mut stream = line.accept().await;
                request(&mut stream).await;
                for piece in whole.as_bytes().chunks(size) {
                    stream.write_all(piece).await.unwrap();
                    tokio::task::yield_now().await;
                }
                stream
            };
            let (answer, _stream) = tokio::join!(line.ask(empty(&Method::POST)), serve);
            assert_eq!(answer.unwrap().body, Ok(b"hello".to_vec()), "{size}: {whole:?}");
            assert_eq!(line.pool.idle(), 1);
        }
    }
}

#[tokio::test]
async fn large_bodies_come_whole() {
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
    let mut chunked = format!("{OK}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for chunk in content.chunks(70_001) {
        chunked.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
        chunked.extend_from_slice(chunk);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let mut sized = format!("{OK}Content-Length: {}\r\n\r\n", content.len()).into_bytes();
    sized.extend_from_slice(&content);
    for whole in [sized, chunked] {
        let line = Line::new().await;
        let (answer, _stream) = line.answered(&Method::POST, &whole).await;
        assert!(answer.unwrap().body.unwrap() == content);
        assert_eq!(line.pool.idle(), 1);
    }
}
