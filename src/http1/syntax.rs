//! Which bytes names and values of fields are made of.

/// RFC 9110 section 5.6.2.
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| is_token_byte(byte))
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

/// Whether these bytes may be a field value, blanks around it included.
pub fn is_value(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    // Eight bytes at a time; a tab is the one control byte that may stand, and is rare.
    let is_plain = words.iter().all(|word| !has_control_byte(u64::from_le_bytes(*word)));
    (is_plain || words.as_flattened().iter().all(|&byte| is_value_byte(byte)))
        && rest.iter().all(|&byte| is_value_byte(byte))
}

/// Whether one of the eight bytes is below 0x20, or 0x7f.
fn has_control_byte(word: u64) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = EACH * 0x80;
    // A byte that a subtraction takes below zero shows in its highest bit; bytes that had it set
    // before are none of these.
    let below_20 = word.wrapping_sub(EACH * 0x20) & !word;
    let deleted = word ^ (EACH * 0x7f);
    let is_7f = deleted.wrapping_sub(EACH) & !deleted;
    (below_20 | is_7f) & HIGH != 0
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_judged_alike_wherever_a_byte_stands() {
        for byte in 0..=u8::MAX {
            for length in 1..20 {
                for place in 0..length {
                    for filler in [b' ', b'~', 0x80, 0xff, b'\t'] {
                        let mut value = vec![filler; length];
                        value[place] = byte;
                        assert_eq!(is_value(&value), is_value_byte(byte), "{value:?}");
                    }
                }
            }
        }
        assert!(is_value(b""));
    }
}
