//! The numbers of a running service in Prometheus' text format.
//!
//! Knows nothing of how they come about. Invariant: every metric is in [`METRICS`], under the name that alerts and
//! dashboards use, whatever the service is doing.

use model::{Disposition, UnixMillis};
use pipeline::service::{Histogram, LATENCY_MS, MetricsSnapshot, PartitionMetrics, Phase};

use crate::lines::{Fraction, Kind, Lines};

/// Name, kind and meaning of every metric.
pub const METRICS: [(&str, Kind, &str); 24] = [
    ("tarifa_ready", Kind::Gauge, "1 if every partition of this instance is running."),
    ("tarifa_stopped", Kind::Gauge, "1 if the service as a whole cannot go on."),
    ("tarifa_partition_phase", Kind::Gauge, "1 for what a partition is doing, 0 for the other phases."),
    ("tarifa_lag_records", Kind::Gauge, "Records of the input that are not committed yet."),
    ("tarifa_lag_seconds", Kind::Gauge, "Age of the last record committed; 0 if there is none to commit."),
    ("tarifa_next_offset", Kind::Gauge, "Offset behind the last record committed."),
    ("tarifa_end_offset", Kind::Gauge, "Offset behind the last record of the input."),
    ("tarifa_committed_sequence", Kind::Gauge, "Number of the last entry committed."),
    ("tarifa_published_sequence", Kind::Gauge, "Number of the last entry published."),
    ("tarifa_unpublished_entries", Kind::Gauge, "Entries committed and not published yet."),
    ("tarifa_partition_time_seconds", Kind::Gauge, "Time of the newest tick, in seconds since 1970."),
    ("tarifa_replay_records", Kind::Gauge, "Records that a replay has to fold again."),
    ("tarifa_replay_records_done", Kind::Gauge, "Records that a replay has folded again."),
    ("tarifa_records_total", Kind::Counter, "Records committed, by disposition."),
    ("tarifa_quarantined_total", Kind::Counter, "Records put into quarantine."),
    ("tarifa_entries_total", Kind::Counter, "Entries committed, by kind."),
    ("tarifa_net_charges", Kind::Gauge, "Charges less reversals since the start, by currency."),
    ("tarifa_net_charged_micros", Kind::Gauge, "What they add up to, in millionths of the currency's unit."),
    ("tarifa_unpriced_charges_total", Kind::Counter, "Charges for which there was no rate."),
    (
        "tarifa_transactions_lost_total",
        Kind::Counter,
        "Transactions that were lost and begun again, or fenced.",
    ),
    ("tarifa_commit_seconds", Kind::Histogram, "How long commits to the ledger took, flush included."),
    ("tarifa_publish_seconds", Kind::Histogram, "How long transactions took."),
    (
        "tarifa_event_to_published_seconds",
        Kind::Histogram,
        "From a record's append to what it booked being visible.",
    ),
    ("tarifa_build_info", Kind::Gauge, "1, with the version of the program."),
];

/// The text. `now` is only used to say how old the last record is.
pub(crate) fn render(snapshot: &MetricsSnapshot, now: UnixMillis) -> String {
    let mut lines = Lines::default();
    for (name, kind, help) in METRICS {
        lines.metric(name, kind, help);
        match kind {
            Kind::Histogram => histogram(&mut lines, name, of_name(snapshot, name)),
            Kind::Counter | Kind::Gauge => values(&mut lines, name, snapshot, now),
        }
    }
    lines.into_text()
}

fn of_name<'s>(snapshot: &'s MetricsSnapshot, name: &str) -> &'s Histogram {
    match name {
        "tarifa_commit_seconds" => &snapshot.commit,
        "tarifa_publish_seconds" => &snapshot.publish,
        _ => &snapshot.event_to_published,
    }
}

