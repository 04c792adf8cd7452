//! One exchange with an upstream, over the gateway's own connections.
//!
//! 1. Path, `Host` and fields are those that forwarding uses; the request is ours.
//! 2. Bounded: [`PATIENCE`] for all of it, and [`MAX_BYTES`] of the body. An event stream is read
//!    until somebody has seen enough of it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header,
    uri::PathAndQuery,
};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio_util::task::TaskTracker;

use crate::{
    clock::Clock,
    config::settings::RouteSettings,
    forward::{
        Addresses,
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

/// What it answered, as far as it was read.
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Why there is no answer.
pub(super) enum Silence {
    Send(SendError),
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

    /// Sends one request; reads until the end, a bound, or until `is_enough` of an event stream.
    pub(super) async fn send(
        &self,
        method: Method,
        fields: &[(HeaderName, &str)],
        body: Option<String>,
        is_enough: impl Fn(&[u8]) -> bool,
    ) -> Result<Answered, Silence> {
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
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let sent = tokio::time::timeout_at(deadline, self.pool.send(request, &self.tasks)).await;
        let (response, lease) = match sent {
            Ok(Ok(answered)) => answered,
            Ok(Err(error)) => return Err(Silence::Send(error)),
            Err(_) => return Err(Silence::Timeout),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let mut read = Vec::new();
        let reading = take(response, &mut read, is_enough);
        // What came in time counts: an event stream need not end.
        let _ = tokio::time::timeout_at(deadline, reading).await;
        drop(lease);
        Ok(Answered { status, headers, body: read })
    }
}

async fn take(response: Response<Incoming>, read: &mut Vec<u8>, is_enough: impl Fn(&[u8]) -> bool) {
    let mut body = response.into_body();
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(data) = frame.into_data() else { continue };
        let left = MAX_BYTES.saturating_sub(read.len());
        read.extend(data.iter().take(left));
        if read.len() >= MAX_BYTES || is_enough(read) {
            return;
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
const MAX_BYTES: usize = 256 * 1024;
