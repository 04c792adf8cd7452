//! HTTP/2: the same judgement for every stream, whatever the frames can express beyond HTTP/1.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use hyper::{body::Frame, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpStream, task::JoinSet};
use tokio_util::task::TaskTracker;

use crate::{
    harness::{NOTES, PING, World, clock::within, raw::RawResponse, upstream::RESULT},
    oracle::{Challenge, refused, still_serves, untouched},
};

type Body = BoxBody<Bytes, Infallible>;

/// One connection whose requests are built field by field; clones share it.
#[derive(Clone)]
struct Connection(http2::SendRequest<Body>);

impl Connection {
    async fn open(world: &World) -> Self {
        let stream = TcpStream::connect(world.gateway.address()).await.unwrap();
        let builder = http2::Builder::new(TokioExecutor::new());
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
        // Detached on purpose: it ends with its senders.
        drop(TaskTracker::new().spawn(connection));
        Self(sender)
    }

    /// `None` when the stream or the connection was reset.
    async fn send(&mut self, request: Request<Body>) -> Option<RawResponse> {
        within("readiness", self.0.ready()).await.ok()?;
        let response = within("a response", self.0.send_request(request)).await.ok()?;
        let (parts, body) = response.into_parts();
        let field = |(name, value): (&http::HeaderName, &HeaderValue)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let headers = parts.headers.iter().map(field).collect();
        let body = within("a body", body.collect()).await.ok()?.to_bytes().to_vec();
        Some(RawResponse { status: parts.status.as_u16(), headers, body, is_whole: true })
    }
}

/// A POST to `notes` with these `authorization` values.
fn post(world: &World, values: &[&[u8]]) -> Request<Body> {
    let uri = format!("http://{}/notes", world.gateway.address());
    let mut request = Request::post(uri).header("content-type", "application/json");
    for value in values {
        request = request.header("authorization", HeaderValue::from_bytes(value).unwrap());
    }
    request.body(Full::new(PING.into()).boxed()).unwrap()
}

/// A02, A06, A12: two fields, and white space that HTTP/2 does not trim.
#[tokio::test]
async fn ambiguous_credentials_are_refused() {
    let world = World::start().await;
    let good = format!("Bearer {}", world.token());
    let mut connection = Connection::open(&world).await;
    let spaced = [format!(" {good}"), format!("{good} "), format!("\t{good}")];
    for values in [
        vec![good.as_str(), good.as_str()],
        vec![&good, "Bearer bad"],
        vec!["Bearer bad", &good],
        vec!["Basic YTpi", &good],
        vec![&spaced[0]],
        vec![&spaced[1]],
        vec![&spaced[2]],
    ] {
        let what = format!("{values:?}");
        let values: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
        // The library may refuse what its own grammar forbids; that is a refusal as well.
        if let Some(response) = connection.send(post(&world, &values)).await {
            refused(&world, &what, &response, 400, Challenge::Error("invalid_request"));
        } else {
            untouched(&world, &what);
            connection = Connection::open(&world).await;
        }
    }
    still_serves(&world).await;
}

/// A21: a field marked as never to be indexed is the same field.
#[tokio::test]
async fn never_indexed_authorization_is_read_alike() {
    let world = World::start().await;
    let good = format!("Bearer {}", world.token());
    let mut connection = Connection::open(&world).await;
    for is_sensitive in [false, true, true, false] {
        let mut request = post(&world, &[good.as_bytes()]);
        let value = request.headers_mut().get_mut("authorization").unwrap();
        value.set_sensitive(is_sensitive);
        let response = connection.send(request).await.unwrap();
        assert_eq!((response.status, response.text()), (200, RESULT.to_owned()));
    }
}

