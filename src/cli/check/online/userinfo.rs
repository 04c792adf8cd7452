//! The userinfo endpoint (OpenID Connect Core 1.0 section 5.3), shown a made-up token.

use http::{HeaderValue, StatusCode};
use url::Url;

use super::{Asked, finding::Findings};

/// Only 401 is the right answer to a token that nobody issued.
pub(super) async fn check(asked: &Asked<'_>, endpoint: &Url, findings: &mut Findings<'_>) {
    let key = "metadata.userinfo_endpoint";
    let token = HeaderValue::from_static("Bearer gatehouse-check");
    match asked.outbound.fetch_with(endpoint, token).await {
        Ok(answer) if answer.status == StatusCode::UNAUTHORIZED => {
            findings.ok("userinfo", format!("{endpoint} refuses a made-up token with 401"));
        }
        Ok(answer) => {
            let seen = format!(
                "{endpoint} answered {} to a made-up token: only 401 says that a token is not active",
                answer.status.as_u16()
            );
            findings.error("userinfo", seen, key, "write the real userinfo endpoint here");
        }
        Err(error) => {
            let write = "mend the server, or write another endpoint here";
            findings.error("userinfo", format!("{endpoint}: {error}"), key, write);
        }
    }
}
