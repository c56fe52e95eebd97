//! The consuming thread: reads the log, turns records into batches, and follows what this instance owns.
//!
//! Invariant: a partition is read only between its opening and its release.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use ledger::{Secret, store::Store};
use model::{Offset, PartitionId};

use super::{
    error::ServiceError,
    intake::Intake,
    metrics::{Metrics, Phase},
    open::{Opened, Opening},
    ports::{Change, EventLog, Ownership},
    project::ToProject,
    watch::Found,
};

/// How long the log is waited for before other things are looked at.
const POLL: Duration = Duration::from_millis(20);
/// Records taken from the log before batches go on.
const POLL_RECORDS: usize = 4_096;
/// How long a partition may take to come to rest when it is given away.
const RELEASE: Duration = Duration::from_secs(8);
/// When stopping, a checkpoint is begun no later than this.
const CHECKPOINT_UNTIL: Duration = Duration::from_secs(4);
/// A partition whose transaction was lost is opened again after this: longer than a heartbeat, so that an instance
/// which has lost its partitions to another hears of it first.
const REOPEN_AFTER: Duration = Duration::from_secs(4);

/// Ends what is under way on partitions; see [`Ownership`].
pub(crate) struct Releasing {
    pub(crate) to_project: SyncSender<ToProject>,
}

impl Releasing {
    fn release_until(&self, partitions: &[PartitionId], checkpoint_until: Option<Instant>) {
        let deadline = Instant::now() + RELEASE;
        let mut waiting = Vec::new();
        for partition in partitions {
            let (done, gone) = channel();
            if self.to_project.send(ToProject::Close(*partition, checkpoint_until, done)).is_ok() {
                waiting.push((partition, gone));
            }
        }
        for (partition, gone) in waiting {
            let left = deadline.saturating_duration_since(Instant::now());
            if gone.recv_timeout(left) == Err(RecvTimeoutError::Timeout) {
                tracing::warn!(
                    partition = partition.0,
                    "partition given away before it came to rest; the next owner shuts it out"
                );
            }
        }
    }
}

impl Ownership for Releasing {
    fn release(&self, partitions: &[PartitionId]) {
        self.release_until(partitions, None);
    }
}

/// The consuming thread's own.
pub(crate) struct Consuming<'a, S> {
    pub(crate) log: Box<dyn EventLog>,
    pub(crate) opening: Arc<Opening<S>>,
    pub(crate) partitions: u32,
    pub(crate) secret: Secret,
    pub(crate) releasing: Arc<Releasing>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) trouble: Receiver<(PartitionId, ServiceError)>,
    pub(crate) progress: Receiver<(PartitionId, Offset)>,
    pub(crate) found: Arc<Found>,
    pub(crate) stop: &'a AtomicBool,
    pub(crate) intakes: BTreeMap<PartitionId, Intake>,
    pub(crate) owned: BTreeSet<PartitionId>,
    /// How often each partition has been opened. While brokers are away an opening may take so long that the partition is
    /// given away, comes back and is opened again meanwhile: what an older opening comes to is of no use then.
    pub(crate) openings: BTreeMap<PartitionId, u64>,
}

/// Which opening of the partition it was, from 1, and what came of it.
type OpenResult = (PartitionId, u64, Result<Opened, ServiceError>);

impl<S: Store + 'static> Consuming<'_, S> {
    /// Consumes until told to stop, then lets everything come to rest and leaves.
    ///
    /// # Errors
    /// The log cannot be read any further.
    pub(crate) fn run(mut self) -> Result<(), ServiceError> {
        let (to_me, opened) = channel::<OpenResult>();
        let mut reopen: BTreeMap<PartitionId, Instant> = BTreeMap::new();
        let ended = loop {
            if self.stop.load(Ordering::Relaxed) {
                break Ok(());
            }
            if let Some(error) = self.found.take() {
                break Err(error);
            }
            if let Err(error) = self.turn(&to_me, &opened, &mut reopen) {
                break Err(error);
            }
        };
        let owned: Vec<PartitionId> = self.owned.iter().copied().collect();
        self.releasing.release_until(&owned, Some(Instant::now() + CHECKPOINT_UNTIL));
        self.log.leave();
        ended
    }

