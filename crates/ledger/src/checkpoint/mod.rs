//! Checkpoints of the projector's state beside sled: opaque buckets, opaque meta, and where each id is.
//!
//! Knows nothing of threads or rules: a bucket is bytes, to which more can be added.
//! Invariant: a checkpoint is whole and synced before its reference is committed, and no file that the committed one
//! needs is removed. After a crash the committed one is what is read.

mod index;
mod manifest;
mod new_ids;
mod state_file;
mod store;
mod writer;

pub use manifest::CheckpointRef;
pub use new_ids::NewIds;
pub use store::StateStore;
pub use writer::CheckpointWriter;

use std::path::PathBuf;

use crate::files::FileError;

/// Number of buckets: their numbers are 0 to 1023.
pub const BUCKETS: u16 = 1024;

/// Why a checkpoint cannot be written or read. All but wrong calls are mended by rebuilding from the log.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Bytes changed after they were written, or a file is missing.
    #[error("{path} is missing or damaged: remove the state folder's files and rebuild from the log", path = .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// Another version of the program wrote it, in another layout.
    #[error("{path} was written by another version of the program: remove the state folder's files and rebuild from the log", path = .path.display())]
    OtherVersion {
        /// The manifest.
        path: PathBuf,
    },
    /// A bucket number of 1024 or more.
    #[error("there is no bucket {bucket}: buckets are numbered 0 to 1023")]
    NoBucket {
        /// The number.
        bucket: u16,
    },
    /// Another checkpoint than the newest was said to be committed.
    #[error("checkpoint {told} was told to be committed, but the newest is {newest}")]
    NotNewest {
        /// What was told.
        told: u64,
        /// What was written last.
        newest: u64,
    },
    /// The system refused.
    #[error(transparent)]
    File(#[from] FileError),
}

impl CheckpointError {
    /// Whether what is there can only be made again: reading it once more would help no more than now.
    #[must_use]
    pub const fn is_beyond_use(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::OtherVersion { .. })
    }
}

#[cfg(test)]
mod tests;
