//! Rate cards: one row per market, currency, category and range of dates, with where the figure comes from.
//!
//! Knows no zone: a row holds on dates.
//! Invariant: for a market, currency, category and date there is at most one row, whatever the number of cards.

use std::collections::BTreeMap;

use model::{Currency, Initiator, Micros, Text};

use crate::{
    currency::known_currency,
    date::DateRange,
    finding::{Finding, Place, Source, did_you_mean, nearest},
    markets::{RowStatus, read_range, read_source, read_status},
    rate::{RateError, parse_rate},
    sheet::{self, Cell},
};

/// What a rate is for. Tariffs by initiator know two; those by category would add theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RateKind {
    /// A conversation that the business opened.
    BusinessInitiated,
    /// A conversation that the user opened.
    UserInitiated,
}

impl RateKind {
    /// All of them, in the order of [`Self::index`].
    pub const ALL: [Self; 2] = [Self::BusinessInitiated, Self::UserInitiated];

    /// The rate that a conversation of this initiator is charged at.
    #[must_use]
    pub const fn of(initiator: Initiator) -> Self {
        match initiator {
            Initiator::Business => Self::BusinessInitiated,
            Initiator::User => Self::UserInitiated,
        }
    }

    /// The word in the column `category` of a card.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BusinessInitiated => "business-initiated",
            Self::UserInitiated => "user-initiated",
        }
    }

    /// Place among [`Self::ALL`].
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::BusinessInitiated => 0,
            Self::UserInitiated => 1,
        }
    }
}

/// One row of a rate card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateRow {
    /// Market of the user.
    pub market: Text,
    /// Currency of the account.
    pub currency: Currency,
    /// What the rate is for.
    pub kind: RateKind,
    /// What one conversation costs; never negative.
    pub rate: Micros,
    /// The dates on which it holds.
    pub dates: DateRange,
    /// How far the figure can be relied on.
    pub status: RowStatus,
    /// Where the figure comes from.
    pub source: Text,
    /// File of the card, such as `rates/2022-02-01-USD.csv`.
    pub card: Text,
    /// Line in that file, from 1.
    pub line: u32,
}

const COLUMNS: [&str; 8] = ["market", "currency", "category", "rate", "from", "to", "status", "source"];

/// Reads one card. `markets` are the names that a row may use, sorted.
pub(crate) fn read(source: Source<'_>, markets: &[Text], findings: &mut Vec<Finding>) -> Vec<RateRow> {
    let card = Text::from(source.file);
    let mut rows = Vec::new();
    for row in sheet::rows(source, COLUMNS, findings) {
        let [market, currency, category, rate, from, to, status, origin] = &row.cells;
        let market = read_market(source, market, markets, findings);
        let currency = read_currency(source, currency, findings);
        let kind = read_kind(source, category, findings);
        let rate = read_rate(source, rate, findings);
        let dates = read_range(source, from, to, findings);
        let status = read_status(source, status, findings);
        let origin = read_source(source, origin, findings);
        if let (
            Some(market),
            Some(currency),
            Some(kind),
            Some(rate),
            Some(dates),
            Some(status),
            Some(origin),
        ) = (market, currency, kind, rate, dates, status, origin)
        {
            let (card, line) = (card.clone(), row.line);
            rows.push(RateRow { market, currency, kind, rate, dates, status, source: origin, card, line });
        }
    }
    rows
}

/// Finds rows that hold on the same dates for the same thing, in one card or in two.
pub(crate) fn find_overlaps(rows: &[RateRow], findings: &mut Vec<Finding>) {
    let mut earlier: BTreeMap<(&str, Currency, RateKind), Vec<&RateRow>> = BTreeMap::new();
    for row in rows {
        let same = earlier.entry((&row.market, row.currency, row.kind)).or_default();
        if let Some(other) = same.iter().find(|other| other.dates.overlaps(&row.dates)) {
            let what = format!("{}, {}, {}", row.market, row.currency, row.kind.as_str());
            let problem = if other.dates == row.dates && other.rate == row.rate {
                format!("the row for {what} repeats {}:{}", other.card, other.line)
            } else {
                format!(
                    "{what} has two rates on some dates: {} {} in {}:{}, {} {} here",
                    other.rate, other.dates, other.card, other.line, row.rate, row.dates
                )
            };
            let source = Source { file: &row.card, text: "" };
            let place = Place { line: row.line, column: 1 };
            findings.push(source.finding(
                place,
                problem,
                "remove one, or end the older where the newer begins",
            ));
        }
        same.push(row);
    }
}

fn read_market(
    source: Source<'_>,
    cell: &Cell,
    markets: &[Text],
    findings: &mut Vec<Finding>,
) -> Option<Text> {
    if let Ok(found) = markets.binary_search_by(|name| (**name).cmp(cell.text.as_str())) {
        return Some(markets[found].clone());
    }
    let advice = match nearest(&cell.text, markets.iter().map(|name| &**name)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "name a market of markets.csv, or add it there".to_owned(),
    };
    findings.push(source.finding(cell.place, format!("unknown market `{}`", cell.text), advice));
    None
}

