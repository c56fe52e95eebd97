//! The smallest amounts that can be paid in a currency, rounding to them, and amounts as decimals.
//!
//! Knows no lines and no totals. Invariant: whole numbers only; what is rounded is rounded half away from zero.

use model::{Currency, Micros};

/// ISO 4217 currencies without a minor unit.
const WITHOUT: [&str; 16] = [
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF",
    "XPF",
];
/// ISO 4217 currencies whose minor unit is a thousandth.
const THOUSANDTHS: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

/// How finely a currency can be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MinorUnit {
    digits: u8,
}

impl MinorUnit {
    /// Of a currency: a hundredth, except where ISO 4217 says otherwise.
    #[must_use]
    pub fn of(currency: Currency) -> Self {
        let code = currency.as_str();
        let digits = if WITHOUT.contains(&code) {
            0
        } else if THOUSANDTHS.contains(&code) {
            3
        } else {
            2
        };
        Self { digits }
    }

    /// Digits behind the point: 0 to 3.
    #[must_use]
    pub const fn digits(self) -> u8 {
        self.digits
    }

    /// The nearest amount that can be paid, half away from zero; still in micro-units.
    #[must_use]
    pub const fn round(self, micros: i128) -> i128 {
        let step = self.micros();
        let whole = micros / step;
        let rest = micros % step;
        let away = if rest.unsigned_abs() * 2 >= step.unsigned_abs() { micros.signum() } else { 0 };
        (whole + away) * step
    }

    const fn micros(self) -> i128 {
        match self.digits {
            0 => 1_000_000,
            2 => 10_000,
            _ => 1_000,
        }
    }
}

/// An amount as a decimal with this many digits behind the point, at most six, and more where it is finer than that.
#[must_use]
pub fn decimal(amount: Micros, digits: u8) -> String {
    let sign = if amount.0 < 0 { "-" } else { "" };
    let (units, micros) = (amount.0.unsigned_abs() / 1_000_000, amount.0.unsigned_abs() % 1_000_000);
    let fraction = format!("{micros:06}");
    let needed = fraction.trim_end_matches('0').len();
    match fraction.get(..needed.max(usize::from(digits.min(6)))) {
        Some("") | None => format!("{sign}{units}"),
        Some(fraction) => format!("{sign}{units}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minor(code: &str) -> MinorUnit {
        MinorUnit::of(Currency::parse(code).unwrap())
    }

    #[test]
    fn currencies_have_the_minor_unit_of_iso_4217() {
        for (code, digits) in
            [("USD", 2), ("EUR", 2), ("INR", 2), ("IDR", 2), ("JPY", 0), ("CLP", 0), ("KWD", 3), ("TND", 3)]
        {
            assert_eq!(minor(code).digits(), digits, "{code}");
        }
    }

    #[test]
    fn halves_go_away_from_zero_in_every_currency() {
        for (code, micros, rounded) in [
            ("USD", 4_999, 0),
            ("USD", 5_000, 10_000),
            ("USD", 14_999, 10_000),
            ("USD", 15_000, 20_000),
            ("USD", -5_000, -10_000),
            ("USD", -4_999, 0),
            ("USD", 0, 0),
            ("JPY", 499_999, 0),
            ("JPY", 1_500_000, 2_000_000),
            ("JPY", -500_000, -1_000_000),
            ("KWD", 1_499, 1_000),
            ("KWD", 1_500, 2_000),
        ] {
            assert_eq!(minor(code).round(micros), rounded, "{micros} in {code}");
        }
    }

    #[test]
    fn decimals_never_hide_what_is_finer_than_asked_for() {
        for (micros, digits, text) in [
            (1_230_000, 2, "1.23"),
            (1_234_500, 2, "1.2345"),
            (1_000_000, 2, "1.00"),
            (1_000_000, 0, "1"),
            (-50_000, 2, "-0.05"),
            (-1, 2, "-0.000001"),
            (30_000, 4, "0.0300"),
            (0, 0, "0"),
            (i64::MIN, 2, "-9223372036854.775808"),
        ] {
            assert_eq!(decimal(Micros(micros), digits), text);
        }
    }
}
