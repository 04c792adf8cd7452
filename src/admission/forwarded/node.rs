//! A node of `Forwarded` (RFC 7239 section 6).
//!
//! 1. `192.0.2.1`, `[2001:db8::1]`, `unknown` or `_obfuscated`, each with a port or without; a
//!    port is a number or obfuscated itself.
//! 2. Nothing else: no name, no address of IPv6 without brackets, no white space.
//!
//! Ports are checked and forgotten.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Who a hop names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// An address.
    Address(IpAddr),
    /// A name that tells nothing, with its `_`.
    Obfuscated(Box<str>),
    /// `unknown`.
    Unknown,
}

impl Node {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix('[') {
            let (address, port) = rest.split_once(']')?;
            is_port(port).then_some(())?;
            let address: Ipv6Addr = address.parse().ok()?;
            return Some(Self::Address(IpAddr::V6(address).to_canonical()));
        }
        let (name, port) = text.split_at_checked(text.find(':').unwrap_or(text.len()))?;
        is_port(port).then_some(())?;
        if name.eq_ignore_ascii_case("unknown") {
            Some(Self::Unknown)
        } else if is_obfuscated(name) {
            Some(Self::Obfuscated(name.into()))
        } else {
            name.parse().ok().map(|address: Ipv4Addr| Self::Address(address.into()))
        }
    }

    pub(super) fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Obfuscated(_) | Self::Unknown => None,
        }
    }
}

/// As `X-Forwarded-For` has it.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Obfuscated(name) => f.write_str(name),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// Nothing, or a colon and a port.
fn is_port(text: &str) -> bool {
    let Some(port) = text.strip_prefix(':') else { return text.is_empty() };
    let is_number = (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && port.parse::<u16>().is_ok()) || is_obfuscated(port)
}

fn is_obfuscated(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    text.strip_prefix('_').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(is_part))
}
