//! `listen.limits`, and `rate_limit` of a route.

use std::time::Duration;

/// `listen.limits`.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Connections served at once; more are answered 503 and closed.
    pub max_connections: usize,
    /// Of these, from one source.
    pub max_connections_per_source: usize,
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
