//! Serving one connection.

use std::{future::Future, io, pin::pin, sync::Arc, time::Duration};

use http::Request;
use hyper::{rt::Executor, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus::IntGauge;
use socket2::{SockRef, TcpKeepalive};
use tokio::{net::TcpStream, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::debug;

use super::{
    Connection, Handshakes, Service,
    frames::FrameMeter,
    handshake::say_and_close,
    http1::{self, WireFault},
    preface::{self, Opening, Protocol, Replay},
    stall::StallGuard,
    streams::Streams,
    transport::Transport,
};
use crate::{
    admission::Inadmissible, forward::client_body::ClientBody, gateway::Arrival,
    http1::incoming::Incoming, rejection::Rejection,
};

impl Connection {
    /// Serves a connection to its end.
    pub(super) async fn run(mut self, stream: TcpStream) {
        let _open = OpenConnection::new(&self.service.metrics.connections);
        self.serve(stream).await;
    }

    async fn serve(&mut self, mut stream: TcpStream) {
        let deadline = Instant::now() + self.limits.header_timeout;
        let socket = SockRef::from(&stream);
        if stream.set_nodelay(true).and(socket.set_tcp_keepalive(&KEEPALIVE)).is_err() {
            return;
        }
        if self.is_passed_on {
            let drain = self.service.drain.clone();
            // Boxed, as the next: only few need its room.
            let is_introduced = tokio::select! {
                is_introduced = Box::pin(self.introduce(&mut stream, deadline)) => is_introduced,
                () = drain.cancelled() => return,
            };
            if !is_introduced {
                return;
            }
            match self.service.gateway.admit_connection(&self.peer, self.service.room) {
                Ok(slot) => self.slot = slot,
                Err(why) => {
                    let Some(_place) = self.service.place_to_turn_away() else {
                        return self.service.gateway.say_turned_away(None, &why);
                    };
                    return Box::pin(turn_away(stream, &self.service, why)).await;
                }
            }
        }
        if let Some(handshakes) = &self.service.tls {
            // Apart, so that a plain connection does not need its room.
            return Box::pin(self.serve_secured(handshakes, stream, deadline)).await;
        }
        let stream = StallGuard::new(stream, WRITE_STALL);
        let drain = &self.service.drain;
        let opening = tokio::select! {
            opening = preface::read_preface(stream, deadline) => opening,
            () = drain.cancelled() => return,
        };
        let Ok(opening) = opening else { return };
        match opening.protocol {
            Protocol::Http1 => self.serve_http1(opening, deadline, drain).await,
            Protocol::Http2 => self.serve_http2(opening, drain).await,
        }
    }

    async fn serve_secured(&self, handshakes: &Handshakes, stream: TcpStream, deadline: Instant) {
        let opening = tokio::select! {
            opening = self.secure(handshakes, stream, deadline) => opening,
            () = self.service.drain.cancelled() => return,
        };
        let Some((opening, farewell)) = opening else { return };
        match opening.protocol {
            Protocol::Http1 => self.serve_http1(opening, deadline, &farewell).await,
            Protocol::Http2 => self.serve_http2(opening, &farewell).await,
        }
    }

    async fn serve_http1<S: Transport>(
        &self,
        opening: Opening<S>,
        deadline: Instant,
        farewell: &CancellationToken,
    ) {
        let limits = &self.limits;
        let limits = http1::Limits {
            max_header_bytes: limits.max_header_bytes,
            header_timeout: limits.header_timeout,
            idle_timeout: limits.idle_timeout,
        };
        let connection = http1::Connection::new(opening, deadline, limits, &self.service.dates);
        let answer = |request: Request<Incoming>, fault: Option<WireFault>| {
            let arrival = Arrival { peer: self.peer.clone(), finding: fault.map(finding) };
            self.service.gateway.handle(request.map(ClientBody::Http1), arrival)
        };
        note_end(connection.serve(farewell, answer).await);
    }

    async fn serve_http2<S: Transport>(&self, opening: Opening<S>, farewell: &CancellationToken) {
        let limits = &self.limits;
        let streams = Streams::default();
        let service = service_fn({
            let (service, peer) = (Arc::clone(&self.service), self.peer.clone());
            let streams = streams.clone();
            move |request: Request<hyper::body::Incoming>| {
                let open = streams.open();
                let (service, peer) = (Arc::clone(&service), peer.clone());
                async move {
                    // Reset: the client was told long ago that nothing new is served here.
                    let open = open.ok_or(io::ErrorKind::ConnectionAborted)?;
                    let arrival = Arrival { peer, finding: None };
                    let response =
                        service.gateway.handle(request.map(ClientBody::Http2), arrival).await;
                    Ok::<_, io::Error>(response.map(|body| open.over(body)))
                }
            }
        });
        let executor = Tracked(self.service.tasks.clone());
        let max_header_bytes = u32::try_from(limits.max_header_bytes).unwrap_or(u32::MAX);
        let connection = http2::Builder::new(executor)
            .timer(TokioTimer::new())
            .max_concurrent_streams(100)
            .initial_stream_window_size(64 * 1024)
            .initial_connection_window_size(1024 * 1024)
            .max_frame_size(16 * 1024)
            .max_header_list_size(max_header_bytes)
            .header_table_size(4096)
            .max_send_buf_size(64 * 1024)
            .max_pending_accept_reset_streams(20)
            .max_local_error_reset_streams(64)
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(20))
            .serve_connection(TokioIo::new(FrameMeter::new(Replay::new(opening))), service);
        let mut connection = pin!(connection);
        let is_over = async {
            tokio::select! {
                () = streams.idle(limits.idle_timeout, limits.header_timeout) => {}
                () = farewell.cancelled() => {}
            }
        };
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            // Nothing to be graceful about: the client takes nothing.
            () = streams.stalled(WRITE_STALL) => return,
            () = is_over => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection => ended,
                    () = streams.stalled(WRITE_STALL) => return,
                    // A client that does not answer the farewell is not waited for.
                    () = streams.finished(limits.header_timeout) => return,
                }
            }
        };
        note_end(ended);
    }
}

