//! Who signed it, with what, and in which form.

use serde_json::json;

use super::{NOT_VALID, all_refused, call, claims, with, world};
use crate::harness::{
    assert_answered,
    jwt::{SigningKey, compact, encode, hmac_token, signing_input},
};

const ALL: [&str; 10] =
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];

/// I08: each algorithm by a key of its type, and by no other of the same set.
#[tokio::test]
async fn each_algorithm_is_accepted_by_its_own_key_alone() {
    let rsa = SigningKey::generate("RS256").named("RSA");
    let keys: Vec<_> = ALL
        .into_iter()
        .map(|name| match name {
            "ES256" | "ES384" | "ES512" | "EdDSA" => SigningKey::generate(name).named(name),
            _ => rsa.using(name),
        })
        .collect();
    let published: Vec<_> = [&rsa].into_iter().chain(&keys[6..]).map(SigningKey::jwk).collect();
    let world = world(&published).await;
    let claims = claims(&world);
    for key in &keys {
        for other in ["RSA", "ES256", "ES384", "ES512", "EdDSA"] {
            let token = key.named(other).token(&claims);
            if key.header()["kid"] != other {
                let before = world.upstream.bytes_received();
                let response = call(&world, &token).await;
                assert_eq!(response.status, 401, "{} by {other}: {response:?}", key.header());
                assert_eq!(world.upstream.bytes_received(), before);
            }
        }
        assert_answered(&call(&world, &key.token(&claims)).await);
        assert_answered(&call(&world, &key.nameless().token(&claims)).await);
    }
}

/// I01, I02, I03, CVE-2015-2951, CVE-2016-10555: neither no signature nor one by a public key.
#[tokio::test]
async fn no_spelling_of_none_and_no_hmac_passes() {
    let (rsa, ec) = (SigningKey::generate("RS256"), SigningKey::generate("ES256").named("ec"));
    let shared = b"shared-secret-shared-secret-shared";
    let oct = json!({"kty": "oct", "kid": "oct", "k": encode(shared), "alg": "HS256"});
    let world = world(&[oct, rsa.jwk(), ec.jwk()]).await;
    let claims = claims(&world);
    let payload = claims.to_string();
    let mut tokens = Vec::new();
    for alg in
        [json!("none"), json!("None"), json!("nOnE"), json!(""), json!(null), json!(["RS256"])]
    {
        let header = json!({"alg": alg, "kid": "key-1"}).to_string();
        for signature in [&b""[..], b"x"] {
            tokens.push((format!("{header} {signature:?}"), compact(&header, &payload, signature)));
        }
    }
    let header = json!({"typ": "at+jwt"}).to_string();
    tokens.push(("no alg".to_owned(), compact(&header, &payload, b"x")));
    for alg in ["HS256", "HS384", "HS512"] {
        for key in [&rsa, &ec] {
            for secret in key.public_forms() {
                let token = hmac_token(alg, &secret, &key.header(), &claims);
                tokens.push((format!("{alg} by a public key"), token));
            }
        }
        tokens.push((
            format!("{alg} by oct"),
            hmac_token(alg, shared, &json!({"kid": "oct"}), &claims),
        ));
    }
    all_refused(&world, &rsa, NOT_VALID, &tokens).await;
}

/// I07, CVE-2022-21449, CVE-2020-28042: signatures that are none.
#[tokio::test]
async fn damaged_signatures_are_refused() {
    let keys = [("ES256", 64), ("RS256", 256), ("EdDSA", 64)]
        .map(|(name, length)| (SigningKey::generate(name).named(name), length));
    let published: Vec<_> = keys.iter().map(|(key, _)| key.jwk()).collect();
    let world = world(&published).await;
    let claims = claims(&world);
    let mut tokens = Vec::new();
    for (key, length) in &keys {
        let header = key.header().to_string();
        let input = signing_input(&header, &claims.to_string());
        let good = key.signature(input.as_bytes());
        assert_eq!(good.len(), *length);
        let mut flipped = good.clone();
        flipped[length - 1] ^= 1;
        let mut longer = good.clone();
        longer.push(0);
        for bad in [
            vec![0; *length],
            vec![0xff; *length],
            good[..length - 1].to_vec(),
            vec![0],
            longer,
            flipped,
        ] {
            let token = format!("{input}.{}", encode(&bad));
            tokens.push((format!("{header}: {} bytes", bad.len()), token));
        }
        let other = signing_input(&header, &json!({"iss": "x", "exp": 1}).to_string());
        tokens.push((format!("{header}: of another"), format!("{other}.{}", encode(&good))));
    }
    all_refused(&world, &keys[0].0, NOT_VALID, &tokens).await;
}

/// I06, I10, I11, I12: a token has one form, and asks for nothing unusual.
#[tokio::test]
async fn only_one_form_of_a_token_passes() {
    let key = SigningKey::generate("ES256");
    let world = world(&[key.jwk()]).await;
    let claims = claims(&world);
    let text = claims.to_string();
    let good = key.token(&claims);
    let parts: Vec<_> = good.split('.').collect();
    let (header, payload, signature) = (parts[0], parts[1], parts[2]);
    let mut tokens: Vec<(String, String)> = [
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{header}..{signature}"),
        format!("{good}.x"),
        format!("{good}.x.y"),
        format!("{header}.{payload}.{signature}=="),
        format!("{good}A"),
    ]
    .into_iter()
    .map(|token| (token.clone(), token))
    .collect();
    for more in [
        json!({"crit": ["x"]}),
        json!({"crit": []}),
        json!({"crit": "x"}),
        json!({"b64": false, "crit": ["b64"]}),
        json!({"b64": false}),
        json!({"zip": "DEF"}),
        json!({"cty": "JWT"}),
        json!({"alg": "ES256", "kid": 7}),
        json!({"alg": "ES256", "kid": ["key-1"]}),
    ] {
        tokens.push((more.to_string(), key.token_with(&more, &claims)));
    }
    for header in [
        r#"{"alg":"ES256","kid":"key-1","alg":"none"}"#,
        r#"{"alg":"none","alg":"ES256","kid":"key-1"}"#,
        r#"{"alg":"ES256","kid":"x","kid":"key-1"}"#,
        r#"["ES256"]"#,
        r#""ES256""#,
    ] {
        tokens.push((header.to_owned(), key.sign(header, &text)));
    }
    let header = key.header().to_string();
    for payload in [
        text.replacen('{', r#"{"sub":"eve","#, 1),
        text.replacen('{', r#"{"scope":"notes.admin","#, 1),
        text.replacen('{', r#"{"x":{"a":1,"a":2},"#, 1),
        format!("[{text}]"),
        format!("{text} {text}"),
        String::new(),
        "{".repeat(1000),
    ] {
        tokens.push((payload.clone(), key.sign(&header, &payload)));
    }
    all_refused(&world, &key, NOT_VALID, &tokens).await;
}

/// RFC 8725 section 3.1: what the operator left out of the list is refused, however well signed.
#[tokio::test]
async fn algorithm_outside_the_configured_list_is_refused() {
    let (ec, rsa) = (SigningKey::generate("ES256"), SigningKey::generate("RS256").named("rsa"));
    let lines = "access_tokens: jwt\n    jwt: {algorithms: [ES256]}";
    let world = with(lines, &[ec.jwk(), rsa.jwk()]).await;
    let token = rsa.token(&claims(&world));
    all_refused(&world, &ec, NOT_VALID, &[("RS256".to_owned(), token)]).await;
}
