//! Reading the ledger. What is read is verified: each block's chain is computed when it is opened.
//!
//! Knows nothing of commits. Invariant: a reader sees whole commits only.

use std::collections::BTreeMap;

use model::{ContentHash, Entry, EntryHash, PartitionId, Sequence};
use wire::{EntryDecoder, Words};

use super::{
    Head, LedgerError, keys,
    packed::{EntryView, OpenBlock, OpenError, Opener},
};
use crate::{
    rollup::{
        self, AccountPeriod, LineKey, LineTotals, PeriodSummary, QuarantineCounts, RollupLine, read_summary,
    },
    store::{Row, Store},
};

/// Reads a ledger. A clone reads the same one, from any thread, while another thread commits.
#[derive(Debug, Clone)]
pub struct LedgerReader<S> {
    pub(super) store: S,
}

/// An entry as its canonical bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEntry {
    /// Number in the partition.
    pub sequence: Sequence,
    /// Hash of this entry.
    pub hash: EntryHash,
    /// Canonical bytes, with the hash of the entry before.
    pub bytes: Vec<u8>,
}

impl<S: Store> LedgerReader<S> {
    /// Over a store that [`super::Ledger::open`] has made a ledger of.
    #[must_use]
    pub const fn new(store: S) -> Self {
        Self { store }
    }

    /// How far a partition has come; one that was never committed has come nowhere.
    ///
    /// # Errors
    /// Damage, or the store's.
    pub fn head(&self, partition: PartitionId) -> Result<Head, LedgerError> {
        let value = self.store.get(&keys::head(partition))?;
        value.map_or_else(|| Ok(Head::default()), |value| decode_head(partition, &value))
    }

    /// All partitions that were ever committed, with their heads, by number.
    ///
    /// # Errors
    /// Damage, or the store's.
    pub fn heads(&self) -> Result<Vec<(PartitionId, Head)>, LedgerError> {
        let mut heads = Vec::new();
        for row in self.store.scan(keys::HEADS, keys::HEADS) {
            let (key, value) = row?;
            if let Some(partition) = keys::partition_of_head(&key) {
                heads.push((partition, decode_head(partition, &value)?));
            }
        }
        Ok(heads)
    }

