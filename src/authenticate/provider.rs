//! Which product an authorization server is, and what its own words for a cure are.
//!
//! 1. It is told from the issuer, or from the endpoints of the server's metadata; never from a
//!    token, and no decision rests on it.
//! 2. Its words go to operators: the log's `detail`, `explain`, `check --online`.
//! 3. A server that is not recognised gets the words of the RFCs.

use serde_json::{Map, Value};

/// A product that is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Auth0.
    Auth0,
    /// Casdoor.
    Casdoor,
    /// Microsoft Entra ID.
    EntraId,
    /// Keycloak.
    Keycloak,
    /// Okta.
    Okta,
}

/// What may have to be mended at an authorization server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cure {
    /// `aud` of its tokens names the resource.
    Audience,
    /// Our client may introspect these tokens.
    Introspection,
    /// Its issuer is what the configuration says.
    Issuer,
    /// Its metadata says that it does PKCE.
    Pkce,
    /// MCP clients can become its clients.
    Registration,
    /// Its tokens carry the scopes that the client asked for.
    Scope,
}

impl Provider {
    /// Tells by the issuer and, where it is known, by the metadata document.
    pub fn recognise(issuer: &str, document: Option<&Map<String, Value>>) -> Option<Self> {
        let endpoints = ["authorization_endpoint", "introspection_endpoint", "token_endpoint"];
        let urls = endpoints.iter().filter_map(|name| document?.get(*name)?.as_str());
        std::iter::once(issuer).chain(urls).find_map(Self::by_url)
    }

    fn by_url(url: &str) -> Option<Self> {
        let (_, rest) = url.split_once("://")?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host = authority.split(':').next().unwrap_or_default();
        let is_below = |domain: &str| {
            host.strip_suffix(domain).is_some_and(|name| name.is_empty() || name.ends_with('.'))
        };
        if is_below("login.microsoftonline.com") || is_below("sts.windows.net") {
            Some(Self::EntraId)
        } else if is_below("auth0.com") {
            Some(Self::Auth0)
        } else if is_below("okta.com") || is_below("oktapreview.com") {
            Some(Self::Okta)
        } else if path.contains("/api/login/oauth/") {
            Some(Self::Casdoor)
        } else if path.contains("/realms/") {
            Some(Self::Keycloak)
        } else if path.contains("/oauth2/") && (path.contains("/v1/")) {
            Some(Self::Okta)
        } else {
            None
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auth0 => "Auth0",
            Self::Casdoor => "Casdoor",
            Self::EntraId => "Microsoft Entra ID",
            Self::Keycloak => "Keycloak",
            Self::Okta => "Okta",
        }
    }

    /// Whether it puts the `resource` that a client sends into `aud` (RFC 8707), as far as known.
    pub fn honours_resource(self) -> bool {
        match self {
            Self::Casdoor => true,
            Self::Auth0 | Self::EntraId | Self::Keycloak | Self::Okta => false,
        }
    }

    /// Whether it does PKCE with S256, and its metadata does not say so.
    pub fn does_pkce_unsaid(self) -> bool {
        match self {
            Self::EntraId => true,
            Self::Auth0 | Self::Casdoor | Self::Keycloak | Self::Okta => false,
        }
    }

    /// Whether `scopes_supported` of its metadata has the scopes of APIs, as far as known.
    pub fn lists_scopes_of_apis(self) -> bool {
        match self {
            Self::Keycloak | Self::Okta => true,
            Self::Auth0 | Self::Casdoor | Self::EntraId => false,
        }
    }
}

/// How to mend something, in the provider's words where there is one.
pub fn remedy(provider: Option<Provider>, cure: Cure) -> &'static str {
    let Some(provider) = provider else { return general(cure) };
    match cure {
        Cure::Audience => audience(provider),
        Cure::Introspection => introspection(provider),
        Cure::Issuer => issuer(provider),
        Cure::Pkce => pkce(provider),
        Cure::Registration => registration(provider),
        Cure::Scope => scope(provider),
    }
}

fn general(cure: Cure) -> &'static str {
    match cure {
        Cure::Audience => "add an audience mapper",
        Cure::Introspection => {
            "let our client introspect these tokens, in its permissions at the authorization server"
        }
        Cure::Issuer => "copy `issuer` from the authorization server's own metadata",
        Cure::Pkce => "switch PKCE with S256 on at the authorization server",
        Cure::Registration => {
            "register each MCP client by hand, or switch dynamic registration (RFC 7591) or client \
             ID metadata documents on"
        }
        Cure::Scope => {
            "the authorization server must grant them, and claims.scope name the claim they are in"
        }
    }
}

fn audience(provider: Provider) -> &'static str {
    match provider {
        Provider::Auth0 => {
            "Auth0: create an API whose identifier is the resource and let clients ask for it \
             (`audience`, or the tenant's Resource Parameter Compatibility Profile); without one \
             the token is for /userinfo alone"
        }
        Provider::Casdoor => {
            "Casdoor: aud is the `resource` that the client sent, and without one the \
             application's client ID: list that under audiences"
        }
        Provider::EntraId => {
            "Entra ID: expose an API and list its Application ID URI (v1.0 tokens) or the \
             application's client ID (v2.0 tokens) under audiences"
        }
        Provider::Keycloak => {
            "Keycloak: add an Audience mapper (Included Custom Audience) to a client scope that \
             the client asks for"
        }
        Provider::Okta => {
            "Okta: set the resource as Audience of a custom authorization server (Security > API); \
             tokens of the org authorization server are for Okta alone"
        }
    }
}

