//! What is asked of an authorization server: one question, to the configured place, with our own
//! credentials and one token in it.

use serde_json::{Value, json};

use crate::{
    harness::{
        NOTES, Parties, World, assert_answered, authorization_server::Answer, raw::Received,
        token::now,
    },
    oracle::{Challenge, refused, still_serves, untouched},
};

async fn quick() -> World {
    let cache = "introspection: {cache: {ttl: 0s, negative_ttl: 0s}}\n    client:";
    World::with(&NOTES.replace("client:", cache)).await
}

/// J14: a redirect would carry the token and our secret elsewhere.
#[tokio::test]
async fn redirect_of_the_server_is_not_followed() {
    let world = quick().await;
    let elsewhere = Parties::start().await.authorization_server;
    for status in [300, 301, 302, 303, 307, 308] {
        for target in [format!("{}/introspect", elsewhere.issuer()), "/introspect".to_owned()] {
            world.authorization_server.answer_with(Answer::Redirect(status, target.clone()));
            let before = world.authorization_server.received().len();
            let response = world.authorized().send().await;
            refused(&world, &target, &response, 503, Challenge::Without);
            assert_eq!(world.authorization_server.received().len(), before + 1, "{target}");
        }
    }
    assert!(elsewhere.received().is_empty());
}

/// J29: a token is one form value, whatever is in it.
#[tokio::test]
async fn token_adds_no_parameter_to_the_question() {
    let world = quick().await;
    for token in ["a+b/c==", "a~b.c_d-e", "a/../b", "+++", "a=="] {
        world.authorization_server.know(token, &world.claims().json());
        assert_answered(&world.call().bearer(token).send().await);
        let form = world.authorization_server.introspections().pop().unwrap().form();
        let tokens: Vec<_> = form.iter().filter(|(name, _)| name == "token").collect();
        assert_eq!(tokens.len(), 1, "{form:?}");
        assert_eq!(tokens[0].1, token);
        assert!(form.iter().all(|(name, _)| matches!(&**name, "token" | "token_type_hint")));
    }
    let seen = world.authorization_server.introspection_count();
    for token in ["a&active=true", "a%26b", "a=b&c=d", "a;b"] {
        assert_eq!(world.call().bearer(token).send().await.status, 400, "{token}");
    }
    assert_eq!(world.authorization_server.introspection_count(), seen);
}

/// J30: client id and secret are form-encoded before they become Basic credentials (RFC 6749
/// section 2.3.1).
#[tokio::test]
async fn client_credentials_with_special_characters() {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    let client = "client: {id: 'gate:house', secret: 'p%s w+/&=\u{f6}'}";
    let yaml = NOTES.replace("client: {id: gatehouse, secret: introspection-secret}", client);
    let world = World::with(&yaml).await;
    world.authorization_server.expect_client(|request: &Received| {
        let basic = request.header("authorization").and_then(|value| value.strip_prefix("Basic "));
        let text = basic.and_then(|text| BASE64_STANDARD.decode(text).ok()).unwrap_or_default();
        let text = String::from_utf8(text).unwrap();
        let decode = |part: &str| {
            let pairs = format!("x={part}");
            url::form_urlencoded::parse(pairs.as_bytes()).next().unwrap().1.into_owned()
        };
        text.split_once(':').is_some_and(|(id, secret)| {
            !secret.contains(':')
                && decode(id) == "gate:house"
                && decode(secret) == "p%s w+/&=\u{f6}"
        })
    });
    untouched(&world, "before");
    still_serves(&world).await;
}

/// J36, O06: a token that looks like a JWT is opaque here; nothing in it is believed or fetched.
#[tokio::test]
async fn cve_2026_59822_token_is_not_sniffed() {
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    let world = quick().await;
    let canary = Parties::start().await.authorization_server;
    let url = canary.issuer();
    let own = world.authorization_server.issuer();
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    for (header, iss) in [
        (json!({"alg": "none"}), own),
        (json!({"alg": "HS256"}), own),
        (json!({"alg": "RS256", "jku": format!("{url}/jwks"), "x5u": format!("{url}/x5u")}), own),
        (json!({"alg": "ES256", "kid": format!("{url}/kid")}), url),
    ] {
        let claims = json!({
            "iss": iss, "sub": "root", "aud": world.gateway.url("/notes"), "client_id": url,
            "exp": now() + 3600, "iat": now(), "scope": "notes.read", "active": true,
        });
        for signature in ["", "AAAA"] {
            let token = format!("{}.{}.{signature}", part(&header), part(&claims));
            let response = world.call().bearer(&token).send().await;
            refused(&world, &token, &response, 401, Challenge::Error("invalid_token"));
        }
    }
    assert!(canary.received().is_empty(), "{:?}", canary.received());
    still_serves(&world).await;
}
