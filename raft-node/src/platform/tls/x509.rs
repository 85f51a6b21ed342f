//! Two things a certificate says that rustls does not tell: when it ends, and what it calls its holder.
//! Only ever asked of certificates that were verified, so this reads as little of DER (X.690) as it
//! takes to get there, and answers nothing rather than something wrong.

/// When the certificate ends, in seconds since the epoch.
pub(super) fn not_after(certificate: &[u8]) -> Option<u64> {
    let (_, validity) = parts(certificate)?;
    let (_, _, rest) = element(validity)?;
    let (tag, until, _) = element(rest)?;
    let text = std::str::from_utf8(until).ok()?.strip_suffix('Z')?;
    // RFC 5280, section 4.1.2.5.1: two digits of a year are those of 1950 to 2049.
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: i64 = year.parse().ok()?;
            (year + if year < 50 { 2_000 } else { 1_900 }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let digits = rest.len() == 10 && rest.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        return None;
    }
    let part = |at: usize| rest[at..at + 2].parse::<i64>().ok();
    let days = days_since_epoch(year, part(0)?, part(2)?);
    let seconds = days * 86_400 + part(4)? * 3_600 + part(6)? * 60 + part(8)?;
    u64::try_from(seconds).ok()
}

/// What the certificate calls its holder.
pub(super) fn common_name(certificate: &[u8]) -> Option<String> {
    let (mut names, _) = parts(certificate)?;
    while !names.is_empty() {
        let (_, set, rest) = element(names)?;
        names = rest;
        let (_, pair, _) = element(set)?;
        let (_, kind, value) = element(pair)?;
        if kind == COMMON_NAME {
            let (_, text, _) = element(value)?;
            return String::from_utf8(text.to_vec()).ok();
        }
    }
    None
}

const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The version of a certificate, if it is told.
const VERSION: u8 = 0xa0;
/// 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// Subject and validity: RFC 5280, section 4.1.
fn parts(certificate: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, certificate, _) = element(certificate)?;
    let (_, signed, _) = element(certificate)?;
    let (tag, _, after_version) = element(signed)?;
    let rest = if tag == VERSION {
        after_version
    } else {
        signed
    };
    let (_, _serial, rest) = element(rest)?;
    let (_, _algorithm, rest) = element(rest)?;
    let (_, _issuer, rest) = element(rest)?;
    let (_, validity, rest) = element(rest)?;
    let (_, subject, _) = element(rest)?;
    Some((subject, validity))
}

/// The first element: its tag, what is in it, and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = bytes
                .iter()
                .fold(0, |sum, &byte| sum << 8 | usize::from(byte));
            (length, rest)
        }
        _ => return None,
    };
    let (inside, after) = rest.split_at_checked(length)?;
    Some((tag, inside, after))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, counted in years that begin in March.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = match month {
        ..=2 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + (153 * month + 2) / 5 + day - 719_469
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_as_calendars_do() {
        for (date, days) in [
            ((1970, 1, 1), 0),
            ((1970, 3, 1), 59),
            ((2000, 2, 29), 11_016),
            ((2026, 11, 22), 20_779),
            ((2100, 3, 1), 47_541),
        ] {
            let (year, month, day) = date;
            assert_eq!(days_since_epoch(year, month, day), days, "{date:?}");
        }
    }

    #[test]
    fn what_is_cut_short_says_nothing() {
        for bytes in [
            &[][..],
            &[0x30],
            &[0x30, 5, 1],
            &[0x30, 0x85, 1, 1, 1, 1, 1],
        ] {
            assert_eq!((not_after(bytes), common_name(bytes)), (None, None));
        }
    }
}
