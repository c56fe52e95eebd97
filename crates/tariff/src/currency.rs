//! The currency codes that are in use, so that a misspelt one is found when a file is read and not on an invoice.
//!
//! Knows no rates and no minor units.
//! Invariant: sorted, so that the look-up is a binary search.

use model::Currency;

use crate::finding::nearest;

/// Currencies of countries in ISO 4217: no funds, metals or test codes, since nobody is billed in those.
const CODES: [&str; 156] = [
    "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BGN", "BHD",
    "BIF", "BMD", "BND", "BOB", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CLP", "CNY",
    "COP", "CRC", "CUP", "CVE", "CZK", "DJF", "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP",
    "GBP", "GEL", "GHS", "GIP", "GMD", "GNF", "GTQ", "GYD", "HKD", "HNL", "HRK", "HTG", "HUF", "IDR", "ILS",
    "INR", "IQD", "IRR", "ISK", "JMD", "JOD", "JPY", "KES", "KGS", "KHR", "KMF", "KPW", "KRW", "KWD", "KYD",
    "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "LYD", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU",
    "MUR", "MVR", "MWK", "MXN", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "OMR", "PAB", "PEN",
    "PGK", "PHP", "PKR", "PLN", "PYG", "QAR", "RON", "RSD", "RUB", "RWF", "SAR", "SBD", "SCR", "SDG", "SEK",
    "SGD", "SHP", "SLE", "SOS", "SRD", "SSP", "STN", "SVC", "SYP", "SZL", "THB", "TJS", "TMT", "TND", "TOP",
    "TRY", "TTD", "TWD", "TZS", "UAH", "UGX", "USD", "UYU", "UZS", "VED", "VES", "VND", "VUV", "WST", "XAF",
    "XCD", "XCG", "XOF", "XPF", "YER", "ZAR",
];

/// Those in which the provider bills: what a misspelt code was most likely meant to be.
const BILLED: [&str; 16] = [
    "AED", "ARS", "AUD", "BRL", "CLP", "COP", "EUR", "GBP", "IDR", "INR", "MXN", "MYR", "PEN", "SAR", "SGD",
    "USD",
];

/// Whether some country pays in it.
#[must_use]
pub fn is_known_currency(currency: Currency) -> bool {
    CODES.binary_search(&currency.as_str()).is_ok()
}

/// Takes a code in use, or says what to write in its place.
pub(crate) fn known_currency(code: &str) -> Result<Currency, String> {
    match Currency::parse(code) {
        Ok(currency) if is_known_currency(currency) => Ok(currency),
        Ok(_) | Err(_) => Err(match nearest(code, BILLED) {
            Some(near) => format!("write an ISO 4217 code in capital letters; did you mean {near}?"),
            None => "write an ISO 4217 code in capital letters, such as USD".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_sorted_and_each_stands_once() {
        assert!(CODES.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn every_currency_the_provider_bills_in_is_known() {
        for code in BILLED {
            assert!(known_currency(code).is_ok(), "{code}");
        }
    }

    #[test]
    fn a_misspelt_code_is_answered_with_the_nearest() {
        assert!(known_currency("usd").unwrap_err().contains("did you mean USD?"));
        assert!(known_currency("USX").unwrap_err().contains("USD"));
        assert!(known_currency("$US").is_err());
    }
}
