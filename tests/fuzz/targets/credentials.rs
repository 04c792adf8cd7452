//! Credentials: the first line is the query, each other one an `Authorization` field.
//!
//! Holds: a token comes out only of one field that begins with its scheme, and it is the bytes that
//! were sent.
#![no_main]

use gatehouse::{authenticate::bearer, oauth::BearerToken};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(token) = BearerToken::parse(data) {
        assert_eq!(token.expose().as_bytes(), data);
        assert!(!format!("{token:?}").contains(token.expose()) || data.len() < 12);
    }
    let mut lines = data.split(|byte| *byte == b'\n');
    let query = lines.next().and_then(|query| std::str::from_utf8(query).ok());
    let mut headers = HeaderMap::new();
    for value in lines.filter_map(|line| HeaderValue::from_bytes(line).ok()) {
        headers.append(AUTHORIZATION, value);
    }
    let Ok(token) = bearer::read(&headers, query) else { return };
    let fields: Vec<_> = headers.get_all(AUTHORIZATION).iter().collect();
    assert_eq!(fields.len(), 1);
    let (scheme, rest) = fields[0].as_bytes().split_at(7);
    assert!(scheme.eq_ignore_ascii_case(b"bearer "));
    assert_eq!(rest, token.expose().as_bytes());
});
