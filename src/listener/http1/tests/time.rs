//! Slow and silent clients.

use super::*;

/// How long the server keeps the connection, and what it says to its end.
async fn kept(server: &Server, sent: &[u8], drip: &[u8]) -> (Duration, String) {
    let mut client = server.connect().await;
    let begin = Instant::now();
    client.write_all(sent).await.expect("sent");
    for byte in drip {
        tokio::time::sleep(ms(20)).await;
        if client.write_u8(*byte).await.is_err() {
            break;
        }
        if server.faults().len() + usize::from(begin.elapsed() > ms(1500)) > 0 {
            break;
        }
    }
    let response = read_to_end(&mut client).await;
    (begin.elapsed(), response)
}

#[tokio::test]
async fn e01_a_silent_connection_closes_without_a_word() {
    let server = Server::start().await;
    let (time, response) = kept(&server, b"", b"").await;
    assert!((ms(180)..ms(1000)).contains(&time), "{time:?}");
    assert_eq!(response, "");
}

#[tokio::test]
async fn e01_a_head_that_stops_is_refused_when_its_time_is_over() {
    let server = Server::start().await;
    let (time, response) = kept(&server, b"POST /mcp HTTP/1.1\r\nHost: a\r\n", b"").await;
    assert!((ms(180)..ms(2000)).contains(&time), "{time:?}");
    assert!(response.starts_with("HTTP/1.1 400"), "{response:?}");
    assert_eq!((server.seen(), server.faults()), (vec![], vec![WireFault::HeadTimeout]));
}

#[tokio::test]
async fn e01_a_drip_does_not_move_the_limit_of_the_head() {
    let server = Server::start().await;
    let drip = "X: aaaaaaaa\r\n".repeat(50);
    let begin = Instant::now();
    let (_, response) = kept(&server, b"POST /mcp HTTP/1.1\r\nHost: a\r\n", drip.as_bytes()).await;
    assert!(begin.elapsed() < ms(1800), "{:?}", begin.elapsed());
    assert!(response.starts_with("HTTP/1.1 400"), "{response:?}");
    assert_eq!(server.faults(), [WireFault::HeadTimeout]);
}

#[tokio::test]
async fn e03_an_idle_connection_closes_without_a_word() {
    let server = Server::start().await;
    let request = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    let (time, response) = kept(&server, request, b"").await;
    assert!((ms(280)..ms(1000)).contains(&time), "{time:?}");
    assert!(response.ends_with("GET /a []"), "{response:?}");
    assert!(server.faults().is_empty());
}

#[tokio::test]
async fn e03_idle_time_counts_from_a_response_whose_end_came_late() {
    let server = Server::start().await;
    let (time, response) = kept(&server, b"GET /late-end HTTP/1.1\r\nHost: a\r\n\r\n", b"").await;
    assert!((ms(280)..ms(1000)).contains(&time), "{time:?}");
    assert!(response.ends_with("4\r\nlate\r\n0\r\n\r\n"), "{response:?}");
}

#[tokio::test]
async fn a_response_that_ends_with_the_connection_ends_it_at_once() {
    let server = Server::start().await;
    let (time, response) = kept(&server, b"GET /late-end HTTP/1.0\r\n\r\n", b"").await;
    assert!(time < ms(250), "{time:?}");
    assert!(response.ends_with("\r\n\r\nlate"), "{response:?}");
}

#[tokio::test]
async fn a_later_head_has_its_own_limit_from_its_first_byte() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.write_all(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("sent");
    read_until(&mut client, "GET /a []").await;
    tokio::time::sleep(ms(200)).await;
    // Within the idle time; the head's own limit begins here.
    client.write_all(b"GET /b HTTP/1.1\r\n").await.expect("sent");
    tokio::time::sleep(ms(150)).await;
    client.write_all(b"Host: a\r\n\r\nGET /c").await.expect("sent");
    let response = read_to_end(&mut client).await;
    assert!(response.contains("GET /b []"), "{response:?}");
    assert_eq!(server.seen(), ["GET /a", "GET /b"]);
    assert_eq!(server.faults(), [WireFault::HeadTimeout]);
}

#[tokio::test]
async fn a_request_in_flight_is_neither_idle_nor_late() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.write_all(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("sent");
    let begin = Instant::now();
    while begin.elapsed() < ms(1200) {
        read_until(&mut client, "event\n\r\n").await;
    }
}

#[tokio::test]
async fn a_client_that_takes_its_response_slowly_is_not_idle() {
    let server = Server::with_limits(Limits {
        max_header_bytes: 1024,
        header_timeout: ms(100),
        idle_timeout: ms(50),
    })
    .await;
    let mut client = server.connect_with_small_buffers().await;
    client.write_all(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("sent");
    tokio::time::sleep(ms(400)).await;
    let response = read_to_end(&mut client).await;
    assert_eq!(response.matches('x').count(), LARGE, "cut off");
}
