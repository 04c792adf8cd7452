//! Where a request comes from, as far as limits go.
//!
//! 1. A connection's own address, unless that is a trusted proxy.
//! 2. Behind a trusted proxy the client that it names ([`crate::admission::forwarded`]).
//! 3. IPv6 addresses count by their first 64 bits, which are one customer's or less; IPv4 addresses
//!    whole, those behind a translator (RFC 6052) too.
//! 4. A proxy that does not say is nobody: all that come by it would be limited as one.

use std::net::IpAddr;

use super::tally::Key;

/// The source with this address.
pub fn key(address: IpAddr) -> Key {
    match address.to_canonical() {
        IpAddr::V4(address) => Key::new(u128::from(u32::from(address)) | V4),
        // RFC 6052 section 2.1: an IPv4 address behind a translator.
        IpAddr::V6(address) if matches!(address.segments(), [0x64, 0xff9b, 0, 0, 0, 0, ..]) => {
            Key::new(u128::from(address) & u128::from(u32::MAX) | V4)
        }
        IpAddr::V6(address) => Key::new(u128::from(address) & NETWORK),
    }
}

const NETWORK: u128 = !(u64::MAX as u128);
/// Tells IPv4 addresses from IPv6 networks, whose lower half is empty.
const V4: u128 = 1 << 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_of_ipv6_are_networks_of_64_bits() {
        let key = |text: &str| key(text.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:ffff:ffff:ffff"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        assert_ne!(key("::1"), key("0.0.0.0"));
        assert_eq!(key("64:ff9b::192.0.2.1"), key("192.0.2.1"));
        assert_ne!(key("64:ff9b::192.0.2.1"), key("64:ff9b::192.0.2.2"));
    }
}
