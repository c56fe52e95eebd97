//! The projecting thread: folds the batches of all partitions, and hands on what is to be committed at a steady pace.
//!
//! Knows nothing of Kafka. Invariant: what is handed on of a partition stands by itself, so that one partition that is
//! given up or given away leaves the others as they are.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender},
    },
    time::{Duration, Instant},
};

use model::PartitionId;

use super::{
    commit::ToCommit,
    error::ServiceError,
    folding::Folding,
    intake::Batch,
    outbox::Outbox,
    snapshot::{SetAside, SnapshotHead},
};

/// Records that are committed at once at most. A commit waits for the disk, and folding goes on meanwhile: what comes
/// together while one commit waits is the next.
const GROUP_RECORDS_MAX: u64 = 262_144;
/// Between two looks at whether the committing thread has come to what waits for it.
const COMMIT_LOOK: Duration = Duration::from_millis(1);
/// The state of a partition in which something happened is written at least this often.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(60);

/// What the projecting thread is told.
pub(crate) enum ToProject {
    /// A partition is opened.
    Open(PartitionId, Box<Folding>, Box<Outbox>),
    /// Records came.
    Batch(Batch),
    /// A partition is given away; write a checkpoint first if there is time until then. The sender is dropped when
    /// nothing of the partition is under way any more.
    Close(PartitionId, Option<Instant>, Sender<()>),
}

/// The projecting thread's own.
pub(crate) struct Projecting {
    pub(crate) commit_interval: Duration,
    pub(crate) checkpoint_records: u64,
    pub(crate) to_commit: SyncSender<ToCommit>,
    pub(crate) confirmed: Receiver<SnapshotHead>,
    /// Where checkpoints go that are to become snapshots; none if there are to be none.
    pub(crate) to_snapshots: Option<Sender<SetAside>>,
    pub(crate) snapshot_interval: Duration,
    pub(crate) next_snapshot: BTreeMap<PartitionId, Instant>,
    /// Commits that the committing thread has not come to yet.
    pub(crate) commits_waiting: Arc<AtomicUsize>,
    /// Hears of partitions that had to be given up.
    pub(crate) trouble: Sender<(PartitionId, ServiceError)>,
    pub(crate) foldings: BTreeMap<PartitionId, Folding>,
}

/// The committing thread has ended, and says itself why.
struct Ended;

impl Projecting {
    /// Folds what comes, until there is no more.
    pub(crate) fn run(mut self, told: &Receiver<ToProject>) {
        let mut due = Instant::now() + self.commit_interval;
        loop {
            let until_due = due.saturating_duration_since(Instant::now());
            let wait = if self.is_commit_waiting() { until_due.max(COMMIT_LOOK) } else { until_due };
            let told = match told.recv_timeout(wait) {
                Ok(told) => self.hear(told),
                Err(RecvTimeoutError::Timeout) => Ok(()),
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let waiting: u64 = self.foldings.values().map(Folding::waiting).sum();
            let handed_on = match told {
                Ok(())
                    if waiting >= GROUP_RECORDS_MAX
                        || (Instant::now() >= due && !self.is_commit_waiting()) =>
                {
                    due = Instant::now() + self.commit_interval;
                    self.checkpoint_one();
                    self.hand_on()
                }
                other => other,
            };
            if handed_on.is_err() {
                return;
            }
            while let Ok(head) = self.confirmed.try_recv() {
                self.confirm(head);
            }
        }
    }

    /// A checkpoint is committed: it becomes a snapshot if one is due, and what it does without is removed.
    fn confirm(&mut self, head: SnapshotHead) {
        let (partition, checkpoint) = (head.partition, head.checkpoint);
        let Some(folding) = self.foldings.get_mut(&partition) else { return };
        if let Some(to_snapshots) = &self.to_snapshots {
            let due = self.next_snapshot.entry(partition).or_insert_with(Instant::now);
            if Instant::now() >= *due {
                *due = Instant::now() + self.snapshot_interval;
                match folding.set_aside(&checkpoint) {
                    // Gone only when the service ends.
                    Ok(folder) => drop(to_snapshots.send(SetAside { head, folder })),
                    Err(error) => {
                        tracing::warn!(partition = partition.0, %error, "checkpoint could not be set aside");
                    }
                }
            }
        }
        if let Err(error) = folding.confirm(&checkpoint) {
            self.give_up(partition, error);
        }
    }

    fn is_commit_waiting(&self) -> bool {
        self.commits_waiting.load(Ordering::Acquire) > 0
    }

    fn hear(&mut self, told: ToProject) -> Result<(), Ended> {
        match told {
            ToProject::Open(partition, folding, outbox) => {
                self.foldings.insert(partition, *folding);
                self.to_commit.send(ToCommit::Open(outbox, partition)).map_err(|_| Ended)
            }
            ToProject::Batch(batch) => {
                let partition = batch.partition;
                let taken = self.foldings.get_mut(&partition).map(|folding| folding.take(batch));
                if let Some(Err(error)) = taken {
                    self.give_up(partition, error);
                }
                Ok(())
            }
            ToProject::Close(partition, checkpoint_until, done) => {
                if checkpoint_until.is_some_and(|until| Instant::now() < until) {
                    self.checkpoint(partition);
                }
                self.hand_on()?;
                self.foldings.remove(&partition);
                self.to_commit.send(ToCommit::Close(partition, done)).map_err(|_| Ended)
            }
        }
    }

    /// Writes a checkpoint if one is due, of the partition that has most to fold again: one at a time, so that folding
    /// pauses little. How many records all partitions together would fold again is what a restart waits for.
    fn checkpoint_one(&mut self) {
        let foldings = || self.foldings.iter().filter(|(_, folding)| folding.since_checkpoint() > 0);
        let are_many =
            foldings().map(|(_, folding)| folding.since_checkpoint()).sum::<u64>() >= self.checkpoint_records;
        let due =
            foldings().filter(|(_, folding)| are_many || folding.saved_at().elapsed() >= CHECKPOINT_INTERVAL);
        let most = due.max_by_key(|(_, folding)| folding.since_checkpoint()).map(|(partition, _)| *partition);
        if let Some(partition) = most {
            self.checkpoint(partition);
        }
    }

    fn checkpoint(&mut self, partition: PartitionId) {
        let began = Instant::now();
        let written = self.foldings.get_mut(&partition).map(Folding::checkpoint);
        if let Some(Err(error)) = written {
            self.give_up(partition, error);
        }
        tracing::debug!(partition = partition.0, took_ms = began.elapsed().as_millis(), "checkpoint written");
    }

    fn hand_on(&mut self) -> Result<(), Ended> {
        let shares: Vec<_> = self.foldings.values_mut().filter_map(Folding::take_share).collect();
        if shares.is_empty() {
            return Ok(());
        }
        self.commits_waiting.fetch_add(1, Ordering::AcqRel);
        self.to_commit
            .send(ToCommit::Shares(shares, Some(Arc::clone(&self.commits_waiting))))
            .map_err(|_| Ended)
    }

    fn give_up(&mut self, partition: PartitionId, error: ServiceError) {
        self.foldings.remove(&partition);
        // Without the consuming thread everything ends anyway.
        self.trouble.send((partition, error)).ok();
    }
}
