//! `gatehouse demo`.

pub mod authorization_server;
mod http_server;
pub mod mcp_server;
mod random;

pub use http_server::Background;
pub mod tour;
