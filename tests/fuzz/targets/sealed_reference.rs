//! A sealed reference, forged.
//!
//! Holds: only what was sealed opens, and only where it was sealed.
#![no_main]

use std::sync::LazyLock;

use gatehouse::{
    authenticate::token_facts::Principal,
    forward::session::{Kind, Place, Sealer},
    oauth::Secret,
};
use libfuzzer_sys::fuzz_target;

static SEALER: LazyLock<Sealer> = LazyLock::new(|| {
    Sealer::new(&[Secret::new("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY")]).expect("a key")
});

fuzz_target!(|text: &str| {
    let here = Place {
        kind: Kind::Session,
        route: "notes",
        upstream: "http://127.0.0.1:3001/mcp",
        principal: &Principal::ANONYMOUS,
    };
    assert_eq!(SEALER.open(here, text), None);
    let sealed = SEALER.seal(here, text).expect("a key");
    match SEALER.open(here, &sealed) {
        Some(opened) => assert_eq!(opened, text),
        // Longer than any reference is accepted.
        None => assert!(!Sealer::is_plausible(&sealed)),
    }
    assert_eq!(SEALER.open(Place { kind: Kind::MessageEndpoint, ..here }, &sealed), None);
    assert_eq!(SEALER.open(Place { route: "other", ..here }, &sealed), None);
    assert_eq!(SEALER.open(Place { upstream: "http://127.0.0.1:3002/mcp", ..here }, &sealed), None);
});
