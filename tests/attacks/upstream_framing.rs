//! The upstream's side of HTTP/1: its framing is trusted as little as a client's, and what we send
//! it leaves nothing to guess.

use crate::harness::{
    NOTES, PING, World, assert_answered,
    client::RawClient,
    clock::{eventually, within},
    raw::RawResponse,
    upstream::{RESULT, Reply},
};

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";

/// Asserts the 502 that tells nothing of the upstream's answer.
#[track_caller]
fn assert_bad_gateway(what: &str, response: &RawResponse) {
    assert_eq!(response.status, 502, "{what}: {response:?}");
    assert_eq!(response.header("www-authenticate"), None, "{what}");
    for text in ["canary", "chunked", "upstream"] {
        assert!(!response.text().contains(text), "{what}: {response:?}");
    }
}

/// C16: a switch of protocols is no answer.
#[tokio::test]
async fn switching_protocols_is_a_bad_gateway() {
    let world = World::start().await;
    for head in ["", "Upgrade: websocket\r\nConnection: Upgrade\r\n", "Upgrade: h2c\r\n"] {
        let answer = format!("HTTP/1.1 101 Switching Protocols\r\n{head}\r\ncanary");
        world.upstream.next(Reply::RawThenClose(answer.into_bytes()));
        let call = world.authorized().header("Connection", "Upgrade").header("Upgrade", "h2c");
        assert_bad_gateway(head, &call.send().await);
    }
}

/// C16: interim answers are dropped; a flood of them is not followed for ever.
#[tokio::test]
async fn interim_answers_are_dropped() {
    let world = World::start().await;
    for (interim, count) in [("100 Continue", 1), ("103 Early Hints", 3), ("102 Processing", 20)] {
        let interim = format!("HTTP/1.1 {interim}\r\nX-Canary: canary\r\n\r\n").repeat(count);
        let answer = format!("{interim}{HEAD}Content-Length: {}\r\n\r\n{RESULT}", RESULT.len());
        world.upstream.next(Reply::Raw(answer.into_bytes()));
        let response = world.authorized().send().await;
        assert_answered(&response);
        assert_eq!(response.header("x-canary"), None);
    }
}

/// C20: framing that two readers could read differently.
#[tokio::test]
async fn cve_2026_71324_ambiguous_framing_of_an_answer() {
    let world = World::start().await;
    for (fields, body) in [
        ("Content-Length: 8\r\nTransfer-Encoding: chunked\r\n", "6\r\ncanary\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 8\r\n", "6\r\ncanary\r\n0\r\n\r\n"),
        ("Content-Length: 6\r\nContent-Length: 7\r\n", "canary!"),
        ("Content-Length: 6, 7\r\n", "canary!"),
        ("Content-Length: -6\r\n", "canary"),
        ("Content-Length: +6\r\n", "canary"),
        ("Content-Length: six\r\n", "canary"),
        ("Transfer-Encoding: gzip, chunked\r\n", "6\r\ncanary\r\n0\r\n\r\n"),
        ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", "6\r\ncanary\r\n0\r\n\r\n"),
        ("Transfer-Encoding: gzip\r\n", "canary"),
        ("Transfer-Encoding : chunked\r\n", "6\r\ncanary\r\n0\r\n\r\n"),
    ] {
        let answer = format!("{HEAD}{fields}\r\n{body}");
        world.upstream.next(Reply::RawThenClose(answer.into_bytes()));
        assert_bad_gateway(fields, &world.authorized().send().await);
    }
    assert_answered(&world.authorized().send().await);
}

/// C20: what an upstream says behind its answer is nobody's answer.
#[tokio::test]
async fn bytes_behind_an_answer_reach_no_client() {
    let stray = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ncanary";
    for first in [
        format!("{HEAD}Content-Length: {}\r\n\r\n{RESULT}{stray}", RESULT.len()),
        format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n25\r\n{RESULT}\r\n0\r\n\r\n{stray}"),
        format!("HTTP/1.1 204 No Content\r\n\r\n{stray}"),
        format!("HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\ncanary{stray}"),
        format!("{HEAD}Content-Length: {}\r\n\r\n{RESULT}\r\n\r\ngarbage", RESULT.len()),
    ] {
        let world = World::start().await;
        world.upstream.next(Reply::Raw(first.clone().into_bytes()));
        let mut client = world.authorized().open().await;
        let response = client.response().await;
        assert!(matches!(response.status, 200 | 204 | 502), "{first}: {response:?}");
        assert!(!response.text().contains("canary"), "{first}: {response:?}");
        for n in 0..3 {
            // A connection that brought stray bytes may cost its next request, which is then
            // refused: nothing else may come of it.
            let response = world.authorized().header("X-Number", &n.to_string()).send().await;
            let is_own = response.status == 200 && response.text() == RESULT;
            assert!(is_own || response.status == 502, "{first}: {response:?}");
        }
        assert_answered(&world.authorized().send().await);
    }
}

/// C20: a short body is told as such.
#[tokio::test]
async fn answer_shorter_than_its_length_is_not_whole() {
    let world = World::start().await;
    for fields in ["Content-Length: 100\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n5\r\n{}"] {
        world.upstream.next(Reply::RawThenClose(format!("{HEAD}{fields}").into_bytes()));
        let mut client = world.authorized().open().await;
        if let Ok(response) = within("a response", client.reader.response("POST")).await {
            assert!(!response.is_whole || response.status == 502, "{fields}: {response:?}");
        }
        client.closed().await;
    }
}

