//! Several authorization servers: no token, no answer and no subject of one passes for another's.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    harness::{
        Parties, World, assert_answered,
        authorization_server::{Answer, StubAuthorizationServer},
        jwt::SigningKey,
        raw::RawResponse,
        token::now,
        upstream::{RESULT, Reply},
    },
    oracle::{Challenge, refused, still_serves, untouched},
};

const TWO: &str = "\
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
  corp-only:
    path: /corp
    upstream: UPSTREAM
    authorization_servers: [corp]
    audiences: ['GATEWAY/notes']
    required_scopes: [notes.read]
";

async fn two() -> (World, StubAuthorizationServer) {
    let partner = StubAuthorizationServer::start().await;
    let world = World::with(&TWO.replace("PARTNER", partner.issuer())).await;
    (world, partner)
}

fn jws(claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.AAAA", part(&json!({"alg": "ES256", "kid": "same"})), part(claims))
}

async fn call(world: &World, path: &str, token: &str) -> RawResponse {
    world.gateway.post(path).bearer(token).body(crate::harness::PING).send().await
}

/// J21: the same string is another token at another server.
#[tokio::test]
async fn answer_of_one_server_is_not_remembered_for_another() {
    let (world, partner) = two().await;
    partner.know("same", &world.claims().json());
    assert_answered(&call(&world, "/notes", "same").await);
    let before = world.upstream.bytes_received();
    for _ in 0..2 {
        assert_eq!(call(&world, "/corp", "same").await.status, 401);
    }
    assert_eq!(world.upstream.bytes_received(), before);
    assert_eq!(partner.introspection_count(), 1);
}

/// J21, J08: a server speaks for its own issuer only, whatever it answers.
#[tokio::test]
async fn server_does_not_speak_for_another() {
    let (world, partner) = two().await;
    let claims = world.claims().with("iss", world.authorization_server.issuer());
    let token = partner.mint(&claims);
    refused(
        &world,
        "iss",
        &call(&world, "/notes", &token).await,
        401,
        Challenge::Error("invalid_token"),
    );
    still_serves(&world).await;
}

/// K02: the same subject and client at two servers are two principals.
#[tokio::test]
async fn session_of_one_subject_is_not_that_of_its_namesake() {
    let (world, partner) = two().await;
    world.upstream.answer(|_| {
        let headers = [("Content-Type", "application/json"), ("Mcp-Session-Id", "canary")];
        Reply::with(200, &headers, RESULT)
    });
    let (own, namesake) = (world.token(), partner.mint(&world.claims()));
    let opened = call(&world, "/notes", &own).await;
    assert_eq!(opened.status, 200, "{opened:?}");
    let session = opened.header("mcp-session-id").expect("a session").to_owned();
    let with = async |token: &str| {
        let call = world.gateway.post("/notes").bearer(token).body(crate::harness::PING);
        call.header("Mcp-Session-Id", &session).send().await
    };
    let before = world.upstream.bytes_received();
    assert_eq!(with(&namesake).await.status, 404);
    assert_eq!(world.upstream.bytes_received(), before);
    assert_eq!(with(&own).await.status, 200);
}

/// O06, J36: a token that names a configured server is shown to no other, and to nobody on a route
/// that does not take it.
#[tokio::test]
async fn token_is_shown_to_no_server_but_the_one_it_names() {
    let (world, partner) = two().await;
    let claims = world.claims().json();
    let token = jws(&json!({"iss": partner.issuer(), "exp": now() + 3600}));
    for server in [&world.authorization_server, &partner] {
        server.know(&token, &claims);
    }
    assert_eq!(call(&world, "/corp", &token).await.status, 401);
    untouched(&world, "a route that does not list its server");
    partner.answer_with(Answer::status(503));
    refused(&world, "down", &call(&world, "/notes", &token).await, 503, Challenge::Without);
    assert_eq!(world.authorization_server.introspection_count(), 0);
    assert_eq!(partner.introspection_count(), 1);
    still_serves(&world).await;
}

/// I17: an issuer is one string, equal byte for byte; what resembles it is somebody else's.
#[tokio::test]
async fn issuer_that_resembles_a_listed_one_is_nobodys() {
    let (world, partner) = two().await;
    let issuer = partner.issuer().to_owned();
    for iss in [
        json!(format!("{issuer}/")),
        json!(issuer.replace("http:", "HTTP:")),
        json!([issuer]),
        json!({"x": issuer}),
        json!(7),
        Value::Null,
    ] {
        let token = jws(&json!({ "iss": iss }));
        let response = call(&world, "/notes", &token).await;
        refused(&world, &iss.to_string(), &response, 401, Challenge::Error("invalid_token"));
    }
    still_serves(&world).await;
}

