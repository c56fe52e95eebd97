//! Sums as rows of the store.
//!
//! Knows nothing of entries. Invariant: the same sums give the same rows to the byte, so that verification compares
//! bytes; a row without sums does not exist.
//!
//! Lines of an account and period lie in 16 rows, so that a commit rewrites little.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use model::{Category, Currency, Initiator, Micros, PartitionId, Period, Text};

use super::{
    AccountPeriod, LineKey, LinePrice, LineTotals, PeriodSummary, QuarantineCounts, RollupLine, Rollups,
    held::HeldSums,
};
use crate::{
    num::{Cursor, Malformed, put_bytes, put_signed, put_signed_wide, put_varint},
    store::{Batch, Row, Store, StoreError},
};

pub(super) const LINES: u8 = b'r';
pub(super) const SUMMARY: u8 = b'a';
const QUARANTINED: u8 = b'q';
pub(super) const SHARDS: u8 = 16;
const VERSION: u8 = 1;

/// What went wrong with a row.
#[derive(Debug)]
pub(crate) enum RowError {
    Store(StoreError),
    /// The row of this key makes no sense.
    Malformed(Vec<u8>),
}

impl From<StoreError> for RowError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The rows that these sums make when there are none before them.
pub(crate) fn rows_of(
    partition: PartitionId,
    rollups: &Rollups,
) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, RowError> {
    let mut batch = Batch::default();
    HeldSums::default().add(partition, rollups, &mut batch, |_| Ok(Vec::new()))?;
    let rows = batch.changes.into_iter().filter_map(|(key, value)| Some((key, value?)));
    Ok(rows.collect())
}

/// All rows of a partition that hold sums.
pub(crate) fn partition_rows(
    store: &impl Store,
    partition: PartitionId,
) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, StoreError> {
    let mut rows = BTreeMap::new();
    for table in [LINES, SUMMARY, QUARANTINED] {
        let prefix = prefix(table, partition);
        for row in store.scan(&prefix, &prefix) {
            let (key, value) = row?;
            rows.insert(key, value);
        }
    }
    Ok(rows)
}

/// Adds a partition's lines of an account and period.
pub(crate) fn read_lines(
    store: &impl Store,
    partition: PartitionId,
    place: &AccountPeriod,
    out: &mut BTreeMap<LineKey, LineTotals>,
) -> Result<(), RowError> {
    let prefix = place_key(LINES, partition, place);
    for row in store.scan(&prefix, &prefix) {
        let (key, value) = row?;
        for line in decode_lines(&value).map_err(|Malformed| RowError::Malformed(key))? {
            out.entry(line.key).or_default().add(&line.totals);
        }
    }
    Ok(())
}

/// Prefix of a partition's summaries.
pub(crate) fn summary_prefix(partition: PartitionId) -> Vec<u8> {
    prefix(SUMMARY, partition)
}

/// A summary row: which account and period, and what of them.
pub(crate) fn read_summary(key: &[u8], value: &[u8]) -> Result<(AccountPeriod, PeriodSummary), RowError> {
    let read = || {
        let mut cursor = Cursor::new(value);
        let account: Text = Arc::from(cursor.text()?);
        let period = Period::from_number(cursor.varint_u32()?).ok_or(Malformed)?;
        let summary = PeriodSummary { open_conversations: cursor.signed()?, unpriced: cursor.signed()? };
        cursor.finish()?;
        Ok((AccountPeriod { account, period }, summary))
    };
    read().map_err(|Malformed| RowError::Malformed(key.to_vec()))
}

/// Counts of a partition's quarantine.
pub(crate) fn quarantined_from_row(
    store: &impl Store,
    partition: PartitionId,
) -> Result<QuarantineCounts, RowError> {
    let key = prefix(QUARANTINED, partition);
    let value = store.get(&key)?;
    value.map_or(Ok(QuarantineCounts::default()), |value| decode_quarantined(key, &value))
}

/// Adds to the counts of a partition's quarantine.
pub(super) fn add_quarantined(
    partition: PartitionId,
    more: &QuarantineCounts,
    batch: &mut Batch,
    rows_with: impl Fn(&[u8]) -> Result<Vec<Row>, StoreError>,
) -> Result<(), RowError> {
    let key = prefix(QUARANTINED, partition);
    let mut counts = QuarantineCounts::default();
    for (key, value) in rows_with(&key)? {
        counts = decode_quarantined(key, &value)?;
    }
    for (held, more) in counts.0.iter_mut().zip(&more.0) {
        *held += more;
    }
    let mut value = Vec::new();
    counts.0.iter().for_each(|count| put_varint(&mut value, *count));
    batch.put(key, value);
    Ok(())
}

fn prefix(table: u8, partition: PartitionId) -> Vec<u8> {
    let mut key = vec![table];
    key.extend(partition.0.to_be_bytes());
    key
}

/// Accounts have names of any length, and keys one length: half a hash stands for the name, which the summary holds.
pub(super) fn place_key(table: u8, partition: PartitionId, place: &AccountPeriod) -> Vec<u8> {
    let mut key = prefix(table, partition);
    key.extend(crate::checksum::of(place.account.as_bytes()));
    key.extend(place.period.to_number().to_be_bytes());
    key
}

pub(super) fn shard(line: &LineKey) -> u8 {
    let mut words = Words::default();
    let mut bytes = Vec::new();
    put_line_key(&mut bytes, line, &mut words);
    let hash = crate::checksum::of_both(words.list.concat().as_bytes(), &bytes);
    hash[0] % SHARDS
}

