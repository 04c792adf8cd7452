//! Version 1: one line of text.
//!
//! `PROXY TCP4|TCP6 source destination source-port destination-port` with single spaces, addresses
//! of that family and ports without leading zeros; or `PROXY UNKNOWN`, whose rest means nothing.
//! The line ends with CR LF, and within 107 bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Header, Malformed};

pub(super) const SIGNATURE: &[u8] = b"PROXY ";

pub(super) fn parse(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let bounded = bytes.get(..MAX_BYTES).unwrap_or(bytes);
    let Some(end) = bounded.iter().position(|byte| *byte == b'\n') else {
        let is_too_long = bytes.len() >= MAX_BYTES;
        return if is_too_long { Err(Malformed("a line too long")) } else { Ok(None) };
    };
    let line = bounded.get(..end).and_then(|line| line.strip_suffix(b"\r"));
    let line = line.ok_or(Malformed("a line that does not end with CR LF"))?;
    let words = line.get(SIGNATURE.len()..).unwrap_or_default();
    let source = if words == b"UNKNOWN" || words.starts_with(b"UNKNOWN ") {
        None
    } else {
        let text = std::str::from_utf8(words).map_err(|_| Malformed("bytes that are no text"))?;
        Some(source(text).ok_or(Malformed("a line that is none of version 1"))?)
    };
    Ok(Some(Header { source, length: end + 1 }))
}

fn source(text: &str) -> Option<IpAddr> {
    let mut words = text.split(' ');
    let mut next = || words.next();
    let (family, source, destination) = (next()?, next()?, next()?);
    let (from, to) = (next()?, next()?);
    if next().is_some() || !is_port(from) || !is_port(to) {
        return None;
    }
    match family {
        "TCP4" => {
            destination.parse::<Ipv4Addr>().ok()?;
            source.parse().map(IpAddr::V4).ok()
        }
        "TCP6" => {
            destination.parse::<Ipv6Addr>().ok()?;
            source.parse().map(IpAddr::V6).ok()
        }
        _ => None,
    }
}

fn is_port(text: &str) -> bool {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    is_plain && (text == "0" || !text.starts_with('0')) && text.parse::<u16>().is_ok()
}

const MAX_BYTES: usize = 107;
