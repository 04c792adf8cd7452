//! Version 2: sixteen bytes, addresses by their family, and what is appended.

use std::net::IpAddr;

use super::{Header, Malformed};

pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

pub(super) fn parse(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let Some((start, _)) = bytes.split_first_chunk::<START_BYTES>() else { return Ok(None) };
    let [.., command, family, high, low] = *start;
    let is_own = match command {
        0x20 => true,
        0x21 => false,
        _ => return Err(Malformed("another version or command than 2.0 and 2.1")),
    };
    let family = if is_own { 0 } else { family };
    let address_bytes = address_bytes(family)?;
    let behind = usize::from(u16::from_be_bytes([high, low]));
    if behind > MAX_BEHIND_BYTES {
        return Err(Malformed("longer than 4096 bytes"));
    }
    let length = START_BYTES + behind;
    let Some(header) = bytes.get(..length) else { return Ok(None) };
    if is_own {
        // Whatever it says, it says it of nobody.
        return Ok(Some(Header { source: None, length }));
    }
    let short = Malformed("shorter than its addresses");
    let (addresses, appended) = header
        .get(START_BYTES..)
        .and_then(|rest| rest.split_at_checked(address_bytes))
        .ok_or(short)?;
    check(header, appended)?;
    let source = match family {
        TCP_IPV4 => addresses.first_chunk::<4>().map(|source| IpAddr::from(*source)),
        TCP_IPV6 => addresses.first_chunk::<16>().map(|source| IpAddr::from(*source)),
        _ => None,
    };
    Ok(Some(Header { source, length }))
}

fn address_bytes(family: u8) -> Result<usize, Malformed> {
    match family {
        UNSPECIFIED => Ok(0),
        TCP_IPV4 => Ok(12),
        TCP_IPV6 => Ok(36),
        UNIX_STREAM => Ok(216),
        // Datagrams cannot have become this connection.
        _ => Err(Malformed("a family or transport that cannot be")),
    }
}

/// Steps over what is appended, and checks the checksum when there is one.
fn check(header: &[u8], mut appended: &[u8]) -> Result<(), Malformed> {
    while let Some((kind, behind)) = appended.split_first() {
        let unfit = Malformed("an appended value that does not fit");
        let (length, behind) = behind.split_first_chunk().ok_or(unfit)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (value, behind) = behind.split_at_checked(length).ok_or(unfit)?;
        if *kind == CHECKSUM {
            let expected = value.try_into().map(u32::from_be_bytes).map_err(|_| unfit)?;
            // It was computed with itself as zeros.
            let before = header.len() - behind.len() - value.len();
            let zeros = [0; 4];
            let parts = [header.get(..before).unwrap_or_default(), &zeros, behind];
            if crc32c(parts.into_iter().flatten()) != expected {
                return Err(Malformed("a wrong checksum"));
            }
        }
        appended = behind;
    }
    Ok(())
}

/// CRC-32C (RFC 9260 appendix A), bit by bit: headers are few and short.
fn crc32c<'a>(bytes: impl Iterator<Item = &'a u8>) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (0x82f6_3b78 & 0u32.wrapping_sub(crc & 1));
    !bytes.fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

const START_BYTES: usize = 16;
const MAX_BEHIND_BYTES: usize = 4096;
const UNSPECIFIED: u8 = 0;
const TCP_IPV4: u8 = 0x11;
const TCP_IPV6: u8 = 0x21;
const UNIX_STREAM: u8 = 0x31;
const CHECKSUM: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_is_the_one_of_the_standard() {
        assert_eq!(crc32c(b"123456789".iter()), 0xe306_9283);
        assert_eq!(crc32c([].iter()), 0);
    }
}