/// I31, L10: nothing in a refusal tells which servers know a token, or of which it is.
#[tokio::test]
async fn refusals_do_not_tell_whose_a_token_is() {
    let (world, partner) = two().await;
    let strip = |response: &RawResponse| {
        let id = response.header("x-request-id").unwrap().to_owned();
        (
            response.status,
            response.text().replace(&id, "ID"),
            response.header("www-authenticate").map(str::to_owned),
        )
    };
    let unknown = strip(&call(&world, "/corp", "nobodys").await);
    let elsewhere = jws(&json!({"iss": partner.issuer()}));
    let foreign = jws(&json!({"iss": "https://evil.example"}));
    for token in [&*elsewhere, &foreign, &partner.mint(&world.claims())] {
        assert_eq!(strip(&call(&world, "/corp", token).await), unknown);
    }
    untouched(&world, "refusals");
}

/// Two servers whose tokens are verified here, with these key sets.
async fn verified(corp_keys: &[Value], partner_keys: &[Value]) -> (World, StubAuthorizationServer) {
    let partner = StubAuthorizationServer::start().await;
    let parties = Parties::start().await;
    for (server, keys) in [(&parties.authorization_server, corp_keys), (&partner, partner_keys)] {
        server.publish_keys(keys);
    }
    let client = "client: {id: gatehouse, secret: introspection-secret}";
    let yaml = TWO
        .replacen(client, "metadata: {jwks_uri: 'ISSUER/jwks'}", 1)
        .replacen(client, "metadata: {jwks_uri: 'PARTNER/jwks'}", 1)
        .replace("PARTNER", partner.issuer());
    (parties.with(&yaml).await, partner)
}

/// I23: keys are looked up under the issuer that a token names, whatever they are called.
#[tokio::test]
async fn key_of_one_issuer_signs_nothing_for_another() {
    let (corp, other) = (SigningKey::generate("ES256"), SigningKey::generate("ES256"));
    let (world, partner) = verified(&[corp.jwk()], &[other.jwk()]).await;
    let claims = |issuer: &str| {
        json!({
            "iss": issuer, "sub": "alice", "client_id": "client-1", "scope": "notes.read",
            "aud": world.gateway.url("/notes"), "iat": now(), "exp": now() + 3600,
        })
    };
    let (of_corp, of_partner) =
        (claims(world.authorization_server.issuer()), claims(partner.issuer()));
    for (what, token) in [
        ("the partner's key for corp", other.token(&of_corp)),
        ("corp's key for the partner", corp.token(&of_partner)),
        ("another name", other.named("key-2").token(&of_corp)),
        ("no name", other.nameless().token(&of_corp)),
        (
            "both issuers",
            corp.token(&{
                let mut both = of_corp.clone();
                both["iss"] = json!([world.authorization_server.issuer(), partner.issuer()]);
                both
            }),
        ),
    ] {
        let response = call(&world, "/notes", &token).await;
        refused(&world, what, &response, 401, Challenge::Error("invalid_token"));
    }
    let response = call(&world, "/corp", &other.token(&of_partner)).await;
    assert_eq!(response.status, 401, "a route that does not list its server");
    untouched(&world, "tokens of the wrong issuer");
    assert_answered(&call(&world, "/notes", &other.token(&of_partner)).await);
    assert_answered(&call(&world, "/notes", &corp.token(&of_corp)).await);
}

/// J37, J16: a server that leaves questions unanswered is asked last, so that the tokens of the next
/// one wait for it no longer; its own are asked about all the same.
#[tokio::test]
async fn server_that_hangs_holds_up_the_next_one_for_a_while_only() {
    let (parties, partner) = (Parties::start().await, StubAuthorizationServer::start().await);
    let client = "client: {id: gatehouse, secret: introspection-secret}\n";
    let patience = format!("{client}    introspection: {{timeout: 100ms}}\n  partner:");
    let yaml = TWO.replace("PARTNER", partner.issuer());
    let yaml = yaml.replace(&format!("{client}  partner:"), &patience);
    let world = parties.with(&yaml).await;
    let corp = &world.authorization_server;
    corp.hold();
    let partners = async || {
        let token = partner.mint(&world.claims());
        assert_answered(&call(&world, "/notes", &token).await);
    };
    for _ in 0..5 {
        partners().await;
    }
    world.gateway.counts(SILENT, 1.0).await;
    for _ in 0..20 {
        partners().await;
    }
    assert_eq!(corp.introspection_count(), 5, "asked last, and not at all where another one knows");
    // Fail closed: nobody says that it is good.
    let own = corp.mint(&world.claims());
    for path in ["/corp", "/notes"] {
        let response = call(&world, path, &own).await;
        assert_eq!((response.status, response.header("www-authenticate")), (503, None));
    }
    assert_eq!(corp.introspection_count(), 7);
    // What it does answer counts.
    corp.release();
    assert_answered(&call(&world, "/notes", &own).await);
    world.gateway.counts(SILENT, 0.0).await;
    partners().await;
    assert_eq!(corp.introspection_count(), 9, "in the listed order again");
}

const SILENT: &str = r#"gatehouse_authorization_server_silent{authorization_server="corp"}"#;
