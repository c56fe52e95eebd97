//! Why the service stops, or gives up a partition.

use std::path::PathBuf;

use ledger::{
    ConfigError, DirError, FrameError, LedgerError, SecretError, checkpoint::CheckpointError,
    store::StoreError,
};
use model::{ContentHash, EntryHash, Offset, PartitionId, Sequence};

use super::ports::PortError;
use crate::error::PipelineError;

/// Why the service stops, or gives up one partition. Nothing that was committed or published is touched by any of them.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The broker, or what it keeps.
    #[error(transparent)]
    Port(#[from] PortError),
    /// State, configuration or projection.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The ledger topic ends with another entry than this ledger has at that place.
    #[error(
        "partition {partition}: the ledger topic has entry {sequence} with hash {published}, this directory has {own}: \
         it was changed from outside, or the secret or configuration is another; see to the secret first, and keep a \
         copy of it; then start with an empty data directory and that secret (`--secret`), which is rebuilt from the \
         input topic, and run `tarifa verify` on the book", partition = .partition.0,
         sequence = .sequence.0
    )]
    OtherLedger {
        /// Which.
        partition: PartitionId,
        /// The last published entry.
        sequence: Sequence,
        /// Its hash in the topic.
        published: EntryHash,
        /// Its hash here.
        own: EntryHash,
    },
    /// The ledger topic has fewer entries than were published.
    #[error(
        "partition {partition}: entries up to {published} were published, but the ledger topic ends with {found}: it has \
         lost its end; restore the topic, or publish again from this directory with `--republish-ledger`",
         partition = .partition.0, published = .published.0, found = .found.0
    )]
    LedgerLost {
        /// Which.
        partition: PartitionId,
        /// What this directory knows to be published.
        published: Sequence,
        /// Where the topic ends.
        found: Sequence,
    },
    /// The ledger topic has lost its first entries.
    #[error(
        "partition {partition}: the ledger topic begins with entry {first}: it has lost those before; restore the topic, or \
         remove what is left in that partition and publish all of it again from this directory with `--republish-ledger`",
         partition = .partition.0, first = .first.0
    )]
    LedgerCut {
        /// Which.
        partition: PartitionId,
        /// The first that is there.
        first: Sequence,
    },
    /// A restore from a snapshot was interrupted, and the snapshot is gone.
    #[error(
        "partition {partition}: the restore from a snapshot was interrupted, and no snapshot fits any more: keep its \
         secret, and start with an empty data directory to rebuild it from the input topic", partition = .partition.0
    )]
    RestoreUnfinished {
        /// Which.
        partition: PartitionId,
    },
    /// A record of the ledger topic cannot be read.
    #[error("partition {partition}: record {offset} of the ledger topic is no entry of ours ({what}): check which program writes there",
        partition = .partition.0, offset = .offset.0)]
    ForeignLedger {
        /// Which.
        partition: PartitionId,
        /// Its place in the ledger topic.
        offset: Offset,
        /// What is wrong with it.
        what: String,
    },
    /// The input topic has lost records that have not been read.
    #[error(
        "partition {partition}: the input topic begins at record {first}, but record {needed} is needed next: records were \
         removed before they were read; raise the topic's retention, and restore the data directory or its snapshot",
         partition = .partition.0, first = .first.0, needed = .needed.0
    )]
    InputCut {
        /// Which.
        partition: PartitionId,
        /// The first record that is there.
        first: Offset,
        /// The record that is needed.
        needed: Offset,
    },
    /// The input topic is not the one that was read before.
    #[error(
        "partition {partition}: record {offset} of the input topic is not the one that was read before: the topic was made \
         anew, or lost records in an unclean election; this directory does not belong to it",
         partition = .partition.0, offset = .offset.0
    )]
    OtherInput {
        /// Which.
        partition: PartitionId,
        /// The record that differs.
        offset: Offset,
    },
    /// The directory was made with another cluster, topic, number of partitions or application name.
    #[error("this data directory belongs to {what} {pinned}, but the service is run with {found}: {advice}")]
    Pinned {
        /// What differs.
        what: &'static str,
        /// What the directory was made with.
        pinned: String,
        /// What is.
        found: String,
        /// What to do.
        advice: &'static str,
    },
    /// The directory has an embedded log.
    #[error("{path} was made by `tarifa project` and has a log of its own: give `run` a directory of its own", path = .path.display())]
    EmbeddedDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// The topic has adopted another configuration than the one that was asked for.
    #[error(
        "the input topic has adopted configuration {adopted}, the settings describe {given}: leave out `tariff`, `currency`, \
         `zone` and `accounts`, or give those that were adopted"
    )]
    OtherConfiguration {
        /// In the log.
        adopted: ContentHash,
        /// What was asked for.
        given: ContentHash,
    },
    /// A part of the service ended without a word.
    #[error("the {0} ended unexpectedly; what was committed is safe, start the service again")]
    ThreadEnded(&'static str),
}

impl ServiceError {
    /// Whether trying again may help: the broker, or a file of the state that could not be read.
    pub(crate) const fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Port(PortError::Fenced(_) | PortError::Aborted(_) | PortError::Unavailable(_))
                | Self::Pipeline(PipelineError::Checkpoint(CheckpointError::File(_)))
        )
    }

    /// The input topic got another number of partitions while the service ran.
    pub(crate) fn partitions_changed(pinned: u32, found: &str) -> Self {
        Self::Pinned {
            what: "an input topic with the number of partitions",
            pinned: pinned.to_string(),
            found: found.to_owned(),
            advice: "the number was changed while the service ran, which tears threads apart: stop the producers, make a \
                     new topic with the number you want, and copy the events into it",
        }
    }
}

macro_rules! through_pipeline {
    ($($error:ty),*) => {
        $(impl From<$error> for ServiceError {
            fn from(error: $error) -> Self {
                Self::Pipeline(error.into())
            }
        })*
    };
}

through_pipeline!(
    LedgerError,
    StoreError,
    DirError,
    FrameError,
    SecretError,
    ConfigError,
    CheckpointError,
    projector::ProjectError,
    projector::SnapshotError
);

impl ServiceError {
    /// What it says, and what led to it, in one line: whoever reads a log has no other.
    pub(crate) fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let said = error.to_string();
            // An error that only passes another one on says the same.
            if !text.ends_with(&said) {
                text.push_str(": ");
                text.push_str(&said);
            }
            cause = error.source();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use ledger::FileError;
    use model::Offset;
    use projector::ProjectError;

    use super::*;

    #[test]
    fn a_file_that_could_not_be_read_may_be_the_next_time_and_damage_stays() {
        let of = |error| ServiceError::from(PipelineError::from(error));
        let path = || PathBuf::from("state/1.state");
        let source = std::io::Error::other("too many open files");
        let unread = FileError { action: "open", path: path(), source };
        assert!(of(CheckpointError::File(unread)).may_pass());
        assert!(!of(CheckpointError::Damaged { path: path() }).may_pass());
        assert!(ServiceError::from(PortError::Unavailable("gone".to_owned())).may_pass());
    }

    #[test]
    fn an_error_names_what_led_to_it_once() {
        let error =
            ServiceError::from(crate::error::PipelineError::from(ProjectError::NotConfigured(Offset(7))));
        let text = error.with_causes();
        assert!(text.contains("cannot be projected: "), "{text}");
        assert_eq!(text.matches(&ProjectError::NotConfigured(Offset(7)).to_string()).count(), 1, "{text}");
    }
}
