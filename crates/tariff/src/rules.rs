//! The rules of one account, ready for the hot path: months, markets and prices.
//!
//! Knows no threads and no clock; every time is an argument.
//! Invariant: no look-up allocates or asks the time zone database.

use std::sync::Arc;

use model::{Currency, Initiator, LeadingDigits, Period, PriceOutcome, Text, UnixMillis};

use crate::{
    accounts::AccountSettings,
    cards::{RateKind, RateRow},
    date::Date,
    markets::MarketRow,
    prices::{Prices, WhyUnpriced},
    tariff::Tariff,
    zone::Zone,
};

/// What accounts with the same currency and zone have alike.
#[derive(Debug)]
pub(crate) struct CommonRules {
    tariff: Arc<Tariff>,
    zone: Arc<Zone>,
    /// When the stretches of the market map begin here, after the first.
    market_starts: Vec<UnixMillis>,
    prices: Prices,
}

impl CommonRules {
    pub(crate) fn new(tariff: Arc<Tariff>, zone: Arc<Zone>, currency: Currency) -> Self {
        let market_starts = tariff.map().changes().iter().map(|date| zone.day_start(*date)).collect();
        let prices = Prices::new(&tariff, currency, &zone);
        Self { tariff, zone, market_starts, prices }
    }
}

/// The rules of one account.
#[derive(Debug)]
pub struct AccountRules {
    settings: AccountSettings,
    common: Arc<CommonRules>,
}

impl AccountRules {
    pub(crate) fn new(settings: AccountSettings, common: Arc<CommonRules>) -> Self {
        Self { settings, common }
    }

    /// The settings they were made from.
    #[must_use]
    pub fn settings(&self) -> &AccountSettings {
        &self.settings
    }

    /// The tariff.
    #[must_use]
    pub fn tariff(&self) -> &Tariff {
        &self.common.tariff
    }

    /// The time zone, in which months and dates begin at 00:00.
    #[must_use]
    pub fn zone(&self) -> &Zone {
        &self.common.zone
    }

    /// The account is billed in it.
    #[must_use]
    pub fn currency(&self) -> Currency {
        self.settings.currency
    }

    /// Conversations that the business opens with a user who had not opted in are flagged.
    #[must_use]
    pub fn tracks_consent(&self) -> bool {
        self.settings.tracks_consent
    }

    /// The month an instant lies in. See [`Zone::period`].
    #[must_use]
    pub fn period(&self, at: UnixMillis) -> Period {
        self.common.zone.period(at)
    }

    /// Begin and exclusive end of a month.
    #[must_use]
    pub fn period_bounds(&self, period: Period) -> (UnixMillis, UnixMillis) {
        self.common.zone.period_bounds(period)
    }

    /// The market of a user: that of the longest prefix in force on the local date. A provider id is looked up by its
    /// country. Without a row, the tariff's market for such numbers.
    #[must_use]
    pub fn market(&self, digits: LeadingDigits, at: UnixMillis) -> &Text {
        self.common.tariff.map().market(self.market_stretch(at), digits)
    }

    /// The row of the market map that [`Self::market`] went by; none for numbers without a row.
    #[must_use]
    pub fn market_row(&self, digits: LeadingDigits, at: UnixMillis) -> Option<&MarketRow> {
        let tariff = &self.common.tariff;
        tariff.map().row(self.market_stretch(at), digits).and_then(|row| tariff.markets().get(row))
    }

    fn market_stretch(&self, at: UnixMillis) -> usize {
        self.common.market_starts.partition_point(|start| *start <= at)
    }

    /// What a conversation costs by the card in force on the local date on which it opened. Without a rate there is no
    /// amount, and the reason is [`crate::NO_RATE`]; [`Self::why_unpriced`] says what is missing.
    ///
    /// The answer shares its words with the rules. Threads that price much should each read a configuration of their
    /// own, or they wait for each other at the counters of those words.
    #[must_use]
    pub fn conversation_price(
        &self,
        market: &Text,
        initiator: Initiator,
        opened_at: UnixMillis,
    ) -> PriceOutcome {
        self.price(market, initiator, opened_at).clone()
    }

    /// As [`Self::conversation_price`], for a caller that only compares.
    #[must_use]
    pub fn price(&self, market: &str, initiator: Initiator, opened_at: UnixMillis) -> &PriceOutcome {
        let market = self.common.tariff.map().index_of(market);
        self.common.prices.outcome(market, RateKind::of(initiator), opened_at)
    }

    /// The row of the card that [`Self::conversation_price`] went by.
    #[must_use]
    pub fn rate_row(&self, market: &str, initiator: Initiator, opened_at: UnixMillis) -> Option<&RateRow> {
        let market = self.common.tariff.map().index_of(market)?;
        let row = self.common.prices.row(market, RateKind::of(initiator), opened_at)?;
        self.common.tariff.rates().get(row)
    }

    /// What is missing for a price; none if there is one.
    #[must_use]
    pub fn why_unpriced(
        &self,
        market: &str,
        initiator: Initiator,
        opened_at: UnixMillis,
    ) -> Option<WhyUnpriced> {
        let tariff = &self.common.tariff;
        if self.rate_row(market, initiator, opened_at).is_some() {
            return None;
        }
        if tariff.map().index_of(market).is_none() {
            return Some(WhyUnpriced::UnknownMarket);
        }
        let (currency, kind) = (self.currency(), RateKind::of(initiator));
        let mut in_currency = tariff.rates().iter().filter(|row| row.currency == currency).peekable();
        if in_currency.peek().is_none() {
            return Some(WhyUnpriced::NoCard(currency));
        }
        let dates: Vec<_> = in_currency
            .filter(|row| &*row.market == market && row.kind == kind)
            .map(|row| row.dates)
            .collect();
        Some(if dates.is_empty() {
            WhyUnpriced::NoRow(currency, kind)
        } else {
            WhyUnpriced::OtherDates(self.local_date(opened_at), dates)
        })
    }

    /// The date that the account's clock shows.
    #[must_use]
    pub fn local_date(&self, at: UnixMillis) -> Date {
        self.common.zone.date(at)
    }
}
