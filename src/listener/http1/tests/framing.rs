//! Messages that pass: one at a time, in order, whatever their framing.

use super::*;

#[tokio::test]
async fn c19_a_thousand_pipelined_requests_are_answered_in_order() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let request = |n: u32| format!("GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n");
    let requests: Vec<String> = (0..1000).map(request).collect();
    client.write_all(requests.concat().as_bytes()).await.expect("sent");
    let response = read_until(&mut client, "GET /999 []").await;
    let expected: Vec<String> = (0..1000).map(|n| format!("GET /{n}")).collect();
    assert_eq!(server.seen(), expected);
    assert_eq!(response.matches("HTTP/1.1 200 OK").count(), 1000);
}

#[tokio::test]
async fn a_request_behind_another_waits_for_its_response() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let requests = "GET /stream HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n";
    client.write_all(requests.as_bytes()).await.expect("sent");
    read_until(&mut client, "event\n\r\n").await;
    read_until(&mut client, "event\n\r\n").await;
    assert_eq!(server.seen(), ["GET /stream"]);
}

#[tokio::test]
async fn too_much_behind_a_request_in_flight_ends_the_connection() {
    let server = Server::start().await;
    let mut client = server.connect_with_small_buffers().await;
    client.write_all(b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("sent");
    let behind = vec![b'x'; 1024 * 1024];
    let sent = timeout(ms(3000), client.write_all(&behind)).await;
    assert!(sent.expect("the connection ends").is_err(), "all of it was taken");
    assert_eq!(server.seen(), ["GET /hold"]);
}

#[tokio::test]
async fn a_response_whose_end_came_late_lets_the_next_request_pass() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let requests = "GET /late-end HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n";
    client.write_all(requests.as_bytes()).await.expect("sent");
    read_until(&mut client, "GET /next []").await;
    assert_eq!(server.seen(), ["GET /late-end", "GET /next"]);
}

#[tokio::test]
async fn a_body_waits_for_100_continue_and_a_refusal_comes_without_it() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let fields = "Host: a\r\nContent-Length: 5\r\nExpect: 100-continue";
    let head = format!("POST /mcp HTTP/1.1\r\n{fields}\r\n\r\n");
    client.write_all(head.as_bytes()).await.expect("sent");
    assert_eq!(read_until(&mut client, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(b"helloGET /next HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("sent");
    let response = read_until(&mut client, "GET /next []").await;
    assert!(response.contains("POST /mcp [hello]"), "{response:?}");

    // A25: an early answer, no 100, and the connection closes, as it is not known whether the
    // client sends the body now.
    let begin = Instant::now();
    let head = format!("POST /refuse HTTP/1.1\r\n{fields}\r\n\r\n");
    let response = server.exchange(head.as_bytes()).await;
    assert!(response.starts_with("HTTP/1.1 413"), "{response:?}");
    assert!(begin.elapsed() < ms(250), "closed only by the idle timeout");
}

#[tokio::test]
async fn whoever_reads_a_body_behind_its_response_gets_all_of_it() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let head = "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nx";
    client.write_all(head.as_bytes()).await.expect("sent");
    let response = read_until(&mut client, "early").await;
    assert!(!response.contains("connection: close"), "{response:?}");
    let next = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
    let rest = format!("{}{next}", "x".repeat(99_999));
    client.write_all(rest.as_bytes()).await.expect("sent");
    read_until(&mut client, "GET /next []").await;
    let deadline = Instant::now() + ms(2000);
    // The last piece is on its way to its reader when the next request begins.
    while !server.seen().contains(&"early Some(100000)".to_owned()) {
        assert!(Instant::now() < deadline, "{:?}", server.seen());
        tokio::time::sleep(ms(5)).await;
    }
}

#[tokio::test]
async fn last_response_cuts_no_body_that_is_read_behind_it() {
    for (version, fields) in [("HTTP/1.1", "Host: a\r\nConnection: close\r\n"), ("HTTP/1.0", "")] {
        let server = Server::start().await;
        let mut client = server.connect().await;
        let head = format!("POST /early {version}\r\n{fields}Content-Length: 100000\r\n\r\nx");
        client.write_all(head.as_bytes()).await.expect("sent");
        read_until(&mut client, "early").await;
        client.write_all(&vec![b'x'; 99_999]).await.expect("sent");
        read_to_end(&mut client).await;
        assert_eq!(server.seen()[1..], ["early Some(100000)"], "{version}");
    }
}

#[tokio::test]
async fn connection_ends_when_its_last_reader_does() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let head = "POST /early-and-gone HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nx";
    client.write_all(head.as_bytes()).await.expect("sent");
    // The client says nothing more, and nothing else will wake the connection.
    assert!(read_to_end(&mut client).await.ends_with("early"));
}