fn values(lines: &mut Lines, name: &str, snapshot: &MetricsSnapshot, now: UnixMillis) {
    match name {
        "tarifa_ready" => lines.value(name, &[], u8::from(snapshot.ready)),
        "tarifa_stopped" => lines.value(name, &[], u8::from(snapshot.stopped.is_some())),
        "tarifa_records_total" => {
            for (word, count) in Disposition::WORDS.iter().zip(snapshot.dispositions.by_disposition) {
                lines.value(name, &[("disposition", word)], count);
            }
        }
        "tarifa_quarantined_total" => {
            let quarantined = ["malformed", "misrouted", "future", "conflict", "late"];
            for (word, count) in Disposition::WORDS.iter().zip(snapshot.dispositions.by_disposition) {
                if quarantined.contains(word) {
                    lines.value(name, &[("reason", word)], count);
                }
            }
        }
        "tarifa_entries_total" => {
            for (kind, count) in &snapshot.entries {
                lines.value(name, &[("kind", kind)], count);
            }
        }
        "tarifa_net_charges" => {
            for (currency, (count, _)) in &snapshot.charges {
                lines.value(name, &[("currency", &currency.to_string())], count);
            }
        }
        "tarifa_net_charged_micros" => {
            for (currency, (_, micros)) in &snapshot.charges {
                lines.value(name, &[("currency", &currency.to_string())], micros);
            }
        }
        "tarifa_unpriced_charges_total" => lines.value(name, &[], snapshot.unpriced),
        "tarifa_transactions_lost_total" => lines.value(name, &[], snapshot.transactions_lost),
        "tarifa_build_info" => lines.value(name, &[("version", env!("CARGO_PKG_VERSION"))], 1),
        _ => {
            for (number, partition) in &snapshot.partitions {
                of_partition(lines, name, &number.to_string(), partition, now);
            }
        }
    }
}

fn of_partition(lines: &mut Lines, name: &str, number: &str, is: &PartitionMetrics, now: UnixMillis) {
    let labels = [("partition", number)];
    match name {
        "tarifa_partition_phase" => {
            for phase in [Phase::Opening, Phase::Replaying, Phase::Running, Phase::Stopped(String::new())] {
                let word = phase.as_str();
                let here = u8::from(is.phase.as_str() == word);
                lines.value(name, &[("partition", number), ("phase", word)], here);
            }
        }
        "tarifa_lag_records" => lines.value(name, &labels, is.lag_records()),
        "tarifa_lag_seconds" => {
            let waiting = is.lag_records() > 0;
            let age = is.record_time.filter(|_| waiting).map_or(0, |time| (now.0 - time.0).max(0));
            lines.value(name, &labels, Fraction { parts: i128::from(age), of: 1_000 });
        }
        "tarifa_next_offset" => lines.value(name, &labels, is.next_offset.0),
        "tarifa_end_offset" => lines.value(name, &labels, is.end_offset.0),
        "tarifa_committed_sequence" => lines.value(name, &labels, is.committed.0),
        "tarifa_published_sequence" => lines.value(name, &labels, is.published.0),
        "tarifa_unpublished_entries" => {
            lines.value(name, &labels, is.committed.0.saturating_sub(is.published.0));
        }
        "tarifa_partition_time_seconds" => {
            if let Some(time) = is.partition_time {
                lines.value(name, &labels, Fraction { parts: i128::from(time.0), of: 1_000 });
            }
        }
        "tarifa_replay_records" => {
            if let Some((from, to)) = is.replay {
                lines.value(name, &labels, to.0.saturating_sub(from.0));
            }
        }
        "tarifa_replay_records_done" => {
            if let Some((from, to)) = is.replay {
                lines.value(name, &labels, is.next_offset.0.min(to.0).saturating_sub(from.0));
            }
        }
        _ => {}
    }
}

