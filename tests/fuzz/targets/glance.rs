//! A JSON-RPC body.
//!
//! Holds: an id that is echoed stands in the body as it is written; a cut body has none.
#![no_main]

use gatehouse::jsonrpc::Glance;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let glance = Glance::at(body);
    if let Some(id) = glance.id {
        let written = id.as_bytes();
        assert!(body.windows(written.len()).any(|part| part == written), "{id}");
        assert!(
            id.starts_with('"')
                || id.starts_with('-')
                || id.starts_with(|c: char| c.is_ascii_digit())
        );
    }
    assert_eq!(Glance::at_prefix(body).id, None);
});
