//! A JSON-RPC body, read by us and by models of other readers.
//!
//! Holds (F35): whatever our reader accepts, every model reads alike; see
//! `tests/readers/models.rs`. The seeds are `tests/readers/seeds`.
#![no_main]

#[path = "../../readers/models.rs"]
mod models;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Some(why) = models::disagreement(body) {
        panic!("{why}");
    }
});