fn introspection(provider: Provider) -> &'static str {
    match provider {
        Provider::Auth0 => {
            "Auth0 has no introspection: leave `client` out, and have JWTs issued by asking for \
             an API"
        }
        Provider::Casdoor => {
            "Casdoor introspects the tokens of the asking application alone: `client` must be the \
             application that the MCP clients use"
        }
        Provider::EntraId => "Entra ID has no introspection: leave `client` out to verify JWTs",
        Provider::Keycloak => {
            "Keycloak: the client needs Client authentication on, and since 26.6.2 the token's aud \
             must name it: add an Audience mapper with Included Client Audience"
        }
        Provider::Okta => {
            "Okta: the client must be confidential and of the same authorization server as the \
             token"
        }
    }
}

fn issuer(provider: Provider) -> &'static str {
    match provider {
        Provider::Auth0 => "Auth0: the issuer ends with a slash (https://TENANT.auth0.com/)",
        Provider::Casdoor => "Casdoor: the issuer is `origin` of its app.conf, without a slash",
        Provider::EntraId => {
            "Entra ID: v2.0 tokens have https://login.microsoftonline.com/TENANT-ID/v2.0, v1.0 \
             tokens https://sts.windows.net/TENANT-ID/ (set requestedAccessTokenVersion to 2 in the \
             API's manifest)"
        }
        Provider::Keycloak => {
            "Keycloak: the issuer is the address that the token was asked for at; set `hostname` \
             so that it is one for all, https://HOST/realms/REALM without a slash"
        }
        Provider::Okta => {
            "Okta: each authorization server has an issuer of its own, such as \
             https://ORG.okta.com/oauth2/default; the org's own tokens cannot be verified"
        }
    }
}

fn pkce(provider: Provider) -> &'static str {
    match provider {
        Provider::EntraId => {
            "Entra ID does PKCE and does not say so: with legacy_metadata and \
             metadata.code_challenge_methods_supported the gateway says it to clients that ask here"
        }
        Provider::Keycloak => {
            "Keycloak: set Proof Key for Code Exchange Code Challenge Method S256"
        }
        Provider::Auth0 | Provider::Casdoor | Provider::Okta => {
            "the product does PKCE: use a version, or a metadata URL, that says so"
        }
    }
}

fn registration(provider: Provider) -> &'static str {
    match provider {
        Provider::Auth0 => {
            "Auth0: enable Dynamic Client Registration in the tenant's advanced settings, or \
             register each MCP client as an application"
        }
        Provider::Casdoor => "Casdoor: enable dynamic registration, or add an application for each",
        Provider::EntraId => "Entra ID: register each MCP client under App registrations",
        Provider::Keycloak => {
            "Keycloak: allow anonymous registration under Client registration, or create a client \
             for each"
        }
        Provider::Okta => "Okta: create an app integration for each MCP client",
    }
}

fn scope(provider: Provider) -> &'static str {
    match provider {
        Provider::Auth0 => {
            "Auth0: define the permission on the API; with RBAC on, `Add Permissions in the Access \
             Token` and the user's roles decide (claim `permissions`)"
        }
        Provider::Casdoor => "Casdoor: the application's Scopes must list it",
        Provider::EntraId => {
            "Entra ID: expose an API scope and have clients ask for api://APP-ID/SCOPE; delegated \
             tokens carry it in `scp`, application tokens in `roles`"
        }
        Provider::Keycloak => {
            "Keycloak: create a client scope of that name, with Include in token scope on, and give \
             it to the client"
        }
        Provider::Okta => {
            "Okta: add the scope to the custom authorization server and to an access policy rule; \
             it stands in `scp`"
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn provider_is_told_by_issuer_or_endpoints() {
        let told = |issuer| Provider::recognise(issuer, None);
        for (issuer, provider) in [
            ("https://sso.example/realms/main", Some(Provider::Keycloak)),
            ("https://login.microsoftonline.com/x/v2.0", Some(Provider::EntraId)),
            ("https://sts.windows.net/x/", Some(Provider::EntraId)),
            ("https://tenant.eu.auth0.com/", Some(Provider::Auth0)),
            ("https://org.okta.com/oauth2/default", Some(Provider::Okta)),
            ("https://auth.example", None),
            ("https://notauth0.com/", None),
            ("https://auth0.com.example/", None),
        ] {
            assert_eq!(told(issuer), provider, "{issuer}");
        }
        let document = |field: &str, url: &str| json!({ field: url }).as_object().cloned();
        let casdoor =
            document("token_endpoint", "https://door.example/api/login/oauth/access_token");
        let told = Provider::recognise("https://door.example", casdoor.as_ref());
        assert_eq!(told, Some(Provider::Casdoor));
        let okta = document("introspection_endpoint", "https://id.example/oauth2/x/v1/introspect");
        assert_eq!(Provider::recognise("https://id.example", okta.as_ref()), Some(Provider::Okta));
    }

    #[test]
    fn each_provider_says_it_in_its_own_words() {
        let providers = [
            Provider::Auth0,
            Provider::Casdoor,
            Provider::EntraId,
            Provider::Keycloak,
            Provider::Okta,
        ];
        for cure in [Cure::Audience, Cure::Introspection, Cure::Issuer, Cure::Scope] {
            let mut words: Vec<_> =
                providers.iter().map(|each| remedy(Some(*each), cure)).collect();
            words.push(remedy(None, cure));
            words.sort_unstable();
            words.dedup();
            assert_eq!(words.len(), providers.len() + 1, "{cure:?}");
        }
    }
}
