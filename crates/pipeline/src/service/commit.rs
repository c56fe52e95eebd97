//! The committing thread: users and quarantine first, then the ledger, all partitions in one batch; then to publishing.
//!
//! Invariant: nothing is handed on before it is flushed.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender},
    },
    time::Instant,
};

use ledger::{
    Commit, EntryEncoder, Ledger, Quarantine, UserDirectory,
    store::{Row, Store},
};
use model::{ContentHash, DispositionCounts, PartitionId, UnixMillis};

use super::{
    error::ServiceError,
    folding::Share,
    metrics::Metrics,
    outbox::{Outbox, Piece},
    pins,
    publish::{Board, ToPublish},
    snapshot::SnapshotHead,
};

/// What the committing thread is told.
pub(crate) enum ToCommit {
    /// A partition is opened.
    Open(Box<Outbox>, PartitionId),
    /// What some partitions add, each at most once; and what counts those that have not been come to.
    Shares(Vec<Share>, Option<Arc<AtomicUsize>>),
    /// A partition is given away.
    Close(PartitionId, Sender<()>),
}

/// Writes what the data directory keeps.
pub(crate) struct Committing<S> {
    pub(crate) ledger: Ledger<S>,
    pub(crate) users: UserDirectory,
    pub(crate) quarantine: Quarantine,
    pub(crate) encoders: BTreeMap<PartitionId, EntryEncoder>,
    /// How far partitions are published.
    pub(crate) board: Arc<Board>,
    /// One for each publishing thread.
    pub(crate) to_publish: Vec<Sender<ToPublish>>,
    /// Tells the projecting thread that a checkpoint is committed.
    pub(crate) confirmed: Sender<SnapshotHead>,
    /// Fingerprint of the secret.
    pub(crate) secret: ContentHash,
    pub(crate) metrics: Arc<Metrics>,
}

impl<S: Store> Committing<S> {
    /// Commits what comes, until there is no more.
    ///
    /// # Errors
    /// The first that occurs; nothing is written after it.
    pub(crate) fn run(mut self, told: &Receiver<ToCommit>) -> Result<(), ServiceError> {
        while let Ok(told) = told.recv() {
            match told {
                ToCommit::Open(outbox, partition) => {
                    self.encoders.insert(partition, self.ledger.encoder(partition)?);
                    self.hand_on(partition, ToPublish::Open(outbox));
                }
                ToCommit::Shares(shares, waiting) => {
                    if let Some(waiting) = waiting {
                        waiting.fetch_sub(1, Ordering::AcqRel);
                    }
                    self.commit(shares)?;
                }
                ToCommit::Close(partition, done) => {
                    self.encoders.remove(&partition);
                    self.hand_on(partition, ToPublish::Close(partition, done));
                }
            }
        }
        Ok(())
    }

    fn commit(&mut self, mut shares: Vec<Share>) -> Result<(), ServiceError> {
        let began = Instant::now();
        self.keep_aside(&shares)?;
        let mut rows: Vec<Vec<Row>> = Vec::with_capacity(shares.len());
        let mut encoded = Vec::with_capacity(shares.len());
        let mut pieces = Vec::with_capacity(shares.len());
        for share in &mut shares {
            // A partition that is being restored is not open yet.
            let encoder = match self.encoders.entry(share.partition) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(vacant) => vacant.insert(self.ledger.encoder(share.partition)?),
            };
            let mut piece = Piece::default();
            encoded
                .push(encoder.encode_each(&share.entries, |_, hash, canonical| piece.push(hash, canonical))?);
            self.metrics.booked(&share.entries);
            piece.set_entries(std::mem::take(&mut share.entries));
            pieces.push(piece);
            let last = share.last.map(|(offset, hash)| pins::record_row(share.partition, offset, hash));
            let published = self.board.get(share.partition);
            let published = published.map(|sequence| pins::published_row(share.partition, sequence));
            rows.push(last.into_iter().chain(published).collect());
        }
        let mut dispositions = DispositionCounts::default();
        let mut commits = Vec::with_capacity(shares.len());
        for ((share, encoded), rows) in shares.iter().zip(encoded).zip(&rows) {
            dispositions.add(&share.dispositions);
            let commit = Commit {
                partition: share.partition,
                from_offset: share.from_offset,
                next_offset: share.next_offset,
                partition_time: share.partition_time,
                dispositions: &share.dispositions,
                empty_offsets: share.empty_offsets(),
                config: share.config,
                checkpoint: share.checkpoint,
                sources: rows,
            };
            commits.push((commit, encoded));
        }
        self.ledger.commit_encoded(&mut commits)?;
        self.metrics.committed(began.elapsed(), &dispositions);
        drop(commits);
        for (share, piece) in shares.iter().zip(pieces) {
            let head = self.ledger.head(share.partition)?;
            let committed = head.sequence;
            if let (Some(checkpoint), Some(config)) = (share.checkpoint, head.config) {
                let confirmed = SnapshotHead {
                    partition: share.partition,
                    secret: self.secret,
                    sequence: head.sequence,
                    hash: head.hash,
                    first_offset: head.first_offset.unwrap_or_default(),
                    next_offset: head.next_offset,
                    partition_time: head.partition_time,
                    config,
                    checkpoint,
                    last: pins::record(self.ledger.reader(), share.partition)?,
                };
                // Gone only when the service ends.
                self.confirmed.send(confirmed).ok();
            }
            self.metrics.partition(share.partition, |metrics| {
                metrics.next_offset = share.next_offset;
                metrics.end_offset = metrics.end_offset.max(share.next_offset);
                metrics.record_time = share.record_time.or(metrics.record_time);
                metrics.partition_time = Some(share.partition_time).filter(|time| *time != UnixMillis::MIN);
                metrics.committed = committed;
            });
            self.hand_on(share.partition, ToPublish::Committed(share.partition, piece, share.next_offset));
        }
        Ok(())
    }

    /// What is not in the ledger, of all partitions at once: each of the two files is synced on its own.
    fn keep_aside(&mut self, shares: &[Share]) -> Result<(), ServiceError> {
        let quarantined: Vec<_> = shares.iter().flat_map(|share| share.quarantined.iter().cloned()).collect();
        self.quarantine.append(&quarantined)?;
        let users = shares.iter().flat_map(|share| &share.users);
        let users: Vec<_> = users.map(|(user, number)| (*user, number.as_str())).collect();
        self.users.append(&users)?;
        Ok(())
    }

    fn hand_on(&self, partition: PartitionId, told: ToPublish) {
        let thread = partition.0 as usize % self.to_publish.len();
        // A publishing thread ends only when this one has.
        self.to_publish[thread].send(told).ok();
    }
}
