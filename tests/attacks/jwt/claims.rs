//! What a token says: for whom, from whom, of which kind.

use serde_json::{Value, json};

use super::{
    BOUND, CLIENT, EXPIRED, NOT_VALID, WRONG_AUDIENCE, all_refused, call, claims, claims_but, with,
    world,
};
use crate::harness::{NOTES, Parties, assert_answered, jwt::SigningKey, token::now};

/// Signs each of these variations of good claims.
fn signed(
    world: &crate::harness::World,
    key: &SigningKey,
    variations: &[Value],
) -> Vec<(String, String)> {
    let token = |other: &Value| (other.to_string(), key.token(&claims_but(world, other)));
    variations.iter().map(token).collect()
}

/// I13, I15, I17, I19, I20, CVE-2026-25537: each claim missing where it must be there, or of a type
/// that it has not.
#[tokio::test]
async fn claims_of_the_wrong_type_are_refused() {
    let key = SigningKey::generate("ES256");
    let world = world(&[key.jwk()]).await;
    let issuer = world.authorization_server.issuer().to_owned();
    let ours = world.gateway.url("/notes");
    let variations = [
        json!({"exp": null}),
        json!({"exp": "9999999999"}),
        json!({"exp": [now() + 60]}),
        json!({"exp": true}),
        json!({"nbf": "0"}),
        json!({"nbf": {}}),
        json!({"iat": "0"}),
        json!({"iss": null}),
        json!({"iss": 7}),
        json!({"iss": [issuer]}),
        json!({"iss": ["https://evil.example", issuer]}),
        json!({"iss": format!("{issuer}/")}),
        json!({"iss": issuer.replace("http://", "http://evil@")}),
        json!({"iss": issuer.replace("http:", "https:")}),
        json!({"iss": issuer.to_uppercase()}),
        json!({"iss": ""}),
        json!({"sub": 7}),
        json!({"sub": ["alice"]}),
        json!({"client_id": {}}),
        json!({"scope": 7}),
        json!({"scope": {"notes.read": true}}),
        json!({"scope": ["notes.read", 7]}),
        json!({"scope": "notes.read\tnotes.write"}),
        json!({"aud": 7}),
        json!({"aud": {}}),
        json!({"aud": [ours, 7]}),
        json!({"aud": [[ours]]}),
        json!({"token_type": 7}),
    ];
    let tokens = signed(&world, &key, &variations);
    all_refused(&world, &key, NOT_VALID, &tokens).await;
}

/// I16: this resource and nothing that resembles it.
#[tokio::test]
async fn token_for_another_resource_is_refused() {
    let key = SigningKey::generate("ES256");
    let world = world(&[key.jwk()]).await;
    let ours = world.gateway.url("/notes");
    let origin = world.gateway.origin().to_owned();
    let variations = [
        json!({"aud": null}),
        json!({"aud": []}),
        json!({"aud": ""}),
        json!({"aud": "client-1"}),
        json!({"aud": origin}),
        json!({"aud": format!("{origin}/")}),
        json!({"aud": format!("{ours}/")}),
        json!({"aud": format!("{ours}/x")}),
        json!({"aud": format!("{ours}?x")}),
        json!({"aud": format!("{ours}#x")}),
        json!({"aud": format!("{origin}/Notes")}),
        json!({"aud": format!("{origin}/note")}),
        json!({"aud": ours.replace("http:", "https:")}),
        json!({"aud": ours.replace("http:", "HTTP:")}),
        json!({"aud": format!("{ours} {ours}")}),
        json!({"aud": ["https://a.example", "https://b.example"]}),
    ];
    let tokens = signed(&world, &key, &variations);
    all_refused(&world, &key, WRONG_AUDIENCE, &tokens).await;
    let among_others = claims_but(&world, &json!({"aud": ["https://a.example", ours]}));
    assert_answered(&call(&world, &key.token(&among_others)).await);
}

/// I18, RFC 8725 section 3.11: other tokens of the same server and key.
#[tokio::test]
async fn tokens_of_another_kind_are_refused() {
    let key = SigningKey::generate("ES256");
    let world = world(&[key.jwk()]).await;
    let variations = [
        json!({"at_hash": "x"}),
        json!({"c_hash": "x"}),
        json!({"nonce": "x"}),
        json!({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}),
        json!({"token_introspection": {"active": true}}),
        json!({"typ": "ID"}),
        json!({"typ": "Refresh"}),
        json!({"typ": "Offline"}),
        json!({"typ": "Logout"}),
        json!({"token_use": "id"}),
        json!({"token_use": "refresh_token"}),
        json!({"tokenType": "refresh-token"}),
        json!({"token_type": "refresh_token"}),
        json!({"token_type": "N_A"}),
    ];
    let mut tokens = signed(&world, &key, &variations);
    for typ in [
        "id+jwt",
        "logout+jwt",
        "refresh+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "token-introspection+jwt",
        "client-authentication+jwt",
        "oauth-authz-req+jwt",
        "application/logout+jwt",
        "JWE",
        "",
    ] {
        let token = key.token_with(&json!({ "typ": typ }), &claims(&world));
        tokens.push((typ.to_owned(), token));
    }
    let number = key.token_with(&json!({"typ": 7}), &claims(&world));
    tokens.push(("7".to_owned(), number));
    all_refused(&world, &key, NOT_VALID, &tokens).await;
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "JWT", "jwt"] {
        let token = key.token_with(&json!({ "typ": typ }), &claims(&world));
        assert_answered(&call(&world, &token).await);
    }
}

