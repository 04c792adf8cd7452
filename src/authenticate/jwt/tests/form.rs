//! The spelling of tokens, and what their headers ask for.

use super::*;
use crate::{
    authenticate::jwt_kit::{compact, encode, signing_input},
    config::settings::RequiredTokenType,
};

#[tokio::test]
async fn i04_cve_2018_0114_keys_in_the_header_are_ignored_and_nothing_is_fetched() {
    let ours = key("ES256");
    let bench = Bench::with(&[ours.jwk()]).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let stranger = SigningKey::generate("ES256");
    for more in [
        json!({"jwk": stranger.jwk()}),
        json!({"jku": url}),
        json!({"x5u": url, "jku": url}),
        json!({"x5c": ["MIIB"], "x5t": "x", "x5t#S256": "x"}),
    ] {
        let forged = stranger.token_with(&more, &bench.claims());
        assert!(matches!(bench.fault(&forged).await, JwtFault::BadSignature(_)), "{more}");
        bench.facts(&ours.token_with(&more, &bench.claims())).await;
    }
    assert!(listener.accept().is_err(), "nobody came");
    // The set was fetched for the first token that did not verify, from its own address.
    assert_eq!(bench.keys.fetches(), 2);
}

#[tokio::test]
async fn i05_kid_is_compared_and_nothing_else() {
    let key = key("ES256");
    let bench = Bench::with(&[key.jwk()]).await;
    for kid in [
        "../../../dev/null",
        "key-1' OR '1'='1",
        "| sleep 9",
        "key-1\0",
        "KEY-1",
        "",
        &"k".repeat(4000),
    ] {
        // So that it is looked for.
        bench.clock.advance(COOLDOWN);
        let fault = bench.fault(&key.token_with(&json!({"kid": kid}), &bench.claims())).await;
        assert!(matches!(fault, JwtFault::UnknownKey(_)), "{kid}: {fault:?}");
        assert!(fault.to_string().len() < 400, "it is shown shortened");
        assert!(!fault.to_string().contains('\0'), "and escaped");
    }
    for kid in [json!(1), json!(["key-1"]), json!({"key-1": 1}), json!(true)] {
        let fault = bench.fault(&key.token_with(&json!({"kid": kid}), &bench.claims())).await;
        assert!(matches!(fault, JwtFault::Header(_)), "{kid}: {fault:?}");
    }
    // Longer than any header may be.
    let token = key.token_with(&json!({"kid": "k".repeat(7000)}), &bench.claims());
    assert!(matches!(bench.fault(&token).await, JwtFault::Form(_)));
}

