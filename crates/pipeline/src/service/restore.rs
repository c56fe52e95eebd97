//! An empty machine takes a partition over: the state from the newest snapshot that fits, the entries before it from the
//! ledger topic. What came after the snapshot is folded again from the input.
//!
//! Invariant: a snapshot is used only if the ledger topic has its last entry, with its hash, at its number.

use std::{
    ops::ControlFlow,
    path::PathBuf,
    sync::mpsc::SyncSender,
    thread,
    time::{Duration, Instant},
};

use ledger::{Head, LedgerReader, checkpoint::StateStore, store::Store};
use model::{ContentHash, Entry, Offset, PartitionId, Sequence, UnixMillis};
use projector::Projector;
use wire::Words;

use super::{
    commit::ToCommit,
    error::ServiceError,
    folding::Share,
    metrics::Metrics,
    outgoing::PublishedHead,
    ports::{Broker, PortError},
    snapshot::{Snapshot, Snapshots},
};

/// Entries that are written at once.
const ENTRIES_AT_ONCE: usize = 20_000;
/// How long the committing thread may take for what is left in the end.
const COMMIT_TIME_MAX: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(5);

/// What it takes to restore.
pub(crate) struct Restoring<'a, S> {
    pub(crate) reader: &'a LedgerReader<S>,
    pub(crate) broker: &'a dyn Broker,
    pub(crate) snapshots: &'a Snapshots,
    pub(crate) to_commit: &'a SyncSender<ToCommit>,
    pub(crate) metrics: &'a Metrics,
    /// Fingerprint of the secret.
    pub(crate) secret: ContentHash,
    /// Folder of this partition's checkpoints.
    pub(crate) state: PathBuf,
    /// Folder of configurations.
    pub(crate) configs: PathBuf,
}

/// Whether the restore of a partition was begun and not ended: it has entries, but has not used a record.
pub(crate) fn is_unfinished(head: &Head) -> bool {
    head.sequence > Sequence(0)
        && head.first_offset == Some(head.next_offset)
        && head.dispositions.total() == 0
}