    /// The entries of a partition from a sequence on, as of now.
    ///
    /// # Errors
    /// The store's, at once; damage and breaks of the chain as items, after which there are no more.
    pub fn entries(&self, partition: PartitionId, from: Sequence) -> Result<Entries<'_>, LedgerError> {
        Ok(Entries { raw: self.raw_entries(partition, from)?, words: Words::new() })
    }

    /// The canonical bytes of the entries of a partition from a sequence on, as of now.
    ///
    /// # Errors
    /// As [`Self::entries`].
    pub fn raw_entries(&self, partition: PartitionId, from: Sequence) -> Result<RawEntries<'_>, LedgerError> {
        Ok(RawEntries { blocks: self.blocks(partition, from)?, wanted: from })
    }

    /// One entry, if there is one of that number.
    ///
    /// # Errors
    /// Damage, or the store's.
    pub fn entry(&self, partition: PartitionId, sequence: Sequence) -> Result<Option<Entry>, LedgerError> {
        let mut block = OpenBlock::default();
        // Behind the head may be the beginning of a commit that is still to come.
        if sequence > self.head(partition)?.sequence
            || !self.open_block_of(partition, sequence, &mut block)?
        {
            return Ok(None);
        }
        block.find(sequence).map(|found| decode(partition, found, &mut Words::new())).transpose()
    }

    /// A row that was committed along with entries.
    ///
    /// # Errors
    /// The store's.
    pub fn source(&self, name: &[u8]) -> Result<Option<Vec<u8>>, LedgerError> {
        Ok(self.store.get(&keys::source(name))?)
    }

    /// All such rows whose name begins with `prefix`, by name.
    ///
    /// # Errors
    /// The store's.
    pub fn sources(&self, prefix: &[u8]) -> Result<Vec<Row>, LedgerError> {
        let prefix = keys::source(prefix);
        let mut rows = Vec::new();
        for row in self.store.scan(&prefix, &prefix) {
            let (key, value) = row?;
            rows.push((key[keys::SOURCE.len()..].to_vec(), value));
        }
        Ok(rows)
    }

    /// Accounts and periods with entries in any partition, in their order, with what a period close asks of them.
    ///
    /// # Errors
    /// Damage, or the store's.
    pub fn accounts_and_periods(&self) -> Result<Vec<(AccountPeriod, PeriodSummary)>, LedgerError> {
        let mut found: BTreeMap<AccountPeriod, PeriodSummary> = BTreeMap::new();
        for (partition, _) in self.heads()? {
            let prefix = rollup::summary_prefix(partition);
            for row in self.store.scan(&prefix, &prefix) {
                let (key, value) = row?;
                let (place, summary) = read_summary(&key, &value).map_err(LedgerError::of_row(partition))?;
                found.entry(place).or_default().add(&summary);
            }
        }
        Ok(found.into_iter().collect())
    }

    /// Lines of an account and period over all partitions, by key.
    ///
    /// # Errors
    /// Damage, or the store's.
    pub fn rollup_lines(&self, place: &AccountPeriod) -> Result<Vec<RollupLine>, LedgerError> {
        let mut lines: BTreeMap<LineKey, LineTotals> = BTreeMap::new();
        for (partition, _) in self.heads()? {
            rollup::read_lines(&self.store, partition, place, &mut lines)
                .map_err(LedgerError::of_row(partition))?;
        }
        lines.retain(|_, totals| !totals.is_nothing());
        Ok(lines.into_iter().map(|(key, totals)| RollupLine { key, totals }).collect())
    }

    /// Records of a partition in quarantine, by reason.
    ///
    /// # Errors
    /// Damage, or the store's.
    pub fn quarantined(&self, partition: PartitionId) -> Result<QuarantineCounts, LedgerError> {
        rollup::quarantined_from_row(&self.store, partition).map_err(LedgerError::of_row(partition))
    }

    /// Fingerprint of the secret that the ledger was made with.
    ///
    /// # Errors
    /// The store's.
    pub fn secret_fingerprint(&self) -> Result<Option<ContentHash>, LedgerError> {
        let meta = self.store.get(keys::META)?;
        Ok(meta.and_then(|value| Some(ContentHash(value.get(1..33)?.try_into().ok()?))))
    }

    /// Opens the block that holds an entry; `false` if there is no such entry.
    fn open_block_of(
        &self,
        partition: PartitionId,
        sequence: Sequence,
        block: &mut OpenBlock,
    ) -> Result<bool, LedgerError> {
        let key = keys::block(partition, sequence);
        let Some((_, value)) = self.store.at_or_before(&keys::blocks(partition), &key)? else {
            return Ok(false);
        };
        opener(partition, sequence)?.open(&value, block).map_err(not_opened(partition, sequence))?;
        Ok(block.find(sequence).is_some())
    }

    /// Blocks from the one that holds `from` up to the head as it is.
    pub(super) fn blocks(&self, partition: PartitionId, from: Sequence) -> Result<Blocks<'_>, LedgerError> {
        let head = self.head(partition)?;
        let prefix = keys::blocks(partition);
        let from = Sequence(from.0.max(1));
        let start = self.store.at_or_before(&prefix, &keys::block(partition, from))?;
        let start = start.map_or_else(|| prefix.clone(), |(key, _)| key);
        Ok(Blocks {
            rows: self.store.scan(&prefix, &start),
            opener: opener(partition, from)?,
            partition,
            head: (head.sequence, head.hash),
            block: OpenBlock::default(),
            place: 0,
            last: None,
            ended: head.sequence < from,
        })
    }
}

/// Goes through the blocks of a partition, and sees that each follows the one before.
pub(super) struct Blocks<'a> {
    pub(super) rows: Box<dyn Iterator<Item = Result<Row, crate::store::StoreError>> + 'a>,
    opener: Opener,
    pub(super) partition: PartitionId,
    pub(super) head: (Sequence, EntryHash),
    block: OpenBlock,
    place: usize,
    /// Last sequence and hash of the block before; `None` before the first.
    last: Option<(Sequence, EntryHash)>,
    ended: bool,
}

impl std::fmt::Debug for Blocks<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blocks").field("partition", &self.partition).finish_non_exhaustive()
    }
}

impl Blocks<'_> {
    fn next_entry(&mut self) -> Result<Option<EntryView<'_>>, LedgerError> {
        while !self.ended && self.place == self.block.len() {
            if self.last.is_some_and(|last| last.0 >= self.head.0) {
                self.ended = true;
                break;
            }
            let after = self.last.map_or(Sequence(0), |(sequence, _)| sequence);
            let (_, value) = self
                .rows
                .next()
                .ok_or_else(|| damaged("the end of the entries", self.partition, after))??;
            self.opener
                .open(&value, &mut self.block)
                .map_err(not_opened(self.partition, Sequence(after.0 + 1)))?;
            self.last = Some(check_link(self.partition, self.last, &self.block, self.head)?);
            self.place = 0;
        }
        if self.ended {
            return Ok(None);
        }
        self.place += 1;
        Ok(self.block.entry(self.place - 1))
    }
}

/// Sees that a block follows what was before it, and ends where the head says if it is the last. Says where it ends.
pub(super) fn check_link(
    partition: PartitionId,
    last: Option<(Sequence, EntryHash)>,
    block: &OpenBlock,
    head: (Sequence, EntryHash),
) -> Result<(Sequence, EntryHash), LedgerError> {
    let begin = (block.first, block.previous.unwrap_or(EntryHash::ZERO));
    let end = (Sequence(block.first.0 + block.len() as u64 - 1), block.last_hash());
    check_ends(partition, last, begin, end, head)
}

