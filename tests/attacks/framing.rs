//! HTTP/1 framing: whatever two readers could read differently is refused, and the connection ends.
//!
//! Behind every payload a good request is pipelined. It must never reach the upstream: after a
//! message whose end is doubtful, nobody knows where the next one begins.

use crate::{
    harness::World,
    oracle::{Challenge, refused, refused_and_closed, still_serves},
};

/// The head of an acceptable POST up to its framing, and the line that follows it.
fn head(world: &World, fields: &[u8]) -> Vec<u8> {
    let start = format!(
        "POST /notes HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n",
        world.gateway.address(),
        world.token()
    );
    [start.as_bytes(), fields, b"\r\n"].concat()
}

/// Asserts that each of these field lines, followed by this body, is refused with 400.
async fn assert_fields_refused(fields: &[&[u8]], body: &str) {
    let world = World::start().await;
    for lines in fields {
        let what = lines.escape_ascii().to_string();
        let bytes = [&*head(&world, lines), body.as_bytes()].concat();
        let response = refused_and_closed(&world, &what, &bytes).await;
        refused(&world, &what, &response, 400, Challenge::Without);
        assert_eq!(response.header("connection"), Some("close"), "{what}");
    }
    still_serves(&world).await;
}

/// Asserts that each of these chunked bodies is refused with 400.
async fn assert_chunks_refused(bodies: &[Vec<u8>]) {
    let world = World::start().await;
    for body in bodies {
        let what = body.escape_ascii().to_string();
        let what = what.get(..what.len().min(120)).unwrap();
        let bytes = [&*head(&world, b"Transfer-Encoding: chunked\r\n"), body].concat();
        let response = refused_and_closed(&world, what, &bytes).await;
        refused(&world, what, &response, 400, Challenge::Without);
    }
    still_serves(&world).await;
}

const CHUNKS: &str = "2\r\n{}\r\n0\r\n\r\n";

/// C01: RFC 9112 section 6.3 calls both lengths an attempt at smuggling.
#[tokio::test]
async fn content_length_beside_transfer_encoding() {
    let fields: [&[u8]; 4] = [
        b"Content-Length: 12\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 12\r\n",
        b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        b"transfer-encoding: CHUNKED\r\nCONTENT-LENGTH: 3\r\n",
    ];
    assert_fields_refused(&fields, CHUNKS).await;
}

/// C02: the coding twice.
#[tokio::test]
async fn rustsec_2021_0020_transfer_encoding_twice() {
    let fields: [&[u8]; 3] = [
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"Transfer-Encoding: chunked, chunked\r\n",
    ];
    assert_fields_refused(&fields, CHUNKS).await;
}

/// C03, C04: any coding but exactly `chunked`, and fields that hide it.
#[tokio::test]
async fn transfer_encoding_other_than_chunked() {
    let fields: [&[u8]; 18] = [
        b"Transfer-Encoding: identity, chunked\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: ,chunked\r\n",
        b"Transfer-Encoding: chunked,\r\n",
        b"Transfer-Encoding: chunked;a=b\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: \"chunked\"\r\n",
        b"Transfer-Encoding: chunked\x0b\r\n",
        b"Transfer-Encoding: \x0bchunked\r\n",
        b"Transfer-Encoding: chunked\x00\r\n",
        b"Transfer-Encoding:\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Transfer-Encoding\t: chunked\r\n",
        b" Transfer-Encoding: chunked\r\n",
        b"X: y\r\n Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding:\r\n chunked\r\n",
        b"X: y\rTransfer-Encoding: chunked\r\n",
    ];
    assert_fields_refused(&fields, CHUNKS).await;
}

/// C05: HTTP/1.0 has no transfer codings.
#[tokio::test]
async fn rustsec_2026_0034_transfer_encoding_on_http_1_0() {
    let world = World::start().await;
    for connection in ["", "Connection: keep-alive\r\n"] {
        let fields = format!("Transfer-Encoding: chunked\r\n{connection}");
        let text = String::from_utf8(head(&world, fields.as_bytes())).unwrap();
        let bytes = text.replace("HTTP/1.1", "HTTP/1.0") + CHUNKS;
        let response = refused_and_closed(&world, &fields, bytes.as_bytes()).await;
        refused(&world, &fields, &response, 400, Challenge::Without);
    }
    still_serves(&world).await;
}

