//! Gatehouse: an authenticating reverse proxy in front of unmodified MCP servers.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice
    )
)]

pub mod admin;
pub mod admission;
pub mod app;
pub mod authenticate;
pub mod authorize;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod forward;
pub mod gateway;
pub mod jsonrpc;
pub mod listener;
pub mod logging;
pub mod metrics;
pub mod oauth;
pub mod rejection;
pub mod resource;
pub mod router;
pub mod snapshot;
