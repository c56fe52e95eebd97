//! The ledger in the store: commits, and what can be read of them.
//!
//! Knows nothing of rules, Kafka or files other than the store's.
//! Invariant: a commit is one batch, flushed; entries follow each other without gaps, and every offset is accounted for.
//! What stands behind a head is not committed: nobody reads it, and the next opening removes it.

mod aftermath;
mod ahead;
mod encode;
mod error;
mod head;
mod history;
mod ids;
mod keys;
mod packed;
mod read;
mod share;
mod verify;

pub use encode::{BlocksAhead, EncodedEntries, EntryEncoder};
pub use error::LedgerError;
pub use head::Head;
pub use read::{Entries, LedgerReader, RawEntries, RawEntry};
pub use share::{VerifiedChain, VerifiedShare};
pub use verify::RollupDifferences;

use model::{ContentHash, DispositionCounts, Entry, Offset, PartitionId, Sequence, UnixMillis};

use crate::{
    checkpoint::CheckpointRef,
    rollup::HeldSums,
    store::{Batch, Row, Store},
};
use ahead::Ahead;
use history::History;

/// Number of the format of rows that this version writes and reads.
const FORMAT: u8 = 1;

/// The ledger, for the one thread that commits.
#[derive(Debug)]
pub struct Ledger<S> {
    reader: LedgerReader<S>,
    sums: HeldSums,
    ahead: Ahead,
    removed: usize,
    poisoned: bool,
}

/// A commit of one partition, without its entries.
#[derive(Debug, Clone)]
pub struct Commit<'a> {
    /// Which partition.
    pub partition: PartitionId,
    /// Where the records begin. Has to be the head's next offset, except in the first commit of a partition.
    pub from_offset: Offset,
    /// Behind the last record used.
    pub next_offset: Offset,
    /// That of the newest tick; never less than before.
    pub partition_time: UnixMillis,
    /// What became of the records of this commit.
    pub dispositions: &'a DispositionCounts,
    /// Offsets of this commit that hold no record.
    pub empty_offsets: u64,
    /// The configuration adopted last, if one was adopted.
    pub config: Option<ContentHash>,
    /// A checkpoint of the state as it is after this commit, if one was written.
    pub checkpoint: Option<CheckpointRef>,
    /// Rows of the caller's own, such as how far each input file was read: name and content.
    pub sources: &'a [Row],
}

impl<S: Store> Ledger<S> {
    /// Opens the ledger in a store, or begins one there, and pins the secret that its references are sealed with. What a
    /// commit that never came had stored ahead is removed.
    ///
    /// # Errors
    /// Another secret than the ledger was made with, a newer format, or the store's.
    pub fn open(store: S, secret: ContentHash) -> Result<Self, LedgerError> {
        let reader = LedgerReader::new(store);
        match reader.store.get(keys::META)?.and_then(|meta| meta.first().copied()) {
            Some(found) if found > FORMAT => return Err(LedgerError::Newer { found, known: FORMAT }),
            Some(_) | None => {}
        }
        match reader.secret_fingerprint()? {
            Some(pinned) if pinned != secret => {
                return Err(LedgerError::OtherSecret { pinned, given: secret });
            }
            Some(_) => {}
            None => {
                let mut batch = Batch::default();
                batch.put(keys::META.to_vec(), [&[FORMAT][..], &secret.0].concat());
                reader.store.apply(batch)?;
                reader.store.flush()?;
            }
        }
        let removed = ahead::remove(&reader)?;
        Ok(Self { reader, sums: HeldSums::default(), ahead: Ahead::default(), removed, poisoned: false })
    }

    /// How many blocks of a commit that never came were removed as it was opened.
    #[must_use]
    pub const fn removed_ahead(&self) -> usize {
        self.removed
    }

    /// Reads the ledger; a clone does so on other threads.
    #[must_use]
    pub const fn reader(&self) -> &LedgerReader<S> {
        &self.reader
    }

    /// How far a partition has come.
    ///
    /// # Errors
    /// Damage, or the store's.
    pub fn head(&self, partition: PartitionId) -> Result<Head, LedgerError> {
        self.reader.head(partition)
    }

    /// Encodes the entries that follow a partition's head, on this or another thread, for [`Self::commit_encoded`].
    ///
    /// # Errors
    /// Damage, or the store's.
    pub fn encoder(&self, partition: PartitionId) -> Result<EntryEncoder, LedgerError> {
        let head = self.head(partition)?;
        EntryEncoder::new(partition, head.sequence, head.hash)
    }

    /// Commits one partition: everything or nothing, and safe when this returns. Gives the new head.
    ///
    /// # Errors
    /// A commit that does not follow the one before (nothing is written), or the store's; after one of those every
    /// further commit fails.
    pub fn commit(&mut self, commit: &Commit<'_>, entries: &[Entry]) -> Result<Head, LedgerError> {
        let encoded = self.encoder(commit.partition)?.encode(entries)?;
        self.commit_encoded(&mut [(commit.clone(), encoded)])?;
        self.head(commit.partition)
    }

