//! Saving the state: a checkpoint of what changed, and the commit that refers to it.

use std::{
    sync::mpsc::{Receiver, sync_channel},
    thread,
};

use ledger::{
    checkpoint::{CheckpointError, CheckpointWriter, Pair, pair},
    store::Store,
};
use model::DispositionCounts;

use crate::{
    EMBEDDED_PARTITION,
    error::PipelineError,
    installation::Installation,
    progress::{OnProgress, Progress, Stage},
    project::joined,
};

/// How many encoded buckets may wait to be written.
const QUEUE_BUCKETS: usize = 8;

impl<S: Store> Installation<S> {
    /// Writes the state that changed, and commits that it did. One thread encodes, another writes.
    pub(crate) fn save_state(&mut self, on_progress: &mut OnProgress<'_>) -> Result<(), PipelineError> {
        let head = self.ledger.head(EMBEDDED_PARTITION)?;
        let since = (head.checkpoint_offset, self.saved_sequence);
        let shared = self.projector.snapshot_shared();
        let dirty = self.projector.dirty();
        let writer = self.state.begin(&shared)?;
        let projector = &mut self.projector;
        // About one new id a record, and some for conversations and charges.
        let records = projector.next_offset().0 - since.0.0;
        let mut ids: Vec<Pair> = Vec::with_capacity(usize::try_from(records + records / 8).unwrap_or(0));
        let (writer, ids) = thread::scope(|scope| -> Result<_, PipelineError> {
            let (to_write, buckets) = sync_channel(QUEUE_BUCKETS);
            let writing = scope.spawn(move || write_buckets(writer, &buckets));
            for (done, bucket) in (1..).zip(&dirty) {
                let mut bytes = Vec::new();
                projector.snapshot_bucket(*bucket, since, &mut bytes, &mut |id| ids.push(pair(&id, *bucket)));
                if to_write.send((*bucket, bytes)).is_err() {
                    break;
                }
                on_progress(Progress {
                    stage: Stage::Saving,
                    records: projector.next_offset().0,
                    entries: projector.sequence().0,
                    work_done: done,
                    work_total: Some(dirty.len() as u64),
                });
            }
            drop(to_write);
            Ok((joined(writing, "thread that writes the state")??, ids))
        })?;
        let checkpoint = writer.finish(ids)?;
        let none = DispositionCounts::default();
        let offset = self.projector.next_offset();
        let commit = ledger::Commit {
            partition: EMBEDDED_PARTITION,
            from_offset: offset,
            next_offset: offset,
            partition_time: self.projector.partition_time(),
            dispositions: &none,
            empty_offsets: 0,
            config: None,
            checkpoint: Some(checkpoint),
            sources: &[],
        };
        self.ledger.commit(&commit, &[])?;
        self.saved_sequence = self.projector.sequence();
        self.state.retire(&checkpoint)?;
        Ok(())
    }
}

fn write_buckets<'a>(
    mut writer: CheckpointWriter<'a>,
    buckets: &Receiver<(u16, Vec<u8>)>,
) -> Result<CheckpointWriter<'a>, CheckpointError> {
    for (bucket, bytes) in buckets {
        writer.add_bucket(bucket, &bytes)?;
    }
    Ok(writer)
}
