//! Which connections are used again.

use super::*;

const FIVE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n";

#[tokio::test]
async fn connection_is_used_again_when_it_may_be() {
    for (head, behind, is_kept) in [
        (FIVE, "hello", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n", "hello", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: x, closed\r\n", "hello", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n", "hello", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: x , Close\r\n", "hello", false),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\nConnection: keep-alive\r\n",
            "hello",
            false,
        ),
        ("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n", "hello", false),
        ("HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: Keep-Alive\r\n", "hello", true),
        (
            "HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive, close\r\n",
            "hello",
            false,
        ),
        // C20: bytes behind a response make their connection useless.
        (FIVE, "hello\r\n", false),
        (FIVE, "helloHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false),
        ("HTTP/1.1 204 No Content\r\n", "x", false),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n0", false),
    ] {
        let line = Line::new().await;
        let bytes = format!("{head}\r\n{behind}");
        let (answer, mut stream) = line.answered(&Method::POST, bytes.as_bytes()).await;
        answer.unwrap().body.unwrap();
        assert_eq!(line.pool.idle(), usize::from(is_kept), "{bytes:?}");
        let serve = async {
            if !is_kept {
                gone(&mut stream).await;
                stream = line.accept().await;
            }
            assert!(request(&mut stream).await.starts_with("POST /mcp?x=1 HTTP/1.1\r\n"));
            stream.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        };
        let (answer, ()) = tokio::join!(line.ask(empty(&Method::POST)), serve);
        assert_eq!(answer.unwrap().status, 202, "{bytes:?}");
    }
}

/// C20: what comes while nobody waits for it is nobody's response, nor is the end of a connection.
#[tokio::test]
async fn connection_on_which_something_came_is_not_used_again() {
    let stray = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ncanary";
    for something in [stray, "x", "\r\n", ""] {
        let line = Line::new().await;
        let (answer, mut stream) =
            line.answered(&Method::POST, format!("{FIVE}\r\nhello").as_bytes()).await;
        assert_eq!((answer.unwrap().body.unwrap(), line.pool.idle()), (b"hello".to_vec(), 1));
        stream.write_all(something.as_bytes()).await.unwrap();
        if something.is_empty() {
            stream.shutdown().await.unwrap();
        }
        // The runtime learns of it in its next turn.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let serve = async {
            let mut fresh = line.accept().await;
            request(&mut fresh).await;
            fresh.write_all(format!("{FIVE}\r\nfresh").as_bytes()).await.unwrap();
            fresh
        };
        let (answer, _fresh) = tokio::join!(line.ask(empty(&Method::POST)), serve);
        assert_eq!(answer.unwrap().body, Ok(b"fresh".to_vec()), "{something:?}");
        gone(&mut stream).await;
    }
}

#[tokio::test]
async fn youngest_connection_is_used_and_old_ones_are_not() {
    let line = Line::new().await;
    let bytes = format!("{FIVE}\r\nhello");
    let (first, second) = (line.send(empty(&Method::GET)), line.send(empty(&Method::GET)));
    let serve = async {
        let mut streams = [line.accept().await, line.accept().await];
        for stream in &mut streams {
            request(stream).await;
            stream.write_all(bytes.as_bytes()).await.unwrap();
        }
        streams
    };
    let (first, second, mut streams) = tokio::join!(first, second, serve);
    read(first.unwrap()).await;
    line.clock.advance(Duration::from_secs(3));
    read(second.unwrap()).await;
    assert_eq!(line.pool.idle(), 2);
    line.clock.advance(Duration::from_secs(2));
    assert_eq!(line.pool.idle(), 1);
    let ask = async {
        // Whichever of the streams was the second.
        let [one, other] = &mut streams;
        tokio::select! {
            seen = request(one) => (seen, one),
            seen = request(other) => (seen, other),
        }
    };
    let serve = async {
        let (seen, stream) = ask.await;
        assert!(seen.starts_with("GET "), "{seen}");
        stream.write_all(bytes.as_bytes()).await.unwrap();
    };
    let (answer, ()) = tokio::join!(line.ask(empty(&Method::GET)), serve);
    answer.unwrap().body.unwrap();
    line.clock.advance(Duration::from_secs(4));
    let (answer, _stream) = line.answered(&Method::GET, bytes.as_bytes()).await;
    assert_eq!(answer.unwrap().body, Ok(b"hello".to_vec()));
}

#[tokio::test]
async fn response_that_is_not_read_to_its_end_closes_its_connection() {
    for bytes in [
        "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\n\r\nhello",
    ] {
        let line = Line::new().await;
        let serve = async {
            let mut stream = line.accept().await;
            request(&mut stream).await;
            stream.write_all(bytes.as_bytes()).await.unwrap();
            stream
        };
        let (response, mut stream) = tokio::join!(line.send(empty(&Method::GET)), serve);
        let mut body = response.unwrap().into_body();
        let frame = within(body.frame()).await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "hello");
        drop(body);
        gone(&mut stream).await;
        assert_eq!(line.pool.idle(), 0);
    }
}

#[tokio::test]
async fn whoever_does_not_wait_for_a_head_closes_its_connection() {
    let line = Line::new().await;
    let mut stream = {
        let mut sending = std::pin::pin!(line.send(empty(&Method::GET)));
        tokio::select! {
            _ = &mut sending => unreachable!("nobody answers"),
            stream = async {
                let mut stream = line.accept().await;
                request(&mut stream).await;
                stream
            } => stream,
        }
    };
    gone(&mut stream).await;
    assert_eq!(line.pool.idle(), 0);
}
