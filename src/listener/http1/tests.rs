//! Connections on loopback sockets.

mod departure;
mod framing;
mod mutated;
mod pieces;
mod refusal;
mod time;

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
};

use http::StatusCode;
use http_body::Frame;
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpSocket, TcpStream},
    sync::Notify,
    task::JoinSet,
    time::timeout,
};

use super::*;
use crate::{
    clock::SystemClock,
    listener::preface::{Protocol, Replay, read_preface},
};

/// A server that echoes what it was asked, and some paths that do otherwise.
struct Server {
    address: SocketAddr,
    world: Arc<World>,
    _tasks: JoinSet<()>,
}

/// What the handler did.
#[derive(Default)]
struct World {
    seen: Mutex<Vec<String>>,
    faults: Mutex<Vec<WireFault>>,
    /// A handler or a streaming response was dropped.
    dropped: Notify,
    /// A connection was over.
    closed: Notify,
    /// Those that read on behind their response.
    readers: Mutex<JoinSet<()>>,
}

struct SignalOnDrop(Arc<World>);

impl Drop for SignalOnDrop {
    fn drop(&mut self) {
        self.0.dropped.notify_one();
    }
}

/// More than the buffers between server and client hold.
const LARGE: usize = 8 * 1024 * 1024;

type ResponseBody = BoxBody<Bytes, Infallible>;

impl Server {
    async fn start() -> Self {
        Self::with_limits(Limits {
            max_header_bytes: 32 * 1024,
            header_timeout: ms(200),
            idle_timeout: ms(300),
        })
        .await
    }

    async fn with_limits(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let world = Arc::new(World::default());
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&world);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                connections.spawn(serve(stream, limits, Arc::clone(&shared)));
            }
        });
        Self { address, world, _tasks: tasks }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("a connection")
    }

    /// A client that cannot write more than the server takes.
    async fn connect_with_small_buffers(&self) -> TcpStream {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_send_buffer_size(4096).expect("a small buffer");
        socket.set_recv_buffer_size(4096).expect("a small buffer");
        socket.connect(self.address).await.expect("a connection")
    }

    /// Sends the bytes and reads to the end of the connection.
    async fn exchange(&self, bytes: &[u8]) -> String {
        let mut client = self.connect().await;
        client.write_all(bytes).await.expect("sent");
        read_to_end(&mut client).await
    }

    fn seen(&self) -> Vec<String> {
        self.world.seen.lock().expect("the list").clone()
    }

    fn faults(&self) -> Vec<WireFault> {
        self.world.faults.lock().expect("the list").clone()
    }
}

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

async fn read_to_end(client: &mut TcpStream) -> String {
    let mut response = Vec::new();
    timeout(Duration::from_secs(3), client.read_to_end(&mut response))
        .await
        .expect("the connection ends")
        .expect("it is not reset");
    String::from_utf8(response).expect("text")
}

async fn read_until(client: &mut TcpStream, end: &str) -> String {
    let mut response = Vec::new();
    while !response.ends_with(end.as_bytes()) {
        let count = timeout(Duration::from_secs(3), client.read_buf(&mut response))
            .await
            .expect("a response")
            .expect("it is not reset");
        assert_ne!(count, 0, "ended after {:?}", String::from_utf8_lossy(&response));
    }
    String::from_utf8(response).expect("text")
}

async fn serve(stream: TcpStream, limits: Limits, world: Arc<World>) {
    let deadline = Instant::now() + limits.header_timeout;
    if let Ok(opening) = read_preface(stream, deadline).await {
        match opening.protocol {
            Protocol::Http1 => serve_http1(opening, deadline, limits, &world).await,
            Protocol::Http2 => {
                let service = service_fn(|request| hyper_answer(request, Arc::clone(&world)));
                let io = TokioIo::new(Replay::new(opening));
                let builder = http2::Builder::new(TokioExecutor::new());
                let _ = builder.serve_connection(io, service).await;
            }
        }
    }
    world.closed.notify_one();
}

async fn serve_http1(
    opening: Opening<TcpStream>,
    deadline: Instant,
    limits: Limits,
    world: &Arc<World>,
) {
    let dates = Dates::new(Arc::new(SystemClock));
    let connection = Connection::new(opening, deadline, limits, &dates);
    let never = CancellationToken::new();
    let _ =
        connection.serve(&never, |request, fault| answer(request, fault, Arc::clone(world))).await;
}

