//! Unguessable text: tokens, codes, client and session identifiers.

use aws_lc_rs::rand;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// 256 random bits as 43 base64url characters.
pub(super) fn random_text() -> Result<String, NoRandomness> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// The system's random number generator failed; nothing secret can be made.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("no randomness")]
pub(super) struct NoRandomness;
