//! What the topics are called.
//!
//! Knows nothing of what is in them. Invariant: the four names differ, and all have the same prefix.

/// The names of the four topics, each with the installation's prefix.
///
/// The prefix is empty unless several installations share a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicNames {
    /// What stands before each name.
    pub prefix: String,
    /// Events in.
    pub input: String,
    /// Every entry.
    pub ledger: String,
    /// Money entries and the closes of periods.
    pub charges: String,
    /// Records in quarantine.
    pub deadletter: String,
}

impl TopicNames {
    /// The names with something before each, such as `staging.`.
    #[must_use]
    pub fn with_prefix(prefix: &str) -> Self {
        let named = |name: &str| format!("{prefix}{name}");
        Self {
            prefix: prefix.to_owned(),
            input: named("whatsapp.events.v1"),
            ledger: named("billing.ledger.v1"),
            charges: named("billing.charges.v1"),
            deadletter: named("billing.deadletter.v1"),
        }
    }
}

impl Default for TopicNames {
    fn default() -> Self {
        Self::with_prefix("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_stands_before_each_name() {
        assert_eq!(TopicNames::default().ledger, "billing.ledger.v1");
        assert_eq!(TopicNames::with_prefix("staging.").input, "staging.whatsapp.events.v1");
    }
}