#[tokio::test]
async fn client_may_send_everything_before_it_reads() {
    let server = Server::start().await;
    let mut client = server.connect_with_small_buffers().await;
    let head = format!("POST /duplex HTTP/1.1\r\nHost: a\r\nContent-Length: {LARGE}\r\n\r\n");
    client.write_all(head.as_bytes()).await.expect("sent");
    let sent = timeout(ms(5000), client.write_all(&vec![b'y'; LARGE])).await;
    sent.expect("it is read meanwhile").expect("sent");
    let response = read_until(&mut client, "xxxx").await;
    assert!(response.starts_with("HTTP/1.1 200"), "{}", &response[..20]);
    let deadline = Instant::now() + ms(2000);
    while !server.seen().contains(&format!("duplex Some({LARGE})")) {
        assert!(Instant::now() < deadline, "{:?}", server.seen());
        tokio::time::sleep(ms(5)).await;
    }
}

#[tokio::test]
async fn who_reads_behind_its_response_hears_when_the_client_leaves() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let head = "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nx";
    client.write_all(head.as_bytes()).await.expect("sent");
    read_until(&mut client, "early").await;
    drop(client);
    let deadline = Instant::now() + ms(2000);
    while server.seen().len() < 2 {
        assert!(Instant::now() < deadline, "still waiting");
        tokio::time::sleep(ms(5)).await;
    }
    assert_eq!(server.seen(), ["POST /early", "early None"]);
}

#[tokio::test]
async fn response_says_that_the_connection_ends_when_a_body_is_left_unread() {
    let server = Server::start().await;
    let head = "POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nx";
    let response = server.exchange(head.as_bytes()).await;
    assert!(response.contains("connection: close\r\n"), "{response:?}");
    // All there: nothing stands in the way of the next one.
    let mut client = server.connect().await;
    let both = "POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx\
                GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
    client.write_all(both.as_bytes()).await.expect("sent");
    let response = read_until(&mut client, "GET /next []").await;
    assert!(!response.contains("connection: close"), "{response:?}");
}

#[tokio::test]
async fn c13_and_c15_bodies_of_get_and_upgrades_change_no_boundary() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let get = "GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
    let upgrade = "GET /b HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n\
                   Upgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n";
    let next = "GET /c HTTP/1.1\r\nHost: a\r\n\r\n";
    client.write_all(format!("{get}{upgrade}{next}").as_bytes()).await.expect("sent");
    read_until(&mut client, "GET /c []").await;
    assert_eq!(server.seen(), ["GET /a", "GET /b", "GET /c"]);
}

#[tokio::test]
async fn http_1_0_is_served_and_closed() {
    let server = Server::start().await;
    let response = server.exchange(b"GET /old HTTP/1.0\r\n\r\n").await;
    assert!(response.starts_with("HTTP/1.0 200 OK\r\n"), "{response:?}");
    assert!(response.ends_with("GET /old []"), "{response:?}");
}

#[tokio::test]
async fn http_2_with_prior_knowledge_is_served() {
    let server = Server::start().await;
    let io = TokioIo::new(server.connect().await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.expect("a handshake");
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    let request = Request::get("http://a/two").body(Full::new(Bytes::new())).expect("a request");
    let response = sender.send_request(request).await.expect("a response");
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(server.seen(), ["GET http://a/two"]);
}
