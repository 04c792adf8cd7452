//! What makes an active token acceptable: its issuer, audience, type, binding and times.

use serde_json::{Value, json};

use crate::harness::{
    NOTES, World,
    token::{Token, now},
};

/// Asserts what a token with these claims meets.
async fn assert_status(world: &World, claims: &Token, status: u16) {
    let token = world.authorization_server.mint(claims);
    let response = world.call().bearer(&token).send().await;
    assert_eq!(response.status, status, "{}: {response:?}", claims.json());
}

/// Asserts which `aud` values are accepted and which are not; `GATEWAY` is the public URL.
async fn assert_audiences(route: &str, accepted: &[Value], refused: &[Value]) {
    let world =
        World::with(&NOTES.replace("required_scopes", &format!("{route}\n    required_scopes")))
            .await;
    let fill = |aud: &Value| -> Value {
        serde_json::from_str(&aud.to_string().replace("GATEWAY", world.gateway.origin())).unwrap()
    };
    for (values, status) in [(accepted, 200), (refused, 401)] {
        for aud in values {
            assert_status(&world, &world.claims().with("aud", fill(aud)), status).await;
        }
    }
}

#[tokio::test]
async fn audience_is_compared_exactly_by_default() {
    let accepted = [json!("GATEWAY/notes"), json!(["x", "GATEWAY/notes"])];
    let refused = [
        json!("GATEWAY"),
        json!("GATEWAY/"),
        json!("GATEWAY/notes/"),
        json!("GATEWAY/Notes"),
        json!("GATEWAY/notes/x"),
        json!("GATEWAY/note"),
        json!("notes"),
        json!(""),
        json!([]),
        json!(["x"]),
        json!("client-1"),
        Value::Null,
    ];
    assert_audiences("access: protected", &accepted, &refused).await;
}

#[tokio::test]
async fn token_without_audience_is_refused() {
    let world = World::start().await;
    let token = world.authorization_server.mint(&world.claims().without("aud"));
    let response = world.call().bearer(&token).send().await;
    world.assert_invalid_token(&response, "The access token was not issued for this resource");
}

#[tokio::test]
async fn configured_audiences_replace_the_resource() {
    let accepted = [json!("api://notes"), json!("account")];
    let refused = [json!("GATEWAY/notes"), json!("API://notes"), json!("api://notes/")];
    assert_audiences("audiences: ['api://notes', account]", &accepted, &refused).await;
}

#[tokio::test]
async fn prefix_is_whole_segments() {
    let accepted =
        [json!("GATEWAY"), json!("GATEWAY/"), json!("GATEWAY/notes"), json!("GATEWAY/notes/")];
    let refused =
        [json!("GATEWAY/note"), json!("GATEWAY/notes/x"), json!("http://127.0.0.1"), json!("")];
    assert_audiences("audience_match: prefix", &accepted, &refused).await;
}

#[tokio::test]
async fn client_id_as_audience_is_the_tokens_own() {
    let accepted = [json!("client-1"), json!(["x", "client-1"])];
    let refused = [json!("client-2"), json!("GATEWAY/notes"), json!([]), Value::Null];
    assert_audiences("audience_match: client_id", &accepted, &refused).await;
    let world =
        World::but("required_scopes", "audience_match: client_id\n    required_scopes").await;
    assert_status(&world, &world.claims().with("aud", "client-1").without("client_id"), 401).await;
}

#[tokio::test]
async fn audience_can_be_switched_off() {
    let accepted = [json!("anything"), json!([]), Value::Null];
    assert_audiences("audience_match: off", &accepted, &[]).await;
}

#[tokio::test]
async fn root_resource_is_accepted_with_and_without_its_slash() {
    let world = World::but("path: /notes", "path: /").await;
    for (aud, status) in [("", 200), ("/", 200), ("//", 401), ("/notes", 401)] {
        let claims = world.claims().audience(&world.gateway.url(aud));
        let token = world.authorization_server.mint(&claims);
        let response = world.gateway.post("/").bearer(&token).body("{}").send().await;
        assert_eq!(response.status, status, "{aud}");
    }
}

