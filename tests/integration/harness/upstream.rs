//! A stub upstream that keeps every byte it received, and answers as it is told to.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::AsyncWriteExt as _,
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    clock::{eventually, within},
    raw::{Reader, Received, parse_head, request_framing},
};

/// An upstream that runs until it is dropped.
pub(crate) struct StubUpstream {
    port: u16,
    state: Arc<State>,
    stop: CancellationToken,
}

/// What one request is answered with.
pub(crate) enum Reply {
    /// Exactly these bytes; the connection goes on.
    Raw(Vec<u8>),
    /// These bytes, and then the end of the connection.
    RawThenClose(Vec<u8>),
    /// These bytes, and then what the test feeds.
    Feed(Vec<u8>, Fed),
    /// Nothing while the connection stays.
    Silence,
    /// The end of the connection, before the request's body was read.
    CloseAtOnce,
    /// These bytes before the request's body was read, of which only a part is taken then.
    Early(Vec<u8>),
}

/// The upstream's end of a [`Feed`].
pub(crate) struct Fed {
    pieces: mpsc::UnboundedReceiver<Piece>,
    progress: Arc<Progress>,
}

/// The test's end of a stream that it feeds step by step.
pub(crate) struct Feed {
    pieces: mpsc::UnboundedSender<Piece>,
    progress: Arc<Progress>,
}

enum Piece {
    Raw(Vec<u8>),
    Cut,
}

#[derive(Default)]
struct Progress {
    written: AtomicUsize,
    gone: watch::Sender<bool>,
}

type Handler = Box<dyn FnMut(&Received) -> Reply + Send>;

struct State {
    log: Mutex<Vec<u8>>,
    connections: AtomicUsize,
    requests: Mutex<Vec<Received>>,
    next: Mutex<VecDeque<Reply>>,
    handler: Mutex<Handler>,
    closed: AtomicUsize,
}

impl Reply {
    /// 200 with JSON.
    pub(crate) fn json(body: &str) -> Self {
        Self::with(200, &[("Content-Type", "application/json")], body)
    }

    /// Any status, fields and body; `Content-Length` is added.
    pub(crate) fn with(status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let mut text = format!("HTTP/1.1 {status} Answer\r\n");
        for (name, value) in headers {
            text.push_str(name);
            text.push_str(": ");
            text.push_str(value);
            text.push_str("\r\n");
        }
        if !matches!(status, 100..=199 | 204 | 304) {
            text.push_str("Content-Length: ");
            text.push_str(&body.len().to_string());
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        text.push_str(body);
        Self::Raw(text.into_bytes())
    }
}

impl Feed {
    /// An event stream of chunks, and what the upstream is to reply with.
    pub(crate) fn events() -> (Self, Reply) {
        Self::chunks(&[("Content-Type", "text/event-stream")])
    }

    /// A chunked 200 response with these fields.
    pub(crate) fn chunks(headers: &[(&str, &str)]) -> (Self, Reply) {
        let mut head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n".to_owned();
        for (name, value) in headers {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(value);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        Self::after(head.into_bytes())
    }

    /// These bytes first, then whatever is fed.
    pub(crate) fn after(first: Vec<u8>) -> (Self, Reply) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let progress = Arc::new(Progress::default());
        let fed = Fed { pieces: receiver, progress: Arc::clone(&progress) };
        (Self { pieces: sender, progress }, Reply::Feed(first, fed))
    }

    /// Sends one chunk.
    pub(crate) fn chunk(&self, text: &str) {
        self.raw(format!("{:x}\r\n{text}\r\n", text.len()).into_bytes());
    }

    /// Sends bytes as they are.
    pub(crate) fn raw(&self, bytes: Vec<u8>) {
        // The gateway may have gone; the test sees that in what it asserts.
        let _ = self.pieces.send(Piece::Raw(bytes));
    }

    /// Ends the chunked body properly.
    pub(crate) fn end(&self) {
        self.raw(b"0\r\n\r\n".to_vec());
    }

    /// Closes the connection where it is.
    pub(crate) fn cut(&self) {
        let _ = self.pieces.send(Piece::Cut);
    }

    /// How many fed bytes the gateway's side has taken.
    pub(crate) fn written(&self) -> usize {
        self.progress.written.load(Ordering::SeqCst)
    }

    /// Whether the gateway has closed the connection.
    pub(crate) fn is_gone(&self) -> bool {
        *self.progress.gone.borrow()
    }