fn histogram(lines: &mut Lines, name: &str, histogram: &Histogram) {
    let bucket = format!("{name}_bucket");
    let mut below = 0;
    for (end_ms, count) in LATENCY_MS.iter().zip(histogram.counts) {
        below += count;
        let end = Fraction { parts: i128::from(*end_ms), of: 1_000 }.to_string();
        lines.value(&bucket, &[("le", &end)], below);
    }
    lines.value(&bucket, &[("le", "+Inf")], histogram.count());
    lines.value(&format!("{name}_sum"), &[], Fraction { parts: i128::from(histogram.sum_us), of: 1_000_000 });
    lines.value(&format!("{name}_count"), &[], histogram.count());
}

#[cfg(test)]
mod tests {
    use model::{Currency, Offset, Sequence};

    use super::*;

    fn running() -> MetricsSnapshot {
        let partition = PartitionMetrics {
            phase: Phase::Replaying,
            next_offset: Offset(40),
            end_offset: Offset(100),
            record_time: Some(UnixMillis(1_000)),
            partition_time: Some(UnixMillis(1_500)),
            committed: Sequence(12),
            published: Sequence(10),
            replay: Some((Offset(20), Offset(90))),
            ..PartitionMetrics::default()
        };
        let mut snapshot = MetricsSnapshot::default();
        snapshot.partitions.insert(3, partition);
        snapshot.charges.insert(Currency::parse("EUR").unwrap(), (-1, -50_000));
        snapshot.commit.counts[2] = 4;
        snapshot.commit.sum_us = 20_000;
        snapshot.dispositions.by_disposition[8] = 7;
        snapshot
    }

    fn lines_of(name: &str) -> Vec<String> {
        let text = render(&running(), UnixMillis(5_250));
        text.lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect()
    }

    #[test]
    fn how_far_behind_a_partition_is_stands_in_records_and_seconds() {
        assert_eq!(
            lines_of("tarifa_lag"),
            ["tarifa_lag_records{partition=\"3\"} 60", "tarifa_lag_seconds{partition=\"3\"} 4.250",]
        );
        assert_eq!(lines_of("tarifa_unpublished_entries"), ["tarifa_unpublished_entries{partition=\"3\"} 2"]);
        assert_eq!(
            lines_of("tarifa_replay_records_done"),
            ["tarifa_replay_records_done{partition=\"3\"} 20"]
        );
    }

    #[test]
    fn a_partition_is_in_one_phase_and_the_others_are_shown_as_zero() {
        let phases = lines_of("tarifa_partition_phase");
        assert_eq!(phases.len(), 4);
        assert!(phases.contains(&"tarifa_partition_phase{partition=\"3\",phase=\"replaying\"} 1".to_owned()));
        assert!(phases.contains(&"tarifa_partition_phase{partition=\"3\",phase=\"stopped\"} 0".to_owned()));
    }

    #[test]
    fn money_is_whole_micros_by_currency() {
        assert_eq!(
            lines_of("tarifa_net_charged_micros"),
            ["tarifa_net_charged_micros{currency=\"EUR\"} -50000"]
        );
    }

    #[test]
    fn classes_of_a_histogram_count_all_that_lie_below() {
        let commit = lines_of("tarifa_commit_seconds");
        assert!(commit.contains(&"tarifa_commit_seconds_bucket{le=\"0.002\"} 0".to_owned()), "{commit:?}");
        assert!(commit.contains(&"tarifa_commit_seconds_bucket{le=\"0.005\"} 4".to_owned()));
        assert!(commit.contains(&"tarifa_commit_seconds_bucket{le=\"+Inf\"} 4".to_owned()));
        assert!(commit.contains(&"tarifa_commit_seconds_sum 0.020000".to_owned()));
    }

    #[test]
    fn every_metric_is_there_from_the_first_moment_with_its_meaning() {
        let text = render(&MetricsSnapshot::default(), UnixMillis(0));
        for (name, _, help) in METRICS {
            assert!(text.contains(&format!("# HELP {name} {help}")), "{name}");
        }
    }
}