    /// Commits several partitions in one batch: everything or nothing, and safe when this returns. The entries' blocks
    /// are moved out.
    ///
    /// # Errors
    /// As [`Self::commit`]; one partition twice.
    pub fn commit_encoded(
        &mut self,
        commits: &mut [(Commit<'_>, EncodedEntries)],
    ) -> Result<(), LedgerError> {
        if self.poisoned {
            return Err(LedgerError::Poisoned);
        }
        let mut batch = Batch::default();
        let mut done: Vec<PartitionId> = Vec::new();
        for (commit, entries) in commits {
            if done.contains(&commit.partition) {
                self.sums = HeldSums::default();
                return Err(LedgerError::Twice { partition: commit.partition });
            }
            if let Err(error) = self.add(commit, entries, &mut batch) {
                // They may be ahead of the store by now.
                self.sums = HeldSums::default();
                return Err(error);
            }
            done.push(commit.partition);
        }
        self.write(batch)?;
        done.into_iter().for_each(|partition| self.ahead.settle(partition));
        Ok(())
    }

    /// Stores the first blocks of a commit that is still to come. Nobody sees them until it has.
    ///
    /// # Errors
    /// Blocks that do not follow the head and those stored ahead before; or the store's, as for [`Self::commit`].
    pub fn store_ahead(&mut self, blocks: BlocksAhead) -> Result<(), LedgerError> {
        if self.poisoned {
            return Err(LedgerError::Poisoned);
        }
        let BlocksAhead { partition, after, last, blocks } = blocks;
        let head = self.reader.head(partition)?;
        self.ahead.check(partition, head.sequence, after)?;
        let mut batch = Batch::default();
        for (first, value) in blocks {
            batch.put(keys::block(partition, first), value);
        }
        self.write(batch)?;
        self.ahead.note(partition, last);
        Ok(())
    }

    /// Writes rows of the caller's own, without entries; safe when this returns.
    ///
    /// # Errors
    /// The store's; after one of those every further commit fails.
    pub fn put_sources(&mut self, rows: &[Row]) -> Result<(), LedgerError> {
        if self.poisoned {
            return Err(LedgerError::Poisoned);
        }
        let mut batch = Batch::default();
        rows.iter().for_each(|(name, content)| batch.put(keys::source(name), content.clone()));
        self.write(batch)
    }

    /// Applies and flushes; after a failure nothing more is written.
    fn write(&mut self, batch: Batch) -> Result<(), LedgerError> {
        self.poisoned = true;
        self.reader.store.apply(batch)?;
        self.reader.store.flush()?;
        self.poisoned = false;
        Ok(())
    }

    fn add(
        &mut self,
        commit: &Commit<'_>,
        entries: &mut EncodedEntries,
        batch: &mut Batch,
    ) -> Result<(), LedgerError> {
        let partition = commit.partition;
        let mut head = self.reader.head(partition)?;
        check(commit, entries, &head)?;
        self.ahead.check(partition, head.sequence, entries.ahead)?;
        for (first, value) in &mut entries.blocks {
            batch.put(keys::block(partition, *first), std::mem::take(value));
        }
        if !entries.rollups.is_settled() {
            // Entries of this commit are found in the batch, those before it in the store.
            let mut history = History::new(&self.reader, batch, partition)?;
            entries.rollups.settle(|last_about| history.was_closed(last_about))?;
        }
        let store = &self.reader.store;
        self.sums
            .add(partition, &entries.rollups, batch, |prefix| store.scan(prefix, prefix).collect())
            .map_err(LedgerError::of_row(partition))?;
        for (name, content) in commit.sources {
            batch.put(keys::source(name), content.clone());
        }

        head.first_offset = head.first_offset.or(Some(commit.from_offset));
        head.next_offset = commit.next_offset;
        (head.sequence, head.hash) = entries.last;
        head.partition_time = commit.partition_time;
        head.dispositions.add(commit.dispositions);
        head.empty_offsets += commit.empty_offsets;
        head.config = commit.config.or(head.config);
        if commit.checkpoint.is_some() {
            head.checkpoint = commit.checkpoint;
            head.checkpoint_offset = commit.next_offset;
        }
        batch.put(keys::head(partition), head.encode());
        Ok(())
    }
}

/// The other half of what reading asserts: a commit follows the head, and accounts for every offset.
fn check(commit: &Commit<'_>, entries: &EncodedEntries, head: &Head) -> Result<(), LedgerError> {
    let partition = commit.partition;
    let expected = head.first_offset.map_or(commit.from_offset, |_| head.next_offset);
    if commit.from_offset != expected || commit.next_offset < commit.from_offset {
        let given = if commit.from_offset == expected { commit.next_offset } else { commit.from_offset };
        return Err(LedgerError::Offset { partition, expected, given });
    }
    let offsets = commit.next_offset.0 - commit.from_offset.0;
    let accounted = commit.dispositions.total().saturating_add(commit.empty_offsets);
    if offsets != accounted {
        return Err(LedgerError::Unaccounted { partition, offsets, accounted });
    }
    if commit.partition_time < head.partition_time {
        let (held, given) = (head.partition_time, commit.partition_time);
        return Err(LedgerError::TimeGoesBack { partition, held, given });
    }
    if entries.partition != partition || entries.after.0 != head.sequence {
        let expected = Sequence(head.sequence.0 + 1);
        let given = Sequence(entries.after.0.0 + 1);
        return Err(LedgerError::Sequence { partition, expected, given });
    }
    if entries.after.1 != head.hash {
        let (expected, found) = (head.hash, entries.after.1);
        return Err(LedgerError::Chain { partition, sequence: head.sequence, expected, found });
    }
    Ok(())
}
