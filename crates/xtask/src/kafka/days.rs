//! The days that traffic for Kafka is of: its records get the broker's time, so that old events would be late.
//!
//! The one place here that asks the clock for the date. Invariant: whole days in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) const DAY_S: u64 = 24 * 60 * 60;

/// A day that lies so many days back, as `YYYY-MM-DD`.
pub(crate) fn days_ago(days: u64) -> String {
    date(now_s() / DAY_S - days)
}

/// Now, in seconds since 1970.
pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A day as `YYYY-MM-DD`, by days since 1970-01-01.
fn date(day: u64) -> String {
    // Years of 400-year eras that begin on a first of March, so that a leap day is the last of its year.
    let day = day + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{day:02}", era * 400 + year + carry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_their_dates() {
        for (day, text) in
            [(0, "1970-01-01"), (19_024, "2022-02-01"), (19_782, "2024-02-29"), (20_454, "2026-01-01")]
        {
            assert_eq!(date(day), text);
        }
    }
}
