//! Money: whole micro-units of one currency. Never a float, never two currencies added together.

use std::fmt;

/// An amount in millionths of a currency's unit: 0.0300 USD is `Micros(30_000)`. Signed, so that reversals add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Micros(pub i64);

impl Micros {
    /// Nothing owed.
    pub const ZERO: Self = Self(0);

    /// Sum, or `None` beyond ±9.2 × 10¹² units of the currency.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The same amount with the opposite sign, as a reversal books it.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

/// Decimal, with at least four and at most six digits behind the point, as rate cards print it: `0.0300`, `-0.0300`.
impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let units = self.0.unsigned_abs() / 1_000_000;
        let micros = self.0.unsigned_abs() % 1_000_000;
        let text = if micros.is_multiple_of(100) {
            format!("{sign}{units}.{:04}", micros / 100)
        } else {
            format!("{sign}{units}.{micros:06}")
        };
        f.pad(&text)
    }
}

/// An ISO 4217 alphabetic code, such as `USD`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// A currency code is three capital ASCII letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseCurrencyError;

impl fmt::Display for ParseCurrencyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a currency is three capital letters, such as USD")
    }
}

impl std::error::Error for ParseCurrencyError {}

impl Currency {
    /// ISO 4217's code where no currency is involved.
    pub const NONE: Self = Self(*b"XXX");

    /// Takes a code of three capital letters.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(code: &str) -> Result<Self, ParseCurrencyError> {
        match code.as_bytes() {
            &[a, b, c] if code.bytes().all(|byte| byte.is_ascii_uppercase()) => Ok(Self([a, b, c])),
            _ => Err(ParseCurrencyError),
        }
    }

    /// The three letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn micros_print_as_rate_cards_do() {
        for (micros, text) in
            [(30_000, "0.0300"), (-50_000, "-0.0500"), (1_234_567, "1.234567"), (0, "0.0000")]
        {
            assert_eq!(Micros(micros).to_string(), text);
        }
    }

    #[test]
    fn a_currency_is_three_capital_letters() {
        assert_eq!(Currency::parse("EUR").map(|c| c.to_string()), Ok("EUR".to_owned()));
        for wrong in ["eur", "EU", "EURO", "$US", ""] {
            assert_eq!(Currency::parse(wrong), Err(ParseCurrencyError));
        }
    }
}
