//! The invoice of an account and period, made from the sums that the ledger keeps.
//!
//! Knows no entries: its cost does not depend on how many there are. Knows no output form.
//! Invariant: a line's amount is quantity times rate; the total is the sum of the rounded lines, and how far that is
//! from the exact sum stands beside it.

use std::collections::BTreeMap;

use ledger::rollup::{AccountPeriod, PeriodSummary, QuarantineCounts, RollupLine};
use model::{
    Currency, EntryHash, Initiator, Micros, PartitionId, Period, QuarantineReason, Sequence, Text, UnixMillis,
};
use tariff::AccountRules;

use crate::{Grouping, minor::MinorUnit};

/// What the ledger has of an account and period.
#[derive(Debug, Clone, Copy)]
pub struct LedgerSums<'a> {
    /// Whose, and of which month.
    pub place: &'a AccountPeriod,
    /// Its sums.
    pub lines: &'a [RollupLine],
    /// What of it is not settled.
    pub summary: PeriodSummary,
    /// Records in quarantine. They have no account, so these are of the whole ledger.
    pub quarantined: QuarantineCounts,
    /// How far the ledger had come.
    pub heads: &'a [LedgerHead],
}

/// How far a partition of the ledger had come when an invoice was made from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerHead {
    /// Which partition.
    pub partition: PartitionId,
    /// Its last entry.
    pub sequence: Sequence,
    /// Hash of that entry.
    pub hash: EntryHash,
}

/// An invoice: what the provider's tariff charges an account for a month, before tax.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    /// Who is billed.
    pub account: Text,
    /// For which month.
    pub period: Period,
    /// The account's time zone: an IANA name.
    pub zone: String,
    /// When the month begins there.
    pub begins_at: UnixMillis,
    /// When it ends there; exclusive.
    pub ends_at: UnixMillis,
    /// What the lines are divided by.
    pub by: Grouping,
    /// One for each currency, by code; never added together. Always one in the account's own.
    pub bills: Vec<Bill>,
    /// The conversations of the month.
    pub conversations: ConversationCounts,
    /// Charges for which no rate was found: not in any total.
    pub unpriced: Vec<Unpriced>,
    /// Records that were not billed, by reason; of the whole ledger, since they have no account.
    pub quarantined: Vec<(QuarantineReason, u64)>,
    /// What it was made from.
    pub made_from: Vec<LedgerHead>,
}

/// What is owed in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bill {
    /// In which currency.
    pub currency: Currency,
    /// How finely it can be paid.
    pub minor: MinorUnit,
    /// By group, market, initiator, tariff and rate.
    pub lines: Vec<InvoiceLine>,
    /// Sum of the lines' net amounts.
    pub total: Micros,
    /// Sum of the lines before rounding.
    pub exact: Micros,
    /// Total less exact sum: what rounding added.
    pub rounding: Micros,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceLine {
    /// Phone, template or tag; absent where the invoice is by market, empty for messages that have none.
    pub group: Option<Text>,
    /// Market of the users.
    pub market: Text,
    /// Who opened the conversations.
    pub initiator: Initiator,
    /// Id of the tariff.
    pub tariff: Text,
    /// Charges that stand.
    pub quantity: i64,
    /// What one of them costs.
    pub unit_rate: Micros,
    /// Quantity times rate, exact.
    pub gross: Micros,
    /// What is owed: rounded once, half away from zero, to what can be paid in the currency.
    pub net: Micros,
}

/// How many conversations opened in the month, as things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConversationCounts {
    /// All.
    pub opened: i64,
    /// Of these charged, priced or not.
    pub charged: i64,
    /// Of these not charged: nobody of the business answered.
    pub not_charged: i64,
    /// Of these not over yet: the first reply may still charge them.
    pub open: i64,
}

/// Charges without a rate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpriced {
    /// Phone, template or tag; see [`InvoiceLine::group`].
    pub group: Option<Text>,
    /// Market of the users.
    pub market: Text,
    /// Who opened the conversations.
    pub initiator: Initiator,
    /// In which currency a rate is missing.
    pub currency: Currency,
    /// Why.
    pub reason: Text,
    /// How many.
    pub quantity: i64,
}

/// Why there can be no invoice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvoiceError {
    /// A line's amount is not its quantity times its rate.
    #[error(
        "the sums of account {account} for {period} contradict each other: {quantity} charges at {rate} are kept as \
         {kept} millionths; check the ledger with `tarifa verify`"
    )]
    Contradiction {
        /// Whose.
        account: Text,
        /// Of which month.
        period: Period,
        /// Charges of the line.
        quantity: i64,
        /// Rate of the line.
        rate: Micros,
        /// What the ledger has.
        kept: i128,
    },
    /// More than nine million million units of a currency.
    #[error(
        "the charges of account {account} for {period} add up to more than money can be; check the rate card"
    )]
    TooLarge {
        /// Whose.
        account: Text,
        /// Of which month.
        period: Period,
    },
}

