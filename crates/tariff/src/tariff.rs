//! A tariff: the files of one, read, checked and made ready for look-ups.
//!
//! Knows no account: currency and zone come later, in [`crate::AccountRules`].
//! Invariant: a [`Tariff`] exists only if the check of its files found nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use model::{DurationMillis, Text};

use crate::{
    builtin,
    cards::{self, RateRow},
    date::{Date, DateRange},
    finding::{Finding, Findings, Place, Source},
    market_map::{MARKETS_MAX, MarketMap},
    markets::{self, CountryRow, MarketRow},
    settings::{self, Anchor, Unit, Window},
};

/// Why files are no tariff.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TariffError {
    /// The check found something.
    #[error("{0}")]
    Invalid(Findings),
}

/// Dated pricing rules, rate cards and market map.
#[derive(Debug, Clone)]
pub struct Tariff {
    /// Such as `whatsapp-2022`.
    pub id: Text,
    /// One line for people.
    pub title: Text,
    /// What is charged.
    pub unit: Unit,
    /// How the window of a conversation moves.
    pub window: Window,
    /// How long it is.
    pub window_length: DurationMillis,
    /// What opens a conversation.
    pub anchor: Anchor,
    /// The dates for which the rules were made. A what-if may use them on others; the rows of the cards have their own.
    pub dates: DateRange,
    rates: Vec<RateRow>,
    markets: Vec<MarketRow>,
    countries: Vec<CountryRow>,
    map: MarketMap,
    files: BTreeMap<String, String>,
}

/// A row's number takes two bytes in the map's tables.
const MARKET_ROWS_MAX: usize = 65_534;
/// Eighty years of monthly changes: far more than a tariff has, and tables that still fit into memory.
const DATES_MAX: usize = 1_000;

const SETTINGS_FILE: &str = "tariff.toml";
const MARKETS_FILE: &str = "markets.csv";
const COUNTRIES_FILE: &str = "countries.csv";
const CARDS_FOLDER: &str = "rates/";

impl Tariff {
    /// One of those that come with the program.
    #[must_use]
    pub fn builtin(id: &str) -> Option<Arc<Self>> {
        builtin::tariff(id)
    }

    /// The ids that [`Self::builtin`] knows; the default first.
    #[must_use]
    pub fn builtin_ids() -> &'static [&'static str] {
        builtin::IDS
    }

    /// Reads a tariff from its files: names with `/` between folders, relative to the tariff's own folder, and texts.
    ///
    /// # Errors
    /// All that [`check`] finds.
    pub fn from_files(files: &BTreeMap<String, String>) -> Result<Self, TariffError> {
        let mut findings = Vec::new();
        match read(files, &mut findings) {
            Some(tariff) if findings.is_empty() => Ok(tariff),
            Some(_) | None => Err(TariffError::Invalid(Findings::sorted(findings))),
        }
    }

    /// The files it was read from.
    #[must_use]
    pub fn files(&self) -> &BTreeMap<String, String> {
        &self.files
    }

    /// All rows of all cards, by file and line.
    #[must_use]
    pub fn rates(&self) -> &[RateRow] {
        &self.rates
    }

    /// All rows of the market map, by line.
    #[must_use]
    pub fn markets(&self) -> &[MarketRow] {
        &self.markets
    }

    /// All rows of the list of countries, by line.
    #[must_use]
    pub fn countries(&self) -> &[CountryRow] {
        &self.countries
    }

    /// Names of all markets, sorted, with that of numbers without a row.
    #[must_use]
    pub fn market_names(&self) -> &[Text] {
        self.map.names()
    }

    pub(crate) fn map(&self) -> &MarketMap {
        &self.map
    }
}

/// All that is wrong with the files of a tariff, by file, line and column; empty if they can be used.
///
/// Overlapping or repeated rows, unknown markets, currencies, categories, keys, columns and files, numbers and dates that
/// are none, rows without source, files that are missing.
#[must_use]
pub fn check(files: &BTreeMap<String, String>) -> Vec<Finding> {
    match Tariff::from_files(files) {
        Ok(_) => Vec::new(),
        Err(TariffError::Invalid(Findings(list))) => list,
    }
}

fn read(files: &BTreeMap<String, String>, findings: &mut Vec<Finding>) -> Option<Tariff> {
    let mut cards = Vec::new();
    for (file, text) in files {
        let source = Source { file, text };
        match file.as_str() {
            SETTINGS_FILE | MARKETS_FILE | COUNTRIES_FILE => {}
            card if card.starts_with(CARDS_FOLDER) && card.ends_with(".csv") => cards.push(source),
            _ => {
                let advice = "a tariff has tariff.toml, markets.csv, countries.csv and cards as rates/….csv";
                findings.push(source.finding(START, "no file of a tariff", advice));
            }
        }
    }
    let settings = named(files, SETTINGS_FILE, findings).and_then(|source| settings::read(source, findings));
    let market_rows =
        named(files, MARKETS_FILE, findings).map(|source| (source, markets::read(source, findings)));
    let countries =
        named(files, COUNTRIES_FILE, findings).map(|source| markets::read_countries(source, findings));
    if cards.is_empty() {
        let source = Source { file: "rates", text: "" };
        findings.push(source.finding(
            START,
            "the tariff has no rate card",
            "add one, such as rates/2022-02-01-USD.csv",
        ));
    }
    let settings = settings?;
    let (markets_source, (market_rows, mut names)) = market_rows?;
    names.push(settings.other_market.clone());
    names.sort();
    names.dedup();
    let countries = countries?;
    let dates = distinct_dates(market_rows.iter().map(|row| row.dates));
    if names.len() > MARKETS_MAX || market_rows.len() > MARKET_ROWS_MAX || dates > DATES_MAX {
        let problem = format!("{} markets in {} rows with {dates} dates", names.len(), market_rows.len());
        let advice = format!("keep to {MARKETS_MAX} markets, {MARKET_ROWS_MAX} rows and {DATES_MAX} dates");
        findings.push(markets_source.finding(START, problem, advice));
        return None;
    }
    let map = MarketMap::new(&market_rows, &countries, &settings.other_market);
    let mut rates = Vec::new();
    for card in cards {
        rates.extend(cards::read(card, &names, findings));
    }
    let dates = distinct_dates(rates.iter().map(|row| row.dates));
    if dates > DATES_MAX {
        let advice = format!("keep to {DATES_MAX}");
        let source = Source { file: "rates", text: "" };
        findings.push(source.finding(START, format!("the cards change on {dates} dates"), advice));
        return None;
    }
    cards::find_overlaps(&rates, findings);
    Some(Tariff {
        id: settings.id,
        title: settings.title,
        unit: settings.unit,
        window: settings.window,
        window_length: settings.window_length,
        anchor: settings.anchor,
        dates: settings.dates,
        rates,
        markets: market_rows,
        countries,
        map,
        files: files.clone(),
    })
}

/// On how many dates something changes: the size of the tables that are made of the rows.
fn distinct_dates(ranges: impl Iterator<Item = DateRange>) -> usize {
    ranges.flat_map(|range| [Some(range.from), range.to]).flatten().collect::<BTreeSet<Date>>().len()
}

const START: Place = Place { line: 1, column: 1 };

fn named<'a>(
    files: &'a BTreeMap<String, String>,
    file: &'a str,
    findings: &mut Vec<Finding>,
) -> Option<Source<'a>> {
    let source = files.get(file).map(|text| Source { file, text });
    if source.is_none() {
        findings.push(Source { file, text: "" }.finding(
            START,
            "the file is missing",
            "add it to the tariff's folder",
        ));
    }
    source
}
