//! Sums as the store has them, held from commit to commit: a commit adds to them, and writes the rows that change.
//!
//! Knows nothing of entries. Invariant: what is held of an account and period is all that the store has of it; after a
//! commit that failed nothing is held.

use std::collections::BTreeMap;

use hashbrown::HashTable;
use model::PartitionId;

use super::{
    AccountPeriod, LineKey, LineTotals, PeriodSummary, Rollups,
    rows::{
        LINES, Layout, RowError, SHARDS, SUMMARY, add_quarantined, decode_lines, encode_summary, place_key,
        read_summary, shard,
    },
};
use crate::{
    num::Malformed,
    store::{Batch, Row, StoreError},
};

/// Lines held at most, about 300 bytes each. With more all are let go, and read again as they are needed.
const LINES_MAX: usize = 131_072;

/// The sums that commits add to.
#[derive(Debug, Default)]
pub(crate) struct HeldSums {
    places: Vec<HeldPlace>,
    numbers: BTreeMap<(PartitionId, AccountPeriod), usize>,
    /// Number of a place and index of a line in it, by hash of both; never gone through.
    found: HashTable<(usize, usize)>,
}

/// All sums of an account and period in one partition.
#[derive(Debug)]
struct HeldPlace {
    partition: PartitionId,
    place: AccountPeriod,
    summary: PeriodSummary,
    lines: Vec<HeldLine>,
    /// One for each shard.
    rows: Vec<HeldRow>,
}

#[derive(Debug)]
struct HeldLine {
    key: LineKey,
    totals: LineTotals,
    shard: u8,
}

/// A row of lines.
#[derive(Debug, Default)]
struct HeldRow {
    /// Indices of its lines, in the order of their keys.
    order: Vec<usize>,
    /// How the lines that hold something are written; `None` if others hold something than before.
    layout: Option<Layout>,
    changed: bool,
}

impl HeldSums {
    /// Adds sums to those of a partition, and puts the rows that change into a batch. `rows_with` gives the rows that
    /// the store has under a prefix; it is asked once for what is not held yet.
    pub(crate) fn add(
        &mut self,
        partition: PartitionId,
        rollups: &Rollups,
        batch: &mut Batch,
        rows_with: impl Fn(&[u8]) -> Result<Vec<Row>, StoreError>,
    ) -> Result<(), RowError> {
        if self.found.len() > LINES_MAX {
            *self = Self::default();
        }
        let mut numbers = Vec::with_capacity(rollups.periods().len());
        for (place, change) in rollups.periods() {
            let number = self.number(partition, place, &rows_with)?;
            self.places[number].summary.add(change);
            numbers.push(number);
        }
        for (period, key, totals) in rollups.lines() {
            self.add_line(numbers[period], key, totals);
        }
        for number in numbers {
            self.places[number].put_changes(batch);
        }
        if rollups.quarantined().total() > 0 {
            add_quarantined(partition, rollups.quarantined(), batch, rows_with)?;
        }
        Ok(())
    }

    /// Number of an account and period, which is read if it is not held.
    fn number(
        &mut self,
        partition: PartitionId,
        place: &AccountPeriod,
        rows_with: &impl Fn(&[u8]) -> Result<Vec<Row>, StoreError>,
    ) -> Result<usize, RowError> {
        let name = (partition, place.clone());
        if let Some(known) = self.numbers.get(&name) {
            return Ok(*known);
        }
        let number = self.places.len();
        let mut held = HeldPlace {
            partition,
            place: place.clone(),
            summary: PeriodSummary::default(),
            lines: Vec::new(),
            rows: (0..SHARDS).map(|_| HeldRow::default()).collect(),
        };
        for (key, value) in rows_with(&place_key(SUMMARY, partition, place))? {
            held.summary = read_summary(&key, &value)?.1;
        }
        for (key, value) in rows_with(&place_key(LINES, partition, place))? {
            let lines = decode_lines(&value).map_err(|Malformed| RowError::Malformed(key))?;
            for line in lines {
                let at = held.line(line.key);
                held.lines[at].totals = line.totals;
            }
        }
        self.places.push(held);
        self.numbers.insert(name, number);
        for at in 0..self.places[number].lines.len() {
            self.note(number, at);
        }
        Ok(number)
    }

    fn add_line(&mut self, number: usize, key: &LineKey, totals: &LineTotals) {
        let hash = key.hash_in(number);
        let places = &self.places;
        let is_it = |(place, at): &(usize, usize)| *place == number && places[*place].lines[*at].key == *key;
        let at = match self.found.find(hash, is_it) {
            Some((_, at)) => *at,
            None => {
                let at = self.places[number].line(key.clone());
                self.note(number, at);
                at
            }
        };
        self.places[number].add(at, totals);
    }

    /// Makes a line of a place findable.
    fn note(&mut self, number: usize, at: usize) {
        let places = &self.places;
        let hash = |(place, at): &(usize, usize)| places[*place].lines[*at].key.hash_in(*place);
        self.found.insert_unique(hash(&(number, at)), (number, at), hash);
    }
}

impl HeldPlace {
    /// Makes a line without sums. Gives its index.
    fn line(&mut self, key: LineKey) -> usize {
        let at = self.lines.len();
        let shard = shard(&key);
        let Self { lines, rows, .. } = self;
        let order = &mut rows[usize::from(shard)].order;
        let behind = order.partition_point(|other| lines[*other].key < key);
        order.insert(behind, at);
        lines.push(HeldLine { key, totals: LineTotals::default(), shard });
        at
    }

    fn add(&mut self, at: usize, totals: &LineTotals) {
        let line = &mut self.lines[at];
        let was_nothing = line.totals.is_nothing();
        line.totals.add(totals);
        let row = &mut self.rows[usize::from(line.shard)];
        row.changed = true;
        if line.totals.is_nothing() != was_nothing {
            row.layout = None;
        }
    }

    fn put_changes(&mut self, batch: &mut Batch) {
        let Self { partition, place, summary, lines, rows } = self;
        batch.put(place_key(SUMMARY, *partition, place), encode_summary(place, summary));
        for (shard, row) in (0..SHARDS).zip(rows).filter(|(_, row)| row.changed) {
            row.changed = false;
            let mut key = place_key(LINES, *partition, place);
            key.push(shard);
            let layout = row.layout.get_or_insert_with(|| {
                let held = row.order.iter().filter(|at| !lines[**at].totals.is_nothing());
                Layout::of(held.map(|at| (*at, &lines[*at].key)))
            });
            if layout.is_empty() {
                batch.remove(key);
            } else {
                batch.put(key, layout.encode(|at| &lines[at].totals));
            }
        }
    }
}