pub(super) fn encode_summary(place: &AccountPeriod, summary: &PeriodSummary) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, place.account.as_bytes());
    put_varint(&mut out, u64::from(place.period.to_number()));
    put_signed(&mut out, summary.open_conversations);
    put_signed(&mut out, summary.unpriced);
    out
}

fn decode_quarantined(key: Vec<u8>, value: &[u8]) -> Result<QuarantineCounts, RowError> {
    let mut counts = QuarantineCounts::default();
    let mut cursor = Cursor::new(value);
    for count in &mut counts.0 {
        let Ok(read) = cursor.varint() else { return Err(RowError::Malformed(key)) };
        *count = read;
    }
    Ok(counts)
}

/// Words of a row in order of first use; lines name them by number, as they repeat the same few.
#[derive(Default)]
struct Words<'a> {
    list: Vec<&'a str>,
    numbers: HashMap<&'a str, u64>,
}

impl<'a> Words<'a> {
    fn number(&mut self, word: &'a str) -> u64 {
        *self.numbers.entry(word).or_insert_with(|| {
            self.list.push(word);
            self.list.len() as u64 - 1
        })
    }
}

/// How a row of certain lines is written, but for their sums, so that other sums of the same lines cost little.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// Version and words.
    header: Vec<u8>,
    /// Keys one behind the other.
    keys: Vec<u8>,
    /// For each line the caller's number of it, and where its key ends.
    lines: Vec<(usize, usize)>,
}

impl Layout {
    /// Of lines in the order of their keys, each with a number of the caller's.
    pub(super) fn of<'a>(lines: impl Iterator<Item = (usize, &'a LineKey)>) -> Self {
        let mut words = Words::default();
        let mut layout = Self::default();
        for (number, key) in lines {
            put_line_key(&mut layout.keys, key, &mut words);
            layout.lines.push((number, layout.keys.len()));
        }
        layout.header.push(VERSION);
        put_varint(&mut layout.header, words.list.len() as u64);
        words.list.iter().for_each(|word| put_bytes(&mut layout.header, word.as_bytes()));
        layout
    }

    /// Whether there is no line.
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The row, with the sums of each line by its number.
    pub(super) fn encode<'a>(&self, totals: impl Fn(usize) -> &'a LineTotals) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.header.len() + self.keys.len() + 16 * self.lines.len());
        out.extend_from_slice(&self.header);
        let mut start = 0;
        for (number, end) in &self.lines {
            out.extend_from_slice(&self.keys[start..*end]);
            start = *end;
            let totals = totals(*number);
            put_signed(&mut out, totals.charges);
            put_signed_wide(&mut out, totals.amount_micros);
            put_signed(&mut out, totals.opened);
            put_signed(&mut out, totals.withdrawn);
            put_signed(&mut out, totals.closed);
        }
        out
    }
}

fn put_line_key<'a>(out: &mut Vec<u8>, key: &'a LineKey, words: &mut Words<'a>) {
    for word in [&key.business_phone, &key.market, &key.template, &key.tag] {
        put_varint(out, words.number(word));
    }
    let initiator = match key.initiator {
        Initiator::User => 0,
        Initiator::Business => 1,
    };
    out.extend([initiator, key.category.code()]);
    put_varint(out, u64::from(key.booked_in.to_number()));
    let Some(price) = &key.price else { return out.push(0) };
    out.push(if price.unit.is_some() { 2 } else { 1 });
    if let Some(unit) = price.unit {
        put_signed(out, unit.0);
    }
    for word in [price.currency.as_str(), &price.tariff, &price.reason] {
        put_varint(out, words.number(word));
    }
}

pub(super) fn decode_lines(value: &[u8]) -> Result<Vec<RollupLine>, Malformed> {
    let mut cursor = Cursor::new(value);
    if cursor.byte()? != VERSION {
        return Err(Malformed);
    }
    let mut words: Vec<Text> = Vec::new();
    for _ in 0..cursor.varint()? {
        words.push(Arc::from(cursor.text()?));
    }
    let mut lines = Vec::new();
    while !cursor.is_empty() {
        let key = read_line_key(&mut cursor, &words)?;
        let totals = LineTotals {
            charges: cursor.signed()?,
            amount_micros: cursor.signed_wide()?,
            opened: cursor.signed()?,
            withdrawn: cursor.signed()?,
            closed: cursor.signed()?,
        };
        lines.push(RollupLine { key, totals });
    }
    Ok(lines)
}

fn read_line_key(cursor: &mut Cursor<'_>, words: &[Text]) -> Result<LineKey, Malformed> {
    let word = |cursor: &mut Cursor<'_>| {
        let number = crate::num::index(cursor.varint()?);
        words.get(number).cloned().ok_or(Malformed)
    };
    Ok(LineKey {
        business_phone: word(cursor)?,
        market: word(cursor)?,
        template: word(cursor)?,
        tag: word(cursor)?,
        initiator: match cursor.byte()? {
            0 => Initiator::User,
            1 => Initiator::Business,
            _ => return Err(Malformed),
        },
        category: Category::from_code(cursor.byte()?).ok_or(Malformed)?,
        booked_in: Period::from_number(cursor.varint_u32()?).ok_or(Malformed)?,
        price: match cursor.byte()? {
            0 => None,
            priced @ (1 | 2) => {
                let unit = if priced == 2 { Some(Micros(cursor.signed()?)) } else { None };
                let currency = Currency::parse(&word(cursor)?).map_err(|_| Malformed)?;
                Some(LinePrice { unit, currency, tariff: word(cursor)?, reason: word(cursor)? })
            }
            _ => return Err(Malformed),
        },
    })
}
