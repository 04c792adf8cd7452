//! HTTP/2 behind TLS: what breaks off is not whole.

use super::{DATA, END_HEADERS, HEADERS, SETTINGS, block, frame, good};
use crate::harness::tls::TlsWorld;

/// R09: a body cut off without a farewell of TLS, or of HTTP/2, is never forwarded.
#[tokio::test]
async fn truncated_body_is_no_body() {
    let world = TlsWorld::start().await;
    let authority = world.world.gateway.address().to_string();
    let authorization = format!("Bearer {}", world.world.token());
    let mut fields = good(&authority, &authorization, "POST");
    fields.push((b"content-type", b"application/json"));
    let block = block(&fields);
    for behind in [
        Vec::new(),
        frame(DATA, 0, 1, b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"),
        // A frame that says more than comes.
        frame(DATA, 1, 1, &[b' '; 64])[..40].to_vec(),
    ] {
        let mut client = world.connect(&world.client().alpn(&["h2"])).await.unwrap();
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend(frame(SETTINGS, 0, 0, b""));
        bytes.extend(frame(HEADERS, END_HEADERS, 1, &block));
        bytes.extend(behind);
        client.send(bytes).await.unwrap();
        // The gateway has begun to serve it.
        assert!(client.reader.more().await);
        drop(client);
        world.world.gateway.counts("gatehouse_connections", 0.0).await;
        assert_eq!(world.world.upstream.bytes_received(), 0);
    }
}
