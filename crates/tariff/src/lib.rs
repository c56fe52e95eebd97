//! Owns the dated rules, rate cards, market map, zones and month boundaries as data, and the look-up that says what a
//! conversation costs and which row says so.
//!
//! Knows nothing of events, threads, clocks, files on disk or floats: a tariff is handed over as file names and texts.
//! Invariant: two processes that hold the same configuration bytes answer every look-up alike, whatever time zone
//! database either was built with.

#![deny(clippy::float_arithmetic)]

mod accounts;
mod builtin;
mod cards;
mod configuration;
mod configuration_text;
mod coverage;
mod currency;
mod date;
mod document;
mod finding;
mod market_map;
mod markets;
mod prices;
mod rate;
mod rules;
mod settings;
mod sheet;
mod tariff;
mod zone;
mod zone_text;

pub use accounts::{AccountSettings, AccountsFile};
pub use cards::{RateKind, RateRow};
pub use configuration::{Configuration, ConfigurationError, RULES_VERSION};
pub use coverage::{Coverage, CoverageCell, coverage};
pub use currency::is_known_currency;
pub use date::{Date, DateRange, ParseDateError};
pub use finding::{Finding, Findings};
pub use markets::{CountryRow, MarketRow, RowStatus};
pub use prices::{NO_RATE, WhyUnpriced};
pub use rate::{RateError, parse_rate};
pub use rules::AccountRules;
pub use settings::{Anchor, Unit, Window};
pub use tariff::{Tariff, TariffError, check};
pub use zone::{UnknownZone, Zone};
