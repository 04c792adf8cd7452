//! The operators' listener: liveness, readiness, metrics, and the status of everything.
//!
//! 1. It is apart from the public one, on loopback unless configured otherwise; bound to loopback it
//!    answers loopback's own names only, so that no page can reach it by DNS rebinding.
//! 2. Exact paths. What is read takes GET and HEAD; what changes something takes POST with the
//!    token of `admin.token_file`, and is not there without one (`tokens`).
//! 3. Ready means: every authorization server has been reached at least once, and the gateway is
//!    not draining.
//! 4. Connections are few, and those that ask nothing make way for those that do (`places`).

mod page;
mod places;
mod status;
mod tokens;

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::places::{Place, Places};
use crate::{
    admission::{self, Authority},
    clock::Clock,
    metrics::Metrics,
    snapshot::{InForce, Snapshot},
};

/// Serves `/livez`, `/readyz`, `/metrics` and `/status`.
#[derive(Clone, Debug)]
pub struct Admin {
    /// What is in force.
    pub in_force: Arc<InForce>,
    /// What is counted.
    pub metrics: Metrics,
    /// Cancelled when draining begins.
    pub drain: CancellationToken,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where clients are served.
    pub listen_address: SocketAddr,
    /// How many connections of clients the process has descriptors for.
    pub room: usize,
    /// When the process began to serve.
    pub started: Instant,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Which build this is.
    pub revision: &'static str,
}

impl Admin {
    /// Accepts connections for as long as its task lives.
    pub async fn run(self, listener: TcpListener, tasks: TaskTracker) {
        let places = Places::new(MAX_CONNECTIONS);
        let admin = Arc::new(self);
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let (admin, place) = (Arc::clone(&admin), places.take());
            drop(tasks.spawn(async move { admin.serve(stream, place).await }));
        }
    }

    async fn serve(&self, stream: TcpStream, place: Place) {
        let service = service_fn(|request: Request<Incoming>| {
            place.asked();
            let response = self.answer(&request);
            async move { Ok::<_, Infallible>(response) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_headers(100)
            // Idle connections would keep others from their places.
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), service);
        // A scraper that leaves early is no event; one that stays for ever has no place.
        tokio::select! {
            _ = tokio::time::timeout(CONNECTION_LIFETIME, connection) => {}
            () = place.displaced() => {}
        }
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if !self.serves_host(request) {
            return text(StatusCode::MISDIRECTED_REQUEST, "Host is not a loopback name\n");
        }
        let path = request.uri().path();
        if let ("/tokens/forget", Some(answer)) = (path, self.forget_tokens(request)) {
            return answer;
        }
        if !matches!(path, "/livez" | "/readyz" | "/metrics" | "/status" | "/status.json") {
            return text(StatusCode::NOT_FOUND, "not found\n");
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only\n");
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match path {
            "/livez" => text(StatusCode::OK, "ok\n"),
            "/readyz" => self.readiness(),
            "/metrics" => self.scrape(),
            _ => self.show_status(request),
        }
    }

    fn serves_host(&self, request: &Request<Incoming>) -> bool {
        let is_loopback = self.address.ip().to_canonical().is_loopback();
        let host = admission::only_value(request.headers(), &header::HOST).ok().flatten();
        let host = host.and_then(|host| Authority::parse(host.as_bytes()).ok());
        serves(is_loopback, request.uri().path(), host.as_ref())
    }

    fn readiness(&self) -> Response<Full<Bytes>> {
        let reasons = self.reasons(&self.in_force.load());
        if reasons.is_empty() {
            text(StatusCode::OK, "ready\n")
        } else {
            text(StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n")
        }
    }

    /// Why it is not ready.
    fn reasons(&self, snapshot: &Snapshot) -> Vec<String> {
        let draining = self.drain.is_cancelled().then(|| "draining".to_owned());
        let servers = snapshot.authorization_servers.iter().filter_map(|server| {
            let why = server.not_ready()?;
            let why = status::without_secrets(&why.to_string());
            Some(format!("authorization server {}: {why}", server.settings().name))
        });
        draining.into_iter().chain(servers).collect()
    }

    fn show_status(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let query = request.uri().query().unwrap_or_default();
        let mut fields = url::form_urlencoded::parse(query.as_bytes());
        let id = fields.find(|(name, _)| name == "request_id").map(|(_, id)| id);
        let id = id.as_deref().map(str::trim).filter(|id| !id.is_empty());
        let status = self.status(id);
        if request.uri().path() == "/status.json" || wants_json(request.headers()) {
            return page::json(&status);
        }
        page::html(&status)
    }

    /// How many connections of clients are served at once.
    fn max_connections(&self, snapshot: &Snapshot) -> usize {
        snapshot.settings.listen.limits.max_connections.min(self.room)
    }

    fn scrape(&self) -> Response<Full<Bytes>> {
        let snapshot = self.in_force.load();
        snapshot.authorization_servers.iter().for_each(|server| server.refresh_gauges());
        let limit = self.max_connections(&snapshot);
        self.metrics.connections_limit.set(limit.try_into().unwrap_or(i64::MAX));
        let mut response = text(StatusCode::OK, self.metrics.render());
        let version = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, version);
        response
    }
}

/// Whether it answers to this name: bound to loopback to loopback's own only; elsewhere the status
/// to addresses and `localhost`, and the rest to any, for probes and scrapers use names.
fn serves(is_loopback: bool, path: &str, host: Option<&Authority>) -> bool {
    if !is_loopback && !matches!(path, "/status" | "/status.json") {
        return true;
    }
    host.is_some_and(|authority| {
        let host = authority.host();
        let address: Option<std::net::Ipv4Addr> = host.parse().ok();
        // A page that has a name of its own point here comes by that name, never by an address.
        let is_address = address.is_some() || host.starts_with('[');
        matches!(host, "localhost" | "[::1]")
            || address.is_some_and(|ip| ip.is_loopback())
            || (!is_loopback && is_address)
    })
}

/// Whether JSON is asked for; browsers ask for HTML.
fn wants_json(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut types = values.flat_map(|value| value.split(',')).map(|each| {
        let essence = each.split(';').next().unwrap_or_default();
        essence.trim().to_ascii_lowercase()
    });
    types.find(|each| each == "text/html" || each == "application/json").as_deref()
        == Some("application/json")
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const CONNECTION_LIFETIME: Duration = Duration::from_secs(15);
const HEAD_TIMEOUT: Duration = Duration::from_secs(2);
const MAX_CONNECTIONS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_for_nobody_who_comes_by_a_foreign_name() {
        let serves = |is_loopback, path, host: &str| {
            serves(is_loopback, path, Authority::parse(host.as_bytes()).ok().as_ref())
        };
        for path in ["/livez", "/metrics", "/status", "/status.json"] {
            let is_status = path.starts_with("/status");
            for own in ["localhost:9464", "127.0.0.1", "127.9.9.9:1", "[::1]:9464"] {
                assert!(serves(true, path, own) && serves(false, path, own), "{path} {own}");
            }
            for address in ["10.0.0.7:9464", "[2001:db8::1]"] {
                assert!(!serves(true, path, address) && serves(false, path, address), "{path}");
            }
            for foreign in ["evil.example", "evil.example:9464", ""] {
                assert!(!serves(true, path, foreign), "{path} {foreign}");
                assert_eq!(serves(false, path, foreign), !is_status, "{path} {foreign}");
            }
        }
    }
}
