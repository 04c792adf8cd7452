//! Credentials: one bearer token in one `Authorization` field, and nothing else is one.

use crate::{
    harness::{
        NOTES, PING, World, assert_answered,
        client::{Call, RawClient},
    },
    oracle::{Challenge, refused, still_serves, untouched},
};

/// Sends each call and asserts the same refusal of each; the authorization server is not asked.
async fn assert_all_refused(
    world: &World,
    calls: impl IntoIterator<Item = (String, Call)>,
    status: u16,
    challenge: Challenge,
) {
    for (what, call) in calls {
        refused(world, &what, &call.send().await, status, challenge);
    }
    assert_eq!(world.authorization_server.introspection_count(), 0, "nothing was worth asking");
    still_serves(world).await;
}

/// Calls with these values of `Authorization`.
fn with_values<'a>(
    world: &World,
    values: impl IntoIterator<Item = &'a str>,
) -> Vec<(String, Call)> {
    let call = |value: &str| world.call().header("Authorization", value);
    values.into_iter().map(|value| (format!("{value:?}"), call(value))).collect()
}

/// A01, L08: without credentials every method is challenged, without `error`.
#[tokio::test]
async fn request_without_authorization() {
    let world = World::start().await;
    let plain = |method: &str| (method.to_owned(), world.gateway.request(method, "/notes"));
    let calls = ["GET", "DELETE"].map(plain);
    let calls = calls.into_iter().chain([("POST".to_owned(), world.call())]);
    assert_all_refused(&world, calls, 401, Challenge::Plain).await;
}

/// A02, A12: two fields are refused in any order; never does one of them win.
#[tokio::test]
async fn cve_2026_26308_two_authorization_fields() {
    let world = World::start().await;
    let good = format!("Bearer {}", world.token());
    let pairs = [
        [&*good, "Bearer bad"],
        ["Bearer bad", &good],
        [&good, &good],
        ["Basic YTpi", &good],
        [&good, "Basic YTpi"],
        ["", &good],
        [&good, ""],
        ["DPoP x", &good],
    ];
    let calls = pairs.map(|pair| {
        let call = pair.iter().fold(world.call(), |call, each| call.header("authorization", each));
        (format!("{pair:?}"), call)
    });
    assert_all_refused(&world, calls, 400, Challenge::Error("invalid_request")).await;
}

/// A03, A05, A07, A18: what stands where a token should be is not one.
#[tokio::test]
async fn malformed_bearer_tokens() {
    let world = World::start().await;
    let good = world.token();
    let mut values: Vec<String> = [
        "Bearer  TOKEN",
        "Bearer\tTOKEN",
        "Bearer \tTOKEN",
        "Bearer TOKEN, Bearer TOKEN",
        "Bearer TOKEN,Bearer bad",
        "Bearer bad, Bearer TOKEN",
        "Bearer Bearer TOKEN",
        "Bearer TOKEN TOKEN",
        "Bearer: TOKEN",
        "Bearer=TOKEN",
        "Bearer \"TOKEN\"",
        "Bearer token=TOKEN",
        "Bearer [object Object]",
        "Bearer =",
        "Bearer {TOKEN}",
    ]
    .map(|value| value.replace("TOKEN", &good))
    .to_vec();
    for odd in [" ", "\"", ",", ";", "\\", "%", "\t", "@", ":", "&", "\u{e9}", "\u{ff}", "=x"] {
        values.push(format!("Bearer abc{odd}def"));
    }
    let calls = with_values(&world, values.iter().map(String::as_str));
    assert_all_refused(&world, calls, 400, Challenge::Error("invalid_request")).await;
}

/// A07: raw bytes that no field value may have are refused by the reader of the head.
#[tokio::test]
async fn control_bytes_in_a_token() {
    let world = World::start().await;
    let address = world.gateway.address();
    for (byte, status) in
        [(0x00, 400), (0x0a, 400), (0x0d, 400), (0x1b, 400), (0x7f, 400), (0x80, 400), (0xff, 400)]
    {
        let start = format!("POST /notes HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer a");
        let end = b"b\r\nContent-Length: 2\r\n\r\n{}";
        let mut client = RawClient::connect(address).await;
        client.send([start.as_bytes(), &[byte], end].concat()).await;
        let response = client.response().await;
        let challenge =
            if byte < 0x80 { Challenge::Without } else { Challenge::Error("invalid_request") };
        refused(&world, &format!("{byte:#x}"), &response, status, challenge);
    }
    assert_eq!(world.authorization_server.introspection_count(), 0);
    still_serves(&world).await;
}

