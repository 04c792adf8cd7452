//! Every way in which an authorization server can fail: 503 without a challenge, an untouched
//! upstream, and nothing remembered.

use serde_json::json;

use crate::harness::{NOTES, World, assert_answered, authorization_server::Answer};

const MINUTE: &str = "introspection: {timeout: 300ms}\n    client:";

fn http(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Answer {
    Answer::Http { status, content_type, body: body.into() }
}

/// Asserts that each answer makes the token unjudgeable, and that none was remembered.
async fn assert_unavailable_with(answers: impl IntoIterator<Item = Answer>) {
    let world = World::with(&NOTES.replace("client:", MINUTE)).await;
    let token = world.token();
    for answer in answers {
        world.authorization_server.answer_with(answer.clone());
        let before = world.authorization_server.introspection_count();
        let response = world.call().bearer(&token).send().await;
        assert_eq!(response.status, 503, "{answer:?}");
        world.assert_unavailable(&response);
        assert_eq!(world.authorization_server.introspection_count(), before + 1, "{answer:?}");
    }
    world.authorization_server.recover();
    assert_answered(&world.call().bearer(&token).send().await);
}

#[tokio::test]
async fn answer_without_boolean_active_is_a_failure() {
    let bodies = [
        "{}",
        r#"{"active":"true"}"#,
        r#"{"active":1}"#,
        r#"{"active":"yes"}"#,
        r#"{"active":null}"#,
        r#"{"active":[]}"#,
        r#"{"active":{}}"#,
        r#"{"Active":true}"#,
        r#"{"active":false,"active":true}"#,
        r#"{"active":true,"active":true}"#,
        r#"{"data":{"active":true}}"#,
    ];
    assert_unavailable_with(bodies.map(Answer::json)).await;
}

#[tokio::test]
async fn answer_with_a_claim_of_the_wrong_type_is_a_failure() {
    let claims = [
        json!({"exp": "soon"}),
        json!({"exp": {}}),
        json!({"nbf": "0"}),
        json!({"iat": []}),
        json!({"aud": 7}),
        json!({"aud": {}}),
        json!({"aud": ["a", 7]}),
        json!({"scope": 7}),
        json!({"scope": "notes.read\tother"}),
        json!({"scope": "notes.read\"x"}),
        json!({"iss": 1}),
        json!({"sub": {}}),
        json!({"token_type": 1}),
    ];
    let answers = claims.map(|mut claim| {
        claim["active"] = json!(true);
        Answer::json(&claim.to_string())
    });
    assert_unavailable_with(answers).await;
}

#[tokio::test]
async fn malformed_body_is_a_failure() {
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    assert_unavailable_with([
        Answer::json(""),
        Answer::json(r#"{"active":true"#),
        Answer::json("\u{feff}{\"active\":true}"),
        Answer::json("{\"active\":true}\n{\"active\":true}"),
        Answer::json(r#"[{"active":true}]"#),
        Answer::json(&format!(r#"{{"active":true,"x":{deep}}}"#)),
        http(200, "application/json", b"{\"active\":true,\"sub\":\"\xff\"}".to_vec()),
        Answer::json(&format!(r#"{{"active":true,"x":"{}"}}"#, "x".repeat(10_000_000))),
    ])
    .await;
}

#[tokio::test]
async fn other_content_type_is_a_failure() {
    let kinds = [
        "",
        "text/html",
        "text/plain",
        "application/jwt",
        "application/token-introspection+jwt",
        "application/jsonx",
    ];
    assert_unavailable_with(kinds.map(|kind| http(200, kind, r#"{"active":true}"#))).await;
}

#[tokio::test]
async fn other_status_is_a_failure() {
    let statuses = [201, 202, 204, 400, 404, 405, 429, 500, 502, 503];
    assert_unavailable_with(statuses.map(|status| match status {
        204 => Answer::Raw(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        status => http(status, "application/json", r#"{"active":true}"#),
    }))
    .await;
}

#[tokio::test]
async fn redirect_is_never_followed() {
    let world = World::start().await;
    let token = world.token();
    for status in [301, 302, 303, 307, 308] {
        let location = format!("{}/introspect", world.authorization_server.issuer());
        world.authorization_server.answer_with(Answer::Redirect(status, location));
        let before = world.authorization_server.received().len();
        world.assert_unavailable(&world.call().bearer(&token).send().await);
        assert_eq!(world.authorization_server.received().len(), before + 1, "{status}");
    }
}

#[tokio::test]
async fn broken_connection_is_a_failure() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    assert_unavailable_with([
        Answer::Close,
        Answer::Raw(b"not HTTP at all\r\n\r\n".to_vec()),
        Answer::Raw(format!("{head}Content-Length: 100\r\n\r\n{{\"active\":true}}").into_bytes()),
        Answer::Raw(
            format!("{head}Transfer-Encoding: chunked\r\n\r\nf\r\n{{\"active\":true}}")
                .into_bytes(),
        ),
    ])
    .await;
}

#[tokio::test]
async fn silence_and_stalled_answers_are_waited_for_until_the_timeout() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n";
    assert_unavailable_with([
        Answer::Stall(Vec::new()),
        Answer::Stall(b"HTTP/1.1 200".to_vec()),
        Answer::Stall(format!("{head}{{\"active\":").into_bytes()),
    ])
    .await;
}

#[tokio::test]
async fn timeout_is_counted_apart_from_other_failures() {
    let world = World::with(&NOTES.replace("client:", MINUTE)).await;
    world.authorization_server.answer_with(Answer::Stall(Vec::new()));
    world.assert_unavailable(&world.authorized().send().await);
    world.authorization_server.answer_with(Answer::status(500));
    world.assert_unavailable(&world.authorized().send().await);
    for outcome in ["timeout", "error"] {
        let series = format!(
            r#"gatehouse_introspection_requests_total{{authorization_server="corp",outcome="{outcome}"}}"#
        );
        assert!((world.gateway.metric(&series).await - 1.0).abs() < 0.1, "{outcome}");
    }
}

#[tokio::test]
async fn one_failing_token_does_not_spoil_another() {
    let world = World::start().await;
    let (bad, good) = (world.token(), world.token());
    world.authorization_server.answer_for(&bad, Answer::status(500));
    world.assert_unavailable(&world.call().bearer(&bad).send().await);
    assert_answered(&world.call().bearer(&good).send().await);
}

#[tokio::test]
async fn unsupported_token_type_is_an_answer_about_the_token() {
    let world = World::start().await;
    world.authorization_server.answer_with(Answer::error(400, "unsupported_token_type"));
    for _ in 0..3 {
        let response = world.call().bearer("some-token").send().await;
        world.assert_invalid_token(&response, "The access token is not valid");
    }
    assert_eq!(world.authorization_server.introspection_count(), 1, "it is remembered");
}
