//! What an upstream says about itself, or for us, stays behind.

use crate::harness::{
    World, assert_answered,
    raw::RawResponse,
    upstream::{Feed, RESULT, Reply},
};

/// Asserts the 502 that tells nothing of the upstream's answer.
#[track_caller]
fn assert_bad_gateway(what: &str, response: &RawResponse) {
    assert_eq!(response.status, 502, "{what}: {response:?}");
    for name in ["www-authenticate", "location", "mcp-session-id", "set-cookie", "refresh"] {
        assert_eq!(response.header(name), None, "{what}: {name}");
    }
    let all = format!("{response:?}");
    assert!(!all.contains("canary"), "{what}: {all}");
}

/// H13: an upstream cannot start a login elsewhere with our client's user.
#[tokio::test]
async fn challenge_of_an_upstream_never_passes() {
    let world = World::start().await;
    let challenge = "Bearer realm=\"canary\", resource_metadata=\"http://canary.example/\"";
    for challenge in [challenge, "Basic realm=\"canary\"", "DPoP algs=\"canary\""] {
        let fields = [
            ("WWW-Authenticate", challenge),
            ("Proxy-Authenticate", challenge),
            ("Authentication-Info", "canary"),
        ];
        world.upstream.next(Reply::with(401, &fields[..2], "canary"));
        assert_bad_gateway("401", &world.authorized().send().await);
        for status in [403, 407, 200] {
            world.upstream.next(Reply::with(status, &fields[..2], "{}"));
            let response = world.authorized().send().await;
            assert_eq!((response.status, &*response.text()), (status, "{}"));
            assert!(!format!("{response:?}").contains("canary"), "{status}: {response:?}");
        }
    }
}

/// H17: redirects are neither followed nor passed on.
#[tokio::test]
async fn redirect_is_a_bad_gateway() {
    let world = World::start().await;
    let elsewhere = World::start().await;
    for status in [300, 301, 302, 303, 304, 305, 307, 308, 399] {
        for call in [world.authorized(), world.gateway.get("/notes").bearer(&world.token())] {
            let location = elsewhere.upstream.url();
            world.upstream.next(Reply::with(status, &[("Location", &location)], ""));
            assert_bad_gateway(&status.to_string(), &call.send().await);
        }
    }
    assert_eq!(elsewhere.upstream.connections(), 0);
}

/// H15: an upstream's fields about itself, its cookies, and what would bind the client's browser.
#[tokio::test]
async fn fields_that_would_speak_for_us_never_pass() {
    let world = World::start().await;
    let names = [
        "Set-Cookie",
        "Set-Cookie2",
        "Access-Control-Allow-Origin",
        "Access-Control-Allow-Credentials",
        "Access-Control-Allow-Headers",
        "Access-Control-Max-Age",
        "Location",
        "Alt-Svc",
        "Clear-Site-Data",
        "Server",
        "X-Powered-By",
        "Link",
        "Refresh",
        "Strict-Transport-Security",
        "Keep-Alive",
        "Proxy-Authenticate",
        "Proxy-Connection",
        "Trailer",
        "Upgrade",
        "TE",
        "X-Hop",
        "X-Gatehouse-Anything",
        "X-Request-Id",
        "WWW-Authenticate",
    ];
    let mut fields: Vec<(&str, &str)> = names.iter().map(|name| (*name, "canary")).collect();
    fields.push(("Connection", "keep-alive, X-Hop"));
    fields.push(("Content-Type", "application/json"));
    for status in [200, 404, 500] {
        world.upstream.next(Reply::with(status, &fields, "{}"));
        let response = world.authorized().send().await;
        assert_eq!((response.status, &*response.text()), (status, "{}"));
        assert!(!format!("{response:?}").contains("canary"), "{response:?}");
    }
}

