//! How each topic has to be set, and why.
//!
//! Knows nothing of a cluster. Invariant: what is created is what is checked.

use crate::TopicNames;

/// 30 days, in ms.
const THIRTY_DAYS_MS: &str = "2592000000";
/// Room for the largest record that the input takes by default, and for the headers that say why it is here.
const DEADLETTER_BYTES: i64 = 2 * 1024 * 1024;

/// One topic as it should be.
#[derive(Debug, Clone)]
pub(super) struct Wanted<'n> {
    pub(super) name: &'n str,
    pub(super) settings: Vec<Setting>,
    /// Whether it needs exactly as many partitions as the input.
    pub(super) partitions_as_input: bool,
}

/// One setting of a topic.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) name: &'static str,
    /// What it is created with.
    pub(super) value: String,
    pub(super) must: Must,
    /// What goes wrong otherwise.
    pub(super) why: &'static str,
}

/// When a value that was found is good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Must {
    /// Only the value itself.
    Be,
    /// A number that is not smaller.
    BeAtLeast,
    /// Any: it is only what a new topic gets.
    NotMatter,
}

impl Setting {
    pub(super) fn holds(&self, found: &str) -> bool {
        match self.must {
            Must::Be => found == self.value,
            Must::BeAtLeast => match (found.parse::<i64>(), self.value.parse::<i64>()) {
                (Ok(found), Ok(least)) => found >= least,
                _ => false,
            },
            Must::NotMatter => true,
        }
    }
}

/// All four. `in_sync_min` is how many copies have to be written before a record counts as written.
pub(super) fn wanted<'n>(
    names: &'n TopicNames,
    in_sync_min: usize,
    input_retention_ms: i64,
) -> Vec<Wanted<'n>> {
    let be = |name, value: &str, why| Setting { name, value: value.to_owned(), must: Must::Be, why };
    // What holds of all: no record that was written may be lost with one machine.
    let safe = || {
        vec![
            be("cleanup.policy", "delete", "compaction takes records away from the middle"),
            be("unclean.leader.election.enable", "false", "a copy that lags would become the truth"),
            Setting {
                name: "min.insync.replicas",
                value: in_sync_min.to_string(),
                must: Must::BeAtLeast,
                why: "what is acknowledged must outlive the loss of one machine",
            },
        ]
    };
    let kept_for_ever = || {
        [
            be("retention.ms", "-1", "old entries carry old times, and would be deleted at birth"),
            be("retention.bytes", "-1", "the oldest entries would be deleted when there are many"),
        ]
    };
    let by_the_broker =
        be("message.timestamp.type", "LogAppendTime", "a producer's clock must not be able to move ours");
    let mut input = safe();
    input.push(by_the_broker.clone());
    input.push(Setting {
        name: "retention.ms",
        value: input_retention_ms.to_string(),
        must: Must::NotMatter,
        why: "",
    });
    let mut ledger = safe();
    ledger.extend(kept_for_ever());
    let mut charges = safe();
    charges.extend(kept_for_ever());
    let mut deadletter = safe();
    deadletter.extend([
        Setting { why: "thirty days begin when a record comes here, not when it happened", ..by_the_broker },
        be("retention.ms", THIRTY_DAYS_MS, "originals may contain numbers, and go after 30 days"),
        Setting {
            name: "max.message.bytes",
            value: DEADLETTER_BYTES.to_string(),
            must: Must::BeAtLeast,
            why: "the largest record of the input must fit, with its headers",
        },
    ]);
    let topic = |name, settings, partitions_as_input| Wanted { name, settings, partitions_as_input };
    vec![
        topic(names.input.as_str(), input, false),
        topic(names.ledger.as_str(), ledger, true),
        topic(names.charges.as_str(), charges, false),
        topic(names.deadletter.as_str(), deadletter, false),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(must: Must) -> Setting {
        Setting { name: "min.insync.replicas", value: "2".to_owned(), must, why: "" }
    }

    #[test]
    fn more_is_good_enough_where_only_less_harms() {
        let holds = |must, found| setting(must).holds(found);
        assert!(holds(Must::BeAtLeast, "3") && !holds(Must::BeAtLeast, "1"));
        assert!(holds(Must::Be, "2") && !holds(Must::Be, "3"));
        assert!(!holds(Must::BeAtLeast, "many"));
        assert!(holds(Must::NotMatter, "7"));
    }

    #[test]
    fn the_ledger_is_kept_for_ever_and_never_compacted() {
        let names = TopicNames::default();
        let all = wanted(&names, 2, -1);
        let ledger = all.iter().find(|topic| topic.name == names.ledger).unwrap();
        for (name, value) in [("cleanup.policy", "delete"), ("retention.ms", "-1")] {
            assert!(ledger.settings.iter().any(|s| s.name == name && s.value == value && s.must == Must::Be));
        }
        assert!(ledger.partitions_as_input);
    }
}
