//! Why the ledger cannot be written or read.
//!
//! Knows nothing of who asks. Invariant: an error of `commit` says whether it is the caller's or the disk's.

use model::{ContentHash, EntryHash, Offset, PartitionId, Sequence, UnixMillis};

use crate::{rollup::RowError, store::StoreError};

/// Why the ledger cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An earlier write failed, and what the disk holds is not known.
    #[error("the ledger failed to be written before: end the program and start it again")]
    Poisoned,
    /// What is stored makes no sense.
    #[error("the ledger is damaged: {what} of partition {partition} at {at}; set it aside and rebuild it from the log", partition = .partition.0)]
    Damaged {
        /// What is damaged.
        what: &'static str,
        /// Where.
        partition: PartitionId,
        /// A sequence number, or a key in hexadecimal.
        at: String,
    },
    /// The chain breaks.
    #[error("the chain of partition {partition} breaks at entry {sequence}: expected {expected}, found {found}", partition = .partition.0, sequence = .sequence.0)]
    Chain {
        /// Where.
        partition: PartitionId,
        /// The entry.
        sequence: Sequence,
        /// The hash that should be.
        expected: EntryHash,
        /// The hash that is.
        found: EntryHash,
    },
    /// The secret is another one than the ledger was made with.
    #[error(
        "the secret has the fingerprint {given}, but the ledger was made with {pinned}: put back the secret from your backup"
    )]
    OtherSecret {
        /// Fingerprint in the ledger.
        pinned: ContentHash,
        /// Fingerprint of the secret file.
        given: ContentHash,
    },
    /// A newer version of the program made the ledger.
    #[error(
        "the ledger has format {found}, and this program knows formats up to {known}: use the newer program that made it"
    )]
    Newer {
        /// Its format.
        found: u8,
        /// The newest that this program reads.
        known: u8,
    },
    /// A caller's commit does not follow the one before.
    #[error("a commit of partition {partition} begins at offset {given}, where {expected} should follow", partition = .partition.0, given = .given.0, expected = .expected.0)]
    Offset {
        /// Where.
        partition: PartitionId,
        /// Where it should begin.
        expected: Offset,
        /// Where it begins.
        given: Offset,
    },
    /// A caller's commit has records without a disposition, or with two.
    #[error("a commit of partition {partition} has {offsets} offsets, of which {accounted} are accounted for", partition = .partition.0)]
    Unaccounted {
        /// Where.
        partition: PartitionId,
        /// Offsets read.
        offsets: u64,
        /// Dispositions and empty offsets.
        accounted: u64,
    },
    /// A caller's partition time goes back.
    #[error("a commit sets the time of partition {partition} back from {held} to {given}", partition = .partition.0, held = .held.0, given = .given.0)]
    TimeGoesBack {
        /// Where.
        partition: PartitionId,
        /// Time in the ledger.
        held: UnixMillis,
        /// Time of the commit.
        given: UnixMillis,
    },
    /// A caller's entry does not follow the one before.
    #[error("entry {given} of partition {partition} was given where {expected} should follow", partition = .partition.0, given = .given.0, expected = .expected.0)]
    Sequence {
        /// Where.
        partition: PartitionId,
        /// The sequence that should come.
        expected: Sequence,
        /// The sequence of the entry.
        given: Sequence,
    },
    /// A caller commits a partition twice at once.
    #[error("partition {partition} is committed twice in one batch", partition = .partition.0)]
    Twice {
        /// Where.
        partition: PartitionId,
    },
    /// An entry cannot be encoded or compressed.
    #[error("entry {sequence} of partition {partition} cannot be stored: {what}", partition = .partition.0, sequence = .sequence.0)]
    Encode {
        /// Where.
        partition: PartitionId,
        /// The entry.
        sequence: Sequence,
        /// What stands in the way.
        what: String,
    },
}

impl LedgerError {
    pub(super) fn of_row(partition: PartitionId) -> impl FnOnce(RowError) -> Self {
        move |error| match error {
            RowError::Store(error) => Self::Store(error),
            RowError::Malformed(key) => Self::Damaged {
                what: "a row of sums",
                partition,
                at: key.iter().map(|byte| format!("{byte:02x}")).collect(),
            },
        }
    }
}
