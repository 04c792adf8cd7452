//! An upstream's response as it is passed on.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, Version, header};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use prometheus::IntGauge;

use super::{
    ForwardError, Upstream,
    connection::{ExchangeError, UpstreamBody},
    ending::Ending,
    endpoint::EndpointSealer,
    headers,
    list_filter::{
        FilterError, ListFilter, MAX_LIST_BYTES,
        events::EventFilter,
        response::{self, Reading},
    },
    response_body::ResponseBody,
    response_head,
};
use crate::{
    admission::mcp,
    authenticate::token_facts::Principal,
    limits::{buffer::Room, tally::Key},
};

/// How a response is to be passed on.
pub(super) struct Shape {
    /// Whether it answers a GET.
    pub(super) is_stream: bool,
    /// Whether it may never end by itself.
    pub(super) is_listening: bool,
    /// For whom.
    pub(super) principal: Principal,
    /// For whom what of it is read whole is held.
    pub(super) holder: Option<Key>,
    /// Its session as the client shall know it.
    pub(super) session: Option<HeaderValue>,
    /// Where open streams are counted.
    pub(super) gauge: IntGauge,
    /// What ends it from outside, should it be a stream.
    pub(super) until: Ending,
    /// What it must leave out.
    pub(super) filter: Option<ListFilter>,
}

impl Upstream {
    /// Turns what the upstream answered into what the client gets.
    pub(super) async fn response(
        &self,
        response: Response<UpstreamBody>,
        mut shape: Shape,
    ) -> Result<Response<ResponseBody>, ForwardError> {
        let (mut parts, body) = response.into_parts();
        let mut is_events = response_head::is_event_stream(&parts.headers);
        let is_filtered = shape.filter.is_some();
        let session = shape.session.take();
        let body = if let Some(filter) = shape.filter.take() {
            let reading = response::reading(parts.status, &parts.headers, !body.is_end_stream())?;
            is_events = reading == Reading::Events;
            match reading {
                Reading::Bodiless => {
                    let body = self.past_its_end(body).await;
                    ResponseBody::whole(body, Bytes::new())
                }
                Reading::Json => {
                    let room = self.room.of(shape.holder);
                    self.filtered(parts.status, body, &filter, &room).await?
                }
                Reading::Events => self.events(body, shape, Some(filter)),
            }
        } else if !is_events {
            let patience = self.settings.response_timeout;
            ResponseBody::plain(body, patience).await.map_err(broken)?
        } else if parts.headers.contains_key(header::CONTENT_ENCODING) {
            ResponseBody::encoded(body, shape.gauge)
        } else {
            self.events(body, shape, None)
        };
        parts.headers = headers::for_client(parts.headers);
        if is_filtered {
            response::restrict_caching(&mut parts.headers);
            if !is_events && body.size_hint().exact() == Some(0) {
                parts.headers.remove(header::CONTENT_TYPE);
            }
        }
        if let Some(session) = session {
            parts.headers.insert(mcp::SESSION_ID, session);
        }
        if is_events {
            parts.headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
        }
        parts.extensions.clear();
        // How the upstream speaks to us is not how we speak to the client.
        parts.version = Version::HTTP_11;
        Ok(Response::from_parts(parts, body))
    }

    fn events(&self, body: UpstreamBody, shape: Shape, filter: Option<ListFilter>) -> ResponseBody {
        let filter =
            filter.map(|filter| EventFilter::new(filter).within(&self.room.of(shape.holder)));
        if !shape.is_stream {
            let ending = shape.is_listening.then_some(shape.until);
            return ResponseBody::events(body, shape.gauge, ending).filtered(filter);
        }
        let endpoints = Arc::clone(&self.endpoints);
        let sealer = EndpointSealer { endpoints, principal: shape.principal };
        ResponseBody::stream(body, shape.gauge, sealer, shape.until).filtered(filter)
    }

    /// Passes over a short body that nobody is shown, so that its connection can be used again.
    async fn past_its_end(&self, mut body: UpstreamBody) -> UpstreamBody {
        if body.size_hint().upper().is_some_and(|bytes| bytes <= MAX_PASSED_BYTES) {
            let passing = async { while let Some(Ok(_)) = body.frame().await {} };
            // Whatever stops it: then the connection is not used again.
            let _ = tokio::time::timeout(self.settings.response_timeout, passing).await;
        }
        body
    }

    /// Reads JSON whole and leaves out what is hidden.
    async fn filtered(
        &self,
        status: StatusCode,
        mut body: UpstreamBody,
        filter: &ListFilter,
        room: &Room,
    ) -> Result<ResponseBody, ForwardError> {
        let too_long = |bytes: u64| usize::try_from(bytes).map_or(true, |b| b > MAX_LIST_BYTES);
        if too_long(body.size_hint().lower()) {
            return Err(FilterError::TooLong.into());
        }
        let declared = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
        let mut read = room.buffer(declared.unwrap_or(MAX_LIST_BYTES));
        loop {
            let next = tokio::time::timeout(self.settings.response_timeout, body.frame()).await;
            let Some(frame) = next.map_err(|_| ForwardError::Timeout)? else { break };
            let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
            if read.len() + data.len() > MAX_LIST_BYTES {
                return Err(FilterError::TooLong.into());
            }
            read.extend(&data).map_err(FilterError::from)?;
        }
        let filtered = match filter.json(read.as_ref()) {
            // An error says what it says by its status.
            Err(_) if response::may_lose_body(status) => Bytes::new(),
            filtered => match filtered? {
                Some(filtered) => {
                    drop(read);
                    room.hold(filtered).map_err(FilterError::from)?
                }
                None => read.freeze(),
            },
        };
        Ok(ResponseBody::whole(body, filtered))
    }
}

fn broken(error: ExchangeError) -> ForwardError {
    ForwardError::Send(error.into())
}

const MAX_PASSED_BYTES: u64 = 64 * 1024;
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
