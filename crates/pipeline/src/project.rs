//! Projecting files: four threads (reading, projecting, encoding, committing) with bounded queues between them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, sync_channel},
    },
    thread,
    time::Duration,
};

use ledger::{ConfigStore, Quarantine, QuarantinedOriginal, checkpoint::StateStore, store::Store};
use model::{Configured, ContentHash, Disposition, DispositionCounts, Record, RecordContent, UnixMillis};
use projector::{Projected, Projector};
use tariff::Configuration;
use wire::{Format, WebhookDefaults};

use crate::{
    EMBEDDED_PARTITION,
    checkpoints::Checkpoints,
    commit::Committer,
    encoding::{AHEAD_BYTES, Onward, encode_and_commit},
    error::PipelineError,
    group::{GROUP_RECORDS, Group, Ready},
    installation::{Installation, provide},
    intake::{Batch, Intake},
    load::load_missing,
    progress::{OnProgress, Progress},
    reader::{Planned, plan, read_all},
    seal::Sealer,
    source::SourceMarks,
    threads::joined,
};

/// How many batches may wait to be projected.
const QUEUE_BATCHES: usize = 2;
/// An input that comes slowly, such as a pipe, is committed at least this often.
const COMMIT_AFTER: Duration = Duration::from_secs(2);

/// What a projection of files may be told.
#[derive(Debug, Clone, Default)]
pub struct ProjectOptions {
    /// What a new directory adopts; must not differ from what an existing one has adopted.
    pub configuration: Option<Arc<Configuration>>,
    /// Whether an existing directory must have adopted just this.
    pub configuration_is_explicit: bool,
    /// Account and business phone of bare webhook bodies.
    pub webhook_defaults: WebhookDefaults,
    /// Form of the inputs, if their first bytes are not to say.
    pub format: Option<Format>,
    /// The time of the tick at the end; that of the newest event if absent.
    pub until: Option<UnixMillis>,
    /// The clock at the start of the import: no record time is later.
    pub imported_at: UnixMillis,
    /// Records after which a commit is due; about 32,000 if absent. Larger ones pack better, smaller ones lose less work
    /// to a crash; what is booked is the same.
    pub commit_records: Option<usize>,
    /// Records after which the state is written in the middle of the run, at the earliest; 25 million if absent.
    /// A stop has no more than what came since folded again.
    pub checkpoint_records: Option<u64>,
    /// Bytes of packed entries at which they are stored ahead of a commit of very many; 16 MiB if absent.
    pub ahead_bytes: Option<usize>,
}

/// What a projection did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectSummary {
    /// Dispositions of the records of this run.
    pub dispositions: DispositionCounts,
    /// Entries booked.
    pub entries: u64,
    /// Inputs of which nothing was new.
    pub unchanged_inputs: Vec<String>,
    /// Where the partition's time stands.
    pub partition_time: UnixMillis,
}

impl<S: Store> Installation<S> {
    /// Projects inputs, ends with a tick, and saves the state.
    ///
    /// # Errors
    /// The first that occurs; what was committed before it is safe, and the next run goes on from there.
    pub fn project(
        &mut self,
        inputs: &[String],
        options: &ProjectOptions,
        on_progress: &mut OnProgress<'_>,
    ) -> Result<ProjectSummary, PipelineError> {
        let before = (self.projector.counts().clone(), self.projector.sequence());
        let planned = self.plan(inputs)?;
        let first = self.first_record(options)?;
        let sealer = Sealer::new(self.secret.clone(), self.symbols.clone());
        let mut intake = Intake::new(
            sealer,
            options.webhook_defaults.clone(),
            options.imported_at,
            self.projector.next_offset(),
        );
        let first = first.map(|content| intake.control(options.imported_at, content));
        let unchanged_inputs = self.run(&planned, options, intake, first, on_progress)?;
        if self.projector.sequence() > before.1 || *self.projector.counts() != before.0 {
            self.save_state(on_progress)?;
        }
        let mut dispositions = self.projector.counts().clone();
        dispositions.subtract(&before.0);
        Ok(ProjectSummary {
            dispositions,
            entries: self.projector.sequence().0 - before.1.0,
            unchanged_inputs,
            partition_time: self.projector.partition_time(),
        })
    }

    fn plan(&self, inputs: &[String]) -> Result<Vec<Planned>, PipelineError> {
        let reader = self.ledger.reader();
        let mut marks_of = |key: crate::source::SourceKey| {
            let stored = reader.source(&key.0)?;
            Ok(stored.and_then(|bytes| SourceMarks::from_bytes(&bytes)).unwrap_or_default())
        };
        inputs.iter().map(|name| plan(name, &mut marks_of)).collect()
    }

