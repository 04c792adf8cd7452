//! Introspection with our own credentials (RFC 7662), and what our client may ask.
//!
//! 1. A made-up token: `active: false` says that our credentials are taken.
//! 2. RFC 7662 section 2.2 lets a server answer the same of tokens that our client may not ask
//!    about: a token of our own shows it, where we can have one.

use aws_lc_rs::rand;
use http::StatusCode;
use serde_json::{Map, Value};
use url::Url;

use super::{
    Asked,
    finding::{Findings, listed, strings},
    metadata::Known,
    own_token,
};
use crate::{
    authenticate::{
        introspection::{self, Introspected, IntrospectionError, Rules},
        provider::{Cure, remedy},
    },
    config::settings::ClientAuthentication,
    oauth::BearerToken,
};

/// Asks about a made-up token, then about one of our own.
pub(super) async fn check(
    asked: &Asked<'_>,
    known: &Known,
    endpoint: &Url,
    findings: &mut Findings<'_>,
) {
    let Some(token) = made_up() else { return };
    let answer = ask(asked, endpoint, &token).await;
    let how = how(&asked.settings.client, &known.document);
    match answer {
        Ok(Introspected::Inactive) => {
            findings.ok("introspection", format!("our credentials are accepted ({how})"));
            own_token::check(asked, (known, endpoint), findings).await;
        }
        Ok(Introspected::Active(_)) => {
            let seen = "a made-up token was called active: this endpoint does not look at tokens";
            let write = "name an endpoint that is a real RFC 7662 one";
            findings.error("introspection", seen, "metadata.introspection_endpoint", write);
        }
        Err(IntrospectionError::ClientRefused(status)) => {
            refused(asked, (status, &how), known, findings);
        }
        // RFC 6749 section 5.2 allows 400 for a client that is not taken.
        Err(IntrospectionError::Status(StatusCode::BAD_REQUEST)) => {
            refused(asked, (StatusCode::BAD_REQUEST, &how), known, findings);
        }
        Err(IntrospectionError::Status(status)) => {
            let seen = format!("{endpoint} answered {}", status.as_u16());
            let write = "write the real introspection endpoint here, or mend the server";
            findings.error("introspection", seen, "metadata.introspection_endpoint", write);
        }
        Err(error) => {
            let seen = format!("{endpoint}: {error}");
            let write = "mend the server, or write another endpoint here";
            findings.error("introspection", seen, "metadata.introspection_endpoint", write);
        }
    }
}

pub(super) async fn ask(
    asked: &Asked<'_>,
    endpoint: &Url,
    token: &BearerToken,
) -> Result<Introspected, IntrospectionError> {
    let rules = Rules::new(asked.settings);
    introspection::introspect(asked.outbound, endpoint, asked.client, token, &rules).await
}

fn refused(
    asked: &Asked<'_>,
    (status, how): (StatusCode, &str),
    known: &Known,
    findings: &mut Findings<'_>,
) {
    let seen = format!("our credentials are refused ({}; {how})", status.as_u16());
    let methods = known.document.get(METHODS).and_then(Value::as_array);
    let used = asked.settings.client.method();
    let product = match known.provider {
        Some(provider) => format!("; {}", remedy(Some(provider), Cure::Introspection)),
        None => String::new(),
    };
    // RFC 7591 has no name for a bearer token; those who list it write the scheme's.
    let is_listed =
        |methods: &Vec<Value>| strings(methods).any(|each| each.eq_ignore_ascii_case(used));
    if methods.is_some_and(|methods| !is_listed(methods)) {
        let write = "use a method that the server lists";
        return findings.error("introspection", seen, "client.authentication", write);
    }
    let keys = keys(&asked.settings.client);
    let write = format!("compare {keys} with what the server has{product}");
    findings.error("introspection", seen, "client", write);
}

/// The keys that say who we are.
fn keys(client: &ClientAuthentication) -> &'static str {
    match client {
        ClientAuthentication::Bearer { .. } => {
            "the token in client.token_file and client.authentication"
        }
        ClientAuthentication::ClientSecretBasic { .. }
        | ClientAuthentication::ClientSecretJwt { .. }
        | ClientAuthentication::ClientSecretPost { .. } => {
            "client.id, client.secret and client.authentication"
        }
        ClientAuthentication::None { .. } => "client.id and client.authentication",
        ClientAuthentication::PrivateKeyJwt { .. } => {
            "client.id, the public half of client.private_key_file and client.authentication"
        }
        ClientAuthentication::TlsClientAuth { .. } => {
            "client.id, client.certificate_file and client.authentication"
        }
    }
}

/// The server's list of methods, and ours last.
fn how(client: &ClientAuthentication, document: &Map<String, Value>) -> String {
    let used = client.method();
    match document.get(METHODS).and_then(Value::as_array) {
        Some(methods) => format!("the server lists {}, we use {used}", listed(strings(methods))),
        None => format!("the server lists no methods, we use {used}"),
    }
}

/// A token that nobody issued.
fn made_up() -> Option<BearerToken> {
    let mut random = [0; 16];
    rand::fill(&mut random).ok()?;
    let text =
        random.iter().fold("gatehouse-check-".to_owned(), |text, b| format!("{text}{b:02x}"));
    BearerToken::parse(text.as_bytes()).ok()
}

const METHODS: &str = "introspection_endpoint_auth_methods_supported";
