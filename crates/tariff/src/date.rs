//! Calendar dates and half-open ranges of them, as the files write them.
//!
//! Knows no zone: when a date begins is [`crate::Zone`]'s to say.
//! Invariant: a [`Date`] lies in the years 1970 to 10000, so that arithmetic on it cannot overflow.

use std::fmt;

use chrono::{Datelike, Days, NaiveDate};
use model::Period;

/// A calendar date, printed `2022-02-01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(NaiveDate);

/// A date is written `YYYY-MM-DD`, in the years 1970 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a date of the form 2022-02-01 in the years 1970 to 9999")]
pub struct ParseDateError;

impl Date {
    /// Takes `YYYY-MM-DD`, exactly.
    ///
    /// # Errors
    /// Another form, a day that the month does not have, a year outside 1970 to 9999.
    pub fn parse(text: &str) -> Result<Self, ParseDateError> {
        let form = text.len() == 10
            && text.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        if !form {
            return Err(ParseDateError);
        }
        let number = |range: std::ops::Range<usize>| text[range].parse::<u32>().map_err(|_| ParseDateError);
        let year = i32::try_from(number(0..4)?).map_err(|_| ParseDateError)?;
        let date = NaiveDate::from_ymd_opt(year, number(5..7)?, number(8..10)?).ok_or(ParseDateError)?;
        if year < 1970 { Err(ParseDateError) } else { Ok(Self(date)) }
    }

    /// The first day of a month. A month outside 1 to 12 or a year outside 1970 to 9999 counts as the nearest inside.
    #[must_use]
    pub fn first_of(period: Period) -> Self {
        let year = i32::from(period.year.clamp(1970, 9999));
        let month = u32::from(period.month.clamp(1, 12));
        Self(NaiveDate::from_ymd_opt(year, month, 1).unwrap_or_default())
    }

    /// The date `days` after 1970-01-01; outside the years 1970 to 10000 the nearest inside.
    pub(crate) fn from_days(days: i64) -> Self {
        let end = NaiveDate::from_ymd_opt(10_000, 1, 1).unwrap_or_default();
        let days = u64::try_from(days).unwrap_or(0);
        Self(NaiveDate::default().checked_add_days(Days::new(days)).map_or(end, |date| date.min(end)))
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub fn days(self) -> i64 {
        self.0.signed_duration_since(NaiveDate::default()).num_days()
    }

    /// The day after.
    #[must_use]
    pub fn next(self) -> Self {
        Self::from_days(self.days() + 1)
    }

    /// The month it lies in; a date after 9999 counts to December 9999.
    #[must_use]
    pub fn period(self) -> Period {
        match u16::try_from(self.0.year()) {
            Ok(year) if year <= 9999 => Period { year, month: u8::try_from(self.0.month()).unwrap_or(12) },
            Ok(_) | Err(_) => Period { year: 9999, month: 12 },
        }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:04}-{:02}-{:02}", self.0.year(), self.0.month(), self.0.day()))
    }
}

/// The dates on which a row holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateRange {
    /// The first date.
    pub from: Date,
    /// The first date no longer; absent if no end is known.
    pub to: Option<Date>,
}

impl DateRange {
    /// Whether the row holds on a date.
    #[must_use]
    pub fn contains(&self, date: Date) -> bool {
        self.from <= date && self.to.is_none_or(|to| date < to)
    }

    /// Whether some date lies in both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.to.is_none_or(|to| other.from < to) && other.to.is_none_or(|to| self.from < to)
    }
}

impl fmt::Display for DateRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to {
            Some(to) => write!(f, "from {} until before {to}", self.from),
            None => write!(f, "from {}", self.from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_dates_of_the_calendar_are_dates() {
        for text in ["1970-01-01", "2024-02-29", "9999-12-31"] {
            assert_eq!(Date::parse(text).map(|date| date.to_string()), Ok(text.to_owned()));
        }
        for wrong in [
            "2022-2-1",
            "2023-02-29",
            "2022-13-01",
            "01.02.2022",
            "1969-12-31",
            "2022-02-01 ",
            "+022-02-01",
            "é22-02-01",
        ] {
            assert_eq!(Date::parse(wrong), Err(ParseDateError), "{wrong}");
        }
    }

    #[test]
    fn ranges_that_touch_do_not_overlap() {
        let range = |from, to: &str| DateRange { from: Date::parse(from).unwrap(), to: Date::parse(to).ok() };
        let first = range("2022-02-01", "2023-06-01");
        assert!(!first.overlaps(&range("2023-06-01", "")));
        assert!(!range("2023-06-01", "").overlaps(&first));
        assert!(first.overlaps(&range("2023-05-31", "")));
        assert!(range("2020-01-01", "").overlaps(&first));
        assert!(first.contains(first.from) && !first.contains(first.to.unwrap()));
    }

    #[test]
    fn days_count_from_the_epoch_and_months_end_where_the_calendar_says() {
        let day = Date::parse("2024-02-29").unwrap();
        assert_eq!(day.days(), 19_782);
        assert_eq!(Date::from_days(19_782), day);
        assert_eq!(day.next().to_string(), "2024-03-01");
        assert_eq!(day.period().to_string(), "2024-02");
        assert_eq!(Date::parse("9999-12-31").unwrap().next().period().to_string(), "9999-12");
    }
}