/// As [`check_link`], of a block of which only the ends are left: its first sequence with the hash before it, and its
/// last sequence with its hash.
pub(super) fn check_ends(
    partition: PartitionId,
    last: Option<(Sequence, EntryHash)>,
    (first, previous): (Sequence, EntryHash),
    end: (Sequence, EntryHash),
    head: (Sequence, EntryHash),
) -> Result<(Sequence, EntryHash), LedgerError> {
    let expected = match last {
        Some((sequence, hash)) => Some((Sequence(sequence.0 + 1), hash)),
        None if first == Sequence(1) => Some((Sequence(1), EntryHash::ZERO)),
        None => None,
    };
    if let Some((sequence, hash)) = expected {
        if first != sequence {
            return Err(damaged("the order of the entries", partition, first));
        }
        if previous != hash {
            return Err(LedgerError::Chain { partition, sequence, expected: hash, found: previous });
        }
    }
    if end.0 > head.0 {
        return Err(damaged("an entry behind the head", partition, end.0));
    }
    if end.0 == head.0 && end.1 != head.1 {
        return Err(LedgerError::Chain { partition, sequence: end.0, expected: head.1, found: end.1 });
    }
    Ok(end)
}

/// See [`LedgerReader::raw_entries`].
#[derive(Debug)]
pub struct RawEntries<'a> {
    blocks: Blocks<'a>,
    wanted: Sequence,
}

impl RawEntries<'_> {
    fn next_wanted(&mut self) -> Result<Option<EntryView<'_>>, LedgerError> {
        // Blocks hold a hundred entries, so the first one may begin before what is wanted.
        while !self.blocks.ended {
            let wanted = self.wanted;
            let skip = match self.blocks.next_entry()? {
                Some((sequence, _, _)) => sequence < wanted,
                None => return Ok(None),
            };
            if !skip {
                return Ok(self.blocks.block.entry(self.blocks.place - 1));
            }
        }
        Ok(None)
    }
}

impl Iterator for RawEntries<'_> {
    type Item = Result<RawEntry, LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_wanted().map(|found| {
            found.map(|(sequence, hash, bytes)| RawEntry { sequence, hash, bytes: bytes.to_vec() })
        });
        if next.is_err() {
            self.blocks.ended = true;
        }
        next.transpose()
    }
}

/// See [`LedgerReader::entries`].
#[derive(Debug)]
pub struct Entries<'a> {
    raw: RawEntries<'a>,
    words: Words,
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry, LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        let partition = self.raw.blocks.partition;
        let next = match self.raw.next_wanted() {
            Ok(Some(found)) => decode(partition, found, &mut self.words).map(Some),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        if next.is_err() {
            self.raw.blocks.ended = true;
        }
        next.transpose()
    }
}

pub(super) fn decode(
    partition: PartitionId,
    (sequence, _, bytes): EntryView<'_>,
    words: &mut Words,
) -> Result<Entry, LedgerError> {
    let entry = wire::decode_entry(bytes, words).map_err(|_| damaged("the bytes", partition, sequence))?;
    check_number(partition, sequence, &entry).map(|()| entry)
}

/// As [`decode`], for who needs an entry no longer than until the next.
pub(super) fn decode_next<'a>(
    partition: PartitionId,
    (sequence, _, bytes): EntryView<'_>,
    decoder: &'a mut EntryDecoder,
) -> Result<&'a Entry, LedgerError> {
    let entry = decoder.decode(bytes).map_err(|_| damaged("the bytes", partition, sequence))?;
    check_number(partition, sequence, entry).map(|()| entry)
}

fn check_number(partition: PartitionId, sequence: Sequence, entry: &Entry) -> Result<(), LedgerError> {
    if entry.sequence == sequence && entry.partition == partition {
        Ok(())
    } else {
        Err(damaged("the number", partition, sequence))
    }
}

pub(super) fn damaged(what: &'static str, partition: PartitionId, at: Sequence) -> LedgerError {
    LedgerError::Damaged { what, partition, at: format!("entry {}", at.0) }
}

pub(super) fn opener(partition: PartitionId, at: Sequence) -> Result<Opener, LedgerError> {
    Opener::new().map_err(|error| LedgerError::Encode { partition, sequence: at, what: error.to_string() })
}

pub(super) fn not_opened(partition: PartitionId, at: Sequence) -> impl FnOnce(OpenError) -> LedgerError {
    move |error| match error {
        OpenError::Malformed => damaged("a block", partition, at),
        OpenError::Chain { last, expected, found } => {
            LedgerError::Chain { partition, sequence: last, expected, found }
        }
    }
}

fn decode_head(partition: PartitionId, value: &[u8]) -> Result<Head, LedgerError> {
    Head::decode(value).map_err(|_| damaged("the head", partition, Sequence(0)))
}
