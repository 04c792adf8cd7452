//! What an open stream is found by: principal and session, as 16 bytes.
//!
//! Of both a part of a SHA-256 is taken. Whoever finds another session with the same 16 bytes keeps
//! a stream of their own open, no more: the principal is in every key.

use aws_lc_rs::digest::{Context, SHA256};

use super::StreamSession;
use crate::authenticate::token_facts::Principal;

/// A principal in a session of one route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 16]);

impl Key {
    /// `number` tells apart what nothing else belongs to.
    pub(super) fn new(principal: &Principal, session: StreamSession<'_>, number: u64) -> Self {
        let (kind, value): (u8, &[u8]) = match session {
            StreamSession::Endpoint(path) => (b'e', path.as_bytes()),
            StreamSession::Id(id) => (b's', id.as_bytes()),
            // Nearly every request asks for this one: a part of the principal's own digest.
            StreamSession::None => return Self::cut(principal.as_bytes()),
            StreamSession::Own => (b'o', &number.to_be_bytes()),
        };
        let mut context = Context::new(&SHA256);
        context.update(principal.as_bytes());
        context.update(&[kind]);
        context.update(value);
        Self::cut(context.finish().as_ref())
    }

    fn cut(digest: &[u8]) -> Self {
        Self(digest.first_chunk().copied().unwrap_or_default())
    }

    /// A number to spread keys by.
    pub(super) fn shard(&self) -> usize {
        let [first, ..] = self.0;
        usize::from(first)
    }
}
