//! From the leading digits of a number to its market, as a table: one read per look-up.
//!
//! Knows no zone: which period of the map holds at an instant is the caller's to say.
//! Invariant: the answer is the market of the longest prefix in force, or the market of numbers without a row.

use std::{fmt, ops::Range};

use model::{LeadingDigits, Text};

use crate::{
    date::Date,
    markets::{CountryRow, MarketRow},
};

/// Where the prefixes of each length begin in a table: none, one digit, two, three, four.
const LENGTH_STARTS: [usize; 5] = [0, 1, 11, 111, 1111];

/// Entries of a table: every prefix of up to four digits.
const TABLE_LEN: usize = 11_111;

/// Markets at most, since a table entry is one byte.
pub(crate) const MARKETS_MAX: usize = 255;

/// The market map, one table for each stretch of dates on which it does not change.
#[derive(Clone)]
pub(crate) struct MarketMap {
    /// Sorted.
    names: Vec<Text>,
    /// Places among `names`, found by a hash of the name; [`NO_NAME`] where none is. Pricing asks by name, and a binary
    /// search costs as much as all the rest of it.
    slots: Box<[u8]>,
    /// First dates of the stretches after the first, which has no beginning.
    changes: Vec<Date>,
    /// For each stretch and prefix the index of the market; one more than `changes`.
    tables: Vec<Box<[u8]>>,
    /// For each stretch and prefix the index of the row that says so, `NO_ROW` if none.
    rows: Vec<Box<[u16]>>,
    /// For each stretch and market whether some number has it.
    in_force: Vec<Vec<bool>>,
    /// For each pair of letters the table entry of its prefix; 0, the empty prefix, if unknown.
    countries: Box<[u16]>,
}

const NO_ROW: u16 = u16::MAX;
const NO_NAME: u8 = u8::MAX;
/// Slots for names: four times as many as there can be names.
const SLOTS: usize = 1_024;

impl MarketMap {
    /// Builds the tables. Rows must not overlap; there must be at most [`MARKETS_MAX`] names with `other`.
    pub(crate) fn new(rows: &[MarketRow], countries: &[CountryRow], other: &Text) -> Self {
        let mut names: Vec<Text> = rows.iter().map(|row| row.market.clone()).chain([other.clone()]).collect();
        names.sort();
        names.dedup();
        let mut changes: Vec<Date> =
            rows.iter().flat_map(|row| [Some(row.dates.from), row.dates.to]).flatten().collect();
        changes.sort();
        changes.dedup();
        let mut map = Self {
            slots: slots_of(&names),
            names,
            changes,
            tables: Vec::new(),
            rows: Vec::new(),
            in_force: Vec::new(),
            countries: Box::default(),
        };
        for stretch in 0..=map.changes.len() {
            let (table, found) = map.table(stretch, rows, other);
            let mut in_force = vec![false; map.names.len()];
            for market in &table {
                in_force[usize::from(*market)] = true;
            }
            map.in_force.push(in_force);
            map.tables.push(table);
            map.rows.push(found);
        }
        let mut letters = vec![0; 26 * 26];
        for row in countries {
            if let (Some(pair), Ok(entry)) =
                (letter_pair(row.country), u16::try_from(entry_of(row.prefix.as_bytes())))
            {
                letters[pair] = entry;
            }
        }
        map.countries = letters.into();
        map
    }

    fn table(&self, stretch: usize, rows: &[MarketRow], other: &Text) -> (Box<[u8]>, Box<[u16]>) {
        let mut table = vec![self.byte_of(other); TABLE_LEN];
        let mut found = vec![NO_ROW; TABLE_LEN];
        let in_force = |row: &MarketRow| {
            // Nothing holds before the first change, and within a stretch all dates are alike.
            stretch.checked_sub(1).is_some_and(|before| row.dates.contains(self.changes[before]))
        };
        // Shorter prefixes first, so that a longer one overwrites what it is an exception from.
        let mut holding: Vec<(usize, &MarketRow)> =
            rows.iter().enumerate().filter(|(_, row)| in_force(row)).collect();
        holding.sort_by_key(|(_, row)| row.prefix.len());
        for (at, row) in holding {
            for entries in entries_under(row.prefix.as_bytes()) {
                table[entries.clone()].fill(self.byte_of(&row.market));
                found[entries].fill(u16::try_from(at).unwrap_or(NO_ROW));
            }
        }
        (table.into(), found.into())
    }

