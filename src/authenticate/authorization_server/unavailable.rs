//! Why nobody can say what a token is worth: the third answer, which is neither yes nor no.

use std::sync::Arc;

use crate::{
    authenticate::{
        discovery::DiscoveryError, introspection::IntrospectionError, key_set::KeySetError,
        token_request::TokenRequestError, userinfo::UserinfoError,
    },
    limits::Busy,
};

/// Why nobody can say what a token is worth.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unavailable {
    /// Its source has too many questions under way.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// Its metadata has not been found.
    #[error("its metadata has not been found yet: {0}")]
    Discovery(Arc<DiscoveryError>),
    /// Asking failed.
    #[error(transparent)]
    Introspection(Arc<IntrospectionError>),
    /// The keys that verify its tokens are not known.
    #[error(transparent)]
    KeySet(Arc<KeySetError>),
    /// Asking came to nothing on our side.
    #[error("the question was abandoned")]
    Lost,
    /// It has no token endpoint that we could use.
    #[error(
        "its metadata has no token_endpoint that is https (or http on loopback), which service \
         accounts need: set metadata.token_endpoint of this authorization server"
    )]
    NoTokenEndpoint,
    /// Its metadata has not been asked for.
    #[error("its metadata has not been read yet")]
    NotYet,
    /// Too many questions are under way.
    #[error("too many requests to it are under way")]
    TooMany,
    /// Asking for a token failed.
    #[error(transparent)]
    TokenRequest(Arc<TokenRequestError>),
    /// Asking its userinfo endpoint failed.
    #[error(transparent)]
    Userinfo(Arc<UserinfoError>),
}

impl Unavailable {
    /// Whether the server is well, and only this token's key has yet to be looked for.
    pub fn is_one_key_of_many(&self) -> bool {
        matches!(self, Self::KeySet(error) if matches!(**error, KeySetError::Cooldown))
    }

    /// Whether nobody has failed yet, so that waiting helps.
    pub fn is_to_come(&self) -> bool {
        match self {
            Self::NotYet => true,
            Self::KeySet(error) => matches!(**error, KeySetError::NotYet),
            Self::Busy(_)
            | Self::Discovery(_)
            | Self::Introspection(_)
            | Self::Lost
            | Self::NoTokenEndpoint
            | Self::TokenRequest(_)
            | Self::TooMany
            | Self::Userinfo(_) => false,
        }
    }
}