/// A05, A11, A17: no token, or credentials of a scheme that is not taken.
#[tokio::test]
async fn other_schemes_and_empty_values() {
    let world = World::start().await;
    let token = world.token();
    let bare = format!("Bearer{token}");
    let basic = format!("Basic {token}");
    let dpop = format!("DPoP {token}");
    let lone = token.replace('-', "");
    let values = [
        "",
        "   ",
        "\t",
        "Bearer",
        "Bearer ",
        "bearer    ",
        &bare,
        &basic,
        &dpop,
        &lone,
        "Basic dXNlcjpwYXNz",
        "Digest username=\"a\"",
        "Negotiate YII=",
        "NTLM TlRM",
        "HOBA result=\"x\"",
        "AWS4-HMAC-SHA256 Credential=x",
        "Unknown x",
    ];
    assert_all_refused(&world, with_values(&world, values), 401, Challenge::Plain).await;
}

/// A04: the scheme is case-insensitive (RFC 9110 section 11.1).
#[tokio::test]
async fn scheme_in_any_case() {
    let world = World::start().await;
    let token = world.token();
    for scheme in ["Bearer", "bearer", "BEARER", "BeArEr"] {
        let call = world.call().header("Authorization", &format!("{scheme} {token}"));
        assert_answered(&call.send().await);
    }
}

/// A18: what broken clients send in place of a token is asked about, and unknown.
#[tokio::test]
async fn words_in_place_of_a_token() {
    let world = World::start().await;
    for word in ["null", "undefined", "None", "true", "0", "..", "/", "~", "a=="] {
        let response = world.call().bearer(word).send().await;
        refused(&world, word, &response, 401, Challenge::Error("invalid_token"));
    }
    still_serves(&world).await;
}

/// A08, A09: a token in the query is refused whatever else there is, and wherever it is sent.
#[tokio::test]
async fn token_in_the_query() {
    let world = World::start().await;
    let token = world.token();
    let call = |query: &str| world.gateway.post(&format!("/notes?{query}")).body(PING);
    let mut calls = Vec::new();
    for query in [
        format!("access_token={token}"),
        format!("a=b&access_token={token}"),
        format!("access%5ftoken={token}"),
        format!("%61ccess_token={token}"),
        format!("access_token={token}&access_token={token}"),
        "access_token=".to_owned(),
        "access_token".to_owned(),
    ] {
        calls.push((query.clone(), call(&query)));
        calls.push((format!("{query} and a field"), call(&query).bearer(&token)));
        let get = world.gateway.get(&format!("/notes?{query}")).bearer(&token);
        calls.push((format!("GET {query}"), get));
    }
    assert_all_refused(&world, calls, 400, Challenge::Error("invalid_request")).await;
}

/// A08: on a public route as well, for it would be logged and forwarded.
#[tokio::test]
async fn token_in_the_query_of_a_public_route() {
    let open = "  open:\n    path: /open\n    upstream: UPSTREAM\n    access: public\n";
    let world = World::with(&format!("{NOTES}{open}")).await;
    for query in ["access_token=secret", "a=b&access%5Ftoken=secret"] {
        let response = world.gateway.post(&format!("/open?{query}")).body(PING).send().await;
        assert_eq!(response.status, 400, "{query}: {response:?}");
        assert_eq!(response.header("www-authenticate"), None, "{query}");
        assert!(!response.text().contains("secret"), "{response:?}");
        untouched(&world, query);
    }
    assert_answered(&world.gateway.post("/open?a=b").body(PING).send().await);
}

/// A10, A13, A14: a token anywhere else is no credential.
#[tokio::test]
async fn cve_2025_64484_token_in_any_other_place() {
    let world = World::start().await;
    let token = world.token();
    let bearer = format!("Bearer {token}");
    let cookie = format!("access_token={token}; Authorization=Bearer {token}");
    let mut calls = Vec::new();
    for (name, value) in [
        ("Proxy-Authorization", &bearer),
        ("X-Authorization", &bearer),
        ("Authorization_", &bearer),
        ("X-Forwarded-Authorization", &bearer),
        ("X_Authorization", &bearer),
        ("X-Forwarded-Access-Token", &token),
        ("X-Access-Token", &token),
        ("X-Auth-Token", &token),
        ("X-Mcp-Auth", &bearer),
        ("X-Mcp-Proxy-Auth", &bearer),
        ("X-Api-Key", &token),
        ("Api-Key", &token),
        ("Sec-WebSocket-Protocol", &bearer),
        ("Cookie", &cookie),
    ] {
        calls.push((name.to_owned(), world.call().header(name, value)));
    }
    let form = format!("access_token={token}");
    let form_call = world.gateway.request("POST", "/notes").body(form);
    calls.push((
        "form".to_owned(),
        form_call.header("Content-Type", "application/x-www-form-urlencoded"),
    ));
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"_meta":{{"authorization":"{bearer}","access_token":"{token}"}}}}}}"#
    );
    calls.push(("_meta".to_owned(), world.call().body(body)));
    assert_all_refused(&world, calls, 401, Challenge::Plain).await;
}

