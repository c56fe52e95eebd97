//! RFC 3339 times in UTC, as the JSON mapping writes them.
//!
//! Knows only UTC. Invariant: years 1970 to 9999; what lies below the millisecond is cut off, never rounded.

use model::UnixMillis;

const DAY_SECONDS: i64 = 86_400;
const DAYS_BEFORE_MONTH: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
const DAYS_IN_MONTH: [u8; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days from 1970-01-01 to the first of January of a year, 1970 or later.
const fn days_before_year(year: i64) -> i64 {
    let before = year - 1;
    // 719_162 days lie between 0001-01-01 and 1970-01-01.
    before * 365 + before / 4 - before / 100 + before / 400 - 719_162
}

/// Writes a time as `2022-02-03T10:00:00.123Z`; the fraction is left out if it is zero.
#[must_use]
pub fn rfc3339_of(at: UnixMillis) -> String {
    let mut out = Vec::with_capacity(24);
    put_rfc3339(&mut out, at);
    String::from_utf8(out).unwrap_or_default()
}

/// Reads `2022-02-03T10:00:00Z` with up to nine digits of a fraction; any other form is `None`.
#[inline]
pub(crate) fn parse(text: &str) -> Option<UnixMillis> {
    let (&[y1, y2, y3, y4, b'-', mo1, mo2, b'-', d1, d2, b'T', h1, h2, b':', mi1, mi2, b':', s1, s2], rest) =
        text.as_bytes().split_first_chunk::<19>()?
    else {
        return None;
    };
    let year = i64::from(pair(y1, y2)?) * 100 + i64::from(pair(y3, y4)?);
    let (month, day) = (pair(mo1, mo2)?, pair(d1, d2)?);
    let (hour, minute, second) = (pair(h1, h2)?, pair(mi1, mi2)?, pair(s1, s2)?);
    let month_index = usize::from(month.checked_sub(1)?);
    let leap_day = u8::from(month == 2 && is_leap(year));
    let days_in_month = DAYS_IN_MONTH.get(month_index)? + leap_day;
    if year < 1970 || day == 0 || day > days_in_month || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_before_year(year)
        + DAYS_BEFORE_MONTH[month_index]
        + i64::from(month > 2 && is_leap(year))
        + i64::from(day)
        - 1;
    let seconds = days * DAY_SECONDS + i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
    Some(UnixMillis(seconds * 1_000 + fraction_millis(rest)?))
}

#[inline]
fn digit(byte: u8) -> Option<u8> {
    let value = byte.wrapping_sub(b'0');
    (value < 10).then_some(value)
}

#[inline]
fn pair(tens: u8, ones: u8) -> Option<u8> {
    Some(digit(tens)? * 10 + digit(ones)?)
}

#[inline]
fn fraction_millis(rest: &[u8]) -> Option<i64> {
    match rest {
        b"Z" => Some(0),
        &[b'.', a, b, c, b'Z'] => {
            Some(i64::from(digit(a)?) * 100 + i64::from(digit(b)?) * 10 + i64::from(digit(c)?))
        }
        [b'.', digits @ .., b'Z'] if (1..=9).contains(&digits.len()) => {
            let mut millis = 0;
            let mut weight = 100;
            for byte in digits {
                millis += i64::from(digit(*byte)?) * weight;
                weight /= 10;
            }
            Some(millis)
        }
        _ => None,
    }
}

/// Appends a time with three digits of a fraction, or none for a whole second. Years 1970 to 9999.
pub fn put_rfc3339(out: &mut Vec<u8>, at: UnixMillis) {
    let at = at.0.clamp(0, UnixMillis::MAX.0);
    let (days, of_day) = (at / 1_000 / DAY_SECONDS, at / 1_000 % DAY_SECONDS);
    let mut year = 1970 + days / 366;
    while days_before_year(year + 1) <= days {
        year += 1;
    }
    let mut left = days - days_before_year(year);
    let mut month = 0;
    while let days_in_month = i64::from(DAYS_IN_MONTH[month]) + i64::from(month == 1 && is_leap(year))
        && left >= days_in_month
    {
        left -= days_in_month;
        month += 1;
    }
    digits(out, year, 4);
    out.push(b'-');
    digits(out, month as i64 + 1, 2);
    out.push(b'-');
    digits(out, left + 1, 2);
    out.push(b'T');
    digits(out, of_day / 3_600, 2);
    out.push(b':');
    digits(out, of_day / 60 % 60, 2);
    out.push(b':');
    digits(out, of_day % 60, 2);
    if at % 1_000 != 0 {
        out.push(b'.');
        digits(out, at % 1_000, 3);
    }
    out.push(b'Z');
}

fn digits(out: &mut Vec<u8>, mut number: i64, count: usize) {
    let start = out.len();
    out.resize(start + count, b'0');
    for place in out[start..].iter_mut().rev() {
        *place += u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times_are_read() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2022-02-03T10:00:00.123Z", 1_643_882_400_123),
            ("2022-02-03T10:00:00.1Z", 1_643_882_400_100),
            ("2022-02-03T10:00:00.123999999Z", 1_643_882_400_123),
            ("2000-02-29T23:59:59Z", 951_868_799_000),
            ("2024-12-31T00:00:00Z", 1_735_603_200_000),
            ("9999-12-31T23:59:59.999Z", UnixMillis::MAX.0),
        ] {
            assert_eq!(parse(text), Some(UnixMillis(millis)), "{text}");
        }
    }

    #[test]
    fn other_forms_and_impossible_dates_are_refused() {
        for text in [
            "",
            "2022-02-03",
            "2022-02-03T10:00:00",
            "2022-02-03T10:00:00+00:00",
            "2022-02-03 10:00:00Z",
            "2022-02-03T10:00:00.Z",
            "2022-02-03T10:00:00.1234567890Z",
            "2022-02-03T10:00:00.12aZ",
            "2022-02-30T10:00:00Z",
            "2023-02-29T10:00:00Z",
            "2100-02-29T10:00:00Z",
            "2022-13-01T10:00:00Z",
            "2022-00-01T10:00:00Z",
            "2022-01-00T10:00:00Z",
            "2022-01-01T24:00:00Z",
            "2022-01-01T00:00:60Z",
            "1969-12-31T23:59:59Z",
            "+022-01-01T00:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_until_2200_and_the_last_read_back_what_was_written() {
        let last_day = UnixMillis::MAX.0 / 86_400_000;
        for day in (0..84_370).chain([last_day]) {
            for of_day in [0, 1, 43_200_500, 86_399_999] {
                let at = UnixMillis(day * 86_400_000 + of_day);
                let mut out = Vec::new();
                put_rfc3339(&mut out, at);
                assert_eq!(parse(std::str::from_utf8(&out).unwrap()), Some(at));
            }
        }
    }
}
