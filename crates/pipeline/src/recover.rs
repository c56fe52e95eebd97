//! After a stop anywhere: fold again what the checkpoint lacks, commit what the ledger lacks.
//!
//! Originals of quarantined records and numbers of users were synced before the log, so both are there already; how far
//! inputs were read comes from the log itself.

use std::{collections::BTreeMap, sync::Arc};

use ledger::{
    ConfigStore, Head,
    checkpoint::StateStore,
    log::{LogBatch, LogReader, LoggedRecord},
    store::Store,
};
use model::{ContentHash, RecordContent};
use projector::{Projected, Projector};

use crate::{
    EMBEDDED_PARTITION,
    commit::Committer,
    encoding::{AHEAD_BYTES, encode_and_commit},
    error::PipelineError,
    group::{GROUP_RECORDS, Group, Ready},
    installation::{Installation, provide},
    load::load_missing,
    progress::{OnProgress, Progress, Stage},
    threads::spread_over_cores,
};

impl<S: Store> Installation<S> {
    /// Brings the state to the end of the log, and the ledger to the state.
    pub(crate) fn recover(&mut self, on_progress: &mut OnProgress<'_>) -> Result<(), PipelineError> {
        let head = self.ledger.head(EMBEDDED_PARTITION)?;
        let meta = self.state.read_meta()?;
        if !meta.is_empty() {
            self.projector = Projector::restore(&meta)?;
            self.saved = (self.projector.next_offset(), self.projector.sequence());
        }
        spread_over_cores(&mut self.projector);
        if let Some(configured) = self.projector.configured() {
            self.provide(configured.content)?;
        }
        let end = self.log.next_offset();
        let begin = self.projector.next_offset();
        if begin < end {
            self.fold_again(&head, on_progress)?;
        }
        for (word, number) in self.projector.words().iter().zip(0..).filter(|(word, _)| !word.is_empty()) {
            let defined = self.symbols.define(model::Symbol(number), word);
            defined.map_err(|_| PipelineError::ThreadEnded("list of words"))?;
        }
        if begin < end {
            self.save_state(on_progress)?;
        }
        Ok(())
    }

    fn fold_again(&mut self, head: &Head, on_progress: &mut OnProgress<'_>) -> Result<(), PipelineError> {
        let (begin, end) = (self.projector.next_offset(), self.log.next_offset());
        let mut reader = LogReader::open(&self.dir.log(), begin)?;
        let mut batch = LogBatch::default();
        let mut out = Projected::default();
        let mut group = Group::default();
        let encoder = self.ledger.encoder(EMBEDDED_PARTITION)?;
        let committer = Committer {
            ledger: &mut self.ledger,
            log: None,
            symbols: &mut self.symbols,
            users: &mut self.users,
            quarantine: &mut self.quarantine,
            started_from: BTreeMap::new(),
            checkpointed: Arc::default(),
        };
        let (projector, state, configs) = (&mut self.projector, &self.state, &self.configs);
        encode_and_commit(committer, encoder, AHEAD_BYTES, |onward| {
            while reader.next_batch(&mut batch)? {
                prepare(projector, state, configs, &batch)?;
                let committed =
                    batch.records.partition_point(|logged| logged.record.offset < head.next_offset);
                let (known, new) = batch.records.split_at(committed);
                projector.apply(known, &mut original_of(known), &mut Vec::clear, &mut out)?;
                if projector.next_offset() == head.next_offset && projector.sequence() != head.sequence {
                    let (expected, found) = (head.sequence, projector.sequence());
                    return Err(PipelineError::Diverged { at: head.next_offset, expected, found });
                }
                let newly_adopted = projector.configured();
                onward.entries_of(&mut out, |out, hand_on| {
                    projector.apply(new, &mut original_of(new), hand_on, out)
                })?;
                for disposition in &out.dispositions {
                    group.dispositions.count(*disposition);
                }
                if newly_adopted != projector.configured() {
                    group.configuration = projector.configured().map(|configured| configured.content);
                }
                group.add_count(new.len());
                if !new.is_empty() {
                    group.sources.extend(batch.rows.drain(..));
                }
                let done = projector.next_offset();
                if group.len() >= GROUP_RECORDS || (done == end && group.len() > 0) {
                    let group = std::mem::take(&mut group);
                    let partition_time = projector.partition_time();
                    onward.group(Ready { group, next_offset: done, partition_time, checkpoint: None })?;
                }
                on_progress(Progress {
                    stage: Stage::Recovering,
                    records: done.0 - begin.0,
                    entries: projector.sequence().0,
                    work_done: done.0 - begin.0,
                    work_total: Some(end.0 - begin.0),
                });
            }
            Ok(())
        })
    }
}

/// Gives the projector what a batch of the log needs beside its records.
fn prepare(
    projector: &mut Projector,
    state: &StateStore,
    configs: &ConfigStore,
    batch: &LogBatch,
) -> Result<(), PipelineError> {
    for (symbol, word) in &batch.words {
        projector.define(*symbol, word);
    }
    for logged in &batch.records {
        if let RecordContent::Configuration(configured) = &logged.record.content {
            provide(projector, configs, configured.content)?;
        }
    }
    load_missing(projector, state, &batch.records)
}

/// The log keeps the hash of the original of each record that went into quarantine.
pub(crate) fn original_of(records: &[LoggedRecord]) -> impl FnMut(usize) -> ContentHash + '_ {
    |index| {
        records
            .get(index)
            .and_then(|logged| logged.original.as_deref().copied())
            .unwrap_or(ContentHash([0; 32]))
    }
}
