//! How the answer to a request comes by its place among the open streams of its route.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{OpenStreams, StreamSession, Tenure};
use crate::authenticate::VerifiedToken;

/// The place that an answer may need, should it be a stream.
#[derive(Debug, Default)]
pub enum Tenancy {
    /// It is there.
    Entered(Tenure),
    /// There, should the body on its way turn out to ask for a stream.
    Possible(Arc<OpenStreams>),
    /// None is needed, or no token opens a stream.
    #[default]
    None,
}

impl Tenancy {
    /// The place of an answer of which it is known now whether it may be a stream without end.
    pub fn settle(
        self,
        token: Option<&VerifiedToken>,
        is_listening: bool,
        drain: &CancellationToken,
    ) -> Option<Tenure> {
        match self {
            Self::Entered(tenure) => Some(tenure),
            Self::Possible(streams) if is_listening => {
                Some(streams.open(token?, StreamSession::Own, drain))
            }
            Self::Possible(_) | Self::None => None,
        }
    }
}
