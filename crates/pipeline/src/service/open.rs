//! Taking a partition over: shut earlier owners out, see where publishing stands, read the state, and check that it all
//! belongs together. In this order, on a thread of its own.
//!
//! Invariant: the ledger topic's end is read only after every earlier owner is shut out.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, mpsc::SyncSender},
    time::{Duration, Instant},
};

use ledger::{
    ConfigStore, LedgerReader, SymbolTable,
    checkpoint::{CheckpointRef, StateStore},
    store::Store,
};
use model::{ContentHash, Offset, PartitionId, Sequence, Symbol};
use projector::Projector;
use tariff::Configuration;

use super::{
    belonging::Belonging,
    commit::ToCommit,
    configure::{self, Without},
    error::ServiceError,
    folding::{FirstConfiguration, Folding},
    metrics::{Metrics, PartitionMetrics, Phase},
    outbox::Outbox,
    outgoing::PublishedHead,
    ports::{Broker, Place, PortError},
    restore::{self, Restoring},
    snapshot::Snapshots,
};

/// What it takes to open partitions.
pub(crate) struct Opening<S> {
    pub(crate) reader: LedgerReader<S>,
    pub(crate) broker: Arc<dyn Broker>,
    /// Folder of checkpoints.
    pub(crate) state: PathBuf,
    pub(crate) configs: ConfigStore,
    pub(crate) place: Place,
    pub(crate) given: Arc<Configuration>,
    /// Up to where partitions are known to have no configuration.
    pub(crate) without: Without,
    pub(crate) tick_interval: Duration,
    pub(crate) metrics: Arc<Metrics>,
    /// Snapshots that all instances share; none if there are none.
    pub(crate) snapshots: Option<Snapshots>,
    pub(crate) to_commit: SyncSender<ToCommit>,
    /// Fingerprint of the secret.
    pub(crate) secret: ContentHash,
    /// Folder of configurations.
    pub(crate) configs_folder: PathBuf,
    /// Held while contents of configurations are written: partitions that open at once write the same one.
    pub(crate) keeping: Mutex<()>,
    /// Whether what the ledger topic has lost is published again.
    pub(crate) republish_ledger: bool,
}

/// A partition that is ready to be read.
pub(crate) struct Opened {
    pub(crate) folding: Folding,
    pub(crate) outbox: Outbox,
    /// Where reading begins.
    pub(crate) start: Offset,
    /// The words that the partition has so far.
    pub(crate) symbols: SymbolTable,
    /// To be shown once it is taken over: an opening that was outdated meanwhile has nothing to say.
    pub(crate) shown: Shown,
}

/// What the metrics of a partition begin with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    /// From where to where records are folded again, if any are.
    replay: Option<(Offset, Offset)>,
    end: Offset,
    next: Offset,
    committed: Sequence,
    published: Sequence,
}

impl Shown {
    pub(crate) fn in_metrics(self, metrics: &mut PartitionMetrics) {
        let Self { replay, end, next, committed, published } = self;
        metrics.phase = if replay.is_some() { Phase::Replaying } else { Phase::Opening };
        metrics.replay = replay;
        metrics.end_offset = end;
        metrics.next_offset = next;
        metrics.committed = committed;
        metrics.published = published;
    }
}

impl<S: Store> Opening<S> {
    /// Takes a partition over.
    ///
    /// # Errors
    /// What does not belong together, see [`ServiceError`]; or the broker's.
    pub(crate) fn open(&self, partition: PartitionId) -> Result<Opened, ServiceError> {
        let began = Instant::now();
        let publisher = self.broker.publisher(Some(partition))?;
        let belonging = Belonging { reader: &self.reader, broker: &*self.broker };
        let (published, last) = belonging.published(partition, self.republish_ledger)?;
        let (begin, end) = self.broker.input_range(partition)?;
        self.restore(partition, &published, begin)?;
        let own = self.reader.head(partition)?;
        if let Some(last) = last.filter(|last| last.sequence > own.sequence) {
            belonging.check_input_of(partition, &last, own.first_offset.is_none())?;
        }
        belonging.check_last_record(partition, (begin, end))?;
        let folding = self.read_state(partition, begin, published.sequence > Sequence(0))?;
        let start = folding.next_offset();
        if start < begin {
            return Err(ServiceError::InputCut { partition, first: begin, needed: start });
        }
        let head = self.reader.head(partition)?;
        let replays = head.sequence < published.sequence;
        let shown = Shown {
            replay: replays.then_some((start, end)),
            end,
            next: head.next_offset,
            committed: head.sequence,
            published: published.sequence,
        };
        tracing::info!(
            partition = partition.0,
            start = start.0,
            end = end.0,
            committed = head.sequence.0,
            published = published.sequence.0,
            replays,
            took_ms = began.elapsed().as_millis(),
            "partition opened"
        );
        let mut symbols = SymbolTable::new();
        for (word, number) in folding.words().iter().zip(0..).filter(|(word, _)| !word.is_empty()) {
            symbols.define(Symbol(number), word).map_err(|_| ServiceError::ThreadEnded("list of words"))?;
        }
        // Spread, so that partitions do not tick all at once.
        let until_tick = self.tick_interval * (partition.0 % 8 + 1) / 8;
        let next_tick = Instant::now() + until_tick;
        let committed = (head.sequence, head.next_offset);
        let outbox = Outbox::new(partition, publisher, published, committed, end, next_tick);
        Ok(Opened { folding, outbox, start, symbols, shown })
    }