/// C20: HTTP/1.0 upstream is our hop's business; the client is spoken to in its own version.
#[tokio::test]
async fn http_1_0_answer_goes_out_as_http_1_1() {
    let world = World::start().await;
    let length = RESULT.len();
    for answer in [
        format!("HTTP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n{RESULT}"),
        format!("HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n{RESULT}"),
    ] {
        world.upstream.next(Reply::RawThenClose(answer.into_bytes()));
        let mut client = world.authorized().open().await;
        let line = within("a status line", client.reader.until(b"\r\n")).await.unwrap();
        assert!(line.starts_with(b"HTTP/1.1 200"), "{}", line.escape_ascii());
        let head = within("a head", client.reader.until(b"\r\n\r\n")).await.unwrap();
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let is_framed = head.contains("content-length") || head.contains("transfer-encoding");
        assert!(is_framed, "{head}");
    }
    let mut client = world.authorized().open().await;
    assert_answered(&client.response().await);
}

/// C21: a request that may have arrived is never sent again.
#[tokio::test]
async fn post_is_never_sent_twice() {
    let world = World::start().await;
    for n in 0..20 {
        let mut client = world.authorized().open().await;
        assert_answered(&client.response().await);
        world.upstream.next(Reply::CloseAtOnce);
        let mark = format!("once-{n}-once");
        let response = world.authorized().header("X-Mark", &mark).send().await;
        assert_bad_gateway(&mark, &response);
        assert_eq!(world.upstream.log().matches(&mark).count(), 1, "{mark}");
    }
}

/// C22: two routes to one host and port never borrow each other's credential.
#[tokio::test]
async fn cve_2026_54765_routes_to_one_upstream_keep_their_own_credentials() {
    let own = |key: &str| {
        format!("upstream: {{urls: [UPSTREAM], headers: {{Authorization: Basic {key}}}}}")
    };
    let yaml = NOTES.replace("upstream: UPSTREAM", &own("bm90ZXM="));
    let other = format!(
        "  other:\n    path: /other\n    {}\n    audiences: [GATEWAY/notes]\n    required_scopes: []\n",
        own("b3RoZXI=")
    );
    let world = World::with(&format!("{yaml}{other}")).await;
    let token = world.token();
    for n in 0..20 {
        let (path, key) = [("/notes", "bm90ZXM="), ("/other", "b3RoZXI=")][n % 2];
        assert_answered(&world.gateway.post(path).bearer(&token).body(PING).send().await);
        let request = world.upstream.requests().pop().unwrap();
        let sent: Vec<_> =
            request.headers.iter().filter(|(name, _)| name == "authorization").collect();
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].1, format!("Basic {key}"));
    }
}

/// C25: what we send has one `Host`, one length, and nothing that belonged to the client's hop.
#[tokio::test]
async fn request_upstream_leaves_nothing_to_guess() {
    let world = World::start().await;
    let chunked = |call: crate::harness::client::Call| call.header("Transfer-Encoding", "chunked");
    let noisy = || {
        [
            ("Connection", "keep-alive, X-Hop, Trailer, TE"),
            ("Keep-Alive", "timeout=1"),
            ("Proxy-Connection", "keep-alive"),
            ("TE", "trailers, deflate"),
            ("Trailer", "X-Later"),
            ("Upgrade", "h2c"),
            ("X-Hop", "1"),
            ("Content_Length", "0"),
            ("Transfer_Encoding", "chunked"),
        ]
        .into_iter()
        .fold(world.gateway.post("/notes").bearer(&world.token()), |call, (name, value)| {
            call.header(name, value)
        })
    };
    let chunks = format!("10\r\n{}\r\n18\r\n{}\r\n0\r\n\r\n", &PING[..16], &PING[16..]);
    let sized = noisy().body(PING).bytes();
    let chunked = [&*chunked(noisy()).head_bytes(), chunks.as_bytes()].concat();
    for (bytes, body) in [(sized, PING), (chunked, PING)] {
        let seen = world.upstream.log().len();
        let mut client = RawClient::connect(world.gateway.address()).await;
        client.send(bytes).await;
        assert_answered(&client.response().await);
        let log = world.upstream.log()[seen..].to_owned();
        let (head, sent) = log.split_once("\r\n\r\n").unwrap();
        let head = head.to_ascii_lowercase();
        let count = |name: &str| head.matches(&format!("\r\n{name}:")).count();
        assert_eq!((count("host"), count("content-length")), (1, 1), "{head}");
        assert!(head.contains(&format!("\r\nhost: {}\r\n", world.upstream.authority())));
        assert!(head.contains(&format!("\r\ncontent-length: {}", body.len())), "{head}");
        assert_eq!(sent, body);
        for name in [
            "connection",
            "keep-alive",
            "proxy-connection",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
            "x-hop",
            "transfer_encoding",
            "content_length",
        ] {
            assert_eq!(count(name), 0, "{name}: {head}");
        }
    }
}

/// C20: a connection whose answer ended oddly is not used again.
#[tokio::test]
async fn connection_that_says_it_closes_is_not_used_again() {
    let world = World::start().await;
    for n in 1..=5 {
        let answer =
            format!("{HEAD}Connection: close\r\nContent-Length: {}\r\n\r\n{RESULT}", RESULT.len());
        world.upstream.next(Reply::Raw(answer.into_bytes()));
        assert_answered(&world.authorized().send().await);
        eventually("a connection each", || match world.upstream.closed() {
            closed if closed == n => Ok(()),
            other => Err(other.to_string()),
        })
        .await;
    }
}