/// C06, C07: a length is written once and in digits.
#[tokio::test]
async fn rustsec_2021_0078_content_length_that_is_no_plain_number() {
    let fields: [&[u8]; 16] = [
        b"Content-Length: 2\r\nContent-Length: 2\r\n",
        b"Content-Length: 2\r\nContent-Length: 5\r\n",
        b"Content-Length: 2, 2\r\n",
        b"Content-Length: +2\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 0x2\r\n",
        b"Content-Length:\r\n",
        b"Content-Length: 2 2\r\n",
        b"Content-Length: 2\x0b\r\n",
        b"Content-Length: 2.0\r\n",
        b"Content-Length: 2e0\r\n",
        b"Content-Length: 00000000000000000002\r\n",
        b"Content-Length: 18446744073709551618\r\n",
        b"Content-Length : 2\r\n",
        b"Content-Length: \xd9\xa2\r\n",
        b"Content-Length: 2\r\n 0\r\n",
    ];
    assert_fields_refused(&fields, "{}").await;
}

/// C08: lines end in CRLF; a bare line feed or carriage return is somebody's line end.
#[tokio::test]
async fn bare_line_feed_or_carriage_return_in_a_head() {
    let fields: [&[u8]; 7] = [
        b"Content-Length: 2\n",
        b"X: y\nContent-Length: 2\r\n",
        b"X: y\rZ: z\r\nContent-Length: 2\r\n",
        b"Content-Length: 2\r\r\n",
        b"Useless:\n\nGET /smug HTTP/1.1\r\nContent-Length: 2\r\n",
        b"Content-Length: 2\r\n\n{}",
        b"Content-Length: 2\r\nX: \ry\r\n",
    ];
    assert_fields_refused(&fields, "{}").await;
}

/// C08, C17: the request line has two spaces, one known version and nothing else.
#[tokio::test]
async fn request_line_that_is_not_exactly_one() {
    let world = World::start().await;
    let fields = format!("Host: {}\r\nContent-Length: 0\r\n\r\n", world.gateway.address());
    for line in [
        "POST /notes HTTP/1.1\n",
        "POST /notes\nHTTP/1.1\r\n",
        "POST /notes HTTP/1.1\r\r\n",
        "POST  /notes HTTP/1.1\r\n",
        "POST /notes  HTTP/1.1\r\n",
        "POST /notes HTTP/1.1 \r\n",
        " POST /notes HTTP/1.1\r\n",
        "POST\t/notes\tHTTP/1.1\r\n",
        "POST /notes\r\n",
        "POST /notes HTTP/0.9\r\n",
        "POST /notes HTTP/1.2\r\n",
        "POST /notes HTTP/2.0\r\n",
        "POST /notes HTTP/3\r\n",
        "POST /notes http/1.1\r\n",
        "POST /notes HTTP/1.10\r\n",
        "POST /notes HTTPS/1.1\r\n",
        "POST /notes HTTP/1.1\u{b}\r\n",
        "\r\n\r\nPOST /notes HTTP/1.1\r\n",
        "P\u{e9}ST /notes HTTP/1.1\r\n",
        "{} /notes HTTP/1.1\r\n",
    ] {
        let response = refused_and_closed(&world, line, format!("{line}{fields}").as_bytes()).await;
        refused(&world, &format!("{line:?}"), &response, 400, Challenge::Without);
    }
    still_serves(&world).await;
}

