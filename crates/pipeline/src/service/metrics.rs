//! What an operator asks of a running service, as plain numbers. Who shows them, and how, is another crate's matter.
//!
//! Invariant: nothing that is decided reads them.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use model::{Currency, DispositionCounts, Entry, EntryBody, Offset, PartitionId, Sequence, UnixMillis};

/// Upper ends of the classes of a [`Histogram`], in milliseconds; one more class holds what is longer.
pub const LATENCY_MS: [u64; 14] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000];

/// How long something took, by class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    /// How many lie in each class of [`LATENCY_MS`]; the last holds what is longer than all.
    pub counts: [u64; LATENCY_MS.len() + 1],
    /// All of them added up, in microseconds.
    pub sum_us: u64,
}

impl Histogram {
    fn add(&mut self, took: Duration) {
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.counts[LATENCY_MS.partition_point(|end| *end < ms)] += 1;
        self.sum_us = self.sum_us.saturating_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// How many were measured.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// What a partition is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Phase {
    /// State is read, and earlier owners are shut out.
    #[default]
    Opening,
    /// What was published before is folded again; nothing is published.
    Replaying,
    /// Records are booked and published as they come.
    Running,
    /// It was given up, for this reason.
    Stopped(String),
}

impl Phase {
    /// The word that metrics and logs show.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Replaying => "replaying",
            Self::Running => "running",
            Self::Stopped(_) => "stopped",
        }
    }
}

/// One partition of this instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartitionMetrics {
    /// What it is doing.
    pub phase: Phase,
    /// Behind the last record that was committed.
    pub next_offset: Offset,
    /// Behind the last record of the input, when it was last asked for.
    pub end_offset: Offset,
    /// The last record that there is has been read. What the broker counts behind it are ends of transactions.
    pub at_end: bool,
    /// Record time of the last record that was committed.
    pub record_time: Option<UnixMillis>,
    /// The partition's time: that of the newest tick.
    pub partition_time: Option<UnixMillis>,
    /// The last entry committed.
    pub committed: Sequence,
    /// The last entry published.
    pub published: Sequence,
    /// Where a replay began, and where it ends.
    pub replay: Option<(Offset, Offset)>,
}

impl PartitionMetrics {
    /// Records of the input that have not been committed.
    #[must_use]
    pub const fn lag_records(&self) -> u64 {
        self.end_offset.0.saturating_sub(self.next_offset.0)
    }
}

/// Everything, as it was at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetricsSnapshot {
    /// Partitions of this instance.
    pub partitions: BTreeMap<u32, PartitionMetrics>,
    /// Dispositions of records committed since the start.
    pub dispositions: DispositionCounts,
    /// Entries committed since the start, by kind.
    pub entries: BTreeMap<&'static str, u64>,
    /// By currency: charges less reversals since the start, and what they add up to in micro-units.
    pub charges: BTreeMap<Currency, (i64, i128)>,
    /// Unpriced charges booked since the start.
    pub unpriced: u64,
    /// How long commits took, flush included.
    pub commit: Histogram,
    /// How long publishing took, from begin to end of a transaction.
    pub publish: Histogram,
    /// From a record's append to the transaction that published what it booked.
    pub event_to_published: Histogram,
    /// Transactions that were lost and begun again, or fenced.
    pub transactions_lost: u64,
    /// The service has joined, and every partition it owns is running.
    pub ready: bool,
    /// Why the service as a whole cannot go on, once it cannot.
    pub stopped: Option<String>,
}

/// The live numbers.
#[derive(Debug, Default)]
pub struct Metrics {
    now: Mutex<MetricsSnapshot>,
}

impl Metrics {
    /// A copy of all numbers.
    #[must_use]
    pub fn snapshot(&self) -> MetricsSnapshot {
        let mut now = self.lock().clone();
        now.ready = now.stopped.is_none()
            && !now.partitions.is_empty()
            && now.partitions.values().all(|partition| partition.phase == Phase::Running);
        now
    }

    fn lock(&self) -> MutexGuard<'_, MetricsSnapshot> {
        // Numbers that a panicking thread left half-counted are still numbers.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For the thread that is told what this instance owns.
    pub(crate) fn partition(&self, partition: PartitionId, change: impl FnOnce(&mut PartitionMetrics)) {
        change(self.lock().partitions.entry(partition.0).or_default());
    }

    /// For all others: what they still have to tell of a partition that was given away does not bring it back.
    pub(crate) fn partition_if_there(
        &self,
        partition: PartitionId,
        change: impl FnOnce(&mut PartitionMetrics),
    ) {
        if let Some(metrics) = self.lock().partitions.get_mut(&partition.0) {
            change(metrics);
        }
    }

    pub(crate) fn gone(&self, partition: PartitionId) {
        self.lock().partitions.remove(&partition.0);
    }

    pub(crate) fn committed(&self, took: Duration, dispositions: &DispositionCounts) {
        let mut now = self.lock();
        now.commit.add(took);
        now.dispositions.add(dispositions);
    }

    pub(crate) fn booked(&self, entries: &[Entry]) {
        let mut now = self.lock();
        for entry in entries {
            *now.entries.entry(entry.body.kind().as_str()).or_default() += 1;
            let Some(charge) = entry.body.charge() else { continue };
            let count = if matches!(entry.body, EntryBody::ChargeReversed(_)) { -1 } else { 1 };
            let sum = now.charges.entry(charge.price.currency).or_default();
            sum.0 += count;
            sum.1 += charge.price.amount.map_or(0, |amount| i128::from(amount.0));
            now.unpriced += u64::from(count > 0 && charge.price.amount.is_none());
        }
    }

    pub(crate) fn published(&self, took: Duration, since_append: Option<Duration>) {
        let mut now = self.lock();
        now.publish.add(took);
        if let Some(since) = since_append {
            now.event_to_published.add(since);
        }
    }

    pub(crate) fn lost_transaction(&self) {
        self.lock().transactions_lost += 1;
    }

    pub(crate) fn stopped(&self, why: &str) {
        self.lock().stopped = Some(why.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_fall_into_the_class_that_ends_at_or_above_them() {
        let mut histogram = Histogram::default();
        for ms in [0, 1, 2, 3, 40_000] {
            histogram.add(Duration::from_millis(ms));
        }
        assert_eq!(histogram.counts[..3], [2, 1, 1]);
        assert_eq!((histogram.counts[LATENCY_MS.len()], histogram.count()), (1, 5));
    }

    #[test]
    fn a_service_is_ready_when_every_partition_runs() {
        let metrics = Metrics::default();
        assert!(!metrics.snapshot().ready, "it owns nothing");
        metrics.partition(PartitionId(3), |partition| partition.phase = Phase::Running);
        assert!(metrics.snapshot().ready);
        metrics.partition(PartitionId(4), |partition| partition.phase = Phase::Replaying);
        assert!(!metrics.snapshot().ready);
    }

    #[test]
    fn a_partition_that_was_given_away_is_not_brought_back_by_what_comes_late() {
        let metrics = Metrics::default();
        metrics.partition(PartitionId(3), |partition| partition.phase = Phase::Running);
        metrics.gone(PartitionId(3));
        metrics.partition_if_there(PartitionId(3), |partition| partition.at_end = true);
        assert!(metrics.snapshot().partitions.is_empty());
    }
}