fn read_currency(source: Source<'_>, cell: &Cell, findings: &mut Vec<Finding>) -> Option<Currency> {
    known_currency(&cell.text)
        .map_err(|advice| {
            let problem = format!("unknown currency `{}`", cell.text);
            findings.push(source.finding(cell.place, problem, advice));
        })
        .ok()
}

fn read_kind(source: Source<'_>, cell: &Cell, findings: &mut Vec<Finding>) -> Option<RateKind> {
    let kind = RateKind::ALL.into_iter().find(|kind| kind.as_str() == cell.text);
    if kind.is_none() {
        let problem = format!("unknown category `{}`", cell.text);
        let advice = did_you_mean(&cell.text, &RateKind::ALL.map(RateKind::as_str));
        findings.push(source.finding(cell.place, problem, advice));
    }
    kind
}

fn read_rate(source: Source<'_>, cell: &Cell, findings: &mut Vec<Finding>) -> Option<Micros> {
    parse_rate(&cell.text)
        .map_err(|error| {
            let advice = match error {
                RateError::Empty => "write the rate, or remove the row if there is none",
                RateError::NotDecimal => "write digits with a decimal point, without sign or symbol",
                RateError::TooFine => "write at most six digits behind the point",
                RateError::TooLarge => "check the figure",
            };
            findings.push(source.finding(cell.place, format!("`{}`: {error}", cell.text), advice));
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "market,currency,category,rate,from,to,status,source\n";

    fn found(rows: &str) -> Vec<String> {
        let text = format!("{HEADER}{rows}");
        let markets = ["Brazil".into(), "Chile".into(), "Other".into()];
        let mut findings = Vec::new();
        let rows = read(Source { file: "rates/a.csv", text: &text }, &markets, &mut findings);
        find_overlaps(&rows, &mut findings);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_cell_is_checked_where_it_stands() {
        for (row, complaint) in [
            (
                "Brasil,USD,user-initiated,1,2022-02-01,,verified,s",
                "2:1: unknown market `Brasil`; did you mean `Brazil`?",
            ),
            (
                "Chile,USX,user-initiated,1,2022-02-01,,verified,s",
                "2:7: unknown currency `USX`; write an ISO 4217",
            ),
            (
                "Chile,USD,user,1,2022-02-01,,verified,s",
                "2:11: unknown category `user`; known: business-initiated, user-initiated",
            ),
            (
                "Chile,USD,user-initiated,\"0,03\",2022-02-01,,verified,s",
                "2:26: `0,03`: not a decimal number",
            ),
            (
                "Chile,USD,user-initiated,,2022-02-01,,verified,s",
                "2:26: ``: a rate is missing; write the rate, or remove",
            ),
            ("Chile,USD,user-initiated,1,2022-02-30,,verified,s", "2:28: `2022-02-30` is not a date"),
            (
                "Chile,USD,user-initiated,1,2022-02-01,2022-02-01,verified,s",
                "2:39: the row ends on 2022-02-01, not after",
            ),
            ("Chile,USD,user-initiated,1,2022-02-01,,sure,s", "2:40: unknown status `sure`; known: verified"),
            ("Chile,USD,user-initiated,1,2022-02-01,,verified,", "2:49: the row has no source; say where"),
        ] {
            let found = found(row);
            assert_eq!(found.len(), 1, "{row}: {found:?}");
            assert!(found[0].starts_with(&format!("rates/a.csv:{complaint}")), "{row}: {found:?}");
        }
    }

    #[test]
    fn a_date_with_two_rates_is_found_and_a_change_of_rate_is_not() {
        let first = "Chile,USD,user-initiated,1,2022-02-01,2023-06-01,verified,s\n";
        assert_eq!(
            found(&format!("{first}Chile,USD,user-initiated,2,2023-06-01,,verified,s")),
            Vec::<String>::new()
        );
        assert_eq!(
            found(&format!("{first}Chile,EUR,user-initiated,2,2022-02-01,,verified,s")),
            Vec::<String>::new()
        );
        let repeated = found(&format!("{first}{first}"));
        assert!(
            repeated[0]
                .starts_with("rates/a.csv:3:1: the row for Chile, USD, user-initiated repeats rates/a.csv:2")
        );
        let overlapping = found(&format!("{first}Chile,USD,user-initiated,2,2023-05-31,,verified,s"));
        assert_eq!(
            overlapping,
            ["rates/a.csv:3:1: Chile, USD, user-initiated has two rates on some dates: \
              1.0000 from 2022-02-01 until before 2023-06-01 in rates/a.csv:2, 2.0000 from 2023-05-31 here; \
              remove one, or end the older where the newer begins"]
        );
    }
}
