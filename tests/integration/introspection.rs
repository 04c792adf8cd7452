//! Introspection (RFC 7662): where the endpoint is found, how we authenticate there, and what an
//! answer is worth.

mod cache;
mod failures;
mod judgement;
pub(crate) mod tls;

use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::harness::{
    NOTES, Parties, World, assert_answered,
    authorization_server::{Answer, StubAuthorizationServer},
    clock::eventually,
    gateway::{TestGateway, free_port},
    upstream::StubUpstream,
};

async fn at(path: &str) -> Parties {
    Parties {
        authorization_server: StubAuthorizationServer::start_at(path).await,
        upstream: StubUpstream::start().await,
    }
}

#[tokio::test]
async fn metadata_is_looked_for_where_rfc_8414_and_openid_connect_have_it() {
    for (path, places) in [
        ("", &["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"][..]),
        (
            "/tenant/a",
            &[
                "/.well-known/oauth-authorization-server/tenant/a",
                "/.well-known/openid-configuration/tenant/a",
                "/tenant/a/.well-known/openid-configuration",
            ],
        ),
        (
            "/tenant/",
            &[
                "/.well-known/oauth-authorization-server/tenant",
                "/.well-known/openid-configuration/tenant",
                "/tenant/.well-known/openid-configuration",
            ],
        ),
    ] {
        for (index, place) in places.iter().enumerate() {
            let parties = at(path).await;
            let server = &parties.authorization_server;
            server.unpublish_all();
            server.publish(place, Answer::json(&server.metadata()));
            let world = parties.with(NOTES).await;
            assert_answered(&world.authorized().send().await);
            assert_eq!(world.authorization_server.fetched(), &places[..=index]);
        }
    }
}

#[tokio::test]
async fn configured_metadata_url_is_the_only_place() {
    let parties = at("").await;
    let server = &parties.authorization_server;
    server.unpublish_all();
    server.publish("/elsewhere", Answer::json(&server.metadata()));
    let yaml = NOTES.replace("client:", "metadata_url: ISSUER/elsewhere\n    client:");
    let world = parties.with(&yaml).await;
    assert_answered(&world.authorized().send().await);
    assert_eq!(world.authorization_server.fetched(), ["/elsewhere"]);
}

#[tokio::test]
async fn configured_endpoint_needs_no_discovery() {
    let parties = at("").await;
    parties.authorization_server.unpublish_all();
    let patch = "metadata: {introspection_endpoint: ISSUER/introspect}\n    client:";
    let world = parties.with(&NOTES.replace("client:", patch)).await;
    assert_answered(&world.authorized().send().await);
    assert!(world.authorization_server.fetched().is_empty());
}

