//! The network edge: what happens between an accepted socket and a request.

pub mod wire;
