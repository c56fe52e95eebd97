//! The state of a partition: its threads by buckets, and what all of them share.
//!
//! Knows nothing of what a record does to it: see `apply` and `tick`.

use std::{collections::BTreeSet, sync::Arc};

use model::{
    Configured, Disposition, DispositionCounts, DurationMillis, Entry, Offset, PartitionId, Record,
    RecordContent, Sequence, Symbol, UnixMillis, UserRef,
};
use tariff::Configuration;

use crate::{booking::Words, bucket::Bucket, fold::Rules, labels::Labels, lane::Lane, minute::Minute};

/// How many buckets the threads of a partition are spread over.
pub const BUCKETS: u16 = 1_024;
/// An event may be this much later than its record before it counts as from the future (SPEC §4).
pub const FUTURE_TOLERANCE: DurationMillis = DurationMillis::from_minutes(5);
/// How much older than its own record time an event may be and still be applied (SPEC §1).
pub const HORIZON: DurationMillis = DurationMillis::from_days(10);

/// The bucket of a user's threads.
#[must_use]
pub fn bucket_of(user: UserRef) -> u16 {
    (u16::from(user.0[0]) << 8 | u16::from(user.0[1])) % BUCKETS
}

/// What a batch of records led to. Kept by the caller and used again, so that its memory is.
#[derive(Debug, Default)]
pub struct Projected {
    /// New entries that nobody took away meanwhile, without the hash of the entry before them.
    pub entries: Vec<Entry>,
    /// One for each record.
    pub dispositions: Vec<Disposition>,
    /// For each record a number of its thread, the same within this process; `u32::MAX` where there is none.
    pub threads: Vec<u32>,
    /// Places in the batch of records that began a thread.
    pub new_threads: Vec<usize>,
}

impl Projected {
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.dispositions.clear();
        self.threads.clear();
        self.new_threads.clear();
    }
}

#[derive(Debug)]
pub(crate) enum Slot {
    Loaded(Bucket),
    /// Not in memory; the minute under which its first thread waits.
    Away(Option<Minute>),
}

/// The state of one partition.
#[derive(Debug)]
pub struct Projector {
    pub(crate) partition: PartitionId,
    pub(crate) next_offset: Offset,
    pub(crate) sequence: Sequence,
    pub(crate) partition_time: UnixMillis,
    pub(crate) newest_event_time: UnixMillis,
    pub(crate) configured: Option<Configured>,
    pub(crate) configuration: Option<(Arc<Configuration>, Rules)>,
    pub(crate) words: Words,
    pub(crate) labels: Labels,
    pub(crate) resubmitted: BTreeSet<u64>,
    pub(crate) buckets: Vec<Slot>,
    pub(crate) next_hint: u32,
    /// Dispositions since the partition's first record.
    pub(crate) counts: DispositionCounts,
    /// Those who work on a batch: at least one.
    pub(crate) lanes: Vec<Lane>,
    /// Records from which on all of them do.
    pub(crate) worth_sharing: usize,
}

impl Projector {
    /// The state before a partition's first record.
    #[must_use]
    pub fn new(partition: PartitionId) -> Self {
        Self {
            partition,
            next_offset: Offset(0),
            sequence: Sequence(0),
            partition_time: UnixMillis::MIN,
            newest_event_time: UnixMillis::MIN,
            configured: None,
            configuration: None,
            words: Words::default(),
            labels: Labels::default(),
            resubmitted: BTreeSet::new(),
            buckets: (0..BUCKETS).map(|_| Slot::Loaded(Bucket::default())).collect(),
            next_hint: 0,
            counts: DispositionCounts::default(),
            lanes: vec![Lane::default()],
            worth_sharing: usize::MAX,
        }
    }

    /// The offset of the next record.
    #[must_use]
    pub fn next_offset(&self) -> Offset {
        self.next_offset
    }

    /// The number of the last entry.
    #[must_use]
    pub fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// That of the newest tick.
    #[must_use]
    pub fn partition_time(&self) -> UnixMillis {
        self.partition_time
    }

    /// The newest time of an event that was not from the future: where a projection of files puts its tick.
    #[must_use]
    pub fn newest_event_time(&self) -> UnixMillis {
        self.newest_event_time
    }

    /// Dispositions of all records so far.
    #[must_use]
    pub fn counts(&self) -> &DispositionCounts {
        &self.counts
    }

    /// Whether the record at this place was resubmitted. The same original twice is a duplicate.
    #[must_use]
    pub fn is_resubmitted(&self, original: Offset) -> bool {
        self.resubmitted.contains(&original.0)
    }

    /// The configuration that was adopted.
    #[must_use]
    pub fn configured(&self) -> Option<Configured> {
        self.configured
    }

    /// The content behind [`Self::configured`], once provided.
    #[must_use]
    pub fn configuration(&self) -> Option<&Arc<Configuration>> {
        self.configuration.as_ref().map(|(configuration, _)| configuration)
    }

    /// Says which word a symbol stands for.
    pub fn define(&mut self, symbol: Symbol, word: &str) {
        self.words.define(symbol, word);
    }

    /// The words so far, by number of their symbol.
    #[must_use]
    pub fn words(&self) -> &[model::Text] {
        self.words.all()
    }

    /// Gives the content of a configuration that the log adopts, or has adopted before a restart.
    pub fn provide(&mut self, configuration: Arc<Configuration>) {
        let rules = Rules::of(configuration.tariff());
        self.configuration = Some((configuration, rules));
    }

    /// The buckets that must be loaded before these records can be applied.
    #[must_use]
    pub fn missing<R: AsRef<Record>>(&self, records: &[R]) -> BTreeSet<u16> {
        let mut missing = BTreeSet::new();
        if !self.buckets.iter().any(|slot| matches!(slot, Slot::Away(_))) {
            return missing;
        }
        for record in records.iter().map(AsRef::as_ref) {
            if let Some(event) = record.content.event() {
                let number = bucket_of(event.user);
                if matches!(self.buckets[usize::from(number)], Slot::Away(_)) {
                    missing.insert(number);
                }
            } else if let RecordContent::Tick(time) = &record.content {
                for (number, slot) in (0..).zip(&self.buckets) {
                    if matches!(slot, Slot::Away(Some(minute)) if minute.has_come(*time)) {
                        missing.insert(number);
                    }
                }
            }
        }
        missing
    }

    /// Whether a bucket is not in memory.
    #[must_use]
    pub fn is_away(&self, number: u16) -> bool {
        self.buckets.get(usize::from(number)).is_some_and(|slot| matches!(slot, Slot::Away(_)))
    }
}
