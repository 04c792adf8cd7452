//! HTTP/2 frame by frame: floods, resets and fields that no library would send.
//!
//! However it ends, the connection is bounded, nothing refused reaches the upstream, and other
//! clients are served meanwhile.

mod behind_tls;
mod farewell;
mod fields;
mod windows;

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    harness::{World, assert_answered, clock::within, upstream::Feed},
    oracle::{still_serves, untouched},
};

/// A frame as it came.
#[derive(Clone, Debug, PartialEq)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

/// A client that writes frames as they are.
struct Framed(TcpStream);

impl Framed {
    async fn open(world: &World) -> Self {
        Self::connect(world.gateway.address()).await
    }

    async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let mut client = Self(stream);
        client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        client.send(&frame(SETTINGS, 0, 0, b"")).await;
        client
    }

    /// Sends as much as the peer takes; says whether that was all.
    async fn send(&mut self, bytes: &[u8]) -> bool {
        within("sending", self.0.write_all(bytes)).await.is_ok()
    }

    /// The next frame; `None` at the end of the connection.
    async fn frame(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        within("a frame", self.0.read_exact(&mut head)).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        within("a payload", self.0.read_exact(&mut payload)).await.ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    /// The first frame of a kind.
    async fn first(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.frame().await.expect("the connection goes on");
            if frame.kind == kind {
                return frame;
            }
        }
    }

    /// Reads to the end of the connection; the code of GOAWAY, if one came.
    async fn ended(&mut self) -> Option<u32> {
        let mut code = None;
        while let Some(frame) = self.frame().await {
            if frame.kind == GOAWAY {
                code = Some(u32::from_be_bytes(frame.payload[4..8].try_into().unwrap()));
            }
        }
        code
    }

    /// Floods until the connection ends, reading all the while.
    async fn flooded(self, what: &str, batches: impl Iterator<Item = Vec<u8>>) {
        let (mut reader, mut writer) = self.0.into_split();
        let flood = async {
            for bytes in batches {
                if writer.write_all(&bytes).await.is_err() {
                    return true;
                }
            }
            false
        };
        let mut sink = tokio::io::sink();
        let drain = tokio::io::copy(&mut reader, &mut sink);
        let both = async { tokio::join!(flood, drain) };
        let (is_cut, _) = within(what, both).await;
        assert!(is_cut, "{what}: all of the flood was taken");
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A field as a literal that is not indexed (RFC 7541 section 6.2.2).
fn field(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        // An integer with a prefix of seven bits (section 5.1).
        if let Ok(length @ ..127) = u8::try_from(text.len()) {
            bytes.push(length);
        } else {
            bytes.push(127);
            let mut rest = text.len() - 127;
            while rest >= 128 {
                bytes.push(u8::try_from(rest % 128).unwrap() | 128);
                rest /= 128;
            }
            bytes.push(u8::try_from(rest).unwrap());
        }
        bytes.extend(text);
    }
    bytes
}

type Field<'a> = (&'a [u8], &'a [u8]);

fn block(fields: &[Field<'_>]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| field(name, value)).collect()
}

/// The fields of a good request.
fn good<'a>(authority: &'a str, authorization: &'a str, method: &'a str) -> Vec<Field<'a>> {
    vec![
        (b":method", method.as_bytes()),
        (b":scheme", b"http"),
        (b":authority", authority.as_bytes()),
        (b":path", b"/notes"),
        (b"authorization", authorization.as_bytes()),
    ]
}

/// A head for a good GET, which the stub answers, and what it needs.
fn get(world: &World) -> Vec<u8> {
    let authority = world.gateway.address().to_string();
    let authorization = format!("Bearer {}", world.token());
    block(&good(&authority, &authorization, "GET"))
}

/// Client streams, each used once.
fn streams() -> impl Iterator<Item = u32> {
    (1..2 * MANY).step_by(2)
}

