//! Introspection: `active` is the boolean true in a well-formed answer of our own server, or the
//! token is not good; a server that fails is no reason to let anybody through, nor to log in again.

use serde_json::{Value, json};

use crate::{
    harness::{NOTES, World, assert_answered, authorization_server::Answer, token::now},
    oracle::{Challenge, refused, still_serves},
};

const QUICK: &str =
    "introspection: {timeout: 300ms, cache: {ttl: 0s, negative_ttl: 0s}}\n    client:";

async fn quick() -> World {
    World::with(&NOTES.replace("client:", QUICK)).await
}

fn http(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Answer {
    Answer::Http { status, content_type, body: body.into() }
}

/// Asserts that an answer is a failure of the server: 503 without a challenge, and nothing sent on.
async fn assert_unavailable(answers: impl IntoIterator<Item = Answer>) {
    let world = quick().await;
    let token = world.token();
    for answer in answers {
        world.authorization_server.answer_with(answer.clone());
        let response = world.call().bearer(&token).send().await;
        let what = format!("{answer:?}").chars().take(200).collect::<String>();
        refused(&world, &what, &response, 503, Challenge::Without);
        assert!(response.header("retry-after").is_some(), "{what}");
    }
    world.authorization_server.recover();
    still_serves(&world).await;
}

/// Asserts that tokens with these claims are refused with 401.
async fn assert_invalid(claims: impl IntoIterator<Item = Value>) {
    let world = quick().await;
    for claims in claims {
        let mut token = world.claims();
        for (name, value) in claims.as_object().unwrap() {
            token = token.with(name, value.clone());
        }
        let token = world.authorization_server.mint(&token);
        let response = world.call().bearer(&token).send().await;
        let challenge = Challenge::Error("invalid_token");
        refused(&world, &claims.to_string(), &response, 401, challenge);
    }
    still_serves(&world).await;
}

/// The full claims of a good token around another `active`.
fn with_active(active: &str) -> Answer {
    Answer::json(&format!(
        r#"{{{active}"sub":"alice","client_id":"c","scope":"notes.read","aud":"GATEWAY","exp":{}}}"#,
        now() + 3600
    ))
}

/// J01: an answer without `active` is a broken server's, never a yes.
#[tokio::test]
async fn cve_2026_11717_missing_active() {
    assert_unavailable([
        with_active(""),
        with_active(r#""Active":true,"#),
        with_active(r#""ACTIVE":true,"#),
        with_active(r#""active\u0000":true,"#),
        with_active(r#"" active":true,"#),
        Answer::json("{}"),
        Answer::json(r#"{"data":{"active":true}}"#),
    ])
    .await;
}

/// J02: `active` is a boolean.
#[tokio::test]
async fn active_that_is_no_boolean() {
    let values =
        ["\"true\"", "\"false\"", "1", "0", "\"yes\"", "null", "[]", "[true]", "{}", "1.0"];
    assert_unavailable(values.map(|value| with_active(&format!("\"active\":{value},")))).await;
}

/// J03: of two answers in one, neither counts.
#[tokio::test]
async fn duplicate_members_of_an_answer() {
    assert_unavailable([
        with_active(r#""active":false,"active":true,"#),
        with_active(r#""active":true,"active":false,"#),
        with_active(r#""active":true,"\u0061ctive":true,"#),
        with_active(r#""active":true,"aud":"x","#),
        with_active(r#""active":true,"scope":"admin","#),
        with_active(r#""active":true,"sub":"bob","#),
    ])
    .await;
}

/// J04: nothing else is read of an inactive token.
#[tokio::test]
async fn inactive_token_with_all_other_claims() {
    assert_invalid([json!({"active": false})]).await;
    let world = quick().await;
    world.authorization_server.answer_with(Answer::json(r#"{"active":false,"exp":"x","aud":7}"#));
    let response = world.call().bearer("any").send().await;
    refused(&world, "odd claims", &response, 401, Challenge::Error("invalid_token"));
}

/// J05, J06: times that make no good token.
#[tokio::test]
async fn times_of_a_token_that_is_not_good_now() {
    assert_invalid([
        json!({"exp": now() - 1}),
        json!({"exp": now() - 1_000_000}),
        json!({"exp": 0}),
        json!({"exp": -1}),
        json!({"exp": 1.5}),
        json!({"nbf": now() + 3600}),
        json!({"iat": now() + 3600}),
    ])
    .await;
    assert_unavailable(
        [r#""exp":"1e9","#, r#""exp":[],"#, r#""nbf":"soon","#, r#""iat":{},"#, r#""exp":1e400,"#]
            .map(|claim| Answer::json(&format!(r#"{{"active":true,{claim}"sub":"a"}}"#))),
    )
    .await;
}

/// J07: the audience is this resource, in one spelling.
#[tokio::test]
async fn audience_of_another_resource() {
    let world = quick().await;
    let own = world.gateway.url("/notes");
    let port = world.gateway.port().to_string();
    for aud in [
        json!(null),
        json!(""),
        json!([]),
        json!(["x"]),
        json!(world.gateway.origin()),
        json!(format!("{own}/")),
        json!(format!("{own}/x")),
        json!(format!("{own}?")),
        json!(format!("{own}#")),
        json!(format!("{own} ")),
        json!(own.replace("/notes", "/NOTES")),
        json!(own.replace("http:", "HTTP:")),
        json!(own.replace("http:", "https:")),
        json!(own.replace("127.0.0.1", "localhost")),
        json!(own.replace(&port, "1")),
        json!(&own[..own.len() - 1]),
        json!(format!("x{own}")),
        json!("*"),
        json!("notes"),
        json!("client-1"),
    ] {
        let token = world.authorization_server.mint(&world.claims().with("aud", aud.clone()));
        let response = world.call().bearer(&token).send().await;
        refused(&world, &aud.to_string(), &response, 401, Challenge::Error("invalid_token"));
    }
    for aud in [json!(7), json!({}), json!(true), json!([own, 7]), json!([[own]])] {
        let token = world.authorization_server.mint(&world.claims().with("aud", aud.clone()));
        let response = world.call().bearer(&token).send().await;
        refused(&world, &aud.to_string(), &response, 503, Challenge::Without);
    }
    still_serves(&world).await;
}

/// J08: another issuer's token is another issuer's, whoever vouches for it.
#[tokio::test]
async fn issuer_other_than_the_configured_one() {
    let world = quick().await;
    let own = world.authorization_server.issuer().to_owned();
    for iss in [
        format!("{own}/"),
        own.replace("http:", "https:"),
        own.replace("127.0.0.1", "localhost"),
        format!("{own}@evil.example"),
        format!("{own}.evil.example"),
        own.to_uppercase(),
        "https://evil.example".to_owned(),
        String::new(),
    ] {
        let token = world.authorization_server.mint(&world.claims().with("iss", iss.as_str()));
        let response = world.call().bearer(&token).send().await;
        refused(&world, &iss, &response, 401, Challenge::Error("invalid_token"));
    }
    for iss in [json!(1), json!([own]), json!({})] {
        let token = world.authorization_server.mint(&world.claims().with("iss", iss.clone()));
        let response = world.call().bearer(&token).send().await;
        refused(&world, &iss.to_string(), &response, 503, Challenge::Without);
    }
    still_serves(&world).await;
}

/// J09: scopes are compared whole; what only looks like one grants nothing.
#[tokio::test]
async fn scopes_that_only_resemble_the_required_one() {
    let world = quick().await;
    for scope in [
        json!(""),
        json!(null),
        json!("notes"),
        json!("notes.readwrite"),
        json!("notes.rea"),
        json!("xnotes.read"),
        json!("NOTES.READ"),
        json!("notes.read:all"),
        json!("notes.read,notes.write"),
        json!("notes.*"),
        json!("*"),
        json!("other"),
    ] {
        let token = world.authorization_server.mint(&world.claims().with("scope", scope.clone()));
        let response = world.call().bearer(&token).send().await;
        let challenge = Challenge::Error("insufficient_scope");
        refused(&world, &scope.to_string(), &response, 403, challenge);
    }
    for scope in [json!(7), json!({}), json!(true), json!(["notes.read", 7]), json!("a\tb")] {
        let token = world.authorization_server.mint(&world.claims().with("scope", scope.clone()));
        let response = world.call().bearer(&token).send().await;
        refused(&world, &scope.to_string(), &response, 503, Challenge::Without);
    }
    let token =
        world.authorization_server.mint(&world.claims().scope("a  notes.read notes.read b"));
    assert_answered(&world.call().bearer(&token).send().await);
}

/// J10: a token of another type, or one bound to a key, is no bearer token.
#[tokio::test]
async fn tokens_of_another_type_and_bound_tokens() {
    assert_invalid([
        json!({"token_type": "refresh_token"}),
        json!({"token_type": "id_token"}),
        json!({"token_type": "DPoP"}),
        json!({"token_type": "urn:ietf:params:oauth:token-type:id_token"}),
        json!({"cnf": {"jkt": "x"}}),
        json!({"cnf": {"x5t#S256": "x"}}),
        json!({"cnf": {}}),
    ])
    .await;
}

/// J11: an answer is JSON; a signed one is not read as if it were.
#[tokio::test]
async fn other_content_types() {
    let kinds = [
        "",
        "text/html",
        "text/plain",
        "application/jwt",
        "application/token-introspection+jwt",
        "application/jsonx",
        "multipart/form-data",
    ];
    let body = r#"{"active":true}"#;
    assert_unavailable(kinds.map(|kind| http(200, kind, body))).await;
}

/// J12: bodies of every unusable kind, within the time and the size that one question may take.
#[tokio::test]
async fn bodies_that_are_no_answer() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    assert_unavailable([
        Answer::json(""),
        Answer::json("null"),
        Answer::json("true"),
        Answer::json(r#"["active",true]"#),
        Answer::json(r#"{"active":true"#),
        Answer::json("\u{feff}{\"active\":true}"),
        Answer::json("{\"active\":true}\n{\"active\":true}"),
        Answer::json("{\"active\":true}\0"),
        Answer::json(&format!(r#"{{"active":true,"x":{deep}}}"#)),
        Answer::json(&format!(r#"{{"active":true,"x":"{}"}}"#, "x".repeat(10_000_000))),
        http(200, "application/json", b"{\"active\":true,\"sub\":\"\xff\"}".to_vec()),
        http(200, "application/json", b"{\0\"\0a\0c\0t\0i\0v\0e\0\"\0:\0t\0r\0u\0e\0}\0".to_vec()),
        Answer::Stall(format!("{head}Content-Length: 15\r\n\r\n{{\"active\":").into_bytes()),
        Answer::Stall(format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\n{{\"ac").into_bytes()),
        Answer::Raw(format!("{head}Content-Length: 99\r\n\r\n{{\"active\":true}}").into_bytes()),
    ])
    .await;
}

/// J13: a failing server is 503; it never falls through to the upstream, nor to a 401.
#[tokio::test]
async fn mcp_toolbox_3076_error_status_of_the_server() {
    let body = r#"{"active":true,"scope":"notes.read"}"#;
    let statuses = [201, 202, 206, 400, 401, 403, 404, 405, 408, 418, 429, 500, 502, 503, 504, 599];
    assert_unavailable(statuses.map(|status| http(status, "application/json", body))).await;
}

/// J15: no connection, no answer: nobody is let through.
#[tokio::test]
async fn mcp_toolbox_3076_connection_of_the_server_fails() {
    assert_unavailable([
        Answer::Close,
        Answer::Raw(Vec::new()),
        Answer::Raw(b"SSH-2.0-OpenSSH_9.0\r\n".to_vec()),
        Answer::Raw(b"HTTP/1.1 200 OK\r\n".to_vec()),
        Answer::Stall(Vec::new()),
    ])
    .await;
    let World { gateway, authorization_server, upstream } = quick().await;
    let claims = crate::harness::token::Token::new().audience(&gateway.url("/notes"));
    let token = authorization_server.mint(&claims.scope("notes.read"));
    drop(authorization_server);
    let response = loop {
        let call = gateway.post("/notes").bearer(&token).body(crate::harness::PING);
        let response = call.send().await;
        if response.status != 200 {
            break response;
        }
    };
    assert_eq!(response.status, 503, "{response:?}");
    assert_eq!(response.header("www-authenticate"), None);
    let seen = upstream.bytes_received();
    for _ in 0..3 {
        let call = gateway.post("/notes").bearer(&token).body(crate::harness::PING);
        assert_eq!(call.send().await.status, 503);
    }
    assert_eq!(upstream.bytes_received(), seen);
}
