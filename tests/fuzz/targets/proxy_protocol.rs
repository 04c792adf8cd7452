//! The first bytes of a connection that should begin with a PROXY header.
//!
//! Holds: no header is found before its last byte, what follows it changes nothing, and no more
//! than the bound is waited for.
#![no_main]

use gatehouse::listener::proxy_protocol::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    match parse(data) {
        Ok(Some(header)) => {
            assert!(header.length <= data.len() && header.length <= 16 + 4096);
            let whole = &data[..header.length];
            assert_eq!(parse(whole), Ok(Some(header)));
            for end in 0..header.length {
                assert_eq!(parse(&data[..end]), Ok(None));
            }
        }
        Ok(None) => assert!(data.len() < 16 + 4096),
        Err(why) => {
            let longer = [data, b"\r\n"].concat();
            assert_eq!(parse(&longer), Err(why));
        }
    }
});