/// H15: trailers of an upstream are not fields, and do not pass.
#[tokio::test]
async fn trailers_of_an_upstream_never_pass() {
    let world = World::start().await;
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTrailer: Set-Cookie\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{RESULT}\r\n0\r\nSet-Cookie: canary\r\nWWW-Authenticate: canary\r\n\r\n",
        RESULT.len()
    );
    world.upstream.next(Reply::Raw(answer.into_bytes()));
    let mut client = world.authorized().header("TE", "trailers").open().await;
    let response = client.response().await;
    assert_answered(&response);
    assert_eq!(response.header("trailer"), None);
    client.send(world.authorized().bytes()).await;
    let next = client.response().await;
    assert_answered(&next);
    assert!(!format!("{next:?}").contains("canary"));
}

/// H16: a session that no client could send back is the upstream's fault.
#[tokio::test]
async fn unusable_session_ids_are_a_bad_gateway() {
    let world = World::start().await;
    let huge = "x".repeat(60_000);
    for id in ["", " ", "a b", "a\tb", "\u{e9}", "a\u{7f}b", &*huge, &"x".repeat(2000)] {
        let text = format!(
            "HTTP/1.1 200 OK\r\nX-Canary: canary\r\nMcp-Session-Id: {id}\r\nContent-Length: 2\r\n\r\n{{}}"
        );
        world.upstream.next(Reply::RawThenClose(text.into_bytes()));
        let what = format!("{:?}", id.chars().take(20).collect::<String>());
        assert_bad_gateway(&what, &world.authorized().send().await);
    }
    for pair in [["a", "a"], ["a", "b"]] {
        let fields = pair.map(|id| ("Mcp-Session-Id", id));
        world.upstream.next(Reply::with(200, &fields, "{}"));
        assert_bad_gateway("two", &world.authorized().send().await);
    }
}

/// H16, C20: a line break smuggled into a field splits no response.
#[tokio::test]
async fn odd_bytes_in_an_answers_head_split_nothing() {
    let world = World::start().await;
    for head in [
        "Mcp-Session-Id: a\nSet-Cookie: canary\r\n",
        "X: a\rSet-Cookie: canary\r\n",
        "X: a\n\nHTTP/1.1 200 OK\r\nX-Canary: canary\r\n",
        "X: a\0b\r\n",
        " Folded: canary\r\n",
        "X: a\r\n folded canary\r\n",
        "X : canary\r\n",
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{head}Content-Length: 2\r\n\r\n{{}}");
        world.upstream.next(Reply::RawThenClose(answer.into_bytes()));
        let response = world.authorized().send().await;
        let text = format!("{response:?}");
        assert!(!text.contains("canary") || response.status == 200, "{head:?}: {text}");
        for name in ["set-cookie", "x-canary"] {
            assert_eq!(response.header(name), None, "{head:?}");
        }
    }
    assert_answered(&world.authorized().send().await);
}

/// H12: a refusal of ours says nothing of the upstream's address or answer.
#[tokio::test]
async fn gateway_errors_name_no_upstream() {
    let world = World::start().await;
    let (feed, reply) =
        Feed::after(b"HTTP/1.1 200 OK\r\nContent-Length: nonsense canary\r\n".to_vec());
    world.upstream.next(reply);
    feed.cut();
    let response = world.authorized().send().await;
    assert_bad_gateway("broken", &response);
    assert!(!response.text().contains(&world.upstream.authority()), "{response:?}");
    assert!(!response.text().contains("127.0.0.1"), "{response:?}");
}

/// H20: equal JSON-RPC ids of many clients never mix.
#[tokio::test]
async fn cve_2026_25536_answers_of_concurrent_clients_do_not_mix() {
    let world = World::start().await;
    world.upstream.answer(|request| Reply::json(request.header("x-client").unwrap_or("none")));
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..500 {
        let call = world.authorized().header("X-Client", &format!("client-{n}"));
        calls.spawn(async move { (n, call.send().await) });
    }
    while let Some(done) = calls.join_next().await {
        let (n, response) = done.unwrap();
        assert_eq!(response.text(), format!("client-{n}"));
    }
}
