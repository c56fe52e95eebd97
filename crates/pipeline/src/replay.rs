//! Replay: the whole log projected again, into nothing but a chain of hashes, and compared with the ledger's.

use std::{sync::mpsc::sync_channel, thread};

use ledger::{
    EntryEncoder, LedgerReader,
    log::{LogBatch, LogReader, LoggedRecord},
    store::Store,
};
use model::{Entry, EntryHash, RecordContent, Sequence};
use projector::{Projected, Projector};

use crate::{
    EMBEDDED_PARTITION,
    error::PipelineError,
    installation::{Installation, provide},
    progress::{OnProgress, Progress, Stage},
    recover::original_of,
    threads::spread_over_cores,
};

/// Entries after which they are handed to the thread that chains them.
const HANDED_ON: usize = 16_384;

/// What a replay found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayOutcome {
    /// Records of the log.
    pub records: u64,
    /// Entries made again.
    pub entries: u64,
    /// Head of the chain made again.
    pub hash: EntryHash,
    /// Where ledger and replay first differ; none if they are the same to the byte.
    pub difference: Option<Difference>,
}

/// The first entry that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its number.
    pub sequence: Sequence,
    /// As the ledger has it; none if the ledger ends before.
    pub in_ledger: Option<Box<Entry>>,
    /// As the replay made it; none if the replay ends before.
    pub in_replay: Option<Box<Entry>>,
}

impl<S: Store> Installation<S> {
    /// Projects the whole log again and compares.
    ///
    /// # Errors
    /// Log or ledger cannot be read.
    pub fn replay_verify(&self, on_progress: &mut OnProgress<'_>) -> Result<ReplayOutcome, PipelineError> {
        let head = self.ledger.head(EMBEDDED_PARTITION)?;
        let mut encoder = EntryEncoder::new(EMBEDDED_PARTITION, Sequence(0), EntryHash::ZERO)?;
        let (records, last) = thread::scope(|scope| {
            let (to_chain, entries) = sync_channel::<Vec<Entry>>(2);
            let chaining = scope.spawn(move || {
                while let Ok(entries) = entries.recv() {
                    encoder.chain(&entries)?;
                }
                Ok::<_, PipelineError>(encoder.last())
            });
            let replayed = self.replay(on_progress, &mut |entries| {
                to_chain.send(entries).map_err(|_| PipelineError::ThreadEnded("chaining thread"))
            });
            drop(to_chain);
            let last = chaining.join().map_err(|_| PipelineError::ThreadEnded("chaining thread"))??;
            Ok::<_, PipelineError>((replayed?, last))
        })?;
        let (sequence, hash) = last;
        let same = (sequence, hash) == (head.sequence, head.hash);
        let difference = if same { None } else { self.first_difference()? };
        Ok(ReplayOutcome { records, entries: sequence.0, hash, difference })
    }

    /// Projects the whole log; gives the entries to `sink` in portions. Returns the number of records.
    fn replay(
        &self,
        on_progress: &mut OnProgress<'_>,
        sink: &mut dyn FnMut(Vec<Entry>) -> Result<(), PipelineError>,
    ) -> Result<u64, PipelineError> {
        let total = self.ledger.head(EMBEDDED_PARTITION)?.next_offset;
        let folder = self.dir.log();
        let mut projector = Projector::new(EMBEDDED_PARTITION);
        spread_over_cores(&mut projector);
        thread::scope(|scope| {
            let (to_project, batches) = sync_channel::<LogBatch>(4);
            let (give_back, empty) = sync_channel::<LogBatch>(8);
            let reading = scope.spawn(move || {
                let mut reader = LogReader::open(&folder, model::Offset(0))?;
                loop {
                    let mut batch = empty.try_recv().unwrap_or_default();
                    if !reader.next_batch(&mut batch)? || to_project.send(batch).is_err() {
                        return Ok::<(), PipelineError>(());
                    }
                }
            });
            let mut out = Projected::default();
            let mut waiting = Vec::new();
            while let Ok(batch) = batches.recv() {
                for (symbol, word) in &batch.words {
                    projector.define(*symbol, word);
                }
                let committed = batch.records.partition_point(|logged| logged.record.offset < total);
                let records: &[LoggedRecord] = &batch.records[..committed];
                for logged in records {
                    if let RecordContent::Configuration(configured) = &logged.record.content {
                        provide(&mut projector, &self.configs, configured.content)?;
                    }
                }
                let mut handed_on = Ok(());
                let mut hand_on = |entries: &mut Vec<Entry>| {
                    waiting.append(entries);
                    if waiting.len() >= HANDED_ON && handed_on.is_ok() {
                        handed_on = sink(std::mem::take(&mut waiting));
                    }
                };
                projector.apply(records, &mut original_of(records), &mut hand_on, &mut out)?;
                hand_on(&mut out.entries);
                handed_on?;
                on_progress(Progress {
                    stage: Stage::Replaying,
                    records: projector.next_offset().0,
                    entries: projector.sequence().0,
                    work_done: projector.next_offset().0,
                    work_total: Some(total.0),
                });
                // The reader may have ended; then nobody wants the buffers back.
                drop(give_back.try_send(batch));
            }
            sink(waiting)?;
            reading.join().map_err(|_| PipelineError::ThreadEnded("reading thread"))??;
            Ok(projector.next_offset().0)
        })
    }

    /// Walks both side by side. Slower than comparing hashes, so done only when those differ.
    fn first_difference(&self) -> Result<Option<Difference>, PipelineError> {
        let reader: &LedgerReader<S> = self.ledger.reader();
        let mut stored = reader.entries(EMBEDDED_PARTITION, Sequence(1))?;
        let mut found = None;
        let mut last = Sequence(0);
        self.replay(&mut |_| {}, &mut |entries| {
            for mut made in entries {
                if found.is_some() {
                    break;
                }
                let kept = stored.next().transpose()?;
                if let Some(kept) = &kept {
                    made.previous_hash = kept.previous_hash;
                }
                last = made.sequence;
                if kept.as_ref() != Some(&made) {
                    let (in_ledger, in_replay) = (kept.map(Box::new), Some(Box::new(made)));
                    found = Some(Difference { sequence: last, in_ledger, in_replay });
                }
            }
            Ok(())
        })?;
        if found.is_none()
            && let Some(extra) = stored.next().transpose()?
        {
            found = Some(Difference {
                sequence: extra.sequence,
                in_ledger: Some(Box::new(extra)),
                in_replay: None,
            });
        }
        Ok(found)
    }
}
