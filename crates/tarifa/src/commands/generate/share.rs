//! Shares and lengths of time as people type them.
//!
//! Knows no option. Invariant: what is accepted is kept exactly; nothing is rounded.

use std::{fmt, str::FromStr};

use model::DurationMillis;

/// A share from 0 to 100 per cent, to a tenth of a per cent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    per_mille: u16,
}

/// A text is no share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ParseShareError;

impl fmt::Display for ParseShareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("write per cent from 0 to 100 with at most one digit behind the point, such as 2 or 0.5")
    }
}

impl std::error::Error for ParseShareError {}

impl FromStr for Share {
    type Err = ParseShareError;

    fn from_str(text: &str) -> Result<Self, ParseShareError> {
        let text = text.strip_suffix('%').unwrap_or(text);
        let (whole, tenth) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !(1..=3).contains(&whole.len()) || tenth.len() != 1 || !digits(whole) || !digits(tenth) {
            return Err(ParseShareError);
        }
        let number = |part: &str| part.parse::<u16>().map_err(|_| ParseShareError);
        let per_mille = number(whole)? * 10 + number(tenth)?;
        if per_mille > 1_000 { Err(ParseShareError) } else { Ok(Self { per_mille }) }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.per_mille % 10 {
            0 => write!(f, "{}", self.per_mille / 10),
            tenth => write!(f, "{}.{tenth}", self.per_mille / 10),
        }
    }
}

impl Share {
    /// In thousandths, 0 to 1,000.
    pub(crate) const fn per_mille(self) -> u16 {
        self.per_mille
    }

    /// In per cent, if it is whole.
    pub(crate) fn whole_percent(self) -> Option<u8> {
        self.per_mille.is_multiple_of(10).then(|| u8::try_from(self.per_mille / 10).ok()).flatten()
    }
}

/// A length of time: `90s`, `5m`, `24h`, `2d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Length(pub(crate) DurationMillis);

/// A text is no length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ParseLengthError;

impl fmt::Display for ParseLengthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("write a whole number with s, m, h or d behind it, such as 5m or 24h")
    }
}

impl std::error::Error for ParseLengthError {}

impl FromStr for Length {
    type Err = ParseLengthError;

    fn from_str(text: &str) -> Result<Self, ParseLengthError> {
        let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or(ParseLengthError)?;
        let unit_seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return Err(ParseLengthError),
        };
        // Nine digits of days in milliseconds are far from the end of an i64.
        if !(1..=9).contains(&number.len()) || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ParseLengthError);
        }
        let number: i64 = number.parse().map_err(|_| ParseLengthError)?;
        Ok(Self(DurationMillis::from_seconds(number * unit_seconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_kept_to_a_tenth_of_a_per_cent() {
        for (text, per_mille) in [("0", 0), ("1", 10), ("0.5", 5), ("2.0", 20), ("30%", 300), ("100", 1_000)]
        {
            assert_eq!(text.parse::<Share>().map(Share::per_mille), Ok(per_mille), "{text}");
        }
        for wrong in ["", "%", "-1", "100.1", "0.05", ".5", "5.", "1e1", "+1", "half", "9999"] {
            assert_eq!(wrong.parse::<Share>(), Err(ParseShareError), "{wrong}");
        }
        assert_eq!("0.5".parse::<Share>().map(Share::whole_percent), Ok(None));
        assert_eq!("30".parse::<Share>().map(Share::whole_percent), Ok(Some(30)));
    }

    #[test]
    fn lengths_have_a_unit() {
        for (text, seconds) in [("90s", 90), ("5m", 300), ("24h", 86_400), ("2d", 172_800), ("0s", 0)] {
            assert_eq!(text.parse::<Length>(), Ok(Length(DurationMillis::from_seconds(seconds))), "{text}");
        }
        for wrong in ["", "5", "m", "-5m", "1.5h", "5w", "5é", "9999999999d"] {
            assert_eq!(wrong.parse::<Length>(), Err(ParseLengthError), "{wrong}");
        }
    }
}
