//! What an upstream does wrong, and what the client hears of it.

use crate::harness::{
    NOTES, World, assert_answered,
    clock::{eventually, within},
    raw::RawResponse,
    refusal,
    upstream::{Feed, Reply},
};

/// Asserts a refusal whose cause is the upstream: no challenge, nothing of its answer.
#[track_caller]
fn assert_gateway_error(response: &RawResponse, status: u16, message: &str) {
    assert_eq!(response.status, status, "{response:?}");
    let id = response.header("x-request-id").unwrap();
    assert_eq!(response.text().replace(id, "ID"), refusal_for(response, message));
    for name in ["www-authenticate", "location", "set-cookie", "upgrade", "server"] {
        assert_eq!(response.header(name), None, "{name}");
    }
}

/// The `id` of a POST was read with its body, that of other methods is `null`.
fn refusal_for(response: &RawResponse, message: &str) -> String {
    let id = if response.text().contains(r#""id":1,"#) { "1" } else { "null" };
    refusal(id, -32000, message)
}

const REDIRECT: &str = "HTTP/1.1 STATUS Moved\r\nLocation: http://evil.example/\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n";

#[tokio::test]
async fn answer_that_must_not_pass_is_a_bad_gateway() {
    let world = World::start().await;
    let challenge = "HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer realm=\"theirs\", resource_metadata=\"http://evil.example/\"\r\nContent-Length: 2\r\n\r\nno";
    let switch =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let redirects = [300, 301, 302, 303, 304, 305, 307, 308];
    let redirects = redirects.map(|status| REDIRECT.replace("STATUS", &status.to_string()));
    for bytes in redirects.iter().map(String::as_str).chain([challenge, switch]) {
        world.upstream.next(Reply::RawThenClose(bytes.as_bytes().to_vec()));
        assert_gateway_error(&world.authorized().send().await, 502, "Bad gateway");
    }
}

#[tokio::test]
async fn answer_that_is_not_http_is_a_bad_gateway() {
    let world = World::start().await;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    for bytes in [
        String::new(),
        "SSH-2.0-OpenSSH_9.0\r\n".to_owned(),
        "HTTP/1.1 200".to_owned(),
        "HTTP/1.1 999999 OK\r\n\r\n".to_owned(),
        format!("{head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}"),
        format!(
            "{head}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
        ),
        format!("{head}Content-Length: -1\r\n\r\n{{}}"),
        format!("{head}bad header\r\n\r\n"),
        format!("{head}X: {}\r\n\r\n", "x".repeat(200_000)),
    ] {
        world.upstream.next(Reply::RawThenClose(bytes.clone().into_bytes()));
        let response = world.authorized().send().await;
        assert_gateway_error(&response, 502, "Bad gateway");
    }
    assert_answered(&world.authorized().send().await);
}

#[tokio::test]
async fn body_that_breaks_its_own_framing_is_cut() {
    let world = World::start().await;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    for bytes in [
        format!("{head}Content-Length: 100\r\n\r\n{{\"half\":"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n{{}}\r\n"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\n{{}}"),
    ] {
        world.upstream.next(Reply::RawThenClose(bytes.into_bytes()));
        let mut client = world.authorized().open().await;
        // What is broken from the start is a 502; once the head has gone out, the client is cut off.
        match within("a response", client.reader.response("POST")).await {
            Ok(response) if response.status == 502 => assert!(response.is_whole, "{response:?}"),
            Ok(response) => {
                assert!(!response.is_whole, "{response:?}");
                client.closed().await;
            }
            Err(_) => client.closed().await,
        }
    }
}

#[tokio::test]
async fn unreachable_upstream_is_a_bad_gateway() {
    let world = World::start().await;
    world.upstream.stop();
    let response = loop {
        let response = world.authorized().send().await;
        if response.status != 200 {
            break response;
        }
    };
    assert_gateway_error(&response, 502, "Bad gateway");
    let errors = r#"gatehouse_upstream_requests_total{outcome="error",route="notes"}"#;
    assert!(world.gateway.metric(errors).await > 0.5);
}

#[tokio::test]
async fn slow_upstream_is_a_gateway_timeout() {
    let upstream = "upstream: {urls: [UPSTREAM], response_timeout: 300ms}";
    let world = World::with(&NOTES.replace("upstream: UPSTREAM", upstream)).await;
    let (half, reply) = Feed::after(b"HTTP/1.1 200 OK\r\nContent-Ty".to_vec());
    for reply in [Reply::Silence, reply] {
        world.upstream.next(reply);
        assert_gateway_error(&world.authorized().send().await, 504, "Gateway timeout");
    }
    half.gone().await;
    let (feed, reply) = Feed::events();
    world.upstream.next(reply);
    let mut client = world.authorized().open().await;
    assert_eq!(client.head().await.status, 200);
    // The next request fails when the timeout has passed for the stream as well.
    world.upstream.next(Reply::Silence);
    assert_eq!(world.authorized().send().await.status, 504);
    feed.chunk("data: late\n\n");
    assert_eq!(client.events("data: late\n\n").await, "data: late\n\n", "streams have no limit");
}

#[tokio::test]
async fn every_other_status_passes_with_its_body() {
    let world = World::start().await;
    for status in [200, 201, 202, 400, 403, 404, 405, 406, 409, 410, 415, 422, 429, 500, 501, 503] {
        world.upstream.next(Reply::with(
            status,
            &[
                ("Content-Type", "application/json"),
                ("Allow", "POST"),
                ("Retry-After", "7"),
                ("WWW-Authenticate", "Bearer realm=\"theirs\""),
                ("Set-Cookie", "a=b"),
                ("Access-Control-Allow-Origin", "*"),
                ("Access-Control-Allow-Credentials", "true"),
                ("Alt-Svc", "h3=\":443\""),
                ("Server", "theirs"),
                ("X-Powered-By", "theirs"),
                ("X-Request-Id", "theirs"),
                ("Connection", "keep-alive, x-hop"),
                ("X-Hop", "1"),
                ("Keep-Alive", "timeout=5"),
                ("Proxy-Authenticate", "Basic"),
            ],
            "{\"theirs\":1}",
        ));
        let response = world.authorized().send().await;
        assert_eq!((response.status, &*response.text()), (status, "{\"theirs\":1}"));
        let mut names: Vec<&str> = response.headers.iter().map(|(name, _)| &**name).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "access-control-expose-headers",
                "allow",
                "content-length",
                "content-type",
                "date",
                "retry-after",
                "vary",
                "x-request-id",
            ]
        );
        assert_ne!(response.header("x-request-id"), Some("theirs"));
    }
    world.upstream.next(Reply::with(204, &[], ""));
    assert_eq!(world.authorized().send().await.status, 204);
}