#[tokio::test]
async fn i06_critical_members_are_refused_whatever_their_value() {
    let key = key("ES256");
    let bench = Bench::with(&[key.jwk()]).await;
    for header in [
        r#""crit":["exp"]"#,
        r#""crit":["b64"],"b64":false"#,
        r#""crit":[]"#,
        r#""crit":"exp""#,
        r#""crit":null"#,
        r#""b64":false"#,
        r#""b64":true"#,
        r#""zip":"DEF""#,
        r#""zip":null"#,
        r#""cty":"JWT""#,
        r#""cty":"application/jwt""#,
        r#""alg":"ES256""#,
        r#""kid":"key-1","kid":"key-1""#,
        r#""a":1,"\u0061":2"#,
    ] {
        let header = format!(r#"{{"alg":"ES256",{header}}}"#);
        let fault = bench.fault(&key.sign(&header, &bench.claims().to_string())).await;
        assert!(matches!(fault, JwtFault::Header(_)), "{header}: {fault:?}");
    }
    for header in ["", "[]", r#"["ES256"]"#, "7", "{", r#"{"alg":"ES256"} {}"#, "\u{feff}{}"] {
        let token = key.sign(header, &bench.claims().to_string());
        let fault = bench.fault(&token).await;
        assert!(matches!(fault, JwtFault::Form(_) | JwtFault::Header(_)), "{header}: {fault:?}");
    }
    bench.facts(&key.token_with(&json!({"cty": "json", "foo": [1]}), &bench.claims())).await;
}

#[tokio::test]
async fn i10_a_token_has_one_spelling() {
    let key = key("ES256");
    let bench = Bench::with(&[key.jwk()]).await;
    // Signed over the odd spelling itself, so that only its form can be at fault.
    let sign = |input: String| format!("{input}.{}", encode(&key.signature(input.as_bytes())));
    let header = encode(key.header().to_string().as_bytes());
    let claims = bench.claims().to_string();
    // A length that leaves bits over, whatever the claims.
    let payload = encode(format!("{claims}{}", " ".repeat((3 - claims.len() % 3) + 1)).as_bytes());
    bench.facts(&sign(format!("{header}.{payload}"))).await;
    let last = payload.chars().last().unwrap();
    let looser = char::from(u8::try_from(last).unwrap() + 1);
    let trailing = format!("{}{looser}", &payload[..payload.len() - 1]);
    for input in [
        format!("{header}.{trailing}"),
        format!("{header}.{payload}AAA"),
        format!("{header}+.{payload}"),
        format!("{header}/.{payload}"),
        format!("{header}~.{payload}"),
    ] {
        let fault = bench.fault(&sign(input.clone())).await;
        assert!(matches!(fault, JwtFault::Form(_)), "{input}: {fault:?}");
    }
    let good = sign(format!("{header}.{payload}"));
    for token in [format!("{good}="), format!("{good}==")] {
        assert!(matches!(bench.fault(&token).await, JwtFault::Form(_)), "{token}");
    }
}

#[tokio::test]
async fn i11_only_three_parts_make_a_token() {
    let key = key("ES256");
    let bench = Bench::with(&[key.jwk()]).await;
    let good = key.token(&bench.claims());
    let (header, rest) = good.split_once('.').unwrap();
    for token in [
        header.to_owned(),
        format!("{header}.{}", rest.split_once('.').unwrap().0),
        format!("{good}.{header}"),
        format!("{good}.{header}.{header}"),
        format!("{good}."),
        format!(".{good}"),
        format!(".{rest}"),
        format!("{header}..{}", rest.split_once('.').unwrap().1),
        "..".to_owned(),
        ".".to_owned(),
        "a.b.c".to_owned(),
    ] {
        let fault = bench.fault(&token).await;
        assert!(matches!(fault, JwtFault::Form(_)), "{token}: {fault:?}");
        assert_eq!(fault.token_fault(), crate::authenticate::TokenFault::Malformed);
    }
    let jwe = format!("{}.a.b.c.d", encode(br#"{"alg":"RSA-OAEP","enc":"A128GCM"}"#));
    assert!(bench.fault(&jwe).await.to_string().contains("encrypted"));
}

#[tokio::test]
async fn i18_types_of_other_tokens_are_refused_by_header() {
    let key = key("ES256");
    let bench = Bench::with(&[key.jwk()]).await;
    for kind in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+JWT"] {
        bench.facts(&key.token_with(&json!({"typ": kind}), &bench.claims())).await;
    }
    for kind in [
        "logout+jwt",
        "token-introspection+jwt",
        "client-authentication+jwt",
        "oauth-authz-req+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "id_token",
        "Refresh",
        "ID",
        "application/jwt",
        "JOSE",
        "at+jwt ",
        "at",
        "",
    ] {
        let fault = bench.fault(&key.token_with(&json!({"typ": kind}), &bench.claims())).await;
        assert!(matches!(fault, JwtFault::Type(_)), "{kind}: {fault:?}");
        assert_eq!(fault.token_fault(), crate::authenticate::TokenFault::OtherType);
    }
    let fault = bench.fault(&key.token_with(&json!({"typ": ["JWT"]}), &bench.claims())).await;
    assert!(matches!(fault, JwtFault::Header(_)));
}

#[tokio::test]
async fn required_type_insists_on_at_jwt() {
    let key = key("ES256");
    let insist = |settings: &mut AuthorizationServerSettings| {
        settings.jwt.required_type = Some(RequiredTokenType::AtJwt);
    };
    let bench = Bench::with_settings(&[key.jwk()], insist).await;
    for kind in [json!(null), json!("JWT"), json!("jwt")] {
        let token = key.token_with(&json!({"typ": kind}), &bench.claims());
        assert!(matches!(bench.fault(&token).await, JwtFault::Type(_)), "{kind}");
    }
    for kind in ["at+jwt", "application/at+jwt", "AT+JWT"] {
        bench.facts(&key.token_with(&json!({"typ": kind}), &bench.claims())).await;
    }
}

#[test]
fn inspection_knows_a_jws_by_its_form_and_believes_nothing() {
    let issuer = |token: &str| inspect(token).map(|jwt| jwt.issuer);
    let token = |header: &str, claims: &str| compact(header, claims, b"x");
    let named = r#"{"iss":"https://as.example"}"#;
    assert_eq!(issuer(&token(r#"{"alg":"ES256"}"#, named)), Some(Some(ISSUER.into())));
    // What the verifier would refuse is a JWS all the same, and goes to nobody else.
    assert_eq!(issuer(&token(r#"{"alg":"none"}"#, named)), Some(Some(ISSUER.into())));
    let unsigned = format!("{}.", signing_input(r#"{"alg":"none"}"#, named));
    assert_eq!(issuer(&unsigned), Some(Some(ISSUER.into())));
    assert_eq!(issuer(&format!("{}=", token(r#"{"alg":1}"#, named))), Some(Some(ISSUER.into())));
    for claims in [r#"{"iss":["https://as.example"]}"#, "{}", "junk", r#"{"iss":"a","iss":"b"}"#] {
        assert_eq!(issuer(&token(r#"{"alg":"ES256"}"#, claims)), Some(None), "{claims}");
    }
    let jwe = format!("{}.a.b.c.d", encode(br#"{"alg":"dir","enc":"A128GCM"}"#));
    for opaque in ["opaque", "a.b.c", "v4.public.abc", "..", &jwe, "ory_at_x.y", "e30.e30.x"] {
        assert_eq!(issuer(opaque), None, "{opaque}");
    }
}
