//! Connections of a pool to raw servers on loopback.

mod framing;
mod heads;
mod reuse;
mod sending;
mod sweep;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::task::TaskTracker;

use super::*;
use crate::{
    clock::{Clock, ManualClock},
    forward::pool::{Pool, SendError},
};

/// A server that does what the test tells it, and a pool of connections to it.
struct Line {
    listener: TcpListener,
    pool: Arc<Pool>,
    clock: Arc<ManualClock>,
    tasks: TaskTracker,
}

/// What came of a request.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    /// Whether the body was over before it was read, and how long it said it was.
    is_end_stream: bool,
    length: Option<u64>,
    body: Result<Vec<u8>, String>,
}

impl Line {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (pool, clock) = pool(address);
        Self { listener, pool, clock, tasks: TaskTracker::new() }
    }

    async fn accept(&self) -> TcpStream {
        let stream = within(self.listener.accept()).await.unwrap().0;
        stream.set_nodelay(true).unwrap();
        stream
    }

    async fn send(&self, request: Request<RequestBody>) -> Result<Response<UpstreamBody>, String> {
        let sent = within(self.pool.send(request, None, &self.tasks)).await;
        sent.map_err(|error: SendError| error.to_string())
    }

    /// Sends a request and reads its response to the end.
    async fn ask(&self, request: Request<RequestBody>) -> Result<Answer, String> {
        Ok(read(self.send(request).await?).await)
    }

    /// Has a request answered by a new connection with these bytes; `None` leaves it open.
    async fn answered(&self, method: &Method, bytes: &[u8]) -> (Result<Answer, String>, TcpStream) {
        let serve = async {
            let mut stream = self.accept().await;
            request(&mut stream).await;
            stream.write_all(bytes).await.unwrap();
            stream
        };
        tokio::join!(self.ask(empty(method)), serve)
    }

    /// The same, and then the end of the connection.
    async fn answered_and_closed(&self, method: &Method, bytes: &[u8]) -> Result<Answer, String> {
        let serve = async {
            let mut stream = self.accept().await;
            request(&mut stream).await;
            // Whoever has seen enough may have closed it.
            let _ = stream.write_all(bytes).await;
        };
        tokio::join!(self.ask(empty(method)), serve).0
    }
}

fn pool(address: SocketAddr) -> (Arc<Pool>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new());
    let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    (Arc::new(Pool::new(&address.to_string(), None, WAIT, shared)), clock)
}

fn empty(method: &Method) -> Request<RequestBody> {
    with_body(method, RequestBody::Empty)
}

fn with_body(method: &Method, body: RequestBody) -> Request<RequestBody> {
    let mut request = Request::new(body);
    *request.method_mut() = method.clone();
    *request.uri_mut() = "/mcp?x=1".parse().unwrap();
    request.headers_mut().insert(header::HOST, HeaderValue::from_static("mcp.example"));
    request
}

async fn read(response: Response<UpstreamBody>) -> Answer {
    let (head, mut body) = response.into_parts();
    let (is_end_stream, length) = (body.is_end_stream(), body.size_hint().exact());
    let mut content = Vec::new();
    let read = loop {
        match within(body.frame()).await {
            Some(Ok(frame)) => content.extend_from_slice(&frame.into_data().unwrap()),
            Some(Err(error)) => {
                assert!(within(body.frame()).await.is_none(), "nothing behind an error");
                break Err(error.to_string());
            }
            None => break Ok(content),
        }
    };
    Answer { status: head.status, headers: head.headers, is_end_stream, length, body: read }
}

/// Reads a request with its body.
async fn request(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    loop {
        let seen = String::from_utf8_lossy(&text).into_owned();
        if let Some((head, body)) = seen.split_once("\r\n\r\n") {
            let length = head.split("content-length: ").nth(1);
            let length = length.map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
            if body.len() >= length {
                return seen;
            }
        }
        assert_ne!(within(stream.read_buf(&mut text)).await.unwrap(), 0, "{seen}");
    }
}

/// Waits for the other end to go.
async fn gone(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let _ = within(stream.read_to_end(&mut rest)).await;
    assert_eq!(String::from_utf8_lossy(&rest), "");
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(WAIT, future).await.expect("in time")
}

/// Lets the runtime learn what the system knows.
async fn eventually(mut is_so: impl FnMut() -> bool) {
    within(async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

const WAIT: Duration = Duration::from_secs(20);
const OK: &str = "HTTP/1.1 200 OK\r\n";
