//! Going through the whole log without reading its rows: every checksum, every link between blocks and segments.
//!
//! Knows nothing of records. Invariant: a log that passes reads to its end.

use std::path::Path;

use model::Offset;

use super::{
    LogError,
    segment::{self, Blocks, NextBlock},
};

/// Where a log begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogExtent {
    /// Offset of the first record.
    pub first: Offset,
    /// Offset behind the last record of the last whole group.
    pub next: Offset,
    /// Bytes of its files.
    pub bytes: u64,
    /// Bytes behind the last whole group that a crash left half-written.
    pub torn_bytes: u64,
}

/// Checks every block of the log in a folder.
///
/// # Errors
/// The first damage, a gap between segments, or the system's.
pub fn check_log(folder: &Path) -> Result<LogExtent, LogError> {
    let segments = segment::list(folder)?;
    let mut extent = LogExtent::default();
    let count = segments.len();
    for (number, segment) in segments.into_iter().enumerate() {
        if number == 0 {
            (extent.first, extent.next) = (segment.first, segment.first);
        } else if segment.first != extent.next {
            let (expected, found) = (extent.next, segment.first);
            return Err(LogError::Gap { path: segment.path, expected, found });
        }
        let mut blocks = Blocks::open(segment)?;
        loop {
            match blocks.next_block()? {
                NextBlock::Whole(_) => {}
                NextBlock::End => break,
                NextBlock::Broken(what) if number + 1 == count => {
                    blocks.tear(what)?;
                    break;
                }
                NextBlock::Broken(what) => return Err(blocks.damaged(what)),
            }
        }
        let end = blocks.end();
        if end.torn > 0 && number + 1 < count {
            return Err(blocks.damaged("a group ends too early"));
        }
        extent.next = end.next;
        extent.torn_bytes = end.torn;
        extent.bytes += end.bytes + end.torn;
    }
    Ok(extent)
}