/// What lines are told apart by, in the order in which they stand.
type LineOf = (Option<Text>, Text, Initiator, Text, Micros);
type UnpricedOf = (Option<Text>, Text, Initiator, Currency, Text);

impl Invoice {
    /// Makes an invoice. `rules` are those of the account.
    ///
    /// # Errors
    /// Sums that contradict each other, or are larger than money can be.
    pub fn from_rollups(
        sums: &LedgerSums<'_>,
        rules: &AccountRules,
        by: Grouping,
    ) -> Result<Self, InvoiceError> {
        let AccountPeriod { account, period } = sums.place.clone();
        let mut quantities: BTreeMap<Currency, BTreeMap<LineOf, i64>> = BTreeMap::new();
        quantities.entry(rules.currency()).or_default();
        let mut unpriced: BTreeMap<UnpricedOf, i64> = BTreeMap::new();
        let mut conversations =
            ConversationCounts { open: sums.summary.open_conversations, ..ConversationCounts::default() };
        for RollupLine { key, totals } in sums.lines {
            conversations.opened += totals.opened - totals.withdrawn;
            let Some(price) = &key.price else { continue };
            conversations.charged += totals.charges;
            let (group, market) = (by.group_of(key), key.market.clone());
            let quantity = match price.unit {
                Some(rate) => {
                    if i128::from(totals.charges) * i128::from(rate.0) != totals.amount_micros {
                        let (quantity, kept) = (totals.charges, totals.amount_micros);
                        return Err(InvoiceError::Contradiction { account, period, quantity, rate, kept });
                    }
                    let line = (group, market, key.initiator, price.tariff.clone(), rate);
                    quantities.entry(price.currency).or_default().entry(line).or_default()
                }
                None => {
                    let line = (group, market, key.initiator, price.currency, price.reason.clone());
                    unpriced.entry(line).or_default()
                }
            };
            *quantity += totals.charges;
        }
        conversations.not_charged = conversations.opened - conversations.charged;
        let bills: Option<Vec<Bill>> =
            quantities.into_iter().map(|(currency, lines)| Bill::new(currency, lines)).collect();
        let Some(bills) = bills else { return Err(InvoiceError::TooLarge { account, period }) };
        let (begins_at, ends_at) = rules.period_bounds(period);
        Ok(Self {
            account,
            period,
            zone: rules.zone().name().to_owned(),
            begins_at,
            ends_at,
            by,
            bills,
            conversations,
            unpriced: unpriced
                .into_iter()
                .filter(|(_, quantity)| *quantity != 0)
                .map(unpriced_line)
                .collect(),
            quarantined: QuarantineReason::ALL
                .iter()
                .copied()
                .zip(sums.quarantined.0)
                .filter(|(_, count)| *count > 0)
                .collect(),
            made_from: sums.heads.to_vec(),
        })
    }

    /// Charges without a rate, all together.
    #[must_use]
    pub fn unpriced_quantity(&self) -> i64 {
        self.unpriced.iter().map(|unpriced| unpriced.quantity).sum()
    }

    /// Records in quarantine, all together.
    #[must_use]
    pub fn quarantined_records(&self) -> u64 {
        self.quarantined.iter().map(|(_, count)| count).sum()
    }
}

impl Bill {
    /// Absent if an amount is larger than money can be.
    fn new(currency: Currency, quantities: BTreeMap<LineOf, i64>) -> Option<Self> {
        let minor = MinorUnit::of(currency);
        let mut bill = Self {
            currency,
            minor,
            lines: Vec::with_capacity(quantities.len()),
            total: Micros::ZERO,
            exact: Micros::ZERO,
            rounding: Micros::ZERO,
        };
        for ((group, market, initiator, tariff, unit_rate), quantity) in quantities {
            if quantity == 0 {
                continue;
            }
            let exact = i128::from(quantity) * i128::from(unit_rate.0);
            let (gross, net) = (micros(exact)?, micros(minor.round(exact))?);
            bill.total = bill.total.checked_add(net)?;
            bill.exact = bill.exact.checked_add(gross)?;
            let line = InvoiceLine { group, market, initiator, tariff, quantity, unit_rate, gross, net };
            bill.lines.push(line);
        }
        bill.rounding = bill.total.checked_add(bill.exact.negated())?;
        Some(bill)
    }
}

fn micros(amount: i128) -> Option<Micros> {
    i64::try_from(amount).ok().map(Micros)
}

fn unpriced_line(((group, market, initiator, currency, reason), quantity): (UnpricedOf, i64)) -> Unpriced {
    Unpriced { group, market, initiator, currency, reason, quantity }
}