/// A22, A23: every stream of a connection is judged alone, however they interleave.
#[tokio::test]
async fn cve_2026_48529_identities_of_interleaved_streams_do_not_mix() {
    let world = World::start().await;
    world.upstream.answer(|request| {
        crate::harness::upstream::Reply::json(request.header("x-stream").unwrap_or("none"))
    });
    let good = format!("Bearer {}", world.token());
    let connection = Connection::open(&world).await;
    let mut streams = JoinSet::new();
    for n in 0..STREAMS {
        let (values, status): (&[&[u8]], u16) = match n % 4 {
            0 => (&[good.as_bytes()], 200),
            1 => (&[], 401),
            2 => (&[b"Bearer unknown"], 401),
            _ => (&[good.as_bytes(), good.as_bytes()], 400),
        };
        let mut request = post(&world, values);
        let mark = HeaderValue::from(n);
        request.headers_mut().insert("x-stream", mark);
        let mut connection = connection.clone();
        streams.spawn(async move { (n, status, connection.send(request).await) });
    }
    for _ in 0..STREAMS {
        let (n, status, response) = within("a stream", streams.join_next()).await.unwrap().unwrap();
        let response = response.unwrap();
        assert_eq!(response.status, status, "{n}");
        if status == 200 {
            assert_eq!(response.text(), n.to_string());
        }
    }
    assert_eq!(world.upstream.requests().len(), usize::from(STREAMS / 4));
    assert!(
        world.upstream.requests().iter().all(|request| {
            request.header("x-stream").unwrap().parse::<u16>().unwrap() % 4 == 0
        })
    );
}

/// B06: the library drops a fragment; what was matched is what is forwarded.
#[tokio::test]
async fn cve_2026_41059_fragment_never_reaches_the_upstream() {
    let world = World::start().await;
    let good = format!("Bearer {}", world.token());
    let mut request = post(&world, &[good.as_bytes()]);
    *request.uri_mut() =
        format!("http://{}/notes?a=b#/admin", world.gateway.address()).parse().unwrap();
    let response = Connection::open(&world).await.send(request).await.unwrap();
    assert_eq!(response.status, 200);
    assert_eq!(world.upstream.only_request().target, "/mcp?a=b");
}

/// B12, B14: one authority, without user information, and the same in `host`.
#[tokio::test]
async fn authority_that_is_ambiguous_or_foreign() {
    let world = World::start().await;
    let good = format!("Bearer {}", world.token());
    let own = world.gateway.address().to_string();
    for (authority, host, status) in [
        (own.as_str(), Some("evil.example"), 400),
        (&own, Some("localhost"), 400),
        (&own, Some(""), 400),
        ("evil.example", None, 421),
        ("evil.example", Some(&*own), 400),
        ("evil.example", Some("evil.example"), 421),
        ("127.0.0.1.evil.example", None, 421),
        ("127.0.0.1:0", None, 400),
    ] {
        let mut request = post(&world, &[good.as_bytes()]);
        *request.uri_mut() = format!("http://{authority}/notes").parse().unwrap();
        if let Some(host) = host {
            request.headers_mut().insert("host", host.parse().unwrap());
        }
        let what = format!("{authority} {host:?}");
        let mut connection = Connection::open(&world).await;
        match connection.send(request).await {
            Some(response) => refused(&world, &what, &response, status, Challenge::Without),
            None => untouched(&world, &what),
        }
    }
    let mut request = post(&world, &[good.as_bytes()]);
    *request.uri_mut() = format!("http://user:pass@{own}/notes").parse().unwrap();
    match Connection::open(&world).await.send(request).await {
        Some(response) => refused(&world, "userinfo", &response, 400, Challenge::Without),
        None => untouched(&world, "userinfo"),
    }
    still_serves(&world).await;
}

/// B16: no tunnel, also with a good token.
#[tokio::test]
async fn cve_2026_73547_connect_opens_no_tunnel() {
    let world = World::start().await;
    for target in [world.upstream.authority(), world.gateway.address().to_string()] {
        let mut request = post(&world, &[format!("Bearer {}", world.token()).as_bytes()]);
        *request.method_mut() = http::Method::CONNECT;
        *request.uri_mut() = target.parse().unwrap();
        match Connection::open(&world).await.send(request).await {
            Some(response) => refused(&world, &target, &response, 400, Challenge::Without),
            None => untouched(&world, &target),
        }
    }
    still_serves(&world).await;
}