    fn turn(
        &mut self,
        to_me: &Sender<OpenResult>,
        opened: &Receiver<OpenResult>,
        reopen: &mut BTreeMap<PartitionId, Instant>,
    ) -> Result<(), ServiceError> {
        let intakes = &mut self.intakes;
        self.log.poll(POLL, POLL_RECORDS, &mut |record| {
            if let Some(intake) = intakes.get_mut(&record.partition) {
                intake.read(record);
            }
        })?;
        if self.log.in_doubt() {
            self.found.doubt();
        }
        for change in self.log.changes() {
            match change {
                Change::Assigned(partition) if partition.0 >= self.partitions => {
                    let found = format!("at least {}", partition.0 + 1);
                    return Err(ServiceError::partitions_changed(self.partitions, &found));
                }
                Change::Assigned(partition) => {
                    self.owned.insert(partition);
                    self.metrics.partition(partition, |metrics| metrics.phase = Phase::Opening);
                    self.open(partition, None, to_me);
                }
                Change::Revoked(partition) => {
                    tracing::info!(partition = partition.0, "partition given away");
                    self.owned.remove(&partition);
                    self.intakes.remove(&partition);
                    reopen.remove(&partition);
                    self.metrics.gone(partition);
                }
            }
        }
        let at_end = self.log.at_end();
        for (partition, intake) in &mut self.intakes {
            if at_end.contains(partition) {
                let next = intake.next();
                self.metrics.partition_if_there(*partition, |metrics| {
                    metrics.at_end = true;
                    metrics.end_offset = next;
                });
            } else if intake.len() > 0 {
                self.metrics.partition_if_there(*partition, |metrics| metrics.at_end = false);
            }
            if intake.len() > 0 {
                let batch = intake.take();
                debug_assert_eq!(batch.partition, *partition);
                self.releasing
                    .to_project
                    .send(ToProject::Batch(batch))
                    .map_err(|_| ServiceError::ThreadEnded("projecting thread"))?;
            }
        }
        while let Ok((partition, opening, result)) = opened.try_recv() {
            if self.openings.get(&partition) == Some(&opening) {
                self.take_over(partition, result, reopen)?;
            } else {
                tracing::info!(
                    partition = partition.0,
                    "opened again meanwhile: the older opening is let go of"
                );
            }
        }
        while let Ok((partition, error)) = self.trouble.try_recv() {
            self.give_up(partition, error, reopen);
        }
        while let Ok((partition, next)) = self.progress.try_recv() {
            // Who has lost a partition has nothing to say of it any more, and is shut out as a stranger for trying.
            if self.owned.contains(&partition) {
                self.log.show_progress(partition, next);
            }
        }
        let now = Instant::now();
        let due: Vec<PartitionId> =
            reopen.iter().filter(|(_, at)| **at <= now).map(|(partition, _)| *partition).collect();
        for partition in due {
            reopen.remove(&partition);
            let (done, gone) = channel();
            // Whatever is left of it has to be through before its ledger is read.
            if self.releasing.to_project.send(ToProject::Close(partition, None, done)).is_ok() {
                self.open(partition, Some(gone), to_me);
            }
        }
        Ok(())
    }

    fn open(&mut self, partition: PartitionId, after: Option<Receiver<()>>, to_me: &Sender<OpenResult>) {
        let (opening, to_me) = (Arc::clone(&self.opening), to_me.clone());
        let count = self.openings.entry(partition).or_default();
        *count += 1;
        let number = *count;
        thread::spawn(move || {
            if let Some(after) = after {
                // Nothing is ever sent: the other end is dropped.
                after.recv().ok();
            }
            // Nobody listens once the service has ended.
            to_me.send((partition, number, opening.open(partition))).ok();
        });
    }

    fn take_over(
        &mut self,
        partition: PartitionId,
        result: Result<Opened, ServiceError>,
        reopen: &mut BTreeMap<PartitionId, Instant>,
    ) -> Result<(), ServiceError> {
        if !self.owned.contains(&partition) {
            return Ok(());
        }
        let opened = match result {
            Ok(opened) => opened,
            Err(error) => {
                self.give_up(partition, error, reopen);
                return Ok(());
            }
        };
        let Opened { folding, outbox, start, symbols, shown } = opened;
        self.metrics.partition_if_there(partition, |metrics| shown.in_metrics(metrics));
        let intake = Intake::new(partition, self.partitions, self.secret.clone(), symbols, start);
        self.intakes.insert(partition, intake);
        self.releasing
            .to_project
            .send(ToProject::Open(partition, Box::new(folding), Box::new(outbox)))
            .map_err(|_| ServiceError::ThreadEnded("projecting thread"))?;
        if let Err(error) = self.log.start(partition, start) {
            self.give_up(partition, error.into(), reopen);
        }
        Ok(())
    }

    /// Stops reading a partition. What the broker or the system did may pass, and the partition is opened again; what does
    /// not belong together stays so, and the partition stands still until someone has looked at it.
    fn give_up(
        &mut self,
        partition: PartitionId,
        error: ServiceError,
        reopen: &mut BTreeMap<PartitionId, Instant>,
    ) {
        self.intakes.remove(&partition);
        if !self.owned.contains(&partition) {
            return;
        }
        if let Err(error) = self.log.stop(partition) {
            tracing::warn!(partition = partition.0, %error, "partition cannot be paused");
        }
        // The other threads let go of it as well; opening it again waits until they have.
        let (done, _) = channel();
        self.releasing.to_project.send(ToProject::Close(partition, None, done)).ok();
        let reason = error.with_causes();
        if error.may_pass() {
            tracing::warn!(partition = partition.0, reason, "partition will be opened again");
            reopen.insert(partition, Instant::now() + REOPEN_AFTER);
            self.metrics.partition(partition, |metrics| metrics.phase = Phase::Opening);
        } else {
            tracing::error!(partition = partition.0, reason, "partition stopped");
            self.metrics.partition(partition, |metrics| metrics.phase = Phase::Stopped(reason));
        }
    }
}