/// Counts a connection for as long as it is served, however that ends.
struct OpenConnection(IntGauge);

impl OpenConnection {
    fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A client that leaves is no error of ours, and every client leaves.
fn note_end(ended: Result<(), impl std::fmt::Display>) {
    if let Err(error) = ended {
        debug!(error = %error, "a connection ended early");
    }
}

fn finding(fault: WireFault) -> Inadmissible {
    match fault {
        WireFault::BothLengths => Inadmissible::Framing("Content-Length and Transfer-Encoding"),
        WireFault::ChunkSyntax => Inadmissible::CHUNK_SYNTAX,
        WireFault::FieldSyntax => Inadmissible::Framing("header field syntax"),
        WireFault::HeadTimeout => Inadmissible::HeadTimeout,
        WireFault::HeadTooLarge => Inadmissible::HeadTooLarge,
        WireFault::HostCount => Inadmissible::Field("host"),
        WireFault::LengthSyntax => Inadmissible::Framing("Content-Length"),
        WireFault::LineEnding => Inadmissible::Framing("line ending"),
        WireFault::RequestLine => Inadmissible::Framing("request line"),
        WireFault::TargetTooLong => Inadmissible::TargetTooLong,
        WireFault::TooManyFields => Inadmissible::TooManyFields,
        WireFault::TransferCoding => Inadmissible::Framing("Transfer-Encoding"),
    }
}

/// Answers a connection that is one too many, and closes it.
pub(super) async fn turn_away(stream: TcpStream, service: &Service, why: Rejection) {
    let response = service.gateway.turn_away(why);
    let (parts, body) = response.into_parts();
    let mut text = format!("HTTP/1.1 {}\r\nconnection: close\r\n", parts.status);
    for (name, value) in &parts.headers {
        text.push_str(name.as_str());
        text.push_str(": ");
        text.push_str(value.to_str().unwrap_or_default());
        text.push_str("\r\n");
    }
    text.push_str("content-length: ");
    text.push_str(&body.len().to_string());
    text.push_str("\r\n\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(&body);
    say_and_close(stream, &bytes).await;
}

/// Runs the tasks of an HTTP/2 connection where the worker counts them.
#[derive(Clone)]
struct Tracked(TaskTracker);

impl<F> Executor<F> for Tracked
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        drop(self.0.spawn(task));
    }
}

/// Finds out about a client that went away without a word.
const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_mins(1)).with_interval(Duration::from_secs(20));
pub(super) const TURN_AWAY: Duration = Duration::from_secs(2);
pub(super) const WRITE_STALL: Duration = Duration::from_mins(1);
