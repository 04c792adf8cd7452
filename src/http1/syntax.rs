//! Which bytes names and values of fields are made of.

/// RFC 9110 section 5.6.2.
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && every(bytes, is_token_byte)
}

/// `tchar` of RFC 9110 section 5.6.2.
pub fn is_token_byte(byte: u8) -> bool {
    // Looked up: compared one by one they would cost more than all else that is done to a name.
    TOKEN_BYTES.get(usize::from(byte)).copied().unwrap_or(false)
}

/// What may stand in a field value: no control byte but the tab (RFC 9110 section 5.5).
pub fn is_value_byte(byte: u8) -> bool {
    (byte >= b' ' && byte != 0x7f) || byte == b'\t'
}

/// Looks at every byte, without stopping at the first that fails: almost none does, and a loop
/// without an exit is done many bytes at a time.
pub fn every(bytes: &[u8], holds: impl Fn(u8) -> bool) -> bool {
    bytes.iter().fold(true, |all, &byte| all & holds(byte))
}

#[expect(clippy::indexing_slicing, reason = "a byte is within 256, and it is compile time")]
static TOKEN_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut rest = "!#$%&'*+-.^_`|~0123456789\
        ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
        .as_bytes();
    while let [byte, behind @ ..] = rest {
        table[*byte as usize] = true;
        rest = behind;
    }
    table
};
