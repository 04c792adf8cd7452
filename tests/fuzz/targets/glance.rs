//! A JSON-RPC body.
//!
//! Holds: an id that is echoed stands in the body as it is written; a cut body has none; what the
//! scanner takes for JSON is JSON, and what is JSON it takes, as far as its depth goes; whatever a
//! usual reader takes for a subscription may be one, seen whole or piece by piece.
#![no_main]

use gatehouse::jsonrpc::{
    Glance,
    scanner::{Fault, Scanner},
    watch::Watch,
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

    if let Ok(value) = serde_json::from_slice::<serde_json::Value>(body)
        && value.get("method").is_some_and(|method| method == "subscriptions/listen")
    {
        assert!(Glance::at(&bytes).may_be_listening());
        let mut watch = Watch::default();
        body.chunks(3).for_each(|piece| watch.push(piece));
        for cut in 0..=body.len() {
            let glance = Glance::at_prefix(&bytes.slice(..cut));
            assert!(glance.may_be_listening() || watch.is_in_doubt());
        }
    }

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
