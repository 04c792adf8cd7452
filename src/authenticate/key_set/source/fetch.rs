//! The seam between the keeping of keys and the network.

use std::{fmt::Debug, future::Future, pin::Pin, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use url::Url;

use crate::authenticate::outbound::{Outbound, OutboundError};

/// Fetches a document.
pub(in crate::authenticate) trait Fetch: Debug + Send + Sync {
    /// Fetches it once.
    fn fetch<'f>(&'f self, url: &'f Url) -> Fetching<'f>;
}

/// A fetch under way.
pub(in crate::authenticate) type Fetching<'f> =
    Pin<Box<dyn Future<Output = Result<Fetched, OutboundError>> + Send + 'f>>;

/// A document as it came.
#[derive(Clone, Debug)]
pub(in crate::authenticate) struct Fetched {
    pub(in crate::authenticate) status: StatusCode,
    pub(in crate::authenticate) max_age: Option<Duration>,
    pub(in crate::authenticate) body: Bytes,
}

impl Fetch for Outbound {
    fn fetch<'f>(&'f self, url: &'f Url) -> Fetching<'f> {
        Box::pin(async move {
            let answer = self.fetch_key_set(url).await?;
            Ok(Fetched { status: answer.status, max_age: answer.max_age, body: answer.body })
        })
    }
}
