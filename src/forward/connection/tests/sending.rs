//! How a request goes out, and how often.

use super::*;

const DONE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

#[tokio::test]
async fn requests_are_framed_by_what_is_known_of_them() {
    for (method, body, extra, expected) in [
        (Method::GET, "", None, "GET /mcp?x=1 HTTP/1.1\r\nhost: mcp.example\r\n\r\n"),
        (
            Method::POST,
            "{}",
            None,
            "POST /mcp?x=1 HTTP/1.1\r\nhost: mcp.example\r\ncontent-length: 2\r\n\r\n{}",
        ),
        // A length of somebody else's is believed only where nothing contradicts it.
        (
            Method::POST,
            "{}",
            Some((header::CONTENT_LENGTH, "7")),
            "POST /mcp?x=1 HTTP/1.1\r\nhost: mcp.example\r\ncontent-length: 2\r\n\r\n{}",
        ),
        (
            Method::POST,
            "",
            Some((header::CONTENT_LENGTH, "0")),
            "POST /mcp?x=1 HTTP/1.1\r\nhost: mcp.example\r\ncontent-length: 0\r\n\r\n",
        ),
        (
            Method::DELETE,
            "",
            Some((header::TRANSFER_ENCODING, "chunked")),
            "DELETE /mcp?x=1 HTTP/1.1\r\nhost: mcp.example\r\n\r\n",
        ),
    ] {
        let line = Line::new().await;
        let body = match body {
            "" => RequestBody::Empty,
            text => RequestBody::Whole(Bytes::from_static(text.as_bytes())),
        };
        let mut asked = with_body(&method, body);
        if let Some((name, value)) = extra {
            asked.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        let serve = async {
            let mut stream = line.accept().await;
            let mut seen = vec![0; 4096];
            // All of it at once: one write.
            let count = within(stream.read(&mut seen)).await.unwrap();
            stream.write_all(DONE).await.unwrap();
            (String::from_utf8_lossy(&seen[..count]).into_owned(), stream)
        };
        let (answer, (seen, _stream)) = tokio::join!(line.ask(asked), serve);
        assert_eq!((seen.as_str(), answer.unwrap().body), (expected, Ok(b"hello".to_vec())));
    }
}

/// C21: nothing that an upstream may have seen is sent again.
#[tokio::test]
async fn request_that_was_taken_is_sent_once() {
    let line = Line::new().await;
    let (_, mut stream) = line.answered(&Method::POST, DONE).await;
    assert_eq!(line.pool.idle(), 1);
    let serve = async {
        request(&mut stream).await;
        drop(stream);
    };
    let (answer, ()) = tokio::join!(line.ask(empty(&Method::POST)), serve);
    let error = "the exchange failed: the connection was closed before a response";
    assert_eq!(answer.unwrap_err(), error);
    let again = timeout(Duration::from_millis(20), line.listener.accept()).await;
    assert!(again.is_err(), "nobody connects again");
}

/// Taken by nobody, it is sent on another connection, with its body; what lies on the old one is no
/// answer to it.
#[tokio::test]
async fn request_that_nobody_took_is_sent_again() {
    let line = Line::new().await;
    let (_, stream) = line.answered(&Method::POST, DONE).await;
    // A reset that the runtime has not heard of when the connection is chosen.
    stream.set_zero_linger().unwrap();
    drop(stream);
    let body = RequestBody::Whole(Bytes::from_static(b"{}"));
    let asked = line.ask(with_body(&Method::POST, body));
    let serve = async {
        let mut stream = line.accept().await;
        assert!(request(&mut stream).await.ends_with("content-length: 2\r\n\r\n{}"));
        stream.write_all(DONE).await.unwrap();
        stream
    };
    let (answer, _stream) = tokio::join!(asked, serve);
    assert_eq!(answer.unwrap().body, Ok(b"hello".to_vec()));
}

#[tokio::test]
async fn first_connection_that_fails_is_not_followed_by_another() {
    let line = Line::new().await;
    let serve = async {
        let mut stream = line.accept().await;
        request(&mut stream).await;
        stream.set_zero_linger().unwrap();
    };
    let (answer, ()) = tokio::join!(line.ask(empty(&Method::POST)), serve);
    assert_eq!(answer.unwrap_err(), "the exchange failed: the connection failed");
    let again = timeout(Duration::from_millis(20), line.listener.accept()).await;
    assert!(again.is_err(), "nobody connects again");
}

/// More than the sockets between two ends hold.
fn large() -> Request<RequestBody> {
    with_body(&Method::POST, RequestBody::Whole(Bytes::from(vec![b'x'; 32 * 1024 * 1024])))
}

/// A response that comes early passes while the request still goes up.
#[tokio::test]
async fn early_response_passes_and_the_request_goes_on() {
    let line = Line::new().await;
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let serve = async {
        let mut stream = line.accept().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    };
    let (response, mut stream) = tokio::join!(line.send(large()), serve);
    let serve = async {
        let seen = request(&mut stream).await;
        assert!(seen.len() > 32 * 1024 * 1024);
        stream.write_all(b"5\r\nhello\r\n0\r\n\r\n").await.unwrap();
        stream
    };
    let (answer, _stream) = tokio::join!(read(response.unwrap()), serve);
    assert_eq!((answer.body, line.pool.idle()), (Ok(b"hello".to_vec()), 1));
}

/// A response that is whole before its request is sent is passed on; the request goes on without it.
#[tokio::test]
async fn early_response_that_is_whole_ends_no_request() {
    let line = Line::new().await;
    let serve = async {
        let mut stream = line.accept().await;
        let early = b"HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nhello";
        stream.write_all(early).await.unwrap();
        stream
    };
    let (answer, mut stream) = tokio::join!(line.ask(large()), serve);
    let answer = answer.unwrap();
    assert_eq!((answer.status.as_u16(), answer.body), (413, Ok(b"hello".to_vec())));
    assert_eq!((line.pool.idle(), line.tasks.len()), (0, 1));
    assert!(request(&mut stream).await.len() > 32 * 1024 * 1024);
    eventually(|| line.pool.idle() == 1).await;
}

/// A client may send everything before it reads anything, and an upstream may want it so.
#[tokio::test]
async fn request_goes_on_while_nobody_reads_its_response() {
    let line = Line::new().await;
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nh";
    let serve = async {
        let mut stream = line.accept().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    };
    let (response, mut stream) = tokio::join!(line.send(large()), serve);
    assert!(request(&mut stream).await.len() > 32 * 1024 * 1024);
    stream.write_all(b"ello").await.unwrap();
    assert_eq!(read(response.unwrap()).await.body, Ok(b"hello".to_vec()));
    eventually(|| line.pool.idle() == 1).await;
}

/// Nobody may ask for a body that there is not.
#[tokio::test]
async fn request_goes_on_behind_a_response_without_body() {
    let line = Line::new().await;
    let serve = async {
        let mut stream = line.accept().await;
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        stream
    };
    let (response, mut stream) = tokio::join!(line.send(large()), serve);
    drop(response.unwrap());
    assert!(request(&mut stream).await.len() > 32 * 1024 * 1024);
    eventually(|| line.pool.idle() == 1).await;
}

/// An upstream that closes is not sent to.
#[tokio::test]
async fn rest_of_a_request_ends_when_the_upstream_does() {
    let line = Line::new().await;
    let serve = async {
        let mut stream = line.accept().await;
        stream.write_all(DONE).await.unwrap();
        stream.shutdown().await.unwrap();
        stream
    };
    let (answer, _stream) = tokio::join!(line.ask(large()), serve);
    assert_eq!(answer.unwrap().body, Ok(b"hello".to_vec()));
    eventually(|| line.tasks.is_empty()).await;
    assert_eq!(line.pool.idle(), 0);
}

/// What is left of a request goes with the upstream.
#[tokio::test]
async fn request_behind_its_response_ends_with_the_connection() {
    let line = Line::new().await;
    let serve = async {
        let mut stream = line.accept().await;
        stream.write_all(DONE).await.unwrap();
    };
    let (answer, ()) = tokio::join!(line.ask(large()), serve);
    assert_eq!(answer.unwrap().body, Ok(b"hello".to_vec()));
    eventually(|| line.tasks.is_empty()).await;
    assert_eq!(line.pool.idle(), 0);
}

/// An upstream that takes no more and has said why is heard.
#[tokio::test]
async fn write_that_fails_hides_no_response() {
    let line = Line::new().await;
    let serve = async {
        let mut stream = line.accept().await;
        let mut some = vec![0; 1024 * 1024];
        let _ = within(stream.read(&mut some)).await.unwrap();
        stream.write_all(b"HTTP/1.1 413 Too Large\r\n\r\nhello").await.unwrap();
        // No more is read: the other end's writes fail once this is gone.
        stream.shutdown().await.unwrap();
        stream
    };
    let (answer, _stream) = tokio::join!(line.ask(large()), serve);
    let answer = answer.unwrap();
    assert_eq!((answer.status.as_u16(), answer.body), (413, Ok(b"hello".to_vec())));
    assert_eq!(line.pool.idle(), 0);
}

#[tokio::test]
async fn back_pressure_reaches_the_upstream() {
    let line = Line::new().await;
    let serve = async {
        let mut stream = line.accept().await;
        request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        stream
    };
    let (response, mut stream) = tokio::join!(line.send(empty(&Method::GET)), serve);
    let content = vec![b'x'; 64 * 1024 * 1024];
    let writing = timeout(Duration::from_millis(100), stream.write_all(&content)).await;
    assert!(writing.is_err(), "somebody takes what nobody reads");
    drop(response);
}