    fn byte_of(&self, market: &Text) -> u8 {
        self.index_of(market).and_then(|index| u8::try_from(index).ok()).unwrap_or(0)
    }

    /// Names of all markets, sorted.
    pub(crate) fn names(&self) -> &[Text] {
        &self.names
    }

    /// Place of a market among [`Self::names`].
    pub(crate) fn index_of(&self, market: &str) -> Option<usize> {
        let mut slot = slot_of(market);
        loop {
            match self.slots[slot] {
                NO_NAME => return None,
                found if *self.names[usize::from(found)] == *market => return Some(usize::from(found)),
                _ => slot = (slot + 1) % SLOTS,
            }
        }
    }

    /// The dates on which the map changes, in order. The stretch before the first has number 0.
    pub(crate) fn changes(&self) -> &[Date] {
        &self.changes
    }

    /// The market of a number in a stretch.
    pub(crate) fn market(&self, stretch: usize, digits: LeadingDigits) -> &Text {
        &self.names[usize::from(self.tables[stretch][self.entry(digits)])]
    }

    /// The index of the row that says so; none for numbers without a row.
    pub(crate) fn row(&self, stretch: usize, digits: LeadingDigits) -> Option<usize> {
        Some(self.rows[stretch][self.entry(digits)]).filter(|row| *row != NO_ROW).map(usize::from)
    }

    /// Whether some number has the market in a stretch.
    pub(crate) fn is_in_force(&self, stretch: usize, market: &str) -> bool {
        self.index_of(market).is_some_and(|index| self.in_force[stretch][index])
    }

    fn entry(&self, digits: LeadingDigits) -> usize {
        let [a, b, c, _] = digits.0;
        match letter_pair([a, b]) {
            Some(pair) if c == 0 => usize::from(self.countries[pair]),
            Some(_) | None => entry_of(&digits.0),
        }
    }
}

impl fmt::Debug for MarketMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MarketMap({} markets, {} stretches)", self.names.len(), self.tables.len())
    }
}

/// Puts each name into the first free slot from its own on. Names beyond [`MARKETS_MAX`] are left out, so that a free
/// slot is always left and a search always ends.
fn slots_of(names: &[Text]) -> Box<[u8]> {
    let mut slots = vec![NO_NAME; SLOTS];
    for (name, place) in names.iter().zip(0..NO_NAME) {
        let mut slot = slot_of(name);
        while slots[slot] != NO_NAME {
            slot = (slot + 1) % SLOTS;
        }
        slots[slot] = place;
    }
    slots.into()
}

/// The slot where the search for a name begins: FNV-1a over its bytes.
fn slot_of(name: &str) -> usize {
    let hash =
        name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    usize::try_from(hash >> 22).unwrap_or(0)
}

/// The table entry of the digits at the beginning, up to four; what follows the first other character is left out.
fn entry_of(text: &[u8]) -> usize {
    let mut value = 0;
    let mut length = 0;
    for byte in text.iter().take(4) {
        if !byte.is_ascii_digit() {
            break;
        }
        value = value * 10 + usize::from(byte - b'0');
        length += 1;
    }
    LENGTH_STARTS[length] + value
}

/// The table entries of all numbers that begin with a prefix: one range for each length.
fn entries_under(prefix: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let length = prefix.len().min(4);
    let value = entry_of(prefix) - LENGTH_STARTS[length];
    LENGTH_STARTS[length..].iter().scan(1, move |width, start| {
        let first = start + value * *width;
        let entries = first..first + *width;
        *width *= 10;
        Some(entries)
    })
}

