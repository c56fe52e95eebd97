//! Verifying a partition in shares, so that several threads can take part: spans of entries apart, then the links.
//!
//! Knows nothing of who decides which thread reads what. Invariant: spans that cover a partition, read without an error
//! and linked without one, are what the head's hash stands for.

use std::ops::Range;

use model::{Entry, EntryHash, PartitionId, Sequence};
use wire::{ChainLanes, EntryDecoder};

use super::{
    LedgerError, LedgerReader, RollupDifferences,
    aftermath::Aftermath,
    history::History,
    keys,
    packed::{OpenBlock, OpenError, Opener, chain_all},
    read::{check_ends, damaged, decode_next, not_opened, opener},
};
use crate::{
    rollup::{self, Rollups},
    store::{Batch, Store},
};

/// Blocks whose chains are computed side by side, so that many entries of like length are found at each step. Their
/// entries, not quite two megabytes, stay near the processor until they are decoded.
const SIDE_BY_SIDE: usize = 48;

/// Where a block begins and ends in the chain.
#[derive(Debug, Clone, Copy)]
struct Link {
    first: Sequence,
    previous: EntryHash,
    end: (Sequence, EntryHash),
}

/// What one thread has verified, with buffers that are used again.
#[derive(Debug)]
pub struct VerifiedShare {
    partition: PartitionId,
    opener: Opener,
    /// Those that are computed side by side; more than are filled.
    blocks: Vec<OpenBlock>,
    lanes: ChainLanes,
    decoder: EntryDecoder,
    links: Vec<Link>,
    rollups: Rollups,
    aftermath: Aftermath,
}

/// All shares together.
#[derive(Debug)]
pub struct VerifiedChain {
    /// Sequence and hash of the last entry.
    pub end: (Sequence, EntryHash),
    /// Sums over the entries, for [`LedgerReader::compare_rollups`].
    pub(super) rollups: Rollups,
    /// What those sums still have to be settled with.
    pub(super) aftermath: Aftermath,
}

impl VerifiedShare {
    /// Nothing yet.
    ///
    /// # Errors
    /// No memory for a compression context.
    pub fn new(partition: PartitionId) -> Result<Self, LedgerError> {
        Ok(Self {
            partition,
            opener: opener(partition, Sequence(0))?,
            blocks: Vec::new(),
            lanes: ChainLanes::default(),
            decoder: EntryDecoder::default(),
            links: Vec::new(),
            rollups: Rollups::default(),
            aftermath: Aftermath::default(),
        })
    }

    /// Verifies the blocks that begin in a span of sequence numbers, and shows their entries in order.
    ///
    /// # Errors
    /// The first break within a block, damage, or the store's.
    pub fn read<S: Store>(
        &mut self,
        reader: &LedgerReader<S>,
        span: Range<Sequence>,
        each: &mut dyn FnMut(&Entry),
    ) -> Result<(), LedgerError> {
        let partition = self.partition;
        let last = keys::block(partition, span.end);
        let mut filled = 0;
        for row in reader.store.scan(&keys::blocks(partition), &keys::block(partition, span.start)) {
            let unpacked = match row {
                Ok((key, _)) if key >= last => break,
                Ok((key, value)) => self.unpack(filled, &key, &value),
                Err(error) => Err(error.into()),
            };
            if let Err(error) = unpacked {
                // A break before this block comes first.
                self.finish(filled, each)?;
                return Err(error);
            }
            filled += 1;
            if filled == SIDE_BY_SIDE {
                self.finish(filled, each)?;
                filled = 0;
            }
        }
        self.finish(filled, each)
    }

    /// Unpacks a block to a place among those that are computed side by side.
    fn unpack(&mut self, place: usize, key: &[u8], value: &[u8]) -> Result<(), LedgerError> {
        let number = Sequence(key.last_chunk().map_or(0, |number| u64::from_be_bytes(*number)));
        if place == self.blocks.len() {
            self.blocks.push(OpenBlock::default());
        }
        let block = &mut self.blocks[place];
        let unpacked = self.opener.unpack(value, block).map_err(OpenError::from);
        unpacked.map_err(not_opened(self.partition, number))?;
        if block.first == number {
            Ok(())
        } else {
            Err(damaged("the order of the entries", self.partition, number))
        }
    }

    /// Verifies the first so many unpacked blocks, and shows their entries in order.
    fn finish(&mut self, filled: usize, each: &mut dyn FnMut(&Entry)) -> Result<(), LedgerError> {
        let (partition, blocks) = (self.partition, &mut self.blocks[..filled]);
        chain_all(blocks, &mut self.lanes);
        for block in blocks {
            block.check_end().map_err(not_opened(partition, block.first))?;
            for place in 0..block.len() {
                let Some(view) = block.entry(place) else { continue };
                let entry = decode_next(partition, view, &mut self.decoder)?;
                self.rollups.apply(entry);
                self.aftermath.note(entry);
                each(entry);
            }
            self.links.push(Link {
                first: block.first,
                previous: block.previous.unwrap_or(EntryHash::ZERO),
                end: (Sequence(block.first.0 + block.len() as u64 - 1), block.last_hash()),
            });
        }
        Ok(())
    }
}

impl<S: Store> LedgerReader<S> {
    /// Puts shares together: sees that their blocks follow each other from the first entry to the head.
    ///
    /// # Errors
    /// The first block that does not follow, or the store's.
    pub fn join_shares(
        &self,
        partition: PartitionId,
        shares: Vec<VerifiedShare>,
    ) -> Result<VerifiedChain, LedgerError> {
        let head = self.head(partition)?;
        let head = (head.sequence, head.hash);
        let mut links = Vec::new();
        let (mut rollups, mut aftermath) = (Rollups::default(), Aftermath::default());
        for share in shares {
            links.extend(share.links);
            rollups.absorb(share.rollups);
            aftermath.absorb(share.aftermath);
        }
        links.sort_unstable_by_key(|link| link.first);
        let mut end = (Sequence(0), EntryHash::ZERO);
        for link in links {
            end = check_ends(partition, Some(end), (link.first, link.previous), link.end, head)?;
        }
        if end == head {
            Ok(VerifiedChain { end, rollups, aftermath })
        } else {
            Err(damaged("the end of the entries", partition, end.0))
        }
    }

    /// Compares the stored sums with those of all entries.
    ///
    /// # Errors
    /// Damage, or the store's.
    pub fn compare_rollups(
        &self,
        partition: PartitionId,
        verified: VerifiedChain,
    ) -> Result<Option<RollupDifferences>, LedgerError> {
        let VerifiedChain { mut rollups, aftermath, .. } = verified;
        let nothing = Batch::default();
        let mut history = History::new(self, &nothing, partition)?;
        rollups.settle(|last_about| {
            // Shares of other threads may hold what an entry refers to.
            aftermath.was_closed(last_about).map_or_else(|| history.was_closed(last_about), Ok)
        })?;
        let computed = rollup::rows_of(partition, &rollups).map_err(LedgerError::of_row(partition))?;
        let stored = rollup::partition_rows(&self.store, partition)?;
        let missing = computed.iter().filter(|(key, value)| stored.get(*key) != Some(value)).count();
        let surplus = stored.keys().filter(|key| !computed.contains_key(*key)).count();
        let rows = missing + surplus;
        Ok((rows > 0).then_some(RollupDifferences { rows }))
    }
}