/// D01: requests that are reset as soon as they are made, at once and one after the other.
#[tokio::test]
async fn cve_2023_44487_rapid_reset() {
    let world = World::start().await;
    let block = get(&world);
    let reset = |stream| {
        let mut bytes = frame(HEADERS, END_HEADERS | END_STREAM, stream, &block);
        bytes.extend(frame(RST_STREAM, 0, stream, &CANCEL));
        bytes
    };
    let client = Framed::open(&world).await;
    client.flooded("rapid reset", streams().map(reset)).await;
    let mut client = Framed::open(&world).await;
    let at_once: Vec<u8> = streams().take(500).flat_map(reset).collect();
    client.send(&at_once).await;
    assert_eq!(client.ended().await, Some(ENHANCE_YOUR_CALM));
    assert!(world.upstream.requests().len() <= 6000, "{}", world.upstream.requests().len());
    assert_answered(&world.authorized().send().await);
}

/// D02: frames that make us reset the stream.
#[tokio::test]
async fn cve_2025_8671_resets_that_we_are_made_to_send() {
    let world = World::start().await;
    let block = get(&world);
    for (what, kind, payload) in [
        ("window of nothing", WINDOW_UPDATE, &[0, 0, 0, 0][..]),
        ("window too large", WINDOW_UPDATE, &[0x7f, 0xff, 0xff, 0xff]),
        ("depends on itself", PRIORITY, b""),
        ("data behind the end", DATA, b"x"),
    ] {
        let batches = streams().map(|stream| {
            let mut bytes = frame(HEADERS, END_HEADERS | END_STREAM, stream, &block);
            let itself = [stream.to_be_bytes().to_vec(), vec![1]].concat();
            let payload = if kind == PRIORITY { &itself } else { payload };
            bytes.extend(frame(kind, 0, stream, payload));
            bytes
        });
        Framed::open(&world).await.flooded(what, batches).await;
        assert_answered(&world.authorized().send().await);
    }
    assert!(world.upstream.requests().len() <= 10_000, "{}", world.upstream.requests().len());
}

/// D03: a head that never ends.
#[tokio::test]
async fn cve_2024_27316_continuation_flood() {
    let world = World::start().await;
    for payload in [&b""[..], &field(b"x-a", b""), &field(b"x-a", &[b'a'; 4000])] {
        let mut client = Framed::open(&world).await;
        client.send(&frame(HEADERS, 0, 1, &get(&world))).await;
        let batch = frame(CONTINUATION, 0, 1, payload).repeat(100);
        client.flooded("CONTINUATION", std::iter::repeat_n(batch, 10_000)).await;
        untouched(&world, "CONTINUATION");
    }
    still_serves(&world).await;
}

/// D06: frames that cost nothing and get nothing, beside a stream that is open.
#[tokio::test]
async fn cve_2019_9512_floods_of_small_frames() {
    let world = World::start().await;
    let block = get(&world);
    let authority = world.gateway.address().to_string();
    let authorization = format!("Bearer {}", world.token());
    let mut post = good(&authority, &authorization, "POST");
    post.push((b"content-type", b"application/json"));
    for (what, flood) in [
        ("PING", frame(PING, 0, 0, &[7; 8])),
        ("SETTINGS", frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100])),
        ("empty SETTINGS", frame(SETTINGS, 0, 0, b"")),
        ("PRIORITY", frame(PRIORITY, 0, 1, &[0, 0, 0, 5, 1])),
        ("unknown", frame(0xab, 0, 0, b"x")),
        ("PRIORITY_UPDATE", frame(0x10, 0, 0, b"\0\0\0\x01u=1")),
        ("RST_STREAM of what is gone", frame(RST_STREAM, 0, 1, &CANCEL)),
        ("drip of window", frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        ("empty DATA", frame(DATA, 0, 3, b"")),
        ("DATA of one byte", frame(DATA, 0, 3, b" ")),
    ] {
        let (_feed, reply) = Feed::events();
        world.upstream.next(reply);
        let mut client = Framed::open(&world).await;
        client.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &block)).await;
        assert_eq!(client.first(HEADERS).await.stream, 1, "{what}");
        if what.contains("DATA") {
            client.send(&frame(HEADERS, END_HEADERS, 3, &self::block(&post))).await;
        }
        let batch = flood.repeat(100);
        client.flooded(what, std::iter::repeat_n(batch, 10_000)).await;
    }
    assert_answered(&world.authorized().send().await);
}

