use super::*;

/// Follows a body as far as it goes; what of it was content, and how many bytes belong to it.
fn decode(decoder: &mut BodyDecoder, bytes: &[u8]) -> Result<(Vec<u8>, usize), Malformed> {
    let (mut content, mut taken) = (Vec::new(), 0);
    loop {
        let piece = decoder.next(&bytes[taken..])?;
        if piece == Piece::default() {
            return Ok((content, taken));
        }
        taken += piece.framing;
        content.extend_from_slice(&bytes[taken..taken + piece.content]);
        taken += piece.content;
    }
}

/// Follows a chunked body; how many bytes belong to it once it has ended.
fn follow(body: &[u8]) -> Result<Option<usize>, Malformed> {
    let mut decoder = BodyDecoder::new(Framing::Chunked);
    let (_, taken) = decode(&mut decoder, body)?;
    Ok(decoder.is_done().then_some(taken))
}

#[test]
fn a_body_of_known_length_ends_after_that_many_bytes() {
    let mut decoder = BodyDecoder::new(Framing::Length(5));
    assert_eq!(decode(&mut decoder, b"abc"), Ok((b"abc".to_vec(), 3)));
    assert_eq!((decoder.is_done(), decoder.left()), (false, Some(2)));
    assert_eq!(decode(&mut decoder, b"deGET /smug"), Ok((b"de".to_vec(), 2)));
    assert_eq!((decoder.is_done(), decoder.left()), (true, Some(0)));
    assert!(BodyDecoder::new(Framing::Length(0)).is_done());
}

#[test]
fn a_body_that_ends_with_its_connection_is_all_content() {
    let mut decoder = BodyDecoder::new(Framing::UntilClose);
    assert_eq!(decode(&mut decoder, b"0\r\n\r\n"), Ok((b"0\r\n\r\n".to_vec(), 5)));
    assert_eq!((decoder.is_done(), decoder.left()), (false, None));
}

#[test]
fn padding_is_overlooked_where_it_may_be() {
    for body in ["5  \r\nhello\r\n0 \r\n\r\n", "5\t;a=b\r\nhello\r\n0\t\r\n\r\n"] {
        let mut decoder = BodyDecoder::lenient(Framing::Chunked);
        let content = decode(&mut decoder, body.as_bytes());
        assert_eq!(content, Ok((b"hello".to_vec(), body.len())), "{body:?}");
        assert!(decoder.is_done());
        assert_eq!(follow(body.as_bytes()), Err(Malformed), "{body:?}");
    }
    for body in [" 5\r\nhello\r\n", "5 5\r\nhello\r\n", "5 \nhello\r\n"] {
        let mut decoder = BodyDecoder::lenient(Framing::Chunked);
        assert_eq!(decode(&mut decoder, body.as_bytes()), Err(Malformed), "{body:?}");
    }
    let endless = format!("5{}", " ".repeat(20_000));
    let mut decoder = BodyDecoder::lenient(Framing::Chunked);
    assert_eq!(decode(&mut decoder, endless.as_bytes()), Err(Malformed));
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
        assert_eq!(follow(body.as_bytes()), Err(Malformed), "{body:?}");
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
        assert_eq!(follow(body.as_bytes()), Err(Malformed), "{line:?}");
    }
    let long = format!("1;a={}\r\n", "b".repeat(20_000));
    assert_eq!(follow(long.as_bytes()), Err(Malformed));
    let many = "1;a\r\nx\r\n".repeat(10_000);
    assert_eq!(follow(many.as_bytes()), Err(Malformed));
}

#[test]
fn c11_sizes_are_hexadecimal_digits_and_nothing_else() {
    for line in ["0x5", "-5", "+5", "0_2e", " 5", "5 ", "\t5", "5\t", "", "g", "00000000000000005"]
    {
        let body = format!("{line}\r\nhello\r\n0\r\n\r\n");
        assert_eq!(follow(body.as_bytes()), Err(Malformed), "{line:?}");
    }
    assert_eq!(follow(b"ffffffffffffffff\r\nhello"), Ok(None));
}

#[test]
fn c12_trailers_are_field_lines_and_bounded() {
    for trailer in ["no colon", " X: y", "X : y", ": y", "X: a\0", "X: a\rb"] {
        let body = format!("0\r\n{trailer}\r\n\r\n");
        assert_eq!(follow(body.as_bytes()), Err(Malformed), "{trailer:?}");
    }
    let trailers = |count: usize| format!("0\r\n{}\r\n", "X: y\r\n".repeat(count));
    assert!(follow(trailers(100).as_bytes()).is_ok_and(|end| end.is_some()));
    assert_eq!(follow(trailers(101).as_bytes()), Err(Malformed));
    let large = format!("0\r\nX: {}\r\n\r\n", "y".repeat(17_000));
    assert_eq!(follow(large.as_bytes()), Err(Malformed));
}

#[test]
fn a_body_in_pieces_is_decoded_as_the_whole() {
    let body = b"3;a=\"b;\"\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nX: y\r\n\r\n";
    let mut decoder = BodyDecoder::new(Framing::Chunked);
    let mut content = Vec::new();
    for (index, byte) in body.iter().enumerate() {
        assert!(!decoder.is_done(), "ended before byte {index}");
        let (piece, taken) = decode(&mut decoder, &[*byte]).unwrap();
        assert_eq!(taken, 1);
        content.extend(piece);
    }
    assert!(decoder.is_done());
    assert_eq!(content, b"abc0123456789abcdef");
    assert_eq!(decode(&mut decoder, b"GET"), Ok((Vec::new(), 0)));
}
