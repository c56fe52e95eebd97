//! Reading the ledger topic from any place on, as a consumer without a group.
//!
//! Knows nothing of entries. Invariant: everything is read committed; a record that the topic has no more is an error,
//! never passed over.

use std::time::Duration;

use model::{Offset, PartitionId};
use rdkafka::{
    Message as _, Offset as KafkaOffset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
};
use thiserror::Error;

use crate::{ClientSettings, SignIn, TopicNames, client::without_value, member::number};

const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// The ledger topic, being read.
pub struct LedgerFeed {
    consumer: BaseConsumer<SignIn>,
    brokers: String,
    topic: String,
    cluster: String,
    partitions: u32,
}

/// What a look at the feed gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fed<'a> {
    /// A record.
    Record {
        /// Its partition.
        partition: PartitionId,
        /// Its place there.
        offset: Offset,
        /// Its value.
        value: &'a [u8],
    },
    /// A partition has been read to its present end, up to here.
    End(PartitionId, Offset),
    /// Nothing came in time.
    Nothing,
}

/// The ledger topic cannot be read.
#[derive(Debug, Error)]
pub enum FeedError {
    /// The settings of the client are refused.
    #[error("the settings of the Kafka client cannot be used")]
    Settings(#[source] KafkaError),
    /// No broker answers, or it refuses.
    #[error(
        "Kafka does not answer at {brokers}: check the address, whether it asks for TLS, and the credentials"
    )]
    Away {
        /// Where it was looked for.
        brokers: String,
        /// What the client says.
        source: KafkaError,
    },
    /// The topic is not there.
    #[error("there is no topic {0}: make it with `tarifa topics create`")]
    NoTopic(String),
    /// What is to be read is no longer, or not yet, in the topic.
    #[error(
        "partition {partition} of {topic} has no record at {offset}: it was emptied, cut off, or made anew; restore \
         the topic, or collect what there is into a new directory", partition = .partition.0, offset = .offset.0
    )]
    Gone {
        /// Which topic.
        topic: String,
        /// Which partition.
        partition: PartitionId,
        /// Where reading was to go on.
        offset: Offset,
    },
    /// The topic was cut off while it was read.
    #[error("{0} was cut off while it was read: see that it has retention.ms=-1, with `tarifa topics check`")]
    Cut(String),
}

impl LedgerFeed {
    /// Connects, and sees that the topic is there.
    ///
    /// # Errors
    /// The cluster does not answer, or has no such topic.
    pub fn connect(client: &ClientSettings, names: &TopicNames) -> Result<Self, FeedError> {
        let consumer: BaseConsumer<SignIn> = client
            .client_config("tarifa-collect")
            // Only subscribing joins a group; this reads partitions that it names itself.
            .set("group.id", "tarifa-collect")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("check.crcs", "true")
            .set("fetch.queue.backoff.ms", "20")
            .set("queued.max.messages.kbytes", "16384")
            .set_log_level(RDKafkaLogLevel::Warning)
            .create_with_context(client.sign_in())
            .map_err(|error| FeedError::Settings(without_value(error)))?;
        let away = |source| FeedError::Away { brokers: client.brokers.clone(), source };
        // A token, where one is needed, is handed out while polling.
        if let Some(Err(error)) = consumer.poll(Duration::ZERO) {
            tracing::debug!(%error, "connecting");
        }
        let metadata = consumer.fetch_metadata(None, ANSWER_TIME_MAX).map_err(away)?;
        let topic = metadata.topics().iter().find(|topic| topic.name() == names.ledger);
        let topic = topic.ok_or_else(|| FeedError::NoTopic(names.ledger.clone()))?;
        let partitions = u32::try_from(topic.partitions().len()).unwrap_or(u32::MAX);
        let cluster = consumer
            .client()
            .fetch_cluster_id(ANSWER_TIME_MAX)
            .ok_or_else(|| away(KafkaError::MetadataFetch(RDKafkaErrorCode::OperationTimedOut)))?;
        let (brokers, topic) = (client.brokers.clone(), names.ledger.clone());
        Ok(Self { consumer, brokers, topic, cluster, partitions })
    }

