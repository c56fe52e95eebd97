//! Text as both line formats need it: JSON strings, decimal numbers, RFC 3339 times.
//!
//! Does not know events. Invariant: appends to a buffer and cannot fail.

use model::UnixMillis;

use super::short_text::digit;

/// Appends a JSON string with its quotes.
pub(super) fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    // Looks at all bytes without stopping, which compilers turn into wide instructions.
    let needs_escape = |found, byte| found | (byte < 0x20) | (byte == b'"') | (byte == b'\\');
    if text.bytes().fold(false, needs_escape) {
        for byte in text.bytes() {
            match byte {
                b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\r' => out.extend_from_slice(b"\\r"),
                b'\t' => out.extend_from_slice(b"\\t"),
                0..0x20 => {
                    const HEX: &[u8; 16] = b"0123456789abcdef";
                    out.extend_from_slice(b"\\u00");
                    out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
                }
                _ => out.push(byte),
            }
        }
    } else {
        out.extend_from_slice(text.as_bytes());
    }
    out.push(b'"');
}

/// Appends a number without leading zeros.
pub(super) fn push_number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut rest = number;
    loop {
        start -= 1;
        digits[start] = digit(rest);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Appends whole seconds since 1970, in quotes as webhooks have them. A time before 1970 is written as 0.
pub(super) fn push_seconds(out: &mut Vec<u8>, at: UnixMillis) {
    out.push(b'"');
    push_number(out, at.second().max(0).cast_unsigned());
    out.push(b'"');
}

/// Appends `"2022-02-03T10:00:00.123Z"`, always with three digits of the second's fraction.
///
/// A time outside the years 1970 to 9999 is written as the nearest that is inside.
pub(super) fn push_time(out: &mut Vec<u8>, at: UnixMillis) {
    let at_ms = at.0.clamp(0, UnixMillis::MAX.0).cast_unsigned();
    let (days, ms) = (at_ms / 86_400_000, at_ms % 86_400_000);
    let (year, month, day) = civil(days);
    let two = |number: u64| [digit(number / 10), digit(number)];
    let ([y1, y2], [y3, y4]) = (two(year / 100), two(year));
    let ([m1, m2], [d1, d2]) = (two(month), two(day));
    let ([h1, h2], [n1, n2]) = (two(ms / 3_600_000), two(ms / 60_000 % 60));
    let ([s1, s2], f1, [f2, f3]) = (two(ms / 1_000 % 60), digit(ms / 100), two(ms));
    out.extend_from_slice(&[
        b'"', y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2, b'.', f1,
        f2, f3, b'Z', b'"',
    ]);
}

/// Year, month and day of a number of days since 1970-01-01.
///
/// Years are counted from March here, so that the leap day is the last of its year.
const fn civil(days: u64) -> (u64, u64, u64) {
    let since_year_0 = days + 719_468;
    let (era, day_of_era) = (since_year_0 / 146_097, since_year_0 % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(ms: i64) -> String {
        let mut out = Vec::new();
        push_time(&mut out, UnixMillis(ms));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_are_written_to_the_millisecond() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_643_882_400_123, "2022-02-03T10:00:00.123Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (1_709_251_200_000, "2024-03-01T00:00:00.000Z"),
            (4_107_542_399_007, "2100-02-28T23:59:59.007Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (UnixMillis::MAX.0, "9999-12-31T23:59:59.999Z"),
            (i64::MAX, "9999-12-31T23:59:59.999Z"),
            (-1, "1970-01-01T00:00:00.000Z"),
        ];
        for (ms, wanted) in cases {
            assert_eq!(time(ms), format!("\"{wanted}\""));
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut yesterday = (1969, 12, 31);
        for days in 0..200_000 {
            let today = civil(days);
            let (year, month, day) = yesterday;
            let next = [(year, month, day + 1), (year, month + 1, 1), (year + 1, 1, 1)];
            assert!(next.contains(&today), "{yesterday:?} {today:?}");
            yesterday = today;
        }
        assert_eq!(yesterday, (2517, 7, 31));
    }

    #[test]
    fn strings_are_escaped_and_numbers_plain() {
        let mut out = Vec::new();
        push_string(&mut out, "a\"b\\c\n\u{1}é");
        push_number(&mut out, 0);
        push_number(&mut out, u64::MAX);
        push_seconds(&mut out, UnixMillis(1_999));
        assert_eq!(String::from_utf8(out).unwrap(), "\"a\\\"b\\\\c\\n\\u0001é\"018446744073709551615\"1\"");
    }
}