/// D12: what is announced, and that it holds.
#[tokio::test]
async fn limits_are_announced_and_kept() {
    let world = World::start().await;
    let mut client = Framed::open(&world).await;
    let settings = client.first(SETTINGS).await.payload;
    let mut found: Vec<(u16, u32)> = settings
        .chunks(6)
        .map(|each| {
            let value = u32::from_be_bytes(each[2..].try_into().unwrap());
            (u16::from_be_bytes([each[0], each[1]]), value)
        })
        .collect();
    found.sort_unstable();
    // Table size, streams, window, frame size, header list; no extended CONNECT.
    assert_eq!(found, [(1, 4096), (3, 100), (4, 65_536), (5, 16_384), (6, 32_768)]);
    let block = get(&world);
    let mut feeds = Vec::new();
    for stream in streams().take(100) {
        let (feed, reply) = Feed::events();
        world.upstream.next(reply);
        feeds.push(feed);
        client.send(&frame(HEADERS, END_HEADERS | END_STREAM, stream, &block)).await;
        assert_eq!(client.first(HEADERS).await.stream, stream);
    }
    client.send(&frame(HEADERS, END_HEADERS | END_STREAM, 201, &block)).await;
    let refused = client.first(RST_STREAM).await;
    assert_eq!((refused.stream, refused.payload), (201, vec![0, 0, 0, 7]));
    assert_eq!(world.upstream.requests().len(), 100);
    // D13: reset in the middle, the others go on; then the connection ends.
    client.send(&frame(RST_STREAM, 0, 1, &CANCEL)).await;
    feeds.remove(0).gone().await;
    assert!(!feeds[0].is_gone());
    client.send(&frame(GOAWAY, 0, 0, &[0; 8])).await;
    client.send(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0])).await;
    drop(client);
    for feed in feeds {
        feed.gone().await;
    }
    assert_answered(&world.authorized().send().await);
}

/// D16: frames that break the rules of framing end the connection.
#[tokio::test]
async fn broken_framing_ends_the_connection() {
    let world = World::start().await;
    for (what, bytes) in [
        ("frame too long", vec![0xff, 0xff, 0xff, DATA, 0, 0, 0, 0, 1]),
        ("DATA of no stream", frame(DATA, 0, 0, b"x")),
        ("DATA of an idle stream", frame(DATA, 0, 1, b"x")),
        ("HEADERS of no stream", frame(HEADERS, END_HEADERS, 0, &get(&world))),
        ("stream of the server's", frame(HEADERS, END_HEADERS, 2, &get(&world))),
        ("CONTINUATION of nothing", frame(CONTINUATION, END_HEADERS, 1, b"")),
        ("padding beyond the frame", frame(HEADERS, END_HEADERS | PADDED, 1, b"\xff")),
        ("field table broken", frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff\xff")),
        ("PUSH_PROMISE", frame(5, END_HEADERS, 1, &[0, 0, 0, 2])),
        ("PING of 7 bytes", frame(PING, 0, 0, &[0; 7])),
        ("SETTINGS of 5 bytes", frame(SETTINGS, 0, 0, &[0; 5])),
        ("SETTINGS of a stream", frame(SETTINGS, 0, 1, b"")),
        ("window beyond all bounds", frame(SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff])),
        ("frame size of nothing", frame(SETTINGS, 0, 0, &[0, 5, 0, 0, 0, 0])),
        ("connection window too large", frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff])),
        ("connection window of nothing", frame(WINDOW_UPDATE, 0, 0, &[0; 4])),
    ] {
        let mut client = Framed::open(&world).await;
        client.send(&bytes).await;
        let code = client.ended().await;
        assert!(code.is_some_and(|code| code != 0), "{what}: {code:?}");
        untouched(&world, what);
    }
    still_serves(&world).await;
}

// RFC 9113 section 6.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const CANCEL: [u8; 4] = [0, 0, 0, 8];
const ENHANCE_YOUR_CALM: u32 = 11;
const MANY: u32 = 20_000;
