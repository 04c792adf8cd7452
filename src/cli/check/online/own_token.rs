//! A token of our own client (RFC 6749 section 4.4), where it can have one.
//!
//! 1. RFC 7662 section 2.2 lets a server call tokens inactive that our client may not ask about. Our
//!    own is introspected and forgotten.
//! 2. Its `aud` shows what becomes of `resource` (RFC 8707). It is compared as the gateway compares
//!    it, for each route.
//! 3. Where there is no such token, no metadata tells; some products are known.

use url::{Url, form_urlencoded::Serializer};

use super::{
    Asked,
    finding::{Findings, listed, quoted},
    introspection::ask,
    metadata::Known,
};
use crate::{
    authenticate::{
        has_audience,
        introspection::Introspected,
        provider::{Cure, Provider, remedy},
        token_facts::TokenFacts,
        token_request,
    },
    config::settings::{AudienceMatch, ClientAuthentication, ProtectedSettings},
    oauth::BearerToken,
};

/// May our client introspect at all, and what becomes of `resource`?
pub(super) async fn check(
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
            return resource_indicators(asked, known.provider, findings);
        }
    };
    match ask(asked, endpoint, &token).await {
        Ok(Introspected::Active(facts)) => {
            findings.ok("permission", "a token of our own client is active when we introspect it");
            audiences(asked, (known, endpoint), &facts, findings).await;
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

/// Compares the audience of our own tokens with what the routes accept.
async fn audiences(
    asked: &Asked<'_>,
    (known, endpoint): (&Known, &Url),
    first: &TokenFacts,
    findings: &mut Findings<'_>,
) {
    let accepts = |route: &ProtectedSettings, facts: &TokenFacts| {
        has_audience(facts, route.audience_match, &route.audiences)
    };
    for (index, route) in asked.routes.iter().enumerate().take(MAX_ROUTES) {
        if accepts(route, first) {
            continue;
        }
        // The first was asked for with the resource of the first route.
        let other = match index {
            0 => None,
            _ => facts_for(asked, (known, endpoint), route).await,
        };
        let facts = other.as_ref().unwrap_or(first);
        if !accepts(route, facts) {
            let seen = format!(
                "a token that our client asked for with resource={} has aud {}: those of MCP \
                 clients may lack it too",
                quoted(route.resource.as_str()),
                listed(&facts.audience)
            );
            let write = remedy(known.provider, Cure::Audience);
            return findings.warning("resource", seen, "issuer", write);
        }
    }
    if asked.routes.iter().all(|route| route.audience_match == AudienceMatch::Off) {
        return findings.ok("resource", "no route compares aud");
    }
    findings.ok("resource", "the routes take the aud of a token asked for with `resource`");
}

/// What is known of a token asked for with another route's resource.
async fn facts_for(
    asked: &Asked<'_>,
    (known, endpoint): (&Known, &Url),
    route: &ProtectedSettings,
) -> Option<TokenFacts> {
    let token = request(asked, known, Some(route.resource.as_str())).await.ok()?;
    match ask(asked, endpoint, &token).await {
        Ok(Introspected::Active(facts)) => Some(*facts),
        Ok(Introspected::Inactive) | Err(_) => None,
    }
}

/// What is known of the product, for no metadata field tells it.
pub(super) fn resource_indicators(
    asked: &Asked<'_>,
    provider: Option<Provider>,
    findings: &mut Findings<'_>,
) {
    let Some(provider) = provider else {
        let seen = "whether `resource` (RFC 8707) comes into aud, no metadata tells";
        return findings.ok("resource", seen);
    };
    let name = provider.name();
    if provider.honours_resource() {
        return findings.ok("resource", format!("{name} puts `resource` into aud"));
    }
    let seen = format!("{name} does not put `resource` into aud by itself");
    if asked.routes.iter().any(|route| rests_on_resource(route)) {
        return findings.warning(
            "resource",
            seen,
            "issuer",
            remedy(Some(provider), Cure::Audience),
        );
    }
    findings.ok("resource", format!("{seen}, and no route rests on that"));
}

/// Whether a route takes the resource alone for an audience.
fn rests_on_resource(route: &ProtectedSettings) -> bool {
    let is_compared = match route.audience_match {
        AudienceMatch::Exact | AudienceMatch::Prefix => true,
        AudienceMatch::ClientId | AudienceMatch::Off => false,
    };
    let resource = route.resource.as_str().trim_end_matches('/');
    is_compared && route.audiences.iter().all(|aud| aud.trim_end_matches('/') == resource)
}

/// Asks for a token of our own client, or says why there is none.
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

/// Whoever has more routes on one server need not wait for a token for each.
const MAX_ROUTES: usize = 20;
