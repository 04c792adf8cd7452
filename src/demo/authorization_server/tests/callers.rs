//! Those who call with credentials of their own: resource servers, services, browsers.

use super::*;

#[tokio::test]
async fn introspection_needs_the_right_credentials() {
    let world = World::new().await;
    let (access_token, refresh_token) = world.tokens().await;
    let form = encode(&[("token", &access_token)]);
    for wrong in [Some("gatehouse:wrong"), Some("nobody:s3cr%3Aet+%26"), Some("gatehouse"), None] {
        let refused = world.ask(Method::POST, "/introspect", &form, wrong).await;
        assert_eq!(
            (refused.status, refused.error()),
            (StatusCode::UNAUTHORIZED, "invalid_client".into())
        );
        assert!(refused.headers[header::WWW_AUTHENTICATE].to_str().unwrap().starts_with("Basic "));
    }
    let curious =
        world.ask(Method::POST, "/introspect", &form, Some("service:service-secret")).await;
    assert_eq!(
        (curious.status, curious.error()),
        (StatusCode::BAD_REQUEST, "unauthorized_client".into())
    );
    assert_eq!(world.introspect(&refresh_token).await, json!({"active": false}));
    assert_eq!(world.introspect("unknown").await, json!({"active": false}));
}

#[tokio::test]
async fn a_revoked_token_is_inactive_and_only_its_client_can_revoke_it() {
    let world = World::new().await;
    let (access_token, refresh_token) = world.tokens().await;
    let form = encode(&[("token", &access_token)]);
    let foreign = world.ask(Method::POST, "/revoke", &form, Some("service:service-secret")).await;
    assert_eq!(foreign.error(), "unauthorized_client");
    assert!(world.is_active(&access_token).await);
    let id = ("client_id", world.client_id.as_str());
    assert_eq!(world.post("/revoke", &[("token", &access_token), id]).await.status, StatusCode::OK);
    assert!(!world.is_active(&access_token).await);
    let second = world.refresh(&refresh_token).await.json();
    let second_refresh = second["refresh_token"].as_str().unwrap();
    world.post("/revoke", &[("token", second_refresh), id]).await;
    assert!(!world.is_active(second["access_token"].as_str().unwrap()).await);
    assert_eq!(world.post("/revoke", &[("token", "unknown"), id]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn client_credentials_are_for_configured_clients() {
    let world = World::new().await;
    let form =
        [("grant_type", "client_credentials"), ("scope", "notes.write x"), ("resource", NOTES)];
    let issued = world
        .ask(Method::POST, "/token", &encode(&form), Some("service:service-secret"))
        .await
        .json();
    assert_eq!((&issued["scope"], issued.get("refresh_token")), (&json!("notes.write"), None));
    let facts = world.introspect(issued["access_token"].as_str().unwrap()).await;
    assert_eq!((&facts["client_id"], facts.get("sub")), (&json!("service"), None));
    let mut form = form.to_vec();
    form.push(("client_id", &world.client_id));
    assert_eq!(world.post("/token", &form).await.error(), "unauthorized_client");
    form.push(("scope", "notes.read"));
    assert_eq!(world.post("/token", &form).await.error(), "unauthorized_client");
}

#[tokio::test]
async fn a_doubled_parameter_is_refused() {
    let world = World::new().await;
    let code = world.code().await;
    let doubled = format!(
        "grant_type=authorization_code&code={code}&code={code}&client_id={}",
        world.client_id
    );
    let refused = world.ask(Method::POST, "/token", &doubled, None).await;
    assert_eq!(refused.error(), "invalid_request");
}

#[tokio::test]
async fn browsers_reach_metadata_registration_and_tokens_but_not_pages() {
    let world = World::new().await;
    for path in ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"] {
        let metadata = world.ask(Method::GET, path, "", None).await;
        assert_eq!(metadata.json()["issuer"], "http://127.0.0.1:9000");
        assert_eq!(metadata.json()["code_challenge_methods_supported"], json!(["S256"]));
        assert_eq!(metadata.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    }
    for path in ["/token", "/register", "/revoke"] {
        let preflight = world.ask(Method::OPTIONS, path, "", None).await;
        assert_eq!(preflight.status, StatusCode::NO_CONTENT);
        assert_eq!(preflight.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        let refused = world.ask(Method::GET, path, "", None).await;
        assert_eq!(
            (refused.status, &refused.headers[header::ALLOW]),
            (StatusCode::METHOD_NOT_ALLOWED, &HeaderValue::from_static("POST"))
        );
    }
    for path in ["/authorize", "/login", "/introspect"] {
        let answer = world.ask(Method::OPTIONS, path, "", None).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        assert!(!answer.headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));
    }
}
