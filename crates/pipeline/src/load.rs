//! Bringing stored threads back: the buckets that a batch of records needs.
//!
//! Invariant: decides how long something takes, never what comes of it.

use std::thread;

use ledger::checkpoint::StateStore;
use model::Record;
use projector::{Projector, StoredBucket};

use crate::{error::PipelineError, threads::joined};

/// Fewer buckets than this are read before another thread has begun.
const WORTH_SHARING: usize = 32;

/// Loads the buckets that must be there before these records can be applied.
///
/// # Errors
/// Damage, or the system's.
pub(crate) fn load_missing<R: AsRef<Record>>(
    projector: &mut Projector,
    state: &StateStore,
    records: &[R],
) -> Result<(), PipelineError> {
    let missing: Vec<u16> = projector.missing(records).into_iter().collect();
    let here = if missing.len() < WORTH_SHARING { missing.len() } else { missing.len() / 2 };
    let (here, there) = missing.split_at(here);
    let (mine, other) = thread::scope(|scope| {
        let other = (!there.is_empty()).then(|| scope.spawn(|| read(state, there)));
        let mine = read(state, here);
        (mine, other.map_or(Ok(Ok(Vec::new())), |other| joined(other, "second thread that reads the state")))
    });
    for (bucket, stored) in mine?.into_iter().chain(other??) {
        projector.load_bucket(bucket, stored);
    }
    Ok(())
}

/// Loads a bucket that is away. Gives whether it was.
///
/// # Errors
/// Damage, or the system's.
pub(crate) fn load_bucket(
    projector: &mut Projector,
    state: &StateStore,
    bucket: u16,
) -> Result<bool, PipelineError> {
    if !projector.is_away(bucket) {
        return Ok(false);
    }
    for (bucket, stored) in read(state, &[bucket])? {
        projector.load_bucket(bucket, stored);
    }
    Ok(true)
}

fn read(state: &StateStore, buckets: &[u16]) -> Result<Vec<(u16, StoredBucket)>, PipelineError> {
    let read = |bucket: &u16| {
        let bytes = state.read_bucket(*bucket)?.unwrap_or_default();
        Ok((*bucket, StoredBucket::read(bytes)?))
    };
    buckets.iter().map(read).collect()
}
