//! What is adopted: the version of the rules, the settings of the accounts, the zones and the tariff.
//!
//! Knows no log: which configuration holds when is the projector's to say.
//! Invariant: a configuration read from its bytes has the same hash and answers every look-up as the one that wrote them.

use std::{collections::BTreeMap, sync::Arc};

use model::{ContentHash, Currency};

use crate::{
    accounts::{ACCOUNT_ID_LEN_MAX, AccountSettings, AccountsFile},
    configuration_text::{self, Parts},
    currency::is_known_currency,
    finding::Findings,
    rules::{AccountRules, CommonRules},
    tariff::{Tariff, TariffError},
    zone::{UnknownZone, Zone},
};

/// The version of the rules' code that this release books by. A release that would book anything differently has the
/// next one, and goes on booking by this until the next is adopted.
pub const RULES_VERSION: u32 = 1;

/// Why settings or bytes are no configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationError {
    /// No such zone.
    #[error("{} has an {unknown}", whose(.account))]
    Zone {
        /// Id of the account; empty for the defaults.
        account: String,
        /// Which zone.
        unknown: UnknownZone,
    },
    /// No such currency.
    #[error("{} has the unknown currency {currency}; write an ISO 4217 code such as USD", whose(.account))]
    Currency {
        /// Id of the account; empty for the defaults.
        account: String,
        /// Which currency.
        currency: Currency,
    },
    /// An account has two settings.
    #[error("account `{0}` is listed twice; remove one of them")]
    DuplicateAccount(String),
    /// An id that no event can have.
    #[error("an account id has {0} bytes; ids have 1 to 128")]
    AccountId(usize),
    /// The bytes are no text.
    #[error("the configuration is not UTF-8; restore it from a copy")]
    NotText,
    /// The text is no configuration.
    #[error("{0}")]
    Document(Findings),
    /// It was adopted by a newer release.
    #[error(
        "the configuration asks for version {0} of the rules, this release has {RULES_VERSION}; use a newer release"
    )]
    Rules(u32),
    /// The tariff in it is not usable.
    #[error("the tariff of the configuration cannot be used: {0}")]
    Tariff(TariffError),
}

fn whose(account: &str) -> String {
    if account.is_empty() { "the default account".to_owned() } else { format!("account `{account}`") }
}

/// What is adopted.
#[derive(Debug)]
pub struct Configuration {
    bytes: Vec<u8>,
    rules: u32,
    tariff: Arc<Tariff>,
    defaults: Arc<AccountRules>,
    accounts: BTreeMap<String, Arc<AccountRules>>,
}

impl Configuration {
    /// Puts together what is to be adopted. `defaults` hold for every account that is not listed.
    ///
    /// # Errors
    /// An unknown zone or currency, an account listed twice, an id of an impossible length.
    pub fn new(
        defaults: AccountSettings,
        mut accounts: Vec<(String, AccountSettings)>,
        tariff: Arc<Tariff>,
    ) -> Result<Self, ConfigurationError> {
        accounts.sort_by(|a, b| a.0.cmp(&b.0));
        if let Some(pair) = accounts.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(ConfigurationError::DuplicateAccount(pair[0].0.clone()));
        }
        for (account, _) in &accounts {
            if account.is_empty() || account.len() > ACCOUNT_ID_LEN_MAX {
                return Err(ConfigurationError::AccountId(account.len()));
            }
        }
        let mut zones = BTreeMap::new();
        let everyone = accounts.iter().map(|(account, settings)| (account.as_str(), settings));
        for (account, settings) in [("", &defaults)].into_iter().chain(everyone) {
            let account = || account.to_owned();
            if !is_known_currency(settings.currency) {
                let currency = settings.currency;
                return Err(ConfigurationError::Currency { account: account(), currency });
            }
            if !zones.contains_key(&settings.zone) {
                let zone = Zone::named(&settings.zone)
                    .map_err(|unknown| ConfigurationError::Zone { account: account(), unknown })?;
                zones.insert(settings.zone.clone(), Arc::new(zone));
            }
        }
        let accounts = AccountsFile { defaults, accounts };
        let parts = Parts { rules: RULES_VERSION, accounts, zones, files: tariff.files().clone() };
        Ok(Self::build(configuration_text::write(&parts).into_bytes(), parts, tariff))
    }

    /// Reads what [`Self::to_bytes`] wrote, in this release or an earlier one.
    ///
    /// # Errors
    /// Bytes that are no configuration, or one that needs a newer release.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ConfigurationError> {
        let text = str::from_utf8(bytes).map_err(|_| ConfigurationError::NotText)?;
        let parts = configuration_text::read(text).map_err(ConfigurationError::Document)?;
        if !(1..=RULES_VERSION).contains(&parts.rules) {
            return Err(ConfigurationError::Rules(parts.rules));
        }
        let tariff = Tariff::from_files(&parts.files).map_err(ConfigurationError::Tariff)?;
        Ok(Self::build(bytes.to_vec(), parts, Arc::new(tariff)))
    }

    fn build(bytes: Vec<u8>, parts: Parts, tariff: Arc<Tariff>) -> Self {
        let Parts { rules, accounts, zones, files: _ } = parts;
        let mut common: BTreeMap<(Currency, String), Arc<CommonRules>> = BTreeMap::new();
        let mut rules_of = |settings: AccountSettings| {
            let key = (settings.currency, settings.zone.clone());
            let made = common.entry(key).or_insert_with_key(|(currency, zone)| {
                // Both ways to get here have put every zone that is named into the table.
                let zone = zones.get(zone).cloned().unwrap_or_else(|| Arc::new(Zone::utc()));
                Arc::new(CommonRules::new(tariff.clone(), zone, *currency))
            });
            Arc::new(AccountRules::new(settings, made.clone()))
        };
        let defaults = rules_of(accounts.defaults);
        let accounts =
            accounts.accounts.into_iter().map(|(account, settings)| (account, rules_of(settings))).collect();
        Self { bytes, rules, tariff, defaults, accounts }
    }

    /// The document that is kept: the same for the same content, readable, complete without today's files.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.bytes.clone()
    }

    /// BLAKE3 of [`Self::to_bytes`]: the name under which it is adopted and kept.
    #[must_use]
    pub fn content_hash(&self) -> ContentHash {
        ContentHash(*blake3::hash(&self.bytes).as_bytes())
    }

    /// The version of the rules' code that it asks for.
    #[must_use]
    pub fn rules_version(&self) -> u32 {
        self.rules
    }

    /// The tariff.
    #[must_use]
    pub fn tariff(&self) -> &Arc<Tariff> {
        &self.tariff
    }

    /// The rules of an account; those of the defaults if it is not listed.
    #[must_use]
    pub fn account(&self, account: &str) -> &Arc<AccountRules> {
        self.accounts.get(account).unwrap_or(&self.defaults)
    }

    /// The rules of accounts that are not listed.
    #[must_use]
    pub fn defaults(&self) -> &Arc<AccountRules> {
        &self.defaults
    }

    /// The listed accounts, by id.
    pub fn accounts(&self) -> impl Iterator<Item = (&str, &Arc<AccountRules>)> {
        self.accounts.iter().map(|(account, rules)| (account.as_str(), rules))
    }
}
