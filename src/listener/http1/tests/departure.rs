//! Clients that leave while a request is in flight: what works for them ends within a second.

use super::*;

/// Waits until the handler or the response of a client that just left is dropped.
async fn work_ends(server: &Server) {
    let dropped = timeout(ms(1000), server.world.dropped.notified()).await;
    assert!(dropped.is_ok(), "still at work a second after the client left");
    let closed = timeout(ms(1000), server.world.closed.notified()).await;
    assert!(closed.is_ok(), "the connection is still there");
}

async fn open(server: &Server, sent: &str) -> TcpStream {
    let mut client = server.connect().await;
    client.write_all(sent.as_bytes()).await.expect("sent");
    client
}

/// Until the handler has been called; it answers nothing that could be waited for.
async fn called(server: &Server) {
    let deadline = Instant::now() + ms(2000);
    while server.seen().is_empty() {
        assert!(Instant::now() < deadline, "the handler is never called");
        tokio::time::sleep(ms(5)).await;
    }
}

#[tokio::test]
async fn e11_a_stream_ends_when_its_client_leaves() {
    let server = Server::start().await;
    let mut client = open(&server, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n").await;
    read_until(&mut client, "event\n\r\n").await;
    drop(client);
    work_ends(&server).await;
}

#[tokio::test]
async fn e11_a_silent_handler_ends_when_its_client_leaves() {
    let server = Server::start().await;
    let client = open(&server, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n").await;
    called(&server).await;
    drop(client);
    work_ends(&server).await;
}

#[tokio::test]
async fn e12_a_client_that_closes_its_sending_side_has_left() {
    let server = Server::start().await;
    let mut client = open(&server, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n").await;
    called(&server).await;
    client.shutdown().await.expect("half-closed");
    work_ends(&server).await;
}

#[tokio::test]
async fn bytes_pipelined_behind_a_request_do_not_hide_that_the_client_left() {
    for behind in ["G".to_owned(), "GET /smug HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()] {
        let server = Server::start().await;
        let sent = format!("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n{behind}");
        let client = open(&server, &sent).await;
        called(&server).await;
        drop(client);
        work_ends(&server).await;
        assert_eq!(server.seen(), ["GET /hold"]);
    }
}

#[tokio::test]
async fn bytes_behind_a_request_do_not_hide_that_the_client_left() {
    let server = Server::start().await;
    let sent = format!("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n{}", "x".repeat(100_000));
    let mut client = open(&server, &sent).await;
    called(&server).await;
    client.shutdown().await.expect("half-closed");
    work_ends(&server).await;
}

#[tokio::test]
async fn a_body_that_nobody_reads_does_not_hide_that_the_client_left() {
    for expect in ["", "Expect: 100-continue\r\n"] {
        for body in [0, 10_000, 60_000] {
            let server = Server::start().await;
            let head = "POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n";
            let sent = format!("{head}{expect}\r\n{}", "x".repeat(body));
            let client = open(&server, &sent).await;
            called(&server).await;
            drop(client);
            work_ends(&server).await;
        }
    }
}

#[tokio::test]
async fn e05_a_client_that_stops_reading_and_leaves_ends_its_stream() {
    for behind in ["", "GET /smug HTTP/1.1\r\nHost: a\r\n\r\n"] {
        let server = Server::start().await;
        let sent = format!("GET /flood HTTP/1.1\r\nHost: a\r\n\r\n{behind}");
        let client = open(&server, &sent).await;
        // Long enough for every buffer on the way to be full.
        tokio::time::sleep(ms(300)).await;
        drop(client);
        work_ends(&server).await;
    }
}

#[tokio::test]
async fn a_client_that_stays_keeps_its_unread_request() {
    let server = Server::start().await;
    let head = "POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\nx";
    let _client = open(&server, head).await;
    called(&server).await;
    let dropped = timeout(ms(1300), server.world.dropped.notified()).await;
    assert!(dropped.is_err(), "given up although the client is there");
}