#[tokio::test]
async fn interim_answer_does_not_count() {
    let world = World::start().await;
    let bytes = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    world.upstream.next(Reply::Raw(bytes.into()));
    let response = world.authorized().send().await;
    assert_eq!((response.status, response.text()), (200, "{}".to_owned()));
}

#[tokio::test]
async fn kept_connection_that_the_upstream_closed_fails_no_request() {
    let world = World::start().await;
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 37\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n".to_vec();
    for n in 1..=30 {
        world.upstream.next(Reply::RawThenClose(answer.clone()));
        assert_eq!(world.authorized().send().await.status, 200);
        // As with a server that closes idle connections: it has closed before the next request.
        eventually("closed", || match world.upstream.closed() {
            closed if closed == n => Ok(()),
            other => Err(other.to_string()),
        })
        .await;
    }
    assert_eq!(world.upstream.requests().len(), 30);
}

#[tokio::test]
async fn request_that_may_have_arrived_is_never_sent_twice() {
    let world = World::start().await;
    let mut client = world.authorized().open().await;
    assert_answered(&client.response().await);
    // On the kept connection now: received, and closed without an answer.
    world.upstream.next(Reply::CloseAtOnce);
    client.send(world.authorized().header("X-Marker", "once").bytes()).await;
    assert_gateway_error(&client.response().await, 502, "Bad gateway");
    assert_eq!(world.upstream.log().to_lowercase().matches("x-marker").count(), 1);
    client.send(world.authorized().bytes()).await;
    assert_answered(&client.response().await);
}
