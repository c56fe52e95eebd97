//! Verifying a partition in shares, so that several threads can take part: spans of entries apart, then the links.
//!
//! Knows nothing of who decides which thread reads what. Invariant: spans that cover a partition, read without an error
//! and linked without one, are what the head's hash stands for.

use std::ops::Range;

use model::{Entry, EntryHash, PartitionId, Sequence};
use wire::Words;

use super::{
    LedgerError, LedgerReader, RollupDifferences,
    aftermath::Aftermath,
    history::History,
    keys,
    packed::{OpenBlock, Opener},
    read::{check_ends, damaged, decode, not_opened, opener},
};
use crate::{
    rollup::{self, Rollups},
    store::{Batch, Store},
};

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
    block: OpenBlock,
    words: Words,
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
            block: OpenBlock::default(),
            words: Words::new(),
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
        for row in reader.store.scan(&keys::blocks(partition), &keys::block(partition, span.start)) {
            let (key, value) = row?;
            if key >= last {
                return Ok(());
            }
            let number = key.last_chunk().map_or(0, |number| u64::from_be_bytes(*number));
            self.opener.open(&value, &mut self.block).map_err(not_opened(partition, Sequence(number)))?;
            if self.block.first.0 != number {
                return Err(damaged("the order of the entries", partition, Sequence(number)));
            }
            for place in 0..self.block.len() {
                let Some(view) = self.block.entry(place) else { continue };
                let entry = decode(partition, view, &mut self.words)?;
                self.rollups.apply(&entry);
                self.aftermath.note(&entry);
                each(&entry);
            }
            self.links.push(Link {
                first: self.block.first,
                previous: self.block.previous.unwrap_or(EntryHash::ZERO),
                end: (Sequence(number + self.block.len() as u64 - 1), self.block.last_hash()),
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
