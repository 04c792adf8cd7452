//! Fields that HTTP/2 forbids, or that would be something else in HTTP/1.

use super::{
    END_HEADERS, END_STREAM, Field, Framed, GOAWAY, HEADERS, RST_STREAM, block, frame, good,
};
use crate::{harness::World, oracle::untouched};

/// What came of one request: a status, or that the stream or the connection was given up.
async fn outcome(world: &World, block: &[u8]) -> Option<Vec<u8>> {
    let mut client = Framed::open(world).await;
    client.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, block)).await;
    loop {
        let frame = client.frame().await?;
        match frame.kind {
            HEADERS => return Some(frame.payload),
            RST_STREAM | GOAWAY => return None,
            _ => {}
        }
    }
}

/// D08, D09, D11, D15: fields that HTTP/2 forbids, or that would be something else in HTTP/1.
#[tokio::test]
async fn malformed_fields_are_refused() {
    let world = World::start().await;
    let authority = world.gateway.address().to_string();
    let authorization = format!("Bearer {}", world.token());
    let good = good(&authority, &authorization, "GET");
    let with = |name: &'static [u8], value: &'static [u8]| {
        let mut fields = good.clone();
        match fields.iter_mut().find(|(each, _)| *each == name) {
            Some(field) => field.1 = value,
            None => fields.push((name, value)),
        }
        fields
    };
    let twice = |n: usize| [&good[..=n], &good[n..]].concat();
    let without = |n: usize| [&good[..n], &good[n + 1..]].concat();
    let late = [&good[1..], &good[..1]].concat();
    let mut rows =
        vec![twice(0), twice(1), twice(2), twice(3), without(0), without(1), without(3), late];
    for (name, value) in FORBIDDEN {
        rows.push(with(name, value));
    }
    for fields in rows {
        let what: Vec<_> = fields
            .iter()
            .map(|(name, value)| format!("{}: {}", name.escape_ascii(), value.escape_ascii()))
            .collect();
        if let Some(head) = outcome(&world, &block(&fields)).await {
            // An indexed :status (RFC 7541 appendix A): 8 is 200, 12 is 400; 421 is a literal.
            assert_ne!(head[0], 0x88, "{what:?}");
        }
        untouched(&world, &what.join(", "));
    }
    assert_eq!(outcome(&world, &block(&good)).await.unwrap()[0], 0x88);
}

const FORBIDDEN: &[Field<'static>] = &[
    (b":path", b""),
    (b":path", b"notes"),
    (b":path", b"*"),
    (b":path", b"http://127.0.0.1/notes"),
    (b":path", b"/notes\r\nx: y"),
    (b":path", b"/notes HTTP/1.1"),
    (b":method", b""),
    (b":method", b"GET /x HTTP/1.1\r\nx: y"),
    (b":method", b"CONNECT"),
    (b":scheme", b""),
    (b":scheme", b"http://evil/?"),
    (b":scheme", b"file:"),
    (b":authority", b""),
    (b":authority", b"evil.example/notes"),
    (b":authority", b"user@127.0.0.1"),
    (b":authority", b"a\r\nb"),
    (b":protocol", b"websocket"),
    (b":status", b"200"),
    (b":x", b"y"),
    (b"X-Upper", b"y"),
    (b"", b"y"),
    (b"x:y", b"z"),
    (b"x y", b"z"),
    (b"x\r\ny", b"z"),
    (b"x", b"y\r\nz: a"),
    (b"x", b"y\nz"),
    (b"x", b"y\0z"),
    (b"connection", b"close"),
    (b"keep-alive", b"timeout=5"),
    (b"proxy-connection", b"close"),
    (b"upgrade", b"h2c"),
    (b"transfer-encoding", b"chunked"),
    (b"te", b"chunked"),
    (b"content-length", b"5"),
    (b"content-length", b"-1"),
];
