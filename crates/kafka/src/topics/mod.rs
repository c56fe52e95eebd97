//! The topics: made as they have to be, and checked.
//!
//! Changes no topic that is there: how it is set may be meant so for others, and whoever owns it is told the command.
//! Invariant: a topic that would let a wrong charge through is never called good.

mod compare;
mod wanted;

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    admin::{
        AdminClient, AdminOptions, NewTopic, OwnedResourceSpecifier, ResourceSpecifier, TopicReplication,
    },
    error::{KafkaError, RDKafkaErrorCode},
};
use thiserror::Error;

pub use self::compare::{Difference, Found};
use self::wanted::wanted;
use crate::{ClientSettings, Sasl, SignIn, TopicNames, client::without_value, wait::wait};

/// How long a cluster may take to answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
/// As many copies as are usual, where there are machines for them.
const COPIES_USUAL: usize = 3;

/// How the topics are made.
#[derive(Debug, Clone)]
pub struct CreateOptions {
    /// Partitions of each topic. The number cannot be changed later: it would bill threads twice.
    pub partitions: usize,
    /// Copies of each record; none means three, or as many as there are brokers.
    pub copies: Option<usize>,
    /// How long the input is kept, in ms; -1 means for ever.
    pub input_retention_ms: i64,
}

/// What a look at the topics gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicsReport {
    /// Those that were made.
    pub created: Vec<String>,
    /// All that are there.
    pub found: Vec<Found>,
    /// What is not as it should be; nothing may be billed before it is mended.
    pub differences: Vec<Difference>,
}

/// The topics could not be looked at or made.
#[derive(Debug, Error)]
pub enum TopicsError {
    /// The settings of the client are refused.
    #[error("the settings of the Kafka client cannot be used")]
    Settings(#[source] KafkaError),
    /// No broker answers.
    #[error(
        "Kafka does not answer at {brokers}: check the address, whether it asks for TLS, and the credentials"
    )]
    Away {
        /// Where it was looked for.
        brokers: String,
        /// What the client says.
        source: KafkaError,
    },
    /// A topic could not be made or read.
    #[error("the topic {topic} cannot be {what}: {code}")]
    Refused {
        /// Which.
        topic: String,
        /// What was tried.
        what: &'static str,
        /// What the broker says.
        code: RDKafkaErrorCode,
    },
    /// The client library cannot administer with tokens.
    #[error(
        "topics cannot be made or checked when signing in by oauthbearer: use another way to sign in for this command"
    )]
    ByToken,
}

/// Makes the topics that are not there, and checks all.
///
/// # Errors
/// The cluster does not answer, or does not allow it.
pub fn create(
    client: &ClientSettings,
    names: &TopicNames,
    options: &CreateOptions,
) -> Result<TopicsReport, TopicsError> {
    let admin = Admin::connect(client)?;
    let brokers = admin.brokers()?;
    let copies = options.copies.unwrap_or_else(|| COPIES_USUAL.min(brokers.max(1)));
    let there = admin.find(names)?;
    let mut created = Vec::new();
    for topic in wanted(names, in_sync_min(copies), options.input_retention_ms) {
        if there.iter().any(|found| found.name == topic.name) {
            continue;
        }
        // Entries go to partitions by number: a ledger that is made later follows the input that is there.
        let input = there.iter().find(|found| found.name == names.input);
        let partitions = input.map_or(options.partitions, |input| input.partitions);
        admin.create(&topic, partitions, copies)?;
        created.push(topic.name.to_owned());
    }
    if !created.is_empty() {
        admin.wait_for_all(names)?;
    }
    let mut report = admin.report(names)?;
    report.created = created;
    Ok(report)
}

/// Checks the topics that are there.
///
/// # Errors
/// The cluster does not answer, or does not allow it.
pub fn check(client: &ClientSettings, names: &TopicNames) -> Result<TopicsReport, TopicsError> {
    Admin::connect(client)?.report(names)
}

/// With three copies two have to be written, so that one machine may be away; with fewer there is no choice.
fn in_sync_min(copies: usize) -> usize {
    if copies >= 3 { 2 } else { 1 }
}

struct Admin<'s> {
    client: AdminClient<SignIn>,
    settings: &'s ClientSettings,
}

