//! Sending events into the input topic, each on the partition of its thread.
//!
//! Knows nothing of what an event says. Invariant: what was counted as sent has been acknowledged by all copies that
//! have to be in step; within one key nothing overtakes.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use model::{Offset, PartitionId};
use rdkafka::{
    ClientContext, Message as _,
    client::OAuthToken,
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext},
};
use thiserror::Error;

use crate::{ClientSettings, SignIn, TopicNames, client::without_value, member::number};

/// How long a broker that is away is waited for before a record counts as not sent.
const DELIVERY_TIME_MAX: Duration = Duration::from_secs(60);
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
const PROTOBUF: &str = "application/protobuf";
/// The partitioner of Kafka's Java clients: all that write to the topic have to agree.
const PARTITIONER: &str = "murmur2_random";

/// Writes to the input topic.
pub struct InputProducer {
    producer: BaseProducer<Receipts>,
    topic: String,
    headers: OwnedHeaders,
}

/// Records did not reach the input topic.
#[derive(Debug, Error)]
pub enum SendError {
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
    /// The topic is not there.
    #[error("there is no topic {0}: make it with `tarifa topics create`")]
    NoTopic(String),
    /// A record was not taken.
    #[error("{topic} did not take {count} records; what was taken stays, and repeats are known as such")]
    NotTaken {
        /// Which topic.
        topic: String,
        /// How many.
        count: u64,
        /// Why, the first of them.
        source: KafkaError,
    },
}

/// Counts what became of records.
#[derive(Debug, Default)]
struct Receipts {
    sign_in: SignIn,
    taken: AtomicU64,
    /// Where the newest of them lies.
    newest: Mutex<Option<Offset>>,
    refused: AtomicU64,
    first_refusal: Mutex<Option<KafkaError>>,
}

impl ClientContext for Receipts {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.sign_in.token()
    }
}

impl ProducerContext for Receipts {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(record) => {
                let place = u64::try_from(record.offset()).ok().map(Offset);
                *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = place;
                self.taken.fetch_add(1, Ordering::Relaxed);
            }
            Err((error, _)) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                let mut first = self.first_refusal.lock().unwrap_or_else(PoisonError::into_inner);
                first.get_or_insert_with(|| error.clone());
            }
        }
    }
}

impl InputProducer {
    /// Connects, and sees that the topic is there.
    ///
    /// # Errors
    /// The cluster does not answer, or has no such topic.
    pub fn connect(client: &ClientSettings, names: &TopicNames) -> Result<Self, SendError> {
        let mut config = client.client_config("tarifa-publish");
        config.set("partitioner", PARTITIONER);
        // A repeat by the client itself would be a duplicate that is paid for by everyone who reads.
        config.set("enable.idempotence", "true").set("acks", "all");
        config.set("linger.ms", "20").set("compression.type", "lz4").set("batch.num.messages", "20000");
        config.set("queue.buffering.max.messages", "200000");
        config.set("delivery.timeout.ms", DELIVERY_TIME_MAX.as_millis().to_string());
        let context = Receipts { sign_in: client.sign_in(), ..Receipts::default() };
        let producer: BaseProducer<Receipts> =
            config.create_with_context(context).map_err(|error| SendError::Settings(without_value(error)))?;
        // A token, where one is needed, is handed out while polling.
        producer.poll(Duration::ZERO);
        let metadata = producer
            .client()
            .fetch_metadata(None, ANSWER_TIME_MAX)
            .map_err(|source| SendError::Away { brokers: client.brokers.clone(), source })?;
        if !metadata.topics().iter().any(|topic| topic.name() == names.input) {
            return Err(SendError::NoTopic(names.input.clone()));
        }
        let header = Header { key: "content-type", value: Some(PROTOBUF) };
        Ok(Self { producer, topic: names.input.clone(), headers: OwnedHeaders::new().insert(header) })
    }

    /// Sends an event in protobuf on the partition of its key. Waits while too much is under way.
    ///
    /// # Errors
    /// The client refuses it, or an earlier record was not taken.
    pub fn send_event(&mut self, key: &[u8], value: &[u8]) -> Result<(), SendError> {
        self.send(Some(key), value, true)
    }

    /// Sends bytes that are no event, on any partition, so that whoever reads the topic can put them into quarantine.
    ///
    /// # Errors
    /// As for an event.
    pub fn send_unreadable(&mut self, value: &[u8]) -> Result<(), SendError> {
        self.send(None, value, false)
    }

    /// Sends one record in protobuf onto a partition, and waits until it is there. Gives its place.
    ///
    /// # Errors
    /// As for an event.
    pub fn place(
        &mut self,
        partition: PartitionId,
        key: Option<&[u8]>,
        value: &[u8],
    ) -> Result<Offset, SendError> {
        self.send_to(Some(partition), key, value, true)?;
        self.wait()?;
        let newest = *self.producer.context().newest.lock().unwrap_or_else(PoisonError::into_inner);
        let source = KafkaError::MessageProduction(RDKafkaErrorCode::MessageTimedOut);
        let lost = || SendError::NotTaken { topic: self.topic.clone(), count: 1, source };
        newest.ok_or_else(lost)
    }

    fn send(&mut self, key: Option<&[u8]>, value: &[u8], is_event: bool) -> Result<(), SendError> {
        self.send_to(None, key, value, is_event)
    }

    fn send_to(
        &mut self,
        partition: Option<PartitionId>,
        key: Option<&[u8]>,
        value: &[u8],
        is_event: bool,
    ) -> Result<(), SendError> {
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&self.topic).payload(value);
        record.partition = partition.map(number);
        if let Some(key) = key {
            record = record.key(key);
        }
        if is_event {
            record = record.headers(self.headers.clone());
        }
        loop {
            match self.producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    self.producer.poll(Duration::from_millis(10));
                    self.refusal()?;
                }
                Err((source, _)) => {
                    return Err(SendError::NotTaken { topic: self.topic.clone(), count: 1, source });
                }
            }
        }
        Ok(())
    }

    /// Serves the client without waiting; to be called every few hundred records.
    ///
    /// # Errors
    /// An earlier record was not taken.
    pub fn serve(&mut self) -> Result<(), SendError> {
        self.producer.poll(Duration::ZERO);
        self.refusal()
    }

    /// How many records have been acknowledged.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.producer.context().taken.load(Ordering::Relaxed)
    }

    /// Waits until everything is acknowledged, and gives how many were.
    ///
    /// # Errors
    /// Some were not taken.
    pub fn finish(self) -> Result<u64, SendError> {
        self.wait()?;
        Ok(self.taken())
    }

    fn wait(&self) -> Result<(), SendError> {
        while self.producer.in_flight_count() > 0 {
            self.producer.poll(Duration::from_millis(5));
        }
        self.refusal()
    }

    fn refusal(&self) -> Result<(), SendError> {
        let receipts = self.producer.context();
        let mut first = receipts.first_refusal.lock().unwrap_or_else(PoisonError::into_inner);
        first.take().map_or(Ok(()), |source| {
            let count = receipts.refused.load(Ordering::Relaxed);
            Err(SendError::NotTaken { topic: self.topic.clone(), count, source })
        })
    }
}

impl std::fmt::Debug for InputProducer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InputProducer").field("topic", &self.topic).finish_non_exhaustive()
    }
}
