//! What the claims of a token must be; what they mean to a route is for `judge`.

use super::*;
use crate::authenticate::claims::ClaimError;

/// Verifies claims written as text, so that what no value can say can be said.
async fn fault_of(bench: &Bench, payload: &str) -> JwtFault {
    let key = key("ES256");
    bench.fault(&key.sign(&key.header().to_string(), payload)).await
}

async fn bench() -> Bench {
    Bench::with(&[key("ES256").jwk()]).await
}

/// The claims that nothing is wrong with, without some, and with a text in their place.
fn with_text(bench: &Bench, without: &[&str], text: &str) -> String {
    let mut claims = bench.claims();
    claims.as_object_mut().unwrap().retain(|name, _| !without.contains(&name.as_str()));
    format!("{},{text}}}", claims.to_string().strip_suffix('}').unwrap())
}

#[tokio::test]
async fn i12_duplicate_claims_are_refused() {
    let bench = bench().await;
    for text in [r#""sub":"mallory""#, r#""exp":99999999999"#, r#""x":1,"x":1"#, r#""\u0069ss":1"#]
    {
        let fault = fault_of(&bench, &with_text(&bench, &[], text)).await;
        assert_eq!(fault, JwtFault::Claims(ClaimError::NotAnObject), "{text}");
        assert_eq!(fault.token_fault(), crate::authenticate::TokenFault::Malformed);
    }
    for payload in ["", "[]", "7", "null", "\"x\"", "{", "{} {}", "\u{feff}{}"] {
        let fault = fault_of(&bench, payload).await;
        let expected = matches!(fault, JwtFault::Claims(_) | JwtFault::Form(_));
        assert!(expected, "{payload}: {fault:?}");
    }
}

#[tokio::test]
async fn i13_cve_2026_25537_exp_is_a_number_and_required() {
    let bench = bench().await;
    let fault = fault_of(&bench, &with_text(&bench, &["exp"], r#""x":1"#)).await;
    assert_eq!(fault, JwtFault::NoExpiry);
    assert_eq!(fault_of(&bench, &with_text(&bench, &["exp"], r#""exp":null"#)).await, fault);
    let wrong_type = |name: &str| JwtFault::Claims(ClaimError::WrongType(name.into()));
    for value in [r#""99999999999""#, "true", "[99999999999]", "{}", r#""""#] {
        let payload = with_text(&bench, &["exp"], &format!(r#""exp":{value}"#));
        assert_eq!(fault_of(&bench, &payload).await, wrong_type("exp"), "{value}");
    }
    let payload = with_text(&bench, &["exp"], r#""exp":1e999"#);
    assert!(matches!(fault_of(&bench, &payload).await, JwtFault::Claims(_)));
    for name in ["nbf", "iat"] {
        let payload = with_text(&bench, &["nbf", "iat"], &format!(r#""{name}":"1""#));
        assert_eq!(fault_of(&bench, &payload).await, wrong_type(name));
    }
}

#[tokio::test]
async fn i13_far_expiry_is_remembered_for_a_day_only() {
    for exp in ["1e308", "9223372036854775808", "18446744073709551615", "99999999999.5"] {
        let bench = bench().await;
        let payload = with_text(&bench, &["exp"], &format!(r#""exp":{exp}"#));
        let token = key("ES256").sign(&key("ES256").header().to_string(), &payload);
        bench.facts(&token).await;
        // The key set goes on being confirmed, or it would be too old after a day as well.
        for hour in 0..24 {
            assert!(bench.recall(&token).is_some(), "{exp} after {hour} h");
            bench.clock.advance(Duration::from_hours(1));
            bench.after_fetches(hour + 2).await;
        }
        assert!(bench.recall(&token).is_none(), "{exp}");
        bench.facts(&token).await;
    }
}

#[tokio::test]
async fn i33_a_token_is_remembered_until_it_expires_with_skew() {
    let bench = bench().await;
    let now = bench.clock.unix_seconds();
    let token = key("ES256").token(&bench.claims_but(json!({"exp": now + 100.0})));
    bench.facts(&token).await;
    bench.clock.advance(Duration::from_secs(129));
    assert!(bench.recall(&token).is_some());
    bench.clock.advance(Duration::from_secs(2));
    assert!(bench.recall(&token).is_none());
    // Whether it is still acceptable is judged on each use; it is not remembered again.
    bench.facts(&token).await;
    assert!(bench.recall(&token).is_none());
    for exp in [0.0, -1.0, -1e300] {
        let token = key("ES256").token(&bench.claims_but(json!({"exp": exp})));
        assert_eq!(bench.facts(&token).await.expires_at, Some(exp));
        assert!(bench.recall(&token).is_none());
    }
}

#[tokio::test]
async fn i16_audience_is_a_string_or_strings() {
    let bench = bench().await;
    for aud in ["7", "{}", "true", r#"["https://mcp.example.com/notes",7]"#, "[[]]", "[null]"] {
        let payload = with_text(&bench, &["aud"], &format!(r#""aud":{aud}"#));
        let wrong_type = JwtFault::Claims(ClaimError::WrongType("aud".into()));
        assert_eq!(fault_of(&bench, &payload).await, wrong_type, "{aud}");
    }
    for (aud, expected) in [
        (json!(null), vec![]),
        (json!([]), vec![]),
        (json!("a"), vec!["a"]),
        (json!(["a", "b"]), vec!["a", "b"]),
    ] {
        let token = key("ES256").token(&bench.claims_but(json!({"aud": aud})));
        let facts = bench.facts(&token).await;
        let found: Vec<_> = facts.audience.iter().map(|aud| &**aud).collect();
        assert_eq!(found, expected, "what is accepted is for each route");
    }
}

#[tokio::test]
async fn i17_issuer_is_one_string_equal_byte_for_byte() {
    let bench = bench().await;
    let fault = fault_of(&bench, &with_text(&bench, &["iss"], r#""x":1"#)).await;
    assert_eq!(fault, JwtFault::Issuer(None));
    for iss in
        ["1", r#"["https://as.example"]"#, r#"["https://evil.example","https://as.example"]"#]
    {
        let payload = with_text(&bench, &["iss"], &format!(r#""iss":{iss}"#));
        let wrong_type = JwtFault::Claims(ClaimError::WrongType("iss".into()));
        assert_eq!(fault_of(&bench, &payload).await, wrong_type, "{iss}");
    }
    for iss in [
        "https://as.example/",
        "https://AS.example",
        "http://as.example",
        "https://as.example:443",
        "https://as@as.example",
        "https://as.example.evil",
        "https://as.exampl",
        " https://as.example",
        "",
    ] {
        let fault = bench.fault(&key("ES256").token(&bench.claims_but(json!({"iss": iss})))).await;
        assert!(matches!(fault, JwtFault::Issuer(Some(_))), "{iss}: {fault:?}");
        assert_eq!(fault.token_fault(), crate::authenticate::TokenFault::WrongIssuer);
    }
}

#[tokio::test]
async fn accepted_issuers_of_introspection_do_not_count_for_a_jwt() {
    let accept = |settings: &mut AuthorizationServerSettings| {
        settings.introspection.accepted_issuers = vec!["https://as.example/".into()];
    };
    let bench = Bench::with_settings(&[key("ES256").jwk()], accept).await;
    let token = key("ES256").token(&bench.claims_but(json!({"iss": "https://as.example/"})));
    assert!(matches!(bench.fault(&token).await, JwtFault::Issuer(Some(_))));
}

#[tokio::test]
async fn i18_other_tokens_are_told_by_their_claims() {
    let bench = bench().await;
    let facts = async |header: Value, claims: Value| {
        bench.facts(&key("ES256").token_with(&header, &bench.claims_but(claims))).await
    };
    for claims in [
        json!({"nonce": "n"}),
        json!({"nonce": "n", "typ": "ID"}),
        json!({"at_hash": "h"}),
        json!({"at_hash": "h", "typ": "Bearer"}),
        json!({"c_hash": "h"}),
        json!({"s_hash": "h"}),
        json!({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}),
        json!({"token_introspection": {"active": true}}),
        json!({"typ": "ID"}),
        json!({"typ": "Refresh"}),
        json!({"typ": "Offline"}),
        json!({"typ": "Logout"}),
        json!({"token_use": "id"}),
        json!({"tokenType": "refresh-token"}),
        json!({"token_type": "refresh_token"}),
    ] {
        assert!(facts(json!({}), claims.clone()).await.other_type.is_some(), "{claims}");
        let header = json!({"typ": "at+jwt"});
        let is_declared = claims == json!({"nonce": "n"});
        let is_other = facts(header, claims.clone()).await.other_type.is_some();
        assert_eq!(is_other, !is_declared, "{claims}");
    }
    for claims in [
        json!({}),
        json!({"typ": "Bearer"}),
        json!({"typ": "Bearer", "nonce": "n"}),
        json!({"token_use": "access"}),
        json!({"tokenType": "access-token", "nonce": "n"}),
        json!({"azp": "x", "acr": "1", "auth_time": 1, "jti": "j", "sid": "s"}),
    ] {
        assert!(facts(json!({}), claims.clone()).await.other_type.is_none(), "{claims}");
    }
}

#[tokio::test]
async fn i19_scope_is_read_as_of_introspection() {
    let bench = bench().await;
    for (claims, expected) in [
        (json!({"scope": "a b"}), "a b"),
        (json!({"scope": null, "scp": ["a", "b"]}), "a b"),
        (json!({"scope": ""}), ""),
        (json!({"scope": null}), ""),
    ] {
        let settings_know_scope_only = claims.get("scp").is_some();
        let facts = bench.facts(&key("ES256").token(&bench.claims_but(claims))).await;
        let expected = if settings_know_scope_only { "" } else { expected };
        assert_eq!(facts.scope.to_string(), expected);
    }
    for scope in [json!(7), json!({"a": true}), json!(["a", 7]), json!("a\tb")] {
        let token = key("ES256").token(&bench.claims_but(json!({"scope": scope})));
        assert!(matches!(bench.fault(&token).await, JwtFault::Claims(_)), "{scope}");
    }
}

#[tokio::test]
async fn i20_subject_and_client_are_texts_and_may_be_absent() {
    let bench = bench().await;
    for name in ["sub", "client_id"] {
        for value in [json!(7), json!(["a"]), json!({})] {
            let token = key("ES256").token(&bench.claims_but(json!({name: value})));
            assert!(matches!(bench.fault(&token).await, JwtFault::Claims(_)), "{name}");
        }
    }
    let nobody = json!({"sub": null, "client_id": null});
    let mut principals = Vec::new();
    for jti in ["a", "b"] {
        let mut claims = bench.claims_but(nobody.clone());
        claims["jti"] = json!(jti);
        principals.push(bench.facts(&key("ES256").token(&claims)).await.principal);
    }
    assert_ne!(principals[0], principals[1], "each its own principal");
}

#[tokio::test]
async fn i21_bound_tokens_are_told() {
    let bench = bench().await;
    for cnf in [json!({"jkt": "x"}), json!({"x5t#S256": "x"}), json!("x")] {
        let token = key("ES256").token(&bench.claims_but(json!({"cnf": cnf})));
        assert!(bench.facts(&token).await.is_bound);
    }
    assert!(!bench.facts(&key("ES256").token(&bench.claims())).await.is_bound);
}

#[tokio::test]
async fn i22_claims_are_bounded_by_the_size_of_a_token_and_in_depth() {
    let bench = bench().await;
    let deep = format!("{}1{}", "[".repeat(1000), "]".repeat(1000));
    let payload = with_text(&bench, &[], &format!(r#""x":{deep}"#));
    assert!(matches!(fault_of(&bench, &payload).await, JwtFault::Claims(_)));
    let groups: Vec<_> = (0..1000).map(|n| format!("group-{n}")).collect();
    bench.facts(&key("ES256").token(&bench.claims_but(json!({"groups": groups})))).await;
    let more: Vec<_> = (0..2000).map(|n| format!("group-{n}")).collect();
    let token = key("ES256").token(&bench.claims_but(json!({"groups": more})));
    assert!(BearerToken::parse(token.as_bytes()).is_err(), "it is refused before it is looked at");
}
