//! A line to an upstream, over the gateway's own connections: one exchange after the other.
//!
//! 1. Path, `Host` and fields are those that forwarding uses; the request is ours.
//! 2. Bounded: [`PATIENCE`] for an exchange, and [`MAX_BYTES`] of its body. An event stream is read
//!    until somebody has seen enough of it.

pub(super) mod conversation;
pub(super) mod mcp;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header, uri::PathAndQuery,
};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use crate::{
    clock::Clock,
    config::settings::RouteSettings,
    forward::{
        Addresses,
        connection::UpstreamBody,
        pool::{Pool, SendError},
        request_body::RequestBody,
    },
    snapshot,
};

/// The other end, as the gateway would call it.
pub(super) struct Line {
    pool: Arc<Pool>,
    path: PathAndQuery,
    fields: HeaderMap,
    tasks: TaskTracker,
}

/// An answer that is still coming.
pub(super) struct Coming {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    rest: UpstreamBody,
}

/// What it answered, as far as it was read.
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Silence {
    #[error(transparent)]
    Send(#[from] SendError),
    #[error("no answer in time")]
    Timeout,
}

impl Line {
    /// `None` for an upstream that no gateway could be built for.
    pub(super) fn to(route: &RouteSettings, clock: &Arc<dyn Clock>) -> Option<Self> {
        let settings = &route.upstream;
        let Addresses { socket, authority } = Addresses::of(&settings.url)?;
        let tls = snapshot::tls(route).ok()?;
        let timeout = settings.connect_timeout.min(PATIENCE);
        let mut fields: HeaderMap = settings.headers.iter().cloned().collect();
        let host = match &settings.host {
            Some(host) => host.clone(),
            None => HeaderValue::from_str(&authority).ok()?,
        };
        fields.insert(header::HOST, host);
        Some(Self {
            pool: Arc::new(Pool::new(&socket, tls, timeout, Arc::clone(clock))),
            path: settings.url.path().parse().ok()?,
            fields,
            tasks: TaskTracker::new(),
        })
    }

    /// The same line with another `Host`.
    pub(super) fn called(&self, host: HeaderValue) -> Self {
        let mut fields = self.fields.clone();
        fields.insert(header::HOST, host);
        Self {
            pool: Arc::clone(&self.pool),
            path: self.path.clone(),
            fields,
            tasks: TaskTracker::new(),
        }
    }

    /// The `Host` it sends.
    pub(super) fn host(&self) -> &str {
        self.fields.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default()
    }

    /// The same line to another path of the same upstream.
    pub(super) fn to_path(&self, path: PathAndQuery) -> Self {
        let (pool, fields) = (Arc::clone(&self.pool), self.fields.clone());
        Self { pool, path, fields, tasks: TaskTracker::new() }
    }

    /// Sends one request; reads until the end, a bound, or until `is_enough` of an event stream.
    pub(super) async fn send(
        &self,
        method: Method,
        fields: &[(HeaderName, &str)],
        body: Option<String>,
        is_enough: impl Fn(&[u8]) -> bool,
    ) -> Result<Answered, Silence> {
        let deadline = Instant::now() + PATIENCE;
        let mut coming = self.open(method, fields, body, deadline).await?;
        // What came in time counts: an event stream need not end.
        let _ = timeout_at(deadline, coming.read_until(is_enough)).await;
        let Coming { status, headers, body, .. } = coming;
        Ok(Answered { status, headers, body })
    }

    /// Sends one request and waits for the head of its answer.
    pub(super) async fn open(
        &self,
        method: Method,
        fields: &[(HeaderName, &str)],
        body: Option<String>,
        deadline: Instant,
    ) -> Result<Coming, Silence> {
        let body = body.map_or(RequestBody::Empty, |text| RequestBody::Whole(Bytes::from(text)));
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = self.path.clone().into();
        *request.headers_mut() = self.fields.clone();
        for (name, value) in fields {
            if let Ok(value) = HeaderValue::from_str(value) {
                request.headers_mut().insert(name, value);
            }
        }
        let sent = timeout_at(deadline, self.pool.send(request, None, &self.tasks)).await;
        let response = match sent {
            Ok(Ok(answered)) => answered,
            Ok(Err(error)) => return Err(Silence::Send(error)),
            Err(_) => return Err(Silence::Timeout),
        };
        let (head, rest) = response.into_parts();
        let (status, headers) = (head.status, head.headers);
        Ok(Coming { status, headers, body: Vec::new(), rest })
    }
}

impl Coming {
    /// Reads on until the end, the bound, or until `is_enough`; says whether it was enough.
    pub(super) async fn read_until(&mut self, is_enough: impl Fn(&[u8]) -> bool) -> bool {
        while self.body.len() < MAX_BYTES {
            if is_enough(&self.body) {
                return true;
            }
            let Some(Ok(frame)) = self.rest.frame().await else { return false };
            let Ok(data) = frame.into_data() else { continue };
            let left = MAX_BYTES.saturating_sub(self.body.len());
            self.body.extend(data.iter().take(left));
        }
        is_enough(&self.body)
    }
}

/// For one exchange.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// Of one answer: a long list of tools with their schemas.
const MAX_BYTES: usize = 2 * 1024 * 1024;
