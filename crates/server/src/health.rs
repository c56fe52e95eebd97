//! Is it alive, and is it ready: the answers for whoever starts and stops the service.
//!
//! Knows nothing of HTTP. Invariant: an instance that waits for partitions, or folds them again, is alive and not ready.

use pipeline::service::{MetricsSnapshot, Phase};

/// Whether the answer is yes, and what to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) yes: bool,
    pub(crate) text: String,
}

/// Alive unless the service as a whole cannot go on: starting it anew may help then.
pub(crate) fn alive(snapshot: &MetricsSnapshot) -> Answer {
    match &snapshot.stopped {
        None => Answer { yes: true, text: "ok\n".to_owned() },
        Some(why) => Answer { yes: false, text: format!("stopped: {why}\n") },
    }
}

/// Ready when every partition it owns is running. Lists those that are not, and why.
pub(crate) fn ready(snapshot: &MetricsSnapshot) -> Answer {
    if let Some(why) = &snapshot.stopped {
        return Answer { yes: false, text: format!("stopped: {why}\n") };
    }
    if snapshot.ready {
        return Answer {
            yes: true,
            text: format!("ok: partitions running: {}\n", snapshot.partitions.len()),
        };
    }
    let mut text = String::from("not ready\n");
    if snapshot.partitions.is_empty() {
        text.push_str("it owns no partition yet\n");
    }
    for (number, partition) in &snapshot.partitions {
        match &partition.phase {
            Phase::Running => {}
            Phase::Stopped(why) => text.push_str(&format!("partition {number}: stopped: {why}\n")),
            Phase::Opening | Phase::Replaying => {
                text.push_str(&format!("partition {number}: {}\n", partition.phase.as_str()));
            }
        }
    }
    Answer { yes: false, text }
}

#[cfg(test)]
mod tests {
    use pipeline::service::PartitionMetrics;

    use super::*;

    fn with(phase: Phase) -> MetricsSnapshot {
        let ready = phase == Phase::Running;
        let mut snapshot = MetricsSnapshot { ready, ..MetricsSnapshot::default() };
        snapshot.partitions.insert(3, PartitionMetrics { phase, ..PartitionMetrics::default() });
        snapshot
    }

    #[test]
    fn what_is_not_running_is_named() {
        assert_eq!(ready(&with(Phase::Running)).text, "ok: partitions running: 1\n");
        assert_eq!(ready(&with(Phase::Replaying)).text, "not ready\npartition 3: replaying\n");
        let stopped = ready(&with(Phase::Stopped("the input topic was made anew".to_owned())));
        assert_eq!(stopped.text, "not ready\npartition 3: stopped: the input topic was made anew\n");
        assert_eq!(ready(&MetricsSnapshot::default()).text, "not ready\nit owns no partition yet\n");
    }

    #[test]
    fn an_instance_that_folds_again_must_not_be_started_anew() {
        assert!(alive(&with(Phase::Replaying)).yes);
        assert!(alive(&with(Phase::Stopped(String::new()))).yes, "its other partitions may run");
        let stopped = MetricsSnapshot { stopped: Some("disk full".to_owned()), ..with(Phase::Running) };
        assert_eq!(alive(&stopped), Answer { yes: false, text: "stopped: disk full\n".to_owned() });
    }
}
