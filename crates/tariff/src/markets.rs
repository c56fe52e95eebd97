//! The market map as it is written: prefixes with their dated markets, and countries with their prefixes.
//!
//! Knows no zone and no rates; the look-up made from these rows is [`crate::market_map`].
//! Invariant: on any date a prefix has at most one market.

use std::collections::BTreeMap;

use model::Text;

use crate::{
    date::{Date, DateRange},
    finding::{Finding, Place, Source, did_you_mean},
    sheet::{self, Cell},
};

/// How far a figure can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowStatus {
    /// Read in the provider's own publication, or in two independent copies of it.
    Verified,
    /// Read in other places that agree with each other.
    CrossChecked,
    /// Read in one other place.
    Reported,
    /// Computed from other figures.
    Derived,
}

impl RowStatus {
    /// All of them, the most reliable first.
    pub const ALL: [Self; 4] = [Self::Verified, Self::CrossChecked, Self::Reported, Self::Derived];

    /// The word in the column `status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::CrossChecked => "cross-checked",
            Self::Reported => "reported",
            Self::Derived => "derived",
        }
    }
}

/// One row of `markets.csv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarketRow {
    /// One to four digits with which a number begins.
    pub prefix: Text,
    /// The market of such numbers.
    pub market: Text,
    /// The dates on which it is.
    pub dates: DateRange,
    /// How far the row can be relied on.
    pub status: RowStatus,
    /// Where it comes from.
    pub source: Text,
    /// Line in the file, from 1.
    pub line: u32,
}

/// One row of `countries.csv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountryRow {
    /// ISO 3166-1 alpha-2.
    pub country: [u8; 2],
    /// The prefix under which its users are looked up.
    pub prefix: Text,
    /// Where it comes from.
    pub source: Text,
    /// Line in the file, from 1.
    pub line: u32,
}

/// Reads `markets.csv`: its rows, and the markets it names, also those of rows with a mistake, so that one mistake here
/// does not make every card wrong.
pub(crate) fn read(source: Source<'_>, findings: &mut Vec<Finding>) -> (Vec<MarketRow>, Vec<Text>) {
    let mut rows: Vec<MarketRow> = Vec::new();
    let mut names: Vec<Text> = Vec::new();
    let columns = ["prefix", "market", "from", "to", "status", "source"];
    for row in sheet::rows(source, columns, findings) {
        let [prefix, market, from, to, status, origin] = &row.cells;
        let prefix = read_prefix(source, prefix, findings);
        if market.text.is_empty() {
            findings.push(source.finding(market.place, "the row has no market", "name it"));
        }
        let market = Text::from(market.text.as_str());
        names.push(market.clone());
        let dates = read_range(source, from, to, findings);
        let status = read_status(source, status, findings);
        let origin = read_source(source, origin, findings);
        if let (Some(prefix), Some(dates), Some(status), Some(origin)) = (prefix, dates, status, origin) {
            rows.push(MarketRow { prefix, market, dates, status, source: origin, line: row.line });
        }
    }
    find_overlaps(source, &rows, findings);
    (rows, names)
}