async fn hyper_answer(
    request: Request<hyper::body::Incoming>,
    world: Arc<World>,
) -> Result<Response<ResponseBody>, Infallible> {
    Ok(answer(request, None, world).await)
}

async fn answer<B: Body<Data = Bytes> + Send + 'static>(
    request: Request<B>,
    fault: Option<WireFault>,
    world: Arc<World>,
) -> Response<ResponseBody> {
    let (status, body) = match fault {
        Some(fault) => {
            world.faults.lock().expect("the list").push(fault);
            (StatusCode::BAD_REQUEST, full(fault.to_string()))
        }
        None => respond(request, world).await,
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

async fn respond<B: Body<Data = Bytes> + Send + 'static>(
    request: Request<B>,
    world: Arc<World>,
) -> (StatusCode, BoxBody<Bytes, Infallible>) {
    let line = format!("{} {}", request.method(), request.uri());
    world.seen.lock().expect("the list").push(line.clone());
    match request.uri().path() {
        "/early" => {
            let seen = Arc::clone(&world);
            world.readers.lock().expect("the readers").spawn(async move {
                let body = request.into_body().collect().await;
                let length = body.map(|body| body.to_bytes().len()).ok();
                seen.seen.lock().expect("the list").push(format!("early {length:?}"));
            });
            (StatusCode::OK, full("early".to_owned()))
        }
        "/early-and-gone" => {
            world.readers.lock().expect("the readers").spawn(async move {
                // Waits for more than what came with the head, and not for long.
                let _ = timeout(ms(50), request.into_body().collect()).await;
            });
            (StatusCode::OK, full("early".to_owned()))
        }
        "/duplex" => {
            let seen = Arc::clone(&world);
            world.readers.lock().expect("the readers").spawn(async move {
                let body = request.into_body().collect().await;
                let length = body.map(|body| body.to_bytes().len()).ok();
                seen.seen.lock().expect("the list").push(format!("duplex {length:?}"));
            });
            (StatusCode::OK, full("x".repeat(LARGE)))
        }
        "/refuse" => (StatusCode::PAYLOAD_TOO_LARGE, full("too large".to_owned())),
        "/hold" => {
            let _signal = SignalOnDrop(world);
            std::future::pending().await
        }
        "/stream" => (StatusCode::OK, endless(world, Bytes::from_static(b"event\n"), ms(20))),
        "/flood" => (StatusCode::OK, endless(world, Bytes::from(vec![b'x'; 64 * 1024]), ms(1))),
        "/large" => (StatusCode::OK, full("x".repeat(LARGE))),
        "/late-end" => (StatusCode::OK, LateEnd::default().boxed()),
        _ => {
            if let Ok(body) = request.into_body().collect().await {
                let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
                return (StatusCode::OK, full(format!("{line} [{text}]")));
            }
            world.faults.lock().expect("the list").push(WireFault::ChunkSyntax);
            (StatusCode::BAD_REQUEST, full("broken body".to_owned()))
        }
    }
}

fn full(text: String) -> BoxBody<Bytes, Infallible> {
    Full::new(Bytes::from(text)).boxed()
}

/// A body that never ends, one piece every millisecond or slower.
struct Endless {
    piece: Bytes,
    ticks: tokio::time::Interval,
    _signal: SignalOnDrop,
}

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        ready!(self.ticks.poll_tick(cx));
        Poll::Ready(Some(Ok(Frame::data(self.piece.clone()))))
    }
}

fn endless(world: Arc<World>, piece: Bytes, period: Duration) -> BoxBody<Bytes, Infallible> {
    Endless { piece, ticks: tokio::time::interval(period), _signal: SignalOnDrop(world) }.boxed()
}

/// A body whose end is found by looking a second time, after the rest was sent.
#[derive(Default)]
struct LateEnd {
    polls: u8,
}

impl Body for LateEnd {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.polls += 1;
        cx.waker().wake_by_ref();
        match self.polls {
            1 => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"late"))))),
            2 => Poll::Pending,
            _ => Poll::Ready(None),
        }
    }
}
