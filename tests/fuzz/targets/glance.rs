//! A JSON-RPC body.
//!
//! Holds: an id that is echoed stands in the body as it is written; a cut body has none; what the
//! scanner takes for JSON is JSON, and what is JSON it takes, as far as its depth goes.
#![no_main]

use gatehouse::jsonrpc::{
    Glance,
    scanner::{Fault, Scanner},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let bytes = bytes::Bytes::copy_from_slice(body);
    if let Some(id) = Glance::at(&bytes).id() {
        let written = id.as_bytes();
        assert!(body.windows(written.len()).any(|part| part == written), "{id}");
        assert!(
            id.starts_with('"')
                || id.starts_with('-')
                || id.starts_with(|c: char| c.is_ascii_digit())
        );
    }
    assert_eq!(Glance::at_prefix(&bytes).id(), None);

    let Ok(text) = std::str::from_utf8(body) else { return };
    let mut scanner = Scanner::new(text);
    let scanned = scanner.skip_value().and_then(|()| scanner.end());
    let parsed = serde_json::from_str::<serde_json::Value>(text);
    match (scanned, parsed) {
        // A number beyond what a double holds is JSON nevertheless.
        (Ok(()), Err(error)) => assert!(error.to_string().contains("out of range"), "{error}"),
        (Err(Fault::Cut | Fault::Syntax), Ok(_)) => panic!("the scanner refuses JSON"),
        (Ok(()), Ok(_)) | (Err(_), _) => {}
    }
});
