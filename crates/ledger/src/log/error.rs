//! Why the log cannot be written or read.
//!
//! Knows nothing of who asks. Invariant: damage names its file and byte.

use std::path::PathBuf;

use model::Offset;

use crate::files::FileError;

/// Why the log cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Bytes changed after they were written, or a file is missing.
    #[error("{path} is damaged at byte {position} ({what}): put the log back from your backup", path = .path.display())]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Where the broken block begins.
        position: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A newer version of the program wrote a block.
    #[error("{path} has blocks of version {found}: use the newer program that wrote them, or, if none did, put the log back from your backup", path = .path.display())]
    Newer {
        /// The segment.
        path: PathBuf,
        /// The version of the block.
        found: u16,
    },
    /// A segment is missing, or two overlap.
    #[error("the log goes on at {found} where {expected} should follow, in {path}: put the missing files back from your backup", path = .path.display(), found = .found.0, expected = .expected.0)]
    Gap {
        /// The segment after the gap.
        path: PathBuf,
        /// The offset that should come.
        expected: Offset,
        /// The offset that comes.
        found: Offset,
    },
    /// The log ends before what the ledger was made from.
    #[error("the log ends at {end} but the ledger was made from records up to {committed}: put the log back from your backup", end = .end.0, committed = .committed.0)]
    Short {
        /// Behind the log's last whole record.
        end: Offset,
        /// Behind the last record the ledger has used.
        committed: Offset,
    },
    /// A caller's record does not follow the one before.
    #[error("record {found} was appended where {expected} should follow", found = .found.0, expected = .expected.0)]
    OutOfOrder {
        /// The offset that should come.
        expected: Offset,
        /// The offset of the record.
        found: Offset,
    },
    /// A caller's hint names another thread than before, or none.
    #[error("record {offset} has the thread hint {hint}, which stands for another thread", offset = .offset.0)]
    Hint {
        /// The record.
        offset: Offset,
        /// Its hint.
        hint: u32,
    },
    /// An earlier write failed, and what the disk holds is not known.
    #[error("the log failed to be written before: end the program and start it again")]
    Poisoned,
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
}
