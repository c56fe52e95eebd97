//! Decimal rates as whole micro-units.
//!
//! Knows no currency and no market.
//! Invariant: what is accepted is kept to the last digit; nothing is rounded.

use model::Micros;

/// Why a text is no rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// Nothing stands there.
    #[error("a rate is missing")]
    Empty,
    /// Something other than digits with one point among them.
    #[error("not a decimal number with a point, such as 0.0300")]
    NotDecimal,
    /// More than six digits behind the point.
    #[error("more than six digits behind the point")]
    TooFine,
    /// A million units of the currency or more.
    #[error("a million or more for one conversation")]
    TooLarge,
}

/// Reads `0.0300` as 30,000 micro-units: digits, then a point and one to six digits if any. No sign, no exponent, no
/// comma.
///
/// # Errors
/// Another form, or a value of a million units and more.
pub fn parse_rate(text: &str) -> Result<Micros, RateError> {
    if text.is_empty() {
        return Err(RateError::Empty);
    }
    let (units, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(units) || !digits(fraction) {
        return Err(RateError::NotDecimal);
    }
    if fraction.len() > 6 {
        return Err(RateError::TooFine);
    }
    let units: i64 = units.parse().map_err(|_| RateError::TooLarge)?;
    if units >= 1_000_000 {
        return Err(RateError::TooLarge);
    }
    let micros: i64 = format!("{fraction:0<6}").parse().map_err(|_| RateError::NotDecimal)?;
    Ok(Micros(units * 1_000_000 + micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_to_the_last_digit() {
        for (text, micros) in [
            ("0.0300", 30_000),
            ("0.000001", 1),
            ("0.7846", 784_600),
            ("12", 12_000_000),
            ("999999.999999", 999_999_999_999),
            ("0", 0),
        ] {
            assert_eq!(parse_rate(text), Ok(Micros(micros)), "{text}");
        }
    }

    #[test]
    fn what_is_no_plain_decimal_is_refused() {
        for (text, why) in [
            ("", RateError::Empty),
            ("0,03", RateError::NotDecimal),
            ("-0.03", RateError::NotDecimal),
            ("+1", RateError::NotDecimal),
            (".5", RateError::NotDecimal),
            ("5.", RateError::NotDecimal),
            ("1e3", RateError::NotDecimal),
            ("n/a", RateError::NotDecimal),
            ("1.2.3", RateError::NotDecimal),
            ("0.0000001", RateError::TooFine),
            ("1000000", RateError::TooLarge),
            ("99999999999999999999", RateError::TooLarge),
        ] {
            assert_eq!(parse_rate(text), Err(why), "{text}");
        }
    }
}
