//! The rows of tokens that are not acceptable: 401 `invalid_token`, all of them.
//!
//! What the client is told comes from a closed set of four texts (RFC 6750 section 3.1); which check
//! failed, beyond those, is for the log and the metrics.

use http::StatusCode;

use super::{Challenged, Row, challenge::ChallengeError};
use crate::authenticate::TokenFault;

pub(super) fn row(fault: TokenFault) -> Row {
    let (reason, description) = match fault {
        TokenFault::BadSignature => ("bad_signature", NOT_VALID),
        TokenFault::Bound => ("bound_token", BOUND),
        TokenFault::Expired => ("expired", EXPIRED),
        TokenFault::Inactive => ("inactive", NOT_VALID),
        TokenFault::Malformed => ("malformed_token", NOT_VALID),
        TokenFault::NotYetValid => ("not_yet_valid", NOT_VALID),
        TokenFault::OtherType => ("wrong_token_type", NOT_VALID),
        TokenFault::UnknownKey => ("unknown_key", NOT_VALID),
        TokenFault::UnsupportedAlgorithm => ("unsupported_algorithm", NOT_VALID),
        TokenFault::WrongAudience => ("wrong_audience", WRONG_AUDIENCE),
        TokenFault::WrongIssuer => ("wrong_issuer", NOT_VALID),
    };
    invalid(reason, description)
}

/// The authorization server refused the credentials of a service account.
pub(super) fn client_refused() -> Row {
    invalid("client_refused", NOT_VALID)
}

fn invalid(reason: &'static str, description: &'static str) -> Row {
    let error = Challenged::With(ChallengeError::InvalidToken(description));
    Row::unauthorized(StatusCode::UNAUTHORIZED, reason, error)
}

const BOUND: &str = "The access token is bound to a key that was not shown";
const EXPIRED: &str = "The access token expired";
const NOT_VALID: &str = "The access token is not valid";
const WRONG_AUDIENCE: &str = "The access token was not issued for this resource";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        authenticate::{InvalidToken, jwt::JwtFault, key_set::KeyId},
        oauth::SignatureAlgorithm,
    };

    #[test]
    fn i31_a_client_is_not_told_which_check_of_its_jwt_failed() {
        let kid = || Some(KeyId::new("key-1"));
        for (fault, reason) in [
            (JwtFault::BadSignature(kid()), "bad_signature"),
            (JwtFault::UnfitKey(SignatureAlgorithm::Es256), "bad_signature"),
            (JwtFault::UnknownKey(kid()), "unknown_key"),
            (JwtFault::Form("why"), "malformed_token"),
            (JwtFault::Header("why"), "malformed_token"),
            (JwtFault::NoExpiry, "malformed_token"),
            (JwtFault::Issuer(None), "wrong_issuer"),
            (JwtFault::Type(None), "wrong_token_type"),
        ] {
            let token = InvalidToken::from(&fault);
            assert_eq!(token.to_string(), fault.to_string(), "the log has the cause");
            let row = row(token.fault());
            assert_eq!((row.status.as_u16(), row.reason), (401, reason));
            let told = Challenged::With(ChallengeError::InvalidToken(NOT_VALID));
            assert_eq!(row.challenge, told);
        }
    }
}
