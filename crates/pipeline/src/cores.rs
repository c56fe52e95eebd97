//! How many cores what may have.
//!
//! Invariant: decides how long something takes, never what comes of it.

use std::thread;

use projector::Projector;

/// Threads are told of a batch and waited for: fewer records are done before that.
const WORTH_SHARING: usize = 2_048;

/// Lets a projector that is the only one use the cores that reading, decoding and committing leave: one of two, half of
/// more.
pub(crate) fn spread_over_cores(projector: &mut Projector) {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    projector.spread_over(cores / 2, WORTH_SHARING);
}