/// B22, L03: an answer to HEAD has the length, and no body.
#[tokio::test]
async fn head_has_no_body() {
    let world = World::start().await;
    let mut connection = Connection::open(&world).await;
    let own = world.gateway.address();
    for (path, status) in [
        ("/.well-known/oauth-protected-resource/notes", 200),
        ("/.well-known/none", 404),
        ("/notes", 405),
        ("/none", 404),
    ] {
        let request = Request::head(format!("http://{own}{path}"));
        let request = request.body(Body::default()).unwrap();
        let response = connection.send(request).await.expect(path);
        assert_eq!((response.status, response.text()), (status, String::new()), "{path}");
        untouched(&world, path);
    }
    still_serves(&world).await;
}

/// D05, S03: many small fields count, and one large list is refused before anything is done.
#[tokio::test]
async fn cve_2026_49975_fields_are_counted() {
    let world = World::start().await;
    let good = format!("Bearer {}", world.token());
    for (name, count, size) in [("cookie", 1000, 4), ("x-small", 101, 0), ("x-large", 3, 30_000)] {
        let mut request = post(&world, &[good.as_bytes()]);
        for n in 0..count {
            let name = if name == "cookie" { name.to_owned() } else { format!("{name}-{n}") };
            let name: http::HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, "a".repeat(size).parse().unwrap());
        }
        match Connection::open(&world).await.send(request).await {
            Some(response) => refused(&world, name, &response, 431, Challenge::Without),
            None => untouched(&world, name),
        }
    }
    still_serves(&world).await;
}

/// A19, D10: trailers are dropped, and a token in one is no credential.
#[tokio::test]
async fn trailers_are_never_fields() {
    let world = World::start().await;
    let good = format!("Bearer {}", world.token());
    let mut trailers = HeaderMap::new();
    trailers.insert("authorization", good.parse().unwrap());
    trailers.insert("x-user", "canary".parse().unwrap());
    let with_trailers = |values: &[&[u8]]| {
        let trailers = trailers.clone();
        post(&world, values).map(|body| body.with_trailers(async { Some(Ok(trailers)) }).boxed())
    };
    let mut connection = Connection::open(&world).await;
    let response = connection.send(with_trailers(&[])).await.unwrap();
    refused(&world, "trailer", &response, 401, Challenge::Plain);
    let response = connection.send(with_trailers(&[good.as_bytes()])).await.unwrap();
    assert_eq!((response.status, response.text()), (200, RESULT.to_owned()));
    let log = world.upstream.log().to_lowercase();
    assert!(!log.contains("canary") && !log.contains("authorization"), "{log}");
    assert_eq!(world.upstream.only_request().text(), PING);
}

const STREAMS: u16 = 400;

/// A body that never comes.
struct Stalled;

impl hyper::body::Body for Stalled {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

/// Bodies of whoever has no token take no more room than is set aside for them, and none from
/// those who have one.
#[tokio::test]
async fn stalled_bodies_without_a_token_are_bounded() {
    let world = World::with(&format!("{NOTES}    anonymous_methods: [ping]\n")).await;
    let mut held = JoinSet::new();
    for _ in 0..11 {
        let connection = Connection::open(&world).await;
        for _ in 0..100 {
            let mut connection = connection.clone();
            let request = post(&world, &[]).map(|_| Stalled.boxed());
            held.spawn(async move { connection.0.send_request(request).await });
        }
    }
    for _ in 0..1100 - 1024 {
        let refused = within("a refusal", held.join_next()).await.unwrap().unwrap().unwrap();
        assert_eq!(
            (refused.status().as_u16(), refused.headers().contains_key("retry-after")),
            (503, true)
        );
    }
    untouched(&world, "stalled");
    still_serves(&world).await;
    held.shutdown().await;
    let ping = async || world.gateway.post("/notes").body(PING).send().await.status == 200;
    within("room again", async { while !ping().await {} }).await;
}
