//! Where a request comes from, as far as limits go.
//!
//! 1. A connection's own address, unless that is a trusted proxy.
//! 2. Behind a trusted proxy the right-most entry of `X-Forwarded-For` that is no trusted proxy:
//!    what stands left of it was written by whoever is to be limited.
//! 3. IPv6 addresses count by their first 64 bits, which are one customer's; IPv4 addresses whole.
//! 4. A proxy that does not say is nobody: all that come by it would be limited as one.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use super::tally::Key;

/// The source with this address.
pub fn key(address: IpAddr) -> Key {
    match address.to_canonical() {
        IpAddr::V4(address) => Key::new(u128::from(u32::from(address)) | V4),
        IpAddr::V6(address) => Key::new(u128::from(address) & NETWORK),
    }
}

/// The address that a trusted proxy says a request comes from.
pub fn forwarded_for(headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    let lines: Vec<&HeaderValue> = headers.get_all(X_FORWARDED_FOR).iter().collect();
    let entries = lines.iter().rev().flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    for entry in entries {
        let entry = std::str::from_utf8(entry).ok()?.trim();
        if entry.is_empty() {
            continue;
        }
        // What cannot be read hides whoever comes before it.
        let address = read(entry)?.to_canonical();
        if !trusted.iter().any(|network| network.contains(&address)) {
            return Some(address);
        }
    }
    None
}

/// An address, which some proxies write with a port or in brackets.
fn read(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    let with_port = || entry.parse().map(|address: SocketAddr| address.ip());
    bare.parse().or_else(|_| with_port()).ok()
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const NETWORK: u128 = !(u64::MAX as u128);
/// Tells IPv4 addresses from IPv6 networks, whose lower half is empty.
const V4: u128 = 1 << 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarded(lines: &[&'static str]) -> Option<String> {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_static(line));
        }
        forwarded_for(&headers, &trusted).map(|address| address.to_string())
    }

    #[test]
    fn source_is_the_right_most_entry_that_is_no_trusted_proxy() {
        for (lines, source) in [
            (&["192.0.2.1"][..], Some("192.0.2.1")),
            (&["198.51.100.9, 192.0.2.1"], Some("192.0.2.1")),
            (&["198.51.100.9, 192.0.2.1, 10.1.1.1, fd00::7"], Some("192.0.2.1")),
            (&["198.51.100.9", "192.0.2.1", "10.1.1.1"], Some("192.0.2.1")),
            (&["192.0.2.1:4711"], Some("192.0.2.1")),
            (&["[2001:db8::1]:4711"], Some("2001:db8::1")),
            (&["[2001:db8::1]"], Some("2001:db8::1")),
            (&["2001:db8::1"], Some("2001:db8::1")),
            (&["::ffff:192.0.2.1"], Some("192.0.2.1")),
            (&["192.0.2.1,"], Some("192.0.2.1")),
            (&["192.0.2.1, unknown"], None),
            (&["192.0.2.1, _hidden, 10.1.1.1"], None),
            (&["10.1.1.1, ::ffff:10.2.2.2"], None),
            (&[""], None),
            (&[], None),
        ] {
            assert_eq!(forwarded(lines).as_deref(), source, "{lines:?}");
        }
    }

    #[test]
    fn sources_of_ipv6_are_networks_of_64_bits() {
        let key = |text: &str| key(text.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:ffff:ffff:ffff"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        assert_ne!(key("::1"), key("0.0.0.0"));
    }
}
