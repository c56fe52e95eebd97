//! From entries to blocks: encoded once, chained, packed, summed. Pure, so that it may run on another thread than the
//! one that commits.
//!
//! Knows nothing of stores. Invariant: entries follow each other without gaps, and the bytes of the chain do not depend
//! on how entries are divided into calls.

use std::ops::Range;

use model::{Entry, EntryHash, PartitionId, Sequence};
use wire::{CanonicalEntry, EntryWriter};

use super::{
    LedgerError,
    aftermath::Aftermath,
    packed::{BlockHeader, Kept, Packer},
};
use crate::rollup::Rollups;

/// Entries in a block at most.
const BLOCK_ENTRIES: usize = 128;
/// Canonical bytes at which a block is packed.
const BLOCK_KEPT: usize = 28 << 10;
/// A larger stored value is divided: the store keeps up to 17 together, and what is too large for it then goes into a
/// file that it neither syncs nor always removes.
const BLOCK_STORED: usize = 10 << 10;
/// Bytes that a block is expected to take when it is packed, so that few turn out too large and are packed twice.
const BLOCK_ENOUGH: usize = BLOCK_STORED - (1 << 10);

/// Encodes the entries of one partition, in order.
#[derive(Debug)]
pub struct EntryEncoder {
    partition: PartitionId,
    sequence: Sequence,
    hash: EntryHash,
    packer: Packer,
    writer: EntryWriter,
    pending: Pending,
    /// What a KiB of canonical bytes took in the last block; 0 before the first.
    stored_of_kib: usize,
    /// Tells of most withdrawals whether they leave one conversation less open, without looking into the store.
    aftermath: Aftermath,
    /// What has been encoded since [`Self::finish`].
    encoded: EncodedEntries,
    /// Bytes of the blocks in it.
    packed_bytes: usize,
    /// The hash before what is pending.
    pending_after: EntryHash,
}

/// Entries ready to be committed.
#[derive(Debug)]
pub struct EncodedEntries {
    pub(super) partition: PartitionId,
    /// Last sequence and hash before these entries.
    pub(super) after: (Sequence, EntryHash),
    /// Last sequence and hash with these entries.
    pub(super) last: (Sequence, EntryHash),
    /// The last sequence of the blocks that were taken ahead.
    pub(super) ahead: Sequence,
    /// First sequence and value of each block behind those.
    pub(super) blocks: Vec<(Sequence, Vec<u8>)>,
    pub(super) rollups: Rollups,
    canonical_bytes: u64,
}

/// The first blocks of entries that are still being encoded, see [`EntryEncoder::take_ahead`].
#[derive(Debug)]
pub struct BlocksAhead {
    pub(super) partition: PartitionId,
    /// The last sequence before these blocks.
    pub(super) after: Sequence,
    /// The last sequence in them.
    pub(super) last: Sequence,
    /// First sequence and value of each.
    pub(super) blocks: Vec<(Sequence, Vec<u8>)>,
}

impl EncodedEntries {
    fn after(partition: PartitionId, after: (Sequence, EntryHash)) -> Self {
        Self {
            partition,
            after,
            last: after,
            ahead: after.0,
            blocks: Vec::new(),
            rollups: Rollups::default(),
            canonical_bytes: 0,
        }
    }

    /// Last sequence and hash with these entries.
    #[must_use]
    pub const fn last(&self) -> (Sequence, EntryHash) {
        self.last
    }

    /// How many entries these are.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.last.0.0 - self.after.0.0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Canonical bytes of all of them, before compression.
    #[must_use]
    pub const fn canonical_bytes(&self) -> u64 {
        self.canonical_bytes
    }

    /// Bytes of the blocks, as they are stored, but for those that were taken ahead.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        self.blocks.iter().map(|(_, value)| value.len() as u64).sum()
    }
}

