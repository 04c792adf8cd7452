//! Introspection with our own credentials (RFC 7662), and what our client may ask.
//!
//! 1. A made-up token: `active: false` says that our credentials are taken.
//! 2. RFC 7662 section 2.2 lets a server answer the same of tokens that our client may not ask
//!    about. Where our client can have a token of its own (RFC 6749 section 4.4), it is introspected
//!    and forgotten; its `aud` shows what becomes of `resource` (RFC 8707).

use aws_lc_rs::rand;
use http::StatusCode;
use serde_json::{Map, Value};
use url::{Url, form_urlencoded::Serializer};

use super::{
    Asked,
    finding::{Findings, listed, quoted, strings},
    metadata::Known,
};
use crate::{
    authenticate::{
        introspection::{self, Introspected, IntrospectionError, Rules},
        provider::{Cure, Provider, remedy},
        token_facts::TokenFacts,
        token_request,
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
            own_token(asked, (known, endpoint), findings).await;
        }
        Ok(Introspected::Active(_)) => {
            let seen = "a made-up token was called active: this endpoint does not look at tokens";
            let write = "name an endpoint that is a real RFC 7662 one";
            findings.error("introspection", seen, "metadata.introspection_endpoint", write);
        }
        Err(IntrospectionError::ClientRefused(status)) => refused(status, &how, known, findings),
        // RFC 6749 section 5.2 allows 400 for a client that is not taken.
        Err(IntrospectionError::Status(StatusCode::BAD_REQUEST)) => {
            refused(StatusCode::BAD_REQUEST, &how, known, findings);
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

async fn ask(
    asked: &Asked<'_>,
    endpoint: &Url,
    token: &BearerToken,
) -> Result<Introspected, IntrospectionError> {
    let rules = Rules::new(asked.settings);
    introspection::introspect(asked.outbound, endpoint, asked.client, token, &rules).await
}

fn refused(status: StatusCode, how: &str, known: &Known, findings: &mut Findings<'_>) {
    let seen = format!("our credentials are refused ({}; {how})", status.as_u16());
    let methods = known.document.get(METHODS).and_then(Value::as_array);
    let used = how.split(' ').next_back().unwrap_or_default();
    let product = match known.provider {
        Some(provider) => format!("; {}", remedy(Some(provider), Cure::Introspection)),
        None => String::new(),
    };
    let is_unlisted = methods.is_some_and(|methods| !methods.iter().any(|each| each == used));
    if is_unlisted {
        let write = "use a method that the server lists";
        return findings.error("introspection", seen, "client.authentication", write);
    }
    let write = format!(
        "compare client.id, client.secret and client.authentication with what the server has{product}"
    );
    findings.error("introspection", seen, "client", write);
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

/// May our client introspect at all, and what becomes of `resource`?
async fn own_token(
    asked: &Asked<'_>,
    (known, endpoint): (&Known, &Url),
    findings: &mut Findings<'_>,
) {
    let resource = asked.routes.first().map(|route| route.resource.as_str());
    let token = match request(asked, known, resource).await {
        Ok(token) => token,
        Err(why) => {
            let seen = format!(
                "cannot be told without a token ({why}): `gatehouse explain --token` asks about one"
            );
            findings.ok("permission", seen);
            return resource_indicators(known.provider, findings);
        }
    };
    match ask(asked, endpoint, &token).await {
        Ok(Introspected::Active(facts)) => {
            findings.ok("permission", "a token of our own client is active when we introspect it");
            audience(asked, &facts, known.provider, findings);
        }
        Ok(Introspected::Inactive) => {
            let seen = "a token just issued to our own client is called inactive: the server does \
                        not let this client introspect, so every token will look inactive";
            findings.error(
                "permission",
                seen,
                "client",
                remedy(known.provider, Cure::Introspection),
            );
        }
        Err(error) => {
            let seen = format!("a token of our own client could not be introspected: {error}");
            findings.error("permission", seen, "client", "see the server's own log");
        }
    }
}

/// Compares the audience of our own token with what the first route accepts.
fn audience(
    asked: &Asked<'_>,
    facts: &TokenFacts,
    provider: Option<Provider>,
    findings: &mut Findings<'_>,
) {
    let Some(route) = asked.routes.first() else { return };
    let is_accepted = |aud: &str| route.audiences.iter().any(|each| **each == *aud);
    if facts.audience.iter().any(|aud| is_accepted(aud)) {
        return findings.ok("resource", "a token asked for with `resource` has it in aud");
    }
    let seen = format!(
        "a token that our client asked for with resource={} has aud {}: those of MCP clients may \
         lack it too",
        quoted(route.resource.as_str()),
        listed(&facts.audience)
    );
    findings.warning("resource", seen, "issuer", remedy(provider, Cure::Audience));
}

/// No metadata field tells it; some products are known.
fn resource_indicators(provider: Option<Provider>, findings: &mut Findings<'_>) {
    let Some(provider) = provider else {
        let seen = "whether `resource` (RFC 8707) comes into aud, no metadata tells";
        return findings.ok("resource", seen);
    };
    if provider.honours_resource() {
        return findings.ok("resource", format!("{} puts `resource` into aud", provider.name()));
    }
    let seen = format!("{} does not put `resource` into aud by itself", provider.name());
    findings.warning("resource", seen, "issuer", remedy(Some(provider), Cure::Audience));
}

/// Asks for a token of our own client (RFC 6749 section 4.4), or says why there is none.
async fn request(
    asked: &Asked<'_>,
    known: &Known,
    resource: Option<&str>,
) -> Result<BearerToken, String> {
    let authentication = &asked.settings.client;
    if let ClientAuthentication::None { .. } | ClientAuthentication::Bearer { .. } = authentication
    {
        return Err("our client has no credentials for the token endpoint".to_owned());
    }
    let url = known.discovered.token_endpoint.as_ref();
    let url = url.ok_or("the metadata has no usable token_endpoint")?;
    // A server that does not know `resource` may refuse it (RFC 8707 section 2).
    let mut why = String::new();
    for resource in [resource, None] {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        if let Some(resource) = resource {
            form.append_pair("resource", resource);
        }
        let authorization = asked.client.apply(url, &mut form);
        let authorization = authorization.map_err(|error| error.to_string())?;
        let answer = asked.outbound.post_form(url, form.finish(), authorization).await;
        let granted = answer.map_err(Into::into).and_then(|answer| token_request::read(&answer));
        match granted {
            Ok(granted) => return Ok(granted.access_token),
            Err(error) => why = error.to_string(),
        }
    }
    Err(why)
}

const METHODS: &str = "introspection_endpoint_auth_methods_supported";
