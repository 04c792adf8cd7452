//! What a trusted proxy says of a request's way: each line is a field, its first byte says which.
//!
//! Holds: it ends; the client is the peer or an address that stands in a field; what goes upstream
//! is a field's value; what was understood is understood alike when it is said in
//! `X-Forwarded-For` alone.
#![no_main]

use std::net::IpAddr;

use gatehouse::admission::forwarded::{X_FORWARDED_FOR, X_FORWARDED_PROTO, read};
use http::{HeaderMap, HeaderValue, header::FORWARDED};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        let Some((first, value)) = line.split_first() else { continue };
        let name = match first % 3 {
            0 => FORWARDED,
            1 => X_FORWARDED_FOR,
            _ => X_FORWARDED_PROTO,
        };
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    let trusted = ["10.0.0.0/8".parse().expect("a network")];
    let stranger = IpAddr::from([192, 0, 2, 1]);
    assert_eq!(read(&headers, stranger, &trusted), Ok(None));
    let peer = IpAddr::from([10, 0, 0, 1]);
    let Ok(way) = read(&headers, peer, &trusted) else { return };
    let way = way.expect("the peer is trusted");
    let Some(chain) = &way.chain else {
        assert_eq!(way.client, peer);
        return;
    };
    let mut again = HeaderMap::new();
    again.insert(X_FORWARDED_FOR, HeaderValue::from_str(chain).expect("a field's value"));
    let again = read(&again, peer, &trusted).expect("a list").expect("the peer is trusted");
    assert_eq!(again.client, way.client);
});