impl<'s> Admin<'s> {
    fn connect(settings: &'s ClientSettings) -> Result<Self, TopicsError> {
        if matches!(settings.sasl, Some(Sasl::OAuthBearer { .. })) {
            return Err(TopicsError::ByToken);
        }
        let client = settings
            .client_config("tarifa-topics")
            .create_with_context(settings.sign_in())
            .map_err(|error| TopicsError::Settings(without_value(error)))?;
        Ok(Self { client, settings })
    }

    fn away(&self, source: KafkaError) -> TopicsError {
        TopicsError::Away { brokers: self.settings.brokers.clone(), source }
    }

    fn brokers(&self) -> Result<usize, TopicsError> {
        let metadata = self.client.inner().fetch_metadata(None, ANSWER_TIME_MAX);
        Ok(metadata.map_err(|error| self.away(error))?.brokers().len())
    }

    /// A topic that was made is known to every broker only a little later.
    fn wait_for_all(&self, names: &TopicNames) -> Result<(), TopicsError> {
        let asked = Instant::now();
        while self.find(names)?.len() < 4 && asked.elapsed() < ANSWER_TIME_MAX {
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn report(&self, names: &TopicNames) -> Result<TopicsReport, TopicsError> {
        let found = self.find(names)?;
        let copies = found.iter().map(|topic| topic.copies_min).max().unwrap_or(1);
        let wanted = wanted(names, in_sync_min(copies), -1);
        let differences = compare::compare(&wanted, &found, names, &self.settings.brokers);
        Ok(TopicsReport { created: Vec::new(), found, differences })
    }

    /// Those of the four that are there.
    fn find(&self, names: &TopicNames) -> Result<Vec<Found>, TopicsError> {
        // Of all topics: asking for one by its name could make it, set by default.
        let metadata = self.client.inner().fetch_metadata(None, ANSWER_TIME_MAX);
        let metadata = metadata.map_err(|error| self.away(error))?;
        let all = [&names.input, &names.ledger, &names.charges, &names.deadletter];
        let of = |name: &str| metadata.topics().iter().find(|topic| topic.name() == name);
        let there: Vec<&str> =
            all.into_iter().map(String::as_str).filter(|name| of(name).is_some()).collect();
        let mut settings = self.settings_of(&there)?;
        let mut found = Vec::new();
        for name in there {
            let Some(topic) = of(name) else { continue };
            let copies = topic.partitions().iter().map(|partition| partition.replicas().len()).min();
            found.push(Found {
                name: name.to_owned(),
                partitions: topic.partitions().len(),
                copies_min: copies.unwrap_or(0),
                settings: settings.remove(name).unwrap_or_default(),
            });
        }
        Ok(found)
    }

    /// The settings of some topics, in one question.
    fn settings_of(&self, names: &[&str]) -> Result<BTreeMap<String, BTreeMap<String, String>>, TopicsError> {
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let which: Vec<ResourceSpecifier<'_>> = names.iter().copied().map(ResourceSpecifier::Topic).collect();
        let answer = self.client.describe_configs(&which, &options());
        let topics = wait(answer).map_err(|error| self.away(error))?;
        let mut all = BTreeMap::new();
        for (name, topic) in names.iter().zip(topics) {
            let topic = topic.map_err(|code| TopicsError::Refused {
                topic: (*name).to_owned(),
                what: "read",
                code,
            })?;
            let OwnedResourceSpecifier::Topic(named) = topic.specifier else { continue };
            let entries = topic.entries.into_iter();
            all.insert(named, entries.map(|entry| (entry.name, entry.value.unwrap_or_default())).collect());
        }
        Ok(all)
    }

    fn create(
        &self,
        topic: &wanted::Wanted<'_>,
        partitions: usize,
        copies: usize,
    ) -> Result<(), TopicsError> {
        let refused = |code| TopicsError::Refused { topic: topic.name.to_owned(), what: "made", code };
        let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
        let mut new = NewTopic::new(topic.name, count(partitions), TopicReplication::Fixed(count(copies)));
        for setting in &topic.settings {
            new = new.set(setting.name, &setting.value);
        }
        for made in wait(self.client.create_topics(&[new], &options())).map_err(|error| self.away(error))? {
            match made {
                // Another instance was faster.
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((_, code)) => return Err(refused(code)),
            }
        }
        Ok(())
    }
}

fn options() -> AdminOptions {
    // The broker answers when all partitions are there.
    AdminOptions::new().request_timeout(Some(ANSWER_TIME_MAX)).operation_timeout(Some(ANSWER_TIME_MAX))
}