    /// Waits until the gateway has closed the connection.
    pub(crate) async fn gone(&self) {
        let mut gone = self.progress.gone.subscribe();
        within("the gateway leaves the upstream", gone.wait_for(|gone| *gone)).await.unwrap();
    }
}

impl StubUpstream {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            log: Mutex::default(),
            connections: AtomicUsize::new(0),
            requests: Mutex::default(),
            next: Mutex::default(),
            handler: Mutex::new(Box::new(|_| Reply::json(RESULT))),
            closed: AtomicUsize::new(0),
        });
        let stop = CancellationToken::new();
        let upstream = Self { port, state: Arc::clone(&state), stop: stop.clone() };
        let tasks = TaskTracker::new();
        drop(tasks.clone().spawn(stop.clone().run_until_cancelled_owned(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                state.connections.fetch_add(1, Ordering::SeqCst);
                let state = Arc::clone(&state);
                let connection = async move {
                    let _ = converse(stream, &state).await;
                    state.closed.fetch_add(1, Ordering::SeqCst);
                };
                drop(tasks.spawn(stop.clone().run_until_cancelled_owned(connection)));
            }
        })));
        upstream
    }

    /// The URL of its MCP endpoint.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/mcp", self.port)
    }

    pub(crate) fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Answers every request by this from now on.
    pub(crate) fn answer(&self, handler: impl FnMut(&Received) -> Reply + Send + 'static) {
        *lock(&self.state.handler) = Box::new(handler);
    }

    /// Answers the next request with this, once.
    pub(crate) fn next(&self, reply: Reply) {
        lock(&self.state.next).push_back(reply);
    }

    /// Every byte received, of all connections.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&lock(&self.state.log)).into_owned()
    }

    pub(crate) fn bytes_received(&self) -> usize {
        lock(&self.state.log).len()
    }

    /// The requests whose bodies came whole.
    pub(crate) fn requests(&self) -> Vec<Received> {
        lock(&self.state.requests).clone()
    }

    /// The only request so far.
    #[track_caller]
    pub(crate) fn only_request(&self) -> Received {
        let requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.into_iter().next().unwrap()
    }

    /// How many connections were made to it.
    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// How many connections have ended.
    pub(crate) fn closed(&self) -> usize {
        self.state.closed.load(Ordering::SeqCst)
    }

    /// Waits for some text to arrive.
    pub(crate) async fn saw(&self, text: &str) {
        eventually(text, || if self.log().contains(text) { Ok(()) } else { Err(self.log()) }).await;
    }

    /// Refuses connections from now on and ends those there are.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }
}

impl Drop for StubUpstream {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl fmt::Debug for StubUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url())
    }
}

/// Reads from the gateway, and keeps every byte.
struct Logged<'a> {
    inner: OwnedReadHalf,
    state: &'a State,
}

impl tokio::io::AsyncRead for Logged<'_> {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let read = std::pin::Pin::new(&mut self.inner).poll_read(cx, buffer);
        lock(&self.state.log).extend(buffer.filled().iter().skip(before));
        read
    }
}

async fn converse(stream: TcpStream, state: &State) -> Option<()> {
    let (inner, mut writer) = stream.into_split();
    let mut reader = Reader::new(Logged { inner, state });
    loop {
        let head = reader.until(b"\r\n\r\n").await?;
        let (line, headers) = parse_head(&head);
        let mut words = line.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let framing = request_framing(&headers);
        let mut request = Received { method, target, headers, body: Vec::new() };
        let next = lock(&state.next).pop_front();
        match &next {
            Some(Reply::CloseAtOnce) => return None,
            Some(Reply::Early(bytes)) => {
                writer.write_all(bytes).await.ok()?;
                while reader.more().await {}
                return None;
            }
            _ => {}
        }
        let mut body = Vec::new();
        if !reader.body(framing, &mut body).await {
            return None;
        }
        request.body = body;
        lock(&state.requests).push(request.clone());
        let reply = next.unwrap_or_else(|| (lock(&state.handler))(&request));
        match reply {
            Reply::Raw(bytes) => writer.write_all(&bytes).await.ok()?,
            Reply::RawThenClose(bytes) => {
                writer.write_all(&bytes).await.ok()?;
                return None;
            }
            Reply::Feed(first, fed) => {
                writer.write_all(&first).await.ok()?;
                feed(fed, &mut reader, &mut writer).await?;
            }
            Reply::Silence => {
                while reader.more().await {}
                return None;
            }
            // Answered before the body was read.
            Reply::CloseAtOnce | Reply::Early(_) => return None,
        }
    }
}

/// Writes what is fed and watches for the gateway's leaving; `None` when the connection is over.
async fn feed(
    mut fed: Fed,
    reader: &mut Reader<Logged<'_>>,
    writer: &mut OwnedWriteHalf,
) -> Option<()> {
    let progress = Arc::clone(&fed.progress);
    let writing = async {
        while let Some(piece) = fed.pieces.recv().await {
            let Piece::Raw(bytes) = piece else { return None };
            for part in bytes.chunks(16 * 1024) {
                if writer.write_all(part).await.is_err() {
                    fed.progress.gone.send_replace(true);
                    return None;
                }
                progress.written.fetch_add(part.len(), Ordering::SeqCst);
            }
            if bytes.ends_with(b"0\r\n\r\n") {
                return Some(());
            }
        }
        None
    };
    tokio::select! {
        over = writing => over,
        // Nothing is pipelined to an upstream, so whatever is read here is the end.
        _ = reader.more() => {
            fed.progress.gone.send_replace(true);
            None
        }
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

/// What is answered unless a test says otherwise.
pub(crate) const RESULT: &str = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