    /// The configuration record with which a new log begins.
    fn first_record(&mut self, options: &ProjectOptions) -> Result<Option<RecordContent>, PipelineError> {
        let Some(given) = &options.configuration else { return Ok(None) };
        let content = given.content_hash();
        match self.projector.configured() {
            Some(adopted) if options.configuration_is_explicit && adopted.content != content => {
                Err(PipelineError::OtherConfiguration)
            }
            Some(_) => Ok(None),
            None => {
                self.configs.keep(&given.to_bytes())?;
                Ok(Some(RecordContent::Configuration(Configured { content, effective_from: UnixMillis(0) })))
            }
        }
    }

    fn run(
        &mut self,
        planned: &[Planned],
        options: &ProjectOptions,
        mut intake: Intake,
        first: Option<Batch>,
        on_progress: &mut OnProgress<'_>,
    ) -> Result<Vec<String>, PipelineError> {
        let checkpoints = Checkpoints::new(self.saved, options.checkpoint_records);
        let encoder = self.ledger.encoder(EMBEDDED_PARTITION)?;
        let committer = Committer {
            ledger: &mut self.ledger,
            log: Some(&mut self.log),
            symbols: &mut self.symbols,
            users: &mut self.users,
            quarantine: &mut self.quarantine,
            started_from: planned
                .iter()
                .filter_map(|input| Some((input.key?, input.from.as_ref().map(|from| from.mark))))
                .collect(),
            checkpointed: checkpoints.committed(),
        };
        let total = planned.iter().map(|input| input.size_bytes).sum::<Option<u64>>();
        let ahead_bytes = options.ahead_bytes.unwrap_or(AHEAD_BYTES);
        let (projector, state, configs) = (&mut self.projector, &mut self.state, &self.configs);
        let saved = &mut self.saved;
        encode_and_commit(committer, encoder, ahead_bytes, |onward| {
            thread::scope(|scope| {
                let (to_project, batches) = sync_channel(QUEUE_BATCHES);
                let format = options.format;
                let reading = scope.spawn(move || {
                    let read = read_all(planned, format, &mut intake, &to_project);
                    (intake, read)
                });
                let mut projecting = Projecting::new(projector, state, configs, onward);
                projecting.checkpoints = Some(checkpoints);
                projecting.group_records = options.commit_records.unwrap_or(GROUP_RECORDS);
                projecting.progress.work_total = total;
                let projected = projecting.all(first, &batches, on_progress);
                // Without a receiver the reading thread ends, should it still be at it.
                drop(batches);
                let (mut intake, read) = joined(reading, "reading thread")?;
                let ended = match (projected, read) {
                    (Ok(()), Ok(unchanged)) => projecting.end(&mut intake, options).map(|()| unchanged),
                    (Err(error), _) | (Ok(()), Err(error)) => Err(error),
                };
                if let Some(checkpoints) = &projecting.checkpoints {
                    *saved = checkpoints.saved();
                }
                ended
            })
        })
    }
}

/// The thread in the middle.
pub(crate) struct Projecting<'a> {
    projector: &'a mut Projector,
    state: &'a mut StateStore,
    configs: &'a ConfigStore,
    /// When the state is written in between, if it is.
    checkpoints: Option<Checkpoints>,
    group: Group,
    group_records: usize,
    out: Projected,
    onward: Onward,
    progress: Progress,
}

impl<'a> Projecting<'a> {
    /// Goes on with the state as it is.
    pub(crate) fn new(
        projector: &'a mut Projector,
        state: &'a mut StateStore,
        configs: &'a ConfigStore,
        onward: Onward,
    ) -> Self {
        Self {
            projector,
            state,
            configs,
            checkpoints: None,
            group: Group::default(),
            group_records: GROUP_RECORDS,
            out: Projected::default(),
            onward,
            progress: Progress::default(),
        }
    }

    /// What became of the last record taken.
    pub(crate) fn last_disposition(&self) -> Option<Disposition> {
        self.out.dispositions.last().copied()
    }

