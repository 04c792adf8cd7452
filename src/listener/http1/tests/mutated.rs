//! Requests that were tampered with: whatever passes is what hyper makes of the same bytes, too.
//!
//! hyper lets more pass than this server does, so that what it reads differently is the danger: a
//! request that two parsers see two ways is how one is smuggled past a gateway.

use http::HeaderMap;
use tokio::io::{DuplexStream, duplex};

use super::*;
use crate::listener::preface::Opening;

impl Transport for DuplexStream {
    fn is_read_closed(&self) -> bool {
        false
    }
}

/// A request as its handler saw it; without body when that broke off.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    line: String,
    fields: HeaderMap,
    body: Option<Bytes>,
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Seen>>>);

impl Log {
    async fn answer<B: Body>(self, request: Request<B>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let line = format!("{} {} {:?}", parts.method, parts.uri, parts.version);
        let body = body.collect().await.ok().map(http_body_util::Collected::to_bytes);
        self.0.lock().unwrap().push(Seen { line, fields: parts.headers, body });
        Response::new(Full::default())
    }

    fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A connection with these bytes on it, and nothing behind them.
async fn with(bytes: &[u8]) -> (DuplexStream, DuplexStream) {
    let (mut client, server) = duplex(64 * 1024);
    client.write_all(bytes).await.unwrap();
    client.shutdown().await.unwrap();
    (client, server)
}

async fn by_us(bytes: &[u8]) -> Vec<Seen> {
    let (_client, stream) = with(bytes).await;
    let log = Log::default();
    let limits =
        Limits { max_header_bytes: 4096, header_timeout: ms(1000), idle_timeout: ms(1000) };
    let opening = Opening { protocol: Protocol::Http1, stream, received: BytesMut::new() };
    let dates = Dates::new(Arc::new(SystemClock));
    let deadline = Instant::now() + limits.header_timeout;
    let connection = Connection::new(opening, deadline, limits, &dates);
    let never = CancellationToken::new();
    let answer = |request: Request<Incoming>, fault: Option<WireFault>| {
        let log = log.clone();
        async move {
            match fault {
                Some(_) => Response::new(Full::default()),
                None => log.answer(request).await,
            }
        }
    };
    let _ = connection.serve(&never, answer).await;
    log.take()
}

async fn by_hyper(bytes: &[u8]) -> Vec<Seen> {
    let (_client, stream) = with(bytes).await;
    let log = Log::default();
    let service = service_fn(|request: Request<hyper::body::Incoming>| {
        let log = log.clone();
        async move { Ok::<_, Infallible>(log.answer(request).await) }
    });
    let mut builder = http1::Builder::new();
    // It would leave out what it has not come to when the client's end is seen.
    let _ = builder.half_close(true).serve_connection(TokioIo::new(stream), service).await;
    log.take()
}

/// A fixed sequence (xorshift), so that a failure can be repeated.
struct Sequence(u64);

impl Sequence {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }
}

/// What is put in at random places.
const PIECES: [&str; 30] = [
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    " ",
    "\t",
    "\0",
    ":",
    ",",
    ";",
    "\"",
    "0",
    "5",
    "a",
    "\u{fc}",
    "Content-Length: 5\r\n",
    "Content-Length: 0\r\n",
    "content-length:7",
    "Transfer-Encoding: chunked\r\n",
    "transfer-encoding: identity\r\n",
    "Host: b\r\n",
    "Connection: close\r\n",
    "Expect: 100-continue\r\n",
    "0\r\n\r\n",
    "5\r\nhello\r\n",
    "5;a=\"b\r\n\"\r\n",
    "GET /smug HTTP/1.1\r\nHost: a\r\n\r\n",
    " HTTP/1.0",
    "HTTP/1.1",
    "http://c/d",
];

const STREAMS: [&str; 5] = [
    "GET /1 HTTP/1.1\r\nHost: a\r\nX-One: b\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /4 HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /5 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n\
     GET /6 HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /7 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\na;b=c\r\n0123456789\r\n0\r\n\
     X: y\r\n\r\nDELETE /8 HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /9 HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhiGET /a HTTP/1.1\r\n\
     Host: a\r\nConnection: close\r\n\r\n",
];

fn tampered(sequence: &mut Sequence) -> Vec<u8> {
    let mut bytes = STREAMS[sequence.below(STREAMS.len())].as_bytes().to_vec();
    for _ in 0..=sequence.below(3) {
        let at = sequence.below(bytes.len());
        match sequence.below(4) {
            0 => drop(bytes.remove(at)),
            1 => bytes[at] = u8::try_from(sequence.below(256)).unwrap(),
            _ => {
                let piece = PIECES[sequence.below(PIECES.len())];
                drop(bytes.splice(at..at, piece.bytes()));
            }
        }
    }
    bytes
}

#[tokio::test]
async fn what_passes_is_what_hyper_reads_too() {
    let mut sequence = Sequence(0x9e37_79b9_7f4a_7c15);
    let (mut passed, mut refused) = (0, 0);
    for round in 0..60_000 {
        let bytes = tampered(&mut sequence);
        let (ours, theirs) = (by_us(&bytes).await, by_hyper(&bytes).await);
        let text = String::from_utf8_lossy(&bytes);
        let same = theirs.get(..ours.len());
        assert_eq!(Some(ours.as_slice()), same, "round {round}: {text:?}");
        passed += ours.len();
        refused += usize::from(ours.len() < theirs.len());
    }
    // Both ways, or the comparison says nothing.
    assert!(passed > 20_000 && refused > 5_000, "{passed} passed, {refused} refused");
}
