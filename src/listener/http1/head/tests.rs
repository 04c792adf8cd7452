use super::*;

const LIMIT: usize = 32 * 1024;

fn check(head: &[u8]) -> Result<Option<CheckedHead>, WireFault> {
    HeadCheck::default().advance(head, LIMIT)
}

fn framing(fields: &str) -> Result<Framing, WireFault> {
    let head = format!("POST /mcp HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    check(head.as_bytes()).map(|head| head.expect("a complete head").framing)
}

#[test]
fn framing_is_read_from_the_one_field_that_says_it() {
    assert_eq!(framing(""), Ok(Framing::Length(0)));
    assert_eq!(framing("Content-Length: 5\r\n"), Ok(Framing::Length(5)));
    assert_eq!(framing("cOnTeNt-LeNgTh:\t007 \r\n"), Ok(Framing::Length(7)));
    let largest = 9_999_999_999_999_999_999;
    assert_eq!(framing("Content-Length: 9999999999999999999\r\n"), Ok(Framing::Length(largest)));
    assert_eq!(framing("Transfer-Encoding: Chunked\r\n"), Ok(Framing::Chunked));
}

#[test]
fn c01_both_lengths_are_refused_in_either_order() {
    let (length, coding) = ("Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n");
    assert_eq!(framing(&format!("{length}{coding}")), Err(WireFault::BothLengths));
    assert_eq!(framing(&format!("{coding}{length}")), Err(WireFault::BothLengths));
}

#[test]
fn c02_to_c04_only_one_chunked_is_a_transfer_coding() {
    for value in [
        "identity, chunked",
        "gzip, chunked",
        ",chunked",
        "chunked;a=b",
        "chunked, identity",
        "chunked, chunked",
        "xchunked",
        "chunked,",
        "identity",
        "\"chunked\"",
        "",
    ] {
        let fields = format!("Transfer-Encoding: {value}\r\n");
        assert_eq!(framing(&fields), Err(WireFault::TransferCoding), "{value:?}");
    }
    let twice = "Transfer-Encoding: chunked\r\n".repeat(2);
    assert_eq!(framing(&twice), Err(WireFault::TransferCoding));
}

#[test]
fn c04_fields_that_are_none_are_refused() {
    for line in [
        "Transfer-Encoding : chunked",
        "Transfer-Encoding\t: chunked",
        " Transfer-Encoding: chunked",
        "Transfer-Encoding: chunked\x0b",
        "X: a\r\n folded",
        "X: a\r\n\tfolded",
        ": empty",
        "no colon",
        "X\0: a",
        "X: a\0b",
        "X: a\x7fb",
        "X: a\x1bb",
        "X(: a",
        "Ünicode: a",
        "X\u{a0}: a",
    ] {
        assert_eq!(framing(&format!("{line}\r\n")), Err(WireFault::FieldSyntax), "{line:?}");
    }
}

#[test]
fn c05_transfer_encoding_is_refused_on_http_1_0() {
    let head = b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(check(head), Err(WireFault::TransferCoding));
}

#[test]
fn c06_c07_content_length_is_one_plain_number() {
    for value in [
        "+5",
        "-1",
        "0x5",
        "",
        "5, 5",
        "5 5",
        "5,",
        "5.0",
        "00000000000000000005",
        "18446744073709551616",
        "٥",
    ] {
        let fields = format!("Content-Length: {value}\r\n");
        assert_eq!(framing(&fields), Err(WireFault::LengthSyntax), "{value:?}");
    }
    for other in ["5", "6"] {
        let fields = format!("Content-Length: 5\r\nX: a\r\ncontent-length: {other}\r\n");
        assert_eq!(framing(&fields), Err(WireFault::LengthSyntax), "5 and {other}");
    }
}

#[test]
fn c08_every_line_ends_in_crlf_and_nothing_else_does() {
    for head in [
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        "GET / HTTP/1.1\r\nHost: a\r\nUseless:\n\nGET /smug HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
        "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\n HTTP/1.1\r\nHost: a\r\n\r\n",
        "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        assert_eq!(check(head.as_bytes()), Err(WireFault::LineEnding), "{head:?}");
    }
}

#[test]
fn c17_request_lines_are_strict() {
    for line in [
        "GET /",
        "GET / HTTP/0.9",
        "GET / HTTP/1.2",
        "GET / HTTP/2.0",
        "GET / http/1.1",
        "GET / HTTP/1.1 ",
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        " GET / HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET /a b HTTP/1.1",
        "GET /mcp#x HTTP/1.1",
        "GET /m\u{fc} HTTP/1.1",
        "GET /\0 HTTP/1.1",
        "GET /\x7f HTTP/1.1",
        "G(T / HTTP/1.1",
        "GET",
        "/ HTTP/1.1",
    ] {
        let head = format!("{line}\r\nHost: a\r\n\r\n");
        assert_eq!(check(head.as_bytes()), Err(WireFault::RequestLine), "{line:?}");
    }
}

#[test]
fn one_empty_line_may_stand_before_a_request_and_no_more() {
    let head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let end = |bytes: String| check(bytes.as_bytes()).map(|head| head.expect("complete").end);
    assert_eq!(end(head.to_owned()), Ok(head.len()));
    assert_eq!(end(format!("\r\n{head}GET /b")), Ok(head.len() + 2));
    assert_eq!(end(format!("\r\n\r\n{head}")), Err(WireFault::RequestLine));
}

#[test]
fn b13_host_stands_there_once() {
    assert_eq!(check(b"GET / HTTP/1.1\r\nX: a\r\n\r\n"), Err(WireFault::HostCount));
    assert_eq!(framing("hOsT: a\r\n"), Err(WireFault::HostCount));
    assert!(check(b"GET / HTTP/1.0\r\nX: a\r\n\r\n").is_ok());
    assert_eq!(check(b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"), Err(WireFault::HostCount));
}

#[test]
fn s03_sizes_and_counts_are_bounded_also_before_the_head_ends() {
    let target =
        |length: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(length - 1));
    assert!(check(target(8192).as_bytes()).is_ok());
    assert_eq!(check(target(8193).as_bytes()), Err(WireFault::TargetTooLong));
    assert_eq!(check("x".repeat(9000).as_bytes()), Err(WireFault::TargetTooLong));

    let fields = |count: usize| "X: a\r\n".repeat(count);
    assert!(framing(&fields(99)).is_ok());
    assert_eq!(framing(&fields(100)), Err(WireFault::TooManyFields));

    let value = |length: usize| format!("X: {}", "x".repeat(length));
    assert!(framing(&format!("{}\r\n", value(32_000))).is_ok());
    assert_eq!(framing(&format!("{}\r\n", value(LIMIT))), Err(WireFault::HeadTooLarge));
    let unfinished = format!("GET / HTTP/1.1\r\n{}", value(LIMIT));
    assert_eq!(check(unfinished.as_bytes()), Err(WireFault::HeadTooLarge));
}

#[test]
fn bytes_from_0x80_pass_in_values() {
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nX: \xff\x85\xa0\r\n\r\n";
    assert!(matches!(check(head), Ok(Some(_))));
}

#[test]
fn a_head_in_pieces_is_judged_as_the_whole() {
    let heads: [&[u8]; 5] = [
        b"\r\nPOST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n",
        b"POST /mcp HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
    ];
    for head in heads {
        let mut pieces = HeadCheck::default();
        let judged = (1..=head.len())
            .map(|length| pieces.advance(&head[..length], LIMIT))
            .find(|judged| judged != &Ok(None));
        assert_eq!(judged, Some(check(head)), "{:?}", String::from_utf8_lossy(head));
    }
}

#[test]
fn token_bytes_are_those_of_rfc_9110() {
    let tokens: Vec<u8> = (0..=255).filter(|&byte| is_token_byte(byte)).collect();
    let expected = b"!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~";
    assert_eq!(tokens, expected);
}

/// The parts of a head that passes.
fn parts(head: &str) -> Result<Parts, WireFault> {
    let mut check = HeadCheck::default();
    let checked = check.advance(head.as_bytes(), LIMIT)?.expect("a complete head");
    check.parts(&Bytes::copy_from_slice(&head.as_bytes()[..checked.end]), HeaderMap::new())
}

#[test]
fn parts_are_those_that_were_checked() {
    let fields =
        "Host:  a \r\nX-Empty:\r\nX-Blank: \t \r\nX-Two: 1\r\nx-two:\t2\t\r\nX-Obs: \u{fc}\r\n";
    for before in ["", "\r\n"] {
        let parts = parts(&format!("{before}DELETE /a?b=c HTTP/1.1\r\n{fields}\r\nGET /")).unwrap();
        assert_eq!((parts.method.as_str(), parts.version), ("DELETE", Version::HTTP_11));
        assert_eq!(parts.uri, "/a?b=c");
        let fields: Vec<_> =
            parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let expected: [(&str, &[u8]); 6] = [
            ("host", b"a"),
            ("x-empty", b""),
            ("x-blank", b""),
            ("x-two", b"1"),
            ("x-two", b"2"),
            ("x-obs", "\u{fc}".as_bytes()),
        ];
        assert_eq!(fields, expected);
    }
    assert_eq!(parts("GET / HTTP/1.0\r\n\r\n").unwrap().version, Version::HTTP_10);
    assert_eq!(
        parts("GET http://[ HTTP/1.1\r\nHost: a\r\n\r\n").unwrap_err(),
        WireFault::RequestLine
    );
}

#[test]
fn connection_and_expect_say_what_follows() {
    let facts = |version: &str, fields: &str| {
        let head = check(format!("GET / {version}\r\nHost: a\r\n{fields}\r\n").as_bytes());
        let head = head.unwrap().expect("complete");
        (head.keeps_alive, head.expects_continue)
    };
    for (fields, is_kept, is_kept_by_old) in [
        ("", true, false),
        ("Connection: close\r\n", false, false),
        ("Connection: Keep-Alive\r\n", true, true),
        ("Connection: x, CLOSE\r\n", false, false),
        ("Connection: close\r\nConnection: keep-alive\r\n", false, false),
        ("Connection: keep-alive, close\r\n", false, false),
        ("Connection: closed\r\n", true, false),
    ] {
        assert_eq!(facts("HTTP/1.1", fields).0, is_kept, "{fields:?}");
        assert_eq!(facts("HTTP/1.0", fields).0, is_kept_by_old, "{fields:?}");
    }
    assert!(facts("HTTP/1.1", "Expect: 100-Continue\r\n").1);
    assert!(!facts("HTTP/1.0", "Expect: 100-continue\r\n").1);
    assert!(!facts("HTTP/1.1", "Expect: 200-ok\r\n").1);
}