    /// Takes the state from a snapshot, where this machine has nothing of the partition.
    fn restore(
        &self,
        partition: PartitionId,
        published: &PublishedHead,
        begin: Offset,
    ) -> Result<(), ServiceError> {
        let head = self.reader.head(partition)?;
        let is_unfinished = restore::is_unfinished(&head);
        if head.first_offset.is_some() && !is_unfinished {
            return Ok(());
        }
        let restored = match &self.snapshots {
            None => false,
            Some(snapshots) => Restoring {
                reader: &self.reader,
                broker: &*self.broker,
                snapshots,
                to_commit: &self.to_commit,
                metrics: &self.metrics,
                secret: self.secret,
                state: self.state_folder(partition)?,
                configs: self.configs_folder.clone(),
            }
            .restore(partition, published, begin)?,
        };
        if is_unfinished && !restored {
            return Err(ServiceError::RestoreUnfinished { partition });
        }
        Ok(())
    }

    fn state_folder(&self, partition: PartitionId) -> Result<PathBuf, PortError> {
        let folder = self.state.join(format!("p{}", partition.0));
        fs::create_dir_all(&folder)
            .map_err(|error| PortError::Settings(format!("cannot make {}: {error}", folder.display())))?;
        Ok(folder)
    }

    fn read_state(
        &self,
        partition: PartitionId,
        begin: Offset,
        is_published: bool,
    ) -> Result<Folding, ServiceError> {
        let head = self.reader.head(partition)?;
        let folder = self.state_folder(partition)?;
        let (projector, state) = match read_checkpoint(partition, &folder, head.checkpoint) {
            Ok(read) => read,
            // It is opened again: folding everything anew because a file cannot be read just now would take far longer.
            Err(error) if error.may_pass() => return Err(error),
            Err(error) => {
                tracing::warn!(partition = partition.0, %error, "checkpoint cannot be used: the state is folded again from the input");
                (Projector::new(partition), StateStore::open(&folder, None)?)
            }
        };
        let first = head.first_offset.unwrap_or(begin);
        let ahead = match projector.configured() {
            Some(_) => None,
            None => {
                let from = self.without.get(&partition).copied().unwrap_or_default();
                let (first, content) = configure::first_of_partition(
                    &self.reader,
                    &*self.broker,
                    partition,
                    is_published,
                    from,
                )?;
                Some(self.keep(first, &content)?)
            }
        };
        if head.sequence == Sequence(0) && begin > Offset(0) {
            tracing::warn!(
                partition = partition.0,
                begin = begin.0,
                "the input does not begin at its first record"
            );
        }
        Folding::new(
            partition,
            self.place.input.clone(),
            folder,
            (projector, state),
            self.configs.clone(),
            head,
            first,
            ahead,
        )
    }

    /// Keeps the content of a configuration. It is empty where the record that brought it may have been removed; what was
    /// asked for may be just that.
    fn keep(&self, first: FirstConfiguration, content: &[u8]) -> Result<FirstConfiguration, ServiceError> {
        let _keeping = self.keeping.lock().unwrap_or_else(PoisonError::into_inner);
        if !content.is_empty() {
            self.configs.keep(content)?;
        } else if first.configured.content == self.given.content_hash() {
            self.configs.keep(&self.given.to_bytes())?;
        }
        Ok(first)
    }
}

fn read_checkpoint(
    partition: PartitionId,
    folder: &Path,
    committed: Option<CheckpointRef>,
) -> Result<(Projector, StateStore), ServiceError> {
    let state = StateStore::open(folder, committed)?;
    let meta = state.read_meta()?;
    let projector = if meta.is_empty() { Projector::new(partition) } else { Projector::restore(&meta)? };
    Ok((projector, state))
}
