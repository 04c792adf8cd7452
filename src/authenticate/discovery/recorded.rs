//! The metadata of nine products, each read with the example configuration for it.
//!
//! `tests/data/providers` has a small document of each, written after its public documentation;
//! hosts and tenants are made up. The examples are `config/*.yaml`.

use std::{ffi::OsString, io, path::Path};

use crate::config::{self, Environment};

use super::*;

/// A product.
struct Recorded {
    name: &'static str,
    example: &'static str,
    metadata: &'static [u8],
}

macro_rules! recorded {
    ($($name:literal,)*) => {
        [$(Recorded {
            name: $name,
            example: include_str!(concat!("../../../config/", $name, ".yaml")),
            metadata: include_bytes!(concat!(
                "../../../tests/data/providers/",
                $name,
                "/metadata.json"
            )),
        },)*]
    };
}

const PROVIDERS: [Recorded; 9] = recorded! {
    "auth0", "casdoor", "entra-id", "github", "google", "keycloak", "okta", "ory-hydra", "zitadel",
};

/// Has the one variable that the examples name.
struct ExampleEnvironment;

impl Environment for ExampleEnvironment {
    fn variable(&self, name: &str) -> Option<OsString> {
        (name == "INTROSPECTION_SECRET").then(|| "example".into())
    }

    fn read_file(&self, _path: &Path, _limit: usize) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn has_file(&self, _path: &Path) -> bool {
        false
    }
}

impl Recorded {
    fn named(name: &str) -> &'static Self {
        PROVIDERS.iter().find(|provider| provider.name == name).unwrap()
    }

    fn settings(&self) -> AuthorizationServerSettings {
        let loaded = config::parse("g.yaml", self.example, &ExampleEnvironment).unwrap();
        AuthorizationServerSettings::clone(&loaded.settings.authorization_servers[0])
    }

    fn document(&self) -> Map<String, Value> {
        serde_json::from_slice(self.metadata).unwrap()
    }
}

#[test]
fn issuer_of_each_example_is_the_one_in_the_metadata() {
    for provider in &PROVIDERS {
        let issuer = provider.settings().issuer;
        assert_eq!(provider.document()["issuer"], issuer.as_str(), "{}", provider.name);
    }
}

/// Where each product has its document. The places before it are asked first and answer 404.
#[test]
fn metadata_of_each_is_at_a_place_that_is_looked_at() {
    const TENANT: &str = "https://login.microsoftonline.com/11111111-2222-4333-8444-555555555555";
    for (name, origin, path) in [
        ("auth0", "https://example.eu.auth0.com", "/.well-known/openid-configuration"),
        ("casdoor", "https://casdoor.example.com", "/.well-known/openid-configuration"),
        ("entra-id", TENANT, "/v2.0/.well-known/openid-configuration"),
        ("github", "https://github.com", "/.well-known/oauth-authorization-server/login/oauth"),
        ("google", "https://accounts.google.com", "/.well-known/openid-configuration"),
        (
            "keycloak",
            "https://keycloak.example.com",
            "/realms/main/.well-known/openid-configuration",
        ),
        ("okta", "https://example.okta.com", "/oauth2/default/.well-known/openid-configuration"),
        ("ory-hydra", "https://hydra.example.com", "/.well-known/openid-configuration"),
        ("zitadel", "https://zitadel.example.com", "/.well-known/openid-configuration"),
    ] {
        let looked_at = places(&Recorded::named(name).settings());
        let place = format!("{origin}{path}");
        assert!(looked_at.iter().any(|url| url.as_str() == place), "{name}: {looked_at:?}");
    }
}

#[test]
fn each_example_finds_the_endpoint_that_its_tokens_need() {
    type Endpoint = fn(&Discovered) -> Option<&Url>;
    let introspection: Endpoint = |found| found.introspection_endpoint.as_ref();
    let keys: Endpoint = |found| found.jwks_uri.as_ref();
    let userinfo: Endpoint = |found| found.userinfo_endpoint.as_ref();
    for (name, endpoint, url) in [
        ("auth0", keys, "https://example.eu.auth0.com/.well-known/jwks.json"),
        ("casdoor", keys, "https://casdoor.example.com/.well-known/jwks"),
        (
            "entra-id",
            keys,
            "https://login.microsoftonline.com/11111111-2222-4333-8444-555555555555/discovery/v2.0/keys",
        ),
        ("github", userinfo, "https://api.github.com/user"),
        ("google", userinfo, "https://openidconnect.googleapis.com/v1/userinfo"),
        (
            "keycloak",
            introspection,
            "https://keycloak.example.com/realms/main/protocol/openid-connect/token/introspect",
        ),
        ("okta", keys, "https://example.okta.com/oauth2/default/v1/keys"),
        ("ory-hydra", introspection, "http://127.0.0.1:4445/admin/oauth2/introspect"),
        ("zitadel", introspection, "https://zitadel.example.com/oauth/v2/introspect"),
    ] {
        let provider = Recorded::named(name);
        let found = complete(provider.document(), &provider.settings()).unwrap();
        assert_eq!(endpoint(&found).map(Url::as_str), Some(url), "{name}");
    }
}

/// What the pages say that a product does not have would otherwise be found out by operators.
#[test]
fn introspection_is_missing_where_the_documentation_says_so() {
    for (name, introspects) in [
        ("auth0", false),
        ("casdoor", true),
        ("entra-id", false),
        ("github", false),
        ("google", false),
        ("keycloak", true),
        ("okta", true),
        ("ory-hydra", false),
        ("zitadel", true),
    ] {
        let provider = Recorded::named(name);
        let mut settings = provider.settings();
        settings.access_tokens = AccessTokens::Introspection;
        settings.metadata.clear();
        match complete(provider.document(), &settings) {
            Ok(_) => assert!(introspects, "{name}"),
            Err(DiscoveryError::Missing(fields)) => {
                assert_eq!((*fields).len(), 1, "{name}: {fields:?}");
                assert!(!introspects, "{name}");
            }
            Err(other) => panic!("{name}: {other}"),
        }
    }
}