/// The number of a pair of capital letters, from 0 for AA.
fn letter_pair([a, b]: [u8; 2]) -> Option<usize> {
    let letter = |byte: u8| byte.is_ascii_uppercase().then(|| usize::from(byte - b'A'));
    Some(letter(a)? * 26 + letter(b)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{date::DateRange, markets::RowStatus};

    fn row(prefix: &str, market: &str, from: &str, to: &str) -> MarketRow {
        let dates = DateRange { from: Date::parse(from).unwrap(), to: Date::parse(to).ok() };
        let (prefix, market) = (prefix.into(), market.into());
        MarketRow { prefix, market, dates, status: RowStatus::Verified, source: "s".into(), line: 1 }
    }

    fn rows() -> Vec<MarketRow> {
        vec![
            row("1787", "Islands", "2022-02-01", ""),
            row("1", "North", "2022-02-01", ""),
            row("26", "East", "2022-02-01", ""),
            row("263", "West", "2025-10-01", ""),
        ]
    }

    #[test]
    fn every_prefix_of_up_to_four_digits_has_the_market_of_the_longest_row() {
        let rows = rows();
        let map = MarketMap::new(&rows, &[], &"Other".into());
        for stretch in 0..=2 {
            for length in 0..=4_u32 {
                for value in 0..10_u32.pow(length) {
                    let digits = if length == 0 {
                        String::new()
                    } else {
                        format!("{value:0width$}", width = length as usize)
                    };
                    let expected = rows
                        .iter()
                        .filter(|row| stretch > 0 && row.dates.contains(map.changes[stretch - 1]))
                        .filter(|row| digits.starts_with(&*row.prefix))
                        .max_by_key(|row| row.prefix.len());
                    let market = expected.map_or("Other", |row| &*row.market);
                    let digits = LeadingDigits::of(&digits);
                    assert_eq!(&**map.market(stretch, digits), market, "{digits:?} in stretch {stretch}");
                    assert_eq!(map.row(stretch, digits).map(|at| &rows[at]), expected, "{digits:?}");
                }
            }
        }
    }

    #[test]
    fn a_country_is_looked_up_by_its_prefix_and_an_unknown_one_is_other() {
        let countries = [("PR", "1787"), ("US", "1"), ("ZW", "263")].map(|(country, prefix)| CountryRow {
            country: country.as_bytes().try_into().unwrap(),
            prefix: prefix.into(),
            source: "s".into(),
            line: 1,
        });
        let map = MarketMap::new(&rows(), &countries, &"Other".into());
        let market = |stretch, user| &**map.market(stretch, LeadingDigits::of(user));
        assert_eq!(market(1, "US.1349"), "North");
        assert_eq!(market(1, "PR.1349"), "Islands");
        assert_eq!((market(1, "ZW.1"), market(2, "ZW.1")), ("East", "West"));
        for stranger in ["XX.1", "usa", "USAB", "12ab", "1-2", ""] {
            let expected = if stranger.starts_with('1') { "North" } else { "Other" };
            assert_eq!(market(1, stranger), expected, "{stranger}");
        }
    }

    #[test]
    fn every_name_is_found_by_itself_and_no_other_is() {
        let many: Vec<MarketRow> =
            (0..254).map(|n| row("1", &format!("Market {n}"), &format!("{}-01-01", 1970 + n), "")).collect();
        let map = MarketMap::new(&many, &[], &"Other".into());
        assert_eq!(map.names().len(), MARKETS_MAX);
        for (place, name) in map.names().iter().enumerate() {
            assert_eq!(map.index_of(name), Some(place));
            assert_eq!(map.index_of(&format!("{name} ")), None);
        }
        assert_eq!(map.index_of(""), None);
    }

    #[test]
    fn only_markets_that_some_number_has_are_in_force() {
        let map = MarketMap::new(&rows(), &[], &"Other".into());
        let names = |stretch| {
            let in_force = map.names().iter().filter(|name| map.is_in_force(stretch, name));
            in_force.map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(names(0), ["Other"]);
        assert_eq!(names(1), ["East", "Islands", "North", "Other"]);
        assert_eq!(names(2), ["East", "Islands", "North", "Other", "West"]);
    }
}
