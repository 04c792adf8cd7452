//! Heads and bodies that must not pass, each with a request behind it that must not pass either.

use super::*;

const SMUG: &str = "GET /smug HTTP/1.1\r\nHost: a\r\n\r\n";

/// The head is answered with a refusal, the connection closes, and the handler saw nothing.
async fn refused(head: &str, fault: WireFault) {
    let server = Server::start().await;
    let response = server.exchange(format!("{head}{SMUG}").as_bytes()).await;
    assert!(response.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{head:?}: {response:?}");
    assert!(response.contains("connection: close\r\n"), "{head:?}: {response:?}");
    assert!(response.ends_with(&fault.to_string()), "{head:?}: {response:?}");
    assert_eq!(response.matches("HTTP/1.1 ").count(), 1, "{head:?}: {response:?}");
    assert_eq!((server.seen(), server.faults()), (vec![], vec![fault]), "{head:?}");
}

fn post(fields: &str) -> String {
    format!("POST /mcp HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

#[tokio::test]
async fn c01_to_c07_ambiguous_framing_reaches_nobody() {
    let chunked = "Transfer-Encoding: chunked\r\n";
    let both = post(&format!("Content-Length: 6\r\n{chunked}"));
    refused(&format!("{both}0\r\n\r\nX"), WireFault::BothLengths).await;
    refused(&format!("{}0\r\n\r\n", post(&chunked.repeat(2))), WireFault::TransferCoding).await;
    for value in ["identity, chunked", "gzip, chunked", ",chunked", "chunked;a=b", "xchunked"] {
        let head = post(&format!("Transfer-Encoding: {value}\r\n"));
        refused(&format!("{head}0\r\n\r\n"), WireFault::TransferCoding).await;
    }
    for line in ["Transfer-Encoding : chunked", " Transfer-Encoding: chunked", "X: a\r\n b"] {
        refused(&post(&format!("{line}\r\n")), WireFault::FieldSyntax).await;
    }
    let old = format!("POST / HTTP/1.0\r\nConnection: keep-alive\r\n{chunked}\r\n0\r\n\r\n");
    refused(&old, WireFault::TransferCoding).await;
    for lengths in ["5\r\nContent-Length: 5", "5\r\nContent-Length: 6", "5, 5", "+5", "0x5", ""] {
        let head = post(&format!("Content-Length: {lengths}\r\n"));
        refused(&format!("{head}hello"), WireFault::LengthSyntax).await;
    }
}

#[tokio::test]
async fn c08_and_c17_ambiguous_lines_reach_nobody() {
    for head in [
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\r\nUseless:\n\n",
        "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
        "GET /\nX HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        refused(head, WireFault::LineEnding).await;
    }
    for line in ["GET /mcp#/admin HTTP/1.1", "GET  / HTTP/1.1", "GET / HTTP/2.0", "GET /"] {
        refused(&format!("{line}\r\nHost: a\r\n\r\n"), WireFault::RequestLine).await;
    }
    refused(&"\r\n".repeat(1000), WireFault::RequestLine).await;
    refused("GET / HTTP/1.1\r\n\r\n", WireFault::HostCount).await;
    refused("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", WireFault::HostCount).await;
    refused("GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", WireFault::FieldSyntax).await;
}

#[tokio::test]
async fn s03_oversized_heads_reach_nobody_and_the_answer_is_not_lost() {
    let target = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(70_000));
    refused(&target, WireFault::TargetTooLong).await;
    let large = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(500_000));
    refused(&large, WireFault::HeadTooLarge).await;
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: a\r\n".repeat(100));
    refused(&many, WireFault::TooManyFields).await;
}

#[tokio::test]
async fn a_refusal_on_a_kept_connection_follows_the_answers_before_it() {
    let server = Server::start().await;
    let good = "GET /good HTTP/1.1\r\nHost: a\r\n\r\n";
    let bad = "GET /bad HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";
    let response = server.exchange(format!("{good}{bad}{SMUG}").as_bytes()).await;
    assert_eq!(response.matches("HTTP/1.1 200").count(), 1, "{response:?}");
    assert_eq!(response.matches("HTTP/1.1 400").count(), 1, "{response:?}");
    assert_eq!(server.seen(), ["GET /good"]);
    assert_eq!(server.faults(), [WireFault::HostCount]);
}

/// A chunked body with a violation ends in an error, whenever the violation arrives.
async fn broken_body(body: &str) {
    for pause in [None, Some(ms(30))] {
        let server = Server::start().await;
        let mut client = server.connect().await;
        let head = post("Transfer-Encoding: chunked\r\n");
        client.write_all(head.as_bytes()).await.expect("sent");
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        }
        client.write_all(format!("{body}{SMUG}").as_bytes()).await.expect("sent");
        let response = read_to_end(&mut client).await;
        assert!(response.starts_with("HTTP/1.1 400"), "{body:?}: {response:?}");
        assert_eq!(response.matches("HTTP/1.1 ").count(), 1, "{body:?}: {response:?}");
        assert!(!server.seen().contains(&"GET /smug".to_owned()), "{body:?}");
        assert_eq!(server.faults(), [WireFault::ChunkSyntax], "{body:?}");
    }
}

#[tokio::test]
async fn c09_to_c12_violations_within_a_body_end_it_in_an_error() {
    for body in [
        "5\nhello\r\n0\r\n\r\n",
        "5;\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "1;ext=\"val\r\nx\r\n0\r\n\r\n",
        "1;a\0\r\nx\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "00000000000000005\r\nhello\r\n0\r\n\r\n",
        "0\r\nX : y\r\n\r\n",
    ] {
        broken_body(body).await;
    }
    broken_body(&format!("1;a={}\r\nx\r\n0\r\n\r\n", "b".repeat(20_000))).await;
    broken_body(&format!("0\r\n{}\r\n", "X: y\r\n".repeat(10_000))).await;
}

#[tokio::test]
async fn c14_an_unread_body_is_never_a_request() {
    for length in [SMUG.len() + 40, 300_000] {
        let server = Server::start().await;
        let head = format!("POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        let mut client = server.connect().await;
        client.write_all(format!("{head}{SMUG}").as_bytes()).await.expect("sent");
        let response = read_to_end(&mut client).await;
        assert!(response.starts_with("HTTP/1.1 413"), "{response:?}");
        assert_eq!(response.matches("HTTP/1.1 ").count(), 1, "{response:?}");
        assert_eq!(server.seen(), ["POST /refuse"]);
    }
}

#[tokio::test]
async fn c14_a_large_refused_upload_still_gets_its_answer() {
    let server = Server::start().await;
    let mut upload = b"POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 600000\r\n\r\n".to_vec();
    upload.resize(upload.len() + 600_000, b'x');
    let mut client = server.connect_with_small_buffers().await;
    client.write_all(&upload).await.expect("the connection is not reset under the upload");
    let response = read_to_end(&mut client).await;
    assert!(response.starts_with("HTTP/1.1 413"), "{response:?}");
}
