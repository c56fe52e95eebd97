//! The invoice as a page that prints well: one file, nothing to load.
//!
//! Knows no sums: every number on the page is one of the invoice's. Invariant: all texts are escaped by the template.

use askama::Template;
use model::{Micros, UnixMillis};

use crate::{
    Grouping,
    invoice::{Bill, ConversationCounts, Invoice, InvoiceLine, Unpriced},
    minor::decimal,
};

/// What a group is called that messages without template or tag are in.
const NO_GROUP: &str = "(none)";

#[derive(Debug, Template)]
#[template(path = "invoice.html")]
struct Page<'a> {
    account: &'a str,
    period: String,
    zone: &'a str,
    begins_at: String,
    ends_at: String,
    conversations: ConversationCounts,
    group_title: Option<&'static str>,
    label_columns: usize,
    bills: Vec<BillView>,
    unpriced: Vec<UnpricedView<'a>>,
    quarantined: Vec<(&'static str, u64)>,
    made_from: Vec<HeadView>,
}

#[derive(Debug)]
struct BillView {
    currency: String,
    lines: Vec<LineView>,
    total: String,
    exact: String,
    rounding: String,
}

#[derive(Debug)]
struct LineView {
    group: Option<String>,
    market: String,
    initiator: &'static str,
    tariff: String,
    quantity: i64,
    unit_rate: String,
    gross: String,
    net: String,
}

#[derive(Debug)]
struct UnpricedView<'a> {
    group: Option<String>,
    market: &'a str,
    initiator: &'static str,
    currency: String,
    reason: &'a str,
    quantity: i64,
}

#[derive(Debug)]
struct HeadView {
    partition: u32,
    sequence: u64,
    hash: String,
}

impl Invoice {
    /// The invoice as an HTML page. `time` writes an instant, as this crate has no calendar.
    #[must_use]
    pub fn to_html(&self, time: impl Fn(UnixMillis) -> String) -> String {
        let group_title = match self.by {
            Grouping::Market => None,
            Grouping::Phone => Some("Business phone"),
            Grouping::Template => Some("Template"),
            Grouping::Tag => Some("Tag"),
        };
        let page = Page {
            account: &self.account,
            period: self.period.to_string(),
            zone: &self.zone,
            begins_at: time(self.begins_at),
            ends_at: time(self.ends_at),
            conversations: self.conversations,
            group_title,
            label_columns: 3 + usize::from(group_title.is_some()),
            bills: self.bills.iter().map(BillView::of).collect(),
            unpriced: self.unpriced.iter().map(UnpricedView::of).collect(),
            quarantined: self.quarantined.iter().map(|(reason, count)| (reason.as_str(), *count)).collect(),
            made_from: self
                .made_from
                .iter()
                .map(|head| HeadView {
                    partition: head.partition.0,
                    sequence: head.sequence.0,
                    hash: head.hash.to_string(),
                })
                .collect(),
        };
        page.render().expect("texts and whole numbers can always be written to a string")
    }
}

impl BillView {
    fn of(bill: &Bill) -> Self {
        let digits = bill.minor.digits();
        Self {
            currency: bill.currency.to_string(),
            lines: bill.lines.iter().map(|line| LineView::of(line, digits)).collect(),
            total: decimal(bill.total, digits),
            exact: bill.exact.to_string(),
            rounding: bill.rounding.to_string(),
        }
    }
}

impl LineView {
    fn of(line: &InvoiceLine, digits: u8) -> Self {
        Self {
            group: line.group.as_deref().map(group),
            market: line.market.to_string(),
            initiator: line.initiator.as_str(),
            tariff: line.tariff.to_string(),
            quantity: line.quantity,
            unit_rate: money(line.unit_rate),
            gross: money(line.gross),
            net: decimal(line.net, digits),
        }
    }
}

impl<'a> UnpricedView<'a> {
    fn of(unpriced: &'a Unpriced) -> Self {
        Self {
            group: unpriced.group.as_deref().map(group),
            market: &unpriced.market,
            initiator: unpriced.initiator.as_str(),
            currency: unpriced.currency.to_string(),
            reason: &unpriced.reason,
            quantity: unpriced.quantity,
        }
    }
}

fn group(name: &str) -> String {
    if name.is_empty() { NO_GROUP.to_owned() } else { name.to_owned() }
}

fn money(amount: Micros) -> String {
    amount.to_string()
}
