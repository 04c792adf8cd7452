//! However the bytes are cut on their way, the same requests come out.

use super::*;

/// Several requests of every framing; each is answered with its line and body.
fn stream() -> String {
    let chunked = "Host: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    [
        "GET /1?a=b HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world".to_owned(),
        format!("POST /3 HTTP/1.1\r\n{chunked}5;a=\"b\"\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"),
        format!("POST /4 HTTP/1.1\r\n{chunked}0\r\nX: GET /smug HTTP/1.1\r\n\r\n"),
        "POST /5 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "POST /6 HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\nGET /smug HTTP/1.1\r\n"
            .to_owned(),
        format!("POST /7 HTTP/1.1\r\n{chunked}7d0\r\n{}\r\n0\r\n\r\n", "z".repeat(2000)),
        "GET /8 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_owned(),
    ]
    .concat()
}

/// The responses without what differs from run to run.
fn comparable(responses: &str) -> String {
    responses.lines().filter(|line| !line.starts_with("date: ")).collect::<Vec<_>>().join("\n")
}

/// What hyper makes of the bytes.
async fn by_hyper(bytes: &[u8]) -> (String, Vec<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let world = Arc::new(World::default());
    let shared = Arc::clone(&world);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        let service = service_fn(|request| hyper_answer(request, Arc::clone(&shared)));
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    });
    let mut client = TcpStream::connect(address).await.expect("a connection");
    client.write_all(bytes).await.expect("sent");
    let responses = comparable(&read_to_end(&mut client).await);
    let seen = world.seen.lock().expect("the list").clone();
    (responses, seen)
}

async fn in_pieces(bytes: &[u8], mut length: impl FnMut() -> usize) -> (String, Vec<String>) {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.set_nodelay(true).expect("no delay");
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(length().clamp(1, rest.len()));
        client.write_all(piece).await.expect("sent");
        // Lets the server read each piece for itself.
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
        rest = behind;
    }
    let responses = comparable(&read_to_end(&mut client).await);
    (responses, server.seen())
}

#[tokio::test]
async fn byte_by_byte_the_same_requests_come_out_as_of_hyper() {
    let bytes = stream();
    let expected = by_hyper(bytes.as_bytes()).await;
    assert_eq!(expected.1.len(), 8);
    assert_eq!(in_pieces(bytes.as_bytes(), || 1).await, expected);
    assert_eq!(in_pieces(bytes.as_bytes(), || usize::MAX).await, expected);
}

#[tokio::test]
async fn however_it_is_cut_the_same_requests_come_out_as_of_hyper() {
    let bytes = stream();
    let expected = by_hyper(bytes.as_bytes()).await;
    // A fixed sequence (xorshift), so that a failure can be repeated.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..150 {
        let longest = [3, 17, 90, 700][round % 4];
        let cut = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % longest).expect("small") + 1
        };
        assert_eq!(in_pieces(bytes.as_bytes(), cut).await, expected, "round {round}");
    }
}

#[tokio::test]
async fn a_fault_is_the_same_byte_by_byte() {
    for (head, fault) in [
        ("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", WireFault::LineEnding),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
            WireFault::LengthSyntax,
        ),
        ("GET /mcp#x HTTP/1.1\r\nHost: a\r\n\r\n", WireFault::RequestLine),
    ] {
        let server = Server::start().await;
        let mut client = server.connect().await;
        for byte in head.bytes() {
            if client.write_u8(byte).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let response = read_to_end(&mut client).await;
        assert!(response.ends_with(&fault.to_string()), "{head:?}: {response:?}");
        assert_eq!((server.seen(), server.faults()), (vec![], vec![fault]));
    }
}
