//! The thread that commits: first what must not be lost beside the log, then the log, then the ledger.
//!
//! Invariant: a record is synced in the log, together with how far its input has been read, before the commit that uses
//! both; after the first failure nothing follows.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::Receiver,
    },
};

use ledger::{
    BlocksAhead, Commit, EncodedEntries, Ledger, Quarantine, SymbolTable, UserDirectory,
    log::LogWriter,
    store::{Row, Store},
};

use crate::{
    EMBEDDED_PARTITION,
    error::PipelineError,
    group::{Group, Ready},
    source::{SourceKey, SourceMark, SourceMarks},
};

/// Writes what a directory keeps.
#[derive(Debug)]
pub(crate) struct Committer<'a, S> {
    /// The ledger.
    pub(crate) ledger: &'a mut Ledger<S>,
    /// The log; absent while what it holds already is committed after a crash.
    pub(crate) log: Option<&'a mut LogWriter>,
    /// The words of the log.
    pub(crate) symbols: &'a mut SymbolTable,
    /// Numbers behind user references.
    pub(crate) users: &'a mut UserDirectory,
    /// Originals of quarantined records.
    pub(crate) quarantine: &'a mut Quarantine,
    /// For each input of this run, the mark that it goes on from.
    pub(crate) started_from: BTreeMap<SourceKey, Option<SourceMark>>,
    /// Number of the newest checkpoint that is committed, for who writes the next.
    pub(crate) checkpointed: Arc<AtomicU64>,
}

/// What the threads that project and encode hand on.
#[derive(Debug)]
pub(crate) enum ForCommit {
    /// Records, and what they led to beside entries.
    Group(Box<Ready>),
    /// The first entries of the next group, too many to wait for the others.
    Ahead(BlocksAhead),
    /// The entries of the next group, without those that went ahead.
    Encoded(Box<EncodedEntries>),
}

/// A group of which everything is kept that the ledger does not hold.
#[derive(Debug)]
pub(crate) struct Kept {
    ready: Ready,
    sources: Vec<Row>,
}

impl<S: Store> Committer<'_, S> {
    /// Commits all that comes, each group with what its entries were encoded to, until there is no more.
    ///
    /// # Errors
    /// The first that occurs.
    pub(crate) fn run(mut self, coming: &Receiver<ForCommit>) -> Result<(), PipelineError> {
        // A group's log is written while its entries are encoded, so that either may come first. What is left over when
        // one of the other threads has failed is not committed.
        let (mut groups, mut entries, mut kept) = (VecDeque::new(), VecDeque::new(), None);
        for next in coming {
            match next {
                ForCommit::Group(ready) => groups.push_back(*ready),
                ForCommit::Ahead(blocks) => self.ledger.store_ahead(blocks)?,
                ForCommit::Encoded(encoded) => entries.push_back(*encoded),
            }
            loop {
                // How far inputs have been read is counted on from the commit before.
                if kept.is_none() {
                    kept = groups.pop_front().map(|ready| self.keep(ready)).transpose()?;
                }
                if kept.is_none() || entries.is_empty() {
                    break;
                }
                if let (Some(group), Some(encoded)) = (kept.take(), entries.pop_front()) {
                    self.commit(group, encoded)?;
                }
            }
        }
        Ok(())
    }

    /// Writes what the commit of a group uses and the ledger does not hold.
    ///
    /// # Errors
    /// The disk's, or damage.
    pub(crate) fn keep(&mut self, mut ready: Ready) -> Result<Kept, PipelineError> {
        let sources = self.source_rows(&ready.group.marks)?;
        let Self { log, symbols, users, quarantine, .. } = self;
        keep(&mut ready.group, &sources, log.as_deref_mut(), symbols, users, quarantine)?;
        Ok(Kept { ready, sources })
    }

    /// Commits a group with the entries that its records booked.
    ///
    /// # Errors
    /// Nothing of the group is committed then.
    pub(crate) fn commit(&mut self, kept: Kept, encoded: EncodedEntries) -> Result<(), PipelineError> {
        let Kept { ready, mut sources } = kept;
        let from_offset = ready.first_offset();
        let Ready { group, next_offset, partition_time, checkpoint } = ready;
        sources.extend(group.sources);
        let commit = Commit {
            partition: EMBEDDED_PARTITION,
            from_offset,
            next_offset,
            partition_time,
            dispositions: &group.dispositions,
            empty_offsets: 0,
            config: group.configuration,
            checkpoint,
            sources: &sources,
        };
        self.ledger.commit_encoded(&mut [(commit, encoded)])?;
        if let Some(checkpoint) = checkpoint {
            self.checkpointed.store(checkpoint.number, Ordering::Release);
        }
        Ok(())
    }

    fn source_rows(&mut self, marks: &[(SourceKey, SourceMark)]) -> Result<Vec<Row>, PipelineError> {
        let newest: BTreeMap<SourceKey, SourceMark> = marks.iter().copied().collect();
        let mut rows = Vec::with_capacity(newest.len());
        for (key, mark) in newest {
            let stored = self.ledger.reader().source(&key.0)?;
            let mut known = stored.and_then(|bytes| SourceMarks::from_bytes(&bytes)).unwrap_or_default();
            let from = self.started_from.get(&key).copied().flatten();
            known.advance(from.as_ref(), mark);
            self.started_from.insert(key, Some(mark));
            rows.push((key.0.to_vec(), known.to_bytes()));
        }
        Ok(rows)
    }
}

/// Writes what a commit uses and the ledger does not hold; all of it is synced when this returns.
fn keep(
    group: &mut Group,
    sources: &[Row],
    log: Option<&mut LogWriter>,
    symbols: &mut SymbolTable,
    users: &mut UserDirectory,
    quarantine: &mut Quarantine,
) -> Result<(), PipelineError> {
    for (symbol, word) in &group.words {
        // Numbers come from the same list, in their order.
        if symbols.word(*symbol) != word {
            symbols.define(*symbol, word).map_err(|_| PipelineError::ThreadEnded("list of words"))?;
        }
    }
    if !group.quarantined.is_empty() {
        quarantine.append(&group.quarantined)?;
    }
    if !group.users.is_empty() {
        let new: Vec<_> = group.users.iter().map(|(user, number)| (*user, number.as_str())).collect();
        users.append(&new)?;
    }
    if let Some(log) = log {
        for (records, threads) in group.records.drain(..) {
            log.append(&records, &threads, symbols)?;
        }
        log.sync(sources)?;
    }
    Ok(())
}
