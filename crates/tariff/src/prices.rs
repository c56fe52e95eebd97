//! What a conversation costs, as a table for one currency in one zone: a comparison of dates and one read per look-up.
//!
//! Knows no threads: the caller says which market, which initiator and when the conversation opened.
//! Invariant: an amount always comes with the card and row that say it; without a row there is no amount, never zero.

use model::{Currency, PriceOutcome, Text, UnixMillis};

use crate::{
    cards::{RateKind, RateRow},
    date::{Date, DateRange},
    tariff::Tariff,
    zone::Zone,
};

/// The reason of a charge for which no row was in force.
pub const NO_RATE: &str = "no_rate";

/// What is missing where a conversation has no rate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhyUnpriced {
    /// The market map has no such market.
    UnknownMarket,
    /// No card is in this currency.
    NoCard(Currency),
    /// The cards in this currency have no row for the market and category.
    NoRow(Currency, RateKind),
    /// There are rows, but none holds on the date: these hold on others.
    OtherDates(Date, Vec<DateRange>),
}

/// The prices of one currency in one zone.
#[derive(Debug)]
pub(crate) struct Prices {
    /// When the stretches after the first begin, in which the cards do not change.
    starts: Vec<UnixMillis>,
    /// For each stretch, market and category; a market is its place among the map's names.
    outcomes: Vec<PriceOutcome>,
    /// For each outcome the index of the row that says so.
    rows: Vec<Option<usize>>,
    markets: usize,
    unpriced: PriceOutcome,
}

impl Prices {
    pub(crate) fn new(tariff: &Tariff, currency: Currency, zone: &Zone) -> Self {
        let rows: Vec<(usize, &RateRow)> =
            tariff.rates().iter().enumerate().filter(|(_, row)| row.currency == currency).collect();
        let mut changes: Vec<Date> =
            rows.iter().flat_map(|(_, row)| [Some(row.dates.from), row.dates.to]).flatten().collect();
        changes.sort();
        changes.dedup();
        let empty = Text::from("");
        let unpriced = PriceOutcome {
            amount: None,
            currency,
            tariff: tariff.id.clone(),
            card: empty.clone(),
            row: 0,
            reason: NO_RATE.into(),
        };
        let markets = tariff.map().names().len();
        let slots = (changes.len() + 1) * markets * RateKind::ALL.len();
        let mut prices = Self {
            starts: changes.iter().map(|date| zone.day_start(*date)).collect(),
            outcomes: vec![unpriced.clone(); slots],
            rows: vec![None; slots],
            markets,
            unpriced,
        };
        for (at, row) in rows {
            let Some(market) = tariff.map().index_of(&row.market) else { continue };
            for (stretch, date) in changes.iter().enumerate().filter(|(_, date)| row.dates.contains(**date)) {
                debug_assert!(*date >= row.dates.from);
                let slot = prices.slot(stretch + 1, market, row.kind);
                prices.rows[slot] = Some(at);
                prices.outcomes[slot] = PriceOutcome {
                    amount: Some(row.rate),
                    currency,
                    tariff: tariff.id.clone(),
                    card: row.card.clone(),
                    row: row.line,
                    reason: empty.clone(),
                };
            }
        }
        prices
    }

    fn slot(&self, stretch: usize, market: usize, kind: RateKind) -> usize {
        (stretch * self.markets + market) * RateKind::ALL.len() + kind.index()
    }

    fn slot_at(&self, market: usize, kind: RateKind, at: UnixMillis) -> usize {
        self.slot(self.starts.partition_point(|start| *start <= at), market, kind)
    }

    /// The price of a conversation that opened at an instant; `market` is absent if the map does not have it.
    pub(crate) fn outcome(&self, market: Option<usize>, kind: RateKind, at: UnixMillis) -> &PriceOutcome {
        market.map_or(&self.unpriced, |market| &self.outcomes[self.slot_at(market, kind, at)])
    }

    /// The index of the row that says so.
    pub(crate) fn row(&self, market: usize, kind: RateKind, at: UnixMillis) -> Option<usize> {
        self.rows[self.slot_at(market, kind, at)]
    }
}
