//! The end of an X.509 certificate's validity (RFC 5280 section 4.1.2.5).
//!
//! 1. Only the fields before it are stepped over; nothing else of the certificate is judged.
//! 2. Both forms of time are read as DER has them: `YYMMDDhhmmssZ` and `YYYYMMDDhhmmssZ`.
//!
//! Whether the certificate is well-formed otherwise, and whom it names, rustls and its clients judge.

/// `notAfter` in seconds since the Unix epoch; nothing when it cannot be found.
pub(super) fn not_after(certificate: &[u8]) -> Option<i64> {
    let (_, certificate, _) = element(certificate).filter(|(tag, ..)| *tag == SEQUENCE)?;
    let (_, mut rest, _) = element(certificate).filter(|(tag, ..)| *tag == SEQUENCE)?;
    // The version is absent from certificates of version 1.
    if let Some((VERSION, _, behind)) = element(rest) {
        rest = behind;
    }
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        // Serial number, signature algorithm, issuer.
        (_, _, rest) = element(rest).filter(|(found, ..)| *found == tag)?;
    }
    let (_, validity, _) = element(rest).filter(|(tag, ..)| *tag == SEQUENCE)?;
    let (_, _, behind_not_before) = element(validity)?;
    let (tag, time, _) = element(behind_not_before)?;
    unix_seconds(tag, time)
}

/// The first element's tag and content, and what stands behind it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, mut rest) = rest.split_first()?;
    let mut length = usize::from(first);
    if first & LONG != 0 {
        let count = usize::from(first & !LONG);
        if count == 0 || count > MAX_LENGTH_BYTES {
            return None;
        }
        let (digits, behind) = rest.split_at_checked(count)?;
        length = digits.iter().fold(0, |length, &digit| (length << 8) | usize::from(digit));
        rest = behind;
    }
    let (content, behind) = rest.split_at_checked(length)?;
    Some((tag, content, behind))
}

fn unix_seconds(tag: u8, time: &[u8]) -> Option<i64> {
    let digits = time.strip_suffix(b"Z")?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = number(digits, 2)?;
            // RFC 5280 section 4.1.2.5.1.
            (if year >= 50 { 1900 + year } else { 2000 + year }, rest)
        }
        GENERALIZED_TIME => number(digits, 4)?,
        _ => return None,
    };
    let (month, rest) = number(rest, 2).filter(|(month, _)| (1..=12).contains(month))?;
    let (day, rest) = number(rest, 2).filter(|(day, _)| (1..=31).contains(day))?;
    let (hour, rest) = number(rest, 2).filter(|(hour, _)| *hour < 24)?;
    let (minute, rest) = number(rest, 2).filter(|(minute, _)| *minute < 60)?;
    let (second, rest) = number(rest, 2).filter(|(second, _)| *second <= 60)?;
    rest.is_empty().then_some(())?;
    Some(((days_since_epoch(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
}

fn number(digits: &[u8], count: usize) -> Option<(i64, &[u8])> {
    let (digits, rest) = digits.split_at_checked(count)?;
    let mut number = 0;
    for &digit in digits {
        number = number * 10 + i64::from(char::from(digit).to_digit(10)?);
    }
    Some((number, rest))
}

/// Days of the Gregorian calendar; years begin in March here, so that a leap day is a year's last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let leap_days = year / 4 - year / 100 + year / 400;
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - DAYS_BEFORE_EPOCH
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const LONG: u8 = 0x80;
const MAX_LENGTH_BYTES: usize = 4;

/// From 1 March of the year 0 to 1 January 1970.
const DAYS_BEFORE_EPOCH: i64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_both_forms_are_read() {
        for (tag, text, seconds) in [
            (UTC_TIME, "700101000000Z", Some(0)),
            (UTC_TIME, "491231235959Z", Some(2_524_607_999)),
            (UTC_TIME, "500101000000Z", Some(-631_152_000)),
            (GENERALIZED_TIME, "20000229120000Z", Some(951_825_600)),
            (GENERALIZED_TIME, "20500301000000Z", Some(2_529_705_600)),
            (GENERALIZED_TIME, "99991231235959Z", Some(253_402_300_799)),
            (GENERALIZED_TIME, "700101000000Z", None),
            (UTC_TIME, "700101000000", None),
            (UTC_TIME, "701301000000Z", None),
            (UTC_TIME, "700100000000Z", None),
            (UTC_TIME, "7001010000+0Z", None),
            (UTC_TIME, "7001010000001Z", None),
            (INTEGER, "700101000000Z", None),
        ] {
            assert_eq!(unix_seconds(tag, text.as_bytes()), seconds, "{text}");
        }
    }

    #[test]
    fn end_of_a_certificate_is_found_and_of_no_piece_of_it() {
        let mut params = rcgen::CertificateParams::new(["a.example".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2031, 7, 9);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let der = certificate.der();
        assert_eq!(not_after(der), Some(1_941_321_600));
        for end in 0..der.len() {
            assert_eq!(not_after(&der[..end]), None, "{end}");
        }
    }
}