/// I18: an ID token need have no claim that only ID tokens have; on a route that takes tokens for
/// their own client it is told by what it lacks.
#[tokio::test]
async fn plain_id_tokens_are_refused_where_clients_are_audiences() {
    let key = SigningKey::generate("ES256");
    for matched in ["audience_match: client_id", "audience_match: off", "audiences: [client-1]"] {
        let parties = Parties::start().await;
        parties.authorization_server.publish_keys(&[key.jwk()]);
        let yaml = NOTES.replace(CLIENT, "access_tokens: jwt").replace(
            "required_scopes: [notes.read]",
            &format!("required_scopes: []\n    {matched}"),
        );
        let world = parties.with(&yaml).await;
        let id_token = json!({
            "aud": "client-1", "azp": "client-1", "scope": null, "client_id": null, "auth_time": now(),
            "email": "alice@example.com", "name": "Alice", "sid": "1", "amr": ["pwd"],
        });
        let id_token = claims_but(&world, &id_token);
        let plain = |claims: &Value| key.token_with(&json!({"typ": "JWT"}), claims);
        let response = call(&world, &plain(&id_token)).await;
        let challenge = response.header("www-authenticate").unwrap_or_default();
        let told = format!(r#", error="invalid_token", error_description="{NOT_VALID}""#);
        assert!(response.status == 401 && challenge.ends_with(&told), "{matched}: {response:?}");
        assert_eq!(world.upstream.bytes_received(), 0);
        let with = |name: &str, value: Value| {
            let mut claims = id_token.clone();
            claims[name] = value;
            claims
        };
        for other in [with("scope", json!("")), with("client_id", json!("other"))] {
            assert_eq!(call(&world, &plain(&other)).await.status, 401, "{matched} {other}");
        }
        for access in [with("scope", json!("a")), with("typ", json!("Bearer"))] {
            assert_answered(&call(&world, &plain(&access)).await);
        }
        let typed = key.token_with(&json!({"typ": "at+jwt"}), &id_token);
        assert_answered(&call(&world, &typed).await);
    }
}

/// RFC 9068 section 4, where the operator insists on it.
#[tokio::test]
async fn required_type_refuses_tokens_without_it() {
    let key = SigningKey::generate("ES256");
    let lines = "access_tokens: jwt\n    jwt: {required_type: at+jwt}";
    let world = with(lines, &[key.jwk()]).await;
    for more in [json!({}), json!({"typ": "JWT"}), json!({"typ": "id+jwt"})] {
        let token = key.token_with(&more, &claims(&world));
        world.assert_invalid_token(&call(&world, &token).await, NOT_VALID);
    }
    for typ in ["at+jwt", "application/AT+jwt"] {
        let token = key.token_with(&json!({ "typ": typ }), &claims(&world));
        assert_answered(&call(&world, &token).await);
    }
}

/// I21, RFC 9449 section 7: a bound token is none that a bearer may show.
#[tokio::test]
async fn bound_tokens_are_refused() {
    let key = SigningKey::generate("ES256");
    let world = world(&[key.jwk()]).await;
    let variations = [
        json!({"cnf": {"jkt": "x"}}),
        json!({"cnf": {"x5t#S256": "x"}}),
        json!({"cnf": {}}),
        json!({"cnf": "x"}),
        json!({"token_type": "DPoP"}),
    ];
    let tokens = signed(&world, &key, &variations);
    all_refused(&world, &key, BOUND, &tokens).await;
}

/// I19: scopes are whole words; short of scope and expired is expired.
#[tokio::test]
async fn scope_is_a_set_of_whole_words() {
    let key = SigningKey::generate("ES256");
    let world = world(&[key.jwk()]).await;
    let short = json!({"exp": now() - 60, "scope": "other"});
    world.assert_invalid_token(
        &call(&world, &key.token(&claims_but(&world, &short))).await,
        EXPIRED,
    );
    for scope in [
        json!(null),
        json!(""),
        json!("notes.rea"),
        json!("notes.read:all"),
        json!("NOTES.READ"),
        json!("notes.*"),
        json!("notes.read,notes.write"),
        json!(["notes.read notes.write"]),
        json!([]),
    ] {
        let token = key.token(&claims_but(&world, &json!({ "scope": scope })));
        let response = call(&world, &token).await;
        assert_eq!(response.status, 403, "{scope}: {response:?}");
        let challenge = response.header("www-authenticate").unwrap();
        assert!(challenge.contains(r#"error="insufficient_scope""#), "{challenge}");
        assert!(challenge.ends_with(r#"scope="notes.read""#), "{challenge}");
        assert_eq!(world.upstream.bytes_received(), 0, "{scope}");
    }
    for other in [
        json!({"scope": "a notes.read b"}),
        json!({"scope": ["a", "notes.read"]}),
        json!({"scope": null, "scp": ["notes.read"]}),
        json!({"scope": null, "scp": "notes.read"}),
    ] {
        assert_answered(&call(&world, &key.token(&claims_but(&world, &other))).await);
    }
}

/// I31: nothing that a client sees tells one failed check from another.
#[tokio::test]
async fn refusals_do_not_tell_which_check_failed() {
    let (key, other) = (SigningKey::generate("ES256"), SigningKey::generate("ES256"));
    let world = world(&[key.jwk()]).await;
    let (good, expired) = (claims(&world), claims_but(&world, &json!({"exp": 1})));
    let mut seen = Vec::new();
    for token in [
        "opaque".to_owned(),
        other.token(&good),
        other.token(&expired),
        other.named("unknown").token(&good),
        key.token(&claims_but(&world, &json!({"iss": "https://evil.example"}))),
        key.token_with(&json!({"typ": "id+jwt"}), &good),
    ] {
        let response = call(&world, &token).await;
        world.assert_invalid_token(&response, NOT_VALID);
        let mut names: Vec<_> = response.headers.into_iter().map(|(name, _)| name).collect();
        names.sort();
        seen.push(names);
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:?}");
}
