//! `listen.limits`, and `rate_limit` of a route.

use std::time::Duration;

/// `listen.limits`.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Connections served at once; more are answered 503 and closed.
    pub max_connections: usize,
    /// Of these, from one source.
    pub max_connections_per_source: usize,
    /// Whether that is the usual share, for none was written.
    pub is_connection_share_usual: bool,
    /// Requests of one source that are being answered, open streams among them.
    pub max_requests_per_source: usize,
    /// Open streams of one source.
    pub max_streams_per_source: usize,
    /// Requests of one principal that are being answered, open streams among them.
    pub max_requests_per_principal: usize,
    /// Open streams of one principal.
    pub max_streams_per_principal: usize,
    /// Questions of one source that authorization servers have yet to answer.
    pub max_questions_per_source: usize,
    /// Bytes of a whole request head.
    pub max_header_bytes: usize,
    /// Bytes of a request body.
    pub max_body_bytes: usize,
    /// Bytes of bodies in memory, in the whole process.
    pub max_buffered_bytes: usize,
    /// From accept, or the first byte of a later request, to the end of the head.
    pub header_timeout: Duration,
    /// For a whole request body to arrive.
    pub body_timeout: Duration,
    /// Of a kept-alive connection between requests.
    pub idle_timeout: Duration,
}

impl Limits {
    /// Connections of one source where there is room for so many in all; what is written holds
    /// whatever room there is.
    pub fn connections_of_source(&self, room: usize) -> usize {
        let max = self.max_connections_per_source;
        if self.is_connection_share_usual { max.min(usual_share(room)) } else { max }
    }
}

/// The share of one source of so many connections: one peer alone cannot keep all others out, and a
/// few clients behind one address are no flood.
pub fn usual_share(connections: usize) -> usize {
    (connections / 4).max(LEAST_SHARE)
}

const LEAST_SHARE: usize = 100;

/// `rate_limit` of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests in each `per`; at least one.
    pub requests: u32,
    /// The time they are for; not zero.
    pub per: Duration,
    /// How many may come at once; at least one.
    pub burst: u32,
    /// Who is limited.
    pub by: RateLimitBy,
}

/// `rate_limit.by`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimitBy {
    /// Where requests come from.
    Address,
    /// The client that the token was issued to.
    ClientId,
    /// The token's subject.
    Subject,
}
