//! Going through a whole partition: every hash, every link, and the sums recomputed.
//!
//! Knows nothing of how the ledger came about. Invariant: what passes is what the head's hash stands for.

use std::thread;

use model::{EntryHash, PartitionId, Sequence};
use wire::Words;

use super::{
    LedgerError, LedgerReader, VerifiedChain,
    aftermath::Aftermath,
    packed::OpenBlock,
    read::{Blocks, check_link, damaged, decode, not_opened, opener},
};
use crate::{
    rollup::Rollups,
    store::{Row, Store},
};

/// Blocks that one thread opens at a time: about a megabyte of stored values.
const SHARE: usize = 128;

/// The stored sums are not those of the entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RollupDifferences {
    /// Rows that differ, are missing, or should not be.
    pub rows: usize,
}

impl<S: Store> LedgerReader<S> {
    /// Verifies the chain of a partition from its first entry to its head, and shows each entry's number, hash and
    /// canonical bytes on the way, in order. Says where the chain ends. Uses two threads.
    ///
    /// # Errors
    /// The first break or damage, or the store's.
    pub fn verify_chain(
        &self,
        partition: PartitionId,
        mut each: impl FnMut(Sequence, &EntryHash, &[u8]) -> Result<(), LedgerError>,
    ) -> Result<(Sequence, EntryHash), LedgerError> {
        let Blocks { mut rows, head, .. } = self.blocks(partition, Sequence(1))?;
        let mut last = None;
        let mut mine = Vec::new();
        let mut theirs = Vec::new();
        loop {
            let first: Vec<Row> = rows.by_ref().take(SHARE).collect::<Result<_, _>>()?;
            let second: Vec<Row> = rows.by_ref().take(SHARE).collect::<Result<_, _>>()?;
            if first.is_empty() {
                break;
            }
            // A block has both ends of its chain in its header, so that blocks can be verified apart and then linked.
            thread::scope(|scope| {
                let other = scope.spawn(|| open_all(partition, &second, &mut theirs));
                let opened = open_all(partition, &first, &mut mine);
                opened.and_then(|()| show(partition, &mine, head, &mut last, &mut each))?;
                other.join().map_err(|_| damaged("a block", partition, Sequence(0)))?
            })?;
            show(partition, &theirs, head, &mut last, &mut each)?;
        }
        let end = last.unwrap_or((Sequence(0), EntryHash::ZERO));
        if end == head { Ok(end) } else { Err(damaged("the end of the entries", partition, end.0)) }
    }

    /// Verifies the chain of a partition, and that the stored sums are those of its entries.
    ///
    /// # Errors
    /// The first break or damage, or the store's.
    pub fn verify_rollups(&self, partition: PartitionId) -> Result<Option<RollupDifferences>, LedgerError> {
        let mut words = Words::new();
        let (mut rollups, mut aftermath) = (Rollups::default(), Aftermath::default());
        let end = self.verify_chain(partition, |sequence, hash, bytes| {
            let entry = decode(partition, (sequence, *hash, bytes), &mut words)?;
            rollups.apply(&entry);
            aftermath.note(&entry);
            Ok(())
        })?;
        self.compare_rollups(partition, VerifiedChain { end, rollups, aftermath })
    }
}

fn open_all(partition: PartitionId, rows: &[Row], into: &mut Vec<OpenBlock>) -> Result<(), LedgerError> {
    let mut opener = opener(partition, Sequence(0))?;
    into.resize_with(rows.len(), OpenBlock::default);
    for ((key, value), block) in rows.iter().zip(into) {
        let number = key.last_chunk().map_or(0, |number| u64::from_be_bytes(*number));
        opener.open(value, block).map_err(not_opened(partition, Sequence(number)))?;
    }
    Ok(())
}

fn show(
    partition: PartitionId,
    blocks: &[OpenBlock],
    head: (Sequence, EntryHash),
    last: &mut Option<(Sequence, EntryHash)>,
    each: &mut impl FnMut(Sequence, &EntryHash, &[u8]) -> Result<(), LedgerError>,
) -> Result<(), LedgerError> {
    for block in blocks {
        // The first block of a partition has to be that of the first entry.
        let before = last.unwrap_or((Sequence(0), EntryHash::ZERO));
        *last = Some(check_link(partition, Some(before), block, head)?);
        for place in 0..block.len() {
            if let Some((sequence, hash, bytes)) = block.entry(place) {
                each(sequence, &hash, bytes)?;
            }
        }
    }
    Ok(())
}
