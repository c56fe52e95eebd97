//! The committing thread: users and quarantine first, then the ledger, all partitions in one batch; then to publishing.
//!
//! Invariant: nothing is handed on before it is flushed.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender},
    },
    thread,
    time::Instant,
};

use ledger::{
    Commit, EncodedEntries, EntryEncoder, Ledger, Quarantine, QuarantinedOriginal, UserDirectory,
    store::{Row, Store},
};
use model::{ContentHash, DispositionCounts, PartitionId, UnixMillis, UserRef};

use super::{
    error::ServiceError,
    folding::Share,
    metrics::Metrics,
    outbox::{Outbox, Piece},
    pins,
    publish::{Board, ToPublish},
    snapshot::SnapshotHead,
};

/// So many entries are worth a second thread to encode them.
const BESIDE_ENTRIES: usize = 1_000;

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
        let (encoded, pieces): (Vec<_>, Vec<_>) = self.encode(&mut shares)?.into_iter().unzip();
        let mut rows: Vec<Vec<Row>> = Vec::with_capacity(shares.len());
        for share in &shares {
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
            self.metrics.partition_if_there(share.partition, |metrics| {
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

    /// Encodes what each share books, and keeps aside what is not in the ledger. A chain belongs to its partition, so that
    /// partitions are encoded beside each other, and while the disk is waited for.
    fn encode(&mut self, shares: &mut [Share]) -> Result<Vec<(EncodedEntries, Piece)>, ServiceError> {
        for share in &*shares {
            // A partition that is being restored is not open yet.
            if let Entry::Vacant(vacant) = self.encoders.entry(share.partition) {
                vacant.insert(self.ledger.encoder(share.partition)?);
            }
        }
        let quarantined: Vec<_> = shares.iter_mut().flat_map(|share| share.quarantined.drain(..)).collect();
        let users: Vec<_> = shares.iter_mut().flat_map(|share| share.users.drain(..)).collect();
        let is_much = shares.iter().map(|share| share.entries.len()).sum::<usize>() >= BESIDE_ENTRIES;
        let mut encoders: BTreeMap<PartitionId, &mut EntryEncoder> =
            self.encoders.iter_mut().map(|(partition, encoder)| (*partition, encoder)).collect();
        let work = shares.iter_mut().enumerate().map(|(place, share)| {
            let encoder = encoders.remove(&share.partition);
            // Each partition has at most one share.
            Some((place, encoder?, share))
        });
        let left: Option<Vec<_>> = work.collect();
        let left = left.ok_or(ServiceError::ThreadEnded("encoder of a partition"))?;
        let work = Work { left: Mutex::new(left), metrics: &self.metrics };
        let (beside, here) = thread::scope(|scope| {
            let beside = is_much.then(|| scope.spawn(|| work.run()));
            let kept = keep_aside(&mut self.quarantine, &mut self.users, &quarantined, &users);
            let here = kept.and_then(|()| work.run());
            let beside = beside.map(|beside| beside.join());
            (beside.unwrap_or_else(|| Ok(Ok(Vec::new()))), here)
        });
        let mut done = here?;
        done.extend(beside.map_err(|_| ServiceError::ThreadEnded("encoding thread"))??);
        done.sort_by_key(|(place, _, _)| *place);
        Ok(done.into_iter().map(|(_, encoded, piece)| (encoded, piece)).collect())
    }

    fn hand_on(&self, partition: PartitionId, told: ToPublish) {
        let thread = partition.0 as usize % self.to_publish.len();
        // A publishing thread ends only when this one has.
        self.to_publish[thread].send(told).ok();
    }
}

/// Shares that are to be encoded, with their places.
struct Work<'a> {
    left: Mutex<Vec<(usize, &'a mut EntryEncoder, &'a mut Share)>>,
    metrics: &'a Metrics,
}

impl Work<'_> {
    /// Encodes what is left, until nothing is.
    fn run(&self) -> Result<Vec<(usize, EncodedEntries, Piece)>, ServiceError> {
        let mut done = Vec::new();
        loop {
            let next = self.left.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some((place, encoder, share)) = next else { return Ok(done) };
            let mut piece = Piece::default();
            let encoded =
                encoder.encode_each(&share.entries, |_, hash, canonical| piece.push(hash, canonical))?;
            self.metrics.booked(&share.entries);
            piece.set_entries(std::mem::take(&mut share.entries));
            done.push((place, encoded, piece));
        }
    }
}

/// What is not in the ledger, of all partitions at once: each of the two files is synced on its own.
fn keep_aside(
    quarantine: &mut Quarantine,
    users: &mut UserDirectory,
    quarantined: &[QuarantinedOriginal],
    new: &[(UserRef, String)],
) -> Result<(), ServiceError> {
    quarantine.append(quarantined)?;
    let new: Vec<_> = new.iter().map(|(user, number)| (*user, number.as_str())).collect();
    users.append(&new)?;
    Ok(())
}
