//! Attacks and faults, one file per group, each against the whole gateway from the outside.
//!
//! Every test names what it guards; where an advisory made somebody else learn it the hard way, its
//! number is in the name. Every refusal is judged by [`oracle::refused`]: the status, the
//! challenge or its absence, and an upstream that has not received a single byte.

mod back_pressure;
mod buffers;
mod configuration;
mod credentials;
mod descriptors;
mod faults;
mod forwarded;
mod framing;
#[expect(dead_code, reason = "the other binary of tests uses the rest")]
#[path = "../integration/harness.rs"]
mod harness;
mod headers;
mod http2;
mod http2_frames;
mod introspection;
mod introspection_cache;
mod introspection_questions;
mod jwt;
mod lifecycle;
mod lists;
mod messages;
mod metadata;
mod mirrors;
mod oracle;
mod origins;
mod panics;
mod passthrough;
mod pipelines;
mod proxy_protocol;
mod reload;
mod resources;
mod responses;
mod rotation;
mod secrecy;
mod session_keys;
mod sessions;
mod several_servers;
mod shares;
mod slow_peers;
mod streams;
mod targets;
mod tls;
mod tls_changes;
mod tls_peers;
mod upstream_framing;
