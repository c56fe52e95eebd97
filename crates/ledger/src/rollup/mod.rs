//! Sums over the ledger by account and period, kept in step with it by every commit.
//!
//! Knows nothing of rates, allowances or documents: an entry says what it costs, this adds up.
//! Invariant: `Rollups::apply` is the only function that turns entries into sums, live and in verification alike.

mod apply;
mod held;
mod rows;

pub use apply::Rollups;
pub(crate) use held::HeldSums;
pub(crate) use rows::{
    RowError, partition_rows, quarantined_from_row, read_lines, read_summary, rows_of, summary_prefix,
};

use model::{Category, Currency, Initiator, Micros, Period, QuarantineReason, Text};

/// What is billed to whom in which month. The month is that in which conversations opened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountPeriod {
    /// Who is billed.
    pub account: Text,
    /// Month to which the entries belong.
    pub period: Period,
}

/// What the sums of an account and period are divided by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineKey {
    /// The business's number id.
    pub business_phone: Text,
    /// Market of the users.
    pub market: Text,
    /// Who opened the conversations.
    pub initiator: Initiator,
    /// Category of the message that opened the conversations or earned the charges.
    pub category: Category,
    /// Its template name, or empty.
    pub template: Text,
    /// Its tag, or empty.
    pub tag: Text,
    /// Month in which the entries are booked: another one than the period for adjustments of a closed period.
    pub booked_in: Period,
    /// What one charge costs; absent on the lines that count openings and closes.
    pub price: Option<LinePrice>,
}

/// What one charge of a line costs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinePrice {
    /// Never added to another.
    pub currency: Currency,
    /// List rate of one charge, never negative; absent if unpriced, zero only if free.
    pub unit: Option<Micros>,
    /// Id of the tariff.
    pub tariff: Text,
    /// Why it is free or unpriced; empty otherwise.
    pub reason: Text,
}

/// Sums of a line. Signed, as a line of another booking month may hold nothing but reversals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LineTotals {
    /// Charges less reversals.
    pub charges: i64,
    /// Their amounts in micro-units of the line's currency.
    pub amount_micros: i128,
    /// Conversations opened.
    pub opened: i64,
    /// Conversations withdrawn.
    pub withdrawn: i64,
    /// Closes booked. A conversation that was open again and closed anew counts twice.
    pub closed: i64,
}

/// A line with its sums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollupLine {
    /// What it is about.
    pub key: LineKey,
    /// How much.
    pub totals: LineTotals,
}

/// What a period close asks about an account and period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PeriodSummary {
    /// Conversations that are open.
    pub open_conversations: i64,
    /// Charges without a rate, less those taken back.
    pub unpriced: i64,
}

/// Records in quarantine by reason, in the order of [`QuarantineReason::ALL`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QuarantineCounts(pub [u64; QuarantineReason::ALL.len()]);

impl QuarantineCounts {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl AccountPeriod {
    /// Of an account's name and a month.
    #[must_use]
    pub fn of(account: &str, period: Period) -> Self {
        Self { account: Text::from(account), period }
    }
}

impl LineTotals {
    pub(crate) fn add(&mut self, other: &Self) {
        self.charges += other.charges;
        self.amount_micros += other.amount_micros;
        self.opened += other.opened;
        self.withdrawn += other.withdrawn;
        self.closed += other.closed;
    }

    pub(crate) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl PeriodSummary {
    pub(crate) fn add(&mut self, other: &Self) {
        self.open_conversations += other.open_conversations;
        self.unpriced += other.unpriced;
    }
}
