//! `access_tokens`: which tokens are verified here, which are asked about, and that none that
//! failed the one is tried by the other.

use std::sync::Arc;

use gatehouse::clock::{Clock as _, ManualClock};
use serde_json::{Value, json};

use super::TWO;
use crate::harness::{
    NOTES, PING, Parties, World, assert_answered,
    authorization_server::{Answer, StubAuthorizationServer},
    gateway::TestGateway,
    jwt::{SigningKey, compact},
    raw::RawResponse,
    token::now,
};

const NOT_VALID: &str = "The access token is not valid";
const CLIENT: &str = "client: {id: gatehouse, secret: introspection-secret}";

/// A world whose only server has this section and issues tokens with this key.
async fn world(section: &str, key: &SigningKey) -> World {
    let parties = Parties::start().await;
    parties.authorization_server.publish_keys(&[key.jwk()]);
    parties.with(&NOTES.replace(CLIENT, section)).await
}

/// The claims of a token of `server` for the route `notes`.
fn claims(world: &World, server: &StubAuthorizationServer) -> Value {
    json!({
        "iss": server.issuer(), "sub": "alice", "client_id": "client-1", "scope": "notes.read",
        "aud": world.gateway.url("/notes"), "iat": now(), "exp": now() + 3600, "jti": "1",
    })
}

fn own_claims(world: &World) -> Value {
    claims(world, &world.authorization_server)
}

async fn call(world: &World, token: &str) -> RawResponse {
    world.call().bearer(token).send().await
}

