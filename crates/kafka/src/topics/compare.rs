//! Comparing topics as they are with what they should be.
//!
//! Knows no cluster, only what was read of one. Invariant: each difference comes with the command that mends it.

use std::collections::BTreeMap;

use super::wanted::{Must, Wanted};
use crate::TopicNames;

/// A topic as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// How many partitions it has.
    pub partitions: usize,
    /// The least number of copies that any of its partitions has.
    pub copies_min: usize,
    /// How it is set, by the broker's names.
    pub settings: BTreeMap<String, String>,
}

/// What is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Which topic.
    pub topic: String,
    /// Which setting; `partitions` for their number, `topic` where there is none.
    pub setting: String,
    /// What it is.
    pub found: String,
    /// What it should be.
    pub wanted: String,
    /// What goes wrong otherwise.
    pub why: String,
    /// A command that puts it right.
    pub mend: String,
}

/// Compares. `brokers` goes into the commands.
pub(super) fn compare(
    wanted: &[Wanted<'_>],
    found: &[Found],
    names: &TopicNames,
    brokers: &str,
) -> Vec<Difference> {
    let create = create_command(names, brokers);
    let by_name = |name: &str| found.iter().find(|topic| topic.name == name);
    let input = wanted.first().and_then(|input| by_name(input.name));
    let mut differences = Vec::new();
    for topic in wanted {
        let Some(is) = by_name(topic.name) else {
            differences.push(absent(topic.name, create.clone()));
            continue;
        };
        if let Some(input) =
            input.filter(|input| topic.partitions_as_input && input.partitions != is.partitions)
        {
            differences.push(partitions(is, input, brokers, &create));
        }
        for setting in topic.settings.iter().filter(|setting| setting.must != Must::NotMatter) {
            let value = is.settings.get(setting.name).map_or("", String::as_str);
            if setting.holds(value) {
                continue;
            }
            differences.push(Difference {
                topic: is.name.clone(),
                setting: setting.name.to_owned(),
                found: value.to_owned(),
                wanted: setting.value.clone(),
                why: setting.why.to_owned(),
                mend: format!(
                    "kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics --entity-name {} \
                     --add-config {}={}",
                    is.name, setting.name, setting.value
                ),
            });
        }
    }
    differences
}

fn create_command(names: &TopicNames, brokers: &str) -> String {
    match names.prefix.as_str() {
        "" => format!("tarifa topics create --brokers {brokers}"),
        prefix => format!("tarifa topics create --brokers {brokers} --topic-prefix {prefix}"),
    }
}

fn absent(name: &str, mend: String) -> Difference {
    Difference {
        topic: name.to_owned(),
        setting: "topic".to_owned(),
        found: "absent".to_owned(),
        wanted: "there".to_owned(),
        why: "there is nothing to read from or to write to".to_owned(),
        mend,
    }
}

/// Entries of a partition go to the partition of the same number, so both topics need the same numbers.
fn partitions(is: &Found, input: &Found, brokers: &str, create: &str) -> Difference {
    let mend = if is.partitions < input.partitions {
        format!(
            "kafka-topics.sh --bootstrap-server {brokers} --alter --topic {} --partitions {}   (only while nothing was \
             published: if {} was given more partitions later, make a new input topic with that number, and copy the \
             events into it)",
            is.name, input.partitions, input.name
        )
    } else {
        // Fewer partitions are not to be had, and more of the input would move threads and bill them twice.
        format!(
            "kafka-topics.sh --bootstrap-server {brokers} --delete --topic {}   (only while nothing was published), \
             then {create}",
            is.name
        )
    };
    Difference {
        topic: is.name.clone(),
        setting: "partitions".to_owned(),
        found: is.partitions.to_string(),
        wanted: input.partitions.to_string(),
        why: format!("a partition's entries go to the same partition as in {}", input.name),
        mend,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::wanted::wanted, *};

    fn as_wanted(names: &TopicNames) -> Vec<Found> {
        wanted(names, 1, -1)
            .iter()
            .map(|topic| Found {
                name: topic.name.to_owned(),
                partitions: 8,
                copies_min: 1,
                settings: topic
                    .settings
                    .iter()
                    .map(|setting| (setting.name.to_owned(), setting.value.clone()))
                    .collect(),
            })
            .collect()
    }

    /// What is told when the topics are as they should be but for one thing.
    fn told(change: impl FnOnce(&mut Vec<Found>)) -> Vec<String> {
        let names = TopicNames::default();
        let mut found = as_wanted(&names);
        change(&mut found);
        compare(&wanted(&names, 1, -1), &found, &names, "b:1")
            .into_iter()
            .map(|it| format!("{} {}: {} -> {}; {}", it.topic, it.setting, it.found, it.wanted, it.mend))
            .collect()
    }

    #[test]
    fn topics_as_they_should_be_have_no_difference() {
        assert_eq!(told(|_| {}), Vec::<String>::new());
        let kept_shorter = told(|found| {
            found[0].settings.insert("retention.ms".to_owned(), "604800000".to_owned());
        });
        assert_eq!(
            kept_shorter,
            Vec::<String>::new(),
            "how long the input is kept is its operator's business"
        );
    }

    #[test]
    fn a_producers_clock_is_refused_with_the_command_that_mends_it() {
        let told = told(|found| {
            found[0].settings.insert("message.timestamp.type".to_owned(), "CreateTime".to_owned());
        });
        assert_eq!(
            told,
            ["whatsapp.events.v1 message.timestamp.type: CreateTime -> LogAppendTime; kafka-configs.sh \
              --bootstrap-server b:1 --alter --entity-type topics --entity-name whatsapp.events.v1 --add-config \
              message.timestamp.type=LogAppendTime"]
        );
    }

    #[test]
    fn a_ledger_that_may_lose_its_beginning_is_refused() {
        let told = told(|found| {
            found[1].settings.insert("cleanup.policy".to_owned(), "compact".to_owned());
            found[1].settings.insert("retention.ms".to_owned(), "604800000".to_owned());
        });
        assert!(told[0].starts_with("billing.ledger.v1 cleanup.policy: compact -> delete"), "{told:?}");
        assert!(told[1].starts_with("billing.ledger.v1 retention.ms: 604800000 -> -1"), "{told:?}");
    }

    #[test]
    fn the_ledger_has_as_many_partitions_as_the_input() {
        assert!(told(|found| found[1].partitions = 4)[0].contains("partitions: 4 -> 8; kafka-topics.sh"));
        assert!(told(|found| found[1].partitions = 9)[0].contains("--delete --topic billing.ledger.v1"));
        assert_eq!(told(|found| found[2].partitions = 3), Vec::<String>::new());
    }

    #[test]
    fn a_topic_that_is_not_there_is_to_be_created() {
        let told = told(|found| {
            found.remove(3);
        });
        assert_eq!(
            told,
            ["billing.deadletter.v1 topic: absent -> there; tarifa topics create --brokers b:1"]
        );
    }
}
