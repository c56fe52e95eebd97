//! A zone's table as text: offsets and the instants of their changes.
//!
//! Knows no time zone database.
//! Invariant: what is written reads back the same, and what is read is in order of time.

use chrono::{DateTime, NaiveDateTime};
use model::UnixMillis;

use crate::zone::OffsetChange;

const INSTANT: &str = "%Y-%m-%dT%H:%M:%SZ";

/// `-03:00`, or `-00:44:30` where seconds are needed.
pub(crate) fn offset_text(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let total = seconds.unsigned_abs();
    let (hours, minutes, rest) = (total / 3_600, total / 60 % 60, total % 60);
    if rest == 0 {
        format!("{sign}{hours:02}:{minutes:02}")
    } else {
        format!("{sign}{hours:02}:{minutes:02}:{rest:02}")
    }
}

/// Reads what [`offset_text`] writes; less than a day.
pub(crate) fn parse_offset(text: &str) -> Option<i32> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let mut parts = [0, 0, 0];
    let given: Vec<&str> = rest.split(':').collect();
    if !(2..=3).contains(&given.len()) {
        return None;
    }
    for (part, text) in parts.iter_mut().zip(given) {
        let two_digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        *part = if two_digits { text.parse::<i32>().ok()? } else { return None };
    }
    let [hours, minutes, seconds] = parts;
    (hours < 24 && minutes < 60 && seconds < 60).then_some(sign * (hours * 3_600 + minutes * 60 + seconds))
}

/// `2019-02-17T02:00:00Z -03:00`: since then local time is three hours behind.
pub(crate) fn change_text(change: OffsetChange) -> String {
    let at = DateTime::from_timestamp_millis(change.at.0).unwrap_or_default();
    format!("{} {}", at.format(INSTANT), offset_text(change.offset_seconds))
}

/// Reads what [`change_text`] writes.
pub(crate) fn parse_change(text: &str) -> Option<OffsetChange> {
    let (instant, offset) = text.split_once(' ')?;
    let at = NaiveDateTime::parse_from_str(instant, INSTANT).ok()?.and_utc();
    let change =
        OffsetChange { at: UnixMillis(at.timestamp_millis()), offset_seconds: parse_offset(offset)? };
    (change_text(change) == text).then_some(change)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_read_back_what_they_write() {
        for (seconds, text) in [
            (0, "+00:00"),
            (-10_800, "-03:00"),
            (19_800, "+05:30"),
            (-2_670, "-00:44:30"),
            (50_400, "+14:00"),
        ] {
            assert_eq!(offset_text(seconds), text);
            assert_eq!(parse_offset(text), Some(seconds));
        }
        for wrong in ["", "3", "03:00", "+3:00", "+24:00", "+00:60", "+00:00:00:00", "+é:00", "+-1:00"] {
            assert_eq!(parse_offset(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn changes_read_back_what_they_write_and_nothing_else() {
        let text = "2019-02-17T02:00:00Z -03:00";
        let change = parse_change(text).unwrap();
        assert_eq!((change.at, change.offset_seconds), (UnixMillis(1_550_368_800_000), -10_800));
        assert_eq!(change_text(change), text);
        for wrong in [
            "2019-02-17 -03:00",
            "2019-2-17T02:00:00Z -03:00",
            "2019-02-17T02:00:00Z",
            "2019-02-17T02:00:00Z  -03:00",
        ] {
            assert_eq!(parse_change(wrong), None, "{wrong}");
        }
    }
}
