//! The small HTTP/1.1 listener under both demo servers.
//!
//! Rules:
//! 1. Everything is bounded: connections, the head's time, the body's size and time.
//! 2. A `Host` that is not this listener's loopback address is refused with 421, so that no web
//!    page reaches a demo server by rebinding a name.
//! 3. Every task belongs to a [`Background`] and ends with it.
//!
//! It is no general server: a service answers at once or hands back a stream of events.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The tasks of the demo servers, and the word that ends them.
#[derive(Clone, Debug, Default)]
pub struct Background {
    tracker: TaskTracker,
    shutdown: CancellationToken,
}

impl Background {
    /// Starts a task that ends, at the latest, when the demo does.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let shutdown = self.shutdown.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                () = task => {}
                () = shutdown.cancelled() => {}
            }
        });
    }

    /// Ends every task and waits until they are gone.
    pub async fn stop(&self) {
        self.shutdown.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// What a demo server does with one request, whose body has been read whole.
pub(super) trait Service: Send + Sync + 'static {
    /// The answer. It may not wait: what takes time goes into an event stream.
    fn answer(&self, request: &Request<Bytes>) -> Response<Body>;
}

/// A response body: bytes, or events as they come.
#[derive(Debug)]
pub(super) enum Body {
    Events(mpsc::Receiver<Bytes>),
    Whole(Full<Bytes>),
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::Whole(Full::from(text))
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::Whole(Full::default())
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Events(events) => {
                events.poll_recv(context).map(|event| event.map(|bytes| Ok(Frame::data(bytes))))
            }
            Self::Whole(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Events(_) => false,
            Self::Whole(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Events(_) => SizeHint::default(),
            Self::Whole(body) => body.size_hint(),
        }
    }
}

/// Serves `listener` until `background` ends.
pub(super) fn serve<S: Service>(
    listener: TcpListener,
    service: Arc<S>,
    background: &Background,
) -> io::Result<SocketAddr> {
    let address = listener.local_addr()?;
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let tasks = background.clone();
    background.spawn(async move {
        loop {
            // Out of descriptors and the like: the condition passes, a busy loop would not help.
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let Ok(permit) = Arc::clone(&connections).try_acquire_owned() else { continue };
            let service = Arc::clone(&service);
            tasks.spawn(async move {
                serve_connection(stream, service, address).await;
                drop(permit);
            });
        }
    });
    Ok(address)
}

async fn serve_connection<S: Service>(stream: TcpStream, service: Arc<S>, address: SocketAddr) {
    let respond = service_fn(move |request: Request<Incoming>| {
        let service = Arc::clone(&service);
        async move { Ok::<_, Infallible>(respond(service.as_ref(), request, address).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), respond)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a demo connection ended early");
    }
}

async fn respond<S: Service>(
    service: &S,
    request: Request<Incoming>,
    address: SocketAddr,
) -> Response<Body> {
    if !is_ours(&request, address) {
        return plain(StatusCode::MISDIRECTED_REQUEST);
    }
    let (head, body) = request.into_parts();
    let body = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY_BYTES).collect());
    match body.await {
        Err(_) => plain(StatusCode::REQUEST_TIMEOUT),
        Ok(Err(_)) => plain(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Ok(body)) => service.answer(&Request::from_parts(head, body.to_bytes())),
    }
}

fn is_ours<B>(request: &Request<B>, address: SocketAddr) -> bool {
    let host = request.headers().get(header::HOST).map(HeaderValue::as_bytes);
    host == Some(address.to_string().as_bytes())
        || host == Some(format!("localhost:{}", address.port()).as_bytes())
}

/// A response with a status and nothing else.
pub(super) fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = status;
    response
}

const MAX_CONNECTIONS: usize = 256;
const MAX_HEAD_BYTES: usize = 32 * 1024;
const MAX_BODY_BYTES: usize = 256 * 1024;
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    struct Counted;

    impl Service for Counted {
        fn answer(&self, request: &Request<Bytes>) -> Response<Body> {
            Response::new(Body::from(format!("{} bytes", request.body().len())))
        }
    }

    async fn ask(address: SocketAddr, host: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let length = body.len();
        let head = format!(
            "POST / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // A server that has refused already may not read on.
        let _unread = stream.write_all(body.as_bytes()).await;
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn only_its_own_names_and_bounded_bodies_are_served() {
        let background = Background::default();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = serve(listener, Arc::new(Counted), &background).unwrap();
        let ours = address.to_string();
        assert!(ask(address, &ours, "abc").await.ends_with("3 bytes"));
        let localhost = format!("localhost:{}", address.port());
        assert!(ask(address, &localhost, "").await.ends_with("0 bytes"));
        for host in ["evil.example", "127.0.0.1", "localhost"] {
            assert!(ask(address, host, "abc").await.starts_with("HTTP/1.1 421 "), "{host}");
        }
        let large = "a".repeat(MAX_BODY_BYTES + 1);
        assert!(ask(address, &ours, &large).await.starts_with("HTTP/1.1 413 "));
        background.stop().await;
        assert!(TcpStream::connect(address).await.is_err());
    }
}
