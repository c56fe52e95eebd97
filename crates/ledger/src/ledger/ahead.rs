//! Blocks that are stored ahead of the commit they belong to, so that a commit of millions of entries need not be in
//! memory: they stand behind the head, where nobody reads.
//!
//! Invariant: a commit is about what follows the head, all of it, ahead or not; whatever else is behind a head goes when
//! the ledger is opened.

use std::collections::BTreeMap;

use model::{PartitionId, Sequence};

use super::{LedgerError, LedgerReader, keys};
use crate::store::{Batch, Store};

/// Rows that are removed together.
const REMOVED_TOGETHER: usize = 4_096;

/// How far blocks are stored ahead, of each partition that has any.
#[derive(Debug, Default)]
pub(super) struct Ahead(BTreeMap<PartitionId, Sequence>);

impl Ahead {
    /// Sees that what follows `after` is what comes next.
    pub(super) fn check(
        &self,
        partition: PartitionId,
        head: Sequence,
        after: Sequence,
    ) -> Result<(), LedgerError> {
        let last = self.0.get(&partition).copied().unwrap_or(head);
        if after == last {
            return Ok(());
        }
        let (expected, given) = (Sequence(last.0 + 1), Sequence(after.0 + 1));
        Err(LedgerError::Sequence { partition, expected, given })
    }

    /// Notes the last entry that is stored ahead.
    pub(super) fn note(&mut self, partition: PartitionId, last: Sequence) {
        self.0.insert(partition, last);
    }

    /// What was ahead is part of a commit.
    pub(super) fn settle(&mut self, partition: PartitionId) {
        self.0.remove(&partition);
    }
}

/// Removes the blocks behind the head of each partition, if there are any; tells how many.
pub(super) fn remove<S: Store>(reader: &LedgerReader<S>) -> Result<usize, LedgerError> {
    let (mut next, mut removed) = (keys::BLOCKS.to_vec(), 0);
    while let Some(row) = reader.store.scan(keys::BLOCKS, &next).next() {
        let Some(partition) = keys::partition_of_block(&row?.0) else { break };
        let behind = keys::block(partition, Sequence(reader.head(partition)?.sequence.0.saturating_add(1)));
        removed += remove_from(&reader.store, &keys::blocks(partition), &behind)?;
        let Some(other) = partition.0.checked_add(1) else { break };
        next = keys::blocks(PartitionId(other));
    }
    Ok(removed)
}

fn remove_from<S: Store>(store: &S, prefix: &[u8], from: &[u8]) -> Result<usize, LedgerError> {
    let mut removed = 0;
    loop {
        let mut batch = Batch::default();
        for row in store.scan(prefix, from).take(REMOVED_TOGETHER) {
            batch.remove(row?.0);
        }
        if batch.changes.is_empty() {
            return Ok(removed);
        }
        removed += batch.changes.len();
        store.apply(batch)?;
        store.flush()?;
    }
}
