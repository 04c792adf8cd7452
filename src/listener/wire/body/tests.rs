use super::*;

/// Follows a chunked body; how many bytes belong to it once it has ended.
fn follow(body: &[u8]) -> Result<Option<usize>, WireFault> {
    let mut framing = BodyFraming::new(Framing::Chunked);
    let taken = framing.follow(body)?;
    Ok(framing.is_done().then_some(taken))
}

#[test]
fn a_body_of_known_length_ends_after_that_many_bytes() {
    let mut framing = BodyFraming::new(Framing::Length(5));
    assert_eq!(framing.follow(b"abc"), Ok(3));
    assert!(!framing.is_done());
    assert_eq!(framing.follow(b"deGET /smug"), Ok(2));
    assert!(framing.is_done());
    assert!(BodyFraming::new(Framing::Length(0)).is_done());
}

#[test]
fn a_chunked_body_ends_behind_its_trailers() {
    for body in [
        "0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
        "0000000000000005\r\nhello\r\n00\r\n\r\n",
        "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n",
        "1;a\r\nx\r\n1;a=b;c=\"d \\\" e\"\r\nx\r\n0;z=1\r\n\r\n",
        "0\r\nX: y\r\nZ:\r\n\r\n",
    ] {
        assert_eq!(follow(body.as_bytes()), Ok(Some(body.len())), "{body:?}");
        let with_next = format!("{body}GET /smug HTTP/1.1\r\n");
        assert_eq!(follow(with_next.as_bytes()), Ok(Some(body.len())), "{body:?}");
    }
}

#[test]
fn c09_bare_line_feeds_are_refused_everywhere() {
    for body in [
        "5\nhello\r\n0\r\n\r\n",
        "5;a\nhello\r\n0\r\n\r\n",
        "5;\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "0\n\r\n",
        "0\r\n\n",
        "0\r\nX: y\n\r\n",
        "5\rXhello\r\n0\r\n\r\n",
        "0\r\n\rX",
    ] {
        assert_eq!(follow(body.as_bytes()), Err(WireFault::ChunkSyntax), "{body:?}");
    }
}

#[test]
fn c10_extensions_are_well_formed_and_bounded() {
    for line in [
        "1;ext=\"val",
        "1;a=\"b\0\"",
        "1;a\0",
        "1;",
        "1;;a",
        "1;a=",
        "1;a=b=c",
        "1; a",
        "1 ;a",
        "1;a =b",
        "1;a=\"b\"c",
        "1;=b",
    ] {
        let body = format!("{line}\r\nx\r\n0\r\n\r\n");
        assert_eq!(follow(body.as_bytes()), Err(WireFault::ChunkSyntax), "{line:?}");
    }
    let long = format!("1;a={}\r\n", "b".repeat(20_000));
    assert_eq!(follow(long.as_bytes()), Err(WireFault::ChunkSyntax));
    let many = "1;a\r\nx\r\n".repeat(10_000);
    assert_eq!(follow(many.as_bytes()), Err(WireFault::ChunkSyntax));
}

#[test]
fn c11_sizes_are_hexadecimal_digits_and_nothing_else() {
    for line in ["0x5", "-5", "+5", "0_2e", " 5", "5 ", "\t5", "5\t", "", "g", "00000000000000005"]
    {
        let body = format!("{line}\r\nhello\r\n0\r\n\r\n");
        assert_eq!(follow(body.as_bytes()), Err(WireFault::ChunkSyntax), "{line:?}");
    }
    assert_eq!(follow(b"ffffffffffffffff\r\nhello"), Ok(None));
}

#[test]
fn c12_trailers_are_field_lines_and_bounded() {
    for trailer in ["no colon", " X: y", "X : y", ": y", "X: a\0", "X: a\rb"] {
        let body = format!("0\r\n{trailer}\r\n\r\n");
        assert_eq!(follow(body.as_bytes()), Err(WireFault::ChunkSyntax), "{trailer:?}");
    }
    let trailers = |count: usize| format!("0\r\n{}\r\n", "X: y\r\n".repeat(count));
    assert!(follow(trailers(100).as_bytes()).is_ok_and(|end| end.is_some()));
    assert_eq!(follow(trailers(101).as_bytes()), Err(WireFault::ChunkSyntax));
    let large = format!("0\r\nX: {}\r\n\r\n", "y".repeat(17_000));
    assert_eq!(follow(large.as_bytes()), Err(WireFault::ChunkSyntax));
}

#[test]
fn a_body_in_pieces_is_followed_as_the_whole() {
    let body = b"3;a=\"b;\"\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nX: y\r\n\r\n";
    let mut framing = BodyFraming::new(Framing::Chunked);
    for (index, byte) in body.iter().enumerate() {
        assert!(!framing.is_done(), "ended before byte {index}");
        assert_eq!(framing.follow(&[*byte]), Ok(1));
    }
    assert!(framing.is_done());
    assert_eq!(framing.follow(b"GET"), Ok(0));
}