#[tokio::test]
async fn issuer_is_the_configured_one_byte_for_byte() {
    let line = "introspection: {accepted_issuers: ['https://alias.example']}\n    client:";
    let world = World::but("client:", line).await;
    let issuer = world.authorization_server.issuer().to_owned();
    for (iss, status) in [
        (json!(issuer), 200),
        (json!("https://alias.example"), 200),
        (Value::Null, 200),
        (json!(format!("{issuer}/")), 401),
        (json!("https://alias.example/"), 401),
        (json!("https://Alias.example"), 401),
        (json!("https://evil.example"), 401),
        (json!(""), 401),
    ] {
        assert_status(&world, &world.claims().with("iss", iss), status).await;
    }
}

#[tokio::test]
async fn only_access_tokens_are_accepted() {
    let world = World::start().await;
    for (name, value, status) in [
        ("token_type", "bearer", 200),
        ("token_type", "Bearer", 200),
        ("token_type", "access_token", 200),
        ("token_type", "refresh_token", 401),
        ("token_type", "id_token", 401),
        ("token_type", "N_A", 401),
        ("typ", "Bearer", 200),
        ("typ", "ID", 401),
        ("typ", "Refresh", 401),
        ("typ", "Offline", 401),
        ("token_use", "access", 200),
        ("token_use", "id", 401),
        ("token_use", "refresh_token", 401),
    ] {
        assert_status(&world, &world.claims().with(name, value), status).await;
    }
    assert_status(&world, &world.claims().without("token_type"), 200).await;
}

#[tokio::test]
async fn token_bound_to_a_key_is_refused() {
    let world = World::start().await;
    for claims in [
        world.claims().with("cnf", json!({"jkt": "x"})),
        world.claims().with("cnf", json!({"x5t#S256": "x"})),
        world.claims().with("cnf", json!({})),
        world.claims().with("token_type", "DPoP"),
    ] {
        let token = world.authorization_server.mint(&claims);
        let response = world.call().bearer(&token).send().await;
        world.assert_invalid_token(
            &response,
            "The access token is bound to a key that was not shown",
        );
    }
}

#[tokio::test]
async fn times_are_judged_with_skew_except_for_exp() {
    let world = World::start().await;
    let now = now();
    for (name, at, status) in [
        ("exp", now - 1, 401),
        ("exp", now - 29, 401),
        ("exp", 0, 401),
        ("exp", -1, 401),
        ("exp", now + 20, 200),
        ("exp", i64::MAX, 200),
        ("nbf", now + 20, 200),
        ("nbf", now + 45, 401),
        ("nbf", now - 100, 200),
        ("iat", now + 20, 200),
        ("iat", now + 45, 401),
        ("iat", 0, 200),
    ] {
        assert_status(&world, &world.claims().with(name, at), status).await;
    }
    #[expect(clippy::cast_precision_loss, reason = "seconds since the epoch fit")]
    let fraction = now as f64 + 1000.5;
    assert_status(&world, &world.claims().with("exp", fraction), 200).await;
    assert_status(&world, &world.claims().without("exp").without("iat"), 200).await;
}

#[tokio::test]
async fn configured_skew_is_used() {
    let world = World::but("client:", "clock_skew: 5m\n    client:").await;
    assert_status(&world, &world.claims().with("nbf", now() + 200), 200).await;
    assert_status(&world, &world.claims().with("exp", now() - 1), 401).await;
}

#[tokio::test]
async fn inactive_answer_is_final_whatever_else_it_says() {
    let world = World::start().await;
    assert_status(&world, &world.claims().with("active", false), 401).await;
}

#[tokio::test]
async fn scopes_are_read_where_the_configuration_says() {
    let world = World::start().await;
    let none = || world.claims().without("scope");
    for (claims, status) in [
        (none().with("scp", "notes.read"), 200),
        (none().with("scp", json!(["other", "notes.read"])), 200),
        (none().with("scope", json!(["notes.read"])), 200),
        (none().with("scope", "other").with("scp", "notes.read"), 403),
        (none().with("scope", Value::Null).with("scp", "notes.read"), 200),
        (none().with("scopes", "notes.read"), 403),
    ] {
        assert_status(&world, &claims, status).await;
    }
    let world = World::but("client:", "claims: {scope: [permissions]}\n    client:").await;
    assert_status(&world, &world.claims(), 403).await;
    assert_status(&world, &world.claims().with("permissions", json!(["notes.read"])), 200).await;
}