impl<S: Store> Restoring<'_, S> {
    /// Restores a partition of which this machine has nothing, if there is a snapshot that fits. `begin` is the first
    /// record that the input still has.
    ///
    /// # Errors
    /// The broker's or the disk's. A restore that was interrupted goes on when the partition is opened again.
    pub(crate) fn restore(
        &self,
        partition: PartitionId,
        published: &PublishedHead,
        begin: Offset,
    ) -> Result<bool, ServiceError> {
        let began = Instant::now();
        for snapshot in self.snapshots.list(partition) {
            if !self.fits(&snapshot, published, begin)? {
                continue;
            }
            snapshot.restore(&self.state, &self.configs).map_err(|error| {
                PortError::Settings(format!(
                    "the snapshot of partition {} cannot be copied: {error}",
                    partition.0
                ))
            })?;
            let state = StateStore::open(&self.state, Some(snapshot.head.checkpoint));
            let projector = state
                .map_err(ServiceError::from)
                .and_then(|state| Ok(Projector::restore(&state.read_meta()?)?));
            let projector = match projector {
                Ok(projector) if projector.next_offset() == snapshot.head.next_offset => projector,
                Ok(_) => continue,
                Err(error) => {
                    tracing::warn!(partition = partition.0, %error, "snapshot cannot be used: passed over");
                    continue;
                }
            };
            self.write_entries(&snapshot, &projector)?;
            tracing::info!(
                partition = partition.0,
                sequence = snapshot.head.sequence.0,
                next_offset = snapshot.head.next_offset.0,
                took_ms = began.elapsed().as_millis(),
                "restored from a snapshot"
            );
            return Ok(true);
        }
        Ok(false)
    }

    fn fits(
        &self,
        snapshot: &Snapshot,
        published: &PublishedHead,
        begin: Offset,
    ) -> Result<bool, ServiceError> {
        let head = &snapshot.head;
        let why = if head.secret != self.secret {
            "it was sealed with another secret"
        } else if head.sequence > published.sequence || head.sequence == Sequence(0) {
            "the ledger topic does not have its last entry"
        } else if head.next_offset < begin {
            "the input has lost records that come after it"
        } else if !self.is_in_topic(snapshot)? {
            "the ledger topic has another entry in its place"
        } else {
            return Ok(true);
        };
        tracing::warn!(
            partition = head.partition.0,
            sequence = head.sequence.0,
            why,
            "snapshot does not fit"
        );
        Ok(false)
    }

    /// An entry stands at an offset that is not less than its number less one: markers of transactions lie between.
    fn is_in_topic(&self, snapshot: &Snapshot) -> Result<bool, PortError> {
        let (wanted, hash) = (snapshot.head.sequence, snapshot.head.hash);
        let mut words = Words::new();
        let mut same = false;
        self.broker.read_ledger(snapshot.head.partition, Offset(wanted.0 - 1), &mut |record| {
            let Ok(entry) = wire::decode_entry(&record.value, &mut words) else {
                return ControlFlow::Break(());
            };
            if entry.sequence < wanted {
                return ControlFlow::Continue(());
            }
            same = entry.sequence == wanted && wire::chain_hash(&entry.previous_hash, &record.value) == hash;
            ControlFlow::Break(())
        })?;
        Ok(same)
    }

    fn write_entries(&self, snapshot: &Snapshot, projector: &Projector) -> Result<(), ServiceError> {
        let (head, partition) = (&snapshot.head, snapshot.head.partition);
        let done = self.reader.head(partition)?.sequence;
        let mut words = Words::new();
        let mut waiting: Vec<Entry> = Vec::new();
        let mut failed = None;
        self.broker.read_ledger(partition, Offset(done.0), &mut |record| {
            match wire::decode_entry(&record.value, &mut words) {
                Ok(entry) if entry.sequence <= done => return ControlFlow::Continue(()),
                Ok(entry) if entry.sequence > head.sequence => return ControlFlow::Break(()),
                Ok(entry) => waiting.push(entry),
                Err(error) => {
                    failed = Some(ServiceError::ForeignLedger {
                        partition,
                        offset: record.offset,
                        what: error.to_string(),
                    });
                    return ControlFlow::Break(());
                }
            }
            if waiting.len() >= ENTRIES_AT_ONCE {
                let mut share = Share::new(partition, head.first_offset, UnixMillis::MIN);
                share.entries = std::mem::take(&mut waiting);
                if self.to_commit.send(ToCommit::Shares(vec![share], None)).is_err() {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        let mut share = Share::new(partition, head.first_offset, head.partition_time);
        share.next_offset = head.next_offset;
        share.dispositions = projector.counts().clone();
        share.entries = waiting;
        share.config = Some(head.config);
        share.checkpoint = Some(head.checkpoint);
        share.last = head.last;
        self.to_commit
            .send(ToCommit::Shares(vec![share], None))
            .map_err(|_| ServiceError::ThreadEnded("committing thread"))?;
        self.wait_until_committed(snapshot)
    }

    fn wait_until_committed(&self, snapshot: &Snapshot) -> Result<(), ServiceError> {
        let (head, began) = (&snapshot.head, Instant::now());
        loop {
            let own = self.reader.head(head.partition)?;
            self.metrics.partition_if_there(head.partition, |metrics| metrics.committed = own.sequence);
            if own.next_offset == head.next_offset {
                return if own.hash == head.hash {
                    Ok(())
                } else {
                    let (sequence, published) = (head.sequence, head.hash);
                    Err(ServiceError::OtherLedger {
                        partition: head.partition,
                        sequence,
                        published,
                        own: own.hash,
                    })
                };
            }
            if began.elapsed() > COMMIT_TIME_MAX {
                return Err(ServiceError::ThreadEnded("committing thread"));
            }
            thread::sleep(PAUSE);
        }
    }
}