/// C18: a field line is a token, a colon and a value without control bytes.
#[tokio::test]
async fn cve_2023_25725_field_line_that_is_none() {
    let fields: [&[u8]; 11] = [
        b": empty\r\nContent-Length: 2\r\n",
        b"no colon\r\nContent-Length: 2\r\n",
        b"X: a\x00b\r\nContent-Length: 2\r\n",
        b"X\x00: a\r\nContent-Length: 2\r\n",
        b"X: a\x1fb\r\nContent-Length: 2\r\n",
        b"X: a\x7f\r\nContent-Length: 2\r\n",
        b"X\x85: a\r\nContent-Length: 2\r\n",
        b"X\xa0: a\r\nContent-Length: 2\r\n",
        b"(X): a\r\nContent-Length: 2\r\n",
        b"Content-Type: a\x85\r\nContent-Length: 2\r\n",
        b"Mcp-Session-Id: a\xa0\r\nContent-Length: 2\r\n",
    ];
    assert_fields_refused(&fields, "{}").await;
}

/// C09: a bare line feed within chunked framing.
#[tokio::test]
async fn bare_line_feed_in_chunk_framing() {
    let bodies = [
        "2\n{}\r\n0\r\n\r\n",
        "2;\n{}\r\n0\r\n\r\n",
        "2;a\n{}\r\n0\r\n\r\n",
        "2;a=\"\n\"\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}\n0\r\n\r\n",
        "2\r\n{}\r0\r\n\r\n",
        "2\r\n{}0\r\n\r\n",
        "2\r\n{}\r\n0\n\r\n",
        "2\r\n{}\r\n0\r\n\n",
        "2\r\n{}\r\n0\r\nA: b\n\r\n",
        "2\r{}\r\n0\r\n\r\n",
    ];
    assert_chunks_refused(&bodies.map(Vec::from)).await;
}

/// C10: chunk extensions are parsed, not skipped, and bounded.
#[tokio::test]
async fn cve_2026_2332_chunk_extension_that_is_none() {
    let plain = [
        "2;\r\n{}\r\n0\r\n\r\n",
        "2;ext=\"val\r\n{}\r\n0\r\n\r\n",
        "2;ext=\r\n{}\r\n0\r\n\r\n",
        "2;=x\r\n{}\r\n0\r\n\r\n",
        "2;a b\r\n{}\r\n0\r\n\r\n",
        "2;a=\"\0\"\r\n{}\r\n0\r\n\r\n",
        "2;\0\r\n{}\r\n0\r\n\r\n",
        "2 ;a\r\n{}\r\n0\r\n\r\n",
    ];
    let long = format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "a".repeat(20_000));
    let many = format!("2{}\r\n{{}}\r\n0\r\n\r\n", ";a".repeat(10_000));
    let spread = "1;aaaaaaaa\r\n \r\n".repeat(2500) + "0\r\n\r\n";
    let bodies = plain.map(ToOwned::to_owned).into_iter().chain([long, many, spread]);
    assert_chunks_refused(&bodies.map(Vec::from).collect::<Vec<_>>()).await;
}

/// C11: a chunk's size is 1 to 16 hexadecimal digits.
#[tokio::test]
async fn rustsec_2021_0079_chunk_size_that_is_no_plain_number() {
    let sizes = [
        "0x2",
        "-2",
        "+2",
        " 2",
        "2 ",
        "2\t",
        "\t2",
        "0_2",
        "2h",
        "",
        "00000000000000002",
        "10000000000000002",
        "2,2",
    ];
    let bodies = sizes.map(|size| format!("{size}\r\n{{}}\r\n0\r\n\r\n"));
    assert_chunks_refused(&bodies.map(Vec::from)).await;
}

/// C12: trailers are well formed and few.
#[tokio::test]
async fn trailers_that_are_malformed_or_too_many() {
    let bodies = [
        "2\r\n{}\r\n0\r\n: x\r\n\r\n".to_owned(),
        "2\r\n{}\r\n0\r\nno colon\r\n\r\n".to_owned(),
        "2\r\n{}\r\n0\r\n A: b\r\n\r\n".to_owned(),
        "2\r\n{}\r\n0\r\nA: \0\r\n\r\n".to_owned(),
        format!("2\r\n{{}}\r\n0\r\n{}\r\n", "A: b\r\n".repeat(10_000)),
        format!("2\r\n{{}}\r\n0\r\nA: {}\r\n\r\n", "b".repeat(20_000)),
    ];
    assert_chunks_refused(&bodies.map(Vec::from)).await;
}