    /// The broker's own id of its cluster.
    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// Name of the topic.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Partitions of the topic.
    #[must_use]
    pub fn partitions(&self) -> u32 {
        self.partitions
    }

    /// Begins to read at these places. Gives how many records there are to the present end, markers counted.
    ///
    /// # Errors
    /// The topic begins behind, or ends before, such a place.
    pub fn start(&self, from: &[(PartitionId, Offset)]) -> Result<u64, FeedError> {
        let mut list = TopicPartitionList::new();
        let mut left = 0;
        for (partition, offset) in from {
            let marks = self.consumer.fetch_watermarks(&self.topic, number(*partition), ANSWER_TIME_MAX);
            let (begin, end) = marks.map_err(|error| self.away(error))?;
            // A topic that was emptied and written again begins further on; that it begins with entry 1 is seen then.
            let wanted = if offset.0 == 0 { begin } else { i64::try_from(offset.0).unwrap_or(i64::MAX) };
            if wanted < begin || wanted > end {
                let topic = self.topic.clone();
                return Err(FeedError::Gone { topic, partition: *partition, offset: *offset });
            }
            left += u64::try_from(end - wanted).unwrap_or(0);
            list.add_partition_offset(&self.topic, number(*partition), KafkaOffset::Offset(wanted))
                .map_err(|error| self.away(error))?;
        }
        self.consumer.assign(&list).map_err(|error| self.away(error))?;
        Ok(left)
    }

    /// Shows the next record, or end of a partition, waiting no longer than `timeout`.
    ///
    /// # Errors
    /// The topic was cut off, or the client cannot go on.
    pub fn next<T>(&self, timeout: Duration, show: impl FnOnce(Fed<'_>) -> T) -> Result<T, FeedError> {
        match self.consumer.poll(timeout) {
            None => Ok(show(Fed::Nothing)),
            Some(Ok(record)) => {
                let partition = PartitionId(u32::try_from(record.partition()).unwrap_or_default());
                let offset = Offset(u64::try_from(record.offset()).unwrap_or_default());
                Ok(show(Fed::Record { partition, offset, value: record.payload().unwrap_or_default() }))
            }
            Some(Err(KafkaError::PartitionEOF(ended))) => {
                let partition = PartitionId(u32::try_from(ended).unwrap_or_default());
                let offset = self.position(partition)?;
                Ok(show(Fed::End(partition, offset)))
            }
            Some(Err(error)) if is_gone(&error) => Err(FeedError::Cut(self.topic.clone())),
            Some(Err(error)) => match error.rdkafka_error_code() {
                // The client connects again by itself; whoever waits sees that nothing comes.
                Some(
                    RDKafkaErrorCode::BrokerTransportFailure
                    | RDKafkaErrorCode::AllBrokersDown
                    | RDKafkaErrorCode::Resolve
                    | RDKafkaErrorCode::OperationTimedOut
                    | RDKafkaErrorCode::NotLeaderForPartition
                    | RDKafkaErrorCode::LeaderNotAvailable,
                ) => Ok(show(Fed::Nothing)),
                Some(_) | None => Err(self.away(error)),
            },
        }
    }

    /// Where reading goes on in a partition: behind markers of transactions too.
    fn position(&self, partition: PartitionId) -> Result<Offset, FeedError> {
        let positions = self.consumer.position().map_err(|error| self.away(error))?;
        let here = positions.find_partition(&self.topic, number(partition));
        let offset = here.and_then(|here| here.offset().to_raw()).unwrap_or_default();
        Ok(Offset(u64::try_from(offset).unwrap_or_default()))
    }

    fn away(&self, source: KafkaError) -> FeedError {
        FeedError::Away { brokers: self.brokers.clone(), source }
    }
}

fn is_gone(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::OffsetOutOfRange | RDKafkaErrorCode::AutoOffsetReset)
    )
}

impl std::fmt::Debug for LedgerFeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LedgerFeed").field("topic", &self.topic).finish_non_exhaustive()
    }
}
