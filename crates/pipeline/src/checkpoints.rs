//! When the state is written in the middle of a run, and how: bucket by bucket, then committed like everything else.
//!
//! Knows nothing of inputs. Invariant: what is booked does not depend on it; a checkpoint that was never committed is as
//! if it had not been written.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use ledger::checkpoint::{CheckpointError, CheckpointRef, CheckpointWriter, NewIds, StateStore};
use model::{Offset, Sequence};
use projector::{BucketPart, Projector};

use crate::{
    error::PipelineError,
    progress::{OnProgress, Progress, Stage},
    threads::joined,
};

/// How many encoded buckets may wait to be written.
const QUEUE_BUCKETS: usize = 8;

/// Records between two checkpoints of a run at least: what a stop may have folded again takes some ten seconds.
const APART_RECORDS: u64 = 25_000_000;
/// A checkpoint of a long run writes nearly all state there is, which takes about a twelfth of the time in which that came
/// together (measured over 8 and 12 million records). So they come ever further apart: the work between two takes this
/// many times as long as the first of them did, and the state grows about threefold in it.
const APART_TIMES: u32 = 25;

/// Decides when the next checkpoint is due, and keeps its predecessor until it is committed.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    apart_records: u64,
    /// Behind the last record and entry that the newest checkpoint knows of.
    saved: (Offset, Sequence),
    /// When the newest was written, and how long that took.
    written: (Instant, Duration),
    newest: Option<CheckpointRef>,
    /// Number of the newest that is committed.
    committed: Arc<AtomicU64>,
}

impl Checkpoints {
    /// After a checkpoint at `saved`. Records apart as given, or 25 million.
    pub(crate) fn new(saved: (Offset, Sequence), apart_records: Option<u64>) -> Self {
        Self {
            apart_records: apart_records.unwrap_or(APART_RECORDS),
            saved,
            written: (Instant::now(), Duration::ZERO),
            newest: None,
            committed: Arc::default(),
        }
    }

    /// What the thread that commits tells of its checkpoints.
    pub(crate) fn committed(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.committed)
    }

    /// Behind the last record and entry that the newest checkpoint knows of.
    pub(crate) fn saved(&self) -> (Offset, Sequence) {
        self.saved
    }

    /// Whether the state that has come to `next` should be written. While the one before waits to be committed, it
    /// should not.
    pub(crate) fn is_due(&self, next: Offset) -> bool {
        let (at, took) = self.written;
        next.0 - self.saved.0.0 >= self.apart_records
            && at.elapsed() >= took * APART_TIMES
            && self.newest.is_none_or(|newest| self.committed.load(Ordering::Acquire) == newest.number)
    }

    /// Writes the state as it is. It counts once the reference is committed.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn write(
        &mut self,
        projector: &mut Projector,
        state: &mut StateStore,
        on_progress: &mut OnProgress<'_>,
    ) -> Result<CheckpointRef, PipelineError> {
        if let Some(before) = &self.newest {
            state.retire(before)?;
        }
        let begun = Instant::now();
        let reference = write(projector, state, self.saved, on_progress)?;
        self.saved = (projector.next_offset(), projector.sequence());
        self.written = (Instant::now(), begun.elapsed());
        self.newest = Some(reference);
        Ok(reference)
    }
}

/// Writes what changed since a checkpoint that had come to `since`. Two threads encode, a third one writes.
///
/// # Errors
/// The system's.
pub(crate) fn write(
    projector: &mut Projector,
    state: &mut StateStore,
    since: (Offset, Sequence),
    on_progress: &mut OnProgress<'_>,
) -> Result<CheckpointRef, PipelineError> {
    let shared = projector.snapshot_shared();
    let dirty = projector.dirty();
    let writer = state.begin(&shared)?;
    let encoding = Encoding { projector, since };
    let (own, others) = dirty.split_at(dirty.len().div_ceil(2));
    let (writer, ids) = thread::scope(|scope| -> Result<_, PipelineError> {
        let (to_write, buckets) = sync_channel(QUEUE_BUCKETS);
        let writing = scope.spawn(move || write_buckets(writer, &buckets));
        let also_to_write = to_write.clone();
        let other = scope.spawn(move || encoding.encode(others, &also_to_write, &mut |_| {}));
        let mut ids = encoding.encode(own, &to_write, &mut |done| {
            on_progress(Progress {
                stage: Stage::Saving,
                records: projector.next_offset().0,
                entries: projector.sequence().0,
                work_done: done,
                work_total: Some(own.len() as u64),
            });
        });
        drop(to_write);
        ids.append(joined(other, "second thread that encodes the state")?);
        Ok((joined(writing, "thread that writes the state")??, ids))
    })?;
    let reference = writer.finish(ids)?;
    projector.saved(&dirty);
    Ok(reference)
}

/// A bucket, and what of it is to be written.
type Encoded = (u16, BucketPart, Vec<u8>);

/// What the threads that encode share.
#[derive(Clone, Copy)]
struct Encoding<'a> {
    projector: &'a Projector,
    since: (Offset, Sequence),
}

impl Encoding<'_> {
    /// Encodes buckets, and gives the ids that are new in them. Ends early when nobody writes any more.
    fn encode(
        self,
        buckets: &[u16],
        to_write: &SyncSender<Encoded>,
        on_bucket: &mut dyn FnMut(u64),
    ) -> NewIds {
        // About one new id a record, and some for conversations and charges.
        let records = self.projector.next_offset().0 - self.since.0.0;
        let mut ids = NewIds::expecting(usize::try_from(records / 2 + records / 16).unwrap_or(0));
        let mut length = 0;
        for (done, bucket) in (1..).zip(buckets) {
            // They are about as long as one another.
            let mut bytes = Vec::with_capacity(length + length / 8);
            let note = &mut |id| ids.add(&id, *bucket);
            let part = self.projector.snapshot_bucket(*bucket, self.since, &mut bytes, note);
            length = bytes.len();
            if to_write.send((*bucket, part, bytes)).is_err() {
                break;
            }
            on_bucket(done);
        }
        ids
    }
}

fn write_buckets<'a>(
    mut writer: CheckpointWriter<'a>,
    buckets: &Receiver<Encoded>,
) -> Result<CheckpointWriter<'a>, CheckpointError> {
    for (bucket, part, bytes) in buckets {
        match part {
            BucketPart::Whole => writer.add_bucket(bucket, &bytes)?,
            BucketPart::Behind => writer.add_to_bucket(bucket, &bytes)?,
        }
    }
    Ok(writer)
}