fn find_overlaps(source: Source<'_>, rows: &[MarketRow], findings: &mut Vec<Finding>) {
    let mut earlier: BTreeMap<&str, Vec<&MarketRow>> = BTreeMap::new();
    for row in rows {
        let same = earlier.entry(&row.prefix).or_default();
        if let Some(other) = same.iter().find(|other| other.dates.overlaps(&row.dates)) {
            let problem = if other.dates == row.dates && other.market == row.market {
                format!("the row for prefix {} repeats line {}", row.prefix, other.line)
            } else {
                format!(
                    "prefix {} has two markets on some dates: {} {} in line {}, {} {} here",
                    row.prefix, other.market, other.dates, other.line, row.market, row.dates
                )
            };
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

/// Reads `countries.csv`.
pub(crate) fn read_countries(source: Source<'_>, findings: &mut Vec<Finding>) -> Vec<CountryRow> {
    let mut rows: Vec<CountryRow> = Vec::new();
    for row in sheet::rows(source, ["country", "prefix", "source"], findings) {
        let [country, prefix, origin] = &row.cells;
        let prefix = read_prefix(source, prefix, findings);
        let origin = read_source(source, origin, findings);
        let code = match country.text.as_bytes() {
            &[a, b] if a.is_ascii_uppercase() && b.is_ascii_uppercase() => [a, b],
            _ => {
                let problem = format!("`{}` is no country", country.text);
                findings.push(source.finding(
                    country.place,
                    problem,
                    "write two capital letters, such as BR",
                ));
                continue;
            }
        };
        if let Some(other) = rows.iter().find(|other| other.country == code) {
            let problem = format!("{} stands in line {} too", country.text, other.line);
            findings.push(source.finding(country.place, problem, "remove one of the rows"));
        } else if let (Some(prefix), Some(source)) = (prefix, origin) {
            rows.push(CountryRow { country: code, prefix, source, line: row.line });
        }
    }
    rows
}

/// Four digits at most, since no more of a number is kept.
fn read_prefix(source: Source<'_>, cell: &Cell, findings: &mut Vec<Finding>) -> Option<Text> {
    let digits = (1..=4).contains(&cell.text.len()) && cell.text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        let problem = format!("`{}` is no prefix", cell.text);
        let advice = "write one to four digits, the calling code first, without `+`";
        findings.push(source.finding(cell.place, problem, advice));
    }
    digits.then(|| cell.text.as_str().into())
}

/// The dates of a row: `from` must be there, `to` may be empty.
pub(crate) fn read_range(
    source: Source<'_>,
    from: &Cell,
    to: &Cell,
    findings: &mut Vec<Finding>,
) -> Option<DateRange> {
    let mut date = |cell: &Cell| match Date::parse(&cell.text) {
        Ok(date) => Some(date),
        Err(error) => {
            let problem = format!("`{}` is {error}", cell.text);
            findings.push(source.finding(cell.place, problem, "write a date such as 2022-02-01"));
            None
        }
    };
    let begin = date(from);
    let end = if to.text.is_empty() { None } else { Some(date(to)?) };
    let begin = begin?;
    if let Some(end) = end
        && end <= begin
    {
        let problem = format!("the row ends on {end}, not after it begins on {begin}");
        let advice = "`to` is the first date no longer; write a later one or leave it empty";
        findings.push(source.finding(to.place, problem, advice));
        return None;
    }
    Some(DateRange { from: begin, to: end })
}

pub(crate) fn read_status(source: Source<'_>, cell: &Cell, findings: &mut Vec<Finding>) -> Option<RowStatus> {
    let status = RowStatus::ALL.into_iter().find(|status| status.as_str() == cell.text);
    if status.is_none() {
        let problem = format!("unknown status `{}`", cell.text);
        let advice = did_you_mean(&cell.text, &RowStatus::ALL.map(RowStatus::as_str));
        findings.push(source.finding(cell.place, problem, advice));
    }
    status
}

pub(crate) fn read_source(source: Source<'_>, cell: &Cell, findings: &mut Vec<Finding>) -> Option<Text> {
    if cell.text.is_empty() {
        findings.push(source.finding(cell.place, "the row has no source", "say where the figure comes from"));
        return None;
    }
    Some(cell.text.as_str().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(rows: &str) -> Vec<String> {
        let text = format!("prefix,market,from,to,status,source\n{rows}");
        let mut findings = Vec::new();
        read(Source { file: "markets.csv", text: &text }, &mut findings);
        findings.iter().map(ToString::to_string).collect()
    }

    fn found_in_countries(rows: &str) -> Vec<String> {
        let text = format!("country,prefix,source\n{rows}");
        let mut findings = Vec::new();
        read_countries(Source { file: "countries.csv", text: &text }, &mut findings);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_prefix_may_move_but_not_be_in_two_markets_at_once() {
        let before = "263,Other,2022-02-01,2025-10-01,verified,s\n";
        assert_eq!(found(&format!("{before}263,Rest,2025-10-01,,verified,s\n")), Vec::<String>::new());
        let both = found(&format!("{before}263,Rest,2025-09-30,,verified,s\n"));
        assert!(
            both[0].starts_with("markets.csv:3:1: prefix 263 has two markets on some dates: Other"),
            "{both:?}"
        );
        let twice = found(&format!("{before}{before}"));
        assert!(twice[0].starts_with("markets.csv:3:1: the row for prefix 263 repeats line 2"), "{twice:?}");
    }

    #[test]
    fn prefixes_and_markets_are_checked_where_they_stand() {
        for (row, complaint) in [
            ("12345,A,2022-02-01,,verified,s", "2:1: `12345` is no prefix; write one to four digits"),
            ("+1,A,2022-02-01,,verified,s", "2:1: `+1` is no prefix"),
            ("1,,2022-02-01,,verified,s", "2:3: the row has no market"),
            ("1,A,,,verified,s", "2:5: `` is not a date"),
            ("1,A,2022-02-01,,verified,", "2:26: the row has no source"),
        ] {
            assert!(
                found(row)[0].starts_with(&format!("markets.csv:{complaint}")),
                "{row}: {:?}",
                found(row)
            );
        }
    }

    #[test]
    fn countries_stand_once_and_have_two_capital_letters() {
        assert_eq!(found_in_countries("BR,55,s\nUS,1,s"), Vec::<String>::new());
        assert!(found_in_countries("br,55,s")[0].starts_with("countries.csv:2:1: `br` is no country"));
        assert!(
            found_in_countries("BR,55,s\nBR,1,s")[0]
                .starts_with("countries.csv:3:1: BR stands in line 2 too")
        );
        assert!(found_in_countries("BR,BR,s")[0].starts_with("countries.csv:2:4: `BR` is no prefix"));
    }
}
