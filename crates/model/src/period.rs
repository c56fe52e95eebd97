//! A calendar month in an account's time zone. Which instants belong to it is the tariff crate's to say.

use std::fmt;

/// A month: prints as `2022-02`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period {
    /// 1970 to 9999.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
}

/// A period is written `YYYY-MM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParsePeriodError;

impl fmt::Display for ParsePeriodError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a period is a year and a month, such as 2022-02")
    }
}

impl std::error::Error for ParsePeriodError {}

impl Period {
    /// Takes `YYYY-MM`.
    ///
    /// # Errors
    /// Another form, a year before 1970, a month outside 01 to 12.
    pub fn parse(text: &str) -> Result<Self, ParsePeriodError> {
        let (year, month) = text.split_once('-').ok_or(ParsePeriodError)?;
        if year.len() != 4 || month.len() != 2 || !text.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
            return Err(ParsePeriodError);
        }
        let period = Self {
            year: year.parse().map_err(|_| ParsePeriodError)?,
            month: month.parse().map_err(|_| ParsePeriodError)?,
        };
        if period.year >= 1970 && (1..=12).contains(&period.month) {
            Ok(period)
        } else {
            Err(ParsePeriodError)
        }
    }

    /// The number the wire carries: 202202 for February 2022.
    #[must_use]
    pub const fn to_number(self) -> u32 {
        self.year as u32 * 100 + self.month as u32
    }

    /// The period behind a wire number, if it is one.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        let year = u16::try_from(number / 100).ok()?;
        let month = u8::try_from(number % 100).ok()?;
        ((1970..=9999).contains(&year) && (1..=12).contains(&month)).then_some(Self { year, month })
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:04}-{:02}", self.year, self.month))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_read_back_what_they_print() {
        for text in ["1970-01", "2022-02", "9999-12"] {
            let period = Period::parse(text).unwrap();
            assert_eq!(period.to_string(), text);
            assert_eq!(Period::from_number(period.to_number()), Some(period));
        }
        for wrong in ["2022", "2022-13", "2022-00", "22-02", "2022-2", "2022-02-01", "+022-02", ""] {
            assert_eq!(Period::parse(wrong), Err(ParsePeriodError), "{wrong}");
        }
    }
}
