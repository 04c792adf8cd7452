//! Clients: one that sends exactly the bytes it is told to, and one for HTTP/2.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use super::{
    clock::within,
    raw::{RawResponse, Reader},
};

/// A connection that sends what it is told to.
pub(crate) struct RawClient {
    pub(crate) reader: Reader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl RawClient {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = within("connecting", TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (reader, writer) = stream.into_split();
        Self { reader: Reader::new(reader), writer }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        within("sending", self.writer.write_all(bytes.as_ref())).await.unwrap();
    }

    /// Sends as much as the peer takes; it may have closed already.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        within("sending", self.writer.write_all(bytes.as_ref())).await.is_ok()
    }

    /// Reads a whole response.
    pub(crate) async fn response(&mut self) -> RawResponse {
        within("a response", self.reader.response("GET")).await.unwrap()
    }

    /// Reads a response's head.
    pub(crate) async fn head(&mut self) -> RawResponse {
        within("a response head", self.reader.response_head()).await.unwrap()
    }

    /// Reads one chunk of a chunked body: empty at its proper end, `None` when it was cut.
    pub(crate) async fn chunk(&mut self) -> Option<Vec<u8>> {
        within("a chunk", self.reader.chunk()).await
    }

    /// Reads chunks until this much text has come.
    pub(crate) async fn events(&mut self, expected: &str) -> String {
        let mut text = String::new();
        while text.len() < expected.len() {
            match self.chunk().await {
                Some(chunk) if !chunk.is_empty() => text.push_str(&String::from_utf8_lossy(&chunk)),
                end => panic!("{text:?} and then {end:?}, where {expected:?} was expected"),
            }
        }
        text
    }

    /// Waits for the peer to close; panics when it says something first.
    pub(crate) async fn closed(&mut self) {
        let more = within("the connection's end", self.reader.more()).await;
        assert!(!more, "{:?}", String::from_utf8_lossy(&self.reader.buffer));
    }
}

/// A request of one connection's only exchange.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    address: SocketAddr,
    method: String,
    target: String,
    host: Option<String>,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Call {
    pub(crate) fn new(address: SocketAddr, method: &str, target: &str) -> Self {
        let (method, target) = (method.to_owned(), target.to_owned());
        let host = Some(address.to_string());
        Self { address, method, target, host, headers: Vec::new(), body: None }
    }

    /// Adds a field, as written.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Leaves a field out that was added before.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(each, _)| !each.eq_ignore_ascii_case(name));
        self
    }

    pub(crate) fn host(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// The head as bytes, with a `Content-Length` when there is a body.
    pub(crate) fn head_bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let mut field = |name: &str, value: &str| {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(value);
            head.push_str("\r\n");
        };
        if let Some(host) = &self.host {
            field("Host", host);
        }
        self.headers.iter().for_each(|(name, value)| field(name, value));
        if let Some(body) = &self.body {
            field("Content-Length", &body.len().to_string());
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// Head and body as bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head_bytes();
        bytes.extend(self.body.iter().flatten());
        bytes
    }

    /// Sends it on a connection of its own, which the caller reads from.
    pub(crate) async fn open(&self) -> RawClient {
        let mut client = RawClient::connect(self.address).await;
        client.send(self.bytes()).await;
        client
    }

    /// Sends it and reads the response to its end.
    pub(crate) async fn send(&self) -> RawResponse {
        let mut client = self.open().await;
        within("a response", client.reader.response(&self.method)).await.unwrap()
    }
}

/// An HTTP/2 connection with prior knowledge.
pub(crate) struct H2Client {
    sender: http2::SendRequest<Full<Bytes>>,
    scheme: &'static str,
    authority: String,
}

impl H2Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self::over(stream, "http", address.to_string()).await
    }

    /// On a connection that is there already.
    pub(crate) async fn over<S>(stream: S, scheme: &'static str, authority: String) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let builder = http2::Builder::new(TokioExecutor::new());
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
        // Detached on purpose: it ends with its sender.
        drop(tokio_util::task::TaskTracker::new().spawn(connection));
        Self { sender, scheme, authority }
    }

    /// Sends one request, and returns what comes back while it comes.
    pub(crate) async fn open(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response<Incoming> {
        self.try_open(method, path, headers, body).await.unwrap()
    }

    /// As [`Self::open`], on a connection that may have ended.
    pub(crate) async fn try_open(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> hyper::Result<Response<Incoming>> {
        let uri = format!("{}://{}{path}", self.scheme, self.authority);
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
        within("a response", self.sender.send_request(request)).await
    }

    /// Sends one request; `headers` besides the pseudo-headers.
    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> RawResponse {
        let (parts, body) = self.open(method, path, headers, body).await.into_parts();
        let fields = parts.headers.iter().map(|(name, value)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        let headers = fields.collect();
        let body = within("a body", body.collect()).await;
        let is_whole = body.is_ok();
        let body = body.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
        RawResponse { status: parts.status.as_u16(), headers, body, is_whole }
    }
}
