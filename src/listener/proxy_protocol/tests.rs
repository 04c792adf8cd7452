use super::*;

/// A header of version 2.
fn v2(command: u8, family: u8, behind: &[u8]) -> Vec<u8> {
    let length = u16::try_from(behind.len()).unwrap().to_be_bytes();
    [v2::SIGNATURE, &[command, family], &length, behind].concat()
}

const TCP4: [u8; 12] = [9, 9, 9, 9, 127, 0, 0, 1, 0x30, 0x39, 0, 80];

/// What this makes of every piece of a header: nothing but its whole is one.
fn source(bytes: &[u8]) -> Result<Option<String>, Malformed> {
    for end in 0..bytes.len() {
        match parse(&bytes[..end]) {
            Ok(None) => {}
            Ok(Some(header)) => panic!("{header:?} in {}", bytes[..end].escape_ascii()),
            Err(why) => return Err(why),
        }
    }
    let header = parse(bytes)?.expect("whole");
    let behind = [bytes, b"GET / HTTP/1.1\r\n\r\nPROXY "].concat();
    assert_eq!(parse(&behind), Ok(Some(header)));
    assert_eq!(header.length, bytes.len());
    Ok(header.source.map(|source| source.to_string()))
}

#[test]
fn headers_of_both_versions() {
    let mut tcp6 = [0; 36];
    tcp6[..2].copy_from_slice(&[0x20, 0x01]);
    tcp6[15] = 1;
    let appended = [&TCP4[..], b"\x04\0\x03abc", b"\xe0\0\0"].concat();
    for (bytes, expected) in [
        (b"PROXY TCP4 9.9.9.9 127.0.0.1 12345 80\r\n".to_vec(), Some("9.9.9.9")),
        (b"PROXY TCP4 0.0.0.0 0.0.0.0 0 65535\r\n".to_vec(), Some("0.0.0.0")),
        (b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n".to_vec(), Some("2001:db8::1")),
        (b"PROXY TCP6 ::ffff:9.9.9.9 ::1 1 2\r\n".to_vec(), Some("::ffff:9.9.9.9")),
        (b"PROXY UNKNOWN\r\n".to_vec(), None),
        (b"PROXY UNKNOWN 9.9.9.9 whatever \xff\r\n".to_vec(), None),
        ([&b"PROXY UNKNOWN "[..], &[b'f'; 91], b"\r\n"].concat(), None),
        (v2(0x21, 0x11, &TCP4), Some("9.9.9.9")),
        (v2(0x21, 0x21, &tcp6), Some("2001::1")),
        (v2(0x21, 0x11, &appended), Some("9.9.9.9")),
        (v2(0x21, 0x31, &[b'/'; 216]), None),
        (v2(0x21, 0, b""), None),
        (v2(0x21, 0, b"\x04\0\0"), None),
        (v2(0x20, 0, b""), None),
        (v2(0x20, 0x11, &TCP4), None),
        (v2(0x20, 0xff, b"whatever"), None),
        (v2(0x20, 0, &[0; 4096]), None),
    ] {
        let found = source(&bytes).unwrap_or_else(|why| panic!("{}: {why}", bytes.escape_ascii()));
        assert_eq!(found.as_deref(), expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn what_is_no_header_of_version_1() {
    for line in [
        "GET / HTTP/1.1\r\n",
        "proxy TCP4 9.9.9.9 127.0.0.1 1 2\r\n",
        " PROXY TCP4 9.9.9.9 127.0.0.1 1 2\r\n",
        "\r\nPROXY TCP4 9.9.9.9 127.0.0.1 1 2\r\n",
        "PROXY\r\n",
        "PROXY \r\n",
        "PROXY  TCP4 9.9.9.9 127.0.0.1 1 2\r\n",
        "PROXY TCP4 9.9.9.9 127.0.0.1 1 2\n",
        "PROXY TCP4 9.9.9.9 127.0.0.1 1 2\r\r\n",
        "PROXY TCP4 9.9.9.9 127.0.0.1 1 2 \r\n",
        "PROXY TCP4 9.9.9.9 127.0.0.1 1\r\n",
        "PROXY TCP4 9.9.9.9  127.0.0.1 1 2\r\n",
        "PROXY TCP4 9.9.9.9\t127.0.0.1 1 2\r\n",
        "PROXY TCP4 9.9.9.9 127.0.0.1 1 2 3\r\n",
        "PROXY TCP4 9.9.9.9 127.0.0.1 01 2\r\n",
        "PROXY TCP4 9.9.9.9 127.0.0.1 +1 2\r\n",
        "PROXY TCP4 9.9.9.9 127.0.0.1 1 65536\r\n",
        "PROXY TCP4 9.9.9.9 127.0.0.1  2\r\n",
        "PROXY TCP4 09.9.9.9 127.0.0.1 1 2\r\n",
        "PROXY TCP4 9.9.9 127.0.0.1 1 2\r\n",
        "PROXY TCP4 9.9.9.9 localhost 1 2\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 9.9.9.9 127.0.0.1 1 2\r\n",
        "PROXY TCP6 [::1] ::1 1 2\r\n",
        "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
        "PROXY UDP4 9.9.9.9 127.0.0.1 1 2\r\n",
        "PROXY tcp4 9.9.9.9 127.0.0.1 1 2\r\n",
        "PROXY UNKNOWN\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY TCP4 \u{e9} 127.0.0.1 1 2\r\n",
    ] {
        assert!(source(line.as_bytes()).is_err(), "{line}");
    }
    let long = format!("PROXY UNKNOWN {}\r\n", "f".repeat(92));
    assert_eq!(long.len(), 108);
    assert_eq!(source(long.as_bytes()), Err(Malformed("a line too long")));
}

#[test]
fn what_is_no_header_of_version_2() {
    let with = |appended: &[u8]| v2(0x21, 0x11, &[&TCP4[..], appended].concat());
    for (what, bytes) in [
        ("version 1", v2(0x11, 0x11, &TCP4)),
        ("version 3", v2(0x31, 0x11, &TCP4)),
        ("command 2", v2(0x22, 0x11, &TCP4)),
        ("datagrams", v2(0x21, 0x12, &TCP4)),
        ("no transport", v2(0x21, 0x10, &TCP4)),
        ("family 4", v2(0x21, 0x41, &[0; 216])),
        ("short addresses", v2(0x21, 0x11, &TCP4[..11])),
        ("short addresses of IPv6", v2(0x21, 0x21, &[0; 35])),
        ("short paths", v2(0x21, 0x31, &[0; 215])),
        ("appended kind alone", with(b"\x04")),
        ("appended half a length", with(b"\x04\0")),
        ("appended too little", with(b"\x04\0\x02a")),
        ("too long", v2(0x20, 0, &[0; 4097])),
        ("short checksum", with(b"\x03\0\x03abc")),
        ("wrong checksum", with(b"\x03\0\x04abcd")),
        ("another signature", [b"\r\n\r\n\0\r\nQUIT\r", &v2(0x21, 0x11, &TCP4)[12..]].concat()),
    ] {
        assert!(source(&bytes).is_err(), "{what}");
    }
}

#[test]
fn checksum_covers_the_whole_header() {
    let mut header = v2(
        0x21,
        0x11,
        &[&TCP4[..], b"\x04\0\x01a", b"\x03\0\x04\0\0\0\0", b"\x04\0\x01b"].concat(),
    );
    let at = header.len() - 8;
    header[at..at + 4].copy_from_slice(&CHECKSUM.to_be_bytes());
    assert_eq!(source(&header), Ok(Some("9.9.9.9".to_owned())));
    for at in [16, 20, 31, header.len() - 1] {
        let mut damaged = header.clone();
        damaged[at] ^= 1;
        assert_eq!(source(&damaged), Err(Malformed("a wrong checksum")), "{at}");
    }
}

const CHECKSUM: u32 = 0x522c_f9ad;
