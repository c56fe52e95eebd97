//! What will be committed together: some tens of thousands of records, and all they led to.

use std::collections::BTreeMap;

use ledger::{QuarantinedOriginal, checkpoint::CheckpointRef, log::LoggedRecord};
use model::{ContentHash, DispositionCounts, Entry, Offset, Symbol, Text, UnixMillis, UserRef};

use crate::source::{SourceKey, SourceMark};

/// Records after which a commit is due, unless the caller says otherwise.
pub(crate) const GROUP_RECORDS: usize = 32_768;

/// Records and what they led to.
#[derive(Debug, Default)]
pub(crate) struct Group {
    /// Batches of records, with the number of the thread of each.
    pub(crate) records: Vec<(Vec<LoggedRecord>, Vec<u32>)>,
    /// Words met for the first time.
    pub(crate) words: Vec<(Symbol, Text)>,
    /// Users met for the first time, with their numbers.
    pub(crate) users: Vec<(UserRef, String)>,
    /// Originals for the quarantine.
    pub(crate) quarantined: Vec<QuarantinedOriginal>,
    /// Dispositions of the records.
    pub(crate) dispositions: DispositionCounts,
    /// The configuration that was adopted.
    pub(crate) configuration: Option<ContentHash>,
    /// How far inputs have been read; the last of each counts.
    pub(crate) marks: Vec<(SourceKey, SourceMark)>,
    /// The same as the log has it, while a tail of the log is committed after a crash.
    pub(crate) sources: BTreeMap<Vec<u8>, Vec<u8>>,
    count: usize,
}

/// What the thread that projects hands to the one that encodes.
#[derive(Debug)]
pub(crate) enum Handed {
    /// Some of the entries that the records of the next group booked, in their order.
    Entries(Vec<Entry>),
    /// These were all of the group.
    EndOfGroup,
}

/// A group that is complete.
#[derive(Debug)]
pub(crate) struct Ready {
    /// The records and what they led to.
    pub(crate) group: Group,
    /// Behind the last record.
    pub(crate) next_offset: Offset,
    /// That of the newest tick.
    pub(crate) partition_time: UnixMillis,
    /// The state as it is behind the last record, if it was written.
    pub(crate) checkpoint: Option<CheckpointRef>,
}

impl Group {
    /// Counts records.
    pub(crate) fn add_count(&mut self, records: usize) {
        self.count += records;
    }

    /// Number of records.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.count
    }
}

impl Ready {
    /// The offset of the first record.
    pub(crate) fn first_offset(&self) -> Offset {
        Offset(self.next_offset.0 - self.group.count as u64)
    }
}
