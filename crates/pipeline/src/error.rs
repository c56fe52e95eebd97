//! What can go wrong between an input and the ledger.

use std::io;

use ledger::{ConfigError, LedgerError};
use ledger::{
    DirError, FrameError, SecretError, checkpoint::CheckpointError, log::LogError, store::StoreError,
};
use model::{ContentHash, Offset, Sequence};
use projector::{ProjectError, SnapshotError};
use tariff::ConfigurationError;

use crate::{resubmit::ResubmitError, source::OpenInputError};

/// Why the pipeline stopped. Nothing that was committed is touched by any of them.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The data directory cannot be used.
    #[error(transparent)]
    Dir(#[from] DirError),
    /// The secret cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The event log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A checkpoint failed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The user directory or the quarantine failed.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// Kept configurations failed.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An adopted configuration cannot be read.
    #[error("the adopted configuration {hash} cannot be read")]
    Configuration {
        /// Its hash.
        hash: ContentHash,
        /// Why.
        #[source]
        source: ConfigurationError,
    },
    /// The log cannot be projected.
    #[error("the event log cannot be projected")]
    Project(#[from] ProjectError),
    /// Stored state cannot be read.
    #[error(
        "the stored state cannot be read; remove the folder `state` of the data directory, it is made again"
    )]
    Snapshot(#[from] SnapshotError),
    /// An input cannot be opened.
    #[error(transparent)]
    OpenInput(#[from] OpenInputError),
    /// An input cannot be read on.
    #[error("cannot read on in {name}; what was read before is safe, run the same command again")]
    Read {
        /// As the user named it.
        name: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Folding the log again led elsewhere than the ledger says.
    #[error(
        "folding the log again gives entry {found} at record {at}, the ledger has entry {expected}: the log or the \
         ledger was changed from outside; run `tarifa verify`", at = .at.0, found = .found.0, expected = .expected.0
    )]
    Diverged {
        /// Up to which record.
        at: Offset,
        /// The ledger's last entry.
        expected: Sequence,
        /// The last entry made again.
        found: Sequence,
    },
    /// A directory without a configuration was opened for reading.
    #[error("this data directory holds nothing yet; project a file into it: tarifa project FILE --data DIR")]
    Empty,
    /// A new configuration was given for a directory that has adopted one.
    #[error(
        "this data directory has adopted a configuration that differs from the one given; leave out --tariff, \
         --currency, --zone and --accounts, or project into a new directory"
    )]
    OtherConfiguration,
    /// The directory of a service was opened as that of an embedded log.
    #[error(
        "{path} is the directory of a service, whose log is in Kafka: verify it with `tarifa verify`, and read its \
         books with `tarifa collect`; quarantined records are on the dead-letter topic", path = .path.display()
    )]
    ServiceDirectory {
        /// The directory.
        path: std::path::PathBuf,
    },
    /// A book was opened as the directory of an embedded log.
    #[error(
        "{path} is a book, collected from the ledger topic: it has no log, no secret and no quarantine; what cannot be read \
         from it is asked of the directory that has these, or of the topics", path = .path.display()
    )]
    BookDirectory {
        /// The directory.
        path: std::path::PathBuf,
    },
    /// A record cannot be resubmitted.
    #[error(transparent)]
    Resubmit(#[from] ResubmitError),
    /// A thread of the pipeline ended without a word.
    #[error("the {0} ended unexpectedly; what was committed before is safe, run the same command again")]
    ThreadEnded(&'static str),
}
