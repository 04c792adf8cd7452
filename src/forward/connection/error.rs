//! Why an exchange with an upstream failed, in words for the log.

use std::io;

use crate::{
    forward::request_body::BodyError,
    http1::{body::Malformed, encode::WrongLength, incoming::BrokenOff},
};

/// Why a request brought no response, or not all of one.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The body broke off while its request was still being sent.
    #[error(transparent)]
    BrokenOff(#[from] BrokenOff),
    /// The body's chunks are malformed.
    #[error("invalid response body: {0}")]
    Chunks(#[from] Malformed),
    /// The upstream closed before it answered.
    #[error("the connection was closed before a response")]
    Closed,
    /// The upstream closed within the body.
    #[error("the connection was closed within the response body")]
    CutBody,
    /// The upstream closed within the head.
    #[error("the connection was closed within the response head")]
    CutHead,
    /// The head says contradictory things of the body, or what nobody understands.
    #[error("invalid response head: {0}")]
    Framing(&'static str),
    /// The head is none of HTTP/1.
    #[error("invalid response head: {0}")]
    Head(httparse::Error),
    /// Interim responses without end.
    #[error("too many interim responses")]
    Interim,
    /// The connection failed.
    #[error("the connection failed")]
    Io(#[from] io::Error),
    /// The client's body stopped on its way.
    #[error(transparent)]
    RequestBody(#[from] BodyError),
    /// The head is too long, or has too many fields.
    #[error("the response head is too large")]
    TooLarge,
    /// The client's body is not what was announced of it.
    #[error(transparent)]
    WrongLength(#[from] WrongLength),
}
