//! Which months have rates: the table that shows the dates without one.
//!
//! Knows no zone: a month is its dates.
//! Invariant: a month counts as covered only if every market in force has a rate on every one of its dates.

use model::{Currency, Period};

use crate::{
    cards::{RateKind, RateRow},
    date::{Date, DateRange},
    tariff::Tariff,
};

/// Months and the rates that they have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// Without gaps, from the first month with a rate to the last change of a card.
    pub months: Vec<Period>,
    /// Sorted.
    pub columns: Vec<(Currency, RateKind)>,
    /// For each month one cell for each column.
    pub cells: Vec<Vec<CoverageCell>>,
    /// For each column whether the cards go on behind the last month without an end.
    pub goes_on: Vec<bool>,
}

/// How many of the markets in force have a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CoverageCell {
    /// On every date of the month.
    pub whole: usize,
    /// On some dates of the month.
    pub part: usize,
    /// On no date of the month.
    pub none: usize,
}

impl CoverageCell {
    /// Whether no conversation of the month would be unpriced.
    #[must_use]
    pub const fn is_complete(self) -> bool {
        self.part == 0 && self.none == 0
    }
}

/// The coverage of a tariff's cards.
#[must_use]
pub fn coverage(tariff: &Tariff) -> Coverage {
    let rows = tariff.rates();
    let mut columns: Vec<(Currency, RateKind)> = rows.iter().map(|row| (row.currency, row.kind)).collect();
    columns.sort();
    columns.dedup();
    let months = months(rows);
    let cells = months
        .iter()
        .map(|month| columns.iter().map(|column| cell(tariff, *column, *month)).collect())
        .collect();
    let open = |column: &(Currency, RateKind)| {
        rows.iter().any(|row| (row.currency, row.kind) == *column && row.dates.to.is_none())
    };
    let goes_on = columns.iter().map(open).collect();
    Coverage { months, columns, cells, goes_on }
}

fn months(rows: &[RateRow]) -> Vec<Period> {
    let first = rows.iter().map(|row| row.dates.from).min();
    // The last date before an end, or the first of a row without one.
    let last =
        rows.iter().map(|row| row.dates.to.map_or(row.dates.from, |to| Date::from_days(to.days() - 1))).max();
    let (Some(first), Some(last)) = (first, last) else { return Vec::new() };
    let mut months = Vec::new();
    let mut month = first.period();
    loop {
        months.push(month);
        let next = next_month(month);
        if month >= last.period() || next == month {
            return months;
        }
        month = next;
    }
}

fn next_month(month: Period) -> Period {
    Date::from_days(Date::first_of(month).days() + 31).period()
}

fn cell(tariff: &Tariff, (currency, kind): (Currency, RateKind), month: Period) -> CoverageCell {
    let first = Date::first_of(month);
    let dates: Vec<Date> = std::iter::successors(Some(first), |date| Some(date.next()))
        .take_while(|date| date.period() == month)
        .take(31)
        .collect();
    let mut cell = CoverageCell::default();
    for market in tariff.market_names() {
        let ranges: Vec<DateRange> = tariff
            .rates()
            .iter()
            .filter(|row| row.currency == currency && row.kind == kind && row.market == *market)
            .map(|row| row.dates)
            .collect();
        let in_force: Vec<Date> =
            dates.iter().copied().filter(|date| in_force(tariff, market, *date)).collect();
        let covered =
            in_force.iter().filter(|date| ranges.iter().any(|range| range.contains(**date))).count();
        match covered {
            _ if in_force.is_empty() => {}
            0 => cell.none += 1,
            all if all == in_force.len() => cell.whole += 1,
            _ => cell.part += 1,
        }
    }
    cell
}

/// Whether some number has the market on the date.
fn in_force(tariff: &Tariff, market: &str, date: Date) -> bool {
    let map = tariff.map();
    let stretch = map.changes().partition_point(|change| *change <= date);
    map.is_in_force(stretch, market)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The coverage after the market map and the USD card were replaced; there are no EUR rows.
    fn shown(markets: &str, rates: &str) -> String {
        let mut files = Tariff::builtin("whatsapp-2022").unwrap().files().clone();
        files.retain(|file, _| !file.starts_with("rates/"));
        files.insert("markets.csv".to_owned(), format!("prefix,market,from,to,status,source\n{markets}"));
        let header = "market,currency,category,rate,from,to,status,source\n";
        files.insert("rates/a.csv".to_owned(), format!("{header}{rates}"));
        let coverage = coverage(&Tariff::from_files(&files).unwrap());
        let lines = coverage.months.iter().zip(&coverage.cells).map(|(month, cells)| {
            let cells: Vec<String> =
                cells.iter().map(|cell| format!("{}+{}-{}", cell.whole, cell.part, cell.none)).collect();
            format!("{month} {}", cells.join(" "))
        });
        format!("{} {:?}", lines.collect::<Vec<_>>().join(", "), coverage.goes_on)
    }

    #[test]
    fn a_month_with_a_gap_is_covered_in_part_and_one_without_rows_not_at_all() {
        let rates = "Other,USD,user-initiated,1,2022-01-01,2022-02-28,derived,s\n\
                     Other,USD,user-initiated,1,2022-04-01,2022-04-16,derived,s\n\
                     Other,USD,user-initiated,2,2022-04-16,2022-05-01,derived,s\n";
        let expected = "2022-01 1+0-0, 2022-02 0+1-0, 2022-03 0+0-1, 2022-04 1+0-0 [false]";
        assert_eq!(shown("", rates), expected);
    }

    #[test]
    fn a_market_counts_from_the_date_on_which_some_number_has_it() {
        let markets = "36,Hungary,2022-02-15,,reported,s\n";
        let rates = "Other,USD,user-initiated,1,2022-01-01,,derived,s\n\
                     Hungary,USD,user-initiated,1,2022-02-15,2022-03-01,derived,s\n\
                     Hungary,USD,business-initiated,1,2022-03-01,,derived,s\n";
        let expected = "2022-01 0+0-1 1+0-0, 2022-02 0+0-2 2+0-0, 2022-03 1+0-1 1+0-1 [true, true]";
        assert_eq!(shown(markets, rates), expected);
    }
}