impl EntryEncoder {
    /// Goes on behind an entry: for an empty partition sequence 0 and [`EntryHash::ZERO`].
    ///
    /// # Errors
    /// No memory for a compression context.
    pub fn new(partition: PartitionId, after: Sequence, hash: EntryHash) -> Result<Self, LedgerError> {
        let packer = Packer::new().map_err(not_encoded(partition, after))?;
        Ok(Self {
            partition,
            sequence: after,
            hash,
            packer,
            writer: EntryWriter::default(),
            pending: Pending::default(),
            stored_of_kib: 0,
            aftermath: Aftermath::default(),
            encoded: EncodedEntries::after(partition, (after, hash)),
            packed_bytes: 0,
            pending_after: hash,
        })
    }

    /// Encodes the entries that follow, all that are to be committed together. Their `previous_hash` is not looked at.
    ///
    /// # Errors
    /// A sequence or partition that does not follow; the encoder is then of no more use.
    pub fn encode(&mut self, entries: &[Entry]) -> Result<EncodedEntries, LedgerError> {
        self.encode_each(entries, |_, _, _| ())
    }

    /// As [`Self::encode`], and shows each entry's hash and canonical bytes on the way, in order: what is published is
    /// what is stored.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_each(
        &mut self,
        entries: &[Entry],
        each: impl FnMut(&Entry, &EntryHash, &[u8]),
    ) -> Result<EncodedEntries, LedgerError> {
        self.encoded.blocks.reserve(entries.len() / 64 + 1);
        self.add_each(entries, each)?;
        self.finish()
    }

    /// Encodes entries that follow; more may come before they are committed together, see [`Self::finish`].
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn add(&mut self, entries: &[Entry]) -> Result<(), LedgerError> {
        self.add_each(entries, |_, _, _| ())
    }

    fn add_each(
        &mut self,
        entries: &[Entry],
        mut each: impl FnMut(&Entry, &EntryHash, &[u8]),
    ) -> Result<(), LedgerError> {
        for entry in entries {
            self.expect(entry)?;
            self.push(entry);
            let canonical = self.writer.last().bytes;
            self.encoded.canonical_bytes += canonical.len() as u64;
            self.encoded.rollups.apply(entry);
            self.aftermath.note_newest(entry);
            each(entry, &self.hash, canonical);
            if self.is_block() {
                self.pack()?;
            }
        }
        Ok(())
    }

    /// The blocks packed since [`Self::finish`], if they take at least so many bytes: a tick may book millions of entries,
    /// which need not be in memory together. They are for [`super::Ledger::store_ahead`].
    pub fn take_ahead(&mut self, bytes: usize) -> Option<BlocksAhead> {
        if self.packed_bytes < bytes.max(1) {
            return None;
        }
        self.packed_bytes = 0;
        let last = Sequence(self.sequence.0 - self.pending.marks.len() as u64);
        let after = std::mem::replace(&mut self.encoded.ahead, last);
        let blocks = std::mem::take(&mut self.encoded.blocks);
        Some(BlocksAhead { partition: self.partition, after, last, blocks })
    }

    /// What was added since it was last asked for.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn finish(&mut self) -> Result<EncodedEntries, LedgerError> {
        self.pack()?;
        self.packed_bytes = 0;
        let next = EncodedEntries::after(self.partition, self.last());
        let mut encoded = std::mem::replace(&mut self.encoded, next);
        encoded.rollups.settle_known(|last_about| self.aftermath.was_closed(last_about));
        encoded.last = self.last();
        Ok(encoded)
    }

    /// Sequence and hash of the last entry.
    #[must_use]
    pub const fn last(&self) -> (Sequence, EntryHash) {
        (self.sequence, self.hash)
    }

    /// Chains the entries that follow without keeping them: all that a comparison needs.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn chain(&mut self, entries: &[Entry]) -> Result<(), LedgerError> {
        for entry in entries {
            self.expect(entry)?;
            self.push(entry);
            self.pending.clear();
            self.pending_after = self.hash;
        }
        self.encoded = EncodedEntries::after(self.partition, self.last());
        Ok(())
    }

    fn expect(&self, entry: &Entry) -> Result<(), LedgerError> {
        let expected = Sequence(self.sequence.0 + 1);
        if entry.sequence == expected && entry.partition == self.partition {
            return Ok(());
        }
        Err(LedgerError::Sequence { partition: self.partition, expected, given: entry.sequence })
    }

    fn push(&mut self, entry: &Entry) {
        let written = self.writer.write(entry, &self.hash);
        self.hash = wire::chain_hash(&self.hash, written.bytes);
        self.sequence = entry.sequence;
        self.pending.push(&written, self.hash);
    }

    /// Whether what is pending is enough for a block.
    fn is_block(&self) -> bool {
        let kept = self.pending.kept.len();
        self.pending.marks.len() == BLOCK_ENTRIES
            || kept >= BLOCK_KEPT
            || (kept * self.stored_of_kib) >> 10 >= BLOCK_ENOUGH
    }

    /// Packs what is pending.
    fn pack(&mut self) -> Result<(), LedgerError> {
        let pending = std::mem::take(&mut self.pending);
        let mut blocks = std::mem::take(&mut self.encoded.blocks);
        let count = pending.marks.len();
        let first = Sequence(self.sequence.0 + 1 - count as u64);
        let packed = self.pack_part(first, self.pending_after, &pending, 0..count, &mut blocks);
        self.encoded.blocks = blocks;
        self.pending = pending;
        self.pending.clear();
        self.pending_after = self.hash;
        packed
    }

    /// Packs a part of the pending entries, in halves if it turns out too large.
    fn pack_part(
        &mut self,
        first: Sequence,
        previous: EntryHash,
        pending: &Pending,
        part: Range<usize>,
        blocks: &mut Vec<(Sequence, Vec<u8>)>,
    ) -> Result<(), LedgerError> {
        let Some(last) = pending.marks[part.clone()].last() else { return Ok(()) };
        let header = BlockHeader { first, count: part.len() as u64, previous, last_hash: last.hash };
        let entries = part.clone().map(|place| pending.entry(place));
        let value = self.packer.pack(&header, entries).map_err(not_encoded(self.partition, first))?;
        let kept = part.clone().map(|place| pending.entry(place).bytes.len()).sum::<usize>();
        self.stored_of_kib = (value.len() << 10) / kept.max(1);
        if value.len() <= BLOCK_STORED || part.len() == 1 {
            self.packed_bytes += value.len();
            blocks.push((first, value));
            return Ok(());
        }
        let middle = part.start + part.len() / 2;
        let second = Sequence(first.0 + (middle - part.start) as u64);
        let middle_hash = pending.marks[middle - 1].hash;
        self.pack_part(first, previous, pending, part.start..middle, blocks)?;
        self.pack_part(second, middle_hash, pending, middle..part.end, blocks)
    }
}

