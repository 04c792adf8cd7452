//! A token of an issuer that its route does not list, of which nobody was asked.
//!
//! 1. Of a server that is configured, and not listed: the route's list is the thing to look at.
//! 2. Of one that is not: most likely a listed server calls itself otherwise than its `issuer` says.
//!    It is the one that differs in slashes at the end alone, or else one of the same product, or
//!    else the only one.
//!
//! Nothing is decided here: the token is refused either way, and this is for the log and `explain`.

use std::sync::Arc;

use super::{InvalidToken, TokenFault, in_its_words, shown};
use crate::authenticate::{
    authorization_server::AuthorizationServer,
    provider::{Cure, Provider},
};

/// A server that the route lists.
struct Listed<'a> {
    name: &'a str,
    issuer: &'a str,
    provider: Option<Provider>,
}

impl InvalidToken {
    /// None of the listed servers has this issuer; `is_configured`: another one has.
    pub(in crate::authenticate) fn of_another_issuer(
        issuer: &str,
        listed: &[Arc<AuthorizationServer>],
        is_configured: bool,
    ) -> Self {
        let listed = listed.iter().map(|server| Listed {
            name: &server.settings().name,
            issuer: server.settings().issuer.as_str(),
            provider: server.provider(),
        });
        Self::of_none(issuer, &listed.collect::<Vec<_>>(), is_configured)
    }

    fn of_none(issuer: &str, listed: &[Listed<'_>], is_configured: bool) -> Self {
        let issuers: Vec<_> = listed.iter().map(|server| server.issuer).collect();
        let known = format!(
            "the token names the issuer {:?}; this route takes tokens of [{}]",
            shown(issuer),
            issuers.join(", ")
        );
        let Some(server) = suspect(issuer, listed).filter(|_| !is_configured) else {
            let detail = format!(
                "{known}: the client must log in at one of these, or the route must list that \
                 server in authorization_servers"
            );
            return Self::new(TokenFault::WrongIssuer, detail);
        };
        let slash = if differs_in_slashes(issuer, server.issuer) {
            ", they differ in the slash at the end alone"
        } else {
            ""
        };
        let name = server.name;
        let detail = format!(
            "{known}: compare authorization_servers.{name}.issuer byte for byte{slash}{}; if it is \
             another server's token, the client must log in at one of these, or the route must list \
             that server in authorization_servers",
            in_its_words(server.provider, Cure::Issuer)
        );
        let token = Self::new(TokenFault::WrongIssuer, detail);
        Self { misnamed: Some(name.into()), ..token }
    }

    /// The server whose `issuer` is most likely not what its tokens say.
    pub fn misnamed(&self) -> Option<&str> {
        self.misnamed.as_deref()
    }
}

/// The listed server that a token is most likely of.
fn suspect<'a>(issuer: &str, listed: &'a [Listed<'a>]) -> Option<&'a Listed<'a>> {
    let product = Provider::recognise(issuer, None);
    let by_text = listed.iter().find(|server| differs_in_slashes(issuer, server.issuer));
    let by_product = listed.iter().find(|server| product.is_some() && server.provider == product);
    let only = match listed {
        [only] => Some(only),
        _ => None,
    };
    by_text.or(by_product).or(only)
}

fn differs_in_slashes(issuer: &str, other: &str) -> bool {
    issuer.trim_end_matches('/') == other.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRA: &str = "https://login.microsoftonline.com/tenant/v2.0";
    const KEYCLOAK: &str = "https://sso.example/realms/main";
    const PLAIN: &str = "https://as.example";

    fn of_none(issuer: &str, listed: &[&'static str], is_configured: bool) -> InvalidToken {
        let names = ["first", "second"];
        let listed = listed.iter().zip(names).map(|(issuer, name)| Listed {
            name,
            issuer,
            provider: Provider::recognise(issuer, None),
        });
        InvalidToken::of_none(issuer, &listed.collect::<Vec<_>>(), is_configured)
    }

    #[test]
    fn server_that_calls_itself_otherwise_is_named_with_its_cure() {
        for (issuer, listed, name, word) in [
            (
                "https://sts.windows.net/tenant/",
                &[PLAIN, ENTRA][..],
                "second",
                "requestedAccessTokenVersion to 2",
            ),
            ("http://keycloak:8080/realms/main", &[KEYCLOAK], "first", "set `hostname`"),
            ("https://as.example/", &[KEYCLOAK, PLAIN], "second", "slash at the end alone"),
            ("https://elsewhere.example", &[PLAIN], "first", "byte for byte; if"),
        ] {
            let token = of_none(issuer, listed, false);
            assert_eq!(token.misnamed(), Some(name), "{token}");
            let key = format!("authorization_servers.{name}.issuer byte for byte");
            for word in [word, &*key, "this route takes tokens of", "must log in"] {
                assert!(token.to_string().contains(word), "{word:?} in {token}");
            }
        }
    }

    #[test]
    fn token_of_another_server_is_a_matter_of_the_route() {
        for (issuer, listed, is_configured) in [
            ("https://elsewhere.example", &[PLAIN, KEYCLOAK][..], false),
            ("https://elsewhere.example", &[PLAIN], true),
            ("https://sso.example/realms/partner", &[KEYCLOAK], true),
        ] {
            let token = of_none(issuer, listed, is_configured);
            assert_eq!(token.misnamed(), None, "{token}");
            let said = token.to_string();
            assert!(said.ends_with("list that server in authorization_servers"), "{said}");
            assert!(!said.contains("byte for byte"), "{said}");
        }
    }

    #[test]
    fn issuer_is_shown_escaped_and_bounded() {
        let issuer = format!("https://evil.example/\n{}", "x".repeat(10_000));
        let detail = of_none(&issuer, &["https://a.example", "https://b.example"], false);
        let detail = detail.to_string();
        assert!(detail.contains(r"evil.example/\nxxx") && detail.len() < 400, "{detail}");
        assert!(
            detail.contains("takes tokens of [https://a.example, https://b.example]"),
            "{detail}"
        );
    }
}
