//! The settings above the lines of a scenario.
//!
//! Knows no events. Invariant: a setting that is not understood is refused, so that none is silently left out.

use std::{collections::BTreeMap, sync::Arc};

use model::{Currency, UnixMillis};
use tariff::{AccountSettings, Configuration};

use super::time::day_zero;
use crate::log::configured;

/// All settings, with what holds where the file says nothing.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) zero: UnixMillis,
    /// The default user is `user`; numbers by name.
    pub(super) users: BTreeMap<String, String>,
    /// The default business phone is `main`.
    pub(super) phones: BTreeMap<String, String>,
    /// Shows the month in which a conversation counts.
    pub(super) shows_periods: bool,
    /// Shows card and row of a charge.
    pub(super) shows_rows: bool,
    pub(super) default_account: AccountSettings,
    pub(super) accounts: Vec<(String, AccountSettings)>,
    /// Changed keys of `tariff.toml`.
    pub(super) tariff: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        let named = |name: &str, number: &str| BTreeMap::from([(name.to_owned(), number.to_owned())]);
        Self {
            zero: UnixMillis(1_643_673_600_000),
            users: named("user", "5511987654321"),
            phones: named("main", "106540352242922"),
            shows_periods: false,
            shows_rows: false,
            default_account: AccountSettings {
                currency: Currency::parse("USD").expect("three letters"),
                zone: "UTC".to_owned(),
                tracks_consent: false,
            },
            accounts: Vec::new(),
            tariff: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// Takes a line that is a setting; false if it is none.
    pub(super) fn take(&mut self, line: &str) -> Result<bool, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["day", "0", "is", date] => self.zero = day_zero(date)?,
            ["user", name, "is", number] => drop(self.users.insert(name.to_owned(), number.to_owned())),
            ["phone", name, "is", number] => drop(self.phones.insert(name.to_owned(), number.to_owned())),
            ["show", "periods"] => self.shows_periods = true,
            ["show", "rows"] => self.shows_rows = true,
            ["tariff:", key, value] => drop(self.tariff.insert(key.to_owned(), format!("\"{value}\""))),
            ["every", "account:", ..] => self.default_account = self.account(after_colon(line))?,
            ["account", name, ..] if name.ends_with(':') => {
                let account = self.account(after_colon(line))?;
                self.accounts.push((name.trim_end_matches(':').to_owned(), account));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn account(&self, text: &str) -> Result<AccountSettings, String> {
        let mut account = self.default_account.clone();
        for part in text.split(',').map(str::trim) {
            match part.split_once(' ') {
                Some(("currency", code)) => {
                    account.currency = Currency::parse(code).map_err(|error| error.to_string())?;
                }
                Some(("zone", zone)) => account.zone = zone.to_owned(),
                Some(("tracks", "consent")) => account.tracks_consent = true,
                _ => return Err(format!("`{part}` is no setting of an account")),
            }
        }
        Ok(account)
    }

    pub(super) fn configuration(&self) -> Result<Arc<Configuration>, String> {
        configured("whatsapp-2022", &self.tariff, self.default_account.clone(), self.accounts.clone())
    }
}

fn after_colon(line: &str) -> &str {
    line.split_once(':').map_or("", |(_, after)| after)
}