#[tokio::test]
async fn configured_fields_complete_the_discovered_document() {
    let parties = at("").await;
    let server = &parties.authorization_server;
    let issuer = server.issuer();
    let place = "/.well-known/oauth-authorization-server";
    let lacking = format!(
        r#"{{"issuer":"{issuer}","authorization_endpoint":"{issuer}/a","token_endpoint":"{issuer}/t"}}"#
    );
    server.publish(place, Answer::json(&lacking));
    let patch = "metadata: {introspection_endpoint: ISSUER/introspect, x: 1}\n    client:";
    let yaml = NOTES
        .replace("client:", patch)
        .replace("upstream:", "legacy_metadata: true\n    upstream:");
    let world = parties.with(&yaml).await;
    assert_answered(&world.authorized().send().await);
    let mirrored = world.gateway.get(place).send().await.text();
    assert!(mirrored.contains(r#""x":1"#) && mirrored.contains("/t\""), "{mirrored}");
}

/// P10: documents that are no metadata of the configured issuer.
#[tokio::test]
async fn unusable_metadata_keeps_the_gateway_unready_and_says_why() {
    for (document, why) in [
        (Answer::json(r#"{"issuer":"OTHER"}"#), "names the issuer"),
        (
            Answer::json(r#"{"issuer":"ISSUER/","introspection_endpoint":"ISSUER/introspect"}"#),
            "byte for byte",
        ),
        (
            Answer::json(r#"{"introspection_endpoint":"ISSUER/introspect"}"#),
            "no authorization server metadata",
        ),
        (Answer::json(r#"{"issuer":"ISSUER"}"#), "no introspection_endpoint that is https"),
        (
            Answer::json(r#"{"issuer":"ISSUER","introspection_endpoint":"http://198.51.100.1/"}"#),
            "no introspection_endpoint that is https",
        ),
        (Answer::json("[]"), "no authorization server metadata"),
        (Answer::status(500), "500"),
        (Answer::Redirect(302, "/introspect".to_owned()), "302"),
        (Answer::Close, "cannot be reached"),
    ] {
        let parties = at("").await;
        let server = &parties.authorization_server;
        let mut document = document;
        if let Answer::Http { body, .. } = &mut document {
            let text = String::from_utf8(body.clone()).unwrap();
            *body = text.replace("ISSUER", server.issuer()).into_bytes();
        }
        server.unpublish_all();
        server.publish("/.well-known/oauth-authorization-server", document.clone());
        let gateway = TestGateway::start(&parties.fill(NOTES));
        eventually("discovery", || match server.fetched().len() {
            0 => Err("not asked".to_owned()),
            asked => Ok(asked),
        })
        .await;
        gateway.readiness(503, why).await;
        let world = World {
            gateway,
            upstream: parties.upstream,
            authorization_server: parties.authorization_server,
        };
        world.assert_unavailable(&world.authorized().send().await);
    }
}

#[tokio::test]
async fn gateway_starts_without_its_authorization_server_and_recovers_alone() {
    let port = free_port();
    let upstream = StubUpstream::start().await;
    let yaml = NOTES
        .replace("ISSUER", &format!("http://127.0.0.1:{port}"))
        .replace("UPSTREAM", &upstream.url());
    let gateway = TestGateway::start(&yaml);
    let call = gateway.post("/notes").bearer("early").body("{}");
    assert_eq!(call.send().await.status, 503);
    assert_eq!(gateway.operate("/readyz").await.status, 503);
    assert_eq!(gateway.operate("/livez").await.status, 200);
    let authorization_server = StubAuthorizationServer::start_on(port).await;
    gateway.ready().await;
    let world = World { gateway, authorization_server, upstream };
    assert_answered(&world.authorized().send().await);
}

#[tokio::test]
async fn introspection_request_is_a_form_with_the_token_and_nothing_of_the_client() {
    let world = World::start().await;
    // Every character of a b64token that a form encodes.
    let token = "a-._~+/b==";
    world.authorization_server.know(token, &world.claims().json());
    assert_answered(&world.call().bearer(token).header("X-Own", "mine").send().await);
    let asked = world.authorization_server.introspections();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].method, "POST");
    assert_eq!(asked[0].header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(asked[0].header("accept"), Some("application/json"));
    assert_eq!(asked[0].header("x-own"), None);
    assert_eq!(asked[0].form(), [("token".to_owned(), token.to_owned())]);
    assert_eq!(asked[0].text(), "token=a-._%7E%2B%2Fb%3D%3D");
}

#[tokio::test]
async fn basic_credentials_are_form_encoded_before_they_are_joined() {
    let parties = at("").await;
    parties.authorization_server.expect_client(|request| {
        let pair = BASE64_STANDARD.encode("id%3A1+%26:s%25%3A+%C3%A9%2B");
        request.header("authorization") == Some(&*format!("Basic {pair}"))
    });
    let client = "client: {id: 'id:1 &', secret: 's%: é+'}";
    let yaml = NOTES.replace("client: {id: gatehouse, secret: introspection-secret}", client);
    let world = parties.with(&yaml).await;
    assert_answered(&world.authorized().send().await);
}

#[tokio::test]
async fn posted_credentials_stand_in_the_form() {
    let parties = at("").await;
    parties.authorization_server.expect_client(|request| {
        let form = request.form();
        let has = |name: &str, value: &str| form.contains(&(name.to_owned(), value.to_owned()));
        has("client_id", "gatehouse")
            && has("client_secret", "a&token=b")
            && form.len() == 3
            && request.header("authorization").is_none()
    });
    let client = "client: {id: gatehouse, secret: 'a&token=b', authentication: client_secret_post}";
    let yaml = NOTES.replace("client: {id: gatehouse, secret: introspection-secret}", client);
    let world = parties.with(&yaml).await;
    assert_answered(&world.authorized().send().await);
}

#[tokio::test]
async fn no_credentials_are_sent_where_none_are_configured() {
    for (client, expected) in [
        ("client: {authentication: none}", 1),
        ("client: {id: gatehouse, authentication: none}", 2),
    ] {
        let parties = at("").await;
        parties.authorization_server.expect_client(move |request| {
            request.form().len() == expected && request.header("authorization").is_none()
        });
        let yaml = NOTES.replace("client: {id: gatehouse, secret: introspection-secret}", client);
        let world = parties.with(&yaml).await;
        assert_answered(&world.authorized().send().await);
    }
}

#[tokio::test]
async fn refused_credentials_of_ours_are_no_fault_of_the_token() {
    let world = World::start().await;
    for answer in [
        Answer::error(401, "invalid_client"),
        Answer::error(403, "access_denied"),
        Answer::error(400, "invalid_client"),
    ] {
        world.authorization_server.answer_with(answer);
        world.assert_unavailable(&world.authorized().send().await);
    }
    world.authorization_server.recover();
    assert_answered(&world.authorized().send().await);
}