    fn all(
        &mut self,
        first: Option<Batch>,
        batches: &Receiver<Batch>,
        on_progress: &mut OnProgress<'_>,
    ) -> Result<(), PipelineError> {
        if let Some(first) = first {
            self.take(first)?;
        }
        loop {
            match batches.recv_timeout(COMMIT_AFTER) {
                Ok(batch) => {
                    self.progress.work_done = batch.read_bytes;
                    self.take(batch)?;
                    if self.group.len() >= self.group_records {
                        self.hand_on()?;
                        self.save_if_due(on_progress)?;
                    }
                    on_progress(self.progress);
                }
                Err(RecvTimeoutError::Timeout) => self.hand_on()?,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    /// The tick at the end, and the last group.
    fn end(&mut self, intake: &mut Intake, options: &ProjectOptions) -> Result<(), PipelineError> {
        let time = options.until.unwrap_or_else(|| self.projector.newest_event_time());
        if time > self.projector.partition_time() {
            self.take(intake.control(time.min(options.imported_at), RecordContent::Tick(time)))?;
        }
        self.hand_on()
    }

    /// Projects a batch into the group.
    ///
    /// # Errors
    /// State or configuration cannot be read, or the records do not follow.
    pub(crate) fn take(&mut self, mut batch: Batch) -> Result<(), PipelineError> {
        for (symbol, word) in &batch.words {
            self.projector.define(*symbol, word);
        }
        for logged in &batch.records {
            if let RecordContent::Configuration(configured) = &logged.record.content {
                provide(self.projector, self.configs, configured.content)?;
                self.group.configuration = Some(configured.content);
            }
        }
        load_missing(self.projector, self.state, &batch.records)?;
        let mut originals: BTreeMap<usize, ContentHash> = BTreeMap::new();
        let mut original = |index: usize| {
            let hash = Quarantine::hash(batch.original(index));
            originals.insert(index, hash);
            hash
        };
        let before = self.projector.sequence();
        let projector = &mut *self.projector;
        self.onward.entries_of(&mut self.out, |out, hand_on| {
            projector.apply(&batch.records, &mut original, hand_on, out)
        })?;
        self.keep_originals(&mut batch, &originals);
        self.note_users(&batch);
        for disposition in &self.out.dispositions {
            self.group.dispositions.count(*disposition);
        }
        self.progress.records += batch.records.len() as u64;
        self.progress.entries += self.projector.sequence().0 - before.0;
        self.group.add_count(batch.records.len());
        self.group.words.append(&mut batch.words);
        self.group.marks.extend(batch.mark);
        self.group.records.push((batch.records, std::mem::take(&mut self.out.threads)));
        Ok(())
    }

    fn keep_originals(&mut self, batch: &mut Batch, originals: &BTreeMap<usize, ContentHash>) {
        for (index, hash) in originals {
            let Record { offset, record_time, .. } = batch.records[*index].record;
            let Some(reason) = self.out.dispositions[*index].quarantine() else { continue };
            let problem = batch.problems.iter().find(|(at, _)| at == index);
            self.group.quarantined.push(QuarantinedOriginal {
                partition: EMBEDDED_PARTITION,
                offset,
                record_time,
                reason,
                detail: problem.map_or_else(|| reason_text(reason).to_owned(), |(_, text)| text.clone()),
                source: batch.source.to_string(),
                line: batch.line(*index),
                piece: batch.origins.get(*index).map_or(0, |origin| origin.piece),
                original: *hash,
                bytes: Some(batch.original(*index).to_vec()),
            });
            batch.records[*index].original = Some(Box::new(*hash));
        }
    }

    fn note_users(&mut self, batch: &Batch) {
        let new: BTreeSet<usize> = self.out.new_threads.iter().copied().collect();
        for index in new {
            if let (Some(event), Some(number)) =
                (batch.records[index].record.content.event(), batch.user(index))
            {
                self.group.users.push((event.user, number.to_owned()));
            }
        }
    }

    /// Hands the group on to the thread that commits.
    ///
    /// # Errors
    /// That one has ended.
    pub(crate) fn hand_on(&mut self) -> Result<(), PipelineError> {
        if self.group.len() == 0 {
            return Ok(());
        }
        let group = std::mem::take(&mut self.group);
        let (next_offset, time) = (self.projector.next_offset(), self.projector.partition_time());
        let ready = Ready { group, next_offset, partition_time: time, checkpoint: None };
        self.onward.group(ready)
    }

    /// Writes the state behind the last group, if it is time, while that group is being committed.
    fn save_if_due(&mut self, on_progress: &mut OnProgress<'_>) -> Result<(), PipelineError> {
        let next_offset = self.projector.next_offset();
        let Some(checkpoints) =
            self.checkpoints.as_mut().filter(|checkpoints| checkpoints.is_due(next_offset))
        else {
            return Ok(());
        };
        let checkpoint = Some(checkpoints.write(self.projector, self.state, on_progress)?);
        let partition_time = self.projector.partition_time();
        let ready = Ready { group: Group::default(), next_offset, partition_time, checkpoint };
        self.onward.group(ready)
    }
}

pub(crate) fn reason_text(reason: model::QuarantineReason) -> &'static str {
    match reason {
        model::QuarantineReason::Malformed => "not readable",
        model::QuarantineReason::Misrouted => "its key is not its thread, or it is on another partition",
        model::QuarantineReason::Future => "its time is more than 5 minutes after it reached the log",
        model::QuarantineReason::Conflict => "its id is known with another content or time; the first stands",
        model::QuarantineReason::Late => "its time is more than 10 days before it reached the log",
    }
}