/// A15, A16: a token of absurd size costs nothing but its reading.
#[tokio::test]
async fn cve_2025_30204_overlong_tokens() {
    let world = World::start().await;
    let long = "a".repeat(16 * 1024 + 1);
    let dots = ".".repeat(20_000);
    for (what, token) in [("16 KiB and 1", &long), ("dots", &dots)] {
        let response = world.call().bearer(token).send().await;
        refused(&world, what, &response, 400, Challenge::Error("invalid_request"));
    }
    for size in [64 * 1024, 1024 * 1024] {
        for unit in ["a", "."] {
            let mut client = RawClient::connect(world.gateway.address()).await;
            client.try_send(world.call().bearer(&unit.repeat(size)).bytes()).await;
            let response = client.response().await;
            refused(&world, &format!("{size} times {unit}"), &response, 431, Challenge::Without);
        }
    }
    assert_eq!(world.authorization_server.introspection_count(), 0);
    let fits = "a".repeat(8 * 1024);
    world.authorization_server.know(&fits, &world.claims().json());
    assert_answered(&world.call().bearer(&fits).send().await);
}

/// A20: `Connection` cannot take the token, or anything else that counts, off the message.
#[tokio::test]
async fn cve_2024_45410_authorization_named_by_connection() {
    let world = World::start().await;
    let names = ["authorization", "Authorization", "close, AUTHORIZATION", "host", "origin"];
    let calls = names.map(|name| (name.to_owned(), world.authorized().header("Connection", name)));
    assert_all_refused(&world, calls, 400, Challenge::Without).await;
}

/// A22: a token counts for its own request, not for the connection.
#[tokio::test]
async fn token_counts_for_one_request() {
    let world = World::start().await;
    let mut client = RawClient::connect(world.gateway.address()).await;
    for _ in 0..3 {
        client.send(world.authorized().bytes()).await;
        assert_answered(&client.response().await);
        let seen = world.upstream.bytes_received();
        client.send(world.call().bytes()).await;
        let response = client.response().await;
        assert_eq!(response.status, 401);
        assert_eq!(response.header("www-authenticate"), Some(&*world.challenge("")));
        assert_eq!(world.upstream.bytes_received(), seen);
    }
}

/// A25: nobody is asked for a body that will not be used.
#[tokio::test]
async fn expect_continue_with_a_bad_token_gets_the_answer_at_once() {
    let world = World::start().await;
    for (call, challenge) in [
        (world.call(), Challenge::Plain),
        (world.call().bearer("bad"), Challenge::Error("invalid_token")),
    ] {
        let mut client = RawClient::connect(world.gateway.address()).await;
        client.send(call.header("Expect", "100-continue").head_bytes()).await;
        let response = client.head().await;
        refused(&world, "expect", &response, 401, challenge);
        assert_eq!(response.header("connection"), Some("close"));
    }
    let mut client = RawClient::connect(world.gateway.address()).await;
    client.send(world.authorized().header("Expect", "100-continue").head_bytes()).await;
    assert_eq!(client.head().await.status, 100);
    untouched(&world, "before the body");
    client.send(PING).await;
    assert_answered(&client.response().await);
    assert_eq!(world.upstream.only_request().header("expect"), None);
}

/// P11: who is refused and leaves before the answer is counted all the same.
#[tokio::test]
async fn refused_client_that_leaves_early_is_counted() {
    const DENIED: &str =
        r#"gatehouse_auth_decisions_total{outcome="denied",reason="missing_token",route="notes"}"#;
    let world = World::start().await;
    let call = world.call().body(PING);
    let mut client = RawClient::connect(world.gateway.address()).await;
    // Its body never comes; the gateway would wait for the id in it.
    client.send(call.head_bytes()).await;
    drop(client);
    world.gateway.counts(DENIED, 1.0).await;
    untouched(&world, "left");
}
