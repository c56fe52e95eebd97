//! What others do to the topics, by mistake or on purpose: for tests of how the service takes it.
//!
//! Knows nothing of what is right. Invariant: the program itself is built without it.

use std::{
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext, Offset as KafkaOffset, TopicPartitionList,
    admin::{
        AdminClient, AdminOptions, AlterConfig, ConfigSource, NewPartitions, NewTopic, ResourceSpecifier,
        TopicReplication,
    },
    client::DefaultClientContext,
    error::{KafkaError, RDKafkaErrorCode},
    message::Message as _,
    producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext},
};

use crate::{ClientSettings, member::number, wait::wait};
use model::PartitionId;

const ANSWER_TIME_MAX: Duration = Duration::from_secs(20);
/// The partitioner that librdkafka has by default: CRC32 of the key, where Java's clients have murmur2.
pub const CRC32: &str = "consistent_random";

/// Somebody with all rights on the cluster.
pub struct Meddler {
    admin: AdminClient<DefaultClientContext>,
    settings: ClientSettings,
}

/// A record as anybody can send it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stray<'a> {
    /// Where to; by the partitioner if absent.
    pub partition: Option<PartitionId>,
    /// Absent for none.
    pub key: Option<&'a [u8]>,
    /// Absent for a tombstone.
    pub value: Option<&'a [u8]>,
}

#[derive(Default)]
struct Landed(Mutex<Vec<(usize, u32)>>);

impl ClientContext for Landed {}

impl ProducerContext for Landed {
    type DeliveryOpaque = Box<usize>;

    fn delivery(&self, result: &DeliveryResult<'_>, index: Box<usize>) {
        if let Ok(message) = result {
            let partition = u32::try_from(message.partition()).unwrap_or(u32::MAX);
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push((*index, partition));
        }
    }
}

impl Meddler {
    /// Connects.
    ///
    /// # Errors
    /// The client's.
    pub fn connect(settings: &ClientSettings) -> Result<Self, KafkaError> {
        let admin = settings.client_config("meddler").create()?;
        Ok(Self { admin, settings: settings.clone() })
    }

    /// Makes a topic with the cluster's defaults but for these settings.
    ///
    /// # Errors
    /// The broker's.
    pub fn make(&self, topic: &str, partitions: u32, settings: &[(&str, &str)]) -> Result<(), KafkaError> {
        let count = number(PartitionId(partitions));
        let mut new = NewTopic::new(topic, count, TopicReplication::Fixed(1));
        for (name, value) in settings {
            new = new.set(name, value);
        }
        let began = Instant::now();
        loop {
            match first(wait(self.admin.create_topics([&new], &options()))?) {
                // It is still being deleted.
                Err(RDKafkaErrorCode::TopicAlreadyExists) if began.elapsed() < ANSWER_TIME_MAX => {
                    thread::sleep(Duration::from_millis(100));
                }
                made => return made.map_err(KafkaError::AdminOp),
            }
        }
    }

    /// Deletes a topic with all that is in it.
    ///
    /// # Errors
    /// The broker's.
    pub fn delete(&self, topic: &str) -> Result<(), KafkaError> {
        first(wait(self.admin.delete_topics(&[topic], &options()))?).map_err(KafkaError::AdminOp)
    }

    /// Gives a topic more partitions.
    ///
    /// # Errors
    /// The broker's.
    pub fn raise_partitions(&self, topic: &str, count: usize) -> Result<(), KafkaError> {
        let raised = NewPartitions::new(topic, count);
        first(wait(self.admin.create_partitions([&raised], &options()))?).map_err(KafkaError::AdminOp)
    }

    /// Removes the records of a partition that lie before an offset; all of them if none is given.
    ///
    /// # Errors
    /// The broker's.
    pub fn cut(&self, topic: &str, partition: PartitionId, before: Option<u64>) -> Result<(), KafkaError> {
        let offset = before.map_or(KafkaOffset::End, |before| {
            KafkaOffset::Offset(i64::try_from(before).unwrap_or(i64::MAX))
        });
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, number(partition), offset)?;
        let cut = wait(self.admin.delete_records(&list, &options()))?;
        cut.elements().iter().try_for_each(|one| one.error())
    }

    /// Sets a topic otherwise, and leaves its other settings.
    ///
    /// # Errors
    /// The broker's.
    pub fn set(&self, topic: &str, setting: &str, value: &str) -> Result<(), KafkaError> {
        let which = [ResourceSpecifier::Topic(topic)];
        let described = wait(self.admin.describe_configs(&which, &options()))?;
        let mut entries = Vec::new();
        for resource in described {
            entries.extend(resource.map_err(KafkaError::AdminOp)?.entries);
        }
        let mut altered = AlterConfig::new(ResourceSpecifier::Topic(topic)).set(setting, value);
        for entry in entries.iter().filter(|entry| entry.source == ConfigSource::DynamicTopic) {
            if entry.name != setting {
                altered = altered.set(&entry.name, entry.value.as_deref().unwrap_or_default());
            }
        }
        for done in wait(self.admin.alter_configs([&altered], &options()))? {
            done.map_err(|(_, code)| KafkaError::AdminOp(code))?;
        }
        Ok(())
    }

    /// Sends records with a partitioner of the client's. Gives the partition on which each has landed.
    ///
    /// # Errors
    /// The client's, or a record was not taken.
    pub fn send(
        &self,
        topic: &str,
        partitioner: &str,
        records: &[Stray<'_>],
    ) -> Result<Vec<PartitionId>, KafkaError> {
        let mut config = self.settings.client_config("stray");
        let producer: BaseProducer<Landed> =
            config.set("partitioner", partitioner).create_with_context(Landed::default())?;
        for (index, stray) in records.iter().enumerate() {
            let mut record: BaseRecord<'_, [u8], [u8], Box<usize>> =
                BaseRecord::with_opaque_to(topic, Box::new(index));
            record.partition = stray.partition.map(number);
            record.key = stray.key;
            record.payload = stray.value;
            producer.send(record).map_err(|(error, _)| error)?;
        }
        producer.flush(ANSWER_TIME_MAX)?;
        let mut landed =
            std::mem::take(&mut *producer.context().0.lock().unwrap_or_else(PoisonError::into_inner));
        if landed.len() < records.len() {
            return Err(KafkaError::MessageProduction(RDKafkaErrorCode::MessageTimedOut));
        }
        landed.sort_unstable();
        Ok(landed.into_iter().map(|(_, partition)| PartitionId(partition)).collect())
    }
}

impl std::fmt::Debug for Meddler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meddler").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The answer about the one topic that was asked about.
fn first(answers: Vec<Result<String, (String, RDKafkaErrorCode)>>) -> Result<(), RDKafkaErrorCode> {
    answers.into_iter().try_for_each(|answer| answer.map(|_| ()).map_err(|(_, code)| code))
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(ANSWER_TIME_MAX)).operation_timeout(Some(ANSWER_TIME_MAX))
}
