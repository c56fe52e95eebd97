//! Threads: how many what may have, and how they end.
//!
//! Invariant: decides how long something takes, never what comes of it.

use std::thread::{self, ScopedJoinHandle};

use projector::Projector;

use crate::error::PipelineError;

/// Threads are told of a batch and waited for: fewer records are done before that.
const WORTH_SHARING: usize = 2_048;

/// Lets a projector that is the only one use the cores that reading, decoding and committing leave: one of two, half of
/// more.
pub(crate) fn spread_over_cores(projector: &mut Projector) {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    projector.spread_over(cores / 2, WORTH_SHARING);
}

/// A thread's result; a thread that panicked is an error like others.
pub(crate) fn joined<T>(handle: ScopedJoinHandle<'_, T>, name: &'static str) -> Result<T, PipelineError> {
    handle.join().map_err(|_| PipelineError::ThreadEnded(name))
}
