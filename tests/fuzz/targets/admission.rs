//! A request head: the first line is the target, the second the Host, the others are header fields.
//!
//! Holds: what is admitted is one path that everybody reads alike, and one host.
#![no_main]

use gatehouse::admission;
use http::{HeaderName, HeaderValue, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n');
    let (Some(target), Some(host)) = (lines.next(), lines.next()) else { return };
    let Ok(host) = HeaderValue::from_bytes(host) else { return };
    let mut request = Request::builder().uri(target).header("host", host);
    for line in lines {
        let mut field = line.splitn(2, |byte| *byte == b':');
        let name = field.next().and_then(|name| HeaderName::from_bytes(name).ok());
        let value = field.next().and_then(|value| HeaderValue::from_bytes(value).ok());
        if let (Some(name), Some(value)) = (name, value) {
            request = request.header(name, value);
        }
    }
    let Ok(request) = request.body(()) else { return };
    let (parts, ()) = request.into_parts();
    let Ok(admitted) = admission::admit(&parts, None, None) else { return };
    let path = admitted.path();
    assert!(path.starts_with('/') && path.is_ascii(), "{path}");
    assert!(!path.contains("//") && !path.contains('\\') && !path.contains(';'), "{path}");
    assert!(path.split('/').all(|segment| segment != "." && segment != ".."), "{path}");
    let lower = path.to_ascii_lowercase();
    assert!(
        ["%2f", "%5c", "%2e", "%25", "%0", "%1"].iter().all(|bad| !lower.contains(bad)),
        "{path}"
    );
    assert!(!admitted.authority().host().is_empty(), "{path}");
    assert!(!admitted.authority().host().contains(['@', '/', ' ', ',']), "{path}");
});
