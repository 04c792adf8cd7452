//! Tokens of every kind: how they are judged, which server hears of them, and where their claims
//! are.

mod claims;
mod kinds;
mod several;
mod userinfo;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::json;

use crate::harness::{
    NOTES, Parties, World, authorization_server::StubAuthorizationServer, raw::RawResponse,
    token::Token,
};

/// A world with one more authorization server, `partner`, whose tokens `notes` takes too.
pub(super) struct Two {
    pub(super) world: World,
    pub(super) partner: StubAuthorizationServer,
}

impl Two {
    /// Both servers introspect; `corp` is asked first.
    pub(super) async fn start() -> Self {
        Self::with(TWO).await
    }

    /// With this configuration, in which `PARTNER` is the issuer of the second server.
    pub(super) async fn with(yaml: &str) -> Self {
        let partner = StubAuthorizationServer::start().await;
        let world = World::with(&yaml.replace("PARTNER", partner.issuer())).await;
        Self { world, partner }
    }

    pub(super) fn corp(&self) -> &StubAuthorizationServer {
        &self.world.authorization_server
    }

    pub(super) async fn call(&self, token: &str) -> RawResponse {
        self.world.call().bearer(token).send().await
    }

    /// An opaque token of the second server, good for `notes`.
    pub(super) fn of_partner(&self) -> String {
        self.partner.mint(&self.world.claims())
    }

    /// How often `corp` and `partner` have been asked.
    pub(super) fn asked(&self) -> (usize, usize) {
        (self.corp().introspection_count(), self.partner.introspection_count())
    }
}

/// The usual route with two servers that introspect.
pub(super) const TWO: &str = "\
authorization_servers:
  corp:
    issuer: ISSUER
    client: {id: gatehouse, secret: introspection-secret}
  partner:
    issuer: PARTNER
    client: {id: gatehouse, secret: introspection-secret}
routes:
  notes:
    path: /notes
    upstream: UPSTREAM
    authorization_servers: [corp, partner]
    required_scopes: [notes.read]
";

/// A token that looks like a JWS and names this issuer; its signature is nobody's.
pub(super) fn jws(issuer: &str) -> String {
    let part = |value: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(json!({"alg": "RS256", "typ": "at+jwt", "kid": "1"}));
    format!("{header}.{}.c2lnbmF0dXJl", part(json!({"iss": issuer, "sub": "alice"})))
}

/// The usual world with this authorization server section instead of its client.
pub(super) async fn server(lines: &str, route: &str) -> World {
    let client = "client: {id: gatehouse, secret: introspection-secret}";
    let yaml = NOTES.replace(client, lines);
    Parties::start().await.with(&format!("{yaml}    {route}\n")).await
}

/// Claims without audience and scope.
pub(super) fn bare() -> Token {
    Token::new()
}
