//! A lane's records, found in a batch and taken in groups.
//!
//! Knows nothing of what becomes of them. Invariant: groups come in the order of the records, and none is left out.

use model::{Offset, Record, RecordContent};

use super::Located;
use crate::projector::{BUCKETS, bucket_of};

/// Records are looked up in groups of this size, some groups before they are applied: the memory that one group needs is
/// on its way while another is worked on.
const GROUP: usize = 16;

/// Some records of a lane, one behind the other, and the places of their threads as far as they are known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group {
    /// Places in the batch.
    pub(super) indexes: [u32; GROUP],
    pub(super) located: [Option<Located>; GROUP],
    pub(super) length: usize,
    /// Where the first outcome stands.
    pub(super) outcomes: usize,
}

impl Group {
    pub(super) const NONE: Self =
        Self { indexes: [0; GROUP], located: [None; GROUP], length: 0, outcomes: 0 };

    pub(super) fn record<'a, R: AsRef<Record>>(&self, at: usize, records: &'a [R]) -> &'a Record {
        records[self.indexes[at] as usize].as_ref()
    }
}

/// Goes through a batch for the records of one lane.
#[derive(Debug)]
pub(super) struct Scan<'a, R> {
    pub(super) records: &'a [R],
    /// How many it has passed.
    pub(super) taken: usize,
    pub(super) first: Offset,
    pub(super) lane: u16,
    pub(super) lanes: u16,
}

impl<R: AsRef<Record>> Scan<'_, R> {
    /// The next records of the lane; few or none before one that all lanes have to wait for, or that is not the next.
    pub(super) fn group(&mut self) -> Group {
        let mut group = Group::NONE;
        while group.length < GROUP {
            let Some(record) = self.records.get(self.taken).map(AsRef::as_ref) else { break };
            let Some(lane) = lane_of(record, self.lanes) else { break };
            if record.offset != Offset(self.first.0 + self.taken as u64) {
                break;
            }
            // Written whether it counts or not: half of the records are another lane's, in no order.
            group.indexes[group.length] = u32::try_from(self.taken).unwrap_or(u32::MAX);
            group.length += usize::from(lane == self.lane);
            self.taken += 1;
        }
        group
    }
}

/// Which lane a record is for; none where all have to wait for it.
pub(crate) fn lane_of(record: &Record, lanes: u16) -> Option<u16> {
    match &record.content {
        RecordContent::Event(event) => Some(bucket_of(event.user) / (BUCKETS / lanes)),
        RecordContent::Malformed(_) | RecordContent::Misrouted | RecordContent::Ignored(_) => Some(0),
        RecordContent::Tick(_) | RecordContent::Configuration(_) | RecordContent::Resubmission { .. } => None,
    }
}