#[tokio::test]
async fn without_a_client_tokens_are_verified_here_and_nobody_is_asked() {
    let key = SigningKey::generate("ES256");
    let world = world("access_tokens: null", &key).await;
    world.assert_invalid_token(&call(&world, "opaque").await, NOT_VALID);
    let unknown = key.token(&json!({"iss": "https://nobody.example", "exp": now() + 60}));
    world.assert_invalid_token(&call(&world, &unknown).await, NOT_VALID);
    let token = key.token(&own_claims(&world));
    for _ in 0..3 {
        assert_answered(&call(&world, &token).await);
    }
    assert_eq!(world.authorization_server.introspection_count(), 0);
    assert_eq!(world.authorization_server.key_fetches(), 1);
    let hits = r#"gatehouse_token_cache_lookups_total{authorization_server="corp",result="hit"}"#;
    world.gateway.counts(hits, 2.0).await;
    world
        .gateway
        .counts(r#"gatehouse_token_cache_entries{authorization_server="corp"}"#, 1.0)
        .await;
}

#[tokio::test]
async fn with_a_client_every_token_is_asked_about_whatever_it_looks_like() {
    let key = SigningKey::generate("ES256");
    let world = world(CLIENT, &key).await;
    let token = key.token(&own_claims(&world));
    world.assert_invalid_token(&call(&world, &token).await, NOT_VALID);
    let token = key.token(&json!({"iss": world.authorization_server.issuer(), "jti": "2"}));
    world.authorization_server.know(&token, &world.claims().json());
    assert_answered(&call(&world, &token).await);
    assert_eq!(world.authorization_server.introspection_count(), 2);
    assert_eq!(world.authorization_server.key_fetches(), 0);
}

#[tokio::test]
async fn auto_verifies_what_names_the_issuer_and_asks_about_all_else() {
    let key = SigningKey::generate("ES256");
    let world = world(&format!("access_tokens: auto\n    {CLIENT}"), &key).await;
    let asked = || world.authorization_server.introspection_count();
    assert_answered(&call(&world, &key.token(&own_claims(&world))).await);
    assert_eq!(asked(), 0, "the server does not even know it");
    assert_answered(&call(&world, &world.token()).await);
    assert_eq!(asked(), 1, "opaque");
    let alias = key.token(&json!({"iss": "http://internal.example", "jti": "3"}));
    world.authorization_server.know(&alias, &world.claims().json());
    assert_answered(&call(&world, &alias).await);
    assert_eq!(asked(), 2, "of an issuer that nobody knows");
}

#[tokio::test]
async fn auto_does_not_ask_about_what_failed_its_check() {
    let (key, other) = (SigningKey::generate("ES256"), SigningKey::generate("ES256"));
    let world = world(&format!("access_tokens: auto\n    {CLIENT}"), &key).await;
    let claims = own_claims(&world);
    let payload = claims.to_string();
    let mut never_expires = claims.clone();
    never_expires.as_object_mut().unwrap().remove("exp");
    for token in [
        other.token(&claims),
        compact(r#"{"alg":"none"}"#, &payload, b""),
        compact(r#"{"alg":"HS256"}"#, &payload, b"x"),
        key.token(&never_expires),
        key.token_with(&json!({"typ": "logout+jwt"}), &claims),
        key.token_with(&json!({"crit": ["x"]}), &claims),
    ] {
        world.authorization_server.know(&token, &world.claims().json());
        world.assert_invalid_token(&call(&world, &token).await, NOT_VALID);
    }
    assert_eq!(world.authorization_server.introspection_count(), 0);
}

#[tokio::test]
async fn expiry_is_exact_for_what_was_asked_about_and_has_the_skew_for_a_jwt() {
    let key = SigningKey::generate("ES256");
    let parties = Parties::start().await;
    parties.authorization_server.publish_keys(&[key.jwk()]);
    let yaml = NOTES.replace(CLIENT, &format!("access_tokens: auto\n    {CLIENT}"));
    let clock = Arc::new(ManualClock::new());
    let gateway = TestGateway::prepare(&parties.fill(&yaml)).clock(&clock).start();
    gateway.ready().await;
    let Parties { authorization_server, upstream } = parties;
    let world = World { gateway, authorization_server, upstream };
    let ends = clock.unix_seconds() + 100.0;
    let mut of_jwt = own_claims(&world);
    of_jwt["exp"] = json!(ends);
    let jwt = key.token(&of_jwt);
    let opaque = world.authorization_server.mint(&world.claims().with("exp", ends));
    let both = async || (call(&world, &opaque).await.status, call(&world, &jwt).await.status);
    assert_eq!(both().await, (200, 200));
    clock.advance(std::time::Duration::from_secs(101));
    assert_eq!(both().await, (401, 200), "a second after exp");
    clock.advance(std::time::Duration::from_secs(28));
    assert_eq!(both().await, (401, 200), "29 seconds after exp");
    clock.advance(std::time::Duration::from_secs(2));
    assert_eq!(both().await, (401, 401), "31 seconds after exp");
}

#[tokio::test]
async fn readiness_names_every_endpoint_that_is_missing() {
    let remedy = |field| format!("set metadata.{field} of this authorization server");
    for (section, missing) in [
        ("access_tokens: jwt", &["jwks_uri"][..]),
        (&*format!("access_tokens: auto\n    {CLIENT}"), &["introspection_endpoint", "jwks_uri"]),
        (CLIENT, &["introspection_endpoint"]),
    ] {
        let parties = Parties::start().await;
        let server = &parties.authorization_server;
        let bare = format!(r#"{{"issuer":"{}"}}"#, server.issuer());
        server.publish("/.well-known/oauth-authorization-server", Answer::json(&bare));
        let gateway = TestGateway::start(&parties.fill(&NOTES.replace(CLIENT, section)));
        for field in missing {
            gateway.readiness(503, &remedy(field)).await;
        }
        let text = gateway.operate("/readyz").await.text();
        assert_eq!(text.matches("set metadata.").count(), missing.len(), "{text}");
    }
}

#[tokio::test]
async fn server_of_jwts_is_ready_once_its_keys_are_known() {
    let key = SigningKey::generate("ES256");
    let parties = Parties::start().await;
    parties.authorization_server.publish_keys(&[key.jwk()]);
    parties.authorization_server.answer_keys_with(Answer::status(500));
    let yaml = parties.fill(&NOTES.replace(CLIENT, "access_tokens: jwt"));
    let gateway = TestGateway::start(&yaml);
    gateway.readiness(503, "authorization server corp").await;
    let Parties { authorization_server, upstream } = parties;
    let world = World { gateway, authorization_server, upstream };
    let token = key.token(&own_claims(&world));
    world.assert_unavailable(&call(&world, &token).await);
    world.authorization_server.publish_keys(&[key.jwk()]);
    world.gateway.ready().await;
    assert_answered(&call(&world, &token).await);
}

#[tokio::test]
async fn configured_key_set_needs_no_discovery() {
    let key = SigningKey::generate("EdDSA");
    let section = "metadata: {jwks_uri: 'ISSUER/jwks'}\n    access_tokens: jwt";
    let world = world(section, &key).await;
    assert_answered(&call(&world, &key.token(&own_claims(&world))).await);
    assert_eq!(world.authorization_server.fetched(), ["/jwks"]);
}

#[tokio::test]
async fn where_nobody_can_be_asked_only_jwts_of_listed_servers_are_taken() {
    let key = SigningKey::generate("ES256");
    let partner = StubAuthorizationServer::start().await;
    let parties = Parties::start().await;
    for server in [&parties.authorization_server, &partner] {
        server.publish_keys(&[key.jwk()]);
    }
    let yaml = TWO.replace(CLIENT, "access_tokens: jwt").replace("PARTNER", partner.issuer());
    let world = parties.with(&yaml).await;
    for token in [
        "opaque".to_owned(),
        key.token(&json!({"sub": "alice"})),
        key.token(&json!({"iss": "https://nobody.example", "exp": now() + 60})),
        key.token(&json!({"iss": [partner.issuer()], "exp": now() + 60})),
    ] {
        world.assert_invalid_token(&call(&world, &token).await, NOT_VALID);
    }
    assert_answered(&call(&world, &key.token(&claims(&world, &partner))).await);
    assert_answered(&call(&world, &key.token(&own_claims(&world))).await);
    for server in [&world.authorization_server, &partner] {
        assert_eq!(server.introspection_count(), 0);
    }
}

/// `corp` has its tokens verified, `partner` introspects.
async fn mixed(key: &SigningKey) -> (World, StubAuthorizationServer) {
    let partner = StubAuthorizationServer::start().await;
    let parties = Parties::start().await;
    parties.authorization_server.publish_keys(&[key.jwk()]);
    let yaml = TWO.replacen(CLIENT, "access_tokens: jwt", 1).replace("PARTNER", partner.issuer());
    (parties.with(&yaml).await, partner)
}

#[tokio::test]
async fn opaque_token_is_asked_about_where_somebody_introspects() {
    let key = SigningKey::generate("ES256");
    let (world, partner) = mixed(&key).await;
    let opaque = partner.mint(&world.claims());
    assert_answered(&call(&world, &opaque).await);
    assert_eq!(partner.introspection_count(), 1);
    let unknown = key.token(&json!({"iss": "http://internal.example"}));
    partner.know(&unknown, &world.claims().json());
    assert_answered(&call(&world, &unknown).await);
    assert_eq!(world.authorization_server.introspection_count(), 0);
}

#[tokio::test]
async fn jwt_is_judged_by_the_server_that_it_names_and_by_no_other() {
    let (key, other) = (SigningKey::generate("ES256"), SigningKey::generate("ES256"));
    let (world, partner) = mixed(&key).await;
    let forged = other.token(&own_claims(&world));
    partner.know(&forged, &world.claims().json());
    world.assert_invalid_token(&call(&world, &forged).await, NOT_VALID);
    assert_answered(&call(&world, &key.token(&own_claims(&world))).await);
    assert_eq!(partner.introspection_count(), 0);
    let of_partner = key.token(&claims(&world, &partner));
    assert_eq!(call(&world, &of_partner).await.status, 401, "its own server does not know it");
    assert_eq!(partner.introspection_count(), 1);
}

#[tokio::test]
async fn keys_that_cannot_be_had_make_no_other_servers_tokens_invalid() {
    let key = SigningKey::generate("ES256");
    let partner = StubAuthorizationServer::start().await;
    let parties = Parties::start().await;
    parties.authorization_server.publish_keys(&[key.jwk()]);
    parties.authorization_server.answer_keys_with(Answer::status(500));
    let yaml = TWO.replacen(CLIENT, "access_tokens: jwt", 1).replace("PARTNER", partner.issuer());
    let gateway = TestGateway::start(&parties.fill(&yaml));
    gateway.readiness(503, "authorization server corp").await;
    let Parties { authorization_server, upstream } = parties;
    let world = World { gateway, authorization_server, upstream };
    let token = key.token(&own_claims(&world));
    partner.know(&token, &world.claims().json());
    world.assert_unavailable(&call(&world, &token).await);
    let opaque = partner.mint(&world.claims());
    crate::harness::clock::eventually_heard("the other server answers", async || {
        let response = world.gateway.post("/notes").bearer(&opaque).body(PING).send().await;
        if response.status == 200 { Ok(()) } else { Err(format!("{response:?}")) }
    })
    .await;
    assert_eq!(partner.introspection_count(), 1);
}