/// Entries that wait to be packed, one behind the other.
#[derive(Debug, Default)]
struct Pending {
    /// Canonical bytes without previous hashes.
    kept: Vec<u8>,
    /// Where ids stand in the bytes of their entry.
    ids: Vec<usize>,
    marks: Vec<Mark>,
}

/// Where the bytes and the ids of an entry end, and its hash.
#[derive(Debug, Clone, Copy)]
struct Mark {
    end: usize,
    ids_end: usize,
    hash: EntryHash,
}

impl Pending {
    fn push(&mut self, written: &CanonicalEntry<'_>, hash: EntryHash) {
        self.kept.extend_from_slice(written.kept());
        self.ids.extend(written.ids());
        self.marks.push(Mark { end: self.kept.len(), ids_end: self.ids.len(), hash });
    }

    fn entry(&self, place: usize) -> Kept<'_> {
        let before = place.checked_sub(1).map(|before| self.marks[before]);
        let (start, ids_start) = before.map_or((0, 0), |before| (before.end, before.ids_end));
        let Mark { end, ids_end, .. } = self.marks[place];
        Kept { bytes: &self.kept[start..end], ids: &self.ids[ids_start..ids_end] }
    }

    fn clear(&mut self) {
        self.kept.clear();
        self.ids.clear();
        self.marks.clear();
    }
}

fn not_encoded(partition: PartitionId, sequence: Sequence) -> impl FnOnce(std::io::Error) -> LedgerError {
    move |error| LedgerError::Encode { partition, sequence, what: error.to_string() }
}
